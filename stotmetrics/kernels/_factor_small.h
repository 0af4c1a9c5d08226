/* Products with the transpose, Cholesky factors and what they solve, of matrices so small that the nearer caches hold
 * them: there a library spends as much on packing, and in buffers that its threads hand to each other, as on arithmetic.
 *
 * Matrices are column-major, of `stride` rows, a multiple of SIMD_WIDEST, and aligned; what stands above the diagonal is
 * nobody's. Rows behind the last one hold zeros, and their diagonal ones.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

/* S = -P' P for row-major P (n, m), which is copied to Q (n, stride). */
SIMD_DISPATCH(void, small_products,
              (const double *P, ptrdiff_t n, ptrdiff_t m, ptrdiff_t stride, double *Q, double *S),
              (P, n, m, stride, Q, S))

/* The Cholesky factor of S in its place, and the inverses of its diagonal; 0 if there is none. */
SIMD_DISPATCH(int, small_cholesky, (double *S, ptrdiff_t stride, double *inverse), (S, stride, inverse))

/* Both right sides become the solutions; `stride` entries each. */
SIMD_DISPATCH(void, small_solve, (const double *S, ptrdiff_t stride, const double *inverse, double *x, double *y),
              (S, stride, inverse, x, y))

#define SIMD_BODY "_factor_small.h"
#include "_simd.h"

#else

/* A block of SIMD_W columns from j on, `vectors` vectors of rows from i on: less the products of the columns i.. and j..
 * of a matrix of `count` rows, `stride` apart. */
SIMD_INLINE void SIMD(small_less)(
    const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t i, ptrdiff_t j, simd_vec *block, const int vectors
) {
    const double *at_i = rows + i, *at_j = rows + j;
    for (ptrdiff_t k = 0; k < count; k++, at_i += stride, at_j += stride) {
        const simd_vec a = *(const simd_vec *)at_i, b = vectors == 2 ? *(const simd_vec *)(at_i + SIMD_W) : a;
        SIMD_UNROLL
        for (int c = 0; c < SIMD_W; c++) {
            const simd_vec factor = SIMD(all)(at_j[c]);
            block[2 * c] = SIMD_FMA(-a, factor, block[2 * c]);
            if (vectors == 2) block[2 * c + 1] = SIMD_FMA(-b, factor, block[2 * c + 1]);
        }
    }
}

/* S or, where `fresh`, zero, less those products. */
SIMD_INLINE void SIMD(small_block)(
    double *S, const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t i, ptrdiff_t j, const int fresh,
    const int vectors
) {
    simd_vec block[2 * SIMD_W];
    double *const corner = S + j * stride + i;
    SIMD_UNROLL
    for (int c = 0; c < SIMD_W; c++) {
        SIMD_UNROLL
        for (int v = 0; v < vectors; v++)
            block[2 * c + v] = fresh ? SIMD(all)(0.0) : *(simd_vec *)(corner + c * stride + v * SIMD_W);
    }
    SIMD(small_less)(rows, count, stride, i, j, block, vectors);
    SIMD_UNROLL
    for (int c = 0; c < SIMD_W; c++) {
        SIMD_UNROLL
        for (int v = 0; v < vectors; v++) *(simd_vec *)(corner + c * stride + v * SIMD_W) = block[2 * c + v];
    }
}

/* The columns from j on, from the diagonal down. */
SIMD_INLINE void SIMD(small_columns)(
    double *S, const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t j, const int fresh
) {
    ptrdiff_t i = j;
    for (; i + 2 * SIMD_W <= stride; i += 2 * SIMD_W) SIMD(small_block)(S, rows, count, stride, i, j, fresh, 2);
    if (i < stride) SIMD(small_block)(S, rows, count, stride, i, j, fresh, 1);
}

SIMD_ENTRY void SIMD(small_products)(
    const double *P, ptrdiff_t n, ptrdiff_t m, ptrdiff_t stride, double *Q, double *S
) {
    for (ptrdiff_t k = 0; k < n; k++) {
        memcpy(Q + k * stride, P + k * m, m * sizeof(double));
        memset(Q + k * stride + m, 0, (stride - m) * sizeof(double));
    }
    for (ptrdiff_t j = 0; j < stride; j += SIMD_W) SIMD(small_columns)(S, Q, n, stride, j, 1);
    for (ptrdiff_t j = m; j < stride; j++) S[j * stride + j] = 1.0;
}

