"""Every built-in metric keeps what its traits claim."""

from hypothesis import settings
from hypothesis import strategies as st

from stotmetrics.testing import parametrize_with_checks

# The kit draws full examples in the nightly profile; a share of them keeps the daily run short.
EXAMPLES = max(6, settings().max_examples // 3)
POWERS = st.sampled_from([2.0, 1.0, 1.5, 3.0])

# Above p = 3 a p-th root turns a rounding error of 1e-16 into one that no tolerance should allow.
PARAMS = {"taot": {"p": POWERS}, "tiot": {"p": POWERS}, "etiot": {"p": POWERS}}


@parametrize_with_checks(
    ["softdtw", "sta", "taot", "tiot", "etiot"], params=PARAMS, max_examples=EXAMPLES, max_length=4
)
def test_conforms(check):
    check()
