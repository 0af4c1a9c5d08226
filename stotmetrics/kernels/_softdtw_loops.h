/* Soft-DTW along anti-diagonals or side by side.
 *
 * Z = exp(-R / gamma) obeys Z[i,j] = K[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]) with K = exp(-C / gamma): one
 * exponential a cell, no logarithm. Z leaves the range of a double at once, so a cell is a pair (mantissa, exponent),
 * the exponent an integer kept in a double. The cells of one anti-diagonal do not depend on each other: a vector
 * register holds some of them.
 */
#ifndef SIMD_BUILD

#include "_interrupt.h"
#include "_simd.h"

/* Where the costs of a problem come from. With SDTW_GAK, as with SDTW_SPACE, but the weights are those of the global
 * alignment kernel: g / (2 - g) instead of g = exp(-C / gamma). */
enum { SDTW_LINE, SDTW_SPACE, SDTW_MATRIX, SDTW_GAK };

typedef struct {
    ptrdiff_t n, m, d;
    const double *x;     /* packed: dimension k of point i at x[k (n + SDTW_LANES) + i], padded behind */
    const double *y;     /* packed and reversed: dimension k of point j at y[k (m + SDTW_LANES) + m - 1 - j] */
    const double *cost;  /* SDTW_MATRIX: row-major n x m, and x, y unused */
    const ptrdiff_t *first, *last; /* band: the columns first[i]..last[i] of row i, both nondecreasing; NULL: all */
    double scale;        /* log2(e) / gamma */
} sdtw_problem;

/* SDTW_LANES pairs of series side by side: in as many vectors as they fill, of any build. Of points at least SDTW_LEAST
 * or zero: results below the normal numbers are zero there. */
#define SDTW_LANES SIMD_WIDEST
typedef struct {
    ptrdiff_t n, m, d;                            /* the longest lengths */
    int wanted[SDTW_LANES];                       /* the lanes that anybody reads */
    ptrdiff_t rows[SDTW_LANES], cols[SDTW_LANES]; /* the lengths of each lane */
    double scale[SDTW_LANES];
    double unit[SDTW_LANES]; /* a power of two that leaves no cost of the lane above one */
    const double *x, *y; /* aligned: dimension k of point i at (i d + k) SDTW_LANES, with SDTW_BEYOND points more on
                            both sides */
    double *work;        /* aligned: 4 m + SDTW_TILE points */
} sdtw_lanes;
#define SDTW_BEYOND 4
/* The widest band whose row stays in registers; its cells look so far beyond the points. */
#define SDTW_NARROW SDTW_BEYOND

/* Pairs of the same two lengths, within the band that they share. */
typedef struct {
    ptrdiff_t n, m, d;
    const ptrdiff_t *first, *last;
    double scale[SDTW_LANES];
    const double *x, *y; /* as in sdtw_lanes */
    double *work;        /* aligned: 2 (m + 2) SDTW_LANES doubles */
} sdtw_banded;

typedef struct {
    double mantissa, exponent; /* Z of the last cell = mantissa * 2^exponent */
} sdtw_total;

typedef struct {
    double *sum, *top; /* of each cell the sum of those before it, sum * 2^top: SDTW_PLANE(cells) each */
    ptrdiff_t cells;
} sdtw_sums;

/* What sdtw_gradients and sdtw_slopes give. */
typedef struct {
    double *kept;      /* aligned: as many points as the parts of (n + 1) m cells, and three for each tile, of two rows
                          at least; NULL: no gradients */
    double *x, *y;     /* the gradients, laid out as the points */
    sdtw_total *total; /* of each lane */
    double *cost;      /* of sdtw_slopes: the expected cost of each lane */
} sdtw_slopes_out;

typedef struct {
    double *x, *y;     /* laid out and padded as in sdtw_problem, added to; or, for SDTW_MATRIX, */
    double *alignment; /* row-major n x m, written where the band is */
} sdtw_gradient;

/* The magic additions need every |exponent| < 2^50: (n + m) |cost| scale stays below SDTW_LIMIT. */
#define SDTW_LIMIT 0x1p49
/* The squared distance of numbers that are zero or no nearer to it than this is zero, or a normal number. */
#define SDTW_LEAST 0x1p-450
#define SDTW_MAGIC 0x1.8p52
#define SDTW_NONE (-0x1p52)
#define SDTW_LN2 0x1.62e42fefa39efp-1
/* What turns an exponent into the bits of its power of two. */
#define SDTW_BASE (0x1p52 + 1023)
/* Below 2^-SDTW_FLOOR of its neighbours a term is nothing. Between two clean-ups mantissas stay above 2^-100 and below
 * 2^270, so that no product is a subnormal number, which would take long. */
