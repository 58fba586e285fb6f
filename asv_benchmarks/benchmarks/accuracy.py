"""The worst error of sigmoid and tanh over a fixed set of numbers, in units in the last place (ulp)."""

from __future__ import annotations

from ._timed import BACKENDS, DTYPES


class Accuracy:
    """Compare with arithmetic in more digits: float64 for float32, and `numpy.longdouble` for float64."""

    params = (BACKENDS, ("sigmoid", "tanh"), DTYPES)
    param_names = ("backend", "function", "dtype")
    version = "1"
    timeout = 120

    def setup(self, backend: str, function: str, dtype: str) -> None:
        import numpy as np

        self.more = np.float64 if dtype == "float32" else np.longdouble
        if np.finfo(self.more).nmant < np.finfo(dtype).nmant + 8:
            raise NotImplementedError("no arithmetic in more digits here")

    def track_worst_error(self, backend: str, function: str, dtype: str) -> float:
        import numpy as np

        from dlkernels import backends

        more = self.more
        random = np.random.default_rng(1)
        # Numbers of both signs, from tiny ones to sizes at which both functions have reached their limits.
        z = (random.choice([-1.0, 1.0], 2**15) * 2.0 ** random.uniform(-30, 4.3, 2**15)).astype(dtype)
        exact = more(z)
        exact = np.tanh(exact) if function == "tanh" else 1 / (1 + np.exp(-exact))
        found = getattr(backends.get(backend), function)(z)
        unit = np.spacing(np.abs(exact).astype(dtype)).astype(more)
        return float(np.max(np.abs(found.astype(more) - exact) / unit))

    track_worst_error.unit = "ulp"  # type: ignore[attr-defined]
