/* The plan of entropic transport and what Newton's method does with it, in single precision, for problems that the
 * nearer caches hold: twice as many numbers in a register, half as many bytes. What is found here only starts the steps
 * in double precision.
 *
 * Rows have `stride` numbers, a multiple of SINGLE_LANES, and are aligned; behind the last column the plan is zero. S and
 * its factor are column-major, as in _factor_small.h. Results below the normal numbers should be flushed to zero: the
 * products of a sharp plan are full of them.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

#define SINGLE_LANES (2 * SIMD_WIDEST)

typedef float single_quad __attribute__((vector_size(16)));

/* Rows of m numbers become rows of `stride`, with zeros behind. */
SIMD_DISPATCH(void, single_rows, (const double *A, ptrdiff_t n, ptrdiff_t m, ptrdiff_t stride, float *out),
              (A, n, m, stride, out))

/* P_ij = exp(alpha_i + beta_j - wa A_ij - wb B_ij), with D = A - B the sums of P and P D over each row and each column, and
 * what is returned, that of P D^2. */
SIMD_DISPATCH(double, single_plan,
              (const float *A, const float *B, const float *alpha, const float *beta, float wa, float wb, ptrdiff_t n,
               ptrdiff_t m, ptrdiff_t stride, float *P, double *rows, double *row_products, float *columns,
               float *column_products),
              (A, B, alpha, beta, wa, wb, n, m, stride, P, rows, row_products, columns, column_products))

/* P *= scale; then of_x -= x P and of_y += y P. */
SIMD_DISPATCH(void, single_scale,
              (float *P, float scale, float x, float y, ptrdiff_t stride, float *of_x, float *of_y),
              (P, scale, x, y, stride, of_x, of_y))

/* sum_j P_j v_j */
SIMD_DISPATCH(double, single_dot, (const float *P, const float *v, ptrdiff_t stride), (P, v, stride))

/* columns += factor P */
SIMD_DISPATCH(void, single_add, (const float *P, float factor, ptrdiff_t stride, float *columns),
              (P, factor, stride, columns))

/* S = v v' - P' P for a P of n rows. */
SIMD_DISPATCH(void, single_products, (const float *P, const float *v, ptrdiff_t n, ptrdiff_t stride, float *S),
              (P, v, n, stride, S))

/* The Cholesky factor of S in its place, and the inverses of its diagonal; 0 if there is none. */
SIMD_DISPATCH(int, single_cholesky, (float *S, ptrdiff_t stride, float *inverse), (S, stride, inverse))

/* Both right sides become the solutions. */
SIMD_DISPATCH(void, single_solve, (const float *S, ptrdiff_t stride, const float *inverse, float *x, float *y),
              (S, stride, inverse, x, y))

#define SIMD_BODY "_entropic_single.h"
#include "_simd.h"

#else

#define SINGLE_W (2 * SIMD_W)
#if defined(__clang__)
#define SINGLE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SINGLE_UNROLL _Pragma("GCC unroll 16")
#endif

