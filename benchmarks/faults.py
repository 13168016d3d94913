"""A study of faults: pg2 is killed, runs out of space, is fed malformed files and requests, and is attacked.

    python benchmarks/faults.py

Four parts, each of which can be run alone (`--only`):

- kills: commands are killed (SIGKILL) at random moments, half of them just before a change to the disk,
  several times in a row, and started again; stopped (SIGTERM, Ctrl-C); and run out of space. In the end all
  must be as if nothing had happened, and nothing may be left over or half-written.
- inputs: whole files are made malformed, as bytes and by their structure, and read. Each is taken, or refused
  with a sentence; within 5 seconds and 1 GB.
- attacks: what pg2 did not survive once.
- service: a crowd of clients at `pg2 serve`; no answer is lost, and memory stays.

Everything is drawn by `--seed`: the same number does the same again. `--input "KIND:NUMBER"` writes one
malformed input into a folder, to look at. Prints tables in Markdown; exits with 1 if there was any fault.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fault_study.examples import make_examples
from fault_study.inputs import KINDS, Attempts, study_inputs
from fault_study.kills import SUBJECTS, Kills, study_answers
from fault_study.watched import DEADLINE, preload

from pg2.reports.tables import markdown_table

PARTS = ("kills", "inputs", "attacks", "service")
_SHOWN = 20  # faults that are printed whole
_ANSWERS = 0.1  # share of the kills that hits `userstudy serve`


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for."""
    options = _options(arguments)
    preload()
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        home = Path(temporary)
        (home / "examples").mkdir()
        make_examples(home / "examples")
        if options.input:
            return _show(home, options)
        found: dict[str, Any] = {"seed": options.seed}
        faults: list[str] = []
        for part in options.only or PARTS:
            began = time.monotonic()
            found[part], lines = _RUN[part](home, options, faults)
            found[part]["took"] = round(time.monotonic() - began, 1)
            print("\n".join(["", f"### {part}, {found[part]['took']:.0f} s", "", *lines]), flush=True)
    found["faults"] = faults
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{len(faults)} faults" + "".join(f"\n- {fault}" for fault in faults[:_SHOWN]))
    sys.exit(bool(faults))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated; default: all")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=30, help="by SIGTERM and Ctrl-C")
    parser.add_argument("--limits", type=int, default=40, help="disks that are full, files that may not grow")
    parser.add_argument("--commands", default=",".join(SUBJECTS), help="that are killed, apart by commas")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kind", default="", help="only malformed inputs whose kind has this in its name")
    parser.add_argument(
        "--deadline",
        type=float,
        default=DEADLINE,
        help="seconds an input may take on the clock; more on a busy machine",
    )
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--model", default="fast/market1501", help="that is served")
    parser.add_argument("--out", type=Path, help="a file for all figures, as JSON")
    parser.add_argument(
        "--input", help="KIND:NUMBER: write this input into the folder ./fault-input, no more"
    )
    return parser.parse_args(arguments)


def _show(home: Path, options: argparse.Namespace) -> None:
    kind, _, number = options.input.rpartition(":")
    if kind not in KINDS:
        raise SystemExit(f"there is no kind {kind}; there are {', '.join(KINDS)}")
    place = Path("fault-input")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    Attempts(home, options.seed).write(kind, int(number), place)
    print(place)


def _kills(home: Path, options: argparse.Namespace, faults: list[str]) -> tuple[dict[str, Any], list[str]]:
    answers = round(options.kills * _ANSWERS)
    kills = Kills(home, options.seed)
    kills.study(options.kills - answers, options.stops, options.limits, options.commands.split(","))
    counts = {name: dict(count) for name, count in kills.counts.items()}
    found = kills.faults
    if answers:
        served, more = study_answers(home, answers, options.seed)
        counts["userstudy serve"] = dict(served)
        found = [*found, *more]
    faults += [f"{fault.command}, {fault.disturbances}: {fault.words}" for fault in found]
    heads = ("kills", "stops", "limits", "equal", "faults")
    whole = {head: sum(count.get(head, 0) for count in counts.values()) for head in heads}
    rows = [
        [name, *(f"{count.get(head, 0):,}" for head in heads)]
        for name, count in [*counts.items(), ("**all**", whole)]
    ]
    lines = markdown_table(["command", "kills", "stops", "out of space", "ends, all equal", "faults"], rows)
    if "userstudy serve" in counts:
        lines += [
            "",
            f"Answers acknowledged before a kill and kept: {counts['userstudy serve']['answers kept']:,}.",
        ]
    lines += [f"Left out: {name} ({why})" for name, why in kills.left_out.items()]
    return {"counts": counts, "all": whole, "left_out": kills.left_out}, lines


def _inputs(home: Path, options: argparse.Namespace, faults: list[str]) -> tuple[dict[str, Any], list[str]]:
    figures, found = study_inputs(home, options.inputs, options.seed, options.kind, options.deadline)
    faults += [
        f"{fault.kind}:{fault.number}: {fault.outcome.kind}, {fault.outcome.seconds:.1f} s, "
        f"+{fault.outcome.grown / 1e6:.0f} MB: {fault.outcome.words}"
        for fault in found
    ]
    whole = {
        key: (max if key in ("slowest", "most_memory") else sum)(row[key] for row in figures.values())
        for key in next(iter(figures.values()))
    }
    rows = [
        [
            name,
            *(f"{row[key]:,}" for key in ("inputs", "refused", "accepted", "faults")),
            f"{row['slowest']:.2f} s",
            f"{row['most_memory'] / 1e6:.0f} MB",
        ]
        for name, row in [*figures.items(), ("**all**", whole)]
    ]
    heads = ["kind", "inputs", "refused in a sentence", "taken", "faults", "slowest", "most memory"]
    return {"figures": figures, "all": whole}, markdown_table(heads, rows)


def _attacks(home: Path, options: argparse.Namespace, faults: list[str]) -> tuple[dict[str, Any], list[str]]:
    from fault_study.attacks import all_attacks

    found = all_attacks(home / "examples", options.model)
    faults += [f"{attack.name}: {attack.words}" for attack in found if not attack.survived]
    rows = [[attack.name, "yes" if attack.survived else "**no**", attack.words] for attack in found]
    return {"attacks": [attack._asdict() for attack in found]}, markdown_table(
        ["attack", "survived", "figures"], rows
    )


def _service(home: Path, options: argparse.Namespace, faults: list[str]) -> tuple[dict[str, Any], list[str]]:
    from fault_study.asking import material
    from fault_study.crowds import study_crowds

    figures = study_crowds(
        material(home / "examples"),
        options.model,
        options.clients,
        options.seconds,
        options.requests,
        options.seed,
    )
    faults += [f"service: {fault}" for fault in figures["faults"]]
    rows = [[name, str(value)] for name, value in figures.items()]
    return figures, markdown_table(["", ""], rows)


_RUN = {"kills": _kills, "inputs": _inputs, "attacks": _attacks, "service": _service}


if __name__ == "__main__":
    main()
