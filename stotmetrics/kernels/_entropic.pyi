import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_Floats = npt.NDArray[np.float64]

ABOVE: int

@disjoint_base
class Workspace:
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
    def mixture(
        self,
        x: _Floats,
        t: _Floats,
        a: _Floats,
        y: _Floats,
        s: _Floats,
        b: _Floats,
        p: float,
        of_values: float,
        of_times: float,
        epsilon: float,
        tol: float,
        max_iter: int,
        vanishing: float,
        cutoff: float = ...,
    ) -> tuple[int, float, float, float, int]: ...
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
