"""What a metric claims about itself: verified by the conformance kit, exploited by the engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """What a metric claims about itself. Every default is the weaker claim.

    The conformance kit verifies these claims and the engine exploits them: only a ``symmetric`` metric fills one
    triangle of a matrix, only ``zero_self`` skips the diagonal, only one that ``releases_gil`` runs in threads.

    Parameters
    ----------
    symmetric : bool
        ``d(x, y) == d(y, x)``.
    zero_self : bool
        ``d(x, x) == 0``.
    separates : bool
        ``d(x, y) == 0`` only between equal series. Points without weight do not count, and a series is what remains
        of it where the metric ignores times or weights.
    nonnegative : bool
        ``d(x, y) >= 0``.
    triangle : bool
        ``d(x, z) <= d(x, y) + d(y, z)``.
    unequal_length : bool
        Accepts two series of different lengths.
    continuous : bool
        A small change of the values, times and weights of both series changes the value little, wherever it is made.
    value_invariant : bool
        Adding one number to all values of both series leaves the value.
    unit_free : bool
        Each series counts in units of its own: multiplying its values by a positive number and adding another leaves
        the value, and so it is with its times.
    degree : float, optional
        Multiplying the values of both series, and their times where they matter, by one positive number c multiplies
        the value by ``c ** degree``. None: no such law is claimed.
    multivariate : bool
        Accepts more than one channel.
    differentiable : bool
        Has a gradient in the values of both series, given by ``gradients``.
    uses_times : bool
        The times of a series matter; otherwise given times are refused.
    time_invariant : bool
        Adding one number to the times of both series leaves the value.
    uses_weights : bool
        The weights of a series matter; otherwise given weights are refused.
    needs_mass : bool
        Every frame is a non-negative histogram; negative values are refused.
    compares_frames : bool
        A row is a frame over points in space, so that one time with many values is a usual series. Otherwise an array
        of shape (1, T) draws an :class:`~stotmetrics.errors.AxisWarning`: a host may have handed over (channels, time).
    compares_paths : bool
        A series is a process: a row holds the values of its N sample paths at one time, and the number of paths may
        differ between two series. Weights belong to paths, see :func:`stotmetrics.as_paths`.
    releases_gil : bool
        Most of the time of ``block`` is spent without the global interpreter lock, so that threads help. Otherwise the
        engine prefers processes.
    min_length : int
        The shortest series it accepts.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.get_metric("tiot", standardize=False).traits.metric_axioms
    True
    >>> stotmetrics.get_metric("softdtw").traits.metric_axioms
    False
    """

    symmetric: bool = False
    zero_self: bool = False
    separates: bool = False
    nonnegative: bool = False
    triangle: bool = False
    unequal_length: bool = False
    continuous: bool = False
    value_invariant: bool = False
    unit_free: bool = False
    degree: float | None = None
    multivariate: bool = False
    differentiable: bool = False
    uses_times: bool = False
    time_invariant: bool = False
    uses_weights: bool = False
    needs_mass: bool = False
    compares_frames: bool = False
    compares_paths: bool = False
    releases_gil: bool = False
    min_length: int = 1

    @property
    def metric_axioms(self) -> bool:
        """Whether all axioms of a metric are claimed: symmetry, zero exactly between equal series, the triangle."""
        return self.symmetric and self.zero_self and self.separates and self.triangle


NO_CLAIMS = Traits()