SIMD_INLINE simd_floats SIMD(single_all)(float a)
{
#if SIMD_W == 8
    return (simd_floats){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a};
#else
    return (simd_floats){a, a, a, a, a, a, a, a};
#endif
}
SIMD_INLINE double SIMD(single_total)(simd_floats v)
{
    const union {
        simd_floats whole;
        single_quad part[SINGLE_W / 4];
    } u = {v};
    single_quad sum = u.part[0] + u.part[1];
    for (int k = 2; k < SINGLE_W / 4; k++) sum += u.part[k];
    return (double)((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* exp within [-80, 80], to a few units in the last place; beyond, of the nearer end. */
SIMD_INLINE simd_floats SIMD(single_exp)(simd_floats x)
{
    const simd_floats low = SIMD(single_all)(-80.0f), high = SIMD(single_all)(80.0f), magic = SIMD(single_all)(0x1.8p23f);
    x = SIMD_MIN_FLOATS(SIMD_MAX_FLOATS(x, low), high);
    simd_floats k = x * 0x1.715476p+0f + magic;
    const simd_ints power = (simd_ints)k << 23;
    k -= magic;
    simd_floats r = x - k * 0x1.62e4p-1f;
    r = r - k * 0x1.7f7d1cp-20f;
    simd_floats p = r * (1.0f / 720.0f) + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return (simd_floats)((simd_ints)p + power);
}

SIMD_ENTRY void SIMD(single_rows)(const double *A, ptrdiff_t n, ptrdiff_t m, ptrdiff_t stride, float *out)
{
    for (ptrdiff_t i = 0; i < n; i++, A += m, out += stride) {
        for (ptrdiff_t j = 0; j < m; j++) out[j] = (float)A[j];
        for (ptrdiff_t j = m; j < stride; j++) out[j] = 0.0f;
    }
}

SIMD_ENTRY double SIMD(single_plan)(
    const float *A, const float *B, const float *alpha, const float *beta, float wa, float wb, ptrdiff_t n, ptrdiff_t m,
    ptrdiff_t stride, float *P, double *rows, double *row_products, float *columns, float *column_products
)
{
    const simd_floats of_a = SIMD(single_all)(wa), of_b = SIMD(single_all)(wb), zero = SIMD(single_all)(0.0f);
    simd_floats square = zero;
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W)
        *(simd_floats *)(columns + j) = *(simd_floats *)(column_products + j) = zero;
    for (ptrdiff_t i = 0; i < n; i++, A += stride, B += stride, P += stride) {
        const simd_floats constant = SIMD(single_all)(alpha[i]);
        simd_floats mass = zero, product = zero;
        for (ptrdiff_t j = 0; j < stride; j += SINGLE_W) {
            const simd_floats a = *(const simd_floats *)(A + j), b = *(const simd_floats *)(B + j), d = a - b;
            const simd_floats v = SIMD(single_exp)(((constant + *(const simd_floats *)(beta + j)) - of_a * a) - of_b * b);
            const simd_floats vd = v * d;
            *(simd_floats *)(P + j) = v;
            *(simd_floats *)(columns + j) += v;
            *(simd_floats *)(column_products + j) += vd;
            mass += v;
            product += vd;
            square += vd * d;
        }
        /* What is behind the last column is too little for the sums to notice. */
        for (ptrdiff_t j = m; j < stride; j++) P[j] = 0.0f;
        rows[i] = SIMD(single_total)(mass);
        row_products[i] = SIMD(single_total)(product);
    }
    return SIMD(single_total)(square);
}

SIMD_ENTRY void SIMD(single_scale)(
    float *P, float scale, float x, float y, ptrdiff_t stride, float *of_x, float *of_y
)
{
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W) {
        const simd_floats v = *(simd_floats *)(P + j) * scale;
        *(simd_floats *)(P + j) = v;
        *(simd_floats *)(of_x + j) -= v * x;
        *(simd_floats *)(of_y + j) += v * y;
    }
}

SIMD_ENTRY double SIMD(single_dot)(const float *P, const float *v, ptrdiff_t stride)
{
    simd_floats sum = SIMD(single_all)(0.0f);
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W) sum += *(const simd_floats *)(P + j) * *(const simd_floats *)(v + j);
    return SIMD(single_total)(sum);
}

SIMD_ENTRY void SIMD(single_add)(const float *P, float factor, ptrdiff_t stride, float *columns)
{
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W)
        *(simd_floats *)(columns + j) += *(const simd_floats *)(P + j) * factor;
}

/* A block of SINGLE_W columns from j on and as many rows from i on, or that of v v': less the products of the columns i..
 * and j.. of a matrix of `count` rows. */
