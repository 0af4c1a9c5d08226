/* The loops of the Sinkhorn kernels that Cython cannot say: exponentials and logarithms on several doubles at a time.
 *
 * Sums run over SIMD_W fixed partial sums, so a result depends on the data alone, never on where a problem sits in a
 * batch.
 *
 * A potential of a point without mass is the finite number SINK_NONE, far below every other: exp gives 0 for it,
 * differences of two of them are 0 and not NaN, and a shift is absorbed by it.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

#define SINK_NONE (-1e30)
#define SINK_MASSLESS (-1e29)

/* How far a potential v is from optimal. With target = y exp(-v eps/rho) and d = log(marginal / target), it is where
 * d = 0. */
typedef struct {
    double gap;  /* sum target h(d), h(d) = d e^d - e^d + 1: the part of the gap (over rho) that this side owes */
    double mass; /* sum of the marginal of the plan */
    double dual; /* sum y (1 - exp(-v eps/rho)) or, balanced, sum y v */
    double miss; /* sum |marginal - y| (balanced certificate) */
    double high, low; /* range of v - log y */
    double widest; /* max |d| */
    double noise; /* dual of absolute values, for what rounding does to it */
} sink_residuals;

SIMD_DISPATCH(double, sink_max, (const double *v, ptrdiff_t n), (v, n))
SIMD_DISPATCH(void, sink_exp, (const double *v, double shift, double *out, ptrdiff_t n), (v, shift, out, n))
SIMD_DISPATCH(double, sink_log, (const double *sums, double shift, const double *logmass, double *out, ptrdiff_t n),
              (sums, shift, logmass, out, n))
SIMD_DISPATCH(double, sink_update,
              (const double *mass, const double *logmass, const double *logsum, double omega, double ratio, double *u,
               ptrdiff_t n),
              (mass, logmass, logsum, omega, ratio, u, n))
SIMD_DISPATCH(double, sink_image,
              (const double *logmass, const double *logsum, const double *v, const double *target, double omega,
               double ratio, double *g, ptrdiff_t n),
              (logmass, logsum, v, target, omega, ratio, g, n))
SIMD_DISPATCH(void, sink_residual,
              (const double *mass, const double *logmass, const double *logsum, const double *v, double omega,
               double ratio, double *weight, sink_residuals *found, ptrdiff_t n),
              (mass, logmass, logsum, v, omega, ratio, weight, found, n))
SIMD_DISPATCH(void, sink_remember,
              (const double *v, double *g, double shift, double *lastg, double *lastr, double *dg, double *dr,
               ptrdiff_t n),
              (v, g, shift, lastg, lastr, dg, dr, n))
SIMD_DISPATCH(double, sink_dot, (const double *w, const double *a, const double *b, ptrdiff_t n), (w, a, b, n))
SIMD_DISPATCH(void, sink_axpy, (double c, const double *a, double *out, ptrdiff_t n), (c, a, out, n))
SIMD_DISPATCH(double, sink_logsumexp, (const double *v, const double *cost, double *top, ptrdiff_t n),
              (v, cost, top, n))
SIMD_DISPATCH(void, sink_raise, (const double *a, double sign, double v, double *top, ptrdiff_t n),
              (a, sign, v, top, n))
SIMD_DISPATCH(void, sink_gather, (const double *a, double sign, double v, const double *top, double *sum, ptrdiff_t n),
              (a, sign, v, top, sum, n))
SIMD_DISPATCH(void, sink_product,
              (const double *matrix, ptrdiff_t height, ptrdiff_t length, const double *vectors, ptrdiff_t count,
               double *out),
              (matrix, height, length, vectors, count, out))
SIMD_DISPATCH(void, sink_finish, (double *top, const double *sum, ptrdiff_t n), (top, sum, n))

#define SIMD_BODY "_sinkhorn_loops.h"
#include "_simd.h"

#else

SIMD_ENTRY double SIMD(sink_max)(const double *v, ptrdiff_t n)
{
    simd_vec top = SIMD(all)(2 * SINK_NONE);
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) top = SIMD_MAX(top, SIMD(read)(v + i, n - i, 2 * SINK_NONE));
    return SIMD(largest)(top);
}

SIMD_ENTRY void SIMD(sink_exp)(const double *v, double shift, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += SIMD_W)
        SIMD(write)(out + i, n - i, SIMD(exp)(SIMD(read)(v + i, n - i, SINK_NONE) - shift));
}

