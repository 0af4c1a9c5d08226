import numpy as np
import numpy.typing as npt

_Single = npt.NDArray[np.float32]
_Index = npt.NDArray[np.intp]

def padding() -> tuple[int, int]: ...
def scale_of(points: int, axes: int) -> float: ...
def approach(
    axes: tuple[_Single, ...],
    sides: tuple[int, ...],
    x: _Single,
    logx: _Single,
    y: _Single,
    logy: _Single,
    rows: _Index,
    cols: _Index,
    u: _Single,
    v: _Single,
    goal: npt.NDArray[np.float64],
    *,
    epsilon: float,
    rho: float,
    max_iter: int,
    depth: int = 5,
) -> tuple[_Index, npt.NDArray[np.bool_]]: ...
def refine(
    axes: tuple[_Single, ...],
    sides: tuple[int, ...],
    finer: tuple[int, ...],
    u: _Single,
    y: _Single,
    logy: _Single,
    cols: _Index,
    v: _Single,
    *,
    epsilon: float,
    rho: float,
) -> None: ...
def running() -> str: ...
