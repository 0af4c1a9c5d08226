cdef int whole
