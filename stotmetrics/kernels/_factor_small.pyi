import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

def solutions(P: _Floats, diagonal: _Floats, sides: _Floats) -> _Floats | None: ...
def running() -> str: ...
