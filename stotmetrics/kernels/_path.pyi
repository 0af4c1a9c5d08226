import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

def path(cost: _Floats, radius: int = -1) -> _Ints: ...
