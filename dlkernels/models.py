"""The models, from the folder `models` beside this package.

This file loads that folder as `dlkernels.models`, because an application may well have a folder `models` of
its own, which hides every other package of this name.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

TYPE_CHECKING = False  # as in `dlkernels`
if TYPE_CHECKING:
    # Type checkers don't run the lines below. They find the folder by its other name. Where that is hidden,
    # they take each of these names for `Any`; with `import *` they would say that there is none.
    from models import ConvergenceWarning as ConvergenceWarning
    from models import LogisticRegression as LogisticRegression
    from models import Network as Network
    from models import ShallowNetwork as ShallowNetwork
elif __name__ == "__main__":
    raise SystemExit("dlkernels.models is a package to import; the command is dlkernels")
else:
    _beside = Path(__file__).parents[1]
    _spec = PathFinder.find_spec(__name__, [str(_beside)])
    if _spec is None:
        raise ImportError(f"dlkernels.models needs the folder 'models' beside 'dlkernels', in {_beside}")
    # This module becomes the package: another thread that waits for its import already holds this object.
    __spec__.submodule_search_locations = __path__ = _spec.submodule_search_locations
    __package__, __file__ = __name__, _spec.origin
    exec(_spec.loader.get_code(__name__), globals())
