"""The parameters of a metric: fields of a frozen dataclass that know their own range."""

import dataclasses
import difflib
import inspect
import math
import numbers
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..errors import InvalidParameterError

_KEY = "stotmetrics.parameter"

# What the kernels count in.
_LARGEST_INT = 2**31 - 1

# Characters of a refused value that a message repeats.
_LONGEST = 100


@dataclass(frozen=True)
class NoParameters:
    """The parameters of a metric that has none."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The range and the meaning of one parameter; see :func:`parameter`."""

    doc: str
    kind: type
    low: float
    high: float
    low_open: bool
    choices: tuple[str, ...]
    allow: tuple[Any, ...]
    convert: Callable[[str, Any], Any] | None
    raises: bool = False

    @property
    def wants(self) -> str:
        """The legal values in words."""
        if self.convert is not None:
            words = []
        elif self.kind is bool:
            words = ["True or False"]
        elif self.kind is str:
            words = [" or ".join(repr(choice) for choice in self.choices)] if self.choices else []
        else:
            words = [f"{'an integer' if self.kind is int else 'a number'} {self._interval}".rstrip()]
        words += [repr(value) for value in self.allow]
        return " or ".join(words) or self.doc

    @property
    def _interval(self) -> str:
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'>' if self.low_open else '>='} {self.low:g}")
        if self.high < math.inf:
            bounds.append(f"<= {self.high:g}")
        return " and ".join(bounds)

    def check(self, name: str, value: Any) -> Any:
        """Return the value as a plain Python object, or raise InvalidParameterError."""
        # The usual case first: binding is part of every call by name.
        if type(value) is float and self.kind is float and self.convert is None and self._is_inside(value):
            return value
        if isinstance(value, np.ndarray) and value.ndim == 0 and self.convert is None:
            value = value[()]
        for literal in self.allow:
            alike = numbers.Real if type(literal) is float else type(literal)
            if value is literal or (isinstance(value, alike) and value == literal):
                return literal
        if self.convert is not None:
            return self._converted(name, value)
        if self.kind is str and isinstance(value, str) and (not self.choices or value in self.choices):
            return str(value)
        if self.kind is bool and isinstance(value, (bool, np.bool_)):
            return bool(value)
        if self.kind in (int, float) and self._is_number(value):
            number = _as_float(value)
            if self._is_inside(number) and (self.kind is float or abs(int(value)) <= _LARGEST_INT):
                return number if self.kind is float else int(value)
        raise InvalidParameterError(f"{name} must be {self.wants}; got {shown(value)}{self._why(value)}")

    def _why(self, value: Any) -> str:
        """What is wrong with a number that the range does not show."""
        if self.kind not in (int, float) or not self._is_number(value):
            return ""
        if math.isinf(_as_float(value)):
            return ", which is infinite"
        return f", which is beyond {_LARGEST_INT}" if self.kind is int and abs(int(value)) > _LARGEST_INT else ""

    def _converted(self, name: str, value: Any) -> Any:
        assert self.convert is not None
        try:
            converted = self.convert(name, value)
            hash(converted)
        except (InvalidParameterError, MemoryError):
            raise
        except Exception as error:  # whatever a value of an unforeseen type brings about
            raise InvalidParameterError(f"{name} must be {self.wants}; got {shown(value)} ({error})") from error
        return converted

    def _is_number(self, value: Any) -> bool:
        wanted = numbers.Integral if self.kind is int else numbers.Real
        return isinstance(value, wanted) and not isinstance(value, (bool, np.bool_))

    def _is_inside(self, number: float) -> bool:
        above = number > self.low if self.low_open else number >= self.low
        return above and number <= self.high and math.isfinite(number)


