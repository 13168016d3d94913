"""Commands that are killed, stopped or out of space, and begun again: do they end as if nothing had been?"""

import hashlib
import http.client
import itertools
import json
import random
import re
import shutil
import signal
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from fault_study.commands import NONE, Command, Disturbance, Ended, run
from fault_study.watched import cores

_PATIENCE = 60.0  # seconds that a command may take, and 20 times its usual time
_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}")
_NO_RENDERER = ("rendering needs", "without a screen")  # what a machine is told that cannot
_IN_A_ROW = (1, 1, 2, 3, 5)  # disturbances before a command may end


class Subject(NamedTuple):
    """A command that is disturbed.

    Attributes:
        share: of all disturbances, beside the others'.
        line: its arguments.
        inputs: of the examples, what it reads.
        outputs: what it writes.
    """

    share: int
    line: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


SUBJECTS = {
    "train": Subject(8, "train recipe.yaml data --out made", ("recipe.yaml", "data"), ("made",)),
    "prepare": Subject(
        7, "prepare folder photos made --size 32x16 --test-share 0.4 --keypoints auto", ("photos",), ("made",)
    ),
    "render": Subject(
        3, "render made --people 3 --poses 1 --size 32x32 --geometry --workers 2", (), ("made",)
    ),
    "evaluate": Subject(
        5,
        "evaluate run/refined/model data --out made --store stored --bodies 0 --limit 4",
        ("run", "data"),
        ("made", "stored"),
    ),
    "table1": Subject(2, "table1 data --out made --preset debug --bodies 0 --limit 3", ("data",), ("made",)),
    "userstudy make": Subject(
        5, "userstudy make kinds/generated kinds/real made --count 4 --practice 1", ("kinds",), ("made",)
    ),
    "generate": Subject(
        5,
        "generate photos --poses walking,left,back --model model --out made",
        ("photos", "model"),
        ("made",),
    ),
    "shards": Subject(1, "shards results made --size 1", ("results",), ("made",)),
    "export": Subject(1, "export model --onnx made/model.onnx", ("model",), ("made",)),
}
"""Name -> command. `userstudy serve`, which does not end by itself, is `study_answers`'s."""


class Usual(NamedTuple):
    """What a command does undisturbed: what it wrote, how long it took, how often it changed the disk."""

    content: dict[str, Any]
    seconds: float
    changes: int
    largest: int


class Fault(NamedTuple):
    """A command that did not end as it should have: which, after what, and what was wrong."""

    command: str
    disturbances: str
    words: str


