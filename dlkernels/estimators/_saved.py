"""The methods that write an estimator to a file."""

from __future__ import annotations

import os

from dlkernels.estimators import _files


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
        """
        _files.write(self, path)