SIMD_INLINE void SIMD(single_block)(
    float *S, const float *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t i, ptrdiff_t j, const float *v
)
{
    simd_floats block[SINGLE_W];
    float *const corner = S + j * stride + i;
    SINGLE_UNROLL
    for (int c = 0; c < SINGLE_W; c++)
        block[c] = v ? *(const simd_floats *)(v + i) * v[j + c] : *(simd_floats *)(corner + c * stride);
    const float *at_i = rows + i, *at_j = rows + j;
    for (ptrdiff_t k = 0; k < count; k++, at_i += stride, at_j += stride) {
        const simd_floats a = *(const simd_floats *)at_i;
        SINGLE_UNROLL
        for (int c = 0; c < SINGLE_W; c++) block[c] -= a * at_j[c];
    }
    SINGLE_UNROLL
    for (int c = 0; c < SINGLE_W; c++) *(simd_floats *)(corner + c * stride) = block[c];
}

SIMD_ENTRY void SIMD(single_products)(const float *P, const float *v, ptrdiff_t n, ptrdiff_t stride, float *S)
{
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W)
        for (ptrdiff_t i = j; i < stride; i += SINGLE_W) SIMD(single_block)(S, P, n, stride, i, j, v);
}

SIMD_ENTRY int SIMD(single_cholesky)(float *S, ptrdiff_t stride, float *inverse)
{
    for (ptrdiff_t j = 0; j < stride; j += SINGLE_W) {
        for (ptrdiff_t i = j; j > 0 && i < stride; i += SINGLE_W) SIMD(single_block)(S, S, j, stride, i, j, NULL);
        /* The block of the diagonal; what stands above it is nobody's. */
        for (int c = 0; c < SINGLE_W; c++) {
            float *const column = S + (j + c) * stride + j;
            if (!(column[c] > 0.0f)) return 0;
            inverse[j + c] = 1.0f / sqrtf(column[c]);
            const simd_floats v = *(simd_floats *)column * inverse[j + c];
            *(simd_floats *)column = v;
            for (int d = c + 1; d < SINGLE_W; d++) *(simd_floats *)(column + (d - c) * stride) -= v * column[d];
        }
        for (ptrdiff_t i = j + SINGLE_W; i < stride; i += SINGLE_W) {
            simd_floats row[SINGLE_W];
            SINGLE_UNROLL
            for (int c = 0; c < SINGLE_W; c++) {
                row[c] = *(simd_floats *)(S + (j + c) * stride + i);
                SINGLE_UNROLL
                for (int t = 0; t < c; t++) row[c] -= row[t] * S[(j + t) * stride + j + c];
                row[c] *= inverse[j + c];
                *(simd_floats *)(S + (j + c) * stride + i) = row[c];
            }
        }
    }
    return 1;
}

SIMD_ENTRY void SIMD(single_solve)(const float *S, ptrdiff_t stride, const float *inverse, float *x, float *y)
{
    for (ptrdiff_t j = 0; j < stride; j++) {
        const float *const column = S + j * stride;
        const float at_x = x[j] *= inverse[j], at_y = y[j] *= inverse[j];
        ptrdiff_t i = j + 1;
        for (; i % SINGLE_W; i++) {
            x[i] -= at_x * column[i];
            y[i] -= at_y * column[i];
        }
        for (; i < stride; i += SINGLE_W) {
            const simd_floats part = *(const simd_floats *)(column + i);
            *(simd_floats *)(x + i) -= part * at_x;
            *(simd_floats *)(y + i) -= part * at_y;
        }
    }
    for (ptrdiff_t j = stride - 1; j >= 0; j--) {
        const float *const column = S + j * stride;
        simd_floats sum_x = SIMD(single_all)(0.0f), sum_y = sum_x;
        float rest_x = x[j], rest_y = y[j];
        ptrdiff_t i = j + 1;
        for (; i % SINGLE_W; i++) {
            rest_x -= column[i] * x[i];
            rest_y -= column[i] * y[i];
        }
        for (; i < stride; i += SINGLE_W) {
            const simd_floats part = *(const simd_floats *)(column + i);
            sum_x += part * *(const simd_floats *)(x + i);
            sum_y += part * *(const simd_floats *)(y + i);
        }
        x[j] = (rest_x - (float)SIMD(single_total)(sum_x)) * inverse[j];
        y[j] = (rest_y - (float)SIMD(single_total)(sum_y)) * inverse[j];
    }
}

#undef SINGLE_W
#undef SINGLE_UNROLL
#endif
