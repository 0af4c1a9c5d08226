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

typedef struct {
    simd_vec m, e;
} SIMD(sdtw_cell);

SIMD_INLINE void SIMD(sdtw_tidy)(SIMD(sdtw_cell) *c) {
    const simd_bits field = (simd_bits)SIMD(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const simd_bits bits = (simd_bits)c->m;
    const simd_vec power = (simd_vec)((simd_bits)((simd_words)bits >> 52) | field) - SIMD(all)(0x1p52 + 1023);
    const simd_vec one = SIMD(all)(1.0);
    const simd_bits used = (simd_bits)(c->m > 0.0);
    c->e += (simd_vec)((simd_bits)power & used);
    c->m = (simd_vec)(((bits & fraction) | (simd_bits)one) & used);
}

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

/* `kept`, where not NULL: the sum of the neighbours, and its exponent. */
SIMD_INLINE void SIMD(sdtw_lane_cell)(
    simd_vec c, simd_vec scale, const SIMD(sdtw_cell) *left, const SIMD(sdtw_cell) *up,
    const SIMD(sdtw_cell) *diagonal, SIMD(sdtw_cell) *out, simd_vec *kept
) {
    const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(c, scale);
    const simd_vec top = SIMD_MAX(SIMD_MAX(up->e, diagonal->e), left->e), base = top - SIMD(all)(SDTW_BASE);
    simd_vec sum = up->m * SIMD(sdtw_shift)(up->e, base);
    sum = SIMD_FMA(left->m, SIMD(sdtw_shift)(left->e, base), sum);
    sum = SIMD_FMA(diagonal->m, SIMD(sdtw_shift)(diagonal->e, base), sum);
    out->m = sum * power.factor;
    out->e = SIMD(sdtw_fallen)(top, power);
    if (kept) {
        kept[0] = sum;
        kept[1] = top;
    }
}

/* The same for plain numbers: the power goes into the factor. Kept are the sum and the factor. */
SIMD_INLINE simd_vec SIMD(sdtw_plain_cell)(
    simd_vec c, simd_vec scale, simd_vec left, simd_vec up, simd_vec diagonal, simd_vec *kept
) {
    const simd_vec sum = (left + up) + diagonal, factor = SIMD(sdtw_number_of)(c, scale);
    if (kept) {
        kept[0] = sum;
        kept[1] = factor;
    }
    return sum * factor;
}

/* What gradients need of a tile: its rows i.. i + rows - 1, which are k.. of `strip` rows that go together, its columns
 * j.. stop - 1, and two vectors for each cell, row by row. The sums of a plain tile are numbers times 2^top. */
typedef struct {
    ptrdiff_t i, rows, j, stop, k, strip;
    int plain;
    simd_vec top, *cells;
} SIMD(sdtw_kept_tile);

typedef struct {
    const double *x, *y; /* of these lanes: dimension k of point i at (i d + k) SDTW_LANES */
    simd_vec scale;
    SIMD(sdtw_cell) *row;   /* m cells: in, the row before; out, the last row of a tile */
    SIMD(sdtw_cell) *upper; /* m cells: the first row of two, where wanted */
    simd_vec *plain;        /* SDTW_TILE cells */
    SIMD(sdtw_kept_tile) *tile; /* where tiles are kept: the next one */
    simd_vec *cells;            /* and its cells */
} SIMD(sdtw_strips);

/* The next cell of what is kept, if anything is. */
#define SDTW_NEXT(kept) (keep ? (kept += 2) - 2 : NULL)

/* Rows i and i + 1 from column j on, before `stop`. The cells before, in column j - 1: corner in row i - 1, a and b. Out:
 * those in the last column. With `keep`, both rows are kept from `kept` on. */
SIMD_INLINE void SIMD(sdtw_strip)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, SIMD(sdtw_cell) corner,
    SIMD(sdtw_cell) *a_edge, SIMD(sdtw_cell) *b_edge, int keep_upper, const int keep, simd_vec *kept
) {
    simd_vec *kept_b = keep ? kept + 2 * (stop - j) : NULL;
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y;
    const simd_vec scale = s->scale;
    SIMD(sdtw_cell) *const row = s->row;
    SIMD(sdtw_cell) a_before = *a_edge, a, a_new, b = *b_edge, up = row[j];
    simd_vec c = SIMD(sdtw_lane_cost)(x0, y + j * step, d);
    SIMD(sdtw_lane_cell)(c, scale, &a_before, &up, &corner, &a, SDTW_NEXT(kept));
    corner = up;
    if (keep_upper) s->upper[j] = a;
    for (j++; j < stop; j++) {
        up = row[j];
        c = SIMD(sdtw_lane_cost)(x0, y + j * step, d);
        SIMD(sdtw_lane_cell)(c, scale, &a, &up, &corner, &a_new, SDTW_NEXT(kept));
        c = SIMD(sdtw_lane_cost)(x1, y + (j - 1) * step, d);
        SIMD(sdtw_lane_cell)(c, scale, &b, &a, &a_before, &b, SDTW_NEXT(kept_b));
        row[j - 1] = b;
        if (keep_upper) s->upper[j] = a_new;
        a_before = a;
        a = a_new;
        corner = up;
    }
    c = SIMD(sdtw_lane_cost)(x1, y + (j - 1) * step, d);
    SIMD(sdtw_lane_cell)(c, scale, &b, &a, &a_before, &b, SDTW_NEXT(kept_b));
    row[j - 1] = b;
    SIMD(sdtw_tidy)(&a);
    SIMD(sdtw_tidy)(&b);
    *a_edge = a;
    *b_edge = b;
}

