"""Numbers as people hand them over: read as float64 arrays, or refused by the name of the argument."""

import numbers
import os
from collections.abc import Callable, Mapping, Set
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import InvalidParameterError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., Any])


def in_any_host(function: Function) -> Function:
    """Let NumPy be silent inside: a host may have asked it to raise or to warn at every underflow.

    Underflow is part of these numbers, and what is handed over is checked by its values.
    """

    # No decorator of NumPy: a warning is told at the first line outside this package.
    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return inside  # type: ignore[return-value]


# Integers beyond this are not representable in float64, and int64 nanosecond stamps are.
_LARGEST_EXACT = 2**53


def real_array(x: Any, name: str, error: type[ValueError] = InvalidParameterError) -> FloatArray:
    """``x`` as a float64 array that shares memory where it can; nothing is dropped, guessed or silently changed."""
    if type(x) is np.ndarray and x.dtype == np.float64:  # the usual case, and one pair may take only microseconds
        return x
    if isinstance(x, np.ma.MaskedArray) and np.any(x.mask):
        raise error(f"{name} has masked entries; fill or drop them first, as in x.compressed()")
    _refuse_containers(x, name, error)
    if isinstance(x, (bytes, bytearray)):
        raise error(f"{name} must hold real numbers; got {type(x).__name__}; read it first, as in np.frombuffer")
    array = any_array(x, name, error)
    if array.dtype.kind == "O" and array.size and all(isinstance(entry, numbers.Real) for entry in array.flat):
        array = _from_objects(array, name, error)
    if array.dtype.kind not in "fiub":
        raise error(f"{name} must hold real numbers; got dtype {array.dtype}{_way_out(array)}")
    with np.errstate(all="ignore"):  # what leaves the range is looked for below
        converted = array.astype(np.float64, copy=False)
    if array.dtype.itemsize >= 8 and not _is_faithful(array, converted):
        raise error(f"{name} holds {array.dtype} values that float64 cannot keep; subtract an offset or rescale them")
    return converted


def finite_array(x: Any, name: str, *dims: int) -> FloatArray:
    """``x`` as a C-contiguous float64 array with one of these numbers of axes, no entry NaN or infinite."""
    array = real_array(x, name)
    if array.ndim not in dims or array.size == 0:
        raise InvalidParameterError(
            f"{name} must have {' or '.join(map(str, dims))} axes and hold something; got shape {array.shape}"
        )
    array = contiguous(array)
    if not np.isfinite(array).all():
        where = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
        raise InvalidParameterError(f"{name} must be finite; got {array[~np.isfinite(array)][0]} at [{where}]")
    return array


def contiguous(array: FloatArray) -> FloatArray:
    """The array itself where kernels can read it, else a copy."""
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.require(array, requirements=["C", "A"])


def any_array(x: Any, name: str, error: type[ValueError] = InvalidParameterError) -> npt.NDArray[Any]:
    """``np.asarray`` whose failure is a message for people."""
    try:
        return np.asarray(x)
    except MemoryError:
        raise
    except Exception as cause:  # whatever an __array__ of someone else raises
        raise error(f"{name} cannot be read as one array of numbers: {cause}") from cause


def refuse_more_than_memory(need: int, what: str, way_out: str) -> None:
    """Raise MemoryError before bytes are taken that the machine does not have."""
    try:
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return
    if need > have:
        raise MemoryError(f"{what} takes {need / 2**30:.1f} GiB and this machine has {have / 2**30:.1f}; {way_out}")


def _refuse_containers(x: Any, name: str, error: type[ValueError]) -> None:
    """Refuse what NumPy would wrap as a single object, with the way to what was meant."""
    if is_sparse(x):
        raise error(f"{name} must be a dense array; got a sparse one; pass its toarray()")
    if isinstance(x, Mapping):
        raise error(
            f"{name} must be an array of numbers; got {type(x).__name__} of dtype object; pass list(d.values())"
        )
    if isinstance(x, Set):
        raise error(
            f"{name} must be an array of numbers; got a {type(x).__name__}, whose items have no order; pass a list"
        )
    if hasattr(x, "collect") and hasattr(x, "lazy"):
        raise error(f"{name} must hold its numbers; got a lazy {type(x).__name__}; pass its collect()")


def _from_objects(array: npt.NDArray[Any], name: str, error: type[ValueError]) -> FloatArray:
    """Real numbers of several types as float64; Python's integers have no limit, and ours have."""
    for entry in array.flat:
        if isinstance(entry, numbers.Integral) and abs(int(entry)) > _LARGEST_EXACT:
            raise error(f"{name} holds integers of dtype object that float64 cannot keep; rescale them")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as cause:
        raise error(f"{name} holds numbers of dtype object that float64 cannot keep: {cause}") from cause


def _is_faithful(array: npt.NDArray[Any], converted: FloatArray) -> bool:
    """Whether nothing but the last digits of a long double was lost in the conversion to float64."""
    if array.dtype.kind == "f":
        return array.dtype.itemsize == 8 or np.array_equal(np.isfinite(array), np.isfinite(converted))
    return array.size == 0 or max(abs(int(array.max())), abs(int(array.min()))) <= _LARGEST_EXACT


_TEXT = "; convert text to numbers first"
_DATES = "; convert dates to numbers, as in (t - t[0]) / np.timedelta64(1, 's')"
_WAYS_OUT = {
    "c": "; take real and imaginary parts apart, for a series as two value dimensions",
    "M": _DATES,
    "m": "; divide by a unit, as in dt / np.timedelta64(1, 's')",
    "U": _TEXT,
    "S": _TEXT,
    "T": _TEXT,
    "V": "; pass one field of the records, or a plain array of them",
}


def _way_out(array: npt.NDArray[Any]) -> str:
    """What to do about an array of another kind; objects are judged by the first that is no number."""
    if array.dtype.kind != "O":
        return _WAYS_OUT.get(array.dtype.kind, "")
    first = next((entry for entry in array.flat if not isinstance(entry, numbers.Real)), None)
    if isinstance(first, (str, bytes)):
        return _TEXT
    if hasattr(first, "total_seconds"):
        return "; divide by a unit, as in dt / timedelta(seconds=1)"
    if hasattr(first, "year"):
        return _DATES
    if first is None or isinstance(first, (list, tuple, np.ndarray)):
        return "; its rows must have the same length, and None is not a number"
    return f"; it holds {type(first).__name__} objects, which float() may turn into numbers"


def is_sparse(x: Any) -> bool:
    """Whether x is like a sparse matrix of SciPy."""
    return hasattr(x, "toarray") and hasattr(x, "nnz")


def is_integer(x: Any) -> bool:
    """Whether ``x`` is an integer of Python or NumPy; True and False are not."""
    return isinstance(x, numbers.Integral) and not isinstance(x, (bool, np.bool_))
