import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

def running() -> str: ...
def exponentials(n: int, m: int, rounds: int) -> float: ...
def band(n: int, m: int, radius: int) -> tuple[_Ints, _Ints]: ...
def value(cost: _Floats, gamma: float, radius: int = -1) -> float: ...
def value_and_alignment(cost: _Floats, gamma: float, radius: int = -1) -> tuple[float, _Floats]: ...
def alignment_jvp(cost: _Floats, gamma: float, along: _Floats, radius: int = -1) -> tuple[float, _Floats, _Floats]: ...
def pair_value(x: _Floats, y: _Floats, gamma: float, radius: int = -1) -> float: ...
def pair_gradient(x: _Floats, y: _Floats, gamma: float, radius: int = -1) -> tuple[float, _Floats, _Floats]: ...
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
def minus_log_kernels(
    left: _Floats,
    left_at: _Ints,
    right: _Floats,
    right_at: _Ints,
    rows: _Ints,
    cols: _Ints,
    scale: float,
    factor: float,
    most: float,
) -> _Floats: ...
