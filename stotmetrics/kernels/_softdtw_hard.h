/* Hard DTW of pairs side by side, R[i,j] = C[i,j] + min(R[i-1,j-1], R[i-1,j], R[i,j-1]); included once for each build,
 * after _softdtw_lanes.h.
 *
 * Rows go four at a time, each one column behind the one above: none of the four cells waits for another, three of four
 * never leave the registers, and a cell takes a difference, a product with a sum, and two minima.
 */

/* A cell, given the least of its neighbours: along diagonals the same in the same order. */
SIMD_INLINE simd_vec SIMD(sdtw_hard_cell)(const double *x, const double *y, ptrdiff_t d, simd_vec before) {
    if (d > 1) return SIMD(sdtw_lane_cost)(x, y, d) + before;
    const simd_vec gap = *(const simd_vec *)x - *(const simd_vec *)y;
    return SIMD_FMA(gap, gap, before);
}

/* One column further: row r is at column s - r. `now` are the cells of the last columns, `last` those before, and in
 * their place come the new ones; up and corner are of the row above. */
SIMD_INLINE void SIMD(sdtw_hard_step)(
    const double *x, const double *y, ptrdiff_t d, const int rows, simd_vec up, simd_vec corner, const simd_vec *now,
    simd_vec *last
) {
    const ptrdiff_t step = d * SDTW_LANES;
    SIMD_UNROLL
    for (int r = rows - 1; r >= 0; r--) {
        const simd_vec above = r ? now[r ? r - 1 : 0] : up, diagonal = r ? last[r ? r - 1 : 0] : corner;
        const simd_vec before = SIMD_MIN(SIMD_MIN(above, diagonal), now[r]);
        last[r] = SIMD(sdtw_hard_cell)(x + r * step, y - r * step, d, before);
    }
}

/* Rows i.. of all columns. Beyond both ends of a row points are repeated, and nobody reads what comes of that; before
 * its first column a cell stays infinite. */
SIMD_INLINE void SIMD(sdtw_hard_strip)(
    const sdtw_lanes *p, ptrdiff_t d, int lane, ptrdiff_t i, simd_vec *row, const int rows
) {
    const ptrdiff_t step = d * SDTW_LANES, end = p->m + rows - 1;
    const double *x = p->x + lane + i * step, *y = p->y + lane;
    simd_vec even[4], odd[4], corner = SIMD(all)(i ? INFINITY : 0.0);
    for (int r = 0; r < 4; r++) even[r] = odd[r] = SIMD(all)(INFINITY);
    ptrdiff_t s = 0;
    for (; s + 1 < end; s += 2, y += 2 * step) {
        const simd_vec first = row[s], second = row[s + 1];
        SIMD(sdtw_hard_step)(x, y, d, rows, first, corner, even, odd);
        row[s + 1 - rows] = odd[rows - 1];
        SIMD(sdtw_hard_step)(x, y + step, d, rows, second, first, odd, even);
        row[s + 2 - rows] = even[rows - 1];
        corner = second;
    }
    if (s < end) {
        SIMD(sdtw_hard_step)(x, y, d, rows, row[s], corner, even, odd);
        row[s + 1 - rows] = odd[rows - 1];
    }
}

SIMD_INLINE void SIMD(sdtw_hard_lanes_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, double *out) {
    simd_vec *const row = (simd_vec *)p->work + SDTW_BEYOND;
    for (ptrdiff_t j = -SDTW_BEYOND; j < p->m + SDTW_BEYOND; j++) row[j] = SIMD(all)(INFINITY);
    ptrdiff_t left = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < p->n; i += rows) {
        rows = p->n - i >= 4 ? 4 : p->n - i >= 2 ? 2 : 1;
        for (int l = lane; l < lane + SIMD_W; l++)
            while (p->rows[l] > i && p->rows[l] < i + rows) rows /= 2;
        if (interrupt_turn(&left, SIMD_W * rows * p->m * (d + 1))) break;
        if (rows == 4) SIMD(sdtw_hard_strip)(p, d, lane, i, row, 4);
        else if (rows == 2) SIMD(sdtw_hard_strip)(p, d, lane, i, row, 2);
        else SIMD(sdtw_hard_strip)(p, d, lane, i, row, 1);
        for (int l = lane; l < lane + SIMD_W; l++)
            if (p->rows[l] == i + rows) out[l] = row[p->cols[l] - 1][l - lane];
    }
}

SIMD_ENTRY void SIMD(sdtw_hard_lanes)(const sdtw_lanes *p, double *out) {
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        int wanted = 0;
        for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
        if (!wanted) continue;
        if (p->d == 1) SIMD(sdtw_hard_lanes_run)(p, 1, lane, out);
        else SIMD(sdtw_hard_lanes_run)(p, p->d, lane, out);
    }
}
