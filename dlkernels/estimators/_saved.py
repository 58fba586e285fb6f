"""The methods that hand a fitted estimator on: to files, and as a bare function."""

from __future__ import annotations

import os

from dlkernels.estimators import _files, _onnx
from dlkernels.estimators._predictor import Predictor, predictor_of


class Saved:
    """An estimator that can be written to files, and handed on as a bare function."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file, which `dlkernels.estimators.load` reads.

        Parameters
        ----------
        path : str or path-like
            The file, best with the ending .safetensors. A file that is there is replaced when the new one is
            complete.

        Raises
        ------
        NotFittedError
            If there is nothing to save before `fit`.
        ValueError
            If a setting can't be saved, such as a RandomState; or the class is one of your own.
        MissingExtraError
            If safetensors is not installed: python -m pip install "dlkernels[io]".

        Notes
        -----
        It is a safetensors file, which many programs read, and which holds nothing that could be run. Its
        tensors are those of `torch.nn.Sequential(Linear, activation, Linear, ...)`, so that PyTorch takes
        them as they are: ``network.load_state_dict(safetensors.torch.load_file(path))``. "0.weight" is
        (n_out, n_in) and "0.bias" (n_out,); layer l has the number 2 l. The header's metadata has an entry
        "dlkernels", a JSON object: the format and its version, the class, settings, labels, feature names,
        what the last layer computes, `n_iter_`, `t_` and `loss_`. Python's JSON has also Infinity and NaN.

        What else training has left isn't saved; `load` says what that means for `partial_fit`.

        Examples
        --------
        >>> import os, tempfile
        >>> from dlkernels.estimators import LogisticRegression
        >>> from safetensors.numpy import load_file
        >>> model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], ["a", "b", "c"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(os.path.join(folder, "model.safetensors"))
        ...     tensors = load_file(os.path.join(folder, "model.safetensors"))
        >>> tensors["0.weight"].shape
        (3, 2)
        """
        _files.write(self, path)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator as an ONNX graph, which onnxruntime and other programs compute.

        Parameters
        ----------
        path : str or path-like
            The file, best with the ending .onnx. A file that is there is replaced when the new one
            is complete.

        Raises
        ------
        NotFittedError
            If there is nothing to write before `fit`.
        ValueError
            If the parameters have more than 2 GB, or a label is an integer that int64 doesn't hold.
        MissingExtraError
            If onnx is not installed: python -m pip install "dlkernels[onnx]".

        Notes
        -----
        The input "X" is (N, `n_features_in_`), in the dtype of the parameters. For classes the outputs are
        "label" (N,), int64, floating-point or strings, and "probabilities" (N, n_classes); for several labels
        both are (N, n_labels). A regression has the output "variable" (N, `n_outputs_`). Results are those of
        `predict` and `predict_proba` up to rounding. In float64, gelu is exact up to float32's rounding,
        because onnxruntime has its error function for float32 alone. `load` can't read this file.

        Examples
        --------
        >>> import onnx, os, tempfile
        >>> from dlkernels.estimators import LogisticRegression
        >>> model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], ["a", "b", "c"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.to_onnx(os.path.join(folder, "model.onnx"))
        ...     graph = onnx.load(os.path.join(folder, "model.onnx")).graph
        >>> [output.name for output in graph.output]
        ['label', 'probabilities']
        """
        _onnx.export(self, path)

    def predictor(self) -> Predictor:
        """Return a bare function that predicts one row in a few microseconds, for servers.

        Returns
        -------
        callable
            Call it with a table (m, `n_features_in_`), and it returns what `predict_proba` returns, or, of an
            MLPRegressor, what `predict` returns; with a row (`n_features_in_`,), it returns what they return
            for this row alone: an array (n_classes,), (n_labels,) or (`n_outputs_`,), or a number if a
            regression has one output. (In a longer table its last bits may differ.)

        Raises
        ------
        NotFittedError
            If there is nothing to predict with before `fit`.

        Notes
        -----
        scikit-learn's checks take several times as long as a small network. So the function checks only how
        many features a row has, and of a dataframe whether its columns are those of `fit`, in their order. An
        array whose columns are in another order gives wrong numbers. NaN and infinity go through the network
        as they are. Other numbers than those of the fit's dtype, and arrays that don't lie row after row, are
        converted, which takes longer. Bits are those of `predict_proba`, or of `predict`.

        It holds a copy of the parameters: no later `fit` changes it. Several threads may call it at once, and
        it can be pickled. It compiles no code of its own: all estimators share the kernels of
        `dlkernels.network_forward`.

        Examples
        --------
        >>> import numpy as np
        >>> from dlkernels.estimators import LogisticRegression
        >>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"])
        >>> predict = model.predictor()
        >>> row = np.array([2.5])
        >>> bool((predict(row) == model.predict_proba([row])[0]).all())
        True
        >>> str(model.classes_[predict(row).argmax()])
        'high'
        """
        return predictor_of(self)
