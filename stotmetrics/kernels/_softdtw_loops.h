/* Soft-DTW along anti-diagonals or side by side.
 *
 * Z = exp(-R / gamma) obeys Z[i,j] = K[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]) with K = exp(-C / gamma): one
 * exponential a cell, no logarithm. Z leaves the range of a double at once, so a cell is a pair (mantissa, exponent),
 * the exponent an integer kept in a double. The cells of one anti-diagonal do not depend on each other: a vector
 * register holds W of them.
 */
#ifndef SIMD_BUILD

#include "_interrupt.h"
#include "_simd.h"

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
    ptrdiff_t rows[SIMD_W], cols[SIMD_W];     /* the lengths of each lane */
    double scale[SIMD_W];
    double *work; /* aligned to a vector: (n + 1 + m) d vectors of points, filled by sdtw_fill_lane, and 4 m more */
} sdtw_lanes;

/* SDTW_GROUPS vectors of pairs of the same two lengths, within the band that they share. */
#define SDTW_GROUPS 2
typedef struct {
    ptrdiff_t n, m, d;
    const ptrdiff_t *first, *last;
    double scale[SDTW_GROUPS * SIMD_W];
    double *work; /* aligned: for each vector (n + m) d points, filled before, and 6 (n + 2) vectors more */
} sdtw_banded;

typedef struct {
    double mantissa, exponent; /* Z of the last cell = mantissa * 2^exponent */
} sdtw_total;

typedef struct {
    double *from_before, *from_above, *from_diagonal; /* from (i, j-1), (i-1, j), (i-1, j-1): SDTW_PLANE(cells) each */
    ptrdiff_t cells;
} sdtw_steps;

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
/* A probability below this is nothing: no product of two of them is a subnormal number, which would take long. */
#define SDTW_NOTHING 0x1p-500

/* Points per diagonal buffer: one border cell before, one border cell and the rest of a vector behind. */
#define SDTW_PAD (2 * SIMD_W)
#define SDTW_BUFFER(n) ((n) + SDTW_PAD)
/* The probabilities of all cells, and the zeros behind the last one. */
#define SDTW_PLANE(cells) ((cells) + SDTW_PAD)

/* The rows lo..hi of diagonal t: those i with first[i] + i <= t <= last[i] + i. */
typedef struct {
    ptrdiff_t lo, hi;
} sdtw_range;

static inline void sdtw_range_forward(const sdtw_problem *p, ptrdiff_t t, sdtw_range *r) {
    if (p->first) {
        while (r->hi + 1 < p->n && p->first[r->hi + 1] + r->hi + 1 <= t) r->hi++;
        while (p->last[r->lo] + r->lo < t) r->lo++;
    } else {
        r->hi = t < p->n ? t : p->n - 1;
        r->lo = t < p->m ? 0 : t - p->m + 1;
    }
}

static inline void sdtw_range_backward(const sdtw_problem *p, ptrdiff_t t, sdtw_range *r) {
    if (p->first) {
        while (p->first[r->hi] + r->hi > t) r->hi--;
        while (r->lo > 0 && p->last[r->lo - 1] + r->lo - 1 >= t) r->lo--;
    } else {
        r->hi = t < p->n ? t : p->n - 1;
        r->lo = t < p->m ? 0 : t - p->m + 1;
    }
}

/* The forward run. Of every cell it keeps how likely an alignment that visits it comes from each of its neighbours, one
 * plane for each step, diagonal after diagonal; NULL: nothing. */
SIMD_DISPATCH(void, sdtw_forward,
              (const sdtw_problem *p, int kind, double *work, const sdtw_steps *kept, sdtw_total *total),
              (p, kind, work, kept, total))

/* The backward run. */
SIMD_DISPATCH(void, sdtw_backward,
              (const sdtw_problem *p, int kind, double *work, const sdtw_steps *kept, const sdtw_gradient *g),
              (p, kind, work, kept, g))

/* Hard DTW. */
SIMD_DISPATCH(double, sdtw_hard, (const sdtw_problem *p, int kind, double *work), (p, kind, work))

/* W pairs at once. */
SIMD_DISPATCH(void, sdtw_side_by_side, (const sdtw_lanes *p, sdtw_total *total), (p, total))

/* SDTW_GROUPS * W pairs within a band at once; a lane that holds no pair repeats one. */
SIMD_DISPATCH(void, sdtw_banded_hard, (const sdtw_banded *p, double *out), (p, out))
SIMD_DISPATCH(void, sdtw_banded_soft, (const sdtw_banded *p, sdtw_total *total), (p, total))

/* Squared distances become local costs of the global alignment kernel, in place; `count` of them. */
SIMD_DISPATCH(void, gak_costs, (double *cost, ptrdiff_t count, double factor, double most), (cost, count, factor, most))

/* The costs and exponentials of all cells and nothing else: what the recursion is measured against. */
SIMD_DISPATCH(double, sdtw_exponentials, (const sdtw_lanes *p), (p))

#define SIMD_BODY "_softdtw_loops.h"
#include "_simd.h"

#else

#include "_softdtw_diagonals.h"
#include "_softdtw_lanes.h"
#include "_softdtw_banded.h"
#include "_softdtw_gak.h"

#endif
