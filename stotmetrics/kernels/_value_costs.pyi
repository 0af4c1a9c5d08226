import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

def squared_euclidean(x: _Floats, y: _Floats) -> _Floats: ...
