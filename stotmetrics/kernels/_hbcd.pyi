import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from ._entropic import Workspace

_Floats = npt.NDArray[np.float64]

@disjoint_base
class Descent(Workspace):
    def run(
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
        max_sweeps: int,
    ) -> tuple[int, float, float, float, float, int]: ...

def running() -> str: ...
