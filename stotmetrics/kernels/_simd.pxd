# Which build of the vectorised loops runs; what they are is the business of the headers.

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
