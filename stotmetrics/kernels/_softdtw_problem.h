/* What to know about one problem before it runs: its range and its band. */
#ifndef STOTMETRICS_SOFTDTW_PROBLEM_H
#define STOTMETRICS_SOFTDTW_PROBLEM_H

#include "_softdtw_variants.h"

/* log2(e) / gamma */
static inline double sdtw_scale(double gamma) { return 1.0 / (gamma * 0.69314718055994530942); }

/* Whether all exponents stay integers of a double: for given costs, */
static int sdtw_costs_in_range(const sdtw_problem *p) {
    const double limit = SDTW_LIMIT / (double)(p->n + p->m);
    int beyond = 0;
    for (ptrdiff_t k = 0; k < p->n * p->m; k++) beyond |= !(fabs(p->cost[k]) * p->scale <= limit);
    return !beyond;
}

/* and for C-ordered series. */
static int sdtw_series_in_range(const double *x, const double *y, const sdtw_problem *p) {
    double bound = 0.0;
    for (ptrdiff_t k = 0; k < p->d; k++) {
        double low = x[k], high = x[k];
        for (ptrdiff_t i = 0; i < p->n; i++) {
            const double v = x[i * p->d + k];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        for (ptrdiff_t j = 0; j < p->m; j++) {
            const double v = y[j * p->d + k];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        bound += (high - low) * (high - low);
    }
    return bound * p->scale * (double)(p->n + p->m) <= SDTW_LIMIT;
}

/* The band of the columns within `radius` of the rescaled diagonal, counted along the shorter series; room: 2 n sizes.
 * Floor and ceil of the diagonal leave no gap between neighbouring rows. A negative radius: no band. */
static void sdtw_set_band(sdtw_problem *p, ptrdiff_t radius, ptrdiff_t *room) {
    const ptrdiff_t n = p->n, m = p->m;
    ptrdiff_t *first = room, *last = room + n, low = 0, high = 0;
    p->first = p->last = NULL;
    if (radius < 0) return;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (n >= m) {
            low = n > 1 ? i * (m - 1) / (n - 1) : 0;
            high = n > 1 ? (i * (m - 1) + n - 2) / (n - 1) : 0;
            first[i] = low > radius ? low - radius : 0;
            last[i] = radius < m - 1 - high ? high + radius : m - 1;
        } else {
            while ((low * (n - 1) + m - 2) / (m - 1) + radius < i) low++;
            while (high + 1 < m && (high + 1) * (n - 1) / (m - 1) - radius <= i) high++;
            first[i] = low;
            last[i] = high;
        }
    }
    p->first = first;
    p->last = last;
}

#endif
