"""Every check that scikit-learn has for estimators, without a list of those that may fail."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

#: The checks train for a few epochs only, which gives warnings.
pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks([LogisticRegression(), MLPClassifier(), MLPRegressor()])
def test_check(estimator, check):
    check(estimator)