/* The same of plain numbers; their row is s->plain, from column j on. */
SIMD_INLINE void SIMD(sdtw_plain_strip)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, simd_vec corner,
    simd_vec *a_edge, simd_vec *b_edge, const int keep, simd_vec *kept
) {
    simd_vec *kept_b = keep ? kept + 2 * (stop - j) : NULL;
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y + j * step;
    const simd_vec scale = s->scale;
    simd_vec *row = s->plain, a_before = *a_edge, a, a_new, b = *b_edge, up = *row;
    a = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x0, y, d), scale, a_before, up, corner, SDTW_NEXT(kept));
    corner = up;
    for (j++; j < stop; j++) {
        up = row[1];
        a_new = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x0, y + step, d), scale, a, up, corner, SDTW_NEXT(kept));
        b = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x1, y, d), scale, b, a, a_before, SDTW_NEXT(kept_b));
        *row++ = b;
        y += step;
        a_before = a;
        a = a_new;
        corner = up;
    }
    b = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x1, y, d), scale, b, a, a_before, SDTW_NEXT(kept_b));
    *row = b;
    *a_edge = a;
    *b_edge = b;
}

/* What a cost of the tile, times its scale, is at most in any lane. */
SIMD_INLINE double SIMD(sdtw_tile_reach)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop
) {
    simd_vec bound = SIMD(all)(0.0);
    for (ptrdiff_t k = 0; k < d; k++) {
        const simd_vec *x = (const simd_vec *)(s->x + (i * d + k) * SDTW_LANES);
        const simd_vec *y = (const simd_vec *)(s->y + (j * d + k) * SDTW_LANES);
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
    return SIMD(largest)(bound * s->scale);
}

/* A tile of plain numbers, of costs within `reach`; 0 where they are too far apart for that, and nothing is done.
 * Before the first column and row, the corner; edges: the cells of the column before in each of `rows` rows, and out,
 * of the last column. */
SIMD_INLINE int SIMD(sdtw_plain_tile)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop, double reach,
    SIMD(sdtw_cell) corner, SIMD(sdtw_cell) *edges, const int keep
) {
    simd_vec top = corner.e, low, high, before, plain[SDTW_ROWS];
    SIMD(sdtw_cell) *const row = s->row;
    for (ptrdiff_t k = 0; k < rows; k++) top = SIMD_MAX(top, edges[k].e);
    for (ptrdiff_t k = j; k < stop; k++) top = SIMD_MAX(top, row[k].e);
    const simd_vec base = top - SIMD(all)(SDTW_BASE);
    before = corner.m * SIMD(sdtw_shift)(corner.e, base);
    for (ptrdiff_t k = 0; k < rows; k++) plain[k] = edges[k].m * SIMD(sdtw_shift)(edges[k].e, base);
    /* Before the first column there is nothing. */
    low = j ? before : SIMD(all)(1.0);
    for (ptrdiff_t k = j; k < stop; k++) {
        s->plain[k - j] = row[k].m * SIMD(sdtw_shift)(row[k].e, base);
        low = SIMD_MIN(low, s->plain[k - j]);
    }
    /* In its first column below, a number falls by 2^reach a row at most. */
    if (SIMD(smallest)(low) < ldexp(1.0, -850 + (int)ceil(rows * reach))) return 0;
    for (ptrdiff_t k = 0; k < rows; k += 2) {
        const simd_vec next = plain[k + 1];
        SIMD(sdtw_plain_strip)(
            s, d, i + k, j, stop, before, plain + k, plain + k + 1, keep, keep ? s->cells + 2 * k * (stop - j) : NULL
        );
        before = next;
    }
    /* The largest number of the last row is 2^300 again, but for less than a power of two: the least is far from
     * subnormal ones then, and the largest of the next tile from infinity. */
    high = s->plain[0];
    for (ptrdiff_t k = 1; k < stop - j; k++) high = SIMD_MAX(high, s->plain[k]);
    const simd_bits power = (simd_bits)((simd_words)(simd_bits)high >> 52);
    const simd_vec unit = (simd_vec)((2046 + 300 - power) << 52);
    const simd_vec e = top + ((simd_vec)(power | (simd_bits)SIMD(all)(0x1p52)) - SIMD(all)(SDTW_BASE + 300));
    for (ptrdiff_t k = 0; k < rows; k++) edges[k] = (SIMD(sdtw_cell)){plain[k] * unit, e};
    for (ptrdiff_t k = j; k < stop; k++) row[k] = (SIMD(sdtw_cell)){s->plain[k - j] * unit, e};
    if (keep) s->tile->top = top;
    return 1;
}

