# What every kernel shares: the status codes of a `noexcept nogil` function, whose value goes through a pointer.

cdef enum Status:
    OK = 0
    NOT_CONVERGED = 1   # stopped by its iteration limit; the value is usable and its gap says how good it is
    NO_PATH = 2         # forbidden cells (+inf) leave no alignment
    ABOVE = 3           # given up: the value is certainly above what was asked for
