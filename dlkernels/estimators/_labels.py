"""The labels that MLPClassifier learns: classes, or several labels of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from dlkernels.estimators._base import Array, refuse, with_class_weight
from dlkernels.estimators._blocks import CLASSES, SEVERAL, Survey, label_rows


class LearnsClasses:
    """The part of MLPClassifier that knows about labels."""

    classes_: Array
    n_outputs_: int
    warm_start: bool
    class_weight: Any
    #: Whether y had a column for each of several labels.
    _multilabel = False

    def _learn_labels(self, y: Array, incremental: bool, classes: Any) -> None:
        kind = type_of_target(y)
        several = kind == "multilabel-indicator"
        if incremental and _check_partial_fit_first_call(self, classes):
            self._multilabel = several
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            check_classification_targets(y)
            if kind == "multiclass-multioutput":
                raise ValueError("Multioutput target data is not supported, only several labels of 0 and 1")
            self._multilabel, self.classes_ = several, unique_labels(y)
            return
        if self.warm_start:
            self._need_learnt_classes(unique_labels(y))
        self._check_labels(y)

    def _learn_survey(self, found: Survey) -> None:
        several = found.kind == SEVERAL
        if not hasattr(self, "classes_") or not self.warm_start:
            self._multilabel, self.classes_ = several, unique_labels(found.classes)
            return
        self._need_learnt_classes(found.classes)
        self._need_learnt_form(several, (found.rows, *([found.columns] if found.columns else [])))

    def _need_learnt_classes(self, found: Array) -> None:
        if set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )

    def _check_labels(self, y: Array) -> None:
        self._need_learnt_form(type_of_target(y) == "multilabel-indicator", y.shape)
        found = unique_labels(y)
        if len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`, which are {self.classes_}: `y` has {found}"
            )

    def _need_learnt_form(self, several: bool, shape: tuple[int, ...]) -> None:
        if several != self._multilabel:
            learnt = f"{len(self.classes_)} labels, a column for each" if self._multilabel else "classes"
            raise ValueError(f"`y` has shape {shape}, but what is learnt are {learnt}")

    def _rows(self, y: Array) -> Array:
        if hasattr(y, "toarray"):
            y = y.toarray()
        return label_rows(SEVERAL if self._multilabel else CLASSES, self.classes_, np.asarray(y))

    def _output(self) -> str:
        return "logistic" if self._multilabel or len(self.classes_) <= 2 else "softmax"

    def _kind(self) -> str:
        return CLASSES

    def _stratifies(self) -> bool:
        return self.n_outputs_ == 1

    def _weights_of_classes(self) -> Any:
        if self.class_weight is not None and self._multilabel:
            refuse(self, "class_weight", self.class_weight, "there are several labels; use sample_weight")
        return self.class_weight

    def _example_weights(self, weights: Array | None, rows: Array, dtype: Any) -> Array | None:
        return with_class_weight(self._weights_of_classes(), self.classes_, rows[0], weights, dtype)
