"""Settings of networks: whatever passes their checks can be built."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import device

from pg2.models.config import ModelConfig
from pg2.models.pg2 import PG2

FEW = st.integers(1, 4)
UNETS = {"width": st.integers(1, 16), "blocks": FEW, "unshuffle": st.sampled_from([1, 2, 4])}
DIFFERENCE = st.fixed_dictionaries({"kind": st.just("difference"), **UNETS, "shallow_skip": st.booleans()})
TRANSPORT = st.fixed_dictionaries(
    {
        "kind": st.just("transport"),
        "widths": st.lists(st.integers(1, 16), min_size=2, max_size=4),
        "finish": st.integers(1, 16),
        "stride": st.sampled_from([2, 4, 8]),
        "shade": st.sampled_from([2, 8, 16]),
    }
)
POSES = st.fixed_dictionaries(
    {
        "embedding": st.sampled_from(["input", "heatmaps", "coordinates"]),
        "shrink": st.sampled_from([1, 2, 4]),
    }
)


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {
            "frame": st.tuples(st.sampled_from([16, 64, 96, 1024]), st.sampled_from([16, 32, 64, 1024])),
            "pose": POSES,
            "coarse": st.fixed_dictionaries({**UNETS, "bottleneck": FEW, "slim_decoder": st.booleans()}),
            "refine": st.none() | DIFFERENCE | TRANSPORT,
        }
    )
)
def test_what_passes_the_checks_can_be_built(values: dict[str, object]) -> None:
    try:
        config = ModelConfig.model_validate(values)
    except ValidationError:
        assume(False)
    with device("meta"):
        model = PG2(config)
    assert list(model.stages) == (["coarse"] if config.refine is None else ["coarse", "refined"])
    assert all(parameter.is_meta for parameter in model.parameters())
