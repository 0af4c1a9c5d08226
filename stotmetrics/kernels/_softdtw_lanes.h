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
    for (ptrdiff_t k = 1; k < d; k++) {
        const simd_vec far = *(const simd_vec *)(x + k * SDTW_LANES) - *(const simd_vec *)(y + k * SDTW_LANES);
        c = SIMD_FMA(far, far, c);
    }
    return c;
}

SIMD_INLINE void SIMD(sdtw_lane_cell)(
    simd_vec c, simd_vec scale, const SIMD(sdtw_cell) *left, const SIMD(sdtw_cell) *up,
    const SIMD(sdtw_cell) *diagonal, SIMD(sdtw_cell) *out
) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC);
    const simd_vec k = SIMD_FMA(c, scale, magic) - magic;
    const simd_vec factor = SIMD(exp2)(SIMD_FMA(-c, scale, k));
    const simd_vec top = SIMD_MAX(SIMD_MAX(up->e, diagonal->e), left->e), base = top - SIMD(all)(SDTW_BASE);
    simd_vec sum = up->m * SIMD(sdtw_shift)(up->e, base);
    sum = SIMD_FMA(left->m, SIMD(sdtw_shift)(left->e, base), sum);
    sum = SIMD_FMA(diagonal->m, SIMD(sdtw_shift)(diagonal->e, base), sum);
    out->m = sum * factor;
    out->e = top - k;
}

/* The same for plain numbers: the power goes into the factor. */
SIMD_INLINE simd_vec SIMD(sdtw_plain_cell)(
    simd_vec c, simd_vec scale, simd_vec left, simd_vec up, simd_vec diagonal
) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC), power = SIMD_FMA(c, scale, magic);
    const simd_vec factor = SIMD(exp2)(SIMD_FMA(-c, scale, power - magic));
    return ((left + up) + diagonal) * (simd_vec)((simd_bits)factor - ((simd_bits)power << 52));
}

typedef struct {
    const double *x, *y; /* of these lanes: dimension k of point i at (i d + k) SDTW_LANES */
    simd_vec scale;
    SIMD(sdtw_cell) *row;   /* m cells: in, the row before; out, the last row of a tile */
    SIMD(sdtw_cell) *upper; /* m cells: the first row of two, where wanted */
    simd_vec *plain;        /* SDTW_TILE cells */
    double lowest;          /* the least number of a row before a tile of plain numbers; 0: there are no such tiles */
} SIMD(sdtw_strips);

/* Rows i and i + 1 from column j on, before `stop`. The cells before, in column j - 1: corner in row i - 1, a and b. Out:
 * those in the last column. */
SIMD_INLINE void SIMD(sdtw_strip)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, SIMD(sdtw_cell) corner,
    SIMD(sdtw_cell) *a_edge, SIMD(sdtw_cell) *b_edge, int keep_upper
) {
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y;
    const simd_vec scale = s->scale;
    SIMD(sdtw_cell) *const row = s->row;
    SIMD(sdtw_cell) a_before = *a_edge, a, a_new, b = *b_edge, up = row[j];
    SIMD(sdtw_lane_cell)(SIMD(sdtw_lane_cost)(x0, y + j * step, d), scale, &a_before, &up, &corner, &a);
    corner = up;
    if (keep_upper) s->upper[j] = a;
    for (j++; j < stop; j++) {
        up = row[j];
        SIMD(sdtw_lane_cell)(SIMD(sdtw_lane_cost)(x0, y + j * step, d), scale, &a, &up, &corner, &a_new);
        SIMD(sdtw_lane_cell)(SIMD(sdtw_lane_cost)(x1, y + (j - 1) * step, d), scale, &b, &a, &a_before, &b);
        row[j - 1] = b;
        if (keep_upper) s->upper[j] = a_new;
        a_before = a;
        a = a_new;
        corner = up;
    }
    SIMD(sdtw_lane_cell)(SIMD(sdtw_lane_cost)(x1, y + (j - 1) * step, d), scale, &b, &a, &a_before, &b);
    row[j - 1] = b;
    SIMD(sdtw_tidy)(&a);
    SIMD(sdtw_tidy)(&b);
    *a_edge = a;
    *b_edge = b;
}

