"""ONNX Runtime: inference of networks of any depth, a graph of Gemm nodes with their activations."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from asv_benchmarks.works import layers

#: A version of the format and of its operators that all versions of ONNX Runtime since 2022 read.
_FORMAT, _OPERATORS = 8, 17


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    if work.operation != "network_forward":
        return []
    nodes, constants, last = [], [], "X"
    network = layers(given["theta"], work.sizes)
    for i, (W, b) in enumerate(network, 1):
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        activate = "Relu" if i < len(network) else work.output.capitalize()
        nodes.append(helper.make_node("Gemm", [last, f"W{i}", f"b{i}"], [f"Z{i}"], transB=1))
        nodes.append(helper.make_node(activate, [f"Z{i}"], [last := f"A{i}"]))
    kind = helper.np_dtype_to_tensor_dtype(given["theta"].dtype)
    ends = [
        helper.make_tensor_value_info(name, kind, ["m", n])
        for name, n in (("X", work.sizes[0]), (last, work.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", _OPERATORS)]
    model = helper.make_model(graph, ir_version=_FORMAT, opset_imports=opset)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = np.ascontiguousarray(given["X"].T)
    return [lambda: session.run(None, {"X": rows})[0].T]
