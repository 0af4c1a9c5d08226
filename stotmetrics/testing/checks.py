"""All checks, in the order in which a report lists them. Each is a function ``law(metric, *drawn)``."""

from . import checks_calculus, checks_engine, checks_interface, checks_laws, checks_values
from .check import Check, Undecided
from .checks_calculus import continuity, gradient, gradients_of_many_pairs
from .checks_engine import (
    block_ignores_company,
    block_is_the_loop,
    gil_is_released,
    pairwise_ignores_workers_and_tiles,
    pairwise_is_the_block,
    threads_agree,
)
from .checks_interface import (
    any_array_will_do,
    bad_parameters_are_refused,
    bad_series_are_refused,
    config_round_trips,
    equality_and_hash,
    pickles,
)
from .checks_laws import (
    abandons_only_what_is_too_far,
    bounds_ignore_company,
    invariance_to_a_shift_of_times,
    lower_bound_is_below,
    nonnegativity,
    paths_have_no_order,
    separation,
    symmetry,
    triangle_inequality,
    zero_on_the_diagonal,
)
from .checks_values import (
    agrees_with_reference,
    deterministic,
    double_precision,
    every_dimension_matters,
    finite_value,
    given_times,
    given_weights,
    inputs_untouched,
    several_dimensions,
    times_matter,
    unequal_lengths,
    weights_matter,
)

CHECKS: tuple[Check, ...] = (
    *checks_values.CHECKS,
    *checks_interface.CHECKS,
    *checks_engine.CHECKS,
    *checks_laws.CHECKS,
    *checks_calculus.CHECKS,
)

__all__ = [
    "CHECKS",
    "Check",
    "Undecided",
    "abandons_only_what_is_too_far",
    "agrees_with_reference",
    "any_array_will_do",
    "bad_parameters_are_refused",
    "bad_series_are_refused",
    "block_ignores_company",
    "block_is_the_loop",
    "bounds_ignore_company",
    "config_round_trips",
    "continuity",
    "deterministic",
    "double_precision",
    "equality_and_hash",
    "every_dimension_matters",
    "finite_value",
    "gil_is_released",
    "given_times",
    "given_weights",
    "gradient",
    "gradients_of_many_pairs",
    "inputs_untouched",
    "invariance_to_a_shift_of_times",
    "lower_bound_is_below",
    "nonnegativity",
    "pairwise_ignores_workers_and_tiles",
    "pairwise_is_the_block",
    "paths_have_no_order",
    "pickles",
    "separation",
    "several_dimensions",
    "symmetry",
    "threads_agree",
    "times_matter",
    "triangle_inequality",
    "unequal_lengths",
    "weights_matter",
    "zero_on_the_diagonal",
]
