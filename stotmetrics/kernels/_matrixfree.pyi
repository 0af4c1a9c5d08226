import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.intc]

@disjoint_base
class Plan:
    def __init__(self, x: _Floats, t: _Floats, y: _Floats, s: _Floats, p: float) -> None: ...
    def sums(
        self, a: _Floats, beta: _Floats, w: float, epsilon: float
    ) -> tuple[_Floats, _Floats, _Floats, float, float]: ...
    def sparse(
        self,
        alpha: _Floats,
        beta: _Floats,
        w: float,
        epsilon: float,
        rows: _Floats,
        columns: _Floats,
        most: int,
    ) -> tuple[_Floats, _Indices, _Indices] | None: ...
    def products(
        self, alpha: _Floats, beta: _Floats, w: float, epsilon: float, rows: _Floats, vectors: _Floats
    ) -> _Floats: ...
    def costs(self, a: _Floats, beta: _Floats, w: float, epsilon: float, share: _Floats, rest: _Floats) -> _Floats: ...
