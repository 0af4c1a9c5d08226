"""What a reference implementation takes and returns."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class TimeSeries(Protocol):
    """What is read of a series."""

    @property
    def values(self) -> FloatArray:
        """The values, shape (T, d)."""

    @property
    def times(self) -> FloatArray:
        """The times, shape (T,)."""

    @property
    def weights(self) -> FloatArray:
        """Non-negative weights, shape (T,), of any sum."""

    @property
    def frame_shape(self) -> tuple[int, ...] | None:
        """The shape of one frame, where the values are images."""

    @property
    def path_weights(self) -> FloatArray | None:
        """Non-negative weights of sample paths, shape (N,), of any sum; None for equal ones."""


class Answer(NamedTuple):
    """A value, and how far rounding and tolerances may leave it from the truth."""

    value: float
    gap: float


def root_of(power: Answer, p: float) -> Answer:
    """The p-th root of a value that is not negative; the gap is that of the worse end of the interval."""
    ends = [max(power.value + error, 0.0) ** (1.0 / p) for error in (-power.gap, 0.0, power.gap)]
    return Answer(ends[1], max(ends[2] - ends[1], ends[1] - ends[0]))
