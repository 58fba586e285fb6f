"""The estimators of `dlkernels.estimators` for tables on a Dask cluster, or larger than memory.

    >>> import dask.array as da
    >>> from dlkernels.dask import DaskLogisticRegression
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = (da.from_array(table, chunks=100) for table in load_breast_cancer(return_X_y=True))
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> bool(DaskLogisticRegression().fit(X, y).score(X, y) > 0.98)
    True

They need the extra `dask`: python -m pip install "dlkernels[dask]".
"""

from __future__ import annotations

from dlkernels.extras import need

need("dask", "dlkernels.dask", "dask")
need("distributed", "dlkernels.dask", "dask")

from dlkernels.dask._estimators import (  # noqa: E402
    DaskLogisticRegression,
    DaskMLPClassifier,
    DaskMLPRegressor,
)
from dlkernels.dask._patience import ClusterError  # noqa: E402

__all__ = ["ClusterError", "DaskLogisticRegression", "DaskMLPClassifier", "DaskMLPRegressor"]
