import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

@disjoint_base
class Batch:
    lengths_x: _Ints
    lengths_y: _Ints
    used_x: _Ints
    used_y: _Ints
    totals: _Floats
    missed: npt.NDArray[np.uint8]
    def __init__(
        self,
        left: _Floats,
        left_at: _Ints,
        right: _Floats,
        right_at: _Ints,
        rows: _Ints,
        cols: _Ints,
        gammas: _Floats,
        kernel: bool = False,
    ) -> None: ...

def values(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    gammas: _Floats,
    radius: int = -1,
) -> _Floats: ...
def minus_log_kernels(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    gamma: float,
) -> tuple[_Floats, npt.NDArray[np.bool_]]: ...
def gradients(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    gammas: _Floats,
    radius: int = -1,
) -> tuple[_Floats, _Floats, _Floats]: ...
def expected_costs(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    gammas: _Floats,
    with_gradients: bool = False,
) -> tuple[_Floats, _Floats | None, _Floats | None, _Ints]: ...
def exponentials(n: int, m: int, rounds: int) -> float: ...
