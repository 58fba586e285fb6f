"""Every check that scikit-learn has for estimators, without a list of those that may fail."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

#: The checks train for a few epochs only, which gives warnings.
pytestmark = pytest.mark.filterwarnings("ignore")


_checks = parametrize_with_checks([LogisticRegression(), MLPClassifier(), MLPRegressor()])
_names, _pairs = _checks.args
#: The first versions of scikit-learn pass a generator, which pytest doesn't like any more.
each_check = pytest.mark.parametrize(_names, list(_pairs), **_checks.kwargs)


@each_check
def test_check(estimator, check):
    check(estimator)
