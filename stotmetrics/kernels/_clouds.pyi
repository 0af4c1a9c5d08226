import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Orders = npt.NDArray[np.intc]
_Indices = npt.NDArray[np.intp]
_Flags = npt.NDArray[np.uint8]

def transports(
    left: _Floats,
    left_times: _Floats,
    left_weights: _Floats,
    left_order: _Orders,
    left_at: _Indices,
    left_uniform: _Flags,
    right: _Floats,
    right_times: _Floats,
    right_weights: _Floats,
    right_order: _Orders,
    right_at: _Indices,
    right_uniform: _Flags,
    rows: _Indices,
    cols: _Indices,
    p: float,
    of_values: float,
    of_times: float,
) -> tuple[_Orders, _Floats, _Floats]: ...
