"""Times as they are written in text: numbers, or ISO dates with or without a time zone."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt


def times_of_text(stamps: Sequence[str]) -> list[int | float] | npt.NDArray[np.datetime64]:
    """Numbers where all are; else dates, in UTC where they name a time zone. A ValueError says what is none."""
    try:
        return [_exact(stamp) for stamp in stamps]
    except ValueError:
        return _instants([stamp.strip().strip("\"'").replace("/", "-") for stamp in stamps])


def _exact(stamp: str) -> int | float:
    """A number; whole ones stay whole, so that no digit of nanoseconds since 1970 is lost unseen."""
    return int(stamp) if re.fullmatch(r"\s*[+-]?\d+\s*", stamp) else float(stamp)


# NumPy takes more than these: years of more digits, of which it wraps those that its units do not reach, and words.
_DATE = re.compile(
    r"""(\d{4}(?:-\d\d){0,2})
    (?:[T ] (\d\d) (?: :?(\d\d) (?: :?(\d\d(?:\.\d*)?) )? )? \s* (Z|[+-]\d\d(?::?\d\d)?)? )?""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_NANOSECONDS = re.compile(r"\.\d{7}")
_YEARS_OF_NANOSECONDS = range(1678, 2262)


def _instants(stamps: Sequence[str]) -> npt.NDArray[np.datetime64]:
    """ISO dates as datetime64, in UTC where they name a time zone."""
    parts = [_parts(stamp) for stamp in stamps]
    zones = [zone for _, zone in parts]
    for stamp, zone in zip(stamps, zones):
        if (zone is None) != (zones[0] is None):
            raise ValueError(f"{stamps[0]!r} and {stamp!r}: only one of them names a time zone")
    unit: Literal["ns", "us"] = "ns" if any(_NANOSECONDS.search(stamp) for stamp in stamps) else "us"
    for stamp in stamps:
        if unit == "ns" and int(stamp[:4]) not in _YEARS_OF_NANOSECONDS:
            raise ValueError(f"{stamp!r} is too far from 1970 to be counted in nanoseconds")
    dates = np.array([_date(plain, stamp, unit) for stamp, (plain, _) in zip(stamps, parts)], f"M8[{unit}]")
    return dates - np.array([0 if zone is None else _minutes(zone) for zone in zones], "m8[m]")


def _parts(stamp: str) -> tuple[str, str | None]:
    """A date, and perhaps its hour, as NumPy writes them, and its time zone."""
    match = _DATE.fullmatch(stamp)
    if match is None:
        raise ValueError(f"{stamp!r} is neither a number nor an ISO date")
    day, hour, minute, second, zone = match.groups()
    return day if hour is None else f"{day}T{hour}:{minute or '00'}:{second or '00'}", zone


def _date(plain: str, stamp: str, unit: Literal["ns", "us"]) -> np.datetime64:
    try:
        return np.datetime64(plain, unit)
    except ValueError as error:
        raise ValueError(f"{stamp!r} is no date ({error})") from None


def _minutes(zone: str) -> int:
    """How many minutes a time zone is ahead of UTC."""
    if zone in "zZ":
        return 0
    digits = zone[1:].replace(":", "")
    return (1 if zone[0] == "+" else -1) * (60 * int(digits[:2]) + int(digits[2:] or 0))
