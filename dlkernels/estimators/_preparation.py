"""What makes features of a table's columns: scikit-learn's transformers, and their state as JSON.

Numbers are standardised, after missing ones were replaced by the column's median, if that is wanted. Of a
column of texts, each text becomes a feature that is 1 in its rows. All are 0 for a text that `fit` hasn't
seen.

From JSON the transformers are made by `fit`, on a row that is made up for it, so that nothing of
scikit-learn's private state has to be known here. Then the numbers of the file replace those of that row.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dlkernels.estimators._fields import check_fields
from dlkernels.extras import need

#: The two steps of a pipeline that a file can hold.
STEPS = ("preparation", "model")
#: Means, scales and medians are less, and scales more than 1 / _LARGEST**2: no number of a table that
#: `dlkernels train` takes becomes infinite by them, and no table has led to others.
_LARGEST = 1e100
#: What the file says of the table, each with its types in JSON.
FIELDS: dict[str, tuple[type, ...]] = {
    "label": (str,),
    "rows": (int,),
    "numbers": (list,),
    "means": (list,),
    "scales": (list,),
    "medians": (list, type(None)),
    "texts": (list,),
    "categories": (list,),
}


def unfitted(numbers: Sequence[str], texts: Sequence[str], impute: bool) -> ColumnTransformer:
    """The transformer of these columns."""
    scaler: Any = StandardScaler()
    if impute:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        scaler = Pipeline([("impute", imputer), ("scale", scaler)])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    parts = [("numbers", scaler, list(numbers)), ("texts", encoder, list(texts))]
    return ColumnTransformer([part for part in parts if part[2]])


def pipeline_of(preparation: ColumnTransformer, model: Any) -> Pipeline:
    """An estimator behind what prepares a table for it."""
    return Pipeline(list(zip(STEPS, (preparation, model), strict=True)))


class Columns(NamedTuple):
    """The parts of a fitted transformer; those that it doesn't have are None, or empty."""

    numbers: list[str]
    scaler: Any
    imputer: Any
    texts: list[str]
    encoder: Any

    @property
    def categories(self) -> dict[str, list[Any]]:
        """The texts that `fit` has seen in each column; at the end NaN, if cells were missing there."""
        found = [] if self.encoder is None else self.encoder.categories_
        return dict(zip(self.texts, map(list, found), strict=True))


def columns(preparation: ColumnTransformer) -> Columns:
    """What a fitted transformer of `unfitted` is made of."""
    parts = {name: (part, names) for name, part, names in preparation.transformers_}
    scaler, numbers = parts.get("numbers", (None, []))
    encoder, texts = parts.get("texts", (None, []))
    imputer = None
    if isinstance(scaler, Pipeline):
        imputer, scaler = (step for _, step in scaler.steps)
    return Columns(numbers, scaler, imputer, texts, encoder)


def described(preparation: ColumnTransformer, label: str) -> dict[str, Any]:
    """The state of a fitted transformer, and the name of the labels, as JSON."""
    found = columns(preparation)
    scaler, imputer = found.scaler, found.imputer
    return {
        "label": label,
        "rows": 0 if scaler is None else int(scaler.n_samples_seen_),
        "numbers": found.numbers,
        "means": [] if scaler is None else scaler.mean_.tolist(),
        "scales": [] if scaler is None else scaler.scale_.tolist(),
        "medians": None if imputer is None else imputer.statistics_.tolist(),
        "texts": found.texts,
        "categories": [
            [None if value != value else value for value in values] for values in found.categories.values()
        ],
    }


def restored(table: dict[str, Any], features: int) -> ColumnTransformer:
    """The fitted transformer of this state, which makes so many features; or a ValueError."""
    _check(table)
    numbers, texts = table["numbers"], table["texts"]
    values = [[math.nan if value is None else value for value in each] for each in table["categories"]]
    made = len(numbers) + sum(map(len, values))
    if made != features:
        raise ValueError(f"its columns become {made} features, but '0.weight' is made for {features}")
    preparation = unfitted(numbers, texts, table["medians"] is not None)
    row: dict[str, Any] = {name: [0.0] for name in numbers}
    row |= {name: np.array(each[:1], object) for name, each in zip(texts, values, strict=True)}
    if texts:
        preparation.set_params(texts__categories=values)
    preparation.fit(need("pandas", "load", "train").DataFrame(row))
    found = columns(preparation)
    if texts:  # another `fit` is to find the texts of its own rows
        preparation.set_params(texts__categories="auto")
    if found.scaler is not None:
        found.scaler.mean_[:], found.scaler.scale_[:] = table["means"], table["scales"]
        found.scaler.var_[:] = found.scaler.scale_**2
        found.scaler.n_samples_seen_ = table["rows"]
    if found.imputer is not None:
        found.imputer.statistics_[:] = table["medians"]
    return preparation


def _check(table: dict[str, Any]) -> None:
    """Raise an error unless this is the state of a transformer."""
    check_fields("its table", table, FIELDS, " of its table")
    if not 0 <= table["rows"] < 2**53:
        raise ValueError(f"rows of its table must be between 0 and 2**53, but is {table['rows']}")
    names = [*table["numbers"], *table["texts"], table["label"]]
    # A name of "\0" alone is lost in a DataFrame; `dlkernels train` takes no table that holds it.
    fits = all(type(name) is str and name and "\0" not in name for name in names)
    if not fits or len(set(names)) < len(names):
        raise ValueError(f"the names in its table must be different strings, but are {reprlib.repr(names)}")
    for name in ("means", "scales", "medians"):
        _check_numbers(name, table[name], len(table["numbers"]))
    if any(scale < 1 / _LARGEST**2 for scale in table["scales"]):
        raise ValueError(
            f"scales of its table must be positive, and not tiny, but are {reprlib.repr(table['scales'])}"
        )
    if len(table["categories"]) != len(table["texts"]):
        raise ValueError(
            f"its table has {len(table['texts'])} columns of texts, but categories of "
            f"{len(table['categories'])}"
        )
    for name, values in zip(table["texts"], table["categories"], strict=True):
        _check_texts(name, values)


def _check_numbers(name: str, numbers: list[Any] | None, length: int) -> None:
    if numbers is None:
        return
    if len(numbers) != length or not all(type(each) is float and abs(each) < _LARGEST for each in numbers):
        raise ValueError(
            f"{name} of its table must be {length} finite numbers below {_LARGEST:g}, but are "
            f"{reprlib.repr(numbers)}"
        )


def _check_texts(name: str, values: Any) -> None:
    """A list of different texts, sorted; perhaps followed by None, for rows where there is none."""
    texts = values[:-1] if type(values) is list and values[-1:] == [None] else values
    fits = type(texts) is list and all(type(each) is str for each in texts) and len(values) > 0
    if not fits or sorted(set(texts)) != texts:
        raise ValueError(
            f"the categories of {name!r} must be different and sorted strings, but are {reprlib.repr(values)}"
        )