/* The block of the diagonal at j, whose columns before it are done; 0 if there is no factor. */
SIMD_INLINE int SIMD(small_corner)(double *S, ptrdiff_t stride, ptrdiff_t j, double *inverse) {
    for (ptrdiff_t c = j; c < j + SIMD_W; c++) {
        double *const column = S + c * stride;
        if (!(column[c] > 0.0)) return 0;
        column[c] = sqrt(column[c]);
        inverse[c] = 1.0 / column[c];
        for (ptrdiff_t r = c + 1; r < j + SIMD_W; r++) column[r] *= inverse[c];
        for (ptrdiff_t d = c + 1; d < j + SIMD_W; d++)
            for (ptrdiff_t r = d; r < j + SIMD_W; r++) S[d * stride + r] -= column[r] * column[d];
    }
    return 1;
}

/* The rows below it, a vector at a time. */
SIMD_INLINE void SIMD(small_below)(double *S, ptrdiff_t stride, ptrdiff_t j, const double *inverse) {
    for (ptrdiff_t i = j + SIMD_W; i < stride; i += SIMD_W) {
        simd_vec row[SIMD_W];
        SIMD_UNROLL
        for (int c = 0; c < SIMD_W; c++) {
            row[c] = *(simd_vec *)(S + (j + c) * stride + i);
            SIMD_UNROLL
            for (int t = 0; t < c; t++) row[c] = SIMD_FMA(-row[t], SIMD(all)(S[(j + t) * stride + j + c]), row[c]);
            row[c] *= SIMD(all)(inverse[j + c]);
            *(simd_vec *)(S + (j + c) * stride + i) = row[c];
        }
    }
}

SIMD_ENTRY int SIMD(small_cholesky)(double *S, ptrdiff_t stride, double *inverse) {
    for (ptrdiff_t j = 0; j < stride; j += SIMD_W) {
        if (j > 0) SIMD(small_columns)(S, S, j, stride, j, 0);
        if (!SIMD(small_corner)(S, stride, j, inverse)) return 0;
        SIMD(small_below)(S, stride, j, inverse);
    }
    return 1;
}

SIMD_ENTRY void SIMD(small_solve)(const double *S, ptrdiff_t stride, const double *inverse, double *x, double *y) {
    for (ptrdiff_t j = 0; j < stride; j++) {
        const double *const column = S + j * stride;
        const double at_x = x[j] *= inverse[j], at_y = y[j] *= inverse[j];
        ptrdiff_t i = j + 1;
        for (; i % SIMD_W; i++) {
            x[i] -= at_x * column[i];
            y[i] -= at_y * column[i];
        }
        for (; i < stride; i += SIMD_W) {
            const simd_vec part = *(const simd_vec *)(column + i);
            *(simd_vec *)(x + i) = SIMD_FMA(-part, SIMD(all)(at_x), *(simd_vec *)(x + i));
            *(simd_vec *)(y + i) = SIMD_FMA(-part, SIMD(all)(at_y), *(simd_vec *)(y + i));
        }
    }
    for (ptrdiff_t j = stride - 1; j >= 0; j--) {
        const double *const column = S + j * stride;
        simd_vec sum_x = SIMD(all)(0.0), sum_y = sum_x;
        double rest_x = x[j], rest_y = y[j];
        ptrdiff_t i = j + 1;
        for (; i % SIMD_W; i++) {
            rest_x -= column[i] * x[i];
            rest_y -= column[i] * y[i];
        }
        for (; i < stride; i += SIMD_W) {
            const simd_vec part = *(const simd_vec *)(column + i);
            sum_x = SIMD_FMA(part, *(const simd_vec *)(x + i), sum_x);
            sum_y = SIMD_FMA(part, *(const simd_vec *)(y + i), sum_y);
        }
        x[j] = (rest_x - SIMD(total)(sum_x)) * inverse[j];
        y[j] = (rest_y - SIMD(total)(sum_y)) * inverse[j];
    }
}

#endif
