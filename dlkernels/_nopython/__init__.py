"""The public functions for code that users compile with Numba."""
