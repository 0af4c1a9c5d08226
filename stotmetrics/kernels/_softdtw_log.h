/* Soft-DTW in the log domain on a given cost matrix, one cell at a time: any gamma, any cost, forbidden cells (+inf).
 *
 * Differences are taken before the division by gamma: a tiny gamma may overflow to exp(-inf) = 0, never to inf - inf.
 */
#ifndef STOTMETRICS_SOFTDTW_LOG_H
#define STOTMETRICS_SOFTDTW_LOG_H

#include <math.h>
#include <stddef.h>

#include "_interrupt.h"

/* What a cell costs, in elementary steps. */
#define SDTW_LOG_CELL 32

/* The three predecessors of a cell: diagonal, up, left; of their weights, the sum is 1. */
typedef struct {
    double r[3], weight[3];
} sdtw_before;

static inline double sdtw_softmin(double a, double b, double c, double gamma) {
    const double low = fmin(a, fmin(b, c));
    if (gamma == 0.0 || isinf(low)) return low;
    return low - gamma * log(exp((low - a) / gamma) + exp((low - b) / gamma) + exp((low - c) / gamma));
}

/* The weights of the predecessors; ties of hard DTW share equally, the limit of gamma -> 0. */
static inline void sdtw_weigh(sdtw_before *b, double gamma) {
    const double low = fmin(b->r[0], fmin(b->r[1], b->r[2]));
    double total = 0.0;
    for (int k = 0; k < 3; k++) {
        if (isinf(b->r[k])) b->weight[k] = 0.0;
        else if (gamma == 0.0) b->weight[k] = b->r[k] == low;
        else b->weight[k] = exp((low - b->r[k]) / gamma);
        total += b->weight[k];
    }
    for (int k = 0; k < 3; k++) b->weight[k] /= total;
}

static inline int sdtw_inside(const sdtw_problem *p, ptrdiff_t i, ptrdiff_t j) {
    return !p->first || (p->first[i] <= j && j <= p->last[i]);
}

/* work: m doubles. */
static double sdtw_log_value(const sdtw_problem *p, double gamma, double *work) {
    for (ptrdiff_t j = 0; j < p->m; j++) work[j] = INFINITY;
    ptrdiff_t until = INTERRUPT_SLICE;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        if (interrupt_turn(&until, SDTW_LOG_CELL * p->m)) break;
        double diagonal = i == 0 ? 0.0 : INFINITY, left = INFINITY;
        for (ptrdiff_t j = 0; j < p->m; j++) {
            const double up = work[j];
            left = sdtw_inside(p, i, j) ? p->cost[i * p->m + j] + sdtw_softmin(diagonal, up, left, gamma) : INFINITY;
            diagonal = up;
            work[j] = left;
        }
    }
    return work[p->m - 1];
}

/* The bordered matrix R, (n + 1)(m + 1) doubles; returns the value. */
static double sdtw_log_table(const sdtw_problem *p, double gamma, double *table) {
    const ptrdiff_t row = p->m + 1;
    for (ptrdiff_t j = 0; j <= p->m; j++) table[j] = INFINITY;
    table[0] = 0.0;
    ptrdiff_t until = INTERRUPT_SLICE;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        if (interrupt_turn(&until, SDTW_LOG_CELL * p->m)) break;
        double *r = table + (i + 1) * row;
        r[0] = INFINITY;
        for (ptrdiff_t j = 0; j < p->m; j++)
            r[j + 1] = sdtw_inside(p, i, j)
                ? p->cost[i * p->m + j] + sdtw_softmin(r[j - row], r[j + 1 - row], r[j], gamma)
                : INFINITY;
    }
    return table[p->n * row + p->m];
}

/* Expected alignment (n, m): each cell hands its mass to its predecessors. work: (n + 1)(m + 1) doubles. */
static double sdtw_log_alignment(const sdtw_problem *p, double gamma, double *work, double *alignment) {
    const ptrdiff_t m = p->m, row = m + 1, from[3] = {-m - 1, -m, -1};
    const double value = sdtw_log_table(p, gamma, work);
    for (ptrdiff_t k = 0; k < p->n * m; k++) alignment[k] = 0.0;
    if (isinf(value)) return value;
    alignment[p->n * m - 1] = 1.0;
    ptrdiff_t until = INTERRUPT_SLICE;
    for (ptrdiff_t i = p->n - 1; i >= 0; i--) {
        if (interrupt_turn(&until, SDTW_LOG_CELL * m)) break;
        for (ptrdiff_t j = m - 1; j >= 0; j--) {
            const double *r = work + (i + 1) * row + j + 1;
            double *e = alignment + i * m + j;
            if (*e == 0.0 || (i == 0 && j == 0)) continue;
            sdtw_before b = {{r[-row - 1], r[-row], r[-1]}, {0}};
            sdtw_weigh(&b, gamma);
            for (int k = 0; k < 3; k++)
                if (b.weight[k] > 0.0) e[from[k]] += b.weight[k] * *e;
        }
    }
    return value;
}

/* The alignment and its derivative in the direction `along` (n, m), for gamma > 0. work: 2 (n + 1)(m + 1) doubles. */
static double sdtw_log_jvp(
    const sdtw_problem *p, double gamma, const double *along, double *work, double *alignment, double *moved
) {
    const ptrdiff_t m = p->m, row = m + 1, from[3] = {-m - 1, -m, -1};
    double *slope = work + (p->n + 1) * row;
    const double value = sdtw_log_alignment(p, gamma, work, alignment);
    for (ptrdiff_t k = 0; k < p->n * m; k++) moved[k] = 0.0;
    for (ptrdiff_t k = 0; k < (p->n + 1) * row; k++) slope[k] = 0.0;
    if (isinf(value)) return value;
    ptrdiff_t until = INTERRUPT_SLICE;
    for (int backward = 0; backward < 2; backward++) {
        for (ptrdiff_t k = 0; k < p->n * m; k++) {
            const ptrdiff_t cell = backward ? p->n * m - 1 - k : k, i = cell / m, j = cell % m;
            if (interrupt_turn(&until, SDTW_LOG_CELL)) break;
            const double *r = work + (i + 1) * row + j + 1;
            double *s = slope + (i + 1) * row + j + 1;
            if (cell == 0 && !backward) *s = along[0];
            if (cell == 0 || isinf(*r)) continue;
            sdtw_before b = {{r[-row - 1], r[-row], r[-1]}, {0}};
            sdtw_weigh(&b, gamma);
            const double slopes[3] = {s[-row - 1], s[-row], s[-1]};
            const double mean = b.weight[0] * slopes[0] + b.weight[1] * slopes[1] + b.weight[2] * slopes[2];
            if (!backward) *s = along[cell] + mean;
            else
                for (int q = 0; q < 3; q++)
                    if (b.weight[q] > 0.0)
                        moved[cell + from[q]] +=
                            b.weight[q] * (moved[cell] + alignment[cell] * (mean - slopes[q]) / gamma);
        }
    }
    return value;
}

#endif
