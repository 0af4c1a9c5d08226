import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.intp]
_Masses = npt.NDArray[np.longlong]
_Stack = tuple[_Indices, _Indices, _Indices, _Indices, _Masses, _Floats]

@disjoint_base
class Workspace:
    def induction(
        self,
        x_layer: _Indices,
        x_first: _Indices,
        x_child: _Indices,
        x_whole: _Masses,
        x_value: _Floats,
        y_layer: _Indices,
        y_first: _Indices,
        y_child: _Indices,
        y_whole: _Masses,
        y_value: _Floats,
        unit: float,
        p: float,
        kept: _Floats | None = None,
    ) -> tuple[bool, float, float, int]: ...
    def inductions(
        self, left: _Stack, right: _Stack, rows: _Indices, cols: _Indices, units: _Floats, p: float
    ) -> tuple[npt.NDArray[np.bool_], _Floats, _Floats, _Indices]: ...
