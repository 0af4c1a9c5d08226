/* The loops of the Sinkhorn kernels that Cython cannot say: exponentials and logarithms on four doubles at a time.
 *
 * Every loop is written once, on GCC vector types, and compiled twice: for the baseline of the platform and for
 * AVX2 + FMA, chosen at run time by what the processor has. Sums run over four fixed partial sums, so a result
 * depends on the data alone, never on where a problem sits in a batch.
 *
 * A potential of a point without mass is the finite number SINK_NONE, far below every other: exp gives 0 for it,
 * differences of two of them are 0 and not NaN, and a shift is absorbed by it.
 */
#ifndef STOTMETRICS_SINKHORN_LOOPS_H
#define STOTMETRICS_SINKHORN_LOOPS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#define SINK_NONE (-1e30)
#define SINK_MASSLESS (-1e29)

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define SINK_X86 1
#else
#define SINK_X86 0
#endif

#define SINK_INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define SINK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SINK_UNROLL _Pragma("GCC unroll 4")
#endif

typedef double sink_d4 __attribute__((vector_size(32)));
typedef int64_t sink_i4 __attribute__((vector_size(32)));

SINK_INLINE sink_d4 sink_set(double x) { return (sink_d4){x, x, x, x}; }
SINK_INLINE sink_d4 sink_pick(sink_i4 mask, sink_d4 yes, sink_d4 no)
{
    return (sink_d4)((mask & (sink_i4)yes) | (~mask & (sink_i4)no));
}
SINK_INLINE sink_d4 sink_max(sink_d4 a, sink_d4 b) { return sink_pick(a > b, a, b); }
SINK_INLINE sink_d4 sink_min(sink_d4 a, sink_d4 b) { return sink_pick(a < b, a, b); }
SINK_INLINE double sink_total(sink_d4 a) { return (a[0] + a[1]) + (a[2] + a[3]); }
SINK_INLINE double sink_largest(sink_d4 a)
{
    double p = a[0] > a[1] ? a[0] : a[1], q = a[2] > a[3] ? a[2] : a[3];
    return p > q ? p : q;
}
SINK_INLINE double sink_smallest(sink_d4 a)
{
    double p = a[0] < a[1] ? a[0] : a[1], q = a[2] < a[3] ? a[2] : a[3];
    return p < q ? p : q;
}

/* The last few entries of an array are read into a vector filled up with a neutral element. */
SINK_INLINE sink_d4 sink_load(const double *p, ptrdiff_t left, double fill)
{
    sink_d4 v = sink_set(fill);
    if (left >= 4)
        memcpy(&v, p, sizeof v);
    else
        for (ptrdiff_t i = 0; i < left; i++) v[i] = p[i];
    return v;
}
SINK_INLINE void sink_store(double *p, ptrdiff_t left, sink_d4 v)
{
    if (left >= 4)
        memcpy(p, &v, sizeof v);
    else
        for (ptrdiff_t i = 0; i < left; i++) p[i] = v[i];
}

/* exp to about one unit in the last place; 0 below -708, the largest finite power above 709. */
SINK_INLINE sink_d4 sink_exp(sink_d4 x)
{
    const double magic = 0x1.8p52;
    sink_i4 small = x < sink_set(-708.0);
    x = sink_min(sink_max(x, sink_set(-708.0)), sink_set(709.0));
    sink_d4 t = x * 0x1.71547652b82fep+0 + magic;
    sink_i4 n = (sink_i4)t << 52;
    t -= magic;
    sink_d4 r = x - t * 0x1.62e42fefa3800p-1;
    r -= t * 0x1.ef35793c76730p-45;
    sink_d4 p = sink_set(1.0 / 6227020800.0);
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r + 1.0;
    return sink_pick(small, sink_set(0.0), (sink_d4)((sink_i4)p + n));
}

/* exp(x) - 1 without cancellation near 0, given e = exp(x). */
SINK_INLINE sink_d4 sink_expm1(sink_d4 x, sink_d4 e)
{
    sink_d4 p = sink_set(1.0 / 3628800.0);
    p = p * x + 1.0 / 362880.0;
    p = p * x + 1.0 / 40320.0;
    p = p * x + 1.0 / 5040.0;
    p = p * x + 1.0 / 720.0;
    p = p * x + 1.0 / 120.0;
    p = p * x + 1.0 / 24.0;
    p = p * x + 1.0 / 6.0;
    p = p * x + 0.5;
    p = p * (x * x) + x;
    sink_i4 near = (x < sink_set(0.1)) & (x > sink_set(-0.1));
    return sink_pick(near, p, e - 1.0);
}

