/* Reduced costs of a row of arcs between two sides: the loop that decides how fast the network simplex is. */
#ifndef SIMD_BUILD

#include "_simd.h"

/* An arc from i to j costs w a + v b. Costs are stored, or are squared distances between atoms. */
typedef struct {
    ptrdiff_t n, m;
    double w, v;
    const double *A, *B; /* (n, m); without B, A alone counts; without A, the atoms say */
    const double *x, *y; /* values of both sides, by atoms (n, d) and by features (d, m) */
    const double *t, *s; /* times */
    ptrdiff_t d;
} pricing_costs;

/* What the arc costs: its a and b. */
static inline void pricing_cell(const pricing_costs *c, ptrdiff_t i, ptrdiff_t j, double *a, double *b)
{
    if (c->A) {
        *a = c->A[i * c->m + j];
        *b = c->B ? c->B[i * c->m + j] : 0.0;
        return;
    }
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < c->d; k++) {
        const double gap = c->x[i * c->d + k] - c->y[k * c->m + j];
        sum += gap * gap;
    }
    *a = sum;
    *b = (c->t[i] - c->s[j]) * (c->t[i] - c->s[j]);
}

/* reduced[j] = cost[i, j] - potential[j]; returns the least of them. */
SIMD_DISPATCH(double, pricing_row,
              (const pricing_costs *c, ptrdiff_t i, const double *potential, double *reduced),
              (c, i, potential, reduced))

#define SIMD_BODY "_pricing.h"
#include "_simd.h"

#else

SIMD_INLINE simd_vec SIMD(pricing_entries)(const pricing_costs *c, ptrdiff_t i, ptrdiff_t j, ptrdiff_t left,
                                           const double *potential)
{
    const simd_vec w = SIMD(all)(c->w), v = SIMD(all)(c->v);
    const simd_vec g = SIMD(read)(potential + j, left, 0.0);
    if (c->A) {
        const simd_vec a = SIMD(read)(c->A + i * c->m + j, left, 1e308);
        if (!c->B) return a - g;
        return SIMD_FMA(w, a, SIMD_FMA(v, SIMD(read)(c->B + i * c->m + j, left, 0.0), -g));
    }
    simd_vec sum = SIMD(all)(0.0);
    for (ptrdiff_t k = 0; k < c->d; k++) {
        const simd_vec gap = SIMD(all)(c->x[i * c->d + k]) - SIMD(read)(c->y + k * c->m + j, left, 0.0);
        sum = SIMD_FMA(gap, gap, sum);
    }
    const simd_vec late = SIMD(all)(c->t[i]) - SIMD(read)(c->s + j, left, 0.0);
    return SIMD_FMA(w, sum, SIMD_FMA(v * late, late, -g));
}

SIMD_INLINE double SIMD(pricing_least)(const pricing_costs *c, ptrdiff_t i, const double *potential, double *reduced)
{
    simd_vec low = SIMD(all)(1e308), other = low;
    const ptrdiff_t m = c->m;
    ptrdiff_t j = 0;
    for (; j + 2 * SIMD_W <= m; j += 2 * SIMD_W) {
        const simd_vec first = SIMD(pricing_entries)(c, i, j, SIMD_W, potential);
        const simd_vec second = SIMD(pricing_entries)(c, i, j + SIMD_W, SIMD_W, potential);
        low = SIMD_MIN(low, first);
        other = SIMD_MIN(other, second);
        SIMD(store)(reduced + j, first);
        SIMD(store)(reduced + j + SIMD_W, second);
    }
    double least = SIMD(smallest)(SIMD_MIN(low, other));
    for (; j < m; j += SIMD_W) {
        SIMD(write)(reduced + j, m - j, SIMD(pricing_entries)(c, i, j, m - j, potential));
        for (ptrdiff_t k = j; k < m && k < j + SIMD_W; k++) least = reduced[k] < least ? reduced[k] : least;
    }
    return least;
}

SIMD_ENTRY double SIMD(pricing_row)(const pricing_costs *c, ptrdiff_t i, const double *potential, double *reduced)
{
    /* A loop of its own for each kind of costs. */
    if (!c->A && c->d == 1) {
        pricing_costs plane = *c;
        plane.A = NULL;
        plane.d = 1;
        return SIMD(pricing_least)(&plane, i, potential, reduced);
    }
    if (!c->A) {
        pricing_costs space = *c;
        space.A = NULL;
        return SIMD(pricing_least)(&space, i, potential, reduced);
    }
    return SIMD(pricing_least)(c, i, potential, reduced);
}

#endif
