"""The oracle: each function again, from the formulas of the course notes, one number at a time.

It imports nothing of the package and shares no code with it. Everything is computed to 60 digits, so that
the formulas can stand as the notes have them: at that precision nothing cancels for the modest arguments
(|z| below about 60) it is meant for. Elementwise functions take and return flat lists; matrices are lists
of rows, or anything indexed as `matrix[i][j]`. Functions that update arrays return the new values first.
"""

from __future__ import annotations

from mpmath import mp, mpf

mp.dps = 60


def _sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def _normal(z):
    """The normal distribution function."""
    return mp.erfc(-z / mp.sqrt(2)) / 2


#: g(z) and g'(z) by name; the second argument is the parameter of the activation. At a kink, g' is 1.
G = {
    "identity": lambda z, _: z,
    "sigmoid": lambda z, _: _sigmoid(z),
    "tanh": lambda z, _: (mp.exp(z) - mp.exp(-z)) / (mp.exp(z) + mp.exp(-z)),
    "relu": lambda z, _: max(mpf(0), z),
    "leaky_relu": lambda z, slope: z if z >= 0 else slope * z,
    "elu": lambda z, alpha: z if z >= 0 else alpha * (mp.exp(z) - 1),
    "silu": lambda z, _: z * _sigmoid(z),
    "gelu": lambda z, _: z * _normal(z),
    "softplus": lambda z, _: mp.log(1 + mp.exp(z)),
}
DERIVATIVE = {
    "identity": lambda z, _: mpf(1),
    "sigmoid": lambda z, _: _sigmoid(z) * (1 - _sigmoid(z)),
    "tanh": lambda z, _: 1 - G["tanh"](z, None) ** 2,
    "relu": lambda z, _: mpf(z >= 0),
    "leaky_relu": lambda z, slope: mpf(1) if z >= 0 else slope,
    "elu": lambda z, alpha: mpf(1) if z >= 0 else alpha * mp.exp(z),
    "silu": lambda z, _: _sigmoid(z) + z * _sigmoid(z) * (1 - _sigmoid(z)),
    "gelu": lambda z, _: _normal(z) + z * mp.exp(-(z**2) / 2) / mp.sqrt(2 * mp.pi),
    "softplus": lambda z, _: _sigmoid(z),
}
#: g'(z) from a = g(z), for those whose derivative can be found so.
DERIVATIVE_FROM_A = {
    "identity": lambda a, _: mpf(1),
    "sigmoid": lambda a, _: a * (1 - a),
    "tanh": lambda a, _: 1 - a**2,
    "relu": lambda a, _: mpf(a > 0),
    "leaky_relu": lambda a, slope: mpf(1) if a >= 0 else slope,
}
#: The parameters, by the name of the activation: their names and defaults.
PARAMETERS = {"leaky_relu": ("negative_slope", 0.01), "elu": ("alpha", 1.0)}


def _g(name, z, slope):
    """g(z) in a layer, where only the slope of leaky ReLU can be chosen."""
    return G[name](z, slope if name == "leaky_relu" else mpf(1))


def _derivative(name, z, slope):
    return DERIVATIVE[name](z, slope if name == "leaky_relu" else mpf(1))


def _derivative_from_A(name, a, slope):
    return DERIVATIVE_FROM_A[name](a, slope)


def _each(f, *lists):
    return [float(f(*(mpf(float(x)) for x in xs))) for xs in zip(*lists, strict=True)]


def _exact(matrix):
    return [[mpf(float(x)) for x in row] for row in matrix]


def _plain(matrix):
    return [[float(x) for x in row] for row in matrix]


def _loss(a, y):
    """L(a, y) = -(y log a + (1 - y) log(1 - a))."""
    return -(y * mp.log(a) + (1 - y) * mp.log(1 - a))


# -- elementwise, on flat lists ----------------------------------------------------------------------


def _forward(name):
    def function(Z, **parameter):
        p = mpf(_parameter(name, **parameter))
        return _each(lambda z: G[name](z, p), Z)

    return function