/* out = log(sums) + shift; returns the smallest sum over the points that carry mass. */
SIMD_ENTRY double SIMD(sink_log)(const double *sums, double shift, const double *logmass, double *out, ptrdiff_t n)
{
    simd_vec low = SIMD(all)(1e300);
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec s = SIMD(read)(sums + i, n - i, 1e300);
        simd_bits massive = SIMD(read)(logmass + i, n - i, SINK_NONE) > SIMD(all)(SINK_MASSLESS);
        low = SIMD_MIN(low, simd_select(massive, s, SIMD(all)(1e300)));
        SIMD(write)(out + i, n - i, SIMD(log)(SIMD_MAX(s, SIMD(all)(1e-300))) + shift);
    }
    return SIMD(smallest)(low);
}

/* u = omega (log x - logsum); returns sum x exp(-u eps/rho). */
SIMD_ENTRY double SIMD(sink_update)(const double *mass, const double *logmass, const double *logsum, double omega,
                                    double ratio, double *u, ptrdiff_t n)
{
    simd_vec sum = SIMD(all)(0.0);
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec lx = SIMD(read)(logmass + i, n - i, SINK_NONE), x = SIMD(read)(mass + i, n - i, 0.0);
        simd_vec new = (lx - SIMD(read)(logsum + i, n - i, 0.0)) * omega;
        new = simd_select(lx > SIMD(all)(SINK_MASSLESS), new, SIMD(all)(SINK_NONE));
        sum += x * SIMD(exp)(new * -ratio);
        SIMD(write)(u + i, n - i, new);
    }
    return SIMD(total)(sum);
}

/* The plain image g = omega (log y - logsum) of v, and sum y exp(-g eps/rho) from the target y exp(-v eps/rho): the
 * step times eps/rho is small as a rule, and where it is not the exponential is asked. */
SIMD_ENTRY double SIMD(sink_image)(const double *logmass, const double *logsum, const double *v, const double *target,
                                   double omega, double ratio, double *g, ptrdiff_t n)
{
    simd_vec sum = SIMD(all)(0.0), widest = sum;
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec ly = SIMD(read)(logmass + i, n - i, SINK_NONE);
        simd_vec new = (ly - SIMD(read)(logsum + i, n - i, 0.0)) * omega;
        new = simd_select(ly > SIMD(all)(SINK_MASSLESS), new, SIMD(all)(SINK_NONE));
        simd_vec t = (SIMD(read)(v + i, n - i, SINK_NONE) - new) * ratio;
        simd_vec power = 1.0 + t * (1.0 + t * (0.5 + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0)))));
        sum += SIMD(read)(target + i, n - i, 0.0) * power;
        widest = SIMD_MAX(widest, SIMD_MAX(t, -t));
        SIMD(write)(g + i, n - i, new);
    }
    if (SIMD(largest)(widest) <= 0.25) return SIMD(total)(sum);
    sum = SIMD(all)(0.0);
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec t = (SIMD(read)(v + i, n - i, SINK_NONE) - SIMD(read)(g + i, n - i, SINK_NONE)) * ratio;
        sum += SIMD(read)(target + i, n - i, 0.0) * SIMD(exp)(t);
    }
    return SIMD(total)(sum);
}

