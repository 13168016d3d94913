"""Second stages trained for equal minutes from the same stage I, and scored: what parts of transport are for.

The paper's G2 (`fast/ablations/paper`), transport (`fast/people256`), and transport without one of its parts.
Each gets as many steps as fit into the time; how long a step takes, with all loss terms on, is measured
first. What was done is kept: the same command goes on.

    python benchmarks/evidence.py data/people1000 data/people-test --start fast/people256 --minutes 2.5 \
      --limit 96 --out evidence
"""

import argparse
import statistics
from pathlib import Path

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.instruments import instruments
from pg2.evaluation.pair_lists import all_test_pairs, limited
from pg2.evaluation.run import score_and_report
from pg2.evaluation.scores import COPY
from pg2.io.files import read_json, write_json
from pg2.models.pg2 import PG2
from pg2.pipeline import Pipeline
from pg2.training.loop import step_seconds, train
from pg2.training.recipe import load_recipe

RECIPES = {
    "paper's G2": "fast/ablations/paper",
    "transport": "fast/people256",
    "no exact flow": "fast/ablations/no-flow",
    "no silhouette taught": "fast/ablations/no-silhouette",
    "parts averaged": "fast/ablations/averaged",
    "no adversary": "fast/ablations/no-adversary",
}
ALIKE = ("transport", "no exact flow", "no silhouette taught", "parts averaged")
SCORES = (
    "l1_visible", "l1_invented", "feature_distance", "lite0_fid_test", "lite0_kid_test", "pckh", "sharpness",
    "mask_ssim", "ssim",
)  # fmt: skip


def settings(recipe: str, steps: int | None) -> list[str]:
    """What is changed in a recipe so that it does all it does within `steps`; None: all terms at once."""
    changed = ["coarse.steps=0", "refined.warmup=30", "data.validation_pairs=32"]
    if steps is not None:
        changed += [f"refined.{name}={steps}" for name in ("steps", "validate_every")]
    if recipe != RECIPES["paper's G2"]:
        changed += ["refined.losses.perceptual.after=0"]
        if recipe != RECIPES["no adversary"]:
            after = 0 if steps is None else steps // 2
            changed += [f"refined.adversarial.after={after}", "refined.adversarial.weight=0.05"]
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared people rendered with --geometry, to train on")
    parser.add_argument("test", type=Path, help="prepared people rendered with --geometry, to score on")
    parser.add_argument("--start", default="fast/people256", help="model whose stage I all start from")
    parser.add_argument("--minutes", type=float, default=2.5, help="of training, for each")
    parser.add_argument("--limit", type=int, default=96, help="pairs to score, evenly spread")
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and scores")
    options = parser.parse_args()
    data, test = PreparedDataset(options.data), PreparedDataset(options.test)
    options.out.mkdir(parents=True, exist_ok=True)

    start = options.out / "stage1"
    if not start.exists():
        whole = PG2.from_pretrained(options.start)
        whole.ending_with("coarse", whole.coarse).save(start)

    plan = options.out / "plan.json"
    if not plan.exists():
        cost = {
            recipe: step_seconds(load_recipe(recipe, settings(recipe, None)), data)["refined"]
            for recipe in RECIPES.values()
        }
        # The same network with the same terms: what differs between these is the measuring.
        alike = [RECIPES[name] for name in ALIKE]
        cost |= dict.fromkeys(alike, statistics.median(cost[recipe] for recipe in alike))
        write_json(plan, {recipe: int(60 * options.minutes / each) for recipe, each in cost.items()})
    steps = read_json(plan, "the steps of each")

    tools, pairs = instruments(), limited(all_test_pairs(test), options.limit)
    found = {}
    for name, recipe in RECIPES.items():
        place = options.out / Path(recipe).name
        run = train(
            load_recipe(recipe, settings(recipe, steps[recipe])), data, place / "run", init_from=start
        )
        scores = place / "scores"
        if not (scores / "scores.json").exists():
            score_and_report(
                scores, Pipeline.from_pretrained(run), test, pairs,
                name=name, data_name=test.source, instruments=tools,
            )  # fmt: skip
        found[name] = read_json(scores / "scores.json", "scores")

    first = found["transport"]
    print(f"| | steps | {' | '.join(first['headings'][score] for score in SCORES)} |")
    print("|---" * (2 + len(SCORES)) + "|")
    rows = {COPY: first["rows"][COPY], "stage I": first["rows"]["stage I (coarse)"]}
    rows |= {name: document["rows"]["stage II (refined)"] for name, document in found.items()}
    for name, row in rows.items():
        count = steps[RECIPES[name]] if name in RECIPES else "–"
        print(f"| {name} | {count} | {' | '.join(_cell(row.get(score)) for score in SCORES)} |")


def _cell(score: dict[str, float | None] | None) -> str:
    if score is None or score["mean"] is None:
        return "–"
    spread = "" if score["half_width"] is None else f" ± {score['half_width']:.3f}"
    return f"{score['mean']:.3f}{spread}"


if __name__ == "__main__":
    main()