/* The same of plain numbers; their row is s->plain, from column j on. */
SIMD_INLINE void SIMD(sdtw_plain_strip)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, simd_vec corner,
    simd_vec *a_edge, simd_vec *b_edge
) {
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y + j * step;
    const simd_vec scale = s->scale;
    simd_vec *row = s->plain, a_before = *a_edge, a, a_new, b = *b_edge, up = *row;
    a = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x0, y, d), scale, a_before, up, corner);
    corner = up;
    for (j++; j < stop; j++) {
        up = row[1];
        a_new = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x0, y + step, d), scale, a, up, corner);
        b = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x1, y, d), scale, b, a, a_before);
        *row++ = b;
        y += step;
        a_before = a;
        a = a_new;
        corner = up;
    }
    b = SIMD(sdtw_plain_cell)(SIMD(sdtw_lane_cost)(x1, y, d), scale, b, a, a_before);
    *row = b;
    *a_edge = a;
    *b_edge = b;
}

/* A tile of plain numbers; 0 where they are too far apart for that, and nothing is done. The edges are the cells of the
 * column before, in the row before and in each of `rows` rows; out: of the last column. */
SIMD_INLINE int SIMD(sdtw_plain_tile)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop,
    SIMD(sdtw_cell) *edges
) {
    simd_vec top = edges[0].e, low, high, corner, plain[SDTW_ROWS + 1];
    SIMD(sdtw_cell) *const row = s->row;
    for (ptrdiff_t k = 1; k <= rows; k++) top = SIMD_MAX(top, edges[k].e);
    for (ptrdiff_t k = j; k < stop; k++) top = SIMD_MAX(top, row[k].e);
    const simd_vec base = top - SIMD(all)(SDTW_BASE);
    for (ptrdiff_t k = 0; k <= rows; k++) plain[k] = edges[k].m * SIMD(sdtw_shift)(edges[k].e, base);
    /* Before the first column there is nothing. */
    low = j ? plain[0] : SIMD(all)(1.0);
    for (ptrdiff_t k = j; k < stop; k++) {
        s->plain[k - j] = row[k].m * SIMD(sdtw_shift)(row[k].e, base);
        low = SIMD_MIN(low, s->plain[k - j]);
    }
    if (SIMD(smallest)(low) < s->lowest) return 0;
    corner = plain[0];
    edges[0] = row[stop - 1];
    for (ptrdiff_t k = 0; k < rows; k += 2) {
        const simd_vec next = plain[k + 2];
        SIMD(sdtw_plain_strip)(s, d, i + k, j, stop, corner, plain + k + 1, plain + k + 2);
        corner = next;
    }
    /* The largest number of the last row is 2^300 again, but for less than a power of two: the least is far from
     * subnormal ones then, and the largest of the next tile from infinity. */
    high = s->plain[0];
    for (ptrdiff_t k = 1; k < stop - j; k++) high = SIMD_MAX(high, s->plain[k]);
    const simd_bits power = (simd_bits)((simd_words)(simd_bits)high >> 52);
    const simd_vec unit = (simd_vec)((2046 + 300 - power) << 52);
    const simd_vec e = top + ((simd_vec)(power | (simd_bits)SIMD(all)(0x1p52)) - SIMD(all)(SDTW_BASE + 300));
    for (ptrdiff_t k = 1; k <= rows; k++) edges[k] = (SIMD(sdtw_cell)){plain[k] * unit, e};
    for (ptrdiff_t k = j; k < stop; k++) row[k] = (SIMD(sdtw_cell)){s->plain[k - j] * unit, e};
    return 1;
}

/* The rows from i on, in all columns. */
SIMD_INLINE void SIMD(sdtw_tiles)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t m, int plain, int keep_upper
) {
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    SIMD(sdtw_cell) edges[SDTW_ROWS + 1];
    for (ptrdiff_t k = 0; k <= rows; k++) edges[k] = none;
    if (i == 0) edges[0] = (SIMD(sdtw_cell)){SIMD(all)(1.0), SIMD(all)(0.0)};
    for (ptrdiff_t j = 0; j < m; j += SDTW_TILE) {
        const ptrdiff_t stop = j + SDTW_TILE < m ? j + SDTW_TILE : m;
        if (plain && SIMD(sdtw_plain_tile)(s, d, i, rows, j, stop, edges)) continue;
        if (s->lowest > 0.0) {
            /* Plain numbers go where mantissas may not. */
            for (ptrdiff_t k = 0; k <= rows; k++) SIMD(sdtw_tidy)(edges + k);
            for (ptrdiff_t k = j; k < stop; k++) SIMD(sdtw_tidy)(s->row + k);
        }
        SIMD(sdtw_cell) corner = edges[0];
        edges[0] = s->row[stop - 1];
        for (ptrdiff_t k = 0; k < rows; k += 2) {
            const SIMD(sdtw_cell) next = edges[k + 2];
            if (keep_upper) SIMD(sdtw_strip)(s, d, i + k, j, stop, corner, edges + k + 1, edges + k + 2, 1);
            else SIMD(sdtw_strip)(s, d, i + k, j, stop, corner, edges + k + 1, edges + k + 2, 0);
            corner = next;
        }
    }
}

