"""The kernels: loop nests compiled by Numba. They allocate nothing and use no Python objects.

README.md beside this file describes how the loops are laid out. Good places to begin are `dense_forward` for
a product (then `product`, `packing`, `micro_kernel`), `logistic` for a fused pass over the examples, and
`sharing` for the tasks, slots and workers of all parallel loops.
"""
