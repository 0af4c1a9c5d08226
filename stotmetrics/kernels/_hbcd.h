/* What the hybrid descent of the TiOT paper does most: Sinkhorn sweeps over a stored plan, and the power moments that
 * give its slope in w near the w where they were taken.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

/* Terms of the series and its reach: 4^32 / 32! is below 1e-16. */
#define HBCD_TERMS 32
#define HBCD_REACH 4.0

/* Entries below this share of the whole mass, which is one, move no sum; without them the series reaches farther. */
#define HBCD_NOTHING 1e-22

/* The sums <(D - centre)^k, P> / radius^k, k = 0 .. HBCD_TERMS, of a plan P and D = A - B within centre +- radius. */
typedef struct {
    double centre, radius, moments[HBCD_TERMS + 1];
} hbcd_series;

/* u = a / (P v), then v = b / (P' u). */
SIMD_DISPATCH(void, hbcd_sweep,
              (const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b, double *u, double *v,
               double *columns),
              (P, n, m, a, b, u, v, columns))

/* The series of diag(u) P diag(v), over the entries that count. `kept` holds 2 (n m + SIMD_WIDEST) numbers. */
SIMD_DISPATCH(void, hbcd_expand,
              (const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m, const double *u,
               const double *v, double *kept, hbcd_series *found),
              (P, A, B, n, m, u, v, kept, found))

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

#define SIMD_BODY "_hbcd.h"
#include "_simd.h"

#else

/* `count` rows of one sweep: u = a / (P v), and u P added to the columns. */
SIMD_INLINE void SIMD(hbcd_rows)(const double *P, ptrdiff_t m, const double *a, const double *v, double *u,
                                 double *columns, const int count)
{
    simd_vec sums[4] = {{0}, {0}, {0}, {0}};
    double rest[4] = {0, 0, 0, 0};
    ptrdiff_t j = 0;
    for (; j + SIMD_W <= m; j += SIMD_W)
        for (int r = 0; r < count; r++)
            sums[r] += SIMD(load)(P + r * m + j) * SIMD(load)(v + j);
    for (; j < m; j++)
        for (int r = 0; r < count; r++)
            rest[r] += P[r * m + j] * v[j];
    for (int r = 0; r < count; r++)
        u[r] = a[r] / (SIMD(total)(sums[r]) + rest[r]);
    for (j = 0; j + SIMD_W <= m; j += SIMD_W) {
        simd_vec column = SIMD(load)(columns + j);
        for (int r = 0; r < count; r++)
            column += u[r] * SIMD(load)(P + r * m + j);
        SIMD(store)(columns + j, column);
    }
    for (; j < m; j++)
        for (int r = 0; r < count; r++)
            columns[j] += u[r] * P[r * m + j];
}

SIMD_ENTRY void SIMD(hbcd_sweep)(const double *P, ptrdiff_t n, ptrdiff_t m, const double *a, const double *b, double *u,
                                 double *v, double *columns)
{
    ptrdiff_t i = 0;
    for (ptrdiff_t j = 0; j < m; j++)
        columns[j] = 0;
    for (; i + 4 <= n; i += 4)
        SIMD(hbcd_rows)(P + i * m, m, a + i, v, u + i, columns, 4);
    for (; i < n; i++)
        SIMD(hbcd_rows)(P + i * m, m, a + i, v, u + i, columns, 1);
    for (ptrdiff_t j = 0; j < m; j++)
        v[j] = b[j] / columns[j];
}

/* moments[k] += sum of P ((D - centre) inverse)^k for k = 1 .. HBCD_TERMS over `count` entries, a multiple of SIMD_WIDEST; P is
 * overwritten. */
SIMD_INLINE void SIMD(hbcd_powers)(double *P, const double *D, ptrdiff_t count, double centre, double inverse,
                                   double *moments)
{
    /* Eight at a time, so that the sums stay in registers. */
    for (int first = 1; first <= HBCD_TERMS; first += 8) {
        simd_vec sums[8] = {{0}};
        for (ptrdiff_t j = 0; j < count; j += SIMD_W) {
            simd_vec term = SIMD(load)(P + j), factor = inverse * (SIMD(load)(D + j) - centre);
            for (int k = 0; k < 8; k++) {
                term *= factor;
                sums[k] += term;
            }
            SIMD(store)(P + j, term);
        }
        for (int k = 0; k < 8; k++)
            moments[first + k] += SIMD(total)(sums[k]);
    }
}

SIMD_ENTRY void SIMD(hbcd_expand)(const double *P, const double *A, const double *B, ptrdiff_t n, ptrdiff_t m,
                                  const double *u, const double *v, double *kept, hbcd_series *found)
{
    double *D = kept + n * m + SIMD_WIDEST, low = INFINITY, high = -INFINITY;
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
    for (ptrdiff_t j = count; j < count + SIMD_WIDEST; j++) {
        kept[j] = 0;
        D[j] = found->centre;
    }
    for (ptrdiff_t start = 0; start < count; start += 512) {
        const ptrdiff_t left = (count - start + SIMD_WIDEST - 1) / SIMD_WIDEST * SIMD_WIDEST;
        SIMD(hbcd_powers)(kept + start, D + start, left < 512 ? left : 512, found->centre, 1.0 / found->radius,
                          found->moments);
    }
}

#endif