def _backward(name):
    def function(dA, A=None, *, Z=None, **parameter):
        p = mpf(_parameter(name, **parameter))
        if Z is None or name in ("sigmoid", "tanh"):
            return _each(lambda da, a: da * DERIVATIVE_FROM_A[name](a, p), dA, A)
        return _each(lambda da, z: da * DERIVATIVE[name](z, p), dA, Z)

    return function


def _parameter(name, **given):
    known, default = PARAMETERS.get(name, (None, 0.0))
    assert not set(given) - {known}
    return given.get(known, default)


for _name in G:
    globals().update({_name: _forward(_name), f"{_name}_backward": _backward(_name)})


# -- a dense layer -----------------------------------------------------------------------------------


def dense_forward(W, A_prev, b, activation="identity", negative_slope=0.01, return_Z=True):
    """(A, Z), one example after the other."""
    W, A_prev, b = _exact(W), _exact(A_prev), _exact(b)
    m = len(A_prev[0]) if A_prev else 0
    Z = [[None] * m for _ in W]
    for j in range(m):
        for i, weights in enumerate(W):
            Z[i][j] = sum((w * row[j] for w, row in zip(weights, A_prev, strict=True)), b[i][0])
    A = [[_g(activation, z, mpf(negative_slope)) for z in row] for row in Z]
    return _plain(A), _plain(Z)


def _gradients(dZ, A_prev):
    m = len(dZ[0])
    dW = [[mpf(0)] * len(A_prev) for _ in dZ]
    db = [[mpf(0)] for _ in dZ]
    for j in range(m):
        for i in range(len(dZ)):
            db[i][0] += dZ[i][j]
            for k in range(len(A_prev)):
                dW[i][k] += dZ[i][j] * A_prev[k][j]
    return [[x / m for x in row] for row in dW], [[x / m for x in row] for row in db]


def dense_gradients(dZ, A_prev):
    dW, db = _gradients(_exact(dZ), _exact(A_prev))
    return _plain(dW), _plain(db)


def dense_backward(W_next, dZ_next, A, A_prev, activation, Z=None, negative_slope=0.01):
    from_A = Z is None or activation in ("sigmoid", "tanh")
    W_next, dZ_next, saved = _exact(W_next), _exact(dZ_next), _exact(A if from_A else Z)
    slope, dZ = _derivative_from_A if from_A else _derivative, []
    for i, row in enumerate(saved):
        dZ.append([])
        for j, kept in enumerate(row):
            dA = sum((W_next[k][i] * dZ_next[k][j] for k in range(len(W_next))), mpf(0))
            dZ[i].append(dA * slope(activation, kept, mpf(negative_slope)))
    dW, db = _gradients(dZ, _exact(A_prev))
    return _plain(dZ), _plain(dW), _plain(db)


# -- costs -------------------------------------------------------------------------------------------


def binary_cross_entropy(A, Y):
    (A,), (Y,) = _exact(A), _exact(Y)
    return float(sum((_loss(a, y) for a, y in zip(A, Y, strict=True)), mpf(0)) / len(A))


def binary_cross_entropy_with_logits(Z, Y):
    (Z,), (Y,) = _exact(Z), _exact(Y)
    losses = [_loss(_sigmoid(z), y) for z, y in zip(Z, Y, strict=True)]
    return float(sum(losses, mpf(0)) / len(Z))


def squared_error(A, Y):
    (A,), (Y,) = _exact(A), _exact(Y)
    return float(sum(((a - y) ** 2 for a, y in zip(A, Y, strict=True)), mpf(0)) / len(A))


# -- the two models ----------------------------------------------------------------------------------


def _logistic(w, b, X, Y):
    """The two for-loops of the notes."""
    m, n_x = len(Y), len(w)
    J, dw, db = mpf(0), [mpf(0)] * n_x, mpf(0)
    for i in range(m):
        z = b
        for k in range(n_x):
            z += w[k] * X[k][i]
        a = _sigmoid(z)
        J += _loss(a, Y[i])
        dz = a - Y[i]
        for k in range(n_x):
            dw[k] += X[k][i] * dz
        db += dz
    return [x / m for x in dw], db / m, J / m


