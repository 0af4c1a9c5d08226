/* The cells of SDTW_LANES pairs side by side; included by _softdtw_lanes.h for cells of SDTW_PARTS vectors: SDTW_SOFT,
 * or SDTW_COSTS, where the expected cost comes along.
 *
 * For that a cell also has what its cheapest alignment costs, and the excess of the others, summed with their weights:
 * differences of costs that meet in one cell, so that an alignment without weight leaves no trace, however small gamma
 * is. Costs are in the unit of their lane.
 */

/* The weights of the alignments up to a cell add up to m 2^e; of the cheapest the cost is `least`, and `excess` 2^e is
 * the sum of the weights, each times what its alignment costs more. A plain number has no e. */
typedef struct {
    simd_vec m, e;
#if SDTW_PARTS == SDTW_COSTS
    simd_vec excess, least;
#endif
} SDTW(cell);
typedef struct {
    simd_vec m;
#if SDTW_PARTS == SDTW_COSTS
    simd_vec excess, least;
#endif
} SDTW(number);

/* What gradients need of a cell: the sum of those before it and its exponent `top`, or, of plain numbers, the factor that
 * makes it the cell. The others are those of the sum; with them the factor is computed again, which takes less time than
 * more memory. */
typedef struct {
    simd_vec sum, top;
#if SDTW_PARTS == SDTW_COSTS
    simd_vec excess, least;
#endif
} SDTW(kept_cell);
typedef struct {
    simd_vec sum;
#if SDTW_PARTS == SDTW_COSTS
    simd_vec excess, least;
#else
    simd_vec factor;
#endif
} SDTW(kept_number);
#define SDTW_KEPT(kind) ((ptrdiff_t)(sizeof(SDTW(kept_##kind)) / sizeof(simd_vec)))

/* Where no alignment leads. */
SIMD_INLINE SDTW(cell) SDTW(none)(void) {
    SDTW(cell) c;
    c.m = SIMD(all)(0.0);
    c.e = SIMD(all)(SDTW_NONE);
#if SDTW_PARTS == SDTW_COSTS
    c.excess = SIMD(all)(0.0);
    c.least = SIMD(all)(SDTW_DEAR);
#endif
    return c;
}

/* Before the first cell. */
SIMD_INLINE SDTW(cell) SDTW(origin)(void) {
    SDTW(cell) c = SDTW(none)();
    c.m = SIMD(all)(1.0);
    c.e = SIMD(all)(0.0);
#if SDTW_PARTS == SDTW_COSTS
    c.least = SIMD(all)(0.0);
#endif
    return c;
}

/* A cell in another unit, as a plain number, and back. */
SIMD_INLINE SDTW(number) SDTW(enter)(const SDTW(cell) *c, simd_vec power) {
    SDTW(number) x;
    x.m = c->m * power;
#if SDTW_PARTS == SDTW_COSTS
    x.excess = c->excess * power;
    x.least = c->least;
#endif
    return x;
}
SIMD_INLINE SDTW(cell) SDTW(leave)(const SDTW(number) *x, simd_vec power, simd_vec e) {
    SDTW(cell) c;
    c.m = x->m * power;
    c.e = e;
#if SDTW_PARTS == SDTW_COSTS
    c.excess = x->excess * power;
    c.least = x->least;
#endif
    return c;
}

