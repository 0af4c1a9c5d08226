/* Gradients of pairs side by side, of soft-DTW or, with costs, of the expected cost; included by _softdtw_lanes.h after
 * _softdtw_cells.h.
 *
 * With S[i,j] the sum of the three cells before a cell, Z = K S, the probability E that an alignment visits it is
 * S[i,j] H[i,j], where H = K (H[i+1,j] + H[i,j+1] + H[i+1,j+1]) runs backwards, and H = 1 / S in the last cell: nothing
 * else is divided. Forwards the lanes keep S and K, tile by tile. The H of a tile are numbers in the unit of its S,
 * upside down: no larger than 1 / S, and as near to each other as the S are. In the arithmetic of one pair along its
 * diagonals.
 *
 * The expected cost adds to E how E moves when all costs grow in proportion. That is the same when only what each step
 * takes an alignment away from the cheapest one grows: with the excess U of the sums S and V of the H behind them, E moves
 * by -(U H + S V) / gamma, where V = -T H in the last cell, and T is the mean excess there.
 */

/* The H of a cell is m 2^-e, and e of nothing is -SDTW_NONE, above that of any cell; the excess is V, and the least is
 * that of the sum before the cell. */
typedef struct {
    const double *x, *y; /* of these lanes */
    simd_vec scale;
    SDTW(cell) *row;         /* m cells: of the row below */
    double *grad_x, *grad_y; /* half of the gradients of these lanes, laid out as x and y */
#if SDTW_PARTS == SDTW_COSTS
    simd_vec unit, steep; /* the unit of costs, and that unit / gamma */
#endif
} SDTW(back);

