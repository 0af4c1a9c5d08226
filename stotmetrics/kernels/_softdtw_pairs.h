/* Many pairs of series at once: which of them run side by side. */
#ifndef STOTMETRICS_SOFTDTW_PAIRS_H
#define STOTMETRICS_SOFTDTW_PAIRS_H

#include "_softdtw_problem.h"

/* Beyond this length the rows of the lanes leave the nearer caches, and single pairs are as fast. */
#define SDTW_LONGEST_LANE 2048

/* Pair k: series rows[k] of the left and cols[k] of the right at gammas[k]. Series s of a side has the d-dimensional
 * points at[s]..at[s + 1] of its values, within the box low[s d..], high[s d..]. */
typedef struct {
    const double *left, *right;
    const ptrdiff_t *left_at, *right_at;
    const double *left_low, *left_high, *right_low, *right_high;
    const ptrdiff_t *rows, *cols;
    const double *gammas;
    ptrdiff_t d;
} sdtw_pairs;

static inline ptrdiff_t sdtw_rows_of(const sdtw_pairs *p, ptrdiff_t k) {
    return p->left_at[p->rows[k] + 1] - p->left_at[p->rows[k]];
}

static inline ptrdiff_t sdtw_cols_of(const sdtw_pairs *p, ptrdiff_t k) {
    return p->right_at[p->cols[k] + 1] - p->right_at[p->cols[k]];
}

static inline const double *sdtw_x_of(const sdtw_pairs *p, ptrdiff_t k) {
    return p->left + p->left_at[p->rows[k]] * p->d;
}

static inline const double *sdtw_y_of(const sdtw_pairs *p, ptrdiff_t k) {
    return p->right + p->right_at[p->cols[k]] * p->d;
}

/* Whether the exponents of pair k stay integers of a double. */
static int sdtw_in_range(const sdtw_pairs *p, ptrdiff_t k) {
    const ptrdiff_t i = p->rows[k] * p->d, j = p->cols[k] * p->d;
    double bound = 0.0;
    for (ptrdiff_t q = 0; q < p->d; q++) {
        const double high = p->left_high[i + q] > p->right_high[j + q] ? p->left_high[i + q] : p->right_high[j + q];
        const double low = p->left_low[i + q] < p->right_low[j + q] ? p->left_low[i + q] : p->right_low[j + q];
        bound += (high - low) * (high - low);
    }
    return bound * sdtw_scale(p->gammas[k]) * (double)(sdtw_rows_of(p, k) + sdtw_cols_of(p, k)) <= SDTW_LIMIT;
}

/* Whether the W chosen pairs can and should run side by side: in range, and of similar lengths. */
static int sdtw_lanes_pay(const sdtw_pairs *p, const ptrdiff_t *chosen, sdtw_lanes *lanes) {
    ptrdiff_t cells = 0;
    lanes->n = lanes->m = 0;
    lanes->d = p->d;
    for (int l = 0; l < SDTW_W; l++) {
        const ptrdiff_t k = chosen[l], n = sdtw_rows_of(p, k), m = sdtw_cols_of(p, k);
        if (p->gammas[k] == 0.0 || n == 1 || m == 1 || m > SDTW_LONGEST_LANE || !sdtw_in_range(p, k)) return 0;
        lanes->rows[l] = n;
        lanes->cols[l] = m;
        lanes->scale[l] = sdtw_scale(p->gammas[k]);
        if (n > lanes->n) lanes->n = n;
        if (m > lanes->m) lanes->m = m;
        cells += n * m;
    }
    return 5 * SDTW_W * lanes->n * lanes->m <= 6 * cells;
}

static void sdtw_run_lanes(
    const sdtw_variant *variant, const sdtw_pairs *p, const ptrdiff_t *chosen, const sdtw_lanes *lanes, double *out
) {
    sdtw_total totals[SDTW_W];
    for (int l = 0; l < SDTW_W; l++) sdtw_fill_lane(lanes, l, sdtw_x_of(p, chosen[l]), sdtw_y_of(p, chosen[l]));
    variant->lanes(lanes, totals);
    for (int l = 0; l < SDTW_W; l++) out[chosen[l]] = sdtw_value_of(&totals[l], p->gammas[chosen[l]]);
}

/* Doubles of workspace for lanes, alignment included. */
static inline ptrdiff_t sdtw_lanes_work(ptrdiff_t n, ptrdiff_t m, ptrdiff_t d) {
    if (m > SDTW_LONGEST_LANE) m = SDTW_LONGEST_LANE;
    return SDTW_W * ((n + 1 + m) * d + 4 * m) + 8;
}

static inline double *sdtw_aligned(double *work) { return (double *)(((uintptr_t)work + 63) & ~(uintptr_t)63); }

#endif
