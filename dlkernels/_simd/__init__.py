"""SIMD for Numba: vector registers as values that kernels compute with.

`tile` explains the idea and has the arithmetic, `moves` transposes and prefetches, `bits` reinterprets the
bits of one number. `vectors` generates the code of `tile` and `moves` from the LLVM instructions that
`registers` provides.
"""
