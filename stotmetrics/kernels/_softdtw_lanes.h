/* SDTW_LANES pairs of series side by side, one in each lane of a vector or of two; included once for each build, after
 * _softdtw_diagonals.h.
 *
 * The same cells as along diagonals, in the same arithmetic: a pair has the same value to the last bit either way,
 * since a power of two rounds nothing, be it in a mantissa or in an exponent. Rows go two at a time, the second one
 * column behind the first, so that two chains of additions overlap and half of the cells never leave the registers.
 * Shorter lanes repeat their last point; what they compute there is read by nobody.
 *
 * The cells of a tile, a few rows of SDTW_TILE columns, mostly lie so near each other that one exponent serves them all:
 * then they are plain numbers, and no cell looks for the largest of three exponents.
 */

/* The squared distance of two points of d dimensions, W lanes of SDTW_LANES. */
SIMD_INLINE simd_vec SIMD(sdtw_lane_cost)(const double *x, const double *y, ptrdiff_t d) {
    const simd_vec gap = *(const simd_vec *)x - *(const simd_vec *)y;
    simd_vec c = gap * gap;
    SIMD_UNROLL
    for (ptrdiff_t k = 1; k < d; k++) {
        const simd_vec far = *(const simd_vec *)(x + k * SDTW_LANES) - *(const simd_vec *)(y + k * SDTW_LANES);
        c = SIMD_FMA(far, far, c);
    }
    return c;
}

/* What a cost of a tile, times its scale, is at most in any lane. */
SIMD_INLINE double SIMD(sdtw_tile_reach)(
    const double *x_of, const double *y_of, simd_vec scale, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j,
    ptrdiff_t stop
) {
    simd_vec bound = SIMD(all)(0.0);
    for (ptrdiff_t k = 0; k < d; k++) {
        const simd_vec *x = (const simd_vec *)(x_of + (i * d + k) * SDTW_LANES);
        const simd_vec *y = (const simd_vec *)(y_of + (j * d + k) * SDTW_LANES);
        const ptrdiff_t step = d * SDTW_LANES / SIMD_W;
        simd_vec x_low = *x, x_high = *x, y_low = *y, y_high = *y;
        for (ptrdiff_t r = 1; r < rows; r++) {
            x_low = SIMD_MIN(x[r * step], x_low);
            x_high = SIMD_MAX(x[r * step], x_high);
        }
        for (ptrdiff_t r = 1; r < stop - j; r++) {
            y_low = SIMD_MIN(y[r * step], y_low);
            y_high = SIMD_MAX(y[r * step], y_high);
        }
        const simd_vec far = SIMD_MAX(x_high - y_low, y_high - x_low);
        bound = SIMD_FMA(far, far, bound);
    }
    return SIMD(largest)(bound * scale);
}

/* 2^(e - top) for e <= top, and m of it. Where that is no normal number it is zero, or 2^-FLOOR: nothing beside 1. */
#ifdef SIMD_SCALE
SIMD_INLINE simd_vec SIMD(sdtw_weight)(simd_vec e, simd_vec top) { return SIMD_SCALE(SIMD(all)(1.0), e - top); }
SIMD_INLINE simd_vec SIMD(sdtw_share)(simd_vec m, simd_vec e, simd_vec top) { return SIMD_SCALE(m, e - top); }
#else
SIMD_INLINE simd_vec SIMD(sdtw_weight)(simd_vec e, simd_vec top) {
    return SIMD(sdtw_shift)(e, top - SIMD(all)(SDTW_BASE));
}
SIMD_INLINE simd_vec SIMD(sdtw_share)(simd_vec m, simd_vec e, simd_vec top) { return m * SIMD(sdtw_weight)(e, top); }
#endif

#define SDTW_PARTS SDTW_SOFT
#include "_softdtw_cells.h"
#include "_softdtw_gradients.h"
#undef SDTW_PARTS
#define SDTW_PARTS SDTW_KERNEL
#include "_softdtw_cells.h"
#undef SDTW_PARTS
#define SDTW_PARTS SDTW_COSTS
#include "_softdtw_cells.h"
#include "_softdtw_gradients.h"
#undef SDTW_PARTS

/* Whether anybody wants one of the lanes from `lane` on that one vector holds. */
SIMD_INLINE int SIMD(sdtw_wanted)(const sdtw_lanes *p, int lane) {
    int wanted = 0;
    for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
    return wanted;
}

SIMD_ENTRY void SIMD(sdtw_side_by_side)(const sdtw_lanes *p, sdtw_total *total) {
    const unsigned state = simd_flush(1);
    for (int l = 0; l < SDTW_LANES; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        if (!SIMD(sdtw_wanted)(p, lane)) continue;
        /* With few dimensions, known here, points stay in the registers. */
        if (p->d == 1) SDTW_SOFTLY(side_by_side_run)(p, 1, lane, total, NULL);
        else if (p->d == 2) SDTW_SOFTLY(side_by_side_run)(p, 2, lane, total, NULL);
        else if (p->d == 3) SDTW_SOFTLY(side_by_side_run)(p, 3, lane, total, NULL);
        else SDTW_SOFTLY(side_by_side_run)(p, p->d, lane, total, NULL);
    }
    simd_restore(state);
}

SIMD_ENTRY void SIMD(sdtw_kernels)(const sdtw_lanes *p, sdtw_total *total) {
    const unsigned state = simd_flush(1);
    for (int l = 0; l < SDTW_LANES; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        if (!SIMD(sdtw_wanted)(p, lane)) continue;
        if (p->d == 1) SDTW_OF_KERNEL(side_by_side_run)(p, 1, lane, total, NULL);
        else SDTW_OF_KERNEL(side_by_side_run)(p, p->d, lane, total, NULL);
    }
    simd_restore(state);
}

SIMD_ENTRY void SIMD(sdtw_gradients)(const sdtw_lanes *p, const sdtw_slopes_out *out) {
    const unsigned state = simd_flush(1);
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        if (!SIMD(sdtw_wanted)(p, lane)) continue;
        if (p->d == 1) SDTW_SOFTLY(gradients_run)(p, 1, lane, out);
        else SDTW_SOFTLY(gradients_run)(p, p->d, lane, out);
    }
    simd_restore(state);
}

SIMD_ENTRY void SIMD(sdtw_slopes)(const sdtw_lanes *p, const sdtw_slopes_out *out) {
    const unsigned state = simd_flush(1);
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        if (!SIMD(sdtw_wanted)(p, lane)) continue;
        if (out->kept && p->d == 1) SDTW_COSTLY(gradients_run)(p, 1, lane, out);
        else if (out->kept) SDTW_COSTLY(gradients_run)(p, p->d, lane, out);
        else if (p->d == 1) SDTW_COSTLY(side_by_side_run)(p, 1, lane, out->total, out->cost);
        else SDTW_COSTLY(side_by_side_run)(p, p->d, lane, out->total, out->cost);
    }
    simd_restore(state);
}

SIMD_ENTRY double SIMD(sdtw_exponentials)(const sdtw_lanes *p) {
    simd_vec sum = SIMD(all)(0.0);
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        const simd_vec scale = SIMD(load)(p->scale + lane);
        for (ptrdiff_t i = 0; i < p->n; i++) {
            for (ptrdiff_t j = 0; j < p->m; j++) {
                const simd_vec c = SIMD(sdtw_lane_cost)(p->x + lane + i * SDTW_LANES, p->y + lane + j * SDTW_LANES, 1);
                sum += SIMD(sdtw_number_of)(c, scale);
            }
        }
    }
    return SIMD(total)(sum);
}
