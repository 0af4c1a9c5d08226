"""For every check a metric that is broken on purpose: this check catches it, and no unrelated one does."""

import sys
from dataclasses import dataclass, field, replace
from functools import partial

import broken_metrics as bad
import pytest
from sound_metric import (
    GAP,
    METRIC,
    SOUND,
    WARPS,
    ForgetfulConfig,
    ForgetfulPickle,
    Gamma,
    HashByIdentity,
    Lenient,
    MemoryOrder,
    Narrow,
    RaisingGamma,
    SilentNaN,
    TellsRows,
    UnderTheSettingsOfTheHost,
    Unmasked,
    banded_dtw,
    bind_own,
    mean_gap,
    own,
    plain,
    reference,
    softdtw,
)

import stotmetrics
from stotmetrics import MetricSpec, Result
from stotmetrics.testing import check_metric, checks_interface, iter_checks, subject
from stotmetrics.testing.checks import CHECKS, Undecided
from stotmetrics.testing.checks_laws import paths_have_no_order


@dataclass(frozen=True)
class Broken:
    """A broken metric, the check that catches it, and those that see the same fault from elsewhere."""

    what: str
    spec: MetricSpec
    check: str
    also: frozenset[str] = field(default=frozenset())


def matrix_checks() -> frozenset[str]:
    return frozenset({"pairwise_is_the_block", "pairwise_ignores_workers_and_tiles"})


