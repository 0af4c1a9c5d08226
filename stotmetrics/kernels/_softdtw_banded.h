/* Pairs of series of the same two lengths within a band, side by side; included once for each build, after
 * _softdtw_lanes.h.
 *
 * A band leaves few cells to a row, so that the next row begins long before the last cells of this one have waited for
 * each other. The arithmetic is that of one pair along its diagonals, to the last bit.
 */

/* Vectors of one point. */
#define SDTW_GROUPS (SDTW_LANES / SIMD_W)

/* A cell in the row buffer, which has `parts` vectors: a hard one has no exponent. */
SIMD_INLINE SDTW_SOFTLY(cell) SIMD(sdtw_get)(const simd_vec *at, const int parts) {
    return (SDTW_SOFTLY(cell)){at[0], at[parts - 1]};
}
SIMD_INLINE void SIMD(sdtw_put)(simd_vec *at, const int parts, SDTW_SOFTLY(cell) cell) {
    at[0] = cell.m;
    if (parts == SDTW_SOFT) at[1] = cell.e;
}

/* One loop for both. Returns the cells of the last column. */
SIMD_INLINE const simd_vec *SIMD(sdtw_banded_run)(const sdtw_banded *p, ptrdiff_t d, const int parts) {
    const int hard = parts == SDTW_HARD;
    const ptrdiff_t step = SDTW_GROUPS * parts;
    const SDTW_SOFTLY(cell) none = {SIMD(all)(hard ? INFINITY : 0.0), SIMD(all)(SDTW_NONE)};
    const SDTW_SOFTLY(cell) origin = {SIMD(all)(hard ? 0.0 : 1.0), SIMD(all)(0.0)};
    SDTW_SOFTLY(cell) left[SDTW_GROUPS], diagonal[SDTW_GROUPS];
    simd_vec *const row = (simd_vec *)p->work, scale[SDTW_GROUPS]; /* column j is at j + 1 */
    for (ptrdiff_t k = SDTW_GROUPS; k < SDTW_GROUPS * (p->m + 1); k++) SIMD(sdtw_put)(row + k * parts, parts, none);
    for (int g = 0; g < SDTW_GROUPS; g++) {
        SIMD(sdtw_put)(row + g * parts, parts, origin);
        scale[g] = SIMD(load)(p->scale + g * SIMD_W);
    }
    ptrdiff_t turn = INTERRUPT_SLICE;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        const ptrdiff_t lo = p->first[i], hi = p->last[i];
        const double *x = p->x + i * d * SDTW_LANES, *y = p->y + lo * d * SDTW_LANES;
        simd_vec *at = row + lo * step;
        if (interrupt_turn(&turn, SDTW_LANES * (hi - lo + 1) * (d + 1))) break;
        SIMD_UNROLL
        for (int g = 0; g < SDTW_GROUPS; g++) {
            diagonal[g] = SIMD(sdtw_get)(at + g * parts, parts);
            left[g] = none;
            /* Of the row before: no cell of this one, nor of those below. */
            SIMD(sdtw_put)(at + g * parts, parts, none);
        }
        for (ptrdiff_t j = lo; j <= hi; j++) {
            at += step;
            SIMD_UNROLL
            for (int g = 0; g < SDTW_GROUPS; g++) {
                const SDTW_SOFTLY(cell) up = SIMD(sdtw_get)(at + g * parts, parts);
                if (hard) {
                    const simd_vec before = SIMD_MIN(SIMD_MIN(up.m, diagonal[g].m), left[g].m);
                    left[g].m = SIMD(sdtw_hard_cell)(x + g * SIMD_W, y + g * SIMD_W, d, before);
                } else {
                    const simd_vec c = SIMD(sdtw_lane_cost)(x + g * SIMD_W, y + g * SIMD_W, d);
                    SDTW_SOFTLY(lane_cell)(c, scale[g], scale[g], &left[g], &up, &diagonal[g], &left[g], NULL);
                    /* Two diagonals in a row: a diagonal step jumps over one. */
                    if ((i + j) % SDTW_CLEAN <= 1) SDTW_SOFTLY(tidy)(&left[g]);
                }
                SIMD(sdtw_put)(at + g * parts, parts, left[g]);
                diagonal[g] = up;
            }
            y += d * SDTW_LANES;
        }
    }
    return row + p->m * step;
}

SIMD_ENTRY void SIMD(sdtw_banded_hard)(const sdtw_banded *p, double *out) {
    const simd_vec *const end = p->d == 1 ? SIMD(sdtw_banded_run)(p, 1, SDTW_HARD) : SIMD(sdtw_banded_run)(p, p->d, SDTW_HARD);
    for (int g = 0; g < SDTW_GROUPS; g++) SIMD(store)(out + g * SIMD_W, end[g]);
}

SIMD_ENTRY void SIMD(sdtw_banded_soft)(const sdtw_banded *p, sdtw_total *total) {
    const unsigned state = simd_flush(1);
    const simd_vec *const end = p->d == 1 ? SIMD(sdtw_banded_run)(p, 1, SDTW_SOFT) : SIMD(sdtw_banded_run)(p, p->d, SDTW_SOFT);
    simd_restore(state);
    for (int l = 0; l < SDTW_LANES; l++) {
        const SDTW_SOFTLY(cell) cell = SIMD(sdtw_get)(end + l / SIMD_W * SDTW_SOFT, SDTW_SOFT);
        total[l] = (sdtw_total){cell.m[l % SIMD_W], cell.e[l % SIMD_W]};
    }
}
#undef SDTW_GROUPS