#define SDTW_FLOOR 900
#define SDTW_CLEAN 128
/* Columns and rows of a tile of side_by_side. */
#define SDTW_TILE 32
#define SDTW_ROWS 64
/* Rows of one that is kept: few, so that it is there yet when the run comes back. */
#define SDTW_KEPT_ROWS 16
/* Where the next rows are no plain numbers, so many of them mostly are not. */
#define SDTW_FAR_ROWS 32
/* As many powers of two may lie between the numbers of a tile of plain ones, for what its rows cost. */
#define SDTW_REACH 440.0
/* The vectors of a cell: a number, with an exponent, with costs. Names of what is built for cells of SDTW_PARTS. */
#define SDTW_HARD 1
#define SDTW_SOFT 2
#define SDTW_COSTS 4
/* As many as SDTW_SOFT has, with the weights of the global alignment kernel. */
#define SDTW_KERNEL 3
#define SDTW(name) SIMD(SIMD_JOIN(sdtw_##name, SDTW_PARTS))
#define SDTW_SOFTLY(name) SIMD(SIMD_JOIN(sdtw_##name, SDTW_SOFT))
#define SDTW_COSTLY(name) SIMD(SIMD_JOIN(sdtw_##name, SDTW_COSTS))
#define SDTW_OF_KERNEL(name) SIMD(SIMD_JOIN(sdtw_##name, SDTW_KERNEL))
/* What the costs of no alignment reach, in the unit of a lane. */
#define SDTW_DEAR 0x1p60
/* A mean excess below this, in the unit of a lane, is made of terms that were nothing but for SDTW_FLOOR. */
#define SDTW_LITTLE 0x1p-800
/* A probability below this is nothing: no product of two of them is a subnormal number, which would take long. */
#define SDTW_NOTHING 0x1p-500

/* The mean of an excess over the weights that it is summed with. */
static inline double sdtw_mean_excess(double excess, double weights) {
    const double mean = excess / weights;
    return mean < SDTW_LITTLE ? 0.0 : mean;
}

/* Points per diagonal buffer: one border cell before, one border cell and the rest of a vector behind. */
#define SDTW_PAD (2 * SDTW_LANES)
#define SDTW_BUFFER(n) ((n) + SDTW_PAD)
/* The sums of all cells, and the zeros behind the last one. */
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

/* The forward run. Of every cell it keeps the sum of those before it, diagonal after diagonal; NULL: nothing. */
SIMD_DISPATCH(void, sdtw_forward,
              (const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, sdtw_total *total),
              (p, kind, work, kept, total))

/* The backward run. */
SIMD_DISPATCH(void, sdtw_backward,
              (const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, const sdtw_gradient *g),
              (p, kind, work, kept, g))

/* Hard DTW. */
SIMD_DISPATCH(double, sdtw_hard, (const sdtw_problem *p, int kind, double *work), (p, kind, work))

/* SDTW_LANES pairs at once. */
SIMD_DISPATCH(void, sdtw_side_by_side, (const sdtw_lanes *p, sdtw_total *total), (p, total))

/* The same with the weights of the global alignment kernel. */
SIMD_DISPATCH(void, sdtw_kernels, (const sdtw_lanes *p, sdtw_total *total), (p, total))

/* And of hard DTW. */
SIMD_DISPATCH(void, sdtw_hard_lanes, (const sdtw_lanes *p, double *out), (p, out))

/* The gradients of soft-DTW, and the totals. The workspace is 4 m points. */
SIMD_DISPATCH(void, sdtw_gradients, (const sdtw_lanes *p, const sdtw_slopes_out *out), (p, out))

/* The expected costs and, where there is room to keep what they take, their gradients. It is 8 m + 3 SDTW_TILE points. */
SIMD_DISPATCH(void, sdtw_slopes, (const sdtw_lanes *p, const sdtw_slopes_out *out), (p, out))

/* SDTW_LANES pairs within a band at once; a lane that holds no pair repeats one. */
SIMD_DISPATCH(void, sdtw_banded_hard, (const sdtw_banded *p, double *out), (p, out))
SIMD_DISPATCH(void, sdtw_banded_soft, (const sdtw_banded *p, sdtw_total *total), (p, total))

/* Hard DTW of a series x of n points of one dimension and of each of 2 SDTW_LANES others of the same length, y and z as
 * in sdtw_lanes, within a band of a radius up to SDTW_NARROW. */
SIMD_DISPATCH(void, sdtw_narrow,
              (const double *x, ptrdiff_t n, const double *y, const double *z, int radius, double *out),
              (x, n, y, z, radius, out))

/* Squared distances become local costs of the global alignment kernel, in place; `count` of them. */
SIMD_DISPATCH(
    double, gak_costs, (double *cost, ptrdiff_t count, double factor, double most), (cost, count, factor, most)
)

/* The costs and exponentials of all cells and nothing else: what the recursion is measured against. */
SIMD_DISPATCH(double, sdtw_exponentials, (const sdtw_lanes *p), (p))

#define SIMD_BODY "_softdtw_loops.h"
#include "_simd.h"

#else

#include "_softdtw_diagonals.h"
#include "_softdtw_lanes.h"
#include "_softdtw_hard.h"
#include "_softdtw_banded.h"
#include "_softdtw_narrow.h"
#include "_softdtw_gak.h"

#endif
