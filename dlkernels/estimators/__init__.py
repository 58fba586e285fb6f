"""scikit-learn's estimators on the kernels of dlkernels; they need the extra `sklearn`."""

from __future__ import annotations

from dlkernels.extras import need

need("sklearn", "dlkernels.estimators", "sklearn")

from dlkernels.estimators.logistic_regression import LogisticRegression  # noqa: E402

__all__ = ["LogisticRegression"]
