import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

def envelopes(series: _Floats, at: _Ints, radius: int) -> tuple[_Floats, _Floats]: ...
def bounds(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    radius: int = -1,
    low: _Floats | None = None,
    high: _Floats | None = None,
) -> _Floats: ...
