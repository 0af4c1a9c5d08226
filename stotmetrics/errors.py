"""The exceptions and the one warning. A message names the argument, what is wanted, what came, and the way out."""


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


class ConvergenceWarning(UserWarning):
    """An iterative solver stopped before it reached its tolerance."""
