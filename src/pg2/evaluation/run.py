"""Score a model on pairs and write the report: what `pg2 evaluate` and `pg2 table1` both do."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.failures import failures_page
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.pair_lists import Pair
from pg2.evaluation.protocol import Model, evaluate
from pg2.evaluation.report import check_place, examples, write_report
from pg2.evaluation.scores import Evaluation
from pg2.evaluation.storing import check_store
from pg2.io.outputs import exclusive


def check_places(out: str | Path, store: str | Path | None = None) -> None:
    """Refuse places for a report and for pictures that hold anything but earlier ones, or lie in one another.

    Worth calling before the minutes of an evaluation; `score_and_report` calls it again.

    Raises:
        Pg2Error: saying which.
    """
    out = check_place(out)
    if store is None:
        return
    check_store(Path(store))
    there = Path(store).resolve()
    if out in (there, *there.parents) or there in out.parents:
        raise Pg2Error(f"--store {store} and --out {out} lie in one another; give folders apart")


def score_and_report(
    out: str | Path,
    model: Model,
    data: PreparedDataset,
    pairs: Sequence[Pair],
    *,
    name: str,
    data_name: str,
    instruments: Instruments,
    training: Sequence[Tensor | None] = (),
    store: Path | None = None,
    seed: int | None = None,
    command: str | None = None,
    ray: str | None = None,
) -> Evaluation:
    """Score a model, draw examples and failures, and write all of it into the folder `out`.

    Args:
        out: a new folder, or one that holds an earlier report, which is replaced.
        model, data, pairs, instruments, training, store, ray: see `evaluate`.
        name, data_name: what the model and the data set are called in the report.
        seed, command: to be written down, see `write_report`.

    Raises:
        Pg2Error: see `check_places`, `evaluate` and `write_report`; or another command is at work there.
    """
    check_places(out, store)
    with exclusive(out), nullcontext() if store is None else exclusive(store):
        evaluation = evaluate(
            model, data, pairs, instruments=instruments, training=training, store=store, ray=ray
        )
        write_report(
            out,
            evaluation,
            examples(evaluation, model, data),
            model=name,
            data_name=data_name,
            failures=failures_page(evaluation, model, data, name),
            seed=seed,
            command=command,
        )
    return evaluation