class Kills:
    """Disturbs commands below a folder that holds `examples`."""

    def __init__(self, home: Path, seed: int) -> None:
        self._home, self._seed = home, seed
        self.usual: dict[str, Usual] = {}
        self.faults: list[Fault] = []
        self.counts: dict[str, Counter[str]] = {}
        self.left_out: dict[str, str] = {}

    def learn(self, names: list[str]) -> None:
        """Let each command end undisturbed, once."""

        def one(name: str) -> None:
            place = self._place(name)
            ended = run(SUBJECTS[name].line.split(), place)
            if name == "render" and ended.code == 2 and any(words in ended.said for words in _NO_RENDERER):
                self.left_out[name] = ended.said.strip()
            elif ended.code != 0:
                raise SystemExit(f"{name}, undisturbed, ended with {ended.code}: {ended.said}")
            else:
                outputs = [place / output for output in SUBJECTS[name].outputs]
                sizes = [
                    file.stat().st_size for output in outputs for file in output.rglob("*") if file.is_file()
                ]
                self.usual[name] = Usual(
                    content(place, SUBJECTS[name]), ended.seconds, ended.changes, max(sizes)
                )
            shutil.rmtree(place)

        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(one, names))

    def study(self, kills: int, stops: int, limits: int, names: list[str]) -> None:
        """Disturb the commands so often, shared among them."""
        self.learn(names)
        names = [name for name in names if name in self.usual]
        whole = sum(SUBJECTS[name].share for name in names)
        tasks: list[tuple[str, str, int]] = []
        for way, count in (("kills", kills), ("stops", stops), ("limits", limits)):
            for name in names:
                mine = max(round(count * SUBJECTS[name].share / whole), 1) if count else 0
                numbers = itertools.count()
                while mine > 0:
                    number = next(numbers)
                    chance = random.Random(f"{self._seed} {name} {way} {number}")
                    length = min(chance.choice(_IN_A_ROW) if way == "kills" else 1, mine)
                    tasks.append((name, way, number * 10 + length))
                    mine -= length
        random.Random(self._seed).shuffle(tasks)
        self.counts = {name: Counter() for name in names}
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda task: self._chain(*task), tasks))

    def _chain(self, name: str, way: str, number: int) -> None:
        """Disturb a command a few times in a row, then let it end, and compare."""
        chance = random.Random(f"{self._seed} {name} {way} {number} moments")
        subject, usual = SUBJECTS[name], self.usual[name]
        place, happened = self._place(name), []
        patience = _PATIENCE + 20 * usual.seconds
        counts, wanted = self.counts[name], number % 10

        def wrong(words: str) -> None:
            counts["faults"] += 1
            self.faults.append(Fault(name, "; ".join(happened), words))

        def compare() -> str:
            found = content(place, subject)
            other = sorted(
                key for key in {**usual.content, **found} if usual.content.get(key) != found.get(key)
            )
            return f"it ended otherwise: {', '.join(map(str, other[:5]))}" if other else ""

        for _ in range(10 * wanted):
            if wanted == 0:
                break
            disturbance = self._choose(chance, way, usual)
            ended = run(subject.line.split(), place, disturbance, patience)
            happened.append(f"{disturbance} (exit code {ended.code})")
            if ended.code == 0:
                # A kill that came too late does not count; a limit that was not reached does.
                if said := compare():
                    return wrong(said)
                shutil.rmtree(place)
                place, happened = self._place(name), []
                if way == "kills":
                    continue
            elif said := self._unlike(ended, disturbance, place):
                return wrong(said)
            wanted -= 1
            counts[way] += 1
        if happened:
            ended = run(subject.line.split(), place, NONE, patience)
            if ended.code != 0:
                return wrong(f"started again, it ended with exit code {ended.code}: {ended.said[-2000:]}")
            if said := compare():
                return wrong(said)
        counts["equal"] += 1
        shutil.rmtree(place)
        return None

    def _choose(self, chance: random.Random, way: str, usual: Usual) -> Disturbance:
        """Half of the moments by the clock, half just before a change to the disk."""
        if way == "limits":
            if chance.random() < 0.5:
                return Disturbance(limit=int(usual.largest * chance.random() ** 2))
            return Disturbance(full=True, change=self._change(chance, usual))
        number = signal.SIGKILL if way == "kills" else chance.choice((signal.SIGTERM, signal.SIGINT))
        # A terminal sends Ctrl-C to all processes of a command; others kill one of them.
        everybody = chance.random() < 0.5
        if chance.random() < 0.5:
            return Disturbance(number, seconds=chance.uniform(0, usual.seconds), everybody=everybody)
        return Disturbance(number, change=self._change(chance, usual), everybody=everybody)

    def _change(self, chance: random.Random, usual: Usual) -> int:
        """The number of a change to the disk, rather a small one: a command that goes on has fewer left."""
        return 1 + int(usual.changes * chance.random() ** 1.5)

    def _unlike(self, ended: Ended, disturbance: Disturbance, place: Path) -> str:
        """What is wrong with how a disturbed command ended; "": nothing."""
        if ended.code is None:
            return f"it did not end: {ended.said[-1000:]}"
        half = half_written(place)
        if half:
            return f"half-written: {half}"
        if disturbance.number == signal.SIGKILL:
            return "" if ended.code == -signal.SIGKILL else f"exit code {ended.code}: {ended.said[-2000:]}"
        wanted = 2 if disturbance.number is None else 128 + disturbance.number
        # Before its handlers are there, and afterwards, a signal ends it in the system's way.
        codes = {wanted} if disturbance.number is None else {wanted, -disturbance.number}
        if disturbance.everybody:
            codes.add(2)  # it says that its workers have died
        if ended.code not in codes or "Traceback" in ended.said:
            return f"exit code {ended.code} instead of {wanted}: {ended.said[-2500:]}"
        left = [path for path in place.rglob(".*") if _UNFINISHED.fullmatch(path.name)]
        return f"left behind: {left[0].relative_to(place)}" if left else ""

    def _place(self, name: str) -> Path:
        """A folder of its own for a command, with its inputs."""
        place = Path(tempfile.mkdtemp(prefix="command-", dir=self._home))
        for source in SUBJECTS[name].inputs:
            (place / source).symlink_to(self._home / "examples" / source)
        return place


# ---- what a command wrote


