"""Potentials of many unbalanced problems in single precision, from which the double kernel has one sweep left to do.

Nothing is certified here. A certificate of the double kernel holds for any potentials, wherever they come from, and is
quadratic in their error: rounding of 1e-5 in a potential costs 1e-10 of the mass. A problem whose products leave the
range of single precision, or that rounding keeps from its goal, is given back with the best potentials that it had.

Single precision reaches from e^-87 to e^88. The factors of a product are scaled so that they share that range, and on a
grid every row (its points along the last axis) has an exponent of its own: the other axes are applied to rows, by
matrices that are made for them. What may have vanished is known, and a product that it could touch is noticed.
"""

from libc.math cimport INFINITY, exp, fmax, isfinite, log
from libc.string cimport memcpy, memset

from ._anderson cimport MAX_DEPTH, fit
from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, turn
from ._operator cimport MAX_AXES
from ._simd cimport simd_follow, simd_running

import numpy as np


cdef extern from "_sinkhorn_single.h" nogil:
    const Py_ssize_t SINGLE_PANEL
    const float SINGLE_NONE
    const Py_ssize_t SINGLE_LANES
    const float SINGLE_MASSLESS
    ctypedef struct single_sums:
        double sent, paid, gap
        float low
    float single_max(const float *v, Py_ssize_t n)
    void single_exp(const float *v, float shift, float *out, Py_ssize_t n)
    float single_mix(const float *tops, const float *cost, float scale, float *out, Py_ssize_t n)
    void single_product(
        const float *panels, Py_ssize_t step, Py_ssize_t stride, Py_ssize_t count, const float *vectors,
        Py_ssize_t apart, Py_ssize_t length, Py_ssize_t columns, float *out, Py_ssize_t gap)
    void single_update(
        const float *product, float shift, const float *mass, const float *logmass, float omega, float ratio, float *u,
        single_sums *sums, Py_ssize_t n)
    void single_residual(
        const float *product, float shift, const float *mass, const float *logmass, const float *v, float omega,
        float ratio, float *weight, float *image, single_sums *sums, Py_ssize_t n)
    float single_remember(
        const float *v, float *image, float shift, float *lastg, float *lastr, float *dg, float *dr, Py_ssize_t n)
    void single_gram(
        const float *weight, const float *a, const float *b, Py_ssize_t stride, Py_ssize_t count, double *out,
        Py_ssize_t n)
    float single_combine(
        const float *image, const float *dg, Py_ssize_t stride, const double *theta, Py_ssize_t count, float *v,
        Py_ssize_t n)
    void single_hold(const float *image, float share, float *v, Py_ssize_t n)


simd_follow(&chosen)

# Smallest normal number; what is smaller counts as zero.
cdef double SMALLEST = 1.18e-38
# Logarithm of the largest number, less a margin.
cdef double LARGEST = 86.0
cdef float LARGEST_SINGLE = 1e38
# A loss of the dual below this share of its terms is rounding.
cdef double NOISE = 3e-7
# What the normal equations of the acceleration are made definite with.
cdef double RIDGE = 1e-10
# Sweeps without a smaller gap after which a problem is given back.
cdef Py_ssize_t PATIENCE = 12
# The part of its goal that a problem leaves with, so that rounding does not keep the double kernel from certifying it.
cdef double MARGIN = 0.9
# See _sinkhorn.
cdef double REACH = 8.0, FARTHER = 4.0, NEARER = 0.25

# What the last step of a problem was.
cdef enum:
    PLAIN
    TRANSLATED
    ACCELERATED

# A kernel: one matrix, or one per axis, from the points of one ground to those of a finer one or of the same. Every
# factor of a product is scaled so that its largest is e^scale.
cdef struct Product:
    int axes
    Py_ssize_t size[MAX_AXES]       # of each axis; the last one is padded to whole panels
    Py_ssize_t into[MAX_AXES]       # and of the product
    Py_ssize_t points, image_points
    Py_ssize_t rows, image_rows     # of points along the last axis
    const float *panels             # the kernel of the last axis, scaled, in panels of SINGLE_PANEL rows
    const float *cost[MAX_AXES]     # of the others: cost / epsilon, every row padded by `padded`
    Py_ssize_t spare                # numbers that a product needs for them
    float scale
    float all_scales                # of what a product comes out with
    float floor                     # a term that vanished could be as large as this

