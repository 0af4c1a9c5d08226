/* Expected costs of pairs side by side, and their gradients; included once for each build, after _softdtw_lanes.h.
 *
 * Forwards, a cell learns how likely an alignment that visits it comes from each of its neighbours; the expected cost
 * up to it is the mean of theirs and its own. Backwards, it learns how likely it is visited, from the cells behind it,
 * and how that changes when all costs grow in proportion.
 */

/* Of a cell: the three probabilities, and the mean of the expected costs before it. */
typedef struct {
    simd_vec before, above, diagonal, mean;
} SIMD(sdtw_kept);

typedef struct {
    const double *x, *y; /* of these lanes */
    simd_vec scale, per_gamma;
    SIMD(sdtw_cell) *row;               /* m cells */
    simd_vec *cost;                     /* m expected costs */
    SIMD(sdtw_kept) *kept;              /* n + 1 rows of m, and one more */
    simd_vec *visited, *moved, *seed;   /* m + 1 each */
    double *grad_x, *grad_y;            /* of these lanes, laid out as x and y */
} SIMD(sdtw_slopes_room);

/* One row; `keep`: its probabilities are. */
SIMD_INLINE void SIMD(sdtw_slopes_row)(
    const SIMD(sdtw_slopes_room) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t m, const int keep
) {
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    const double *x = s->x + i * d * SDTW_LANES, *y = s->y;
    SIMD(sdtw_cell) left = none, diagonal = none, up;
    simd_vec cost = SIMD(all)(0.0), cost_diagonal = cost;
    SIMD(sdtw_kept) *kept = s->kept + i * m;
    if (i == 0) diagonal = (SIMD(sdtw_cell)){SIMD(all)(1.0), SIMD(all)(0.0)};
    for (ptrdiff_t j = 0; j < m; j++, y += d * SDTW_LANES) {
        const simd_vec c = SIMD(sdtw_lane_cost)(x, y, d);
        const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(c, s->scale);
        up = s->row[j];
        const simd_vec top = SIMD_MAX(SIMD_MAX(up.e, diagonal.e), left.e), base = top - SIMD(all)(SDTW_BASE);
        simd_vec before = left.m * SIMD(sdtw_shift)(left.e, base), above = up.m * SIMD(sdtw_shift)(up.e, base);
        simd_vec aslant = diagonal.m * SIMD(sdtw_shift)(diagonal.e, base);
        const simd_vec sum = before + above + aslant, unit = 1.0 / sum;
        left = (SIMD(sdtw_cell)){sum * power.factor, SIMD(sdtw_fallen)(top, power)};
        /* Two diagonals in a row: a diagonal step jumps over one. */
        if ((i + j) % SDTW_CLEAN <= 1) SIMD(sdtw_tidy)(&left);
        s->row[j] = left;
        diagonal = up;
        before = SIMD(sdtw_likely)(before * unit);
        above = SIMD(sdtw_likely)(above * unit);
        aslant = SIMD(sdtw_likely)(aslant * unit);
        const simd_vec cost_above = s->cost[j];
        const simd_vec mean = SIMD_FMA(before, cost, SIMD_FMA(above, cost_above, aslant * cost_diagonal));
        if (keep) kept[j] = (SIMD(sdtw_kept)){before, above, aslant, mean};
        cost = s->cost[j] = mean + c;
        cost_diagonal = cost_above;
    }
}

/* One row backwards; `seed`: an alignment of a lane ends here. */
SIMD_INLINE void SIMD(sdtw_slopes_back)(
    const SIMD(sdtw_slopes_room) *s, ptrdiff_t d, ptrdiff_t i, ptrdiff_t m, int seed
) {
    const double *x = s->x + i * d * SDTW_LANES;
    const simd_vec none = SIMD(all)(0.0);
    simd_vec right = none, moved_right = none, aslant = none, moved_aslant = none, sum = none;
    for (ptrdiff_t j = m - 1; j >= 0; j--) {
        const SIMD(sdtw_kept) *here = s->kept + i * m + j, *below = here + m;
        const double *y = s->y + j * d * SDTW_LANES;
        const simd_vec down = s->visited[j];
        simd_vec visited = aslant * below[1].diagonal;
        visited = SIMD_FMA(right, here[1].before, visited);
        visited = SIMD_FMA(down, below[0].above, visited);
        visited = SIMD(sdtw_likely)(visited);
        if (seed) visited += s->seed[j];
        const simd_vec cost = here[0].mean + SIMD(sdtw_lane_cost)(x, y, d), moved_down = s->moved[j];
        simd_vec moved, change = SIMD_FMA((below[1].mean - cost) * s->per_gamma, aslant, moved_aslant);
        moved = change * below[1].diagonal;
        change = SIMD_FMA((here[1].mean - cost) * s->per_gamma, right, moved_right);
        moved = SIMD_FMA(change, here[1].before, moved);
        change = SIMD_FMA((below[0].mean - cost) * s->per_gamma, down, moved_down);
        moved = SIMD_FMA(change, below[0].above, moved);
        moved_aslant = moved_down;
        moved_right = s->moved[j] = moved;
        aslant = down;
        right = s->visited[j] = visited;
        const simd_vec weight = 2.0 * (visited + moved);
        for (ptrdiff_t k = 0; k < d; k++) {
            const simd_vec gap = *(const simd_vec *)(x + k * SDTW_LANES) - *(const simd_vec *)(y + k * SDTW_LANES);
            simd_vec *const to_y = (simd_vec *)(s->grad_y + (j * d + k) * SDTW_LANES);
            *to_y = SIMD_FMA(-weight, gap, *to_y);
            if (d == 1) sum = SIMD_FMA(weight, gap, sum);
            else {
                simd_vec *const to_x = (simd_vec *)(s->grad_x + (i * d + k) * SDTW_LANES);
                *to_x = SIMD_FMA(weight, gap, *to_x);
            }
        }
    }
    if (d == 1) *(simd_vec *)(s->grad_x + i * SDTW_LANES) = sum;
}