def content(place: Path, subject: Subject) -> dict[str, Any]:
    """What each file of the outputs says, apart from times and random names; and what else is there."""
    found: dict[str, Any] = {"": sorted(path.name for path in place.iterdir())}
    for output in subject.outputs:
        for file in sorted((place / output).rglob("*")):
            name = file.relative_to(place).as_posix()
            if file.is_dir():
                if any(inside.name.startswith("events.") for inside in file.iterdir()):
                    found[name] = _scalars(file)
            elif "pictures" in file.parts and subject.line.startswith("userstudy"):
                found.setdefault("pictures", Counter())[_digest(file.read_bytes())] += 1
            elif not file.name.startswith("events."):
                found[name] = _meaning(file)
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _scalars(log: Path) -> dict[str, Any]:
    """As TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(log))
    read.Reload()
    return {
        tag: [(event.step, event.value) for event in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
        if "per_second" not in tag
    }


_TIMES = re.compile(r"\d+(?:\.\d+)? (?:min|minutes|s|seconds)\b|\b\d+\.\d+ minutes?\b")


def _meaning(file: Path) -> Any:
    data = file.read_bytes()
    if file.name == "checkpoint.safetensors":
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        about = json.loads(header["__metadata__"]["checkpoint"])
        del header["__metadata__"], about["progress"]["seconds"]
        return json.dumps([header, about], sort_keys=True), _digest(data[8 + length :])
    if file.name == "study.json":
        study = json.loads(data)
        del study["id"]
        study["pictures"] = sorted((picture["kind"], picture["name"]) for picture in study["pictures"])
        return study
    if file.suffix == ".json":
        return _without(json.loads(data), {"seconds", "minutes"})
    if file.name.startswith("table1."):
        # The minutes of each training stand in all of them.
        return re.sub(r"\d+\.\d+", "", _TIMES.sub("", data.decode())) if file.suffix != ".html" else None
    return _digest(data)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inside, names) for key, inside in value.items() if key not in names}
    return [_without(inside, names) for inside in value] if isinstance(value, list) else value


_CHECKS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda file: json.loads(file.read_text()),
    ".zip": lambda file: zipfile.ZipFile(file).testzip(),
    ".npz": lambda file: zipfile.ZipFile(file).testzip(),
    ".safetensors": lambda file: _whole_tensors(file.read_bytes()),
    ".png": lambda file: _ends(file, b"IEND\xaeB`\x82"),
    ".jpg": lambda file: _ends(file, b"\xff\xd9"),
    ".csv": lambda file: _ends(file, b"\n"),
    ".tar": lambda file: _ends(file, bytes(1024)),
}  # fmt: skip


def half_written(place: Path) -> str:
    """The first file under its own name that is not whole; "": there is none."""
    for file in sorted(place.rglob("*")):
        inside = file.relative_to(place).parts
        hidden = any(part.startswith(".") or part.endswith(".partial") for part in inside)
        if hidden or not file.is_file() or file.is_symlink() or file.suffix not in _CHECKS:
            continue
        try:
            _CHECKS[file.suffix](file)
        except Exception as error:
            return f"{'/'.join(inside)} ({error})"
    return ""


def _whole_tensors(data: bytes) -> None:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if 8 + length + max(ends) != len(data):
        raise ValueError("tensors are missing")


def _ends(file: Path, wanted: bytes) -> None:
    if not file.read_bytes().endswith(wanted):
        raise ValueError("its end is missing")


# ---- answers of a user study


def study_answers(home: Path, kills: int, seed: int) -> tuple[Counter[str], list[Fault]]:
    """Kill `pg2 userstudy serve` while people answer: whatever was acknowledged is there afterwards."""
    chance = random.Random(f"{seed} answers")
    place = Path(tempfile.mkdtemp(prefix="answers-", dir=home))
    shutil.copytree(home / "examples" / "study", place / "study")
    counts: Counter[str] = Counter()
    faults: list[Fault] = []
    known: dict[str, int] = {}
    for number in range(kills + 1):
        server = Command(["userstudy", "serve", "study", "--port", "0"], place)
        end = time.monotonic() + 120
        while not (found := re.search(r"http://[\d.:]+", server.said)):
            if not server.running or time.monotonic() > end:
                server.send(signal.SIGKILL)
                faults.append(
                    Fault(
                        "userstudy serve", f"kill {number}", f"it does not start again: {server.said[-2000:]}"
                    )
                )
                return counts, faults
            time.sleep(0.05)
        people = _People(found[0], known)
        lost = people.lost()
        if lost:
            faults.append(Fault("userstudy serve", f"kill {number}", lost))
        counts["equal"] += not lost
        if number == kills:
            server.send(signal.SIGTERM)
        else:
            threads = [threading.Thread(target=people.answer) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.05, 0.6))
            server.send(signal.SIGKILL)
            counts["kills"] += 1
            for thread in threads:
                thread.join()
        server.end(60)
    counts["answers kept"] = sum(known.values())
    counts["faults"] = len(faults)
    shutil.rmtree(place)
    return counts, faults


class _People:
    """Who answer as fast as they can, and remember what was acknowledged."""

    def __init__(self, url: str, known: dict[str, int]) -> None:
        self._url, self._known = url, known

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        import urllib.request

        kind = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(self._url + path, body, kind), timeout=30
        ) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def lost(self) -> str:
        """What was acknowledged and is not there; "": nothing."""
        for token, count in list(self._known.items()):
            answered = self._ask(f"/api/participants/{token}")["answered"]
            # One more may have been stored whose acknowledgement was cut off.
            if not count <= answered <= count + 1:
                return f"of {count} acknowledged answers of a participant {answered} are there"
            self._known[token] = answered
        return ""

    def answer(self) -> None:
        """Until the server is gone."""
        try:
            while True:
                token = self._ask("/api/participants", b"{}")["token"]
                self._known[token] = 0
                for position in range(6):
                    body = {"position": position, "answer": "real", "milliseconds": 300}
                    self._ask(f"/api/participants/{token}/answers", json.dumps(body).encode())
                    self._known[token] = position + 1
        except (OSError, http.client.HTTPException):
            return