/* sink_residuals of v, given logsum = log of the kernel applied to the other scaling; fills weight with the target. */
SIMD_ENTRY void SIMD(sink_residual)(const double *mass, const double *logmass, const double *logsum, const double *v,
                                    double omega, double ratio, double *weight, sink_residuals *found, ptrdiff_t n)
{
    simd_vec gap = SIMD(all)(0.0), total = gap, dual = gap, off = gap, widest = gap, size = gap;
    simd_vec high = SIMD(all)(2 * SINK_NONE), low = SIMD(all)(-2 * SINK_NONE);
    const double inverse = 1.0 / omega;
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec ly = SIMD(read)(logmass + i, n - i, SINK_NONE), y = SIMD(read)(mass + i, n - i, 0.0);
        simd_vec old = SIMD(read)(v + i, n - i, SINK_NONE);
        simd_bits massive = ly > SIMD(all)(SINK_MASSLESS);
        simd_vec d = old * inverse - ly + SIMD(read)(logsum + i, n - i, 0.0);
        simd_bits stray = ~massive & (old > SIMD(all)(SINK_MASSLESS));
        d = simd_select(massive, d, SIMD(all)(0.0));
        old = simd_select(massive, old, SIMD(all)(0.0));
        simd_vec power = SIMD(exp)(old * -ratio), w = y * power;
        simd_vec e = SIMD(exp)(d), m1 = SIMD(expm1)(d, e);
        /* d e^d - (e^d - 1); the series keeps it non-negative and exact where d is small. */
        simd_vec series = d * d * (0.5 + d * (1.0 / 3.0 + d * (0.125 + d * (1.0 / 30.0 + d * (1.0 / 144.0)))));
        simd_bits near = (d < SIMD(all)(1e-3)) & (d > SIMD(all)(-1e-3));
        gap += w * simd_select(near, series, d * e - m1);
        /* A potential where there is no mass: no plan with it has a finite value. */
        gap += simd_select(stray, SIMD(all)(1e300), SIMD(all)(0.0));
        total += w * e;
        simd_vec term = ratio > 0 ? -y * SIMD(expm1)(old * -ratio, power) : y * old;
        dual += term;
        size += SIMD_MAX(term, -term);
        widest = SIMD_MAX(widest, SIMD_MAX(d, -d));
        simd_vec miss = y * m1;
        off += SIMD_MAX(miss, -miss);
        simd_vec bare = old - ly;
        high = SIMD_MAX(high, simd_select(massive, bare, SIMD(all)(2 * SINK_NONE)));
        low = SIMD_MIN(low, simd_select(massive, bare, SIMD(all)(-2 * SINK_NONE)));
        SIMD(write)(weight + i, n - i, w);
    }
    found->gap = SIMD(total)(gap);
    found->mass = SIMD(total)(total);
    found->dual = SIMD(total)(dual);
    found->miss = SIMD(total)(off);
    found->high = SIMD(largest)(high);
    found->low = SIMD(smallest)(low);
    found->widest = SIMD(largest)(widest);
    found->noise = SIMD(total)(size);
}

/* v += shift and what Anderson needs: r = g - v, differences to the last step into its ring, the last step itself. */
SIMD_ENTRY void SIMD(sink_remember)(const double *v, double *g, double shift, double *lastg, double *lastr, double *dg,
                                    double *dr, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += SIMD_W) {
        simd_vec to = SIMD(read)(g + i, n - i, 0.0);
        to = simd_select(to > SIMD(all)(SINK_MASSLESS), to + shift, to);
        simd_vec r = to - SIMD(read)(v + i, n - i, 0.0);
        SIMD(write)(dg + i, n - i, to - SIMD(read)(lastg + i, n - i, 0.0));
        SIMD(write)(dr + i, n - i, r - SIMD(read)(lastr + i, n - i, 0.0));
        SIMD(write)(lastg + i, n - i, to);
        SIMD(write)(lastr + i, n - i, r);
        SIMD(write)(g + i, n - i, to);
    }
}

SIMD_ENTRY double SIMD(sink_dot)(const double *w, const double *a, const double *b, ptrdiff_t n)
{
    simd_vec sum = SIMD(all)(0.0);
    for (ptrdiff_t i = 0; i < n; i += SIMD_W)
        sum += SIMD(read)(w + i, n - i, 0.0) * SIMD(read)(a + i, n - i, 0.0) * SIMD(read)(b + i, n - i, 0.0);
    return SIMD(total)(sum);
}

SIMD_ENTRY void SIMD(sink_axpy)(double c, const double *a, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += SIMD_W)
        SIMD(write)(out + i, n - i, SIMD(read)(out + i, n - i, 0.0) + c * SIMD(read)(a + i, n - i, 0.0));
}

/* log sum_j exp(v_j - cost_j). */
SIMD_ENTRY double SIMD(sink_logsumexp)(const double *v, const double *cost, double *top, ptrdiff_t n)
{
    simd_vec high = SIMD(all)(2 * SINK_NONE), sum = SIMD(all)(0.0);
    for (ptrdiff_t j = 0; j < n; j += SIMD_W)
        high = SIMD_MAX(high, SIMD(read)(v + j, n - j, 2 * SINK_NONE) - SIMD(read)(cost + j, n - j, 0.0));
    *top = SIMD(largest)(high);
    for (ptrdiff_t j = 0; j < n; j += SIMD_W)
        sum += SIMD(exp)(SIMD(read)(v + j, n - j, 2 * SINK_NONE) - SIMD(read)(cost + j, n - j, 0.0) - *top);
    return SIMD(total)(sum);
}

/* log sum exp row by row: first the largest of v + sign a_j, then the sums, then their logarithms. */
SIMD_ENTRY void SIMD(sink_raise)(const double *a, double sign, double v, double *top, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += SIMD_W)
        SIMD(write)(top + j, n - j,
                    SIMD_MAX(SIMD(read)(top + j, n - j, 0.0), v + sign * SIMD(read)(a + j, n - j, 0.0)));
}

