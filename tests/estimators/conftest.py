"""Tables, scaled; and scikit-learn on one thread, because on small tables its threads wait for each other."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread_for_scikit_learn():
    with threadpool_limits(1, user_api="blas"):
        yield
