/* Pairs of series of the same two lengths within a band, side by side; included once for each build, after
 * _softdtw_lanes.h.
 *
 * A band leaves few cells to a row, so that the next row begins long before the last cells of this one have waited for
 * each other. The arithmetic is that of one pair along its diagonals, to the last bit.
 */

/* Vectors of one point. */
#define SDTW_GROUPS (SDTW_LANES / SIMD_W)

/* One loop for both: hard cells have no exponent. Returns the row buffer, whose cell of column j is at (j + 1). */
SIMD_INLINE const SIMD(sdtw_cell) *SIMD(sdtw_banded_run)(const sdtw_banded *p, ptrdiff_t d, const int hard) {
    const SIMD(sdtw_cell) none = {SIMD(all)(hard ? INFINITY : 0.0), SIMD(all)(SDTW_NONE)};
    const SIMD(sdtw_cell) origin = {SIMD(all)(hard ? 0.0 : 1.0), SIMD(all)(0.0)};
    SIMD(sdtw_cell) *const row = (SIMD(sdtw_cell) *)p->work, left[SDTW_GROUPS], diagonal[SDTW_GROUPS];
    simd_vec scale[SDTW_GROUPS];
    for (ptrdiff_t k = SDTW_GROUPS; k < SDTW_GROUPS * (p->m + 1); k++) row[k] = none;
    for (int g = 0; g < SDTW_GROUPS; g++) {
        row[g] = origin;
        scale[g] = SIMD(load)(p->scale + g * SIMD_W);
    }
    ptrdiff_t turn = INTERRUPT_SLICE;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        const ptrdiff_t lo = p->first[i], hi = p->last[i];
        const double *x = p->x + i * d * SDTW_LANES, *y = p->y + lo * d * SDTW_LANES;
        SIMD(sdtw_cell) *at = row + lo * SDTW_GROUPS;
        if (interrupt_turn(&turn, SDTW_LANES * (hi - lo + 1) * (d + 1))) break;
        SIMD_UNROLL
        for (int g = 0; g < SDTW_GROUPS; g++) {
            diagonal[g] = at[g];
            left[g] = none;
            /* Of the row before: no cell of this one, nor of those below. */
            at[g] = none;
        }
        for (ptrdiff_t j = lo; j <= hi; j++) {
            at += SDTW_GROUPS;
            SIMD_UNROLL
            for (int g = 0; g < SDTW_GROUPS; g++) {
                const SIMD(sdtw_cell) up = at[g];
                if (hard) {
                    const simd_vec before = SIMD_MIN(SIMD_MIN(up.m, diagonal[g].m), left[g].m);
                    left[g].m = SIMD(sdtw_hard_cell)(x + g * SIMD_W, y + g * SIMD_W, d, before);
                    at[g].m = left[g].m;
                } else {
                    const simd_vec c = SIMD(sdtw_lane_cost)(x + g * SIMD_W, y + g * SIMD_W, d);
                    SIMD(sdtw_lane_cell)(c, scale[g], &left[g], &up, &diagonal[g], &left[g]);
                    /* Two diagonals in a row: a diagonal step jumps over one. */
                    if ((i + j) % SDTW_CLEAN <= 1) SIMD(sdtw_tidy)(&left[g]);
                    at[g] = left[g];
                }
                diagonal[g] = up;
            }
            y += d * SDTW_LANES;
        }
    }
    return row;
}

SIMD_ENTRY void SIMD(sdtw_banded_hard)(const sdtw_banded *p, double *out) {
    const SIMD(sdtw_cell) *const row =
        p->d == 1 ? SIMD(sdtw_banded_run)(p, 1, 1) : SIMD(sdtw_banded_run)(p, p->d, 1);
    for (int g = 0; g < SDTW_GROUPS; g++) SIMD(store)(out + g * SIMD_W, row[p->m * SDTW_GROUPS + g].m);
}

SIMD_ENTRY void SIMD(sdtw_banded_soft)(const sdtw_banded *p, sdtw_total *total) {
    const SIMD(sdtw_cell) *const row =
        p->d == 1 ? SIMD(sdtw_banded_run)(p, 1, 0) : SIMD(sdtw_banded_run)(p, p->d, 0);
    for (int l = 0; l < SDTW_LANES; l++) {
        const SIMD(sdtw_cell) *end = &row[p->m * SDTW_GROUPS + l / SIMD_W];
        total[l] = (sdtw_total){end->m[l % SIMD_W], end->e[l % SIMD_W]};
    }
}
#undef SDTW_GROUPS