SIMD_ENTRY void SIMD(sink_gather)(const double *a, double sign, double v, const double *top, double *sum, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += SIMD_W)
        SIMD(write)(sum + j, n - j,
                    SIMD(read)(sum + j, n - j, 0.0) +
                        SIMD(exp)(v + sign * SIMD(read)(a + j, n - j, 0.0) - SIMD(read)(top + j, n - j, 0.0)));
}

SIMD_ENTRY void SIMD(sink_finish)(double *top, const double *sum, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += SIMD_W)
        SIMD(write)(top + j, n - j, SIMD(read)(top + j, n - j, 0.0) + SIMD(log)(SIMD(read)(sum + j, n - j, 1.0)));
}

/* out[j][i] = sum_k matrix[i][k] vectors[j][k] for `rows` x `cols` of them at once. Each sum runs over k in the same
 * order whatever the block it is in: a vector's product does not depend on its neighbours. */
SIMD_INLINE void SIMD(sink_block)(const double *matrix, const double *vectors, double *out, ptrdiff_t length,
                                  ptrdiff_t stride, const int rows, const int cols)
{
    simd_vec sum[4][3];
    SIMD_UNROLL
    for (int i = 0; i < rows; i++)
        SIMD_UNROLL
        for (int j = 0; j < cols; j++) sum[i][j] = SIMD(all)(0.0);
    ptrdiff_t k = 0;
    for (; k + SIMD_W <= length; k += SIMD_W) {
        simd_vec column[3];
        SIMD_UNROLL
        for (int j = 0; j < cols; j++) memcpy(&column[j], vectors + j * length + k, sizeof(simd_vec));
        SIMD_UNROLL
        for (int i = 0; i < rows; i++) {
            simd_vec row;
            memcpy(&row, matrix + i * length + k, sizeof row);
            SIMD_UNROLL
            for (int j = 0; j < cols; j++) sum[i][j] += row * column[j];
        }
    }
    if (k < length) {
        /* Copied whole, so that the last entries are multiplied and added exactly as the others are. */
        const size_t left = (size_t)(length - k) * sizeof(double);
        simd_vec column[3];
        SIMD_UNROLL
        for (int j = 0; j < cols; j++) {
            column[j] = SIMD(all)(0.0);
            memcpy(&column[j], vectors + j * length + k, left);
        }
        SIMD_UNROLL
        for (int i = 0; i < rows; i++) {
            simd_vec row = SIMD(all)(0.0);
            memcpy(&row, matrix + i * length + k, left);
            SIMD_UNROLL
            for (int j = 0; j < cols; j++) sum[i][j] += row * column[j];
        }
    }
    SIMD_UNROLL
    for (int i = 0; i < rows; i++)
        SIMD_UNROLL
        for (int j = 0; j < cols; j++) out[j * stride + i] = SIMD(total)(sum[i][j]);
}

SIMD_INLINE void SIMD(sink_rows)(const double *matrix, const double *vectors, double *out, ptrdiff_t length,
                                 ptrdiff_t stride, ptrdiff_t count, const int rows)
{
    ptrdiff_t j = 0;
    for (; j + 3 <= count; j += 3)
        SIMD(sink_block)(matrix, vectors + j * length, out + j * stride, length, stride, rows, 3);
    if (count - j == 2) SIMD(sink_block)(matrix, vectors + j * length, out + j * stride, length, stride, rows, 2);
    if (count - j == 1) SIMD(sink_block)(matrix, vectors + j * length, out + j * stride, length, stride, rows, 1);
}

/* out (count, height) = vectors (count, length) times the transpose of matrix (height, length). Few vectors at a time,
 * so that they stay in the second cache while the matrix streams by. */
SIMD_ENTRY void SIMD(sink_product)(const double *matrix, ptrdiff_t height, ptrdiff_t length, const double *vectors,
                                   ptrdiff_t count, double *out)
{
    ptrdiff_t chunk = 24576 / length / 3 * 3;
    if (chunk < 3) chunk = 3;
    for (ptrdiff_t j = 0; j < count; j += chunk) {
        ptrdiff_t width = count - j < chunk ? count - j : chunk, i = 0;
        for (; i + 4 <= height; i += 4)
            SIMD(sink_rows)(matrix + i * length, vectors + j * length, out + j * height + i, length, height, width, 4);
        for (; i < height; i++)
            SIMD(sink_rows)(matrix + i * length, vectors + j * length, out + j * height + i, length, height, width, 1);
    }
}

#endif
