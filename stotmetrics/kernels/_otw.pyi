import numpy as np
import numpy.typing as npt

def values(
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    rows: npt.NDArray[np.intp],
    cols: npt.NDArray[np.intp],
    moved: int,
    waste: float,
) -> npt.NDArray[np.float64]: ...