/* What leaves a tile: its mantissa within [1, 2), or nothing, where no alignment to speak of goes. */
SIMD_INLINE SDTW(cell) SDTW(leave_back)(simd_vec sum, SDTW(cell) h) {
    const simd_bits field = (simd_bits)SIMD(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const simd_bits bits = (simd_bits)h.m, used = (simd_bits)(sum * h.m > SDTW_NOTHING);
    const simd_bits biased = (simd_bits)((simd_words)bits >> 52);
    const simd_vec power = (simd_vec)(biased | field) - SIMD(all)(0x1p52 + 1023);
    h.m = (simd_vec)(((bits & fraction) | (simd_bits)SIMD(all)(1.0)) & used);
    h.e = simd_select(used, h.e - power, SIMD(all)(-SDTW_NONE));
#if SDTW_PARTS == SDTW_COSTS
    h.excess = (simd_vec)((simd_bits)(h.excess * (simd_vec)((2046 - biased) << 52)) & used);
#endif
    return h;
}

/* What enters one in the unit 2^-e; nothing where that is so little that no S makes it a probability. */
SIMD_INLINE SDTW(number) SDTW(enter_back)(const SDTW(cell) *h, simd_vec e) {
    const simd_vec shift = SIMD(sdtw_weight)(e, h->e);
    return SDTW(enter)(h, (simd_vec)((simd_bits)shift & (simd_bits)(shift > ldexp(1.0, -SDTW_FLOOR))));
}

/* A cell that is visited with probability `visited` adds to the gradients; to that of one dimension of x in `sum`, and
 * to that of y what is returned. */
SIMD_INLINE simd_vec SDTW(add_line)(simd_vec visited, simd_vec x, simd_vec y, simd_vec to_y, simd_vec *sum) {
    const simd_vec gap = x - y;
    *sum = SIMD_FMA(visited, gap, *sum);
    return SIMD_FMA(-visited, gap, to_y);
}
SIMD_INLINE void SDTW(add)(const SDTW(back) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, simd_vec visited) {
    for (ptrdiff_t k = 0; k < d; k++) {
        const ptrdiff_t at_x = (i * d + k) * SDTW_LANES, at_y = (j * d + k) * SDTW_LANES;
        const simd_vec x = *(const simd_vec *)(s->x + at_x), y = *(const simd_vec *)(s->y + at_y);
        simd_vec *const to_x = (simd_vec *)(s->grad_x + at_x), *const to_y = (simd_vec *)(s->grad_y + at_y);
        *to_y = SDTW(add_line)(visited, x, y, *to_y, to_x);
    }
}

#if SDTW_PARTS == SDTW_COSTS
/* The excess behind a cell, but for its factor: that of the three cells behind it, and what the steps to them add. `own`
 * is what the cheapest alignment up to it costs. */
SIMD_INLINE simd_vec SDTW(excess_behind)(
    simd_vec own, const SDTW(number) *down, const SDTW(number) *aslant, const SDTW(number) *right
) {
    simd_vec excess = down->excess + aslant->excess;
    excess = SIMD_FMA(own - down->least, down->m, excess);
    excess = SIMD_FMA(own - aslant->least, aslant->m, excess);
    return excess + SIMD_FMA(own - right->least, right->m, right->excess);
}

/* How the expected cost moves with the cost of a cell: the probability of a visit, and how that moves. */
SIMD_INLINE simd_vec SDTW(moved)(
    const SDTW(back) *s, simd_vec visited, simd_vec sum, simd_vec excess_before, simd_vec h, simd_vec excess
) {
    return SIMD_FMA(-s->steep, SIMD_FMA(excess_before, h, sum * excess), visited);
}
#endif

/* A cell of points x and y of a plain tile, from the three behind it; returns what it adds to the gradients. */
SIMD_INLINE simd_vec SDTW(plain_cell_back)(
    const SDTW(back) *s, ptrdiff_t d, const double *x, const double *y, const SDTW(kept_number) *kept,
    const SDTW(number) *down, const SDTW(number) *aslant, const SDTW(number) *right, SDTW(number) *out
) {
#if SDTW_PARTS == SDTW_COSTS
    const simd_vec c = SIMD(sdtw_lane_cost)(x, y, d), factor = SIMD(sdtw_number_of)(c, s->scale);
#else
    const simd_vec factor = kept->factor;
#endif
    const simd_vec h = ((down->m + aslant->m) + right->m) * factor;
#if SDTW_PARTS == SDTW_COSTS
    const simd_vec own = SIMD_FMA(c, s->unit, kept->least);
    const simd_vec excess = SDTW(excess_behind)(own, down, aslant, right) * factor;
    out->excess = excess;
    out->least = kept->least;
    out->m = h;
    return SDTW(moved)(s, h * kept->sum, kept->sum, kept->excess, h, excess);
#else
    out->m = h;
    return h * kept->sum;
#endif
}

/* Rows i and i + 1 of a plain tile, from its last column on. `below` are the cells of row i + 2, corner the one behind
 * them, and in their place come those of row i; the edges are the cells behind the last column, and out, of the first.
 */
SIMD_INLINE void SDTW(plain_back)(
    const SDTW(back) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t width, const SDTW(kept_number) *kept,
    SDTW(number) corner, SDTW(number) *a_edge, SDTW(number) *b_edge, SDTW(number) *below
) {
    const ptrdiff_t step = d * SDTW_LANES;
    const SDTW(kept_number) *kept_a = kept + width - 1, *kept_b = kept_a + width;
    const double *x0 = s->x + i * step, *x1 = x0 + step, *y = s->y + (j + width - 1) * step;
    double *to_y = s->grad_y + (j + width - 1) * step;
    const simd_vec x_a = *(const simd_vec *)x0, x_b = *(const simd_vec *)x1;
    SDTW(number) a = *a_edge, a_new, b_before = *b_edge, b, b_new, down = below[width - 1];
    simd_vec *const to_a = (simd_vec *)(s->grad_x + i * step), *const to_b = (simd_vec *)(s->grad_x + (i + 1) * step);
    simd_vec sum_a = *to_a, sum_b = *to_b, of_a, of_b, part;
    of_b = SDTW(plain_cell_back)(s, d, x1, y, kept_b, &down, &corner, &b_before, &b);
    if (d == 1) part = SDTW(add_line)(of_b, x_b, *(const simd_vec *)y, *(simd_vec *)to_y, &sum_b);
    else SDTW(add)(s, d, i + 1, j + width - 1, of_b);
    for (ptrdiff_t k = width - 2; k >= 0; k--) {
        const SDTW(number) aslant = down;
        down = below[k];
        of_a = SDTW(plain_cell_back)(s, d, x0, y, kept_a, &b, &b_before, &a, &a_new);
        a = below[k + 1] = a_new;
        kept_b--;
        of_b = SDTW(plain_cell_back)(s, d, x1, y - step, kept_b, &down, &aslant, &b, &b_new);
        b_before = b;
        b = b_new;
        if (d == 1) {
            *(simd_vec *)to_y = SDTW(add_line)(of_a, x_a, *(const simd_vec *)y, part, &sum_a);
            to_y -= step;
            part = SDTW(add_line)(of_b, x_b, *(const simd_vec *)(y - step), *(simd_vec *)to_y, &sum_b);
        } else {
            SDTW(add)(s, d, i, j + k + 1, of_a);
            SDTW(add)(s, d, i + 1, j + k, of_b);
        }
        y -= step;
        kept_a--;
    }
    of_a = SDTW(plain_cell_back)(s, d, x0, y, kept_a, &b, &b_before, &a, &a_new);
    below[0] = a_new;
    if (d == 1) {
        *(simd_vec *)to_y = SDTW(add_line)(of_a, x_a, *(const simd_vec *)y, part, &sum_a);
        *to_a = sum_a;
        *to_b = sum_b;
    } else SDTW(add)(s, d, i, j, of_a);
    *a_edge = a_new;
    *b_edge = b;
}

/* A plain tile; corner: the cell behind its last row and column, edges: those behind the last column of each row. */
SIMD_INLINE void SDTW(plain_tile_back)(
    const SDTW(back) *s, ptrdiff_t d, const SDTW(kept_tile) *t, SDTW(cell) corner, SDTW(cell) *edges
) {
    const ptrdiff_t width = t->stop - t->j;
    const SDTW(kept_number) *const kept = (const SDTW(kept_number) *)t->cells;
    const simd_vec one = SIMD(all)(1.0);
    SDTW(number) below[SDTW_TILE], plain[SDTW_KEPT_ROWS], aslant = SDTW(enter_back)(&corner, t->top);
    SDTW(cell) *const row = s->row + t->j;
    for (ptrdiff_t k = 0; k < t->rows; k++) plain[k] = SDTW(enter_back)(edges + k, t->top);
    for (ptrdiff_t k = 0; k < width; k++) below[k] = SDTW(enter_back)(row + k, t->top);
    for (ptrdiff_t k = t->rows - 2; k >= 0; k -= 2) {
        const SDTW(number) next = plain[k];
        SDTW(plain_back)(s, d, t->i + k, t->j, width, kept + k * width, aslant, plain + k, plain + k + 1, below);
        aslant = next;
    }
    for (ptrdiff_t k = 0; k < t->rows; k++)
        edges[k] = SDTW(leave_back)(kept[k * width].sum, SDTW(leave)(plain + k, one, t->top));
    for (ptrdiff_t k = 0; k < width; k++)
        row[k] = SDTW(leave_back)(kept[k].sum, SDTW(leave)(below + k, one, t->top));
}

/* What is kept of a cell of any tile. */
SIMD_INLINE SDTW(kept_cell) SDTW(kept_in)(const SDTW(kept_tile) *t, ptrdiff_t cell) {
    if (!t->plain) return ((const SDTW(kept_cell) *)t->cells)[cell];
    const SDTW(kept_number) *number = (const SDTW(kept_number) *)t->cells + cell;
    SDTW(kept_cell) kept = {.sum = number->sum, .top = t->top};
#if SDTW_PARTS == SDTW_COSTS
    kept.excess = number->excess;
    kept.least = number->least;
#endif
    return kept;
}

/* Any tile. Lanes whose last cell it has start there, and have their total there. */
SIMD_INLINE void SDTW(tile_back)(
    const SDTW(back) *s, ptrdiff_t d, const SDTW(kept_tile) *t, SDTW(cell) corner, SDTW(cell) *edges, const sdtw_lanes *p,
    int lane, const sdtw_slopes_out *out
) {
    const ptrdiff_t width = t->stop - t->j;
    for (ptrdiff_t r = t->rows - 1; r >= 0; r--) {
        SDTW(cell) right = edges[r], aslant = corner, h;
        int ends = 0;
        for (int l = lane; l < lane + SIMD_W; l++) ends |= p->rows[l] == t->i + r + 1;
        corner = right;
        for (ptrdiff_t j = t->stop - 1; j >= t->j; j--) {
            const ptrdiff_t i = t->i + r;
            const SDTW(kept_cell) kept = SDTW(kept_in)(t, r * width + j - t->j);
            const simd_vec c = SIMD(sdtw_lane_cost)(s->x + i * d * SDTW_LANES, s->y + j * d * SDTW_LANES, d);
            const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(c, s->scale);
            /* The cell: factor times the sum, and its exponent. */
            const simd_vec factor = t->plain ? SIMD(sdtw_number_of)(c, s->scale) : power.factor;
            const simd_vec e = t->plain ? kept.top : SIMD(sdtw_fallen)(kept.top, power);
            const SDTW(number) down = SDTW(enter)(s->row + j, SIMD(sdtw_weight)(e, s->row[j].e));
            const SDTW(number) behind = SDTW(enter)(&aslant, SIMD(sdtw_weight)(e, aslant.e));
            const SDTW(number) beside = SDTW(enter)(&right, SIMD(sdtw_weight)(e, right.e));
            h.m = ((down.m + behind.m) + beside.m) * factor;
            h.e = kept.top;
#if SDTW_PARTS == SDTW_COSTS
            const simd_vec own = SIMD_FMA(c, s->unit, kept.least);
            h.excess = SDTW(excess_behind)(own, &down, &behind, &beside) * factor;
            h.least = kept.least;
#endif
            for (int l = lane, k = 0; ends && l < lane + SIMD_W; l++, k++) {
                if (p->rows[l] != i + 1 || p->cols[l] != j + 1) continue;
                h.m[k] = 1.0 / kept.sum[k];
                out->total[l] = (sdtw_total){kept.sum[k] * factor[k], e[k]};
#if SDTW_PARTS == SDTW_COSTS
                const double mean = sdtw_mean_excess(kept.excess[k] * factor[k], out->total[l].mantissa);
                h.excess[k] = -mean * h.m[k];
                out->cost[l] = (own[k] + mean) / p->unit[l];
#endif
            }
            const simd_vec visited = SIMD(sdtw_likely)(h.m * kept.sum);
            h.m = (simd_vec)((simd_bits)h.m & (simd_bits)(visited > 0.0));
#if SDTW_PARTS == SDTW_COSTS
            h.excess = (simd_vec)((simd_bits)h.excess & (simd_bits)(visited > 0.0));
            SDTW(add)(s, d, i, j, SDTW(moved)(s, visited, kept.sum, kept.excess, h.m, h.excess));
#else
            SDTW(add)(s, d, i, j, visited);
#endif
            aslant = s->row[j];
            right = s->row[j] = h;
        }
        edges[r] = right;
    }
    for (ptrdiff_t r = 0; r < t->rows; r++) edges[r] = SDTW(leave_back)(SDTW(kept_in)(t, r * width).sum, edges[r]);
    for (ptrdiff_t j = t->j; j < t->stop; j++) s->row[j] = SDTW(leave_back)(SDTW(kept_in)(t, j - t->j).sum, s->row[j]);
}

SIMD_INLINE void SDTW(gradients_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, const sdtw_slopes_out *out) {
    const simd_vec scale = SIMD(load)(p->scale + lane), unit = SIMD(load)(p->unit + lane), zero = SIMD(all)(0.0);
    const ptrdiff_t n = p->n, m = p->m;
    SDTW(cell) nothing = SDTW(origin)();
    SDTW(number) plain[SDTW_TILE];
    SDTW(strips) s = {.x = p->x + lane, .y = p->y + lane, .scale = scale, .unit = unit, .plain = plain};
    SDTW(back) back = {.x = s.x, .y = s.y, .scale = scale, .grad_x = out->x + lane, .grad_y = out->y + lane};
#if SDTW_PARTS == SDTW_COSTS
    back.unit = unit;
    back.steep = scale * SDTW_LN2 / unit;
#endif
    nothing.m = zero;
    nothing.e = SIMD(all)(-SDTW_NONE);
    s.row = (SDTW(cell) *)p->work;
    back.row = s.row + m;
    s.cells = (simd_vec *)out->kept;
    SDTW(kept_tile) *const tiles = (SDTW(kept_tile) *)(s.cells + (n + 1) * m * SDTW_KEPT(cell));
    s.tile = tiles;
    for (ptrdiff_t j = 0; j < m; j++) s.row[j] = SDTW(none)();
    ptrdiff_t turn = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < n; i += rows) {
        rows = i == 0 ? 2 : (n - i + 1) / 2 * 2;
        if (rows > SDTW_KEPT_ROWS) rows = SDTW_KEPT_ROWS;
        if (interrupt_turn(&turn, 2 * SIMD_W * rows * m * (d + 1))) return;
        SDTW(tiles)(&s, d, i, rows, m, i > 0, 0, 1);
    }
    for (ptrdiff_t k = 0; k < (n + 1) * d; k++) SIMD(store)(back.grad_x + k * SDTW_LANES, zero);
    for (ptrdiff_t k = 0; k < m * d; k++) SIMD(store)(back.grad_y + k * SDTW_LANES, zero);
    for (ptrdiff_t j = 0; j < m; j++) back.row[j] = nothing;
    SDTW(cell) edges[SDTW_KEPT_ROWS], corner = nothing, aside = nothing, next = nothing;
    for (const SDTW(kept_tile) *t = s.tile; t-- > tiles;) {
        if (interrupt_turn(&turn, SIMD_W * t->rows * (t->stop - t->j) * (d + 1))) return;
        if (t->k + t->rows < t->strip) corner = next;
        else {
            /* The lowest tile of these columns. */
            if (t->stop == m) {
                for (int k = 0; k < SDTW_KEPT_ROWS; k++) edges[k] = nothing;
                aside = nothing;
            }
            corner = aside;
            aside = back.row[t->j];
        }
        next = edges[t->k];
        int starts = 0;
        for (int l = lane; l < lane + SIMD_W; l++)
            starts |= t->i < p->rows[l] && p->rows[l] <= t->i + t->rows && t->j < p->cols[l] && p->cols[l] <= t->stop;
        if (t->plain && !starts) SDTW(plain_tile_back)(&back, d, t, corner, edges + t->k);
        else SDTW(tile_back)(&back, d, t, corner, edges + t->k, p, lane, out);
    }
    for (ptrdiff_t k = 0; k < n * d; k++) *(simd_vec *)(back.grad_x + k * SDTW_LANES) *= 2.0;
    for (ptrdiff_t k = 0; k < m * d; k++) *(simd_vec *)(back.grad_y + k * SDTW_LANES) *= 2.0;
}
