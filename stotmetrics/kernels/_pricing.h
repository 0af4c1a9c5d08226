/* The one loop that decides how fast the network simplex is: the least reduced cost of a row. */
#ifndef SIMD_BUILD

#include "_simd.h"

SIMD_DISPATCH(double, least, (const double *cost, const double *potential, ptrdiff_t m), (cost, potential, m))

#define SIMD_BODY "_pricing.h"
#include "_simd.h"

#else

SIMD_ENTRY double SIMD(least)(const double *cost, const double *potential, ptrdiff_t m)
{
    const double none = 1e308;
    simd_vec low = SIMD(all)(none), other = low;
    ptrdiff_t j = 0;
    for (; j + 2 * SIMD_W <= m; j += 2 * SIMD_W) {
        low = SIMD_MIN(low, SIMD(load)(cost + j) - SIMD(load)(potential + j));
        other = SIMD_MIN(other, SIMD(load)(cost + j + SIMD_W) - SIMD(load)(potential + j + SIMD_W));
    }
    double least = SIMD(smallest)(SIMD_MIN(low, other));
    for (; j < m; j++) {
        const double reduced = cost[j] - potential[j];
        least = reduced < least ? reduced : least;
    }
    return least;
}

#endif
