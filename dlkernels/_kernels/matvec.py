"""Products of a matrix with a vector (BLAS: gemv), in both directions: weighted sums of rows, dots with rows.

Row i of the matrix begins at X[first + i * row_length]. If `ahead` isn't 0, the two functions prefetch the
rows that lie `ahead` numbers after the rows that they read; each function prefetches half of these rows.
"""

from __future__ import annotations

from dlkernels._compiler.options import loops
from dlkernels._compiler.pieces import Int, Row, piece
from dlkernels._kernels.sums import row_dot
from dlkernels._simd.moves import prefetch
from dlkernels._simd.registers import widest_vectors
from dlkernels._simd.tile import lanes


@loops
def _prefetch_two_rows(X, start, row_length, width):
    for j in range(0, width, lanes(X)):
        prefetch(X, start + j)
        prefetch(X, start + row_length + j)


@piece
def add_weighted_rows(w: Row, n: Int, X: Row, first: Int, row_length: Int, z: Row, ahead: Int):
    """z[j] += sum over i < n of w[i] * X[first + i * row_length + j]; each sweep over z does four i."""
    widest_vectors()
    width = z.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        w0, w1, w2, w3 = w[i], w[i + 1], w[i + 2], w[i + 3]
        at = first + i * row_length
        x0 = X[at : at + width]
        x1 = X[at + row_length : at + row_length + width]
        x2 = X[at + 2 * row_length : at + 2 * row_length + width]
        x3 = X[at + 3 * row_length : at + 3 * row_length + width]
        if ahead > 0:
            _prefetch_two_rows(X, at + ahead, row_length, width)
        for j in range(width):
            z[j] += (w0 * x0[j] + w1 * x1[j]) + (w2 * x2[j] + w3 * x3[j])
    for i in range(whole, n):
        wi = w[i]
        x = X[first + i * row_length : first + i * row_length + width]
        for j in range(width):
            z[j] += wi * x[j]


@piece
def add_row_dots(n: Int, X: Row, first: Int, row_length: Int, dz: Row, dw: Row, ahead: Int):
    """dw[i] += sum over j of X[first + i * row_length + j] * dz[j], i < n; each sweep over dz does four i."""
    widest_vectors()
    width = dz.shape[0]
    zero = dz.dtype.type(0)
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        at = first + i * row_length
        x0 = X[at : at + width]
        x1 = X[at + row_length : at + row_length + width]
        x2 = X[at + 2 * row_length : at + 2 * row_length + width]
        x3 = X[at + 3 * row_length : at + 3 * row_length + width]
        s0, s1, s2, s3 = zero, zero, zero, zero
        if ahead > 0:
            _prefetch_two_rows(X, at + 2 * row_length + ahead, row_length, width)
        for j in range(width):
            d = dz[j]
            s0 += x0[j] * d
            s1 += x1[j] * d
            s2 += x2[j] * d
            s3 += x3[j] * d
        dw[i] += s0
        dw[i + 1] += s1
        dw[i + 2] += s2
        dw[i + 3] += s3
    for i in range(whole, n):
        dw[i] += row_dot(X[first + i * row_length : first + i * row_length + width], dz)
