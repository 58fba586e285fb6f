"""PyTorch on the CPU: in-place and `out=` operations, no autograd; products in both memory orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, linear

from asv_benchmarks.libraries import _torch_networks
from asv_benchmarks.works import ELEMENTWISE, LEARNING_RATE, NETWORKS, SHALLOW_FITS

aten = torch.ops.aten


def _elementwise(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    Z, dA, saved, out = g["Z"], g["dA"], g["saved"], g["out"]
    forms = {
        "sigmoid": [lambda: torch.sigmoid(Z, out=out)],
        "tanh": [lambda: torch.tanh(Z, out=out)],
        "relu": [lambda: torch.clamp_min(Z, 0.0, out=out), lambda: torch.clamp(Z, min=0.0, out=out)],
        "leaky_relu": [lambda: aten.leaky_relu.out(Z, 0.01, out=out)],
        "sigmoid_backward": [lambda: aten.sigmoid_backward.grad_input(dA, saved, grad_input=out)],
        "tanh_backward": [lambda: aten.tanh_backward.grad_input(dA, saved, grad_input=out)],
        "relu_backward": [lambda: aten.threshold_backward.grad_input(dA, saved, 0, grad_input=out)],
        "leaky_relu_backward": [
            lambda: aten.leaky_relu_backward.grad_input(dA, saved, 0.01, False, grad_input=out)
        ],
    }
    if work.operation in forms:
        return forms[work.operation]
    function = getattr(torch.nn.functional, work.operation, None)
    return [] if function is None else [lambda: function(Z)]


def _dense(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    W, b, X, m = g["W"], g["b"], g["X"], work.shape[-1]
    rows, bias = X.T.contiguous(), b[:, 0]
    activate = torch.tanh_ if work.activation == "tanh" else torch.relu_

    def gradients(dZ: Any) -> Any:
        return torch.addmm(dZ[:, :1], dZ, X.T, beta=0, alpha=1 / m), dZ.mean(dim=1, keepdim=True)

    def backward() -> Any:
        dZ = g["W_next"].T @ g["dZ_next"]
        if work.activation == "tanh":
            aten.tanh_backward.grad_input(dZ, g["saved"], grad_input=dZ)
        else:
            aten.threshold_backward.grad_input(dZ, g["saved"], 0, grad_input=dZ)
        return dZ, *gradients(dZ)

    forms = {
        "dense_forward": [
            lambda: activate(torch.addmm(b, W, X)),
            lambda: activate(linear(rows, W, bias)).T,
        ],
        "dense_gradients": [lambda: gradients(g["dZ"])],
        "dense_backward": [backward],
    }
    return forms[work.operation]


def _output(z: Any, y: Any) -> tuple[Any, Any]:
    cost = binary_cross_entropy_with_logits(z, y)
    return torch.sigmoid_(z).sub_(y), cost


def _logistic(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    w, X, y, m = g["w"][:, 0], g["X"], g["Y"][0], g["X"].shape[1]
    b = torch.tensor([g["b"]], dtype=w.dtype)

    def step() -> Any:
        dz, cost = _output(torch.addmv(b, X.T, w), y)
        return torch.mv(X, dz).div_(m), dz.mean(), cost

    return [step]


def _gradients(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    m = X.shape[1]
    A1 = torch.tanh_(torch.addmm(b1, W1, X))
    dZ2, cost = _output(torch.addmm(b2, W2, A1), Y)
    dZ2.div_(m)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(dim=1, keepdim=True)
    dZ1 = W2.T @ dZ2
    aten.tanh_backward.grad_input(dZ1, A1, grad_input=dZ1)
    return (dZ1 @ X.T, dZ1.sum(dim=1, keepdim=True), dW2, db2), cost


def _shallow(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    X, Y, parameters = g["X"], g["Y"], [g[key] for key in ("W1", "b1", "W2", "b2")]

    def fit() -> Any:
        updated = [p.clone() for p in parameters]
        for _ in range(work.steps):
            gradients, _ = _gradients(*updated, X, Y)
            for parameter, gradient in zip(updated, gradients, strict=True):
                parameter.sub_(gradient, alpha=LEARNING_RATE)
        return updated

    return [fit if work.operation in SHALLOW_FITS else lambda: _gradients(*parameters, X, Y)]


def tensors(given: dict[str, Any]) -> dict[str, Any]:
    return {k: torch.from_numpy(v) if hasattr(v, "shape") else v for k, v in given.items()}


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    torch.set_grad_enabled(False)
    g, name = tensors(given), work.operation
    if name in NETWORKS:
        return _torch_networks.build(work, g)
    if name.removesuffix("_backward") in ELEMENTWISE:
        return _elementwise(work, g)
    if name.startswith("dense"):
        return _dense(work, g)
    if name == "logistic_propagate":
        return _logistic(work, g)
    return _shallow(work, g) if name in ("shallow_propagate", *SHALLOW_FITS) else []
