/* Local costs of the global alignment kernel: q + log(2 - exp(-q)), q = |x_i - y_j|^2 / (2 sigma^2) kept below a bound;
 * included once for each build by _softdtw_loops.h. */

SIMD_ENTRY void SIMD(gak_costs)(double *cost, ptrdiff_t count, double factor, double most)
{
    for (ptrdiff_t i = 0; i < count; i += SIMD_W) {
        const simd_vec q = SIMD_MIN(SIMD(read)(cost + i, count - i, 0.0) * factor, SIMD(all)(most));
        SIMD(write)(cost + i, count - i, q + SIMD(log)(2.0 - SIMD(exp)(-q)));
    }
}