SIMD_INLINE void SDTW(tidy)(SDTW(cell) *c) {
    const simd_bits field = (simd_bits)SIMD(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const simd_bits bits = (simd_bits)c->m, biased = (simd_bits)((simd_words)bits >> 52);
    const simd_vec power = (simd_vec)(biased | field) - SIMD(all)(0x1p52 + 1023);
    const simd_vec one = SIMD(all)(1.0);
    const simd_bits used = (simd_bits)(c->m > 0.0);
    c->e += (simd_vec)((simd_bits)power & used);
    c->m = (simd_vec)(((bits & fraction) | (simd_bits)one) & used);
#if SDTW_PARTS == SDTW_COSTS
    c->excess *= (simd_vec)((2046 - biased) << 52);
#endif
}

/* `kept`, where not NULL: the sum of the neighbours, and its exponent. */
SIMD_INLINE void SDTW(lane_cell)(
    simd_vec c, simd_vec scale, simd_vec unit, const SDTW(cell) *left, const SDTW(cell) *up, const SDTW(cell) *diagonal,
    SDTW(cell) *out, SDTW(kept_cell) *kept
) {
#if SDTW_PARTS == SDTW_KERNEL
    const SIMD(sdtw_power) power = SIMD(sdtw_kernel_of)(SIMD(sdtw_power_of)(c, scale));
#else
    const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(c, scale);
#endif
    const simd_vec top = SIMD_MAX(SIMD_MAX(up->e, diagonal->e), left->e);
#if SDTW_PARTS == SDTW_COSTS
    const simd_vec above = SIMD(sdtw_weight)(up->e, top), before = SIMD(sdtw_weight)(left->e, top);
    const simd_vec aslant = SIMD(sdtw_weight)(diagonal->e, top);
    simd_vec sum = up->m * above;
    sum = SIMD_FMA(left->m, before, sum);
    sum = SIMD_FMA(diagonal->m, aslant, sum);
    const simd_vec least = SIMD_MIN(SIMD_MIN(up->least, diagonal->least), left->least);
    /* The cell on the left comes last of all. */
    simd_vec excess = SIMD_FMA(diagonal->excess, aslant, up->excess * above);
    excess = SIMD_FMA((up->least - least) * above, up->m, excess);
    excess = SIMD_FMA((diagonal->least - least) * aslant, diagonal->m, excess);
    excess += SIMD_FMA((left->least - least) * before, left->m, left->excess * before);
    if (kept) {
        kept->excess = excess;
        kept->least = least;
    }
    out->excess = excess * power.factor;
    out->least = SIMD_FMA(c, unit, least);
#else
    /* Products with powers of two are exact. */
    simd_vec sum = SIMD(sdtw_share)(up->m, up->e, top) + SIMD(sdtw_share)(left->m, left->e, top);
    sum += SIMD(sdtw_share)(diagonal->m, diagonal->e, top);
#endif
    out->m = sum * power.factor;
    out->e = SIMD(sdtw_fallen)(top, power);
    if (kept) {
        kept->sum = sum;
        kept->top = top;
    }
}

/* The same for plain numbers: the power goes into the factor. */
SIMD_INLINE void SDTW(plain_cell)(
    simd_vec c, simd_vec scale, simd_vec unit, const SDTW(number) *left, const SDTW(number) *up,
    const SDTW(number) *diagonal, SDTW(number) *out, SDTW(kept_number) *kept
) {
    const simd_vec sum = (left->m + up->m) + diagonal->m, number = SIMD(sdtw_number_of)(c, scale);
#if SDTW_PARTS == SDTW_KERNEL
    const simd_vec factor = number / (2.0 - number);
#else
    const simd_vec factor = number;
#endif
#if SDTW_PARTS == SDTW_COSTS
    const simd_vec least = SIMD_MIN(SIMD_MIN(up->least, diagonal->least), left->least);
    simd_vec excess = up->excess + diagonal->excess;
    excess = SIMD_FMA(up->least - least, up->m, excess);
    excess = SIMD_FMA(diagonal->least - least, diagonal->m, excess);
    excess += SIMD_FMA(left->least - least, left->m, left->excess);
    if (kept) {
        kept->excess = excess;
        kept->least = least;
    }
    out->excess = excess * factor;
    out->least = SIMD_FMA(c, unit, least);
#else
    if (kept) kept->factor = factor;
#endif
    out->m = sum * factor;
    if (kept) kept->sum = sum;
}

/* What gradients need of a tile: its rows i.. i + rows - 1, which are k.. of `strip` rows that go together, its columns
 * j.. stop - 1, and its cells, row by row. The sums of a plain tile are numbers times 2^top. */
typedef struct {
    ptrdiff_t i, rows, j, stop, k, strip;
    int plain;
    simd_vec top;
    const simd_vec *cells; /* kept_cell, or kept_number of a plain one */
} SDTW(kept_tile);

typedef struct {
    const double *x, *y; /* of these lanes: dimension k of point i at (i d + k) SDTW_LANES */
    simd_vec scale, unit;
    SDTW(cell) *row;       /* m cells: in, the row before; out, the last row of a tile */
    SDTW(cell) *upper;     /* m cells: the first row of two, where wanted */
    SDTW(number) *plain;   /* SDTW_TILE cells */
    SDTW(kept_tile) *tile; /* where tiles are kept: the next one */
    simd_vec *cells;       /* and its cells */
} SDTW(strips);

/* The cell of points x and y, from those before it; the next one that is kept, if any is. */
#define SDTW_NEXT(kind, x, y, left, up, diagonal, out, kept)                                                           \
    SDTW(kind)(                                                                                                        \
        SIMD(sdtw_lane_cost)(x, y, d), s->scale, s->unit, left, up, diagonal, out, keep ? (kept)++ : NULL              \
    )

/* Rows i and i + 1 from column j on, before `stop`. The cells before, in column j - 1: corner in row i - 1, a and b. Out:
 * those in the last column. With `keep`, both rows are kept from `kept` on. */
SIMD_INLINE void SDTW(strip)(
    const SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, SDTW(cell) corner, SDTW(cell) *a_edge,
    SDTW(cell) *b_edge, int keep_upper, const int keep, SDTW(kept_cell) *kept
) {
    SDTW(kept_cell) *kept_b = keep ? kept + (stop - j) : NULL;
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y;
    SDTW(cell) *const row = s->row;
    SDTW(cell) a_before = *a_edge, a, a_new, b = *b_edge, b_new, up = row[j];
    SDTW_NEXT(lane_cell, x0, y + j * step, &a_before, &up, &corner, &a, kept);
    corner = up;
    if (keep_upper) s->upper[j] = a;
    for (j++; j < stop; j++) {
        up = row[j];
        SDTW_NEXT(lane_cell, x0, y + j * step, &a, &up, &corner, &a_new, kept);
        SDTW_NEXT(lane_cell, x1, y + (j - 1) * step, &b, &a, &a_before, &b_new, kept_b);
        row[j - 1] = b_new;
        if (keep_upper) s->upper[j] = a_new;
        a_before = a;
        a = a_new;
        b = b_new;
        corner = up;
    }
    SDTW_NEXT(lane_cell, x1, y + (j - 1) * step, &b, &a, &a_before, &b, kept_b);
    row[j - 1] = b;
    SDTW(tidy)(&a);
    SDTW(tidy)(&b);
    *a_edge = a;
    *b_edge = b;
}

/* The same of plain numbers; their row is s->plain, from column j on. */
SIMD_INLINE void SDTW(plain_strip)(
    const SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t stop, SDTW(number) corner,
    SDTW(number) *a_edge, SDTW(number) *b_edge, const int keep, SDTW(kept_number) *kept
) {
    SDTW(kept_number) *kept_b = keep ? kept + (stop - j) : NULL;
    const ptrdiff_t step = d * SDTW_LANES;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y + j * step;
    SDTW(number) *row = s->plain, a_before = *a_edge, a, a_new, b = *b_edge, up = *row;
    SDTW_NEXT(plain_cell, x0, y, &a_before, &up, &corner, &a, kept);
    corner = up;
    for (j++; j < stop; j++) {
        up = row[1];
        SDTW_NEXT(plain_cell, x0, y + step, &a, &up, &corner, &a_new, kept);
        SDTW_NEXT(plain_cell, x1, y, &b, &a, &a_before, &b, kept_b);
        *row++ = b;
        y += step;
        a_before = a;
        a = a_new;
        corner = up;
    }
    SDTW_NEXT(plain_cell, x1, y, &b, &a, &a_before, &b, kept_b);
    *row = b;
    *a_edge = a;
    *b_edge = b;
}
#undef SDTW_NEXT

/* A tile of plain numbers, of costs within `reach`; 0 where they are too far apart for that, and nothing is done.
 * Before the first column and row, the corner; edges: the cells of the column before in each of `rows` rows, and out,
 * of the last column. */
SIMD_INLINE int SDTW(plain_tile)(
    const SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop, double reach,
    SDTW(cell) corner, SDTW(cell) *edges, const int keep
) {
    simd_vec top = corner.e, low, high;
    SDTW(number) before, plain[SDTW_ROWS];
    SDTW(cell) *const row = s->row + j;
    const ptrdiff_t width = stop - j;
    /* In its first column below, a number falls by 2^reach a row at most. */
    const double least = ldexp(1.0, -850 + (int)ceil(rows * reach));
    /* The first and the last one mostly tell already. */
    const SDTW(cell) *const last = row + width - 1;
    low = SIMD_MIN(SIMD(sdtw_share)(row->m, row->e, last->e), SIMD(sdtw_share)(last->m, last->e, row->e));
    if (SIMD(smallest)(low) < least) return 0;
    for (ptrdiff_t k = 0; k < rows; k++) top = SIMD_MAX(top, edges[k].e);
    for (ptrdiff_t k = 0; k < width; k++) top = SIMD_MAX(top, row[k].e);
    before = SDTW(enter)(&corner, SIMD(sdtw_weight)(corner.e, top));
    for (ptrdiff_t k = 0; k < rows; k++) plain[k] = SDTW(enter)(edges + k, SIMD(sdtw_weight)(edges[k].e, top));
    /* Before the first column there is nothing. */
    low = j ? before.m : SIMD(all)(1.0);
    for (ptrdiff_t k = 0; k < width; k++) {
        s->plain[k] = SDTW(enter)(row + k, SIMD(sdtw_weight)(row[k].e, top));
        low = SIMD_MIN(low, s->plain[k].m);
    }
    if (SIMD(smallest)(low) < least) return 0;
    for (ptrdiff_t k = 0; k < rows; k += 2) {
        const SDTW(number) next = plain[k + 1];
        SDTW(plain_strip)(
            s, d, i + k, j, stop, before, plain + k, plain + k + 1, keep,
            keep ? (SDTW(kept_number) *)s->cells + k * width : NULL
        );
        before = next;
    }
    /* The largest number of the last row is 2^300 again, but for less than a power of two: the least is far from
     * subnormal ones then, and the largest of the next tile from infinity. */
    high = s->plain[0].m;
    for (ptrdiff_t k = 1; k < width; k++) high = SIMD_MAX(high, s->plain[k].m);
    const simd_bits power = (simd_bits)((simd_words)(simd_bits)high >> 52);
    const simd_vec one = (simd_vec)((2046 + 300 - power) << 52);
    const simd_vec e = top + ((simd_vec)(power | (simd_bits)SIMD(all)(0x1p52)) - SIMD(all)(SDTW_BASE + 300));
    for (ptrdiff_t k = 0; k < rows; k++) edges[k] = SDTW(leave)(plain + k, one, e);
    for (ptrdiff_t k = 0; k < width; k++) row[k] = SDTW(leave)(s->plain + k, one, e);
    if (keep) s->tile->top = top;
    return 1;
}

/* A tile of mantissas and exponents. */
SIMD_INLINE void SDTW(tile)(
    const SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t stop, SDTW(cell) corner,
    SDTW(cell) *edges, int loose, int keep_upper, const int keep
) {
    /* Plain numbers go where mantissas may not; edges that are not loose come from a strip, tidy. */
    SDTW(tidy)(&corner);
    for (ptrdiff_t k = 0; loose && k < rows; k++) SDTW(tidy)(edges + k);
    for (ptrdiff_t k = j; k < stop; k++) SDTW(tidy)(s->row + k);
    for (ptrdiff_t k = 0; k < rows; k += 2) {
        const SDTW(cell) next = edges[k + 1];
        SDTW(kept_cell) *const kept = keep ? (SDTW(kept_cell) *)s->cells + k * (stop - j) : NULL;
        if (keep_upper) SDTW(strip)(s, d, i + k, j, stop, corner, edges + k, edges + k + 1, 1, keep, kept);
        else SDTW(strip)(s, d, i + k, j, stop, corner, edges + k, edges + k + 1, 0, keep, kept);
        corner = next;
    }
}

/* The rows from i on, in all columns. */
SIMD_INLINE void SDTW(tiles)(
    SDTW(strips) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t m, int plain, int keep_upper, const int keep
) {
    SDTW(cell) edges[SDTW_ROWS], corner = i == 0 ? SDTW(origin)() : SDTW(none)();
    for (ptrdiff_t k = 0; k < rows; k++) edges[k] = SDTW(none)();
    int loose = 0;
    for (ptrdiff_t j = 0; j < m; j += SDTW_TILE) {
        const ptrdiff_t stop = j + SDTW_TILE < m ? j + SDTW_TILE : m;
        /* Weights of the global alignment kernel are as little as half of the others. */
        const double half = SDTW_PARTS == SDTW_KERNEL ? 1.0 : 0.0;
        const double reach = plain ? SIMD(sdtw_tile_reach)(s->x, s->y, s->scale, d, i, rows, j, stop) + half : 0.0;
        const SDTW(cell) last = s->row[stop - 1];
        ptrdiff_t count = rows;
        const int near = plain && 2 * reach <= SDTW_REACH;
        /* The nearer its numbers lie to each other, the more rows a tile of plain ones has. */
        while (near && count * reach > SDTW_REACH) count = (count + 2) / 4 * 2;
        for (ptrdiff_t k = 0, size; k < rows; k += size) {
            size = count < rows - k ? count : rows - k;
            SDTW(cell) next = edges[k + size - 1];
            const int done = near && SDTW(plain_tile)(s, d, i + k, size, j, stop, reach, corner, edges + k, keep);
            if (!done) {
                if (size < SDTW_FAR_ROWS) size = SDTW_FAR_ROWS < rows - k ? SDTW_FAR_ROWS : rows - k;
                next = edges[k + size - 1];
                SDTW(tile)(s, d, i + k, size, j, stop, corner, edges + k, loose, keep_upper, keep);
            }
            loose |= done;
            corner = next;
            if (keep) {
                *s->tile = (SDTW(kept_tile)){i + k, size, j, stop, k, rows, done, s->tile->top, s->cells};
                s->tile++;
                s->cells += size * (stop - j) * (done ? SDTW_KEPT(number) : SDTW_KEPT(cell));
            }
        }
        corner = last;
    }
}

/* The lanes from `lane` on that one vector holds; `cost`: the expected one of each, where there are costs. */
SIMD_INLINE void SDTW(side_by_side_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, sdtw_total *total, double *cost) {
    SDTW(strips) s = {.x = p->x + lane, .y = p->y + lane, .scale = SIMD(load)(p->scale + lane)};
    s.unit = SIMD(load)(p->unit + lane);
    s.row = (SDTW(cell) *)p->work;
    s.upper = s.row + p->m;
    s.plain = (SDTW(number) *)(s.upper + p->m);
    for (ptrdiff_t j = 0; j < p->m; j++) s.row[j] = SDTW(none)();
    ptrdiff_t left = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < p->n; i += rows) {
        /* Pairs of rows as far as the next lane ends, which may be within one. */
        ptrdiff_t next = p->n;
        for (int l = lane; l < lane + SIMD_W; l++)
            if (i < p->rows[l] && p->rows[l] < next) next = p->rows[l];
        const int keep_upper = next == i + 1;
        rows = i == 0 || keep_upper ? 2 : (next - i) / 2 * 2;
        if (rows > SDTW_ROWS) rows = SDTW_ROWS;
        if (interrupt_turn(&left, SIMD_W * rows * p->m * (d + 1))) break;
        SDTW(tiles)(&s, d, i, rows, p->m, i > 0 && !keep_upper, keep_upper, 0);
        for (int l = lane; l < lane + SIMD_W; l++) {
            if (p->rows[l] <= i || p->rows[l] > i + rows) continue;
            const SDTW(cell) *end = (p->rows[l] == i + rows ? s.row : s.upper) + p->cols[l] - 1;
            total[l] = (sdtw_total){end->m[l - lane], end->e[l - lane]};
#if SDTW_PARTS == SDTW_COSTS
            const double mean = sdtw_mean_excess(end->excess[l - lane], end->m[l - lane]);
            cost[l] = (end->least[l - lane] + mean) / p->unit[l];
#endif
        }
    }
}
