/* What the hybrid descent of the TiOT paper does most: Sinkhorn sweeps over a stored plan, and the power moments that
 * give its slope in w near the w where they were taken.
 *
 * Every loop is written once, on GCC vector types, and compiled twice: for the baseline of the platform and for
 * AVX2 + FMA, chosen at import by what the processor has.
 */
#ifndef STOTMETRICS_HBCD_H
#define STOTMETRICS_HBCD_H

#include <math.h>
#include <stddef.h>

#define HBCD_INLINE static inline __attribute__((always_inline))

/* Terms of the series and its reach: 4^32 / 32! is below 1e-16. */
#define HBCD_TERMS 32
#define HBCD_REACH 4.0

/* Entries below this share of the whole mass, which is one, move no sum; without them the series reaches farther. */
#define HBCD_NOTHING 1e-22

/* The sums <(D - centre)^k, P> / radius^k, k = 0 .. HBCD_TERMS, of a plan P and D = A - B within centre +- radius. */
typedef struct {
    double centre, radius, moments[HBCD_TERMS + 1];
} hbcd_series;

typedef double hbcd_d4 __attribute__((vector_size(32), aligned(8)));

HBCD_INLINE hbcd_d4 hbcd_load(const double *from) { return *(const hbcd_d4 *)from; }
HBCD_INLINE double hbcd_total(hbcd_d4 v) { return (v[0] + v[1]) + (v[2] + v[3]); }

/* `count` rows of one sweep: u = a / (P v), and u P added to the columns. */
HBCD_INLINE void hbcd_rows(const double *P, ptrdiff_t m, const double *a, const double *v, double *u, double *columns,
                           const int count)
{
    hbcd_d4 sums[4] = {{0}, {0}, {0}, {0}};
    double rest[4] = {0, 0, 0, 0};
    ptrdiff_t j = 0;
    for (; j + 4 <= m; j += 4)
        for (int r = 0; r < count; r++)
            sums[r] += hbcd_load(P + r * m + j) * hbcd_load(v + j);
    for (; j < m; j++)
        for (int r = 0; r < count; r++)
            rest[r] += P[r * m + j] * v[j];
    for (int r = 0; r < count; r++)
        u[r] = a[r] / (hbcd_total(sums[r]) + rest[r]);
    for (j = 0; j + 4 <= m; j += 4) {
        hbcd_d4 column = hbcd_load(columns + j);
        for (int r = 0; r < count; r++)
            column += u[r] * hbcd_load(P + r * m + j);
        *(hbcd_d4 *)(columns + j) = column;
    }
    for (; j < m; j++)
        for (int r = 0; r < count; r++)
            columns[j] += u[r] * P[r * m + j];
}

/* u = a / (P v), then v = b / (P' u). */
typedef void (*hbcd_sweep_fn)(const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b, double *u,
                              double *v, double *columns);

HBCD_INLINE void hbcd_sweep(const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b, double *u,
                            double *v, double *columns)
{
    ptrdiff_t i = 0;
    for (ptrdiff_t j = 0; j < m; j++)
        columns[j] = 0;
    for (; i + 4 <= n; i += 4)
        hbcd_rows(P + i * m, m, a + i, v, u + i, columns, 4);
    for (; i < n; i++)
        hbcd_rows(P + i * m, m, a + i, v, u + i, columns, 1);
    for (ptrdiff_t j = 0; j < m; j++)
        v[j] = b[j] / columns[j];
}

/* moments[k] += sum of P ((D - centre) inverse)^k for k = 1 .. HBCD_TERMS over `count` entries, a multiple of 4; P is
 * overwritten. */
HBCD_INLINE void hbcd_powers(double *P, const double *D, ptrdiff_t count, double centre, double inverse,
                             double *moments)
{
    /* Eight at a time, so that the sums stay in registers. */
    for (int first = 1; first <= HBCD_TERMS; first += 8) {
        hbcd_d4 sums[8] = {{0}};
        for (ptrdiff_t j = 0; j < count; j += 4) {
            hbcd_d4 term = hbcd_load(P + j), factor = inverse * (hbcd_load(D + j) - centre);
            for (int k = 0; k < 8; k++) {
                term *= factor;
                sums[k] += term;
            }
            *(hbcd_d4 *)(P + j) = term;
        }
        for (int k = 0; k < 8; k++)
            moments[first + k] += hbcd_total(sums[k]);
    }
}

