import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

def bounds(
    left: _Floats, left_at: _Ints, right: _Floats, right_at: _Ints, rows: _Ints, cols: _Ints, radius: int = -1
) -> _Floats: ...
