/* Sums over the differences of two rows of numbers, of squares or of sizes.
 *
 * Number i goes to sum i mod DIFF_SUMS, whatever the width of a vector, so that all builds add in the same order.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

#define DIFF_SUMS 16

SIMD_DISPATCH(double, diff_squares, (const double *a, const double *b, ptrdiff_t n), (a, b, n))
SIMD_DISPATCH(double, diff_sizes, (const double *a, const double *b, ptrdiff_t n), (a, b, n))

#define SIMD_BODY "_differences.h"
#include "_simd.h"

#else

#define DIFF_VECTORS (DIFF_SUMS / SIMD_W)

SIMD_INLINE double SIMD(diff_total)(double *sums)
{
    SIMD_UNROLL
    for (int k = 0; k < 8; k++) sums[k] += sums[k + 8];
    SIMD_UNROLL
    for (int k = 0; k < 4; k++) sums[k] += sums[k + 4];
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

SIMD_INLINE double SIMD(diff_sum)(const double *a, const double *b, ptrdiff_t n, const int squares)
{
    simd_vec parts[DIFF_VECTORS] = {{0}};
    double sums[DIFF_SUMS];
    ptrdiff_t i = 0;
    for (; i + DIFF_SUMS <= n; i += DIFF_SUMS) {
        SIMD_UNROLL
        for (int k = 0; k < DIFF_VECTORS; k++) {
            const simd_vec d = SIMD(load)(a + i + k * SIMD_W) - SIMD(load)(b + i + k * SIMD_W);
            parts[k] = squares ? SIMD_FMA(d, d, parts[k]) : parts[k] + SIMD_MAX(d, -d);
        }
    }
    for (int k = 0; k < DIFF_VECTORS; k++) SIMD(store)(sums + k * SIMD_W, parts[k]);
    for (int k = 0; i + k < n; k++) {
        const double d = a[i + k] - b[i + k];
        sums[k] += squares ? d * d : fabs(d);
    }
    return SIMD(diff_total)(sums);
}

SIMD_ENTRY double SIMD(diff_squares)(const double *a, const double *b, ptrdiff_t n)
{
    return SIMD(diff_sum)(a, b, n, 1);
}

SIMD_ENTRY double SIMD(diff_sizes)(const double *a, const double *b, ptrdiff_t n)
{
    return SIMD(diff_sum)(a, b, n, 0);
}

#undef DIFF_VECTORS

#endif
