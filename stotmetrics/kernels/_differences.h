/* Sums over the differences of two rows of numbers, of squares or of sizes.
 *
 * Number i goes to sum i mod DIFF_SUMS, whatever the width of a vector, so that all builds add in the same order.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

#define DIFF_SUMS 16
/* Rows that go together, so that another one is read once for all of them. */
#define DIFF_ROWS 4
typedef const double *diff_row;

/* Of each of `rows` rows, one or DIFF_ROWS, the sum over its differences from the row b; the same of either sign. */
SIMD_DISPATCH(void, diff_squares, (const diff_row *a, int rows, const double *b, ptrdiff_t n, double *sums),
              (a, rows, b, n, sums))
SIMD_DISPATCH(void, diff_sizes, (const diff_row *a, int rows, const double *b, ptrdiff_t n, double *sums),
              (a, rows, b, n, sums))

#define SIMD_BODY "_differences.h"
#include "_simd.h"

#else

#define DIFF_VECTORS (DIFF_SUMS / SIMD_W)
/* As many of them as the registers hold the sums of. */
#define DIFF_AT_ONCE (SIMD_W / 2)

SIMD_INLINE simd_vec SIMD(diff_size)(simd_vec d)
{
    return (simd_vec)((simd_bits)d & ~(simd_bits)SIMD(all)(-0.0));
}

SIMD_INLINE double SIMD(diff_total)(double *sums)
{
    SIMD_UNROLL
    for (int k = 0; k < 8; k++) sums[k] += sums[k + 8];
    SIMD_UNROLL
    for (int k = 0; k < 4; k++) sums[k] += sums[k + 4];
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

SIMD_INLINE simd_vec SIMD(diff_add)(simd_vec d, simd_vec sum, const int squares)
{
    return squares ? SIMD_FMA(d, d, sum) : sum + SIMD(diff_size)(d);
}

SIMD_INLINE void SIMD(diff_rows)(
    const diff_row *a, const int rows, const double *b, ptrdiff_t n, const int squares, double *out)
{
    simd_vec parts[DIFF_AT_ONCE][DIFF_VECTORS] = {{{0}}};
    ptrdiff_t i = 0;
    for (; i + DIFF_SUMS <= n; i += DIFF_SUMS) {
        SIMD_UNROLL
        for (int k = 0; k < DIFF_VECTORS; k++) {
            const simd_vec there = SIMD(load)(b + i + k * SIMD_W);
            SIMD_UNROLL
            for (int r = 0; r < rows; r++) {
                parts[r][k] = SIMD(diff_add)(SIMD(load)(a[r] + i + k * SIMD_W) - there, parts[r][k], squares);
            }
        }
    }
    SIMD_UNROLL
    for (int k = 0; k < DIFF_VECTORS; k++, i += SIMD_W) {
        if (i >= n) break;
        const simd_vec there = SIMD(read)(b + i, n - i, 0.0);
        SIMD_UNROLL
        for (int r = 0; r < rows; r++) {
            parts[r][k] = SIMD(diff_add)(SIMD(read)(a[r] + i, n - i, 0.0) - there, parts[r][k], squares);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < rows; r++) {
        double sums[DIFF_SUMS];
        SIMD_UNROLL
        for (int k = 0; k < DIFF_VECTORS; k++) SIMD(store)(sums + k * SIMD_W, parts[r][k]);
        out[r] = SIMD(diff_total)(sums);
    }
}

SIMD_INLINE void SIMD(diff_all)(
    const diff_row *a, int rows, const double *b, ptrdiff_t n, const int squares, double *sums)
{
    if (rows == 1) SIMD(diff_rows)(a, 1, b, n, squares, sums);
    else for (int r = 0; r < DIFF_ROWS; r += DIFF_AT_ONCE) SIMD(diff_rows)(a + r, DIFF_AT_ONCE, b, n, squares, sums + r);
}

SIMD_ENTRY void SIMD(diff_squares)(const diff_row *a, int rows, const double *b, ptrdiff_t n, double *sums)
{
    SIMD(diff_all)(a, rows, b, n, 1, sums);
}

SIMD_ENTRY void SIMD(diff_sizes)(const diff_row *a, int rows, const double *b, ptrdiff_t n, double *sums)
{
    SIMD(diff_all)(a, rows, b, n, 0, sums);
}

#undef DIFF_AT_ONCE
#undef DIFF_VECTORS

#endif