TABLE = [
    Broken("NaN for constant series", replace(SOUND, pair=bad.nan_for_constants), "finite_value"),
    Broken("rounding that alternates", replace(SOUND, pair=bad.jitter), "deterministic"),
    Broken("negates its input in place", replace(SOUND, prepare=bad.negating_prepare), "inputs_untouched"),
    Broken("float32 inside", plain(bad.float32_mean_gap, replace(GAP, multivariate=False)), "double_precision"),
    Broken(
        "absolute value of soft-DTW",
        plain(bad.absolute_softdtw, WARPS, params=Gamma, reference=softdtw),
        "agrees_with_reference",
    ),
    Broken("a band that is infeasible", plain(banded_dtw), "unequal_lengths"),
    Broken("fails for several dimensions", plain(bad.scalar_only, METRIC), "several_dimensions"),
    Broken(
        "looks at one dimension",
        plain(partial(mean_gap, mean=bad.first_mean), METRIC),
        "every_dimension_matters",
    ),
    Broken("a clock of its own", plain(partial(mean_gap, mean=bad.own_clock), bad.TIMED), "given_times"),
    Broken("ignores times", plain(mean_gap, bad.TIMED), "times_matter"),
    Broken(
        "weights that are not 1/T by default",
        plain(partial(mean_gap, mean=bad.own_weights), replace(METRIC, uses_weights=True)),
        "given_weights",
    ),
    Broken("ignores weights", plain(mean_gap, replace(METRIC, uses_weights=True)), "weights_matter"),
    Broken("reads memory in its own order", own(MemoryOrder), "any_array_will_do"),
    Broken("silent NaN", own(SilentNaN), "bad_series_are_refused"),
    Broken(
        "takes any value of a parameter",
        plain(mean_gap, METRIC, params=Lenient),
        "bad_parameters_are_refused",
    ),
    Broken("pickles without its parameters", own(ForgetfulPickle), "pickles"),
    Broken("config without its parameters", own(ForgetfulConfig), "config_round_trips"),
    Broken("hash by identity", own(HashByIdentity), "equality_and_hash"),
    Broken("a block without weights", replace(SOUND, block=bad.unweighted_block), "block_is_the_loop"),
    Broken("a block centred on it", replace(SOUND, block=bad.centred_block), "block_ignores_company", matrix_checks()),
    Broken(
        "a preparation that reuses its buffers",
        plain(bad.ring_gap, replace(METRIC, multivariate=False), prepare=bad.ring_prepare),
        "pairwise_is_the_block",
    ),
    Broken("rounding by thread", plain(bad.thread_bound, METRIC), "pairwise_ignores_workers_and_tiles"),
    Broken("a workspace shared by all threads", replace(SOUND, pair=bad.shared_scratch), "threads_agree"),
    Broken("leans to one side", plain(bad.leaning, replace(METRIC, multivariate=False)), "symmetry"),
    Broken(
        "soft-DTW with a claim to zero",
        plain(softdtw, replace(WARPS, zero_self=True), params=Gamma),
        "zero_on_the_diagonal",
    ),
    Broken(
        "soft-DTW with a claim to be positive",
        plain(softdtw, replace(WARPS, nonnegative=True), params=Gamma),
        "nonnegativity",
    ),
    Broken(
        "divergence without its mass term",
        plain(bad.massless_divergence, replace(GAP, needs_mass=True, unequal_length=False)),
        "nonnegativity",
    ),
    Broken(
        "DTW with a claim to ball trees",
        plain(partial(banded_dtw, radius=99), replace(GAP, triangle=True)),
        "triangle_inequality",
    ),
    Broken(
        "depends on the hour",
        plain(partial(mean_gap, mean=bad.wavy), replace(bad.TIMED, time_invariant=True)),
        "invariance_to_a_shift_of_times",
    ),
    Broken(
        "compares the first paths",
        plain(partial(mean_gap, mean=bad.first_path), bad.PATHS),
        "paths_have_no_order",
        frozenset({"every_dimension_matters"}),
    ),
    Broken("a bound that is too high", replace(SOUND, lower_bounds=bad.high_bounds), "lower_bound_is_below"),
    Broken("bounds in another order", replace(SOUND, lower_bounds=bad.bounds_from_the_end), "bounds_ignore_company"),
    Broken(
        "abandons too soon",
        replace(SOUND, block=bad.hasty),
        "abandons_only_what_is_too_far",
        frozenset({"cutoffs_keep_to_their_pair"}),
    ),
    Broken("blind to an offset", plain(bad.spread_gap, replace(GAP, separates=True)), "separation"),
    Broken("a softening without a unit", plain(bad.softened, replace(GAP, degree=1.0)), "homogeneity"),
    Broken("a guarded z-score", plain(bad.guarded_gap, replace(GAP, unit_free=True)), "freedom_of_units"),
    Broken(
        "products in place of differences",
        plain(bad.by_products, replace(GAP, value_invariant=True)),
        "invariance_to_a_shift_of_values",
    ),
    Broken(
        "a variance by squares",
        plain(partial(mean_gap, mean=bad.spread_by_squares), replace(bad.TIMED, time_invariant=True)),
        "invariance_to_a_shift_of_times",
    ),
    Broken(
        "zeros that count as missing",
        plain(partial(mean_gap, mean=bad.zero_is_missing), replace(METRIC, continuous=True)),
        "continuity_everywhere",
    ),
    Broken("no gradient where the value is zero", replace(SOUND, gradients=bad.infinite_slopes), "gradient_is_finite"),
    Broken(
        "a smoothing with a claim to raise the value",
        plain(softdtw, WARPS, params=RaisingGamma),
        "a_parameter_raises",
    ),
    Broken("one cutoff for all", replace(SOUND, block=bad.strictest_cutoff), "cutoffs_keep_to_their_pair"),
    Broken("quadratic in its first argument", plain(bad.first_takes_long, METRIC), "either_order_costs_the_same"),
    Broken("single precision read as half", own(Narrow), "narrow_arrays_are_read_exactly"),
    Broken("what is under a mask", own(Unmasked), "nullable_arrays_are_read_like_plain_ones"),
    Broken("arithmetic that the host may forbid", own(UnderTheSettingsOfTheHost), "settings_of_the_host_do_not_matter"),
    Broken("an axis that nobody questions", own(TellsRows), "one_row_is_questioned"),
    Broken("an extra of another shape", bad.carries("cost", bad.turned_costs), "extras_are_finite"),
    Broken(
        "an extra that is NaN",
        bad.carries("objective", bad.no_number),
        "extras_are_finite",
        frozenset({"extras_agree_with_the_value"}),
    ),
    Broken("an unsure alignment", bad.carries("alignment", bad.nowhere_certain), "alignments_visit_every_time"),
    Broken("a plan of equal weights", bad.carries("plan", bad.even_plan), "plans_move_the_weights"),
    Broken("the cost of a root", bad.carries("cost", bad.squared_costs), "extras_agree_with_the_value"),
    Broken("half of the potentials", bad.carries("potentials", bad.half_potentials), "extras_agree_with_the_value"),
    Broken(
        "Python with a claim to release the lock",
        plain(bad.spin_holding_the_lock, replace(METRIC, releases_gil=True, multivariate=False)),
        "gil_is_released",
    ),
    Broken("a zeroed diagonal", plain(bad.zeroed_diagonal, replace(WARPS, zero_self=True), params=Gamma), "continuity"),
    Broken("half a gradient", replace(SOUND, gradients=bad.half_gradients), "gradient"),
    Broken(
        "every gradient that of the first pair",
        replace(SOUND, gradients=bad.gradients_of_the_first),
        "gradients_of_many_pairs",
    ),
]


