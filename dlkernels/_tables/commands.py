"""The options of `dlkernels train` and `dlkernels predict`. What runs them is imported when they run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dlkernels.extras import need
from dlkernels.options import whole
from dlkernels.text import printable

_TRAIN = """\
Train a small network on a table, and print how well it predicts the column --label of rows that it hasn't
seen: each of several folds of the table is held out once. Columns of numbers are standardised, and those of
texts one-hot encoded.
"""
_PREDICT = """\
Predict the label of each row of a table with a model that `dlkernels train --save FILE` has written. The
predictions, with the probability of each class, are written as a table; its separator and decimal mark are
those of TABLE. If the label is in TABLE, the score is printed, too.
"""
_MAX_ITER = "the most epochs (default 500); with --dask, iterations of L-BFGS (default 100)"


def add_train(commands: Any) -> None:
    """Add `train` to argparse's sub-parsers. `dlkernels.cli` finds this function as an entry point."""
    parser = commands.add_parser(
        "train",
        help="train a network on a CSV file and see how well it predicts a column",
        description=_TRAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    column: dict[str, Any] = {"metavar": "COLUMN", "type": _column}
    columns: dict[str, Any] = {**column, "action": "append", "default": []}
    add(
        "table", metavar="TABLE", type=Path, help="a CSV file, whose first line names the columns; see --dask"
    )
    add("--label", **column, required=True, help="the column to predict: classes, or numbers")
    add(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="what to predict; by default texts and few whole numbers are classes",
    )
    add(
        "--hidden",
        metavar="N,N",
        type=_hidden,
        default=(64, 32),
        help="units of the hidden layers (default 64,32); none makes a logistic or linear regression",
    )
    add(
        "--missing",
        choices=("refuse", "impute"),
        default="refuse",
        help="what to do about missing cells: refuse the table (default), or impute the column's median; "
        "a missing text is a category",
    )
    add("--ignore", **columns, help="a column to leave out; repeatable")
    add("--category", **columns, help="a column of numbers that are names, such as codes; repeatable")
    add("--folds", metavar="N", type=whole(2, 1000), help="how many folds (default 5)")
    add(
        "--seed",
        metavar="N",
        type=whole(0, 2**32 - 1),
        default=0,
        help="draws folds and weights (default %(default)s)",
    )
    add("--max-iter", metavar="N", type=whole(1), help=_MAX_ITER)
    add("--save", metavar="FILE", type=Path, help="write a model of all rows to this file, for predict")
    add(
        "--dask",
        metavar="ADDRESS",
        help="train on a Dask cluster: at an address such as tcp://host:8786, or, by local, on one that runs "
        "here while the command does. TABLE is a CSV or Parquet file or a folder of them, and may be larger "
        "than memory. A fifth of the rows is held out once for the score; --save writes the model that has "
        "this score. Networks are trained by L-BFGS. The rank of a median is right to 0.1 %% of "
        "the rows",
    )
    _add_reading(parser)
    parser.set_defaults(run=_run_train)


def add_predict(commands: Any) -> None:
    """Add `predict` to argparse's sub-parsers. `dlkernels.cli` finds this function as an entry point."""
    parser = commands.add_parser(
        "predict",
        help="predict the rows of a CSV file with a model of train --save",
        description=_PREDICT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="FILE", type=Path, help="what `dlkernels train --save` has written")
    parser.add_argument("table", metavar="TABLE.csv", type=Path, help="the rows; columns in any order")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the predictions to this file")
    _add_reading(parser)
    parser.set_defaults(run=_run_predict)


def _add_reading(parser: Any) -> None:
    parser.add_argument("--encoding", metavar="NAME", help="the table's encoding, if it isn't UTF-8: cp1252")
    parser.add_argument(
        "--decimal", choices=("comma", "point"), help="the decimal mark, where the table doesn't tell"
    )


def _column(text: str) -> str:
    """A column's name as messages show it, so that it can be copied from there."""
    return printable(text.strip())


def _hidden(text: str) -> tuple[int, ...]:
    if text == "0":
        raise argparse.ArgumentTypeError("without hidden units it is called none")
    return () if text == "none" else tuple(map(whole(1), text.split(",")))


def _run_train(arguments: argparse.Namespace) -> int:
    if arguments.dask is not None:
        _need_packages("dlkernels train --dask", "dask", ("dask", "distributed", "pyarrow"))
        from dlkernels._tables import distributed

        return distributed.run(arguments)
    _need_packages("dlkernels train")
    from dlkernels._tables import train

    return train.run(arguments)


def _run_predict(arguments: argparse.Namespace) -> int:
    _need_packages("dlkernels predict")
    from dlkernels._tables import predict

    return predict.run(arguments)


def _need_packages(command: str, extra: str = "train", more: tuple[str, ...] = ()) -> None:
    """Refuse to begin without the packages of the extra."""
    for package in ("sklearn", "pandas", "rich", "safetensors", *more):
        need(package, command, extra)