# The factors of some products, the products, and what both were divided by.
cdef struct Workspace:
    float *factors
    float *product
    float *tops         # logarithms, one for each row
    float *other_tops
    float *spare

# What is fixed of the problems.
cdef struct Rates:
    double epsilon
    double rho
    float omega
    float ratio
    Py_ssize_t max_iter
    int depth

# What is remembered of one problem.
cdef struct Column:
    Py_ssize_t steps
    Py_ssize_t wait
    Py_ssize_t backoff
    Py_ssize_t idle
    int last
    bint still
    double best
    double least
    double goal
    double reach
    double sent
    float *u
    float *v
    float *image
    float *weight
    float *lastg
    float *lastr
    float *bestg
    float *dg
    float *dr


cdef Rates rates(double epsilon, double rho, Py_ssize_t max_iter, int depth) noexcept nogil:
    cdef Rates s
    s.epsilon, s.rho = epsilon, rho
    s.omega, s.ratio = <float>(rho / (rho + epsilon)), <float>(epsilon / rho)
    s.max_iter, s.depth = max_iter, max(1, min(depth, MAX_DEPTH))
    return s


cdef Py_ssize_t column_size(Py_ssize_t points, int depth) noexcept nogil:
    return (7 + 2 * depth) * points


cdef void place(Column *c, float *work, Py_ssize_t points, int depth) noexcept nogil:
    c.u = work
    c.v = work + points
    c.image = work + 2 * points
    c.weight = work + 3 * points
    c.lastg = work + 4 * points
    c.lastr = work + 5 * points
    c.bestg = work + 6 * points
    c.dg = work + 7 * points
    c.dr = c.dg + depth * points


cdef inline Py_ssize_t padded(Py_ssize_t size) noexcept nogil:
    return (size + SINGLE_LANES - 1) // SINGLE_LANES * SINGLE_LANES


cdef void describe(Product *op, tuple axes, sides, finer):
    """Products from points of ``sides`` to those of ``finer``."""
    cdef const float[::1] matrix
    cdef Py_ssize_t k
    cdef int factors = len(axes) + 1
    op.axes, op.points, op.image_points, op.spare = len(axes), 1, 1, 0
    for k in range(op.axes):
        matrix = axes[k]
        op.size[k], op.into[k] = sides[k], finer[k]
        op.points *= op.size[k]
        op.image_points *= op.into[k]
        if k < op.axes - 1:
            op.cost[k] = &matrix[0]
            op.spare = max(op.spare, (op.into[k] + 1) * padded(op.size[k]))
        else:
            op.panels = &matrix[0]
    op.rows = op.points // op.size[op.axes - 1]
    op.image_rows = op.image_points // op.into[op.axes - 1]
    op.scale = <float>scale_of(op.points, op.axes)
    op.all_scales = factors * op.scale
    op.floor = <float>(SMALLEST * exp((factors - 1) * op.scale))


cdef Py_ssize_t room_of(const Product *op) noexcept nogil:
    """Numbers of a workspace for each problem."""
    return 2 * (op.image_points + op.image_rows)


cdef Workspace workspace(const Product *op, Py_ssize_t count, float *work) noexcept nogil:
    cdef Workspace w
    w.factors = work
    w.product = w.factors + count * op.image_points
    w.tops = w.product + count * op.image_points
    w.other_tops = w.tops + count * op.image_rows
    w.spare = w.other_tops + count * op.image_rows
    return w


