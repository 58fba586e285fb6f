"""Estimators in files: their parameters as safetensors, and all else as JSON in the file's header.

A file may also hold how the columns of a table become the estimator's features (`_preparation`).

The tensors have the names and the layout of `torch.nn.Sequential(Linear, ReLU, Linear, ...)`: "0.weight"
(n_out, n_in), "0.bias" (n_out,), "2.weight" and so on. The numbers that are left out are the activations'.

What is read may have been written by anybody. So each value is compared with what it must be before it is
used, classes come from a fixed table, and nothing in the file is ever run.
"""

from __future__ import annotations

import errno
import json
import os
import reprlib
import secrets
from pathlib import Path
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels.estimators import _preparation
from dlkernels.estimators._base import Array
from dlkernels.estimators._fields import check_fields, same_names
from dlkernels.extras import need

FORMAT, VERSION = "dlkernels.estimators", 1
#: The one entry of the header's metadata. (safetensors would write several in a random order, so that two
#: files of one estimator would differ.)
ENTRY = "dlkernels"
_NONE = type(None)
#: What the entry holds, and the types that JSON may have for it.
FIELDS: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "version": (int,),
    "estimator": (str,),
    "settings": (dict,),
    "n_features_in_": (int,),
    "feature_names_in_": (list, _NONE),
    "classes_": (dict, _NONE),
    "multilabel": (bool,),
    "output": (str,),
    "n_iter_": (int,),
    "t_": (int,),
    "loss_": (float, int, _NONE),
    "table": (dict, _NONE),
}
_INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
#: The dtypes that labels may have, each with its type in JSON. "str" is as wide as the longest label.
LABELS: dict[str, type] = {
    "bool": bool,
    **dict.fromkeys(_INTEGERS, int),
    "float32": float,
    "float64": float,
    "str": str,
    "object": str,
}


def _estimators() -> dict[str, Any]:
    """The classes that a file may name."""
    from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

    return {cls.__name__: cls for cls in (LogisticRegression, MLPClassifier, MLPRegressor)}


# -- writing ---------------------------------------------------------------------------------------------


