/* Soft-DTW along anti-diagonals, one source compiled for several processors.
 *
 * Z = exp(-R / gamma) obeys Z[i,j] = K[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]) with K = exp(-C / gamma): one
 * exponential a cell, no logarithm. Z leaves the range of a double at once, so a cell is a pair (mantissa, exponent),
 * the exponent an integer kept in a double. The cells of one anti-diagonal do not depend on each other: a vector
 * register holds W of them.
 */
#ifndef STOTMETRICS_SOFTDTW_VARIANTS_H
#define STOTMETRICS_SOFTDTW_VARIANTS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "_interrupt.h"

#define SDTW_W 4
#define SDTW_INLINE static inline __attribute__((always_inline))

typedef double sdtw_vec __attribute__((vector_size(8 * SDTW_W)));
typedef int64_t sdtw_bits __attribute__((vector_size(8 * SDTW_W)));
typedef uint64_t sdtw_words __attribute__((vector_size(8 * SDTW_W)));
/* The same at any address. */
typedef double sdtw_loose __attribute__((vector_size(8 * SDTW_W), aligned(8), may_alias));

/* Where the costs of a problem come from. */
enum { SDTW_LINE, SDTW_SPACE, SDTW_MATRIX };

typedef struct {
    ptrdiff_t n, m, d;
    const double *x;     /* packed: dimension k of point i at x[k * (n + W) + i]; W values of padding */
    const double *y;     /* packed and reversed: dimension k of point j at y[k * (m + W) + m - 1 - j] */
    const double *cost;  /* SDTW_MATRIX: row-major n x m, and x, y unused */
    const ptrdiff_t *first, *last; /* band: the columns first[i]..last[i] of row i, both nondecreasing; NULL: all */
    double scale;        /* log2(e) / gamma */
} sdtw_problem;

/* W pairs of series side by side. */
typedef struct {
    ptrdiff_t n, m, d;                        /* the longest lengths */
    ptrdiff_t rows[SDTW_W], cols[SDTW_W];     /* the lengths of each lane */
    double scale[SDTW_W];
    double *work; /* aligned to a vector: (n + 1 + m) d vectors of points, filled by sdtw_fill_lane, and 4 m more */
} sdtw_lanes;

typedef struct {
    double mantissa, exponent; /* Z of the last cell = mantissa * 2^exponent */
} sdtw_total;

typedef struct {
    double *x, *y;     /* laid out and padded as in sdtw_problem, added to; or, for SDTW_MATRIX, */
    double *alignment; /* row-major n x m, written where the band is */
} sdtw_gradient;

/* The magic additions need every |exponent| < 2^50: (n + m) |cost| scale stays below SDTW_LIMIT. */
#define SDTW_LIMIT 0x1p49
#define SDTW_MAGIC 0x1.8p52
#define SDTW_NONE (-0x1p52)
/* Below 2^-SDTW_FLOOR of its neighbours a term is nothing; mantissas stay within 2^+-300 between two clean-ups. */
#define SDTW_FLOOR 1000.0
#define SDTW_CLEAN 128

/* Points per diagonal buffer: one border cell before, one border cell and the rest of a vector behind. */
#define SDTW_PAD (2 * SDTW_W)
#define SDTW_BUFFER(n) ((n) + SDTW_PAD)

/* The rows lo..hi of diagonal t: those i with first[i] + i <= t <= last[i] + i. */
typedef struct {
    ptrdiff_t lo, hi;
} sdtw_range;

SDTW_INLINE void sdtw_range_forward(const sdtw_problem *p, ptrdiff_t t, sdtw_range *r) {
    if (p->first) {
        while (r->hi + 1 < p->n && p->first[r->hi + 1] + r->hi + 1 <= t) r->hi++;
        while (p->last[r->lo] + r->lo < t) r->lo++;
    } else {
        r->hi = t < p->n ? t : p->n - 1;
        r->lo = t < p->m ? 0 : t - p->m + 1;
    }
}

SDTW_INLINE void sdtw_range_backward(const sdtw_problem *p, ptrdiff_t t, sdtw_range *r) {
    if (p->first) {
        while (p->first[r->hi] + r->hi > t) r->hi--;
        while (r->lo > 0 && p->last[r->lo - 1] + r->lo - 1 >= t) r->lo--;
    } else {
        r->hi = t < p->n ? t : p->n - 1;
        r->lo = t < p->m ? 0 : t - p->m + 1;
    }
}

/* Pack the rows of a C-ordered (n, d) series by dimension, forwards or reversed, and pad with a value of the series. */
static void sdtw_pack(const double *series, ptrdiff_t n, ptrdiff_t d, int reversed, double *out) {
    for (ptrdiff_t k = 0; k < d; k++) {
        double *row = out + k * (n + SDTW_W);
        for (ptrdiff_t i = 0; i < n; i++) row[reversed ? n - 1 - i : i] = series[i * d + k];
        for (ptrdiff_t i = n; i < n + SDTW_W; i++) row[i] = row[n - 1];
    }
}

/* Put a pair of C-ordered series into lane l; a shorter one repeats its last point. */
static void sdtw_fill_lane(const sdtw_lanes *p, int l, const double *x, const double *y) {
    double *out = p->work + l;
    for (ptrdiff_t i = 0; i < p->n + 1; i++)
        for (ptrdiff_t k = 0; k < p->d; k++, out += SDTW_W) *out = x[(i < p->rows[l] ? i : p->rows[l] - 1) * p->d + k];
    for (ptrdiff_t j = 0; j < p->m; j++)
        for (ptrdiff_t k = 0; k < p->d; k++, out += SDTW_W) *out = y[(j < p->cols[l] ? j : p->cols[l] - 1) * p->d + k];
}

