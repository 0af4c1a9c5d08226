/* W pairs of series side by side, one in each lane of a vector. Included once for each processor variant, after
 * _softdtw_diagonals.h. No include guard.
 *
 * The same cells as along diagonals, in the same arithmetic: a pair has the same value to the last bit either way, since
 * moving a power of two between mantissa and exponent rounds nothing. Rows go two at a time, the second one column
 * behind the first, so that two chains of additions overlap and half of the cells never leave the registers. Shorter
 * lanes repeat their last point; what they compute there is read by nobody.
 */

typedef struct {
    sdtw_vec m, e;
} SDTW(cell);

SDTW_INLINE SDTW_TARGET void SDTW(tidy)(SDTW(cell) *c) {
    const sdtw_bits field = (sdtw_bits)SDTW(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const sdtw_bits bits = (sdtw_bits)c->m;
    const sdtw_vec power = (sdtw_vec)((sdtw_bits)((sdtw_words)bits >> 52) | field) - SDTW(all)(0x1p52 + 1023);
    const sdtw_vec one = SDTW(all)(1.0);
    const sdtw_bits used = (sdtw_bits)(c->m > 0.0);
    c->e += (sdtw_vec)((sdtw_bits)power & used);
    c->m = (sdtw_vec)(((bits & fraction) | (sdtw_bits)one) & used);
}

SDTW_INLINE SDTW_TARGET void SDTW(lane_cell)(
    const sdtw_vec *x, const sdtw_vec *y, ptrdiff_t d, sdtw_vec scale, const SDTW(cell) *left, const SDTW(cell) *up,
    const SDTW(cell) *diagonal, SDTW(cell) *out
) {
    const sdtw_vec magic = SDTW(all)(SDTW_MAGIC), gap = x[0] - y[0];
    sdtw_vec c = gap * gap;
    for (ptrdiff_t k = 1; k < d; k++) {
        const sdtw_vec g = x[k] - y[k];
        c = SDTW_FMA(g, g, c);
    }
    const sdtw_vec k = SDTW_FMA(c, scale, magic) - magic;
    const sdtw_vec factor = SDTW(exp2)(SDTW_FMA(-c, scale, k));
    const sdtw_vec top = SDTW_MAX(SDTW_MAX(up->e, diagonal->e), left->e);
    const sdtw_vec low = top - SDTW(all)(SDTW_FLOOR), base = top - SDTW(all)(0x1p52 + 1023);
    sdtw_vec sum = up->m * SDTW(shift)(up->e, low, base);
    sum = SDTW_FMA(left->m, SDTW(shift)(left->e, low, base), sum);
    sum = SDTW_FMA(diagonal->m, SDTW(shift)(diagonal->e, low, base), sum);
    out->m = sum * factor;
    out->e = top - k;
}

typedef struct {
    ptrdiff_t n, m, d;
    const sdtw_vec *x, *y; /* point i: d vectors at x + i * d */
    sdtw_vec scale;
    SDTW(cell) *row;   /* m cells: in, the row before the strip; out, the second row of the strip */
    SDTW(cell) *upper; /* m cells: the first row of the strip, where wanted */
} SDTW(strips);

/* Rows i and i + 1; `before` is the cell (i - 1, -1). */
SDTW_INLINE SDTW_TARGET void SDTW(strip)(
    const SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, SDTW(cell) before, int keep_upper
) {
    const SDTW(cell) none = {SDTW(all)(0.0), SDTW(all)(SDTW_NONE)};
    const sdtw_vec *x0 = s->x + i * d, *x1 = x0 + d, *y = s->y;
    const sdtw_vec scale = s->scale;
    SDTW(cell) *const row = s->row;
    SDTW(cell) a = none, a_before = none, a_new, b = none, corner = before, up;
    const ptrdiff_t m = s->m;
    up = row[0];
    SDTW(lane_cell)(x0, y, d, scale, &none, &up, &corner, &a);
    corner = up;
    if (keep_upper) s->upper[0] = a;
    for (ptrdiff_t start = 1; start < m; start += SDTW_CLEAN / 2) {
        const ptrdiff_t stop = start + SDTW_CLEAN / 2 < m ? start + SDTW_CLEAN / 2 : m;
        for (ptrdiff_t j = start; j < stop; j++) {
            up = row[j];
            SDTW(lane_cell)(x0, y + j * d, d, scale, &a, &up, &corner, &a_new);
            SDTW(lane_cell)(x1, y + (j - 1) * d, d, scale, &b, &a, &a_before, &b);
            row[j - 1] = b;
            if (keep_upper) s->upper[j] = a_new;
            a_before = a;
            a = a_new;
            corner = up;
        }
        SDTW(tidy)(&a);
        SDTW(tidy)(&a_before);
        SDTW(tidy)(&b);
        SDTW(tidy)(&corner);
    }
    SDTW(lane_cell)(x1, y + (m - 1) * d, d, scale, &b, &a, &a_before, &b);
    row[m - 1] = b;
}

SDTW_INLINE SDTW_TARGET void SDTW(lanes_run)(const sdtw_lanes *p, ptrdiff_t d, sdtw_total *total) {
    SDTW(strips) s = {.n = p->n, .m = p->m, .d = d};
    const SDTW(cell) none = {SDTW(all)(0.0), SDTW(all)(SDTW_NONE)};
    SDTW(cell) before = {SDTW(all)(1.0), SDTW(all)(0.0)};
    sdtw_vec *const work = (sdtw_vec *)p->work;
    s.x = work;
    s.y = work + (p->n + 1) * d;
    s.row = (SDTW(cell) *)(work + (p->n + 1 + p->m) * d);
    s.upper = s.row + p->m;
    s.scale = SDTW(load)(p->scale);
    for (ptrdiff_t j = 0; j < p->m; j++) s.row[j] = none;
    ptrdiff_t left = INTERRUPT_SLICE;
    for (int l = 0; l < SDTW_W; l++) total[l] = (sdtw_total){1.0, 0.0};
    for (ptrdiff_t i = 0; i < p->n; i += 2) {
        int keep_upper = 0;
        if (interrupt_turn(&left, 8 * p->m * (d + 1))) break;
        for (int l = 0; l < SDTW_W; l++) keep_upper |= p->rows[l] - 1 == i;
        if (keep_upper) SDTW(strip)(&s, d, i, before, 1);
        else SDTW(strip)(&s, d, i, before, 0);
        before = none;
        for (int l = 0; l < SDTW_W; l++) {
            const ptrdiff_t last = p->rows[l] - 1;
            if (last != i && last != i + 1) continue;
            const SDTW(cell) *end = (last == i ? s.upper : s.row) + p->cols[l] - 1;
            total[l].mantissa = end->m[l];
            total[l].exponent = end->e[l];
        }
        if (i % (SDTW_CLEAN / 2) == 0)
            for (ptrdiff_t j = 0; j < p->m; j++) SDTW(tidy)(&s.row[j]);
    }
}

static SDTW_TARGET void SDTW(lanes)(const sdtw_lanes *p, sdtw_total *total) {
    if (p->d == 1) SDTW(lanes_run)(p, 1, total);
    else SDTW(lanes_run)(p, p->d, total);
}

/* The costs and exponentials of all cells and nothing else: what the recursion is measured against. */
static SDTW_TARGET double SDTW(exponentials)(const sdtw_lanes *p) {
    const sdtw_vec *x = (const sdtw_vec *)p->work, *y = x + p->n + 1;
    const sdtw_vec magic = SDTW(all)(SDTW_MAGIC), scale = SDTW(load)(p->scale);
    sdtw_vec sum = SDTW(all)(0.0), total = sum;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        for (ptrdiff_t j = 0; j < p->m; j++) {
            const sdtw_vec gap = x[i] - y[j], c = gap * gap;
            const sdtw_vec k = SDTW_FMA(c, scale, magic) - magic;
            sum += SDTW(exp2)(SDTW_FMA(-c, scale, k));
            total += k;
        }
    }
    return sum[0] + sum[1] + sum[2] + sum[3] + total[0] + total[1] + total[2] + total[3];
}
