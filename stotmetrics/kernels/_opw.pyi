import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.intp]

def order_costs(
    x_places: _Floats,
    x_length: float,
    y_places: _Floats,
    y_length: float,
    moment: float,
    epsilon: float,
    sigma: float,
) -> _Floats: ...
def values(
    left: _Floats,
    left_places: _Floats,
    left_weights: _Floats,
    left_at: _Indices,
    left_lengths: _Floats,
    right: _Floats,
    right_places: _Floats,
    right_weights: _Floats,
    right_at: _Indices,
    right_lengths: _Floats,
    rows: _Indices,
    cols: _Indices,
    moment: float,
    epsilon: float,
    sigma: float,
    tol: float,
    max_iter: int,
    vanishing: float,
) -> tuple[npt.NDArray[np.intc], _Floats, _Floats, _Indices]: ...
