import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from ._clouds import Stack

_Floats = npt.NDArray[np.float64]
_Orders = npt.NDArray[np.intc]
_Indices = npt.NDArray[np.intp]

@disjoint_base
class Workspace:
    def tiots(
        self, left: Stack, right: Stack, rows: _Indices, cols: _Indices, p: float, cutoffs: _Floats
    ) -> tuple[_Orders, _Floats, _Floats, _Floats, _Indices]: ...
    def transport(
        self, cost: _Floats, a: _Floats, x_order: _Orders, b: _Floats, y_order: _Orders, uniform: bool
    ) -> tuple[int, float, float, int]: ...
    def coupling(self) -> tuple[_Indices, _Indices, _Floats]: ...
    def potentials(self) -> tuple[_Floats, _Floats]: ...