/* log of a positive normal number to about one unit in the last place. */
SINK_INLINE sink_d4 sink_log(sink_d4 x)
{
    const double two52 = 0x1p52;
    /* The offset puts the mantissa into [sqrt(1/2), sqrt(2)) and keeps the biased exponent positive. */
    sink_i4 bits = (sink_i4)x;
    sink_i4 shifted = bits + (int64_t)(0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
    sink_i4 k = (sink_i4)((shifted >> 52) & 0xfff);
    sink_d4 m = (sink_d4)(bits - ((k - 1023) << 52));
    sink_d4 e = (sink_d4)(k | (sink_i4)sink_set(two52)) - (two52 + 1023.0);
    sink_d4 s = (m - 1.0) / (m + 1.0), z = s * s;
    sink_d4 p = sink_set(1.0 / 23.0);
    p = p * z + 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    p = p * z * s;
    return e * 0x1.62e42fefa3800p-1 + ((s + p) * 2.0 + e * 0x1.ef35793c76730p-45);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

SINK_INLINE double body_max(const double *v, ptrdiff_t n)
{
    sink_d4 top = sink_set(2 * SINK_NONE);
    for (ptrdiff_t i = 0; i < n; i += 4) top = sink_max(top, sink_load(v + i, n - i, 2 * SINK_NONE));
    return sink_largest(top);
}

SINK_INLINE void body_exp(const double *v, double shift, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += 4)
        sink_store(out + i, n - i, sink_exp(sink_load(v + i, n - i, SINK_NONE) - shift));
}

/* out = log(sums) + shift; returns the smallest sum over the points that carry mass. */
SINK_INLINE double body_log(const double *sums, double shift, const double *logmass, double *out, ptrdiff_t n)
{
    sink_d4 low = sink_set(1e300);
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 s = sink_load(sums + i, n - i, 1e300);
        sink_i4 massive = sink_load(logmass + i, n - i, SINK_NONE) > sink_set(SINK_MASSLESS);
        low = sink_min(low, sink_pick(massive, s, sink_set(1e300)));
        sink_store(out + i, n - i, sink_log(sink_max(s, sink_set(1e-300))) + shift);
    }
    return sink_smallest(low);
}

/* u = omega (log x - logsum); returns sum x exp(-u eps/rho). */
SINK_INLINE double body_update(const double *mass, const double *logmass, const double *logsum, double omega,
                               double ratio, double *u, ptrdiff_t n)
{
    sink_d4 sum = sink_set(0.0);
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 lx = sink_load(logmass + i, n - i, SINK_NONE), x = sink_load(mass + i, n - i, 0.0);
        sink_d4 new = (lx - sink_load(logsum + i, n - i, 0.0)) * omega;
        new = sink_pick(lx > sink_set(SINK_MASSLESS), new, sink_set(SINK_NONE));
        sum += x * sink_exp(new * -ratio);
        sink_store(u + i, n - i, new);
    }
    return sink_total(sum);
}

/* The plain image g = omega (log y - logsum) of v, and sum y exp(-g eps/rho) from the target y exp(-v eps/rho): the step
 * times eps/rho is small as a rule, and where it is not the exponential is asked. */
SINK_INLINE double body_image(const double *logmass, const double *logsum, const double *v, const double *target,
                              double omega, double ratio, double *g, ptrdiff_t n)
{
    sink_d4 sum = sink_set(0.0), widest = sum;
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 ly = sink_load(logmass + i, n - i, SINK_NONE);
        sink_d4 new = (ly - sink_load(logsum + i, n - i, 0.0)) * omega;
        new = sink_pick(ly > sink_set(SINK_MASSLESS), new, sink_set(SINK_NONE));
        sink_d4 t = (sink_load(v + i, n - i, SINK_NONE) - new) * ratio;
        sink_d4 power = 1.0 + t * (1.0 + t * (0.5 + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0)))));
        sum += sink_load(target + i, n - i, 0.0) * power;
        widest = sink_max(widest, sink_max(t, -t));
        sink_store(g + i, n - i, new);
    }
    if (sink_largest(widest) <= 0.25) return sink_total(sum);
    sum = sink_set(0.0);
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 t = (sink_load(v + i, n - i, SINK_NONE) - sink_load(g + i, n - i, SINK_NONE)) * ratio;
        sum += sink_load(target + i, n - i, 0.0) * sink_exp(t);
    }
    return sink_total(sum);
}

