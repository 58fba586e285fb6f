"""Networks of any depth in PyTorch: a Sequential of Linears, autograd, and Adam in its fused form."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from asv_benchmarks.works import layers


def _network(work: Any, g: dict[str, Any]) -> torch.nn.Sequential:
    modules: list[torch.nn.Module] = []
    for (n_prev, n), (W, b) in zip(
        itertools.pairwise(work.sizes), layers(g["theta"], work.sizes), strict=True
    ):
        linear = torch.nn.Linear(n_prev, n, dtype=g["theta"].dtype)
        linear.weight.copy_(W)
        linear.bias.copy_(b)
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def _forward(work: Any, g: dict[str, Any], compiled: bool) -> list[Callable[[], Any]]:
    network, rows = _network(work, g).requires_grad_(False), g["X"].T.contiguous()
    output = torch.sigmoid_ if work.output == "sigmoid" else lambda Z: torch.softmax(Z, dim=1)

    def predict(rows: Any) -> Any:
        return output(network(rows))

    function = torch.compile(predict) if compiled else predict

    def in_inference_mode() -> Any:
        with torch.inference_mode():
            return function(rows).T

    return [in_inference_mode]


def _train(work: Any, g: dict[str, Any], compiled: bool) -> list[Callable[[], Any]]:
    rows, Y, random, m = g["X"].T.contiguous(), g["Y"][0], g["random"], work.shape[-1]

    def cost(network: Any, X: Any, Y: Any) -> Any:
        Z = network(X)
        return binary_cross_entropy_with_logits(Z[:, 0], Y) if Z.shape[1] == 1 else cross_entropy(Z, Y)

    evaluate = torch.compile(cost, dynamic=False) if compiled else cost

    def form(gather_once: bool) -> Callable[[], Any]:
        network = _network(work, g)
        optimizer = torch.optim.Adam(
            network.parameters(), lr=g["learning_rate"], eps=g["epsilon"], fused=True
        )

        def batches() -> Any:
            order = torch.from_numpy(random.permutation(m))
            if gather_once:
                yield from zip(rows[order].split(work.batch), Y[order].split(work.batch), strict=True)
            else:
                yield from ((rows[chosen], Y[chosen]) for chosen in order.split(work.batch))

        @torch.enable_grad()
        def train_epoch() -> Any:
            total = torch.zeros((), dtype=rows.dtype)
            for X, labels in batches():
                found = evaluate(network, X, labels)
                optimizer.zero_grad()
                found.backward()
                optimizer.step()
                total += found.detach() * len(X)
            return total.item() / m

        return train_epoch

    return [form(gather_once) for gather_once in (False, True)]


def build(work: Any, g: dict[str, Any], compiled: bool = False) -> list[Callable[[], Any]]:
    builders = {"network_forward": _forward, "train_epoch": _train}
    return builders[work.operation](work, g, compiled) if work.operation in builders else []
