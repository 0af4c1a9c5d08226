/* Gradients of soft-DTW of pairs side by side; included once for each build, after _softdtw_lanes.h.
 *
 * With S[i,j] the sum of the three cells before a cell, Z = K S, the probability E that an alignment visits it is
 * S[i,j] H[i,j], where H = K (H[i+1,j] + H[i,j+1] + H[i+1,j+1]) runs backwards, and H = 1 / S in the last cell: nothing
 * else is divided. Forwards the lanes keep S and K, tile by tile. The H of a tile are numbers in the unit of its S,
 * upside down: no larger than 1 / S, and as near to each other as the S are. In the arithmetic of one pair along its
 * diagonals.
 */

/* An H is m 2^-e; e of nothing is -SDTW_NONE, above that of any cell. */
typedef struct {
    const double *x, *y; /* of these lanes */
    simd_vec scale;
    SIMD(sdtw_cell) *row;    /* m cells: of the row below */
    double *grad_x, *grad_y; /* half of the gradients of these lanes, laid out as x and y */
} SIMD(sdtw_back);

/* What leaves a tile: its mantissa within [1, 2), or nothing, where no alignment to speak of goes. */
SIMD_INLINE SIMD(sdtw_cell) SIMD(sdtw_leave)(simd_vec sum, simd_vec m, simd_vec e) {
    const simd_bits field = (simd_bits)SIMD(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const simd_bits bits = (simd_bits)m, used = (simd_bits)(sum * m > SDTW_NOTHING);
    const simd_vec power = (simd_vec)((simd_bits)((simd_words)bits >> 52) | field) - SIMD(all)(0x1p52 + 1023);
    const simd_bits mantissa = (bits & fraction) | (simd_bits)SIMD(all)(1.0);
    return (SIMD(sdtw_cell)){(simd_vec)(mantissa & used), simd_select(used, e - power, SIMD(all)(-SDTW_NONE))};
}

/* What enters one in the unit 2^-e; nothing where that is so little that no S makes it a probability. */
SIMD_INLINE simd_vec SIMD(sdtw_enter)(SIMD(sdtw_cell) h, simd_vec e) {
    const simd_vec shift = SIMD(sdtw_shift)(e, h.e - SIMD(all)(SDTW_BASE));
    return h.m * (simd_vec)((simd_bits)shift & (simd_bits)(shift > ldexp(1.0, -SDTW_FLOOR)));
}

/* A cell that is visited with probability `visited` adds to the gradients; to that of one dimension of x in `sum`, and
 * to that of y what is returned. */
SIMD_INLINE simd_vec SIMD(sdtw_add_line)(simd_vec visited, simd_vec x, simd_vec y, simd_vec to_y, simd_vec *sum) {
    const simd_vec gap = x - y;
    *sum = SIMD_FMA(visited, gap, *sum);
    return SIMD_FMA(-visited, gap, to_y);
}
SIMD_INLINE void SIMD(sdtw_add)(const SIMD(sdtw_back) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, simd_vec visited) {
    for (ptrdiff_t k = 0; k < d; k++) {
        const ptrdiff_t at_x = (i * d + k) * SDTW_LANES, at_y = (j * d + k) * SDTW_LANES;
        const simd_vec x = *(const simd_vec *)(s->x + at_x), y = *(const simd_vec *)(s->y + at_y);
        simd_vec *const to_x = (simd_vec *)(s->grad_x + at_x), *const to_y = (simd_vec *)(s->grad_y + at_y);
        *to_y = SIMD(sdtw_add_line)(visited, x, y, *to_y, to_x);
    }
}

/* Rows i and i + 1 of a plain tile, from its last column on. `below` are the cells of row i + 2, corner the one behind
 * them, and in their place come those of row i; the edges are the cells behind the last column, and out, of the first.
 */
SIMD_INLINE void SIMD(sdtw_plain_back)(
    const SIMD(sdtw_back) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t j, ptrdiff_t width, const simd_vec *kept,
    simd_vec corner, simd_vec *a_edge, simd_vec *b_edge, simd_vec *below
) {
    const simd_vec *kept_a = kept + 2 * (width - 1), *kept_b = kept_a + 2 * width;
    const double *y = s->y + (j + width - 1) * SDTW_LANES;
    double *to_y = s->grad_y + (j + width - 1) * SDTW_LANES;
    const simd_vec x_a = *(const simd_vec *)(s->x + i * SDTW_LANES);
    const simd_vec x_b = *(const simd_vec *)(s->x + (i + 1) * SDTW_LANES);
    simd_vec a = *a_edge, b_before = *b_edge, b, down = below[width - 1], part;
    simd_vec *const to_a = (simd_vec *)(s->grad_x + i * SDTW_LANES), *const to_b = to_a + SDTW_LANES / SIMD_W;
    simd_vec sum_a = *to_a, sum_b = *to_b;
    b = ((down + corner) + b_before) * kept_b[1];
    if (d == 1) part = SIMD(sdtw_add_line)(b * kept_b[0], x_b, *(const simd_vec *)y, *(simd_vec *)to_y, &sum_b);
    else SIMD(sdtw_add)(s, d, i + 1, j + width - 1, b * kept_b[0]);
    for (ptrdiff_t k = width - 2; k >= 0; k--) {
        const simd_vec aslant = down;
        down = below[k];
        kept_b -= 2;
        a = ((b + b_before) + a) * kept_a[1];
        below[k + 1] = a;
        b_before = b;
        b = ((down + aslant) + b) * kept_b[1];
        if (d == 1) {
            *(simd_vec *)to_y = SIMD(sdtw_add_line)(a * kept_a[0], x_a, *(const simd_vec *)y, part, &sum_a);
            y -= SDTW_LANES;
            to_y -= SDTW_LANES;
            part = SIMD(sdtw_add_line)(b * kept_b[0], x_b, *(const simd_vec *)y, *(simd_vec *)to_y, &sum_b);
        } else {
            SIMD(sdtw_add)(s, d, i, j + k + 1, a * kept_a[0]);
            SIMD(sdtw_add)(s, d, i + 1, j + k, b * kept_b[0]);
        }
        kept_a -= 2;
    }
    a = ((b + b_before) + a) * kept_a[1];
    below[0] = a;
    if (d == 1) {
        *(simd_vec *)to_y = SIMD(sdtw_add_line)(a * kept_a[0], x_a, *(const simd_vec *)y, part, &sum_a);
        *to_a = sum_a;
        *to_b = sum_b;
    } else SIMD(sdtw_add)(s, d, i, j, a * kept_a[0]);
    *a_edge = a;
    *b_edge = b;
}

/* A plain tile; corner: the cell behind its last row and column, edges: those behind the last column of each row. */
SIMD_INLINE void SIMD(sdtw_plain_tile_back)(
    const SIMD(sdtw_back) *s, ptrdiff_t d, const SIMD(sdtw_kept_tile) *t, SIMD(sdtw_cell) corner, SIMD(sdtw_cell) *edges
) {
    const ptrdiff_t width = t->stop - t->j;
    simd_vec below[SDTW_TILE], plain[SDTW_ROWS], aslant = SIMD(sdtw_enter)(corner, t->top);
    SIMD(sdtw_cell) *const row = s->row + t->j;
    for (ptrdiff_t k = 0; k < t->rows; k++) plain[k] = SIMD(sdtw_enter)(edges[k], t->top);
    for (ptrdiff_t k = 0; k < width; k++) below[k] = SIMD(sdtw_enter)(row[k], t->top);
    for (ptrdiff_t k = t->rows - 2; k >= 0; k -= 2) {
        const simd_vec next = plain[k];
        SIMD(sdtw_plain_back)(
            s, d, t->i + k, t->j, width, t->cells + 2 * k * width, aslant, plain + k, plain + k + 1, below
        );
        aslant = next;
    }
    for (ptrdiff_t k = 0; k < t->rows; k++) edges[k] = SIMD(sdtw_leave)(t->cells[2 * k * width], plain[k], t->top);
    for (ptrdiff_t k = 0; k < width; k++) row[k] = SIMD(sdtw_leave)(t->cells[2 * k], below[k], t->top);
}

/* Any tile. Lanes whose last cell it has start there, and have their total there. */
SIMD_INLINE void SIMD(sdtw_tile_back)(
    const SIMD(sdtw_back) *s, ptrdiff_t d, const SIMD(sdtw_kept_tile) *t, SIMD(sdtw_cell) corner,
    SIMD(sdtw_cell) *edges, const sdtw_lanes *p, int lane, sdtw_total *total
) {
    const ptrdiff_t width = t->stop - t->j;
    for (ptrdiff_t r = t->rows - 1; r >= 0; r--) {
        SIMD(sdtw_cell) right = edges[r], aslant = corner;
        corner = right;
        for (ptrdiff_t j = t->stop - 1; j >= t->j; j--) {
            const ptrdiff_t i = t->i + r;
            const simd_vec *kept = t->cells + 2 * (r * width + j - t->j);
            const simd_vec c = SIMD(sdtw_lane_cost)(s->x + i * d * SDTW_LANES, s->y + j * d * SDTW_LANES, d);
            const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(c, s->scale);
            /* The cell: factor times the sum, and its exponent. */
            const simd_vec factor = t->plain ? kept[1] : power.factor, unit = t->plain ? t->top : kept[1];
            const simd_vec e = t->plain ? t->top : SIMD(sdtw_fallen)(kept[1], power), below = s->row[j].e;
            simd_vec h = s->row[j].m * SIMD(sdtw_shift)(e, below - SIMD(all)(SDTW_BASE));
            h = SIMD_FMA(aslant.m, SIMD(sdtw_shift)(e, aslant.e - SIMD(all)(SDTW_BASE)), h);
            h = SIMD_FMA(right.m, SIMD(sdtw_shift)(e, right.e - SIMD(all)(SDTW_BASE)), h) * factor;
            for (int l = lane; l < lane + SIMD_W; l++) {
                if (p->rows[l] != i + 1 || p->cols[l] != j + 1) continue;
                h[l - lane] = 1.0 / kept[0][l - lane];
                total[l] = (sdtw_total){kept[0][l - lane] * factor[l - lane], e[l - lane]};
            }
            const simd_vec visited = SIMD(sdtw_likely)(h * kept[0]);
            SIMD(sdtw_add)(s, d, i, j, visited);
            aslant = s->row[j];
            right.m = (simd_vec)((simd_bits)h & (simd_bits)(visited > 0.0));
            right.e = unit;
            s->row[j] = right;
        }
        edges[r] = right;
    }
    for (ptrdiff_t r = 0; r < t->rows; r++)
        edges[r] = SIMD(sdtw_leave)(t->cells[2 * r * width], edges[r].m, edges[r].e);
    for (ptrdiff_t j = t->j; j < t->stop; j++)
        s->row[j] = SIMD(sdtw_leave)(t->cells[2 * (j - t->j)], s->row[j].m, s->row[j].e);
}

SIMD_INLINE void SIMD(sdtw_gradients_run)(const sdtw_lanes *p, ptrdiff_t d, int lane, const sdtw_slopes_out *out) {
    const simd_vec scale = SIMD(load)(p->scale + lane), zero = SIMD(all)(0.0);
    const SIMD(sdtw_cell) none = {zero, SIMD(all)(SDTW_NONE)}, nothing = {zero, SIMD(all)(-SDTW_NONE)};
    const ptrdiff_t n = p->n, m = p->m;
    simd_vec plain[SDTW_TILE];
    SIMD(sdtw_strips) s = {.x = p->x + lane, .y = p->y + lane, .scale = scale, .plain = plain};
    SIMD(sdtw_back) back = {.x = s.x, .y = s.y, .scale = scale, .grad_x = out->x + lane, .grad_y = out->y + lane};
    s.row = (SIMD(sdtw_cell) *)p->work;
    back.row = s.row + m;
    s.cells = (simd_vec *)out->kept;
    SIMD(sdtw_kept_tile) *const tiles = (SIMD(sdtw_kept_tile) *)(s.cells + 2 * (n + 1) * m);
    s.tile = tiles;
    for (ptrdiff_t j = 0; j < m; j++) s.row[j] = none;
    ptrdiff_t turn = INTERRUPT_SLICE, rows;
    for (ptrdiff_t i = 0; i < n; i += rows) {
        rows = i == 0 ? 2 : (n - i + 1) / 2 * 2;
        if (rows > SDTW_ROWS) rows = SDTW_ROWS;
        if (interrupt_turn(&turn, 2 * SIMD_W * rows * m * (d + 1))) return;
        SIMD(sdtw_tiles)(&s, d, i, rows, m, i > 0, 0, 1);
    }
    for (ptrdiff_t k = 0; k < (n + 1) * d; k++) SIMD(store)(back.grad_x + k * SDTW_LANES, zero);
    for (ptrdiff_t k = 0; k < m * d; k++) SIMD(store)(back.grad_y + k * SDTW_LANES, zero);
    for (ptrdiff_t j = 0; j < m; j++) back.row[j] = nothing;
    SIMD(sdtw_cell) edges[SDTW_ROWS], corner = nothing, aside = nothing, next = nothing;
    for (const SIMD(sdtw_kept_tile) *t = s.tile; t-- > tiles;) {
        if (interrupt_turn(&turn, SIMD_W * t->rows * (t->stop - t->j) * (d + 1))) return;
        if (t->k + t->rows < t->strip) corner = next;
        else {
            /* The lowest tile of these columns. */
            if (t->stop == m) {
                for (int k = 0; k < SDTW_ROWS; k++) edges[k] = nothing;
                aside = nothing;
            }
            corner = aside;
            aside = back.row[t->j];
        }
        next = edges[t->k];
        int starts = 0;
        for (int l = lane; l < lane + SIMD_W; l++)
            starts |= t->i < p->rows[l] && p->rows[l] <= t->i + t->rows && t->j < p->cols[l] && p->cols[l] <= t->stop;
        if (t->plain && !starts) SIMD(sdtw_plain_tile_back)(&back, d, t, corner, edges + t->k);
        else SIMD(sdtw_tile_back)(&back, d, t, corner, edges + t->k, p, lane, out->total);
    }
    for (ptrdiff_t k = 0; k < n * d; k++) *(simd_vec *)(back.grad_x + k * SDTW_LANES) *= 2.0;
    for (ptrdiff_t k = 0; k < m * d; k++) *(simd_vec *)(back.grad_y + k * SDTW_LANES) *= 2.0;
}

SIMD_ENTRY void SIMD(sdtw_gradients)(const sdtw_lanes *p, const sdtw_slopes_out *out) {
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        int wanted = 0;
        for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
        if (!wanted) continue;
        if (p->d == 1) SIMD(sdtw_gradients_run)(p, 1, lane, out);
        else SIMD(sdtw_gradients_run)(p, p->d, lane, out);
    }
}