cdef void exponentials(const Product *op, const float *potential, float *out, float *tops) noexcept nogil:
    """e^potential, every row divided by its largest."""
    cdef Py_ssize_t n = op.size[op.axes - 1], row
    for row in range(op.rows):
        tops[row] = single_max(potential + row * n, n)
        if tops[row] > SINGLE_MASSLESS:
            single_exp(potential + row * n, op.scale - tops[row], out + row * n, n)
        else:
            tops[row] = SINGLE_NONE
            memset(out + row * n, 0, n * sizeof(float))


cdef void apply(const Product *op, Py_ssize_t count, Workspace *w) noexcept nogil:
    """The products of the kernel with ``count`` factors, in whose place some of the work was done."""
    cdef Py_ssize_t last = op.size[op.axes - 1], wide = op.into[op.axes - 1]
    cdef Py_ssize_t outer = count * op.rows, between = 1, size, into, width, o, q, i, k
    cdef int axis
    cdef float *top
    cdef float *new_top
    cdef float *line
    single_product(op.panels, SINGLE_PANEL, SINGLE_PANEL * last, wide // SINGLE_PANEL, w.factors, last, last, outer,
                   w.product, wide)
    for axis in range(op.axes - 2, -1, -1):
        w.factors, w.product = w.product, w.factors
        w.tops, w.other_tops = w.other_tops, w.tops
        size, into = op.size[axis], op.into[axis]
        width = padded(size)
        line = w.spare + into * width
        for k in range(width):
            line[k] = SINGLE_NONE
        outer //= size
        for o in range(outer):
            for q in range(between):
                top = w.other_tops + o * size * between + q
                new_top = w.tops + o * into * between + q
                for k in range(size):
                    line[k] = top[k * between]
                # Row i of the product is a sum over the rows k, of which each has its exponent.
                for i in range(into):
                    new_top[i * between] = single_mix(line, op.cost[axis] + i * width, op.scale, w.spare + i * width,
                                                      width)
                single_product(w.factors + (o * size * between + q) * wide, between * wide, SINGLE_PANEL,
                               wide // SINGLE_PANEL, w.spare, width, size, into,
                               w.product + (o * into * between + q) * wide, between * wide)
        between *= into


cdef void advance(const Rates *s, Column *c, double shift, double dual, double noise, Py_ssize_t n) noexcept nogil:
    """From v and its plain image to the next v: the steps of the double kernel, and why, are in its `advance`."""
    cdef double gram[MAX_DEPTH][MAX_DEPTH]
    cdef double theta[MAX_DEPTH]
    cdef Py_ssize_t slot, kept, i
    cdef float step, farthest
    if c.last != PLAIN and dual < c.best - NOISE * noise:
        if c.last == TRANSLATED:
            c.still = True
        else:
            c.reach = fmax(1.0, NEARER * c.reach)
        c.backoff *= 2
        c.wait = c.backoff
        c.steps = 0
        c.last = PLAIN
        memcpy(c.v, c.bestg, n * sizeof(float))
        return
    if c.last == ACCELERATED:
        c.reach *= FARTHER
    c.best = dual
    memcpy(c.bestg, c.image, n * sizeof(float))
    c.last = PLAIN
    if c.still or not isfinite(shift):
        shift = 0.0
    if shift != 0.0:
        c.last = TRANSLATED
    slot = (c.steps - 1) % s.depth if c.steps > 0 else 0
    step = single_remember(c.v, c.image, <float>shift, c.lastg, c.lastr, c.dg + slot * n, c.dr + slot * n, n)
    kept = c.steps if c.steps < s.depth else s.depth
    c.steps += 1
    if c.wait > 0 or kept == 0:
        c.wait -= c.wait > 0
        memcpy(c.v, c.image, n * sizeof(float))
        return
    for i in range(kept):
        single_gram(c.weight, c.dr + i * n, c.dr, n, i + 1, gram[i], n)
    single_gram(c.weight, c.lastr, c.dr, n, kept, theta, n)
    if not fit(gram, theta, kept, RIDGE):
        memcpy(c.v, c.image, n * sizeof(float))
        return
    farthest = single_combine(c.image, c.dg, n, theta, kept, c.v, n)
    if farthest > c.reach * step:
        single_hold(c.image, <float>(c.reach * step / farthest), c.v, n)
    c.last = ACCELERATED


