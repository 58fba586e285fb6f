"""Estimators as ONNX graphs: a product for each layer, the activations, and the labels.

onnxruntime has no Elu, Softplus and Erf for float64, and the slope of LeakyRelu is a float32. So all but Erf
are put together from other operators, and Erf, in gelu, is taken in float32.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from dlkernels import catalogue
from dlkernels.estimators._base import Array
from dlkernels.estimators._files import replace, tensors_of
from dlkernels.extras import need

#: The version of ONNX's operators and of its files: those of 2022, which today's programs read.
OPSET, IR = 17, 8
#: Activations and outputs that are an operator.
_OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": "Identity", "exp": "Exp"}


class _Graph:
    """Nodes and constants, in the order in which they are computed."""

    def __init__(self, onnx: Any, dtype: Any) -> None:
        self.onnx, self.dtype = onnx, np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its result."""
        name = result or f"{operator}_{len(self.nodes)}"
        node = self.onnx.helper.make_node(operator, list(inputs), [name], name=f"node_{name}", **attributes)
        self.nodes.append(node)
        return name

    def constant(self, value: Any, name: str | None = None) -> str:
        """Add a constant: an array, or a number in the dtype of the graph."""
        array = value if isinstance(value, np.ndarray) else np.array(value, self.dtype)
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def activation(self, name: str, Z: str) -> str:
        """Add g(Z)."""
        if name in _OPERATORS:
            return self(_OPERATORS[name], Z)
        if name == "softmax":
            return self("Softmax", Z, axis=1)
        parameter = catalogue.ACTIVATIONS[name].default
        if name == "leaky_relu":
            return self("Max", Z, self("Mul", self.constant(parameter), Z))
        if name == "silu":
            return self("Mul", Z, self("Sigmoid", Z))
        zero, one = self.constant(0.0), self.constant(1.0)
        if name == "elu":
            below = self("Sub", self("Exp", self("Min", Z, zero)), one)
            return self("Add", self("Max", Z, zero), self("Mul", self.constant(parameter), below))
        if name == "softplus":
            rest = self("Log", self("Add", one, self("Exp", self("Neg", self("Abs", Z)))))
            return self("Add", self("Max", Z, zero), rest)
        if name == "gelu":
            types = self.onnx.TensorProto
            scaled = self("Cast", self("Mul", Z, self.constant(0.5**0.5)), to=types.FLOAT)
            erf = self("Cast", self("Erf", scaled), to=self.type_of(self.dtype))
            return self("Mul", Z, self("Mul", self.constant(0.5), self("Add", one, erf)))
        raise NotImplementedError(name)  # an activation that is new in the catalogue

    def type_of(self, dtype: Any) -> int:
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def export(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator's graph; `Saved.to_onnx` documents it."""
    where = f"{type(estimator).__name__}.to_onnx"
    onnx = need("onnx", where, "onnx")
    theta, sizes, names, output = estimator._described()
    if theta.nbytes > 2**31 - 2**20:
        raise ValueError(f"{where}: an ONNX file holds 2 GB, but the parameters have {theta.nbytes} bytes")
    graph = _Graph(onnx, theta.dtype)
    Z = A = "X"
    tensors = tensors_of(theta, sizes)
    for layer, activation in enumerate((*names, output)):
        weight, bias = (f"{2 * layer}.{kind}" for kind in ("weight", "bias"))
        for name in (weight, bias):
            graph.constant(tensors[name], name)
        Z = graph("Gemm", A, weight, bias, transB=1)
        A = graph.activation(activation, Z)
    make, number = onnx.helper.make_tensor_value_info, graph.type_of(theta.dtype)
    if hasattr(estimator, "classes_"):
        kind = _labels(estimator, graph, Z, A, sizes[-1] == 1)
        shape = ["N", sizes[-1]] if getattr(estimator, "_multilabel", False) else ["N"]
        results = [
            make("label", kind, shape),
            make("probabilities", number, ["N", max(sizes[-1], 2)]),
        ]
    else:
        graph("Identity", A, result="variable")
        results = [make("variable", number, ["N", sizes[-1]])]
    inputs = [make("X", number, ["N", sizes[0]])]
    made = onnx.helper.make_graph(graph.nodes, type(estimator).__name__, inputs, results, graph.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="dlkernels")
    onnx.checker.check_model(model, full_check=True)
    replace(path, model.SerializeToString())


def _labels(estimator: Any, graph: _Graph, Z: str, A: str, one_column: bool) -> int:
    """Add "label" and "probabilities" by the rules of `predict`; return the type of the labels."""
    if getattr(estimator, "_multilabel", False):
        graph("Identity", A, result="probabilities")
        graph("Cast", graph("Greater", A, graph.constant(0.5)), result="label", to=graph.type_of(np.int64))
        return graph.type_of(np.int64)
    if one_column:
        A = graph("Concat", graph("Sub", graph.constant(1.0), A), A, axis=1)
    graph("Identity", A, result="probabilities")
    scores = A
    if hasattr(estimator, "coef_"):  # LogisticRegression decides by Z, which differs where A rounds to 0.5
        scores = graph("Concat", graph("Neg", Z), Z, axis=1) if one_column else Z
    classes = _label_table(estimator.classes_)
    table = classes if len(classes) > 1 else np.repeat(classes, 2)  # one class has two probabilities, too
    best = graph("ArgMax", scores, axis=1, keepdims=0)
    graph("Gather", graph.constant(table, "classes"), best, result="label", axis=0)
    return graph.type_of(classes.dtype)


def _label_table(classes: Array) -> Array:
    """The labels as ONNX has them: integers of 64 bits, strings, or floating-point numbers."""
    if classes.dtype.kind in "UO":
        return np.array(list(map(str, classes)), object)
    if classes.dtype.kind == "f":
        return classes
    if classes.dtype.kind == "u" and classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"to_onnx: labels must fit into int64, but the largest is {classes.max()}")
    return classes.astype(np.int64)