/* A tile of mantissas and exponents. */
SIMD_INLINE void SIMD(sdtw_tile)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop,
    SIMD(sdtw_cell) corner, SIMD(sdtw_cell) *edges, int keep_upper, const int keep
) {
    /* Plain numbers go where mantissas may not. */
    SIMD(sdtw_tidy)(&corner);
    for (ptrdiff_t k = 0; k < rows; k++) SIMD(sdtw_tidy)(edges + k);
    for (ptrdiff_t k = j; k < stop; k++) SIMD(sdtw_tidy)(s->row + k);
    for (ptrdiff_t k = 0; k < rows; k += 2) {
        const SIMD(sdtw_cell) next = edges[k + 1];
        simd_vec *const kept = keep ? s->cells + 2 * k * (stop - j) : NULL;
        if (keep_upper) SIMD(sdtw_strip)(s, d, i + k, j, stop, corner, edges + k, edges + k + 1, 1, keep, kept);
        else SIMD(sdtw_strip)(s, d, i + k, j, stop, corner, edges + k, edges + k + 1, 0, keep, kept);
        corner = next;
    }
}

/* The rows from i on, in all columns. */
SIMD_INLINE void SIMD(sdtw_tiles)(
    SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t m, int plain, int keep_upper,
    const int keep
) {
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    SIMD(sdtw_cell) edges[SDTW_ROWS], corner = none;
    for (ptrdiff_t k = 0; k < rows; k++) edges[k] = none;
    if (i == 0) corner = (SIMD(sdtw_cell)){SIMD(all)(1.0), SIMD(all)(0.0)};
    for (ptrdiff_t j = 0; j < m; j += SDTW_TILE) {
        const ptrdiff_t stop = j + SDTW_TILE < m ? j + SDTW_TILE : m;
        const double reach = plain ? SIMD(sdtw_tile_reach)(s, d, i, rows, j, stop) : 0.0;
        const SIMD(sdtw_cell) last = s->row[stop - 1];
        ptrdiff_t count = rows;
        const int near = plain && 2 * reach <= SDTW_REACH;
        /* The nearer its numbers lie to each other, the more rows a tile of plain ones has. */
        while (near && count * reach > SDTW_REACH) count = (count + 2) / 4 * 2;
        for (ptrdiff_t k = 0; k < rows; k += count) {
            if (count > rows - k) count = rows - k;
            const SIMD(sdtw_cell) next = edges[k + count - 1];
            const int done = near && SIMD(sdtw_plain_tile)(s, d, i + k, count, j, stop, reach, corner, edges + k, keep);
            if (!done) SIMD(sdtw_tile)(s, d, i + k, count, j, stop, corner, edges + k, keep_upper, keep);
            corner = next;
            if (keep) {
                *s->tile = (SIMD(sdtw_kept_tile)){i + k, count, j, stop, k, rows, done, s->tile->top, s->cells};
                s->tile++;
                s->cells += 2 * count * (stop - j);
            }
        }
        corner = last;
    }
}

