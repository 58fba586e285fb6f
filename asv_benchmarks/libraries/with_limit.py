"""The limit of the hardware: a plain copy or read of the same bytes, or multiply-adds in registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlkernels import hardware


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    if work.limit == "copy":
        Z, out = given["Z"], given["out"]
        if work.operation.endswith("_backward"):
            return [lambda: hardware.add(given["dA"], given["saved"], out)]
        return [lambda: hardware.copy(Z, out)]
    if work.limit == "read":
        X = given["X"].reshape(-1, order=work.order)
        return [lambda: hardware.read(X)]
    if work.limit == "fma":
        dtype, flops = given["X"].dtype, work.flops()
        return [lambda: hardware.multiply_add(dtype, flops)]
    return []
