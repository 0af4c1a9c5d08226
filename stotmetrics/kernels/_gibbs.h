/* One row of a Gibbs plan P_j = exp(alpha + beta_j - wa A_j - wb B_j), and what Newton's method does with it. */
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

/* ---- what Newton's method and its certificate do with a row ---- */

/* P *= scale; then of_x -= x P and of_y += y P. */
SIMD_DISPATCH(void, scale_row,
              (double *P, double scale, double x, double y, ptrdiff_t m, double *of_x, double *of_y),
              (P, scale, x, y, m, of_x, of_y))

/* The largest of `count` entries, which are not negative. */
SIMD_DISPATCH(double, largest_entry, (const double *A, ptrdiff_t count), (A, count))

/* sum_j P_j v_j */
SIMD_DISPATCH(double, row_product, (const double *P, const double *v, ptrdiff_t m), (P, v, m))

/* columns += factor P */
SIMD_DISPATCH(void, add_row, (const double *P, double factor, ptrdiff_t m, double *columns), (P, factor, m, columns))

/* Of P_j v_j: its sum, and those of its products with A and with B. */
typedef struct {
    double mass;
    double of_a;
    double of_b;
} row_costs;

SIMD_DISPATCH(void, cost_row,
              (const double *P, const double *v, const double *A, const double *B, ptrdiff_t m, row_costs *sums),
              (P, v, A, B, m, sums))

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

SIMD_ENTRY void SIMD(scale_row)(double *P, double scale, double x, double y, ptrdiff_t m, double *of_x, double *of_y)
{
    const simd_vec factor = SIMD(all)(scale), minus_x = SIMD(all)(-x), plus_y = SIMD(all)(y);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const ptrdiff_t left = m - j;
        const simd_vec v = factor * SIMD(read)(P + j, left, 0.0);
        SIMD(write)(P + j, left, v);
        SIMD(write)(of_x + j, left, SIMD_FMA(minus_x, v, SIMD(read)(of_x + j, left, 0.0)));
        SIMD(write)(of_y + j, left, SIMD_FMA(plus_y, v, SIMD(read)(of_y + j, left, 0.0)));
    }
}

SIMD_ENTRY double SIMD(largest_entry)(const double *A, ptrdiff_t count)
{
    simd_vec most = SIMD(all)(0.0);
    for (ptrdiff_t k = 0; k < count; k += SIMD_W) most = SIMD_MAX(SIMD(read)(A + k, count - k, 0.0), most);
    return SIMD(largest)(most);
}

SIMD_ENTRY double SIMD(row_product)(const double *P, const double *v, ptrdiff_t m)
{
    simd_vec sum = SIMD(all)(0.0);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W)
        sum = SIMD_FMA(SIMD(read)(P + j, m - j, 0.0), SIMD(read)(v + j, m - j, 0.0), sum);
    return SIMD(total)(sum);
}

SIMD_ENTRY void SIMD(add_row)(const double *P, double factor, ptrdiff_t m, double *columns)
{
    const simd_vec all = SIMD(all)(factor);
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const ptrdiff_t left = m - j;
        const simd_vec v = SIMD_FMA(all, SIMD(read)(P + j, left, 0.0), SIMD(read)(columns + j, left, 0.0));
        SIMD(write)(columns + j, left, v);
    }
}

SIMD_ENTRY void SIMD(cost_row)(const double *P, const double *v, const double *A, const double *B, ptrdiff_t m,
                               row_costs *sums)
{
    simd_vec mass = SIMD(all)(0.0), of_a = mass, of_b = mass;
    for (ptrdiff_t j = 0; j < m; j += SIMD_W) {
        const ptrdiff_t left = m - j;
        const simd_vec value = SIMD(read)(P + j, left, 0.0) * SIMD(read)(v + j, left, 0.0);
        mass += value;
        of_a = SIMD_FMA(value, SIMD(read)(A + j, left, 0.0), of_a);
        of_b = SIMD_FMA(value, SIMD(read)(B + j, left, 0.0), of_b);
    }
    sums->mass = SIMD(total)(mass);
    sums->of_a = SIMD(total)(of_a);
    sums->of_b = SIMD(total)(of_b);
}

#endif