cdef void update(
    const Product *op, const Rates *s, const float *product, const float *tops, const float *mass,
    const float *logmass, float *u, single_sums *sums
) noexcept nogil:
    """Row by row the potentials that are optimal beside those that the product was made of."""
    cdef Py_ssize_t n = op.into[op.axes - 1], row
    cdef single_sums here
    sums.sent, sums.low = 0.0, LARGEST_SINGLE
    for row in range(op.image_rows):
        single_update(product + row * n, tops[row] - op.all_scales, mass + row * n, logmass + row * n, s.omega, s.ratio,
                      u + row * n, &here, n)
        sums.sent += here.sent
        sums.low = min(sums.low, here.low)


cdef void residual(
    const Product *op, const Rates *s, const float *product, const float *tops, const float *mass,
    const float *logmass, Column *at, single_sums *sums
) noexcept nogil:
    """Row by row what the potentials v are off, and their image."""
    cdef Py_ssize_t n = op.into[op.axes - 1], row
    cdef single_sums here
    sums.sent, sums.paid, sums.gap, sums.low = 0.0, 0.0, 0.0, LARGEST_SINGLE
    for row in range(op.image_rows):
        single_residual(product + row * n, tops[row] - op.all_scales, mass + row * n, logmass + row * n, at.v + row * n,
                        s.omega, s.ratio, at.weight + row * n, at.image + row * n, &here, n)
        sums.sent += here.sent
        sums.paid += here.paid
        sums.gap += here.gap
        sums.low = min(sums.low, here.low)


cdef void sweep_all(
    const Product *op, const Rates *s, const float *x, const float *logx, const float *y, const float *logy,
    const Py_ssize_t *rows, const Py_ssize_t *cols, Py_ssize_t count, Column *columns, Py_ssize_t *active,
    Workspace *w, Py_ssize_t *sweeps, unsigned char *solved
) noexcept nogil:
    cdef Py_ssize_t running = count, n = op.points, sweep, k, c, left, until = SLICE
    cdef single_sums sums
    cdef double dual, noise, gap
    cdef Column *at
    for sweep in range(1, s.max_iter + 1):
        if running == 0 or turn(&until, running * n * 64):
            return
        for k in range(running):
            exponentials(op, columns[active[k]].v, w.factors + k * n, w.tops + k * op.rows)
        apply(op, running, w)
        left = 0
        for k in range(running):
            c = active[k]
            at = &columns[c]
            update(op, s, w.product + k * n, w.tops + k * op.rows, x + rows[c] * n, logx + rows[c] * n, at.u, &sums)
            sweeps[c] = sweep
            if sums.low > op.floor:
                at.sent = sums.sent
                active[left] = c
                left += 1
        running = left
        for k in range(running):
            exponentials(op, columns[active[k]].u, w.factors + k * n, w.tops + k * op.rows)
        apply(op, running, w)
        left = 0
        for k in range(running):
            c = active[k]
            at = &columns[c]
            residual(op, s, w.product + k * n, w.tops + k * op.rows, y + cols[c] * n, logy + cols[c] * n, at, &sums)
            gap = s.rho * sums.gap
            if not sums.low > op.floor or not isfinite(gap) or not isfinite(sums.sent):
                continue
            if 0.5 * gap <= MARGIN * at.goal:
                solved[c] = 1
                continue
            if gap < at.least:
                at.least = gap
                at.idle = 0
            else:
                at.idle += 1
                if at.idle >= PATIENCE:
                    continue
            # Of the terms of the dual those that are the same in every sweep are left out.
            dual = s.rho * sums.paid - (s.rho + s.epsilon) * at.sent
            noise = s.rho * (sums.sent + at.sent)
            advance(s, at, -log(at.sent / sums.sent) / (2 * s.ratio), dual, noise, n)
            active[left] = c
            left += 1
        running = left


# ---- for Python callers -----------------------------------------------------------------------------------------

