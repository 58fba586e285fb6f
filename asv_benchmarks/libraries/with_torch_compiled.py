"""PyTorch with `torch.compile`: forward and backward compiled, Adam fused; for networks of any depth only.

Compiling takes from several seconds to a minute a work, so that the command measures it only if asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from asv_benchmarks.libraries import _torch_networks
from asv_benchmarks.libraries.with_torch import tensors
from asv_benchmarks.works import NETWORKS


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    if work.operation not in NETWORKS:
        return []
    torch.set_grad_enabled(False)
    return _torch_networks.build(work, tensors(given), compiled=True)[:1]
