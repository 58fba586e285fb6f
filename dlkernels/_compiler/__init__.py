"""Everything between the kernels and Numba: compile options, cached kernels, pieces."""
