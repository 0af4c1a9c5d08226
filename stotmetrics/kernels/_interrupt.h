/* How a long loop in a header hears Ctrl-C: see _interrupt.pxd, whose `turn` this is. */
#ifndef STOTMETRICS_INTERRUPT_H
#define STOTMETRICS_INTERRUPT_H

#include <stddef.h>

/* Elementary steps between two looks: milliseconds. */
#define INTERRUPT_SLICE ((ptrdiff_t)1 << 21)

/* Set by the module that includes this header, when it is imported. */
static int (*interrupt_ask)(void) = NULL;

static int interrupt_look(ptrdiff_t *left) {
    *left = INTERRUPT_SLICE;
    return interrupt_ask && interrupt_ask();
}

static inline __attribute__((always_inline)) int interrupt_turn(ptrdiff_t *left, ptrdiff_t work) {
    *left -= work;
    return __builtin_expect(*left < 0, 0) && interrupt_look(left);
}

#endif
