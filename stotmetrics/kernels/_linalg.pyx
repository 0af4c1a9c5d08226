"""The whole of scipy.linalg, imported before the parts of it that kernels call.

A thread that imports a part of it waits for the package, and one that imports the package waits for the part: Python
calls that a deadlock. A kernel that calls BLAS or LAPACK cimports ``whole`` from here.
"""

import scipy.linalg


cdef int whole = bool(scipy.linalg)