/* How far the potential v is from optimal, given logsum = log of the kernel applied to the other scaling.
 *
 * With target = y exp(-v eps/rho) and d = log(marginal / target), the fixed point is d = 0. Fills weight with the
 * target; sums[0] = sum target h(d), h(d) = d e^d - e^d + 1, the part of the gap (over rho) that this side owes;
 * sums[1] = sum of the marginal of the plan; sums[2] = sum y (1 - exp(-v eps/rho)) or, balanced, sum y v;
 * sums[3] = sum |marginal - y| (balanced certificate); sums[4], sums[5]: range of v - log y; sums[6] = max |d|;
 * sums[7] = sums[2] of absolute values, for what rounding does to it.
 */
SINK_INLINE void body_residual(const double *mass, const double *logmass, const double *logsum, const double *v,
                               double omega, double ratio, double *weight, double *sums, ptrdiff_t n)
{
    sink_d4 gap = sink_set(0.0), total = gap, dual = gap, off = gap, widest = gap, size = gap;
    sink_d4 high = sink_set(2 * SINK_NONE), low = sink_set(-2 * SINK_NONE);
    const double inverse = 1.0 / omega;
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 ly = sink_load(logmass + i, n - i, SINK_NONE), y = sink_load(mass + i, n - i, 0.0);
        sink_d4 old = sink_load(v + i, n - i, SINK_NONE);
        sink_i4 massive = ly > sink_set(SINK_MASSLESS);
        sink_d4 d = old * inverse - ly + sink_load(logsum + i, n - i, 0.0);
        sink_i4 stray = ~massive & (old > sink_set(SINK_MASSLESS));
        d = sink_pick(massive, d, sink_set(0.0));
        old = sink_pick(massive, old, sink_set(0.0));
        sink_d4 power = sink_exp(old * -ratio), w = y * power;
        sink_d4 e = sink_exp(d), m1 = sink_expm1(d, e);
        /* d e^d - (e^d - 1); the series keeps it non-negative and exact where d is small. */
        sink_d4 series = d * d * (0.5 + d * (1.0 / 3.0 + d * (0.125 + d * (1.0 / 30.0 + d * (1.0 / 144.0)))));
        sink_i4 near = (d < sink_set(1e-3)) & (d > sink_set(-1e-3));
        gap += w * sink_pick(near, series, d * e - m1);
        /* A potential where there is no mass: no plan with it has a finite value. */
        gap += sink_pick(stray, sink_set(1e300), sink_set(0.0));
        total += w * e;
        sink_d4 term = ratio > 0 ? -y * sink_expm1(old * -ratio, power) : y * old;
        dual += term;
        size += sink_max(term, -term);
        widest = sink_max(widest, sink_max(d, -d));
        sink_d4 miss = y * m1;
        off += sink_max(miss, -miss);
        sink_d4 bare = old - ly;
        high = sink_max(high, sink_pick(massive, bare, sink_set(2 * SINK_NONE)));
        low = sink_min(low, sink_pick(massive, bare, sink_set(-2 * SINK_NONE)));
        sink_store(weight + i, n - i, w);
    }
    sums[0] = sink_total(gap);
    sums[1] = sink_total(total);
    sums[2] = sink_total(dual);
    sums[3] = sink_total(off);
    sums[4] = sink_largest(high);
    sums[5] = sink_smallest(low);
    sums[6] = sink_largest(widest);
    sums[7] = sink_total(size);
}

/* v += shift and what Anderson needs: r = g - v, differences to the last step into its ring, the last step itself. */
SINK_INLINE void body_remember(const double *v, double *g, double shift, double *lastg, double *lastr, double *dg,
                               double *dr, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += 4) {
        sink_d4 to = sink_load(g + i, n - i, 0.0);
        to = sink_pick(to > sink_set(SINK_MASSLESS), to + shift, to);
        sink_d4 r = to - sink_load(v + i, n - i, 0.0);
        sink_store(dg + i, n - i, to - sink_load(lastg + i, n - i, 0.0));
        sink_store(dr + i, n - i, r - sink_load(lastr + i, n - i, 0.0));
        sink_store(lastg + i, n - i, to);
        sink_store(lastr + i, n - i, r);
        sink_store(g + i, n - i, to);
    }
}