/* The series of diag(u) P diag(v), over the entries that count. `kept` holds 2 (n m + 4) numbers. */
typedef void (*hbcd_expand_fn)(const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m,
                               const double *u, const double *v, double *kept, hbcd_series *found);

HBCD_INLINE void hbcd_expand(const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m,
                             const double *u, const double *v, double *kept, hbcd_series *found)
{
    double *D = kept + n * m + 4, low = INFINITY, high = -INFINITY;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < m; j++) {
            double value = u[i] * P[i * m + j] * v[j];
            kept[count] = value;
            D[count] = A[i * m + j] - B[i * m + j];
            count += value > HBCD_NOTHING;
        }
    for (int k = 0; k <= HBCD_TERMS; k++)
        found->moments[k] = 0;
    for (ptrdiff_t j = 0; j < count; j++) {
        low = D[j] < low ? D[j] : low;
        high = D[j] > high ? D[j] : high;
        found->moments[0] += kept[j];
    }
    found->centre = 0.5 * (low + high);
    found->radius = 0.5 * (high - low) + 1e-300;
    for (ptrdiff_t j = count; j < count + 4; j++) {
        kept[j] = 0;
        D[j] = found->centre;
    }
    for (ptrdiff_t start = 0; start < count; start += 512) {
        ptrdiff_t left = count - start;
        hbcd_powers(kept + start, D + start, left < 512 ? (left + 3) / 4 * 4 : 512, found->centre,
                    1.0 / found->radius, found->moments);
    }
}

/* <D, P_w> at w = w0 + shift epsilon, where P_w = P exp(-shift D): within reach while |shift| radius <= HBCD_REACH. */
static double hbcd_slope(const hbcd_series *at, double shift)
{
    double z = -shift * at->radius, mass = at->moments[HBCD_TERMS - 1], moment = at->moments[HBCD_TERMS];
    for (int k = HBCD_TERMS - 1; k > 0; k--) {
        mass = at->moments[k - 1] + mass * z / k;
        moment = at->moments[k] + moment * z / k;
    }
    return exp(-shift * at->centre) * (at->centre * mass + at->radius * moment);
}

/* <D^2, P>. */
static double hbcd_curvature(const hbcd_series *at)
{
    const double c = at->centre, r = at->radius, *m = at->moments;
    return c * c * m[0] + 2.0 * c * r * m[1] + r * r * m[2];
}

static void hbcd_sweep_plain(const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b, double *u,
                             double *v, double *columns)
{
    hbcd_sweep(P, n, m, a, b, u, v, columns);
}

static void hbcd_expand_plain(const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m,
                              const double *u, const double *v, double *kept, hbcd_series *found)
{
    hbcd_expand(P, A, B, n, m, u, v, kept, found);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define HBCD_X86 1
#define HBCD_TARGET __attribute__((target("avx2,fma")))

HBCD_TARGET static void hbcd_sweep_avx2(const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b,
                                        double *u, double *v, double *columns)
{
    hbcd_sweep(P, n, m, a, b, u, v, columns);
}

HBCD_TARGET static void hbcd_expand_avx2(const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m,
                                         const double *u, const double *v, double *kept, hbcd_series *found)
{
    hbcd_expand(P, A, B, n, m, u, v, kept, found);
}
#endif

static int hbcd_has_avx2(void)
{
#ifdef HBCD_X86
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

static hbcd_sweep_fn choose_hbcd_sweep(void)
{
#ifdef HBCD_X86
    if (hbcd_has_avx2())
        return hbcd_sweep_avx2;
#endif
    return hbcd_sweep_plain;
}

static hbcd_expand_fn choose_hbcd_expand(void)
{
#ifdef HBCD_X86
    if (hbcd_has_avx2())
        return hbcd_expand_avx2;
#endif
    return hbcd_expand_plain;
}

#endif