/* The lanes from `lane` on that one vector holds. */
SIMD_INLINE void SIMD(sdtw_side_by_side_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, sdtw_total *total) {
    SIMD(sdtw_strips) s = {.x = p->x + lane, .y = p->y + lane, .scale = SIMD(load)(p->scale + lane)};
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    s.row = (SIMD(sdtw_cell) *)p->work;
    s.upper = s.row + p->m;
    s.plain = (simd_vec *)(s.upper + p->m);
    for (ptrdiff_t j = 0; j < p->m; j++) s.row[j] = none;
    ptrdiff_t left = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < p->n; i += rows) {
        int keep_upper = 0;
        const int plain = i > 0;
        rows = plain ? (p->n - i + 1) / 2 * 2 : 2;
        if (rows > SDTW_ROWS) rows = SDTW_ROWS;
        if (interrupt_turn(&left, SIMD_W * rows * p->m * (d + 1))) break;
        for (int l = lane; l < lane + SIMD_W; l++) keep_upper |= i < p->rows[l] && p->rows[l] < i + rows;
        if (keep_upper) {
            rows = 2;
            keep_upper = 0;
            for (int l = lane; l < lane + SIMD_W; l++) keep_upper |= p->rows[l] == i + 1;
        }
        SIMD(sdtw_tiles)(&s, d, i, rows, p->m, plain && !keep_upper, keep_upper, 0);
        for (int l = lane; l < lane + SIMD_W; l++) {
            if (p->rows[l] <= i || p->rows[l] > i + rows) continue;
            const SIMD(sdtw_cell) *end = (p->rows[l] == i + rows ? s.row : s.upper) + p->cols[l] - 1;
            total[l].mantissa = end->m[l - lane];
            total[l].exponent = end->e[l - lane];
        }
    }
}

SIMD_ENTRY void SIMD(sdtw_side_by_side)(const sdtw_lanes *p, sdtw_total *total) {
    for (int l = 0; l < SDTW_LANES; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        int wanted = 0;
        for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
        if (!wanted) continue;
        /* With few dimensions, known here, points stay in the registers. */
        if (p->d == 1) SIMD(sdtw_side_by_side_run)(p, 1, lane, total);
        else if (p->d == 2) SIMD(sdtw_side_by_side_run)(p, 2, lane, total);
        else if (p->d == 3) SIMD(sdtw_side_by_side_run)(p, 3, lane, total);
        else SIMD(sdtw_side_by_side_run)(p, p->d, lane, total);
    }
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
