"""Times as they are written in text: numbers, or ISO dates with or without a time zone."""

import re
from collections.abc import Sequence

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


# An hour, perhaps with minutes and seconds, and the time zone behind it.
_ZONE = re.compile(r"(?<=[T ]\d\d)(?::?\d\d(?::?\d\d(?:\.\d+)?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)
_NANOSECONDS = re.compile(r"\.\d{7,9}(?!\d)")


def _instants(stamps: Sequence[str]) -> npt.NDArray[np.datetime64]:
    """ISO dates as datetime64, in UTC where they name a time zone."""
    zones = [_ZONE.search(stamp) for stamp in stamps]
    unit = "ns" if any(_NANOSECONDS.search(stamp) for stamp in stamps) else "us"
    plain = [stamp if zone is None else stamp[: zone.start(1)].rstrip() for stamp, zone in zip(stamps, zones)]
    for stamp, zone in zip(stamps, zones):
        if (zone is None) != (zones[0] is None):
            raise ValueError(f"{stamps[0]!r} and {stamp!r}: only one of them names a time zone")
    ahead = [0 if zone is None else _minutes(zone[1]) for zone in zones]
    try:
        dates = np.array(plain, f"M8[{unit}]")
    except ValueError:
        raise ValueError(f"{stamps[0]!r} is neither a number nor an ISO date") from None
    return dates - np.array(ahead, "m8[m]")


def _minutes(zone: str) -> int:
    """How many minutes a time zone is ahead of UTC."""
    if zone in "zZ":
        return 0
    digits = zone[1:].replace(":", "")
    return (1 if zone[0] == "+" else -1) * (60 * int(digits[:2]) + int(digits[2:] or 0))
