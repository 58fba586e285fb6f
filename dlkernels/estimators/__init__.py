"""scikit-learn's LogisticRegression, MLPClassifier and MLPRegressor on the kernels of dlkernels.

Tables have an example a row, X (n_samples, n_features), as everywhere in scikit-learn. The estimators take
scikit-learn's parameters and have its attributes, so that changing the import is enough:

    >>> from dlkernels.estimators import MLPClassifier  # was: from sklearn.neural_network
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(solver="lbfgs", random_state=0))
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True

They need the extra `sklearn`: python -m pip install "dlkernels[sklearn]". `save` and `load`, for files that
PyTorch reads too, need the extra `io`; and `to_onnx` the extra `onnx`.
"""

from __future__ import annotations

from dlkernels.extras import need

need("sklearn", "dlkernels.estimators", "sklearn")

from dlkernels.estimators._files import load  # noqa: E402
from dlkernels.estimators.logistic_regression import LogisticRegression  # noqa: E402
from dlkernels.estimators.mlp_classifier import MLPClassifier  # noqa: E402
from dlkernels.estimators.mlp_regressor import MLPRegressor  # noqa: E402

__all__ = ["LogisticRegression", "MLPClassifier", "MLPRegressor", "load"]
