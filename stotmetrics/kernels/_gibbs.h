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

/* The same with the row scaled to a mass a, P_j = a exp(v_j) / sum_k exp(v_k): nothing overflows, whatever beta is. */
typedef struct {
    double scale;  /* log(a / sum_j exp(v_j)): P_j = exp(scale + v_j) */
    double mean;   /* of D under P / a */
    double spread; /* sum_j P_j (D_j - mean)^2 */
} soft_sums;

/* columns and products: P and P (mean - D) added to each column. */
SIMD_DISPATCH(void, soft_row,
              (const double *A, const double *B, const double *beta, double a, double wa, double wb, ptrdiff_t m,
               double *P, double *columns, double *products, soft_sums *sums),
              (A, B, beta, a, wa, wb, m, P, columns, products, sums))

/* What Newton's step would make of a row of P, and what the row costs, with C = w A + (1 - w) B. */
typedef struct {
    double mean;   /* sum of P C */
    double square; /* sum of P C^2 */
    double lost;   /* sum of P (-1 - u) over the entries whose share u of a change takes them below zero */
} step_sums;

/* P times `scale` is meant; u_j = step + inverse step_g[j] - step_w (A_j - B_j). */
SIMD_DISPATCH(void, step_row,
              (const double *A, const double *B, const double *P, const double *step_g, double scale, double step,
               double inverse, double step_w, double w, ptrdiff_t m, step_sums *sums),
              (A, B, P, step_g, scale, step, inverse, step_w, w, m, sums))

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

SIMD_ENTRY void SIMD(step_row)(const double *A, const double *B, const double *P, const double *step_g, double scale,
                               double step, double inverse, double step_w, double w, ptrdiff_t m, step_sums *sums)
{
    const simd_vec zero = SIMD(all)(0.0), one = SIMD(all)(1.0), of_a = SIMD(all)(w), of_w = SIMD(all)(-step_w);
    const simd_vec constant = SIMD(all)(step), factor = SIMD(all)(inverse);
    simd_vec mean = zero, square = zero, lost = zero;
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const ptrdiff_t left = m - j;
        const simd_vec a = SIMD(read)(A + j, left, 0.0), b = SIMD(read)(B + j, left, 0.0), d = a - b;
        const simd_vec cost = SIMD_FMA(of_a, d, b), v = SIMD(read)(P + j, left, 0.0), vc = v * cost;
        const simd_vec u = SIMD_FMA(of_w, d, SIMD_FMA(factor, SIMD(read)(step_g + j, left, 0.0), constant));
        mean += vc;
        square = SIMD_FMA(vc, cost, square);
        lost = SIMD_FMA(v, SIMD_MAX(-one - u, zero), lost);
    }
    sums->mean = scale * SIMD(total)(mean);
    sums->square = scale * SIMD(total)(square);
    sums->lost = scale * SIMD(total)(lost);
}

/* The exponents into P; returns the largest. */
SIMD_INLINE double SIMD(soft_exponents)(const double *A, const double *B, const double *beta, double wa, double wb,
                                        ptrdiff_t m, double *P)
{
    const simd_vec of_a = SIMD(all)(-wa), of_b = SIMD(all)(-wb);
    simd_vec most = SIMD(all)(-INFINITY);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const simd_vec a = SIMD(read)(A + j, m - j, 0.0), b = SIMD(read)(B + j, m - j, 0.0);
        const simd_vec v = SIMD_FMA(of_b, b, SIMD_FMA(of_a, a, SIMD(read)(beta + j, m - j, -INFINITY)));
        SIMD(write)(P + j, m - j, v);
        most = SIMD_MAX(v, most);
    }
    return SIMD(largest)(most);
}

/* P becomes exp(P - most); the sums of that and of its product with D. */
SIMD_INLINE void SIMD(soft_powers)(const double *A, const double *B, double most, ptrdiff_t m, double *P, double *mass,
                                   double *product)
{
    /* Clamped: no entry is 0, so no column is empty, and products of two entries are no slow denormal numbers. */
    const simd_vec low = SIMD(all)(-345.0), top = SIMD(all)(most);
    simd_vec masses = SIMD(all)(0.0), with_d = SIMD(all)(0.0);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const simd_vec d = SIMD(read)(A + j, m - j, 0.0) - SIMD(read)(B + j, m - j, 0.0);
        simd_vec v = SIMD(exp_normal)(SIMD_MAX(SIMD(read)(P + j, m - j, most) - top, low));
        SIMD(write)(P + j, m - j, v);
        v = SIMD(first)(v, m - j);
        masses += v;
        with_d = SIMD_FMA(v, d, with_d);
    }
    *mass = SIMD(total)(masses);
    *product = SIMD(total)(with_d);
}

SIMD_ENTRY void SIMD(soft_row)(const double *A, const double *B, const double *beta, double a, double wa, double wb,
                               ptrdiff_t m, double *P, double *columns, double *products, soft_sums *sums)
{
    const double most = SIMD(soft_exponents)(A, B, beta, wa, wb, m, P);
    double mass, product;
    SIMD(soft_powers)(A, B, most, m, P, &mass, &product);
    const simd_vec factor = SIMD(all)(a / mass), mean = SIMD(all)(product / mass);
    simd_vec spread = SIMD(all)(0.0);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const simd_vec off = mean - (SIMD(read)(A + j, m - j, 0.0) - SIMD(read)(B + j, m - j, 0.0));
        const simd_vec v = factor * SIMD(read)(P + j, m - j, 0.0), moved = v * off;
        SIMD(write)(P + j, m - j, v);
        SIMD(write)(columns + j, m - j, SIMD(read)(columns + j, m - j, 0.0) + v);
        SIMD(write)(products + j, m - j, SIMD(read)(products + j, m - j, 0.0) + moved);
        spread = SIMD_FMA(moved, off, spread);
    }
    sums->scale = log(a / mass) - most;
    sums->mean = product / mass;
    sums->spread = SIMD(total)(spread);
}

#endif
