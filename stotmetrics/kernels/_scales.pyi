# Nothing for Python callers: other kernels cimport it.