SINK_INLINE double body_dot(const double *w, const double *a, const double *b, ptrdiff_t n)
{
    sink_d4 sum = sink_set(0.0);
    for (ptrdiff_t i = 0; i < n; i += 4)
        sum += sink_load(w + i, n - i, 0.0) * sink_load(a + i, n - i, 0.0) * sink_load(b + i, n - i, 0.0);
    return sink_total(sum);
}

SINK_INLINE void body_axpy(double c, const double *a, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += 4)
        sink_store(out + i, n - i, sink_load(out + i, n - i, 0.0) + c * sink_load(a + i, n - i, 0.0));
}

/* log sum_j exp(v_j - cost_j). */
SINK_INLINE double body_logsumexp(const double *v, const double *cost, double *top, ptrdiff_t n)
{
    sink_d4 high = sink_set(2 * SINK_NONE), sum = sink_set(0.0);
    for (ptrdiff_t j = 0; j < n; j += 4)
        high = sink_max(high, sink_load(v + j, n - j, 2 * SINK_NONE) - sink_load(cost + j, n - j, 0.0));
    *top = sink_largest(high);
    for (ptrdiff_t j = 0; j < n; j += 4)
        sum += sink_exp(sink_load(v + j, n - j, 2 * SINK_NONE) - sink_load(cost + j, n - j, 0.0) - *top);
    return sink_total(sum);
}

/* log sum exp row by row: first the largest of v + sign a_j, then the sums, then their logarithms. */
SINK_INLINE void body_raise(const double *a, double sign, double v, double *top, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += 4)
        sink_store(top + j, n - j, sink_max(sink_load(top + j, n - j, 0.0), v + sign * sink_load(a + j, n - j, 0.0)));
}

SINK_INLINE void body_gather(const double *a, double sign, double v, const double *top, double *sum, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += 4)
        sink_store(sum + j, n - j,
                   sink_load(sum + j, n - j, 0.0) +
                       sink_exp(v + sign * sink_load(a + j, n - j, 0.0) - sink_load(top + j, n - j, 0.0)));
}

SINK_INLINE void body_finish(double *top, const double *sum, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += 4)
        sink_store(top + j, n - j, sink_load(top + j, n - j, 0.0) + sink_log(sink_load(sum + j, n - j, 1.0)));
}

/* out[j][i] = sum_k matrix[i][k] vectors[j][k] for `rows` x `cols` of them at once. Each sum runs over k in the same order
 * whatever the block it is in: a vector's product does not depend on its neighbours. */
SINK_INLINE void sink_block(const double *matrix, const double *vectors, double *out, ptrdiff_t length,
                            ptrdiff_t stride, const int rows, const int cols)
{
    sink_d4 sum[4][3];
    SINK_UNROLL
    for (int i = 0; i < rows; i++)
        SINK_UNROLL
        for (int j = 0; j < cols; j++) sum[i][j] = sink_set(0.0);
    ptrdiff_t k = 0;
    for (; k + 4 <= length; k += 4) {
        sink_d4 column[3];
        SINK_UNROLL
        for (int j = 0; j < cols; j++) memcpy(&column[j], vectors + j * length + k, sizeof(sink_d4));
        SINK_UNROLL
        for (int i = 0; i < rows; i++) {
            sink_d4 row;
            memcpy(&row, matrix + i * length + k, sizeof row);
            SINK_UNROLL
            for (int j = 0; j < cols; j++) sum[i][j] += row * column[j];
        }
    }
    if (k < length) {
        /* Copied whole, so that the last entries are multiplied and added exactly as the others are. */
        const size_t left = (size_t)(length - k) * sizeof(double);
        sink_d4 column[3];
        SINK_UNROLL
        for (int j = 0; j < cols; j++) {
            column[j] = sink_set(0.0);
            memcpy(&column[j], vectors + j * length + k, left);
        }
        SINK_UNROLL
        for (int i = 0; i < rows; i++) {
            sink_d4 row = sink_set(0.0);
            memcpy(&row, matrix + i * length + k, left);
            SINK_UNROLL
            for (int j = 0; j < cols; j++) sum[i][j] += row * column[j];
        }
    }
    SINK_UNROLL
    for (int i = 0; i < rows; i++)
        SINK_UNROLL
        for (int j = 0; j < cols; j++) out[j * stride + i] = sink_total(sum[i][j]);
}

