"""Errors in units in the last place, the worst over numbers that stay the same."""

from __future__ import annotations

from ._timed import BACKENDS, DTYPES


class Accuracy:
    """Against arithmetic in more digits: 64-bit for float32; for float64 what the processor has, if it has."""

    params = (BACKENDS, ("sigmoid", "tanh"), DTYPES)
    param_names = ("backend", "function", "dtype")
    version = "1"
    timeout = 120

    def track_worst_error(self, backend: str, function: str, dtype: str) -> float:
        import numpy as np

        from dlkernels import backends

        more = np.float64 if dtype == "float32" else np.longdouble
        if np.finfo(more).nmant < np.finfo(dtype).nmant + 8:
            raise NotImplementedError("no arithmetic in more digits here")
        random = np.random.default_rng(1)
        # From tiny to where both functions have reached their limits, both signs.
        z = (random.choice([-1.0, 1.0], 2**15) * 2.0 ** random.uniform(-30, 4.3, 2**15)).astype(dtype)
        exact = more(z)
        exact = np.tanh(exact) if function == "tanh" else 1 / (1 + np.exp(-exact))
        found = getattr(backends.get(backend), function)(z)
        unit = np.spacing(np.abs(exact).astype(dtype)).astype(more)
        return float(np.max(np.abs(found.astype(more) - exact) / unit))

    track_worst_error.unit = "ulp"  # type: ignore[attr-defined]
