/* Hard DTW of pairs of one length within a narrow band, one series of the left beside two vectors of lanes of the
 * right; included once for each build, after _softdtw_lanes.h.
 *
 * The cells of a row lie in registers, one for each step off the diagonal, and each row takes the place of the one
 * before: nothing is read but the points, and nothing written but the value. A cell waits for its left neighbour and
 * for the one above; two vectors at a time fill the pauses.
 *
 * Beyond both ends the points are repeated. What comes of that before the first column is what its own cells are, and
 * what comes of it behind the last one reaches no cell of a column.
 */

/* The next row. Before: the cells of the last one, entry k at k - width / 2 steps off the diagonal. */
SIMD_INLINE void SIMD(sdtw_narrow_row)(simd_vec x, const double *y, simd_vec *row, const int width) {
    SIMD_UNROLL
    for (int k = 0; k < width; k++) {
        const simd_vec gap = x - *(const simd_vec *)(y + k * SDTW_LANES);
        simd_vec before = row[k];
        if (k + 1 < width) before = SIMD_MIN(before, row[k + 1]);
        if (k) before = SIMD_MIN(before, row[k - 1]);
        row[k] = SIMD_FMA(gap, gap, before);
    }
}

SIMD_INLINE void SIMD(sdtw_narrow_run)(
    const double *x, ptrdiff_t n, const double *y, const double *z, const int radius, double *out_y, double *out_z
) {
    const int width = 2 * radius + 1;
    simd_vec a[2 * SDTW_NARROW + 1], b[2 * SDTW_NARROW + 1];
    SIMD_UNROLL
    for (int k = 0; k < width; k++) a[k] = b[k] = SIMD(all)(k == radius ? 0.0 : INFINITY);
    y -= radius * SDTW_LANES;
    z -= radius * SDTW_LANES;
    for (ptrdiff_t i = 0; i < n; i++) {
        const simd_vec point = SIMD(all)(x[i]);
        SIMD(sdtw_narrow_row)(point, y + i * SDTW_LANES, a, width);
        SIMD(sdtw_narrow_row)(point, z + i * SDTW_LANES, b, width);
    }
    SIMD(store)(out_y, a[radius]);
    SIMD(store)(out_z, b[radius]);
}

SIMD_ENTRY void SIMD(sdtw_narrow)(
    const double *x, ptrdiff_t n, const double *y, const double *z, int radius, double *out
) {
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        double *const out_y = out + lane, *const out_z = out_y + SDTW_LANES;
        /* Constants here, so that the cells of each width stay in registers. */
        if (radius == 0) SIMD(sdtw_narrow_run)(x, n, y + lane, z + lane, 0, out_y, out_z);
        else if (radius == 1) SIMD(sdtw_narrow_run)(x, n, y + lane, z + lane, 1, out_y, out_z);
        else if (radius == 2) SIMD(sdtw_narrow_run)(x, n, y + lane, z + lane, 2, out_y, out_z);
        else if (radius == 3) SIMD(sdtw_narrow_run)(x, n, y + lane, z + lane, 3, out_y, out_z);
        else SIMD(sdtw_narrow_run)(x, n, y + lane, z + lane, 4, out_y, out_z);
    }
}
