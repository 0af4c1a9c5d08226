# Which build of the kernels runs: every module with vectorised loops follows this number.

cdef int chosen
