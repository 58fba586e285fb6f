"""The methods that write an estimator to a file."""

from __future__ import annotations

import os

from dlkernels.estimators import _files, _onnx


class Saved:
    """An estimator that can be written to files."""

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
        The input "X" is (N, n_features_in_), in the dtype of the parameters. For classes the outputs are
        "label" (N,), int64, floating-point or strings, and "probabilities" (N, n_classes); for several labels
        both are (N, n_labels). A regression has the output "variable" (N, n_outputs_). Results are those of
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
