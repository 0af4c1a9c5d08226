# The way of a Sinkhorn problem from one sweep to the next: its memory, its translation and its acceleration.

from libc.math cimport fabs
from libc.string cimport memcpy

from ._anderson cimport anderson
from ._operator cimport Operator
from ._sinkhorn_certificate cimport Settings
from ._sinkhorn_loops cimport sink_remember

cdef extern from *:
    """
    /* A loss of the dual below this share of its terms is rounding. */
    #define SINK_NOISE 1e-14
    /* The first reach of an acceleration, in plain steps, and what it is multiplied by when one is kept or taken back.
       A plan that moves mass bit by bit makes many equal steps, of which the last few tell no end. */
    #define SINK_REACH 2.0
    #define SINK_FARTHER 4.0
    #define SINK_NEARER 0.25
    """
    const double SINK_NOISE
    const double SINK_REACH
    const double SINK_FARTHER
    const double SINK_NEARER

# Sweeps without a new least error after which rounding is all that moves.
cdef enum:
    PATIENCE = 100

# What the last step of a problem was.
cdef enum:
    PLAIN
    TRANSLATED
    ACCELERATED


# What the sweeps know of every problem besides its potentials.
cdef struct Memory:
    double *weight
    double *next
    double *spare
    double *sums
    double *packed
    double *product
    double *lastg
    double *lastr
    double *dg
    double *dr
    double *best
    double *sent
    double *bestg
    double *goal
    double *least
    double *high
    double *reach
    Py_ssize_t *active
    Py_ssize_t *steps
    Py_ssize_t *strikes
    Py_ssize_t *last
    Py_ssize_t *wait
    Py_ssize_t *backoff
    Py_ssize_t *idle
    Py_ssize_t *still


# Bytes are counted in doubles and in Py_ssize_t.
cdef inline Py_ssize_t doubles_needed(const Operator *op, Py_ssize_t count, int depth) noexcept nogil:
    cdef Py_ssize_t large = op.n if op.n > op.m else op.m
    return 3 * large + count * (3 * large + (2 * depth + 3) * op.m + 6)


cdef inline Py_ssize_t integers_needed(Py_ssize_t count) noexcept nogil:
    return 8 * count


cdef inline Memory lay_out(
    const Operator *op, Py_ssize_t count, int depth, double *work, Py_ssize_t *iwork
) noexcept nogil:
    cdef Py_ssize_t large = op.n if op.n > op.m else op.m
    cdef Memory at
    at.weight = work
    at.next = work + large
    at.sums = work + 2 * large
    at.packed = work + 3 * large
    at.product = at.packed + count * large
    at.spare = at.product + count * large
    at.lastg = at.spare + count * large
    at.lastr = at.lastg + count * op.m
    at.dg = at.lastr + count * op.m
    at.dr = at.dg + count * depth * op.m
    at.best = at.dr + count * depth * op.m
    at.sent = at.best + count
    at.goal = at.sent + count
    at.least = at.goal + count
    at.high = at.least + count
    at.reach = at.high + count
    at.bestg = at.reach + count
    at.active = iwork
    at.steps = iwork + count
    at.strikes = iwork + 2 * count
    at.last = iwork + 3 * count
    at.wait = iwork + 4 * count
    at.backoff = iwork + 5 * count
    at.idle = iwork + 6 * count
    at.still = iwork + 7 * count
    return at


cdef inline void hold(
    double reach, const double *plain, const double *image, double *v, Py_ssize_t n
) noexcept nogil:
    """Keep v within so many plain steps of the plain image: one that would go farther goes so many times the last.

    Where mass moves bit by bit plain steps are equal, and their differences, which tell where to go, are noise.
    """
    cdef double step = 0.0, farthest = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        step = max(step, fabs(plain[i]))
        farthest = max(farthest, fabs(v[i] - image[i]))
    if farthest > reach * step:
        for i in range(n):
            v[i] = image[i] + reach * plain[i]


cdef inline void advance(
    const Settings *s, Memory *at, Py_ssize_t c, Py_ssize_t n, double shift, double dual, double noise, double *v
) noexcept nogil:
    """From v and its image at.next to the next v.

    A plain step never lowers the dual. So a translated or accelerated one that does is taken back, and the iteration
    goes on by one plain step from the best v so far: it cannot fail where plain sweeps converge. A translation that
    lowered the dual is not tried again, and each failed acceleration doubles the plain steps before the next. One goes
    no farther than a number of plain steps, which grows as long as they are kept.
    """
    cdef Py_ssize_t slot, kept, block = s.depth * n
    cdef double *best = at.bestg + c * n
    if at.last[c] != PLAIN and dual < at.best[c] - SINK_NOISE * noise:
        if at.last[c] == TRANSLATED:
            at.still[c] = 1
        else:
            at.reach[c] = max(1.0, SINK_NEARER * at.reach[c])
        at.backoff[c] *= 2
        at.wait[c] = at.backoff[c]
        at.steps[c] = 0
        at.last[c] = PLAIN
        memcpy(v, best, n * sizeof(double))
        return
    if at.last[c] == ACCELERATED:
        at.reach[c] *= SINK_FARTHER
    at.best[c] = dual
    at.last[c] = PLAIN
    memcpy(best, at.next, n * sizeof(double))
    if at.still[c]:
        shift = 0.0
    if shift != 0.0:
        at.last[c] = TRANSLATED
    slot = (at.steps[c] - 1) % s.depth if at.steps[c] > 0 and s.depth > 0 else 0
    if s.depth > 0:
        sink_remember(v, at.next, shift, at.lastg + c * n, at.lastr + c * n, at.dg + c * block + slot * n,
                      at.dr + c * block + slot * n, n)
    elif shift != 0.0:
        for slot in range(n):
            at.next[slot] += shift
    memcpy(v, at.next, n * sizeof(double))
    kept = at.steps[c] if at.steps[c] < s.depth else s.depth
    if at.wait[c] > 0:
        at.wait[c] -= 1
    elif kept > 0:
        anderson(at.weight, at.lastr + c * n, at.dg + c * block, at.dr + c * block, kept, n, n, v)
        hold(at.reach[c], at.lastr + c * n, at.next, v, n)
        at.last[c] = ACCELERATED
    at.steps[c] += 1


cdef inline bint is_stuck(
    const Settings *s, Memory *at, Py_ssize_t c, double error, double dual, double noise
) noexcept nogil:
    """Whether the last progress, of the error or of the dual, is so long ago that rounding is all that moves."""
    if error < at.least[c] or dual > at.high[c] + SINK_NOISE * noise:
        at.least[c] = min(error, at.least[c])
        at.high[c] = max(dual, at.high[c])
        at.idle[c] = 0
        return False
    at.idle[c] += 1
    # Without a goal the sweeps are counted out.
    return at.idle[c] >= PATIENCE and s.tol > 0.0 and s.stop > 0.0
