import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]
_Orders = npt.NDArray[np.intc]
_Indices = npt.NDArray[np.intp]

def hierarchy(x: _Floats, t: _Floats) -> _Orders: ...

@disjoint_base
class Workspace:
    def tiot(
        self,
        x: _Floats,
        t: _Floats,
        a: _Floats,
        x_order: _Orders,
        x_tree: _Orders,
        y: _Floats,
        s: _Floats,
        b: _Floats,
        y_order: _Orders,
        y_tree: _Orders,
        uniform: bool,
        p: float,
        cutoff: float,
    ) -> tuple[int, float, float, float, int, int]: ...
    def transport(
        self, cost: _Floats, a: _Floats, x_order: _Orders, b: _Floats, y_order: _Orders, uniform: bool
    ) -> tuple[int, float, float, int]: ...
    def coupling(self) -> tuple[_Indices, _Indices, _Floats]: ...
    def potentials(self) -> tuple[_Floats, _Floats]: ...
