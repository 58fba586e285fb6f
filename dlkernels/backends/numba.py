"""The backend of compiled loops. Its functions are the public functions of `dlkernels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlkernels import activations, costs, dense, derivatives, descent, networks, parameters, propagate
from dlkernels._nopython import layers as _layers  # noqa: F401  (registers the overloads for compiled code)
from dlkernels._nopython import networks as _networks  # noqa: F401
from dlkernels.backends import FUNCTIONS

if TYPE_CHECKING:
    from dlkernels.activations import *  # noqa: F403
    from dlkernels.costs import *  # noqa: F403
    from dlkernels.dense import *  # noqa: F403
    from dlkernels.derivatives import *  # noqa: F403
    from dlkernels.descent import *  # noqa: F403
    from dlkernels.networks import *  # noqa: F403
    from dlkernels.parameters import *  # noqa: F403
    from dlkernels.propagate import *  # noqa: F403

for _module in (activations, costs, dense, derivatives, descent, networks, parameters, propagate):
    globals().update({name: value for name, value in vars(_module).items() if name in FUNCTIONS})
