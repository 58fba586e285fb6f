"""Benchmarks of dlkernels: `python -m asv_benchmarks.peers` from the folder above."""
