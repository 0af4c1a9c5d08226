/* The one loop that decides how fast the network simplex is: the least reduced cost of a row. */
#ifndef STOTMETRICS_PRICING_H
#define STOTMETRICS_PRICING_H

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define STOTMETRICS_X86 1
#include <immintrin.h>
#endif

typedef double (*least_fn)(const double *cost, const double *potential, ptrdiff_t m);

static double least_plain(const double *cost, const double *potential, ptrdiff_t m)
{
    double low[4] = {1e308, 1e308, 1e308, 1e308};
    ptrdiff_t j = 0, k;
    for (; j + 4 <= m; j += 4)
        for (k = 0; k < 4; k++) {
            double reduced = cost[j + k] - potential[j + k];
            low[k] = reduced < low[k] ? reduced : low[k];
        }
    for (; j < m; j++) {
        double reduced = cost[j] - potential[j];
        low[0] = reduced < low[0] ? reduced : low[0];
    }
    low[0] = low[1] < low[0] ? low[1] : low[0];
    low[2] = low[3] < low[2] ? low[3] : low[2];
    return low[2] < low[0] ? low[2] : low[0];
}

#ifdef STOTMETRICS_X86
__attribute__((target("avx2")))
static double least_avx2(const double *cost, const double *potential, ptrdiff_t m)
{
    __m256d low0 = _mm256_set1_pd(1e308), low1 = low0;
    double lanes[4], low;
    ptrdiff_t j = 0;
    for (; j + 8 <= m; j += 8) {
        low0 = _mm256_min_pd(low0, _mm256_sub_pd(_mm256_loadu_pd(cost + j), _mm256_loadu_pd(potential + j)));
        low1 = _mm256_min_pd(low1, _mm256_sub_pd(_mm256_loadu_pd(cost + j + 4), _mm256_loadu_pd(potential + j + 4)));
    }
    _mm256_storeu_pd(lanes, _mm256_min_pd(low0, low1));
    low = lanes[0] < lanes[1] ? lanes[0] : lanes[1];
    low = lanes[2] < low ? lanes[2] : low;
    low = lanes[3] < low ? lanes[3] : low;
    for (; j < m; j++) {
        double reduced = cost[j] - potential[j];
        low = reduced < low ? reduced : low;
    }
    return low;
}
#endif

static least_fn choose_least(void)
{
#ifdef STOTMETRICS_X86
    if (__builtin_cpu_supports("avx2"))
        return least_avx2;
#endif
    return least_plain;
}

#endif
