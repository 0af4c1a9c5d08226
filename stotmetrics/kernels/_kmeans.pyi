import numpy as np
import numpy.typing as npt

def cut_line(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], cells: int) -> npt.NDArray[np.intp]: ...