/* The lanes from `lane` on that one vector holds. */
SIMD_INLINE void SIMD(sdtw_side_by_side_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, sdtw_total *total) {
    SIMD(sdtw_strips) s = {.x = p->x + lane, .y = p->y + lane, .scale = SIMD(load)(p->scale + lane)};
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    s.row = (SIMD(sdtw_cell) *)p->work;
    s.upper = s.row + p->m;
    s.plain = (simd_vec *)(s.upper + p->m);
    /* In its first column below, a number falls by 2^reach a row at most. */
    const ptrdiff_t most = p->reach <= 55 ? 8 : p->reach <= 110 ? 4 : p->reach <= 220 ? 2 : 0;
    s.lowest = most ? ldexp(1.0, -850 + (int)ceil(most * p->reach)) : 0.0;
    for (ptrdiff_t j = 0; j < p->m; j++) s.row[j] = none;
    ptrdiff_t left = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < p->n; i += rows) {
        int keep_upper = 0;
        const int plain = i > 0 && most;
        rows = plain ? (p->n - i + 1) / 2 * 2 : 2;
        if (plain && rows > most) rows = most;
        if (interrupt_turn(&left, SIMD_W * rows * p->m * (d + 1))) break;
        for (int l = lane; l < lane + SIMD_W; l++) keep_upper |= i < p->rows[l] && p->rows[l] < i + rows;
        if (keep_upper) {
            rows = 2;
            keep_upper = 0;
            for (int l = lane; l < lane + SIMD_W; l++) keep_upper |= p->rows[l] == i + 1;
        }
        SIMD(sdtw_tiles)(&s, d, i, rows, p->m, plain && !keep_upper, keep_upper);
        for (int l = lane; l < lane + SIMD_W; l++) {
            if (p->rows[l] <= i || p->rows[l] > i + rows) continue;
            const SIMD(sdtw_cell) *end = (p->rows[l] == i + rows ? s.row : s.upper) + p->cols[l] - 1;
            total[l].mantissa = end->m[l - lane];
            total[l].exponent = end->e[l - lane];
        }
        if (!most && i % (SDTW_CLEAN / 2) == 0)
            for (ptrdiff_t j = 0; j < p->m; j++) SIMD(sdtw_tidy)(&s.row[j]);
    }
}

SIMD_ENTRY void SIMD(sdtw_side_by_side)(const sdtw_lanes *p, sdtw_total *total) {
    for (int l = 0; l < SDTW_LANES; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        int wanted = 0;
        for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
        if (!wanted) continue;
        if (p->d == 1) SIMD(sdtw_side_by_side_run)(p, 1, lane, total);
        else SIMD(sdtw_side_by_side_run)(p, p->d, lane, total);
    }
}

SIMD_ENTRY double SIMD(sdtw_exponentials)(const sdtw_lanes *p) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC);
    simd_vec sum = SIMD(all)(0.0), total = sum;
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        const simd_vec scale = SIMD(load)(p->scale + lane);
        for (ptrdiff_t i = 0; i < p->n; i++) {
            for (ptrdiff_t j = 0; j < p->m; j++) {
                const simd_vec c = SIMD(sdtw_lane_cost)(p->x + lane + i * SDTW_LANES, p->y + lane + j * SDTW_LANES, 1);
                const simd_vec k = SIMD_FMA(c, scale, magic) - magic;
                sum += SIMD(exp2)(SIMD_FMA(-c, scale, k));
                total += k;
            }
        }
    }
    return SIMD(total)(sum) + SIMD(total)(total);
}