def replace(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file. Whatever goes wrong, the path holds all of the old file or all of the new one."""
    goal = Path(os.path.realpath(path))
    if not goal.parent.is_dir():  # else the error would name the file beside it
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(goal.parent))
    beside = goal.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, goal)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write(estimator: Any, path: str | os.PathLike[str], table: dict[str, Any] | None = None) -> None:
    """Save an estimator, as `Saved.save` documents. `table` describes how a table is prepared for it."""
    where = f"{type(estimator).__name__}.save"
    library = need("safetensors.numpy", where, "io")
    theta, sizes, _, output = estimator._described()
    tensors = tensors_of(theta, sizes)
    try:
        text = json.dumps(_header(estimator, sizes[0], output) | {"table": table})
        _restored(_parsed(text), tensors)  # what `load` would refuse is refused now
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    replace(path, library.save(tensors, {ENTRY: text}))


def write_pipeline(pipeline: Any, label: str, path: str | os.PathLike[str]) -> None:
    """Save a pipeline of `_preparation.STEPS`, which predicts the column `label` of a table."""
    preparation, model = (pipeline[name] for name in _preparation.STEPS)
    write(model, path, _preparation.described(preparation, label))


def tensors_of(theta: Array, sizes: tuple[int, ...]) -> dict[str, Array]:
    """The parameters by the names that PyTorch gives them."""
    arrays = [array for W, b in dk.network_views(theta, sizes) for array in (W, b[:, 0])]
    return dict(zip(_names(len(sizes) - 1), map(np.ascontiguousarray, arrays), strict=True))


def _names(layers: int) -> list[str]:
    return [f"{2 * layer}.{kind}" for layer in range(layers) for kind in ("weight", "bias")]


def _header(estimator: Any, features: int, output: str) -> dict[str, Any]:
    cls = type(estimator)
    if _estimators().get(cls.__name__) is not cls:
        raise ValueError(f"a class of your own, {cls.__module__}.{cls.__qualname__}, can't be loaded")
    classes, names = getattr(estimator, "classes_", None), getattr(estimator, "feature_names_in_", None)
    settings = estimator.get_params(deep=False)
    return {
        "format": FORMAT,
        "version": VERSION,
        "estimator": cls.__name__,
        "settings": {name: _plain(value, name) for name, value in settings.items()},
        "n_features_in_": features,
        "feature_names_in_": None if names is None else list(map(str, names)),
        "classes_": None if classes is None else _labels(np.asarray(classes)),
        "multilabel": bool(getattr(estimator, "_multilabel", False)),
        "output": output,
        "n_iter_": int(np.max(getattr(estimator, "n_iter_", 0))),
        "t_": int(getattr(estimator, "t_", 0)),
        "loss_": _plain(getattr(estimator, "loss_", None), "loss_"),
    }


def _labels(classes: Array) -> dict[str, Any]:
    name = "str" if classes.dtype.kind == "U" else classes.dtype.name
    return {"dtype": name, "values": classes.tolist()}


def _plain(value: Any, name: str) -> Any:
    """A setting as JSON has it. A dict becomes pairs, because its keys may be numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {"pairs": [[_plain(key, name), _plain(item, name)] for key, item in value.items()]}
    if isinstance(value, list | tuple | range | np.ndarray):
        return [_plain(item, name) for item in value]
    raise ValueError(f"{name}={value!r} can't be written as JSON; change it by set_params({name}=...)")


# -- reading ---------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Any:
    """Return the estimator that `save` has written to a file, or the pipeline of `dlkernels train`.

    Parameters
    ----------
    path : str or path-like
        A file of `LogisticRegression.save`, `MLPClassifier.save` or `MLPRegressor.save`; or one that the
        command ``dlkernels train --save`` has written.

    Returns
    -------
    LogisticRegression, MLPClassifier, MLPRegressor or Pipeline
        A new estimator with the same settings and parameters. It predicts the same bits. `fit` with
        `warm_start`, and `partial_fit`, go on from its parameters, `t_` and `n_iter_`. Anything else of
        training begins anew, because it isn't in the file: the averages of Adam or the momentum of "sgd" and
        its changed learning rate, `loss_curve_`, `best_loss_`, the validation scores, and the count of epochs
        without progress.

        From a file of `dlkernels train` it is scikit-learn's `Pipeline` of "preparation" and "model", one of
        these estimators. It takes the table as it is: a pandas DataFrame, its columns in any order, others
        among them. Columns that were read as texts must hold texts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, of another kind or of another version, or something in it doesn't fit.
    MissingExtraError
        If safetensors is not installed; or pandas, for a file of `dlkernels train`.

    Notes
    -----
    Nothing in the file is run, whoever wrote it. Settings that were lists or arrays become tuples.

    See Also
    --------
    dlkernels.estimators.MLPClassifier.save : What is in the file.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlkernels.estimators import LogisticRegression, load
    >>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     again = load(path)
    >>> [str(label) for label in again.predict([[0.5], [2.5]])]
    ['low', 'high']
    """
    return load_with_header(path)[0]


def load_with_header(path: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """What `load` returns, and the header of the file, which has been checked."""
    library = need("safetensors", "load", "io")
    with open(path, "rb"):
        pass  # errors of a missing file, of a folder and of a forbidden one are Python's own
    try:
        text, tensors = _read(library, os.fspath(path))
        header = _parsed(text)
        return _restored(header, tensors), header
    except library.SafetensorError as error:
        why = f"this is no safetensors file, or it is damaged ({error})"
    except RecursionError:
        why = "its header is nested too deeply"
    except (TypeError, ValueError) as error:
        why = str(error) if len(str(error)) < 1000 else f"{str(error)[:1000]}..."
    raise ValueError(f"load: {os.fspath(path)}: {why}")


def _read(library: Any, path: str) -> tuple[str, dict[str, Array]]:
    with library.safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if ENTRY not in metadata:
            raise ValueError(f"its header has no entry {ENTRY!r}, so it wasn't written by `save`")
        names = list(file.keys())
        for name in names:
            dtype = file.get_slice(name).get_dtype()
            if dtype not in ("F32", "F64"):
                raise ValueError(f"tensor {name!r} has dtype {dtype}, but must have F32 or F64")
        return metadata[ENTRY], {name: file.get_tensor(name) for name in names}


def _parsed(text: str) -> dict[str, Any]:
    """The header, with the fields and types that it must have."""
    try:
        header = json.loads(text)
    except ValueError as error:
        raise ValueError(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its header must be a JSON object with format {FORMAT!r}")
    if header.get("version") != VERSION:
        found = reprlib.repr(header.get("version"))
        raise ValueError(f"its version is {found}, but this dlkernels reads version {VERSION}")
    check_fields("its header", header, FIELDS)
    for name in ("n_iter_", "t_"):
        if not 0 <= header[name] < 2**31:
            raise ValueError(f"{name} must be between 0 and 2**31, but is {reprlib.repr(header[name])}")
    return header


def _restored(header: dict[str, Any], tensors: dict[str, Array]) -> Any:
    """A new estimator, if all that is given fits together."""
    cls = _estimators().get(header["estimator"])
    if cls is None:
        raise ValueError(f"there is no estimator {reprlib.repr(header['estimator'])}")
    same_names("settings", header["settings"], cls._get_param_names())
    estimator = cls(**{name: _setting(value, name) for name, value in header["settings"].items()})
    estimator._validate_params()
    theta, sizes = _theta(tensors)
    classes = None if header["classes_"] is None else _classes(header["classes_"])
    _check_outputs(header, classes, sizes)
    features, names = header["n_features_in_"], header["feature_names_in_"]
    if features != sizes[0]:
        raise ValueError(f"n_features_in_ is {features}, but '0.weight' is made for {sizes[0]} features")
    if names is not None:
        if len(names) != features or any(type(name) is not str for name in names):
            raise ValueError(f"feature_names_in_ must be {features} strings, but is {reprlib.repr(names)}")
        estimator.feature_names_in_ = np.array(names, object)
    if classes is not None:
        estimator.classes_ = classes
    estimator.n_features_in_ = features
    estimator._restore(theta, sizes, header)
    return estimator if header["table"] is None else _pipeline(estimator, sizes, header)


def _pipeline(estimator: Any, sizes: tuple[int, ...], header: dict[str, Any]) -> Any:
    """The estimator behind what prepares a table for it."""
    several = header["multilabel"] or (header["classes_"] is None and sizes[-1] > 1)
    if several or header["feature_names_in_"] is not None:
        raise ValueError("an estimator of a table has one label, and no feature_names_in_ of its own")
    preparation = _preparation.restored(header["table"], sizes[0])
    return _preparation.pipeline_of(preparation, estimator)


def _setting(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        pairs = value.get("pairs")
        if len(value) != 1 or not isinstance(pairs, list) or not all(map(_is_weight, pairs)):
            raise ValueError(f"{name} must be a setting or pairs, but is {reprlib.repr(value)}")
        return dict(pairs)
    return tuple(_setting(item, name) for item in value) if isinstance(value, list) else value


def _is_weight(pair: Any) -> bool:
    """Whether it is a label with the weight of its class."""
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    return isinstance(pair[0], bool | int | float | str) and isinstance(pair[1], int | float)


def _theta(tensors: dict[str, Array]) -> tuple[Array, tuple[int, ...]]:
    """The parameters as a vector, and the sizes of the layers."""
    names = _names(len(tensors) // 2)
    if not names or set(names) != set(tensors):
        found = reprlib.repr(sorted(tensors))
        raise ValueError(f"its tensors must be '0.weight', '0.bias', '2.weight' and so on, but are {found}")
    arrays = [tensors[name] for name in names]
    units = arrays[0].shape[-1] if arrays[0].ndim else 0
    sizes = [units]
    for name, W, b in zip(names[::2], arrays[::2], arrays[1::2], strict=True):
        if W.ndim != 2 or W.shape[1] != units or not W.size or b.shape != W.shape[:1]:
            raise ValueError(
                f"{name!r} has shape {W.shape} and its bias {b.shape}, but for {units} inputs they must be "
                f"(n_out, {units}) and (n_out,)"
            )
        units = W.shape[0]
        sizes.append(units)
    if len({array.dtype for array in arrays}) > 1:
        raise ValueError("its tensors must have one dtype, but have F32 and F64")
    return np.concatenate([array.ravel() for array in arrays]), tuple(sizes)


def _classes(given: dict[str, Any]) -> Array:
    same_names("classes_", given, ("dtype", "values"))
    dtype, values = given["dtype"], given["values"]
    if type(dtype) is not str or dtype not in LABELS:
        raise ValueError(f"classes_ can't have dtype {reprlib.repr(dtype)}, only {', '.join(LABELS)}")
    if type(values) is not list or any(type(value) is not LABELS[dtype] for value in values):
        raise ValueError(f"classes_ must be a list of {dtype}, but is {reprlib.repr(values)}")
    try:
        with np.errstate(over="ignore"):
            classes = np.array(values, dtype)
    except OverflowError:
        classes = np.empty(0)
    if classes.tolist() != values:
        raise ValueError(f"classes_ don't fit into {dtype}: {reprlib.repr(values)}")
    if sorted(set(values)) != values:
        raise ValueError(f"classes_ must be different and sorted, but are {reprlib.repr(values)}")
    return classes


def _check_outputs(header: dict[str, Any], classes: Array | None, sizes: tuple[int, ...]) -> None:
    """Raise an error unless the last layer is the one that the classes need."""
    found, name = (sizes[-1], header["output"]), header["estimator"]
    count, several = 0 if classes is None else len(classes), header["multilabel"]
    if name == "MLPRegressor":
        wanted = [(sizes[-1], output) for output in ("identity", "exp")]
        fits = classes is None and not several
    else:
        wanted = [(count, "softmax") if count > 2 and not several else (count if several else 1, "sigmoid")]
        fits = count > 1 or (count == 1 and name == "MLPClassifier")
        fits = fits and not (several and name == "LogisticRegression")
    if not fits or found not in wanted:
        what = f"{count} labels that may be true together" if several else f"{count} classes"
        raise ValueError(f"{name} can't have {what} and {found[0]} outputs of {reprlib.repr(found[1])}")