def logistic_propagate(w, b, X, Y):
    dw, db, J = _logistic([row[0] for row in _exact(w)], mpf(float(b)), _exact(X), _exact(Y)[0])
    return _plain([[x] for x in dw]), float(db), float(J)


def logistic_descent(w, b, X, Y, learning_rate, num_steps):
    """(w, b, cost of the first step)."""
    w, b, X, (Y,) = [row[0] for row in _exact(w)], mpf(float(b)), _exact(X), _exact(Y)
    costs = []
    for _ in range(num_steps):
        dw, db, J = _logistic(w, b, X, Y)
        costs.append(J)
        w = [x - mpf(learning_rate) * dx for x, dx in zip(w, dw, strict=True)]
        b = b - mpf(learning_rate) * db
    return _plain([[x] for x in w]), float(b), float(costs[0])


def _shallow(W1, b1, W2, b2, X, Y, activation, slope):
    n_h, n_x, m = len(W1), len(X), len(Y)
    dW1 = [[mpf(0)] * n_x for _ in range(n_h)]
    db1 = [[mpf(0)] for _ in range(n_h)]
    dW2, db2, J = [[mpf(0)] * n_h], [[mpf(0)]], mpf(0)
    for j in range(m):
        x = [row[j] for row in X]
        z1 = [sum((u * v for u, v in zip(W1[i], x, strict=True)), b1[i][0]) for i in range(n_h)]
        a1 = [_g(activation, z, slope) for z in z1]
        z2 = sum((u * v for u, v in zip(W2[0], a1, strict=True)), b2[0][0])
        a2 = _sigmoid(z2)
        J += _loss(a2, Y[j]) / m
        dz2 = a2 - Y[j]
        db2[0][0] += dz2 / m
        for i in range(n_h):
            dW2[0][i] += dz2 * a1[i] / m
            dz1 = W2[0][i] * dz2 * _derivative(activation, z1[i], slope)
            db1[i][0] += dz1 / m
            for k in range(n_x):
                dW1[i][k] += dz1 * x[k] / m
    return [dW1, db1, dW2, db2], J


def shallow_propagate(W1, b1, W2, b2, X, Y, activation="tanh", negative_slope=0.01):
    parameters = [_exact(p) for p in (W1, b1, W2, b2)]
    gradients, J = _shallow(*parameters, _exact(X), _exact(Y)[0], activation, mpf(negative_slope))
    return *(_plain(g) for g in gradients), float(J)


def _minus(parameter, gradient, rate):
    return [
        [p - rate * g for p, g in zip(*rows, strict=True)] for rows in zip(parameter, gradient, strict=True)
    ]


def shallow_descent(W1, b1, W2, b2, X, Y, learning_rate, num_steps, activation="tanh", negative_slope=0.01):
    """(W1, b1, W2, b2, cost of the first step)."""
    parameters, X, (Y,) = [_exact(p) for p in (W1, b1, W2, b2)], _exact(X), _exact(Y)
    costs = []
    for _ in range(num_steps):
        gradients, J = _shallow(*parameters, X, Y, activation, mpf(negative_slope))
        costs.append(J)
        pairs = zip(parameters, gradients, strict=True)
        parameters = [_minus(p, g, mpf(learning_rate)) for p, g in pairs]
    return *(_plain(p) for p in parameters), float(costs[0])


def gradient_descent(parameters, gradients, learning_rate):
    """The new parameters (matrices)."""
    pairs = zip(parameters, gradients, strict=True)
    return [_plain(_minus(_exact(p), _exact(g), mpf(learning_rate))) for p, g in pairs]


def dot(a, b):
    return float(sum((mpf(float(x)) * mpf(float(y)) for x, y in zip(a, b, strict=True)), mpf(0)))
