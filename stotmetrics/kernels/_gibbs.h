/* One row of a Gibbs plan P_j = exp(alpha + beta_j - wa A_j - wb B_j) and all sums that Newton's method asks of it. */
#ifndef SIMD_BUILD

#include "_simd.h"

/* Over the row, with D = A - B. */
typedef struct {
    double mass;    /* of P */
    double product; /* of P D */
    double square;  /* of P D^2 */
} gibbs_sums;

/* columns and products: P and P D added to each column. */
SIMD_DISPATCH(void, gibbs_row,
              (const double *A, const double *B, const double *beta, double alpha, double wa, double wb, ptrdiff_t m,
               double *P, double *columns, double *products, gibbs_sums *sums),
              (A, B, beta, alpha, wa, wb, m, P, columns, products, sums))

#define SIMD_BODY "_gibbs.h"
#include "_simd.h"

#else

typedef struct {
    simd_vec alpha, wa, wb;
} SIMD(gibbs_weights);

typedef struct {
    simd_vec mass, product, square;
} SIMD(gibbs_lanes);

/* The first `left` of SIMD_W entries at each of these addresses. */
SIMD_INLINE void SIMD(gibbs_entries)(const SIMD(gibbs_weights) *w, ptrdiff_t left, const double *A, const double *B,
                                     const double *beta, double *P, double *columns, double *products,
                                     SIMD(gibbs_lanes) *sums)
{
    /* Exponents are clamped: no entry is 0 or infinite, so no sum divides by zero, and products of two entries stay
     * normal numbers, which are many times faster than the denormal ones below them. */
    const simd_vec low = SIMD(all)(-345.0), high = SIMD(all)(709.0);
    const simd_vec a = SIMD(read)(A, left, 0.0), b = SIMD(read)(B, left, 0.0), d = a - b;
    simd_vec v = SIMD_FMA(-w->wa, a, w->alpha + SIMD(read)(beta, left, 0.0));
    v = SIMD(exp_normal)(SIMD_MIN(SIMD_MAX(SIMD_FMA(-w->wb, b, v), low), high));
    SIMD(write)(P, left, v);
    v = SIMD(first)(v, left);
    const simd_vec vd = v * d;
    SIMD(write)(columns, left, SIMD(read)(columns, left, 0.0) + v);
    SIMD(write)(products, left, SIMD(read)(products, left, 0.0) + vd);
    sums->mass += v;
    sums->product += vd;
    sums->square = SIMD_FMA(vd, d, sums->square);
}

SIMD_ENTRY void SIMD(gibbs_row)(const double *A, const double *B, const double *beta, double alpha, double wa,
                                double wb, ptrdiff_t m, double *P, double *columns, double *products, gibbs_sums *sums)
{
    const SIMD(gibbs_weights) weights = {SIMD(all)(alpha), SIMD(all)(wa), SIMD(all)(wb)};
    SIMD(gibbs_lanes) lanes = {SIMD(all)(0.0), SIMD(all)(0.0), SIMD(all)(0.0)};
    ptrdiff_t j = 0;
    for (; j + SIMD_W <= m; j += SIMD_W)
        SIMD(gibbs_entries)(&weights, SIMD_W, A + j, B + j, beta + j, P + j, columns + j, products + j, &lanes);
    if (j < m)
        SIMD(gibbs_entries)(&weights, m - j, A + j, B + j, beta + j, P + j, columns + j, products + j, &lanes);
    sums->mass = SIMD(total)(lanes.mass);
    sums->product = SIMD(total)(lanes.product);
    sums->square = SIMD(total)(lanes.square);
}

#endif
