# Which build of the vectorised loops runs; what they are is the business of the headers.

from libc.stdint cimport uintptr_t


cdef extern from "_simd.h" nogil:
    # What _cpu.pyx asks.
    const int simd_count
    const char *simd_name(int build)
    bint simd_runs(int build)
    void simd_choose(int *choice, int build)
    # What is laid out for every build is padded by this.
    enum: SIMD_WIDEST
    # What a module with such loops does at import, and what its loops run since.
    void simd_follow(const int *choice)
    const char *simd_running()
    # Results below the normal numbers are zero from here, or not, until the state that is returned is restored.
    unsigned simd_flush(bint on)
    void simd_restore(unsigned state)


cdef inline double *aligned(double *work) noexcept nogil:
    """The first place for a vector of any build; SIMD_WIDEST doubles more are enough."""
    return <double *>((<uintptr_t>work + 63) & ~<uintptr_t>63)


cdef inline Py_ssize_t padded(Py_ssize_t count) noexcept nogil:
    """So many doubles in whole vectors of any build."""
    return (count + SIMD_WIDEST - 1) // SIMD_WIDEST * SIMD_WIDEST
