/* W pairs of series side by side, one in each lane of a vector; included once for each build, after
 * _softdtw_diagonals.h.
 *
 * The same cells as along diagonals, in the same arithmetic: a pair has the same value to the last bit either way,
 * since moving a power of two between mantissa and exponent rounds nothing. Rows go two at a time, the second one column
 * behind the first, so that two chains of additions overlap and half of the cells never leave the registers. Shorter
 * lanes repeat their last point; what they compute there is read by nobody.
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

SIMD_INLINE void SIMD(sdtw_lane_cell)(
    const simd_vec *x, const simd_vec *y, ptrdiff_t d, simd_vec scale, const SIMD(sdtw_cell) *left,
    const SIMD(sdtw_cell) *up, const SIMD(sdtw_cell) *diagonal, SIMD(sdtw_cell) *out
) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC), gap = x[0] - y[0];
    simd_vec c = gap * gap;
    for (ptrdiff_t k = 1; k < d; k++) {
        const simd_vec g = x[k] - y[k];
        c = SIMD_FMA(g, g, c);
    }
    const simd_vec k = SIMD_FMA(c, scale, magic) - magic;
    const simd_vec factor = SIMD(exp2)(SIMD_FMA(-c, scale, k));
    const simd_vec top = SIMD_MAX(SIMD_MAX(up->e, diagonal->e), left->e);
    const simd_vec low = top - SIMD(all)(SDTW_FLOOR), base = top - SIMD(all)(0x1p52 + 1023);
    simd_vec sum = up->m * SIMD(sdtw_shift)(up->e, low, base);
    sum = SIMD_FMA(left->m, SIMD(sdtw_shift)(left->e, low, base), sum);
    sum = SIMD_FMA(diagonal->m, SIMD(sdtw_shift)(diagonal->e, low, base), sum);
    out->m = sum * factor;
    out->e = top - k;
}

typedef struct {
    ptrdiff_t n, m, d;
    const simd_vec *x, *y; /* point i: d vectors at x + i * d */
    simd_vec scale;
    SIMD(sdtw_cell) *row;   /* m cells: in, the row before the strip; out, the second row of the strip */
    SIMD(sdtw_cell) *upper; /* m cells: the first row of the strip, where wanted */
} SIMD(sdtw_strips);

/* Rows i and i + 1; `before` is the cell (i - 1, -1). */
SIMD_INLINE void SIMD(sdtw_strip)(
    const SIMD(sdtw_strips) *s, ptrdiff_t d, ptrdiff_t i, SIMD(sdtw_cell) before, int keep_upper
) {
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    const simd_vec *x0 = s->x + i * d, *x1 = x0 + d, *y = s->y;
    const simd_vec scale = s->scale;
    SIMD(sdtw_cell) *const row = s->row;
    SIMD(sdtw_cell) a = none, a_before = none, a_new, b = none, corner = before, up;
    const ptrdiff_t m = s->m;
    up = row[0];
    SIMD(sdtw_lane_cell)(x0, y, d, scale, &none, &up, &corner, &a);
    corner = up;
    if (keep_upper) s->upper[0] = a;
    for (ptrdiff_t start = 1; start < m; start += SDTW_CLEAN / 2) {
        const ptrdiff_t stop = start + SDTW_CLEAN / 2 < m ? start + SDTW_CLEAN / 2 : m;
        for (ptrdiff_t j = start; j < stop; j++) {
            up = row[j];
            SIMD(sdtw_lane_cell)(x0, y + j * d, d, scale, &a, &up, &corner, &a_new);
            SIMD(sdtw_lane_cell)(x1, y + (j - 1) * d, d, scale, &b, &a, &a_before, &b);
            row[j - 1] = b;
            if (keep_upper) s->upper[j] = a_new;
            a_before = a;
            a = a_new;
            corner = up;
        }
        SIMD(sdtw_tidy)(&a);
        SIMD(sdtw_tidy)(&a_before);
        SIMD(sdtw_tidy)(&b);
        SIMD(sdtw_tidy)(&corner);
    }
    SIMD(sdtw_lane_cell)(x1, y + (m - 1) * d, d, scale, &b, &a, &a_before, &b);
    row[m - 1] = b;
}

SIMD_INLINE void SIMD(sdtw_side_by_side_run)(const sdtw_lanes *p, ptrdiff_t d, sdtw_total *total) {
    SIMD(sdtw_strips) s = {.n = p->n, .m = p->m, .d = d};
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    SIMD(sdtw_cell) before = {SIMD(all)(1.0), SIMD(all)(0.0)};
    simd_vec *const work = (simd_vec *)p->work;
    s.x = work;
    s.y = work + (p->n + 1) * d;
    s.row = (SIMD(sdtw_cell) *)(work + (p->n + 1 + p->m) * d);
    s.upper = s.row + p->m;
    s.scale = SIMD(load)(p->scale);
    for (ptrdiff_t j = 0; j < p->m; j++) s.row[j] = none;
    ptrdiff_t left = INTERRUPT_SLICE;
    for (int l = 0; l < SIMD_W; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (ptrdiff_t i = 0; i < p->n; i += 2) {
        int keep_upper = 0;
        if (interrupt_turn(&left, 8 * p->m * (d + 1))) break;
        for (int l = 0; l < SIMD_W; l++) keep_upper |= p->rows[l] - 1 == i;
        if (keep_upper) SIMD(sdtw_strip)(&s, d, i, before, 1);
        else SIMD(sdtw_strip)(&s, d, i, before, 0);
        before = none;
        for (int l = 0; l < SIMD_W; l++) {
            const ptrdiff_t last = p->rows[l] - 1;
            if (last != i && last != i + 1) continue;
            const SIMD(sdtw_cell) *end = (last == i ? s.upper : s.row) + p->cols[l] - 1;
            total[l].mantissa = end->m[l];
            total[l].exponent = end->e[l];
        }
        if (i % (SDTW_CLEAN / 2) == 0)
            for (ptrdiff_t j = 0; j < p->m; j++) SIMD(sdtw_tidy)(&s.row[j]);
    }
}

SIMD_ENTRY void SIMD(sdtw_side_by_side)(const sdtw_lanes *p, sdtw_total *total) {
    if (p->d == 1) SIMD(sdtw_side_by_side_run)(p, 1, total);
    else SIMD(sdtw_side_by_side_run)(p, p->d, total);
}

SIMD_ENTRY double SIMD(sdtw_exponentials)(const sdtw_lanes *p) {
    const simd_vec *x = (const simd_vec *)p->work, *y = x + p->n + 1;
    const simd_vec magic = SIMD(all)(SDTW_MAGIC), scale = SIMD(load)(p->scale);
    simd_vec sum = SIMD(all)(0.0), total = sum;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        for (ptrdiff_t j = 0; j < p->m; j++) {
            const simd_vec gap = x[i] - y[j], c = gap * gap;
            const simd_vec k = SIMD_FMA(c, scale, magic) - magic;
            sum += SIMD(exp2)(SIMD_FMA(-c, scale, k));
            total += k;
        }
    }
    return sum[0] + sum[1] + sum[2] + sum[3] + total[0] + total[1] + total[2] + total[3];
}
