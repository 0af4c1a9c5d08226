import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from ._clouds import Stack

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.intp]
_Statuses = npt.NDArray[np.intc]

ABOVE: int

@disjoint_base
class Workspace:
    single: int
    def etiot(
        self,
        x: _Floats,
        t: _Floats,
        a: _Floats,
        y: _Floats,
        s: _Floats,
        b: _Floats,
        p: float,
        epsilon: float,
        tol: float,
        max_iter: int,
        cutoff: float = ...,
    ) -> tuple[int, float, float, float, float, int]: ...
    def etiots(
        self,
        left: Stack,
        right: Stack,
        rows: _Indices,
        cols: _Indices,
        p: float,
        epsilon: float,
        tol: float,
        max_iter: int,
        cutoffs: _Floats,
    ) -> tuple[_Statuses, _Floats, _Floats, _Indices]: ...
    def sinkhorn(
        self,
        cost: _Floats,
        a: _Floats,
        b: _Floats,
        epsilon: float,
        tol: float,
        max_iter: int,
        cutoff: float = ...,
    ) -> tuple[int, float, float, float, int]: ...
    def mixtures(
        self,
        left: Stack,
        right: Stack,
        rows: _Indices,
        cols: _Indices,
        p: float,
        of_values: float,
        of_times: float,
        epsilon: float,
        tol: float,
        max_iter: int,
        vanishing: float,
        cutoffs: _Floats,
    ) -> tuple[_Statuses, _Floats, _Floats, _Indices]: ...
    def saddle(
        self, A: _Floats, B: _Floats, a: _Floats, b: _Floats, epsilon: float, tol: float, max_iter: int
    ) -> tuple[int, float, float, float, float, int]: ...
    def w(self) -> float: ...
    def plan(self) -> _Floats: ...
    def potentials(self) -> tuple[_Floats, _Floats]: ...

def certificate(
    kept: float,
    rest: float,
    of_a: float,
    of_b: float,
    rest_a: float,
    rest_b: float,
    entropy: float,
    w: float,
    epsilon: float,
    dual: float,
) -> tuple[float, float]: ...
def running() -> str: ...