/* -gamma log Z. The mantissa is brought to one range first, so that every route to it gives the same bits. */
static double sdtw_value_of(const sdtw_total *total, double gamma) {
    int power;
    const double mantissa = frexp(total->mantissa, &power);
    return -gamma * ((total->exponent + power) * 0.69314718055994530942 + log(mantissa));
}

/* Undo sdtw_pack. */
static void sdtw_unpack(const double *packed, ptrdiff_t n, ptrdiff_t d, int reversed, double *out) {
    for (ptrdiff_t k = 0; k < d; k++)
        for (ptrdiff_t i = 0; i < n; i++) out[i * d + k] = packed[k * (n + SDTW_W) + (reversed ? n - 1 - i : i)];
}

#define SDTW_JOIN_(a, b) a##_##b
#define SDTW_JOIN(a, b) SDTW_JOIN_(a, b)
#define SDTW(name) SDTW_JOIN(name, SDTW_VARIANT)

/* kept_m and kept_e hold (cells + W) doubles each, or are NULL; `gradient` takes pointers behind their last cell. */
typedef struct {
    const char *name;
    void (*soft)(const sdtw_problem *, int kind, double *work, double *kept_m, double *kept_e, sdtw_total *);
    void (*gradient)(
        const sdtw_problem *, int kind, double *work, const double *kept_m, const double *kept_e, const sdtw_total *,
        const sdtw_gradient *
    );
    double (*hard)(const sdtw_problem *, int kind, double *work);
    void (*lanes)(const sdtw_lanes *, sdtw_total *);
    double (*exponentials)(const sdtw_lanes *);
} sdtw_variant;

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define SDTW_VARIANT avx2
#define SDTW_NAME "avx2+fma"
#define SDTW_TARGET __attribute__((target("avx2,fma")))
#define SDTW_FMA(a, b, c) ((sdtw_vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define SDTW_MAX(a, b) ((sdtw_vec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define SDTW_MIN(a, b) ((sdtw_vec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#include "_softdtw_diagonals.h"
#include "_softdtw_lanes.h"
static const sdtw_variant SDTW(sdtw_variant) = {SDTW_NAME, SDTW(soft), SDTW(gradient), SDTW(hard), SDTW(lanes), SDTW(exponentials)};
#undef SDTW_VARIANT
#undef SDTW_NAME
#undef SDTW_TARGET
#undef SDTW_FMA
#undef SDTW_MAX
#undef SDTW_MIN
#endif

#define SDTW_VARIANT baseline
#define SDTW_NAME "baseline"
#define SDTW_TARGET
#define SDTW_FMA(a, b, c) ((a) * (b) + (c))
#if defined(__SSE2__)
SDTW_INLINE sdtw_vec sdtw_max_sse2(sdtw_vec a, sdtw_vec b) {
    union { sdtw_vec v; __m128d h[2]; } p = {a}, q = {b};
    p.h[0] = _mm_max_pd(p.h[0], q.h[0]);
    p.h[1] = _mm_max_pd(p.h[1], q.h[1]);
    return p.v;
}
SDTW_INLINE sdtw_vec sdtw_min_sse2(sdtw_vec a, sdtw_vec b) {
    union { sdtw_vec v; __m128d h[2]; } p = {a}, q = {b};
    p.h[0] = _mm_min_pd(p.h[0], q.h[0]);
    p.h[1] = _mm_min_pd(p.h[1], q.h[1]);
    return p.v;
}
#define SDTW_MAX(a, b) sdtw_max_sse2(a, b)
#define SDTW_MIN(a, b) sdtw_min_sse2(a, b)
#else
SDTW_INLINE sdtw_vec sdtw_select(sdtw_bits mask, sdtw_vec a, sdtw_vec b) {
    return (sdtw_vec)((mask & (sdtw_bits)a) | (~mask & (sdtw_bits)b));
}
#define SDTW_MAX(a, b) sdtw_select((sdtw_bits)((a) > (b)), a, b)
#define SDTW_MIN(a, b) sdtw_select((sdtw_bits)((a) < (b)), a, b)
#endif
#include "_softdtw_diagonals.h"
#include "_softdtw_lanes.h"
static const sdtw_variant SDTW(sdtw_variant) = {SDTW_NAME, SDTW(soft), SDTW(gradient), SDTW(hard), SDTW(lanes), SDTW(exponentials)};
#undef SDTW_VARIANT
#undef SDTW_NAME
#undef SDTW_TARGET
#undef SDTW_FMA
#undef SDTW_MAX
#undef SDTW_MIN

static const sdtw_variant *const sdtw_variants[] = {
#if defined(__x86_64__) || defined(__i386__)
    &sdtw_variant_avx2,
#endif
    &sdtw_variant_baseline,
};
static const int sdtw_variant_count = sizeof sdtw_variants / sizeof *sdtw_variants;

static const sdtw_variant *sdtw_get_variant(int k) { return sdtw_variants[k]; }

/* Whether this processor runs variant k; the variants stand in order of preference. */
static int sdtw_runs(int k) {
#if defined(__x86_64__) || defined(__i386__)
    if (k == 0) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#endif
    return k < sdtw_variant_count;
}

#endif