def padding():
    """Entries that the last axis is padded to a multiple of, and the others in their costs."""
    return SINGLE_PANEL, SINGLE_LANES


def scale_of(Py_ssize_t points, int axes):
    """The logarithm that the largest entry of the kernel of the last axis is scaled to."""
    return (LARGEST - log(<double>points)) / (axes + 1)


def approach(
    tuple axes, sides, const float[:, ::1] x, const float[:, ::1] logx, const float[:, ::1] y,
    const float[:, ::1] logy, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, float[:, ::1] u, float[:, ::1] v,
    const double[::1] goal, *, double epsilon, double rho, Py_ssize_t max_iter, int depth=5
):
    """(sweeps, solved) of problems (x[rows[k]], y[cols[k]]) from the potentials v[k], which are overwritten.

    ``solved`` where half the gap is within ``goal``, as far as single precision can say; u[k] belongs to v[k] then.
    """
    cdef Py_ssize_t count = rows.shape[0], n = v.shape[1], k, size
    cdef Product op
    cdef Workspace w
    cdef Rates s = rates(epsilon, rho, max_iter, depth)
    sweeps, solved = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.uint8)
    if count == 0:
        return sweeps, solved.view(np.bool_)
    describe(&op, axes, sides, sides)
    size = column_size(n, s.depth)
    cdef float[::1] work = np.zeros(count * (size + room_of(&op)) + op.spare + 1, dtype=np.float32)
    cdef Py_ssize_t[::1] active = np.arange(count, dtype=np.intp), sweeps_ = sweeps
    cdef unsigned char[::1] solved_ = solved
    cdef unsigned char[::1] memory = np.zeros(count * sizeof(Column), dtype=np.uint8)
    cdef Column *columns = <Column *>&memory[0]
    with nogil:
        w = workspace(&op, count, &work[count * size])
        for k in range(count):
            place(&columns[k], &work[k * size], n, s.depth)
            memcpy(columns[k].v, &v[k, 0], n * sizeof(float))
            columns[k].best, columns[k].least = -INFINITY, INFINITY
            columns[k].goal, columns[k].reach, columns[k].backoff = goal[k], REACH, 1
        sweep_all(&op, &s, &x[0, 0], &logx[0, 0], &y[0, 0], &logy[0, 0], &rows[0], &cols[0], count, columns,
                  &active[0], &w, &sweeps_[0], &solved_[0])
        for k in range(count):
            memcpy(&u[k, 0], columns[k].u, n * sizeof(float))
            memcpy(&v[k, 0], columns[k].v, n * sizeof(float))
    heard()
    return sweeps, solved.view(np.bool_)


def refine(
    tuple axes, sides, finer, const float[:, ::1] u, const float[:, ::1] y, const float[:, ::1] logy,
    const Py_ssize_t[::1] cols, float[:, ::1] v, *, double epsilon, double rho
):
    """Overwrite v[k], potentials of y[cols[k]] on the points of ``finer``, by those optimal beside u[k] on fewer.

    ``axes`` lead from these to those. Where a product leaves the range of single precision, v[k] stays as it is.
    """
    cdef Py_ssize_t count = u.shape[0], n, k, until = SLICE
    cdef Product op
    cdef Workspace w
    cdef single_sums sums
    cdef Rates s = rates(epsilon, rho, 0, 0)
    if count == 0:
        return
    describe(&op, axes, sides, finer)
    n = op.image_points
    cdef float[::1] work = np.zeros(room_of(&op) + op.spare + 1, dtype=np.float32)
    with nogil:
        w = workspace(&op, 1, &work[0])
        for k in range(count):
            exponentials(&op, &u[k, 0], w.factors, w.tops)
            apply(&op, 1, &w)
            # What was multiplied is not needed any more.
            update(&op, &s, w.product, w.tops, &y[cols[k], 0], &logy[cols[k], 0], w.factors, &sums)
            if sums.low > op.floor:
                memcpy(&v[k, 0], w.factors, n * sizeof(float))
            if turn(&until, n * 64):
                break
    heard()


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
