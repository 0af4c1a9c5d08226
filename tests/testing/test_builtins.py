"""Every built-in metric keeps what its traits claim."""

from importlib import metadata

from hypothesis import settings
from hypothesis import strategies as st

from stotmetrics.spec import registry
from stotmetrics.testing import parametrize_with_checks

# The kit draws full examples in the nightly profile; a share of them keeps the daily run short.
EXAMPLES = max(6, settings().max_examples // 3)
POWERS = st.sampled_from([2.0, 1.0, 1.5, 3.0])

PARAMS = {
    # Above p = 3 a p-th root turns a rounding error of 1e-16 into one that no tolerance should allow.
    **{name: {"p": POWERS} for name in ("taot", "tiot", "tlp")},
    "etiot": {"p": POWERS},
}
OWN = [entry.name for entry in metadata.entry_points(group=registry.GROUP) if entry.value.startswith("stotmetrics.")]


def test_all_built_in_metrics_are_found():
    assert {"softdtw", "sta", "taot", "tiot", "etiot"} <= set(OWN)


@parametrize_with_checks(sorted(OWN), params=PARAMS, max_examples=EXAMPLES, max_length=4)
def test_conforms(check):
    check()
