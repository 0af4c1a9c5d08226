# The maximum over w of optimal transport between two clouds.

cdef struct Maximum:
    double value            # the upper bound on max g where the lines met
    double lower            # the certified dual value at w
    double w
    double level_a          # <A, P> of the plan P that the basis holds
    double level_b          # <B, P>
    Py_ssize_t solves
    Py_ssize_t pivots
