import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]

@disjoint_base
class Plan:
    def __init__(self, x: _Floats, t: _Floats, y: _Floats, s: _Floats, p: float) -> None: ...
    def sums(
        self, alpha: _Floats, beta: _Floats, w: float, epsilon: float
    ) -> tuple[_Floats, _Floats, _Floats, _Floats, float]: ...
    def products(
        self, alpha: _Floats, beta: _Floats, w: float, epsilon: float, rows: _Floats, vectors: _Floats
    ) -> tuple[_Floats, _Floats]: ...
    def costs(self, alpha: _Floats, beta: _Floats, w: float, epsilon: float, rest: _Floats) -> _Floats: ...
