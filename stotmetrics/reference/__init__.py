"""A slow NumPy twin of every kernel, written to be read beside the paper; never chosen at run time."""