def parameter(
    default: Any,
    *,
    doc: str = "",
    kind: type | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    choices: tuple[str, ...] = (),
    allow: tuple[Any, ...] = (),
    convert: Callable[[str, Any], Any] | None = None,
    raises: bool = False,
) -> Any:
    """Declare a parameter of a metric as a dataclass field.

    Parameters
    ----------
    default : object
        The default value.
    doc : str, optional
        One line: what it means, with its unit. By default the first sentence that the docstring of the metric's own
        function says of it, see :class:`MetricSpec`.
    kind : type, optional
        ``float``, ``int``, ``bool`` or ``str``; by default the type of ``default``.
    low, high : float
        The closed range of a number. NaN is always refused, and so is an infinity unless ``allow`` names it.
    low_open : bool, default False
        Whether ``low`` itself is excluded.
    choices : tuple of str
        The legal strings.
    allow : tuple
        Literals that are legal besides the range, such as ``None``, ``"median"`` or, where the limit means something,
        ``math.inf``.
    convert : callable, optional
        ``convert(name, value)`` returns a hashable value or raises InvalidParameterError; it takes the place of the
        range. A value that is not plain JSON has ``to_config()``, whose result ``convert`` accepts in turn.
    raises : bool, default False
        Whether the value of the metric never falls as this number grows and the other parameters stay, as under most
        regularisations: what was solved at a smaller one is then a lower bound.

    Returns
    -------
    dataclasses.Field

    Raises
    ------
    TypeError
        If the kind is none of the four and there is no ``convert``, or ``raises`` is claimed of what is no number.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from stotmetrics import parameter
    >>> @dataclass(frozen=True)
    ... class Parameters:
    ...     gamma: float = parameter(1.0, doc="smoothing of the soft minimum", low=0.0)
    >>> Parameters().gamma
    1.0
    """
    kind = type(default) if kind is None else kind
    if convert is None and kind not in (float, int, bool, str):
        raise TypeError(f"a parameter without convert needs kind float, int, bool or str, not {kind.__name__}")
    if raises and kind not in (float, int):
        raise TypeError(f"only a number can raise the value of a metric, not a parameter of kind {kind.__name__}")
    meta = Parameter(doc, kind, low, high, low_open, choices, allow, convert, raises)
    return dataclasses.field(default=default, metadata={_KEY: meta})


def shown(value: Any) -> str:
    """``repr(value)`` in one short line, whatever the value is."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an object may fail to print, and the message is about something else
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({type(value).__name__})"


def _as_float(value: Any) -> float:
    """A real number as a float; one beyond the range of a float is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@cache
def describe(params: type) -> dict[str, Parameter]:
    """Name -> Parameter of every field of a parameters dataclass."""
    described = {}
    for field in dataclasses.fields(params):
        if _KEY not in field.metadata:
            raise TypeError(f"{params.__qualname__}.{field.name} must be declared with stotmetrics.parameter(...)")
        described[field.name] = field.metadata[_KEY]
    return described


def meanings(docstring: str | None) -> dict[str, str]:
    r"""Name -> the first sentence about it in the section "Parameters" of a numpydoc docstring, without markup.

    >>> meanings("Sum.\n\nParameters\n----------\na, b : float\n    Widths, in ``samples``. Or not.\n")
    {'a': 'Widths, in samples', 'b': 'Widths, in samples'}
    """
    _, _, rest = inspect.cleandoc(docstring or "").partition("\nParameters\n----------\n")
    section = re.split(r"\n\n(?=\S.*\n-+(?:\n|$))", rest)[0]
    known: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section):
        names, _, text = entry.partition("\n")
        sentence = re.split(r"\.(?:\s|$)", " ".join(text.split()))[0]
        plain = re.sub(r":\w+:`~?([^`]*)`|``", r"\1", sentence)
        known |= {name.strip(): plain for name in names.partition(" : ")[0].split(",")}
    return known


def make(metric: str, params: type, given: dict[str, Any]) -> Any:
    """Build the checked parameters of a metric from keyword arguments."""
    known = describe(params)
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            valid = ", ".join(known) or "none"
            raise TypeError(f"{metric} has no parameter {name!r}{hint}; valid parameters: {valid}")
    # Defaults are class attributes of a dataclass; they pass the same check, which may convert them.
    return params(**{name: known[name].check(name, given.get(name, getattr(params, name))) for name in known})


def raising(params: Any) -> str | None:
    """The parameter that can only raise the value of the metric, if there is one and it is a number here."""
    kind: type = type(params)
    for name, meta in describe(kind).items():
        if meta.raises and type(getattr(params, name)) in (float, int):
            return name
    return None


def to_config(params: Any) -> dict[str, Any]:
    """The parameters as JSON-ready values."""
    values = {field.name: getattr(params, field.name) for field in dataclasses.fields(params)}
    return {name: v.to_config() if hasattr(v, "to_config") else v for name, v in values.items()}
