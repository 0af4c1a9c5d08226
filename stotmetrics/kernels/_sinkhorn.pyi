import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]
_Index = npt.NDArray[np.intp]
_Bool = npt.NDArray[np.bool_]
_Matrices = tuple[_Array, ...]

def log_mass(mass: _Array) -> _Array: ...
def solve(
    kernels: _Matrices,
    costs: _Matrices,
    x: _Array,
    logx: _Array,
    y: _Array,
    logy: _Array,
    rows: _Index,
    cols: _Index,
    v: _Array,
    *,
    epsilon: float,
    rho: float,
    spread: float,
    tol: float,
    max_iter: int,
    depth: int = 5,
    symmetric: bool = False,
    rho_y: float | None = None,
    stop: float = ...,
) -> tuple[_Array, _Array, _Array, _Array, _Array, _Array, _Index, _Bool]: ...
def solve_symmetric(
    kernels: _Matrices,
    costs: _Matrices,
    x: _Array,
    logx: _Array,
    u: _Array,
    *,
    epsilon: float,
    rho: float,
    spread: float,
    tol: float,
    max_iter: int,
    depth: int = 5,
    symmetric: bool = True,
    stop: float = ...,
) -> tuple[_Array, _Array, _Array, _Array, _Index, _Bool]: ...
def certify(
    x: _Array,
    logx: _Array,
    y: _Array,
    logy: _Array,
    rows: _Index,
    cols: _Index,
    u: _Array,
    logku: _Array,
    us: _Index,
    v: _Array,
    logkv: _Array,
    vs: _Index,
    *,
    epsilon: float,
    rho: float,
    spread: float,
) -> tuple[_Array, _Array]: ...
def running() -> str: ...
