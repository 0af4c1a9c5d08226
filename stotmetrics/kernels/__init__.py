"""Compiled kernels: no validation, no pairs, no metrics."""