SINK_INLINE void sink_rows(const double *matrix, const double *vectors, double *out, ptrdiff_t length, ptrdiff_t stride,
                           ptrdiff_t count, const int rows)
{
    ptrdiff_t j = 0;
    for (; j + 3 <= count; j += 3) sink_block(matrix, vectors + j * length, out + j * stride, length, stride, rows, 3);
    if (count - j == 2) sink_block(matrix, vectors + j * length, out + j * stride, length, stride, rows, 2);
    if (count - j == 1) sink_block(matrix, vectors + j * length, out + j * stride, length, stride, rows, 1);
}

/* out (count, height) = vectors (count, length) times the transpose of matrix (height, length). Few vectors at a time, so
 * that they stay in the second cache while the matrix streams by. */
SINK_INLINE void body_product(const double *matrix, ptrdiff_t height, ptrdiff_t length, const double *vectors,
                              ptrdiff_t count, double *out)
{
    ptrdiff_t chunk = 24576 / length / 3 * 3;
    if (chunk < 3) chunk = 3;
    for (ptrdiff_t j = 0; j < count; j += chunk) {
        ptrdiff_t width = count - j < chunk ? count - j : chunk, i = 0;
        for (; i + 4 <= height; i += 4)
            sink_rows(matrix + i * length, vectors + j * length, out + j * height + i, length, height, width, 4);
        for (; i < height; i++)
            sink_rows(matrix + i * length, vectors + j * length, out + j * height + i, length, height, width, 1);
    }
}

/* ---- one version per instruction set, and the choice ------------------------------------------------------------ */

#if SINK_X86
#define SINK_VERSIONS(type, name, declared, passed)                                                                    \
    __attribute__((target("avx2,fma"), noinline)) static type wide_##name declared { return body_##name passed; }      \
    __attribute__((noinline)) static type plain_##name declared { return body_##name passed; }                         \
    static type sink_do_##name declared                                                                                \
    {                                                                                                                  \
        return sink_is_wide() ? wide_##name passed : plain_##name passed;                                              \
    }
static inline int sink_is_wide(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define SINK_VERSIONS(type, name, declared, passed)                                                                    \
    static type sink_do_##name declared { return body_##name passed; }
static inline int sink_is_wide(void) { return 0; }
#endif

SINK_VERSIONS(double, max, (const double *v, ptrdiff_t n), (v, n))
SINK_VERSIONS(void, exp, (const double *v, double shift, double *out, ptrdiff_t n), (v, shift, out, n))
SINK_VERSIONS(double, log, (const double *sums, double shift, const double *logmass, double *out, ptrdiff_t n),
              (sums, shift, logmass, out, n))
SINK_VERSIONS(double, update,
              (const double *mass, const double *logmass, const double *logsum, double omega, double ratio, double *u,
               ptrdiff_t n),
              (mass, logmass, logsum, omega, ratio, u, n))
SINK_VERSIONS(double, image,
              (const double *logmass, const double *logsum, const double *v, const double *target, double omega,
               double ratio, double *g, ptrdiff_t n),
              (logmass, logsum, v, target, omega, ratio, g, n))
SINK_VERSIONS(void, residual,
              (const double *mass, const double *logmass, const double *logsum, const double *v, double omega,
               double ratio, double *weight, double *sums, ptrdiff_t n),
              (mass, logmass, logsum, v, omega, ratio, weight, sums, n))
SINK_VERSIONS(void, remember,
              (const double *v, double *g, double shift, double *lastg, double *lastr, double *dg, double *dr,
               ptrdiff_t n),
              (v, g, shift, lastg, lastr, dg, dr, n))
SINK_VERSIONS(double, dot, (const double *w, const double *a, const double *b, ptrdiff_t n), (w, a, b, n))
SINK_VERSIONS(void, axpy, (double c, const double *a, double *out, ptrdiff_t n), (c, a, out, n))
SINK_VERSIONS(double, logsumexp, (const double *v, const double *cost, double *top, ptrdiff_t n), (v, cost, top, n))
SINK_VERSIONS(void, raise, (const double *a, double sign, double v, double *top, ptrdiff_t n), (a, sign, v, top, n))
SINK_VERSIONS(void, gather, (const double *a, double sign, double v, const double *top, double *sum, ptrdiff_t n),
              (a, sign, v, top, sum, n))
SINK_VERSIONS(void, product,
              (const double *matrix, ptrdiff_t height, ptrdiff_t length, const double *vectors, ptrdiff_t count,
               double *out),
              (matrix, height, length, vectors, count, out))
SINK_VERSIONS(void, finish, (double *top, const double *sum, ptrdiff_t n), (top, sum, n))

#endif
