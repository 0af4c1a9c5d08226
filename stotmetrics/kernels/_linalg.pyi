# Nothing for Python callers: kernels cimport it.
