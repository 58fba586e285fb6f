"""The public functions for code that others compile with Numba."""
