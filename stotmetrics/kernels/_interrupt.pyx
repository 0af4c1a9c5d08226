"""How a long kernel hears Ctrl-C, wherever it runs.

Python handles a signal between two instructions of its main thread, so a kernel of minutes would be deaf for minutes.
In the main thread a kernel asks Python itself, ten times a second: any handler runs, and what it raises goes up from
the kernel. A worker's kernel looks at the flag of the call that it works for, which the main thread sets when it gives
the call up.
"""

from cpython.exc cimport PyErr_Occurred


cdef extern from "Python.h":
    # Its answer is kept and raised by `heard`, so that it must not be raised here.
    int check_signals "PyErr_CheckSignals"() noexcept

cdef extern from *:
    """
    #include <time.h>
    #ifdef CLOCK_MONOTONIC_COARSE
    #define INTERRUPT_CLOCK CLOCK_MONOTONIC_COARSE
    #else
    #define INTERRUPT_CLOCK CLOCK_MONOTONIC
    #endif
    static double interrupt_seconds(void) {
        struct timespec now;
        clock_gettime(INTERRUPT_CLOCK, &now);
        return now.tv_sec + 1e-9 * now.tv_nsec;
    }
    /* Of each thread: when it last asked Python, whether it was told to stop, and the flag of the call it works for. */
    static __thread double interrupt_asked = 0;
    static __thread int interrupt_pending = 0;
    static __thread const int *interrupt_flag = NULL;
    /* A flag is set by one thread and looked at by others, with no lock in common. */
    static int interrupt_read(const int *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
    static void interrupt_set(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }
    """
    double interrupt_seconds() nogil
    double interrupt_asked
    bint interrupt_pending
    const int *interrupt_flag
    bint interrupt_read(const int *flag) nogil
    void interrupt_set(int *flag) nogil

# Seconds between two questions to Python: each needs the interpreter's lock.
cdef double PERIOD = 0.1


class Stopped(Exception):
    """The call that a worker worked for was given up."""


cdef bint interrupted() noexcept nogil:
    global interrupt_asked, interrupt_pending
    cdef double now
    if interrupt_flag != NULL:
        return interrupt_read(interrupt_flag)
    if interrupt_pending:
        # Of this call only while its exception is: one that went up past `heard` is over.
        with gil:
            interrupt_pending = PyErr_Occurred() != NULL
        if interrupt_pending:
            return True
    now = interrupt_seconds()
    if now - interrupt_asked < PERIOD:
        return False
    interrupt_asked = now
    with gil:
        interrupt_pending = check_signals() != 0
    return interrupt_pending


cdef int heard() except -1:
    global interrupt_pending
    # Asked here too: work may be many short kernels.
    if interrupt_flag != NULL and interrupt_read(interrupt_flag):
        raise Stopped
    if interrupt_pending:
        interrupt_pending = False
        if PyErr_Occurred() != NULL:
            return -1
    return 0


cdef class Stop:
    """The flag of one call, which its workers look at."""

    cdef int asked

    def __reduce__(self):
        # A process has a main thread, which hears for itself.
        return Stop, ()

    def ask(self):
        """Stop every worker."""
        interrupt_set(&self.asked)

    def run(self, function, args, kwargs):
        """Call a function of which each kernel looks at this flag; None if it was stopped."""
        global interrupt_flag
        cdef const int *before = interrupt_flag
        interrupt_flag = &self.asked
        try:
            return function(*args, **kwargs)
        except Stopped:
            return None
        finally:
            interrupt_flag = before
