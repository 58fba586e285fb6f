"""What all optimizers have in common: their settings, their state, and a step."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dlkernels._inputs import arrays, outputs, values
from dlkernels._inputs.arrays import Array
from dlkernels.catalogue import OPTIMIZERS


class Settings(NamedTuple):
    """What a row of settings holds, in this order; `_kernels.optimizers` has the same indices.

    `decay1` is the momentum of SGD and RMSprop, and beta1 of Adam; `decay2` is alpha of RMSprop, and beta2 of
    Adam. `l2` and `slope` belong to the network that is trained. Each step writes `rate` and `root`.
    """

    rule: float
    learning_rate: float
    decay1: float
    decay2: float
    eps: float
    weight_decay: float
    nesterov: float
    epsilon_hat: float
    step: float
    l2: float
    slope: float
    rate: float
    root: float


STEP = Settings._fields.index("step")


class Arrays(NamedTuple):
    """An optimizer as compiled code takes it (`Optimizer.arrays`).

    Attributes
    ----------
    settings : ndarray, shape (13,)
        The settings and the number of steps, float64.
    state : ndarray, shape (2 P,) or (0,)
        What the optimizer keeps for P parameters, in their dtype.
    """

    settings: Array
    state: Array


class Optimizer:
    """What all optimizers have in common. Every setting is an attribute that may be changed between steps."""

    #: The name of the rule in `catalogue.OPTIMIZERS`.
    _rule: ClassVar[str]
    #: The settings, in the order of the arguments.
    _names: ClassVar[tuple[str, ...]]
    #: PyTorch's names for the two halves of the state.
    _halves: ClassVar[tuple[str, ...]]

    #: All settings as a tuple, in 0.3 us; a loop with `getattr` takes 1.5.
    _given: ClassVar[operator.attrgetter[tuple[Any, ...]]]

    def __init_subclass__(cls) -> None:
        cls._given = operator.attrgetter(*cls._names)

    def __init__(self) -> None:
        raise TypeError("Optimizer: make one of its classes in dlkernels.optimizers, for instance Adam(1e-3)")

    def _start(self) -> None:
        """Check the settings. A new optimizer has made no step."""
        self._settings, self._state = np.zeros(len(Settings._fields)), np.empty(0)
        self._checked: tuple[Any, Any] | None = None
        self._set(type(self).__name__, "")

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._names)
        return f"{type(self).__name__}({settings})"

    def __copy__(self) -> Optimizer:
        """Copy the arrays too: two optimizers with one state would each undo the other's steps."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Optimizer:
        """Copy all but `_checked`, which holds no array: a model copies its optimizer in each epoch.

        This takes 12 us. With `_checked` it took 47 us, longer than a short epoch.
        """
        found = object.__new__(type(self))
        memo[id(self)] = found
        for name, value in vars(self).items():
            vars(found)[name] = value if name == "_checked" else copy.deepcopy(value, memo)
        return found

    def _row(self, function: str, prefix: str) -> dict[str, float]:
        """The checked settings, by the names in `Settings`; those that are missing are 0."""
        raise NotImplementedError

    def _number(self, function: str, prefix: str, name: str, below: float = np.inf, **how: bool) -> float:
        return values.within(function, f"{prefix}{name}", getattr(self, name), below, **how)

    def _flag(self, function: str, prefix: str, name: str) -> float:
        value = getattr(self, name)
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{function}: {prefix}{name} must be True or False, not {type(value).__name__}")
        return float(value)

    def _keeps_nothing(self) -> bool:
        """Whether a step needs nothing of earlier steps but their number."""
        return False

    def _set(self, function: str, prefix: str) -> None:
        """Write the settings, if one has changed, to the row that compiled code reads."""
        given = self._given(self)
        kinds = tuple(map(type, given))  # compared too, since True == 1.0
        if (kinds, given) == self._checked:
            return
        row = self._row(function, prefix)
        self._settings[0] = OPTIMIZERS[self._rule]
        for i, name in enumerate(Settings._fields[1:STEP], 1):
            self._settings[i] = row.get(name, 0.0)
        constant = all(kind in (float, int, bool) for kind in kinds)  # an array may change
        self._checked = (kinds, given) if constant else None

    def arrays_for(self, function: str, theta: Array, prefix: str = "") -> Arrays:
        """As `arrays`, for parameters that have been checked.

        Errors begin with the name of this function; the names of settings in them begin with the prefix.
        """
        self._set(function, prefix)
        if self._state.size != 2 * theta.size or self._state.dtype != theta.dtype:
            if self._state.size:
                raise ValueError(
                    f"{function}: theta has {theta.size} numbers of {theta.dtype}, but the optimizer has "
                    f"updated {self._state.size // 2} of {self._state.dtype}; take a new optimizer"
                )
            if self._keeps_nothing():
                return Arrays(self._settings, np.empty(0, theta.dtype))
            self._state = np.zeros(2 * theta.size, theta.dtype)
        return Arrays(self._settings, self._state)

    def arrays(self, theta: Array) -> Arrays:
        """Return this optimizer in the form that `dlkernels.train_epoch` takes in compiled functions.

        Parameters
        ----------
        theta : ndarray, shape (P,)
            The parameters that are to be updated.

        Returns
        -------
        Arrays
            They share memory with the optimizer: steps that compiled code does are the optimizer's own. After
            a change of a setting, or of `state`, call `arrays` again.

        Raises
        ------
        TypeError, ValueError
            If a setting is wrong, or theta can't be updated in place, or isn't what earlier steps updated.

        Examples
        --------
        >>> import numpy as np
        >>> from dlkernels.optimizers import Adam
        >>> settings, state = Adam().arrays(np.zeros(3))
        >>> settings.shape, state.shape
        ((13,), (6,))
        """
        function = f"{type(self).__name__}.arrays"
        _need_vector(function, theta)
        return self.arrays_for(function, theta)

    def step(self, theta: Array, gradient: Any) -> None:
        """Update parameters in place by their gradient.

        Parameters
        ----------
        theta : ndarray, shape (P,)
            The parameters: float32 or float64, contiguous and writeable.
        gradient : array_like, shape (P,)
            It is converted to the dtype of theta.

        Raises
        ------
        TypeError, ValueError
            If a setting is wrong, shapes differ, or theta can't be updated in place, or isn't what earlier
            steps updated. Then nothing is changed.

        Examples
        --------
        >>> import numpy as np
        >>> from dlkernels.optimizers import SGD
        >>> theta = np.array([1.0, 2.0])
        >>> SGD(learning_rate=0.5).step(theta, [2.0, -2.0])
        >>> theta
        array([0., 3.])
        """
        from dlkernels._calls import threads
        from dlkernels._calls.views import unmarked
        from dlkernels._kernels import optimizers as kernels

        function = f"{type(self).__name__}.step"
        _need_vector(function, theta)
        gradient_ = arrays.as_float(function, "gradient", gradient)
        if gradient_.shape != theta.shape:
            raise ValueError(
                f"{function}: theta and gradient must have the same shape (theta {theta.shape}, "
                f"gradient {gradient_.shape})"
            )
        outputs.need_apart(function, [("theta", theta)], [("gradient", gradient)])
        settings, state = self.arrays_for(function, theta)
        work = kernels.update_work(theta.size, theta.itemsize)
        slope = unmarked(arrays.c_order(gradient_, theta.dtype))
        threads.twin(kernels.update, work)(theta, slope, state, settings)

    @property
    def state(self) -> dict[str, Array]:
        """What the optimizer keeps from step to step, as a dict of arrays, which are copies.

        "step" holds the number of steps, an int64 of shape (1,). After the first step there are also arrays
        like theta, named as PyTorch names them: "momentum_buffer", if there is momentum; "square_avg"; or
        "exp_avg" and "exp_avg_sq". A dict that was saved may be assigned, to go on where it was taken.
        """
        found: dict[str, Array] = {"step": np.array([self._settings[STEP]], np.int64)}
        if self._state.size:
            halves = self._state.reshape(2, -1)
            found |= {name: half.copy() for name, half in zip(self._halves, halves, strict=False)}
        return found

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        function, names = f"{type(self).__name__}.state", ("step", *self._halves)
        if not isinstance(state, Mapping):
            raise TypeError(f"{function}: a state is a dict of arrays, not {type(state).__name__}")
        if set(state) not in ({"step"}, set(names)):
            raise ValueError(
                f"{function}: a state has the entries {', '.join(names)}, or step alone before the first "
                f"step, not {', '.join(map(str, state))}"
            )
        steps = np.asarray(state["step"])
        if steps.size != 1:
            raise ValueError(f"{function}: step must be one number but has shape {steps.shape}")
        count = values.count(function, "step", steps.reshape(-1)[0], 0, 2**53)
        halves = [arrays.as_real(function, name, state[name]) for name in self._halves if name in state]
        for name, half in zip(self._halves, halves, strict=False):
            _need_half(function, name, half, halves[0])
        if count and not halves and not self._keeps_nothing():
            raise ValueError(f"{function}: after {count} steps there must also be {', '.join(names[1:])}")
        kept = np.zeros((2, halves[0].size), halves[0].dtype) if halves else np.empty((2, 0))
        for i, half in enumerate(halves):
            kept[i] = half
        self._state, self._settings[STEP] = kept.reshape(-1), count


def _need_vector(function: str, theta: Any) -> None:
    outputs.updatable(function, (("theta", theta),))
    if theta.ndim != 1:
        raise ValueError(f"{function}: theta must have 1 axis but has shape {theta.shape}; use theta.ravel()")


def _need_half(function: str, name: str, half: Array, first: Array) -> None:
    if half.dtype not in (arrays.F32, arrays.F64):
        raise TypeError(f"{function}: {name} must be float32 or float64, not {half.dtype}")
    if half.ndim != 1 or half.shape != first.shape or half.dtype != first.dtype:
        raise ValueError(
            f"{function}: entries must have 1 axis, one shape and one dtype, but {name} has shape "
            f"{half.shape} of {half.dtype}"
        )
