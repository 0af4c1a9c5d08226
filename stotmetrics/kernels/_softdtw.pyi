import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]

def value(cost: _Array, gamma: float) -> float: ...
def value_and_alignment(cost: _Array, gamma: float) -> tuple[float, _Array]: ...
