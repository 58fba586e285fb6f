"""Elementary functions of one number, written as arithmetic that LLVM vectorises.

`formats` says how such a function is written, once for float32 and float64. `exponentials` has exp, sigmoid,
tanh and SiLU, `logarithms` log x and log(1 + x), `gaussians` GELU. The activations and costs of `_kernels`
are made of these.
"""
