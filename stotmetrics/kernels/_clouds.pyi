import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]
_Orders = npt.NDArray[np.intc]
_Indices = npt.NDArray[np.intp]
_Flags = npt.NDArray[np.uint8]

@disjoint_base
class Stack:
    def __init__(
        self, values: _Floats, times: _Floats, weights: _Floats, order: _Orders, at: _Indices, uniform: _Flags
    ) -> None: ...
    @property
    def features(self) -> int: ...
    @property
    def sizes(self) -> _Indices: ...
    @property
    def tree(self) -> _Orders: ...

def transports(
    left: Stack,
    right: Stack,
    rows: _Indices,
    cols: _Indices,
    p: float,
    of_values: float,
    of_times: float,
) -> tuple[_Orders, _Floats, _Floats]: ...
