"""Loop nests compiled by Numba: no checks, no allocation of results, no Python objects."""