SIMD_INLINE void SIMD(sdtw_slopes_run)(
    const sdtw_lanes *p, ptrdiff_t d, int lane, const int keep, const sdtw_slopes_out *out
) {
    SIMD(sdtw_slopes_room) s = {.x = p->x + lane, .y = p->y + lane, .scale = SIMD(load)(p->scale + lane)};
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    const ptrdiff_t n = p->n, m = p->m;
    s.per_gamma = s.scale * SDTW_LN2;
    s.row = (SIMD(sdtw_cell) *)p->work;
    s.cost = (simd_vec *)(s.row + m);
    s.visited = s.cost + m;
    s.moved = s.visited + m + 1;
    s.seed = s.moved + m + 1;
    s.kept = (SIMD(sdtw_kept) *)out->kept;
    if (keep) {
        s.grad_x = out->x + lane;
        s.grad_y = out->y + lane;
    }
    for (ptrdiff_t j = 0; j < m; j++) {
        s.row[j] = none;
        s.cost[j] = s.visited[j] = s.moved[j] = s.seed[j] = SIMD(all)(0.0);
    }
    ptrdiff_t turn = INTERRUPT_SLICE;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (interrupt_turn(&turn, 2 * SIMD_W * m * (d + 1))) return;
        SIMD(sdtw_slopes_row)(&s, d, i, m, keep);
        for (int l = lane; l < lane + SIMD_W; l++) {
            if (p->rows[l] != i + 1) continue;
            const ptrdiff_t end = p->cols[l] - 1;
            out->total[l] = (sdtw_total){s.row[end].m[l - lane], s.row[end].e[l - lane]};
            out->cost[l] = s.cost[end][l - lane];
        }
    }
    if (!keep) return;
    memset(s.kept + n * m, 0, (m + 1) * sizeof *s.kept);
    for (ptrdiff_t k = 0; k < n * d; k++) SIMD(store)(s.grad_x + k * SDTW_LANES, SIMD(all)(0.0));
    for (ptrdiff_t k = 0; k < m * d; k++) SIMD(store)(s.grad_y + k * SDTW_LANES, SIMD(all)(0.0));
    for (ptrdiff_t i = n - 1; i >= 0; i--) {
        int seed = 0;
        if (interrupt_turn(&turn, SIMD_W * m * (d + 1))) return;
        for (int l = lane; l < lane + SIMD_W; l++)
            if (p->rows[l] == i + 1) seed = 1;
        for (int l = lane; seed && l < lane + SIMD_W; l++)
            if (p->cols[l]) s.seed[p->cols[l] - 1][l - lane] = p->rows[l] == i + 1;
        SIMD(sdtw_slopes_back)(&s, d, i, m, seed);
    }
}

SIMD_INLINE void SIMD(sdtw_slopes_kind)(const sdtw_lanes *p, ptrdiff_t d, int lane, const sdtw_slopes_out *out) {
    /* Constants here, so that each call is compiled for its own kind. */
    if (out->kept) SIMD(sdtw_slopes_run)(p, d, lane, 1, out);
    else SIMD(sdtw_slopes_run)(p, d, lane, 0, out);
}

SIMD_ENTRY void SIMD(sdtw_slopes)(const sdtw_lanes *p, const sdtw_slopes_out *out) {
    for (int lane = 0; lane < SDTW_LANES; lane += SIMD_W) {
        int wanted = 0;
        for (int l = lane; l < lane + SIMD_W; l++) wanted |= p->wanted[l];
        if (!wanted) continue;
        if (p->d == 1) SIMD(sdtw_slopes_kind)(p, 1, lane, out);
        else SIMD(sdtw_slopes_kind)(p, p->d, lane, out);
    }
}
