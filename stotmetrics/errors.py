"""The exceptions and the warnings. A message names the argument, what is wanted, what came, and the way out."""

import sys
import warnings


class InvalidSeriesError(ValueError):
    """A series, its times or its weights cannot be used as given."""


class InvalidParameterError(ValueError):
    """A parameter of a metric is outside its range or of the wrong type."""


class UnknownMetricError(ValueError):
    """No installed or registered metric has this name."""


class DuplicateMetricError(ValueError):
    """Two distributions claim the same metric name."""


class MetricLoadError(ImportError):
    """A metric is declared but its module cannot be loaded."""


class DataFileError(ValueError):
    """A file does not hold the series that were asked of it."""


class ConvergenceWarning(RuntimeWarning):
    """An iterative solver stopped before it reached its tolerance."""


class AxisWarning(UserWarning):
    """The axes or the index of the data have a second reading; the message says which one was taken, and the way out."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the caller outside this package, however deep the cause lies."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


_PACKAGE = __name__.partition(".")[0]