def caught(spec: MetricSpec, check: str) -> set[str]:
    """The checks that the metric fails; the others than ``check`` get few examples, for the time it takes."""
    few, many = iter_checks(spec, max_examples=2), iter_checks(spec, max_examples=60)
    chosen = [b if b.name == check else a for a, b in zip(few, many, strict=True)]
    return {c.name for c in chosen if c.run(shrink=False).status == "failed"}


def test_a_sound_metric_passes_every_check():
    names = [check.name for check in iter_checks(SOUND)]
    # A difference of means is 0 between many series and has a unit; this one is in Python, and compares single series.
    missing = ("separation", "gil_is_released", "freedom_of_units", "paths_have_no_order")
    assert names == [check.name for check in CHECKS if check.name not in missing]
    assert check_metric(SOUND, max_examples=10).passed


@pytest.mark.parametrize("broken", TABLE, ids=lambda b: b.what)
def test_only_the_check_for_it_catches(broken, monkeypatch):
    if broken.check == "gil_is_released" and not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("this Python runs without the interpreter's lock: nobody holds it")
    for module in (subject, checks_interface):
        monkeypatch.setattr(module, "bind", bind_own)
    assert caught(broken.spec, broken.check) - broken.also == {broken.check}


def test_every_check_has_a_broken_metric():
    assert {broken.check for broken in TABLE} == {check.name for check in CHECKS}


def test_the_order_of_a_single_path_decides_nothing():
    """Else every metric of one channel would be told to claim that it compares paths."""
    x = stotmetrics.as_series([0.0, 1.0])
    with pytest.raises(Undecided):
        paths_have_no_order(stotmetrics.get_metric("dtw"), x, x, 0)


def test_a_report_tells_how_much_threads_help_where_the_metric_says_that_they_do():
    quiet = check_metric("dtw", max_examples=2, weaker_claims=False)
    assert quiet.speedup is None
    told = check_metric("dtw", max_examples=2, weaker_claims=False, timings=True)
    assert told.speedup > 0
    assert f"two threads are {told.speedup:.1f} times as fast as one" in str(told)
    assert check_metric(SOUND, max_examples=2, weaker_claims=False, timings=True).speedup is None


def test_a_reference_may_say_how_far_it_is_from_the_truth():
    def far(x, y, params):
        return Result(reference(x, y, params) + 1e-3, gap=2e-3)

    def lost(x, y, params):
        return Result(1e9, converged=False)

    def status(of):
        checks = iter_checks(replace(SOUND, reference=of), max_examples=10)
        (check,) = (check for check in checks if check.name == "agrees_with_reference")
        return check.run(shrink=False).status

    assert status(far) == "passed"
    assert status(lambda x, y, params: Result(far(x, y, params).value, gap=1e-4)) == "failed"
    assert status(lost) == "undecided"
