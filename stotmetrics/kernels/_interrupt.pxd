# How a long kernel hears Ctrl-C.
#
# A loop that may take long counts its work down and leaves when `turn` says so; what it leaves behind is rubbish that
# nobody reads, since the first statement behind its `with nogil` block is `heard()`.

# Elementary steps, of about a nanosecond, between two looks.
cdef enum:
    SLICE = 2097152

# Whether to stop: asked at most every few milliseconds, answered from the clock more often than not. Once it says yes,
# every later loop of the call stops at its first look. In a sandbox the clock may take a microsecond: no kernel asks
# before a slice of work is done.
cdef bint interrupted() noexcept nogil

# Raises what `interrupted` heard.
cdef int heard() except -1


cdef inline bint turn(Py_ssize_t *left, Py_ssize_t work) noexcept nogil:
    """Whether a loop that has done so much more work should stop; `left` is its own count down, from SLICE."""
    left[0] -= work
    if left[0] >= 0:
        return False
    left[0] = SLICE
    return interrupted()
