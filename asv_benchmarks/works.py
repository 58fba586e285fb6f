"""The works, a table of the computations that are timed, and the arrays that each of them is given.

A work says what is computed, not how: each module of `libraries` computes it in its own way.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlkernels.catalogue import ACTIVATIONS, COSTS

#: All activations but the identity, which needs no computing.
ELEMENTWISE = tuple(name for name in ACTIVATIONS if name != "identity")
#: Works that take `steps` steps of gradient descent: by a function, and by a model.
LOGISTIC_FITS = ("logistic_descent", "LogisticRegression")
SHALLOW_FITS = ("shallow_descent", "ShallowNetwork")
#: Works on networks of any depth: `Work.sizes` are those of the layers.
NETWORKS = ("network_forward", "network_propagate", "train_epoch", "Network")
#: The learning rate of all works that take steps of gradient descent.
LEARNING_RATE = 0.1
#: Adam's learning rate in epochs. Each call goes on from the parameters of the call before, so thousands of
#: epochs must leave them about where they were: what is timed is then the same work from first to last.
ADAM_RATE = 1e-6
GROUPS = (
    "elementwise",
    "calls",
    "products",
    "small",
    "batches",
    "logistic",
    "shallow",
    "fit",
    "epochs",
    "inference",
)


@dataclasses.dataclass(frozen=True)
class Work:
    """One row of the table: what is computed, on which shapes.

    `operation` is the name of a public function, or of a model, whose `fit` is meant. `shape` is (n,) for
    functions of vectors; (n, k, m) for a layer of n units, k inputs and m examples; (n_x, m) for logistic
    regression; (n_x, n_h, m) for a network of two layers; (n_0, n_1, ..., n_L, m) for one of any depth.
    `order` is the memory order of X: "F" are the rows of a table. `target` is the least speed-up over the
    fastest other library that the project promises itself, and `sklearn_target` that over scikit-learn, where
    it promises one. `limit` names the hardware's limit: "copy", "read" or "fma" (multiply-adds), see
    `libraries.with_limit`. `steps` are those of a descent or a fit, and epochs for `Network`. `batch` is the
    number of examples in a batch of an epoch.
    """

    group: str
    operation: str
    shape: tuple[int, ...]
    order: str = "C"
    target: float = 1.0
    limit: str = ""
    steps: int = 0
    batch: int = 0
    sklearn_target: float = 0.0

    @property
    def title(self) -> str:
        if self.operation in NETWORKS:
            *sizes, m = self.shape
            batches = f", batches of {self.batch:,}" if self.batch else ""
            return f"{self.operation} {'-'.join(map(str, sizes))} x {m:,}{batches}"
        size = " x ".join(f"{n:,}" for n in self.shape)
        steps = f", {self.steps:,} steps" if self.steps else ""
        return f"{self.operation} {size}{' F' if self.order == 'F' else ''}{steps}"

    @property
    def activation(self) -> str:
        return "relu" if self.group in ("products", "batches") else "tanh"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The features, the units of each hidden layer, and the outputs of a network of any depth."""
        return self.shape[:-1]

    @property
    def output(self) -> str:
        """The output unit of a network of any depth."""
        return "sigmoid" if self.sizes[-1] == 1 else "softmax"

    def flops(self) -> float:
        """Return the floating-point operations of its matrix products; for vectors, two for each number."""
        if self.operation in NETWORKS:
            first, *others = (2.0 * a * b * self.shape[-1] for a, b in itertools.pairwise(self.sizes))
            if self.operation == "network_forward":
                return first + sum(others)
            return (2 * first + 3 * sum(others)) * max(1, self.steps)  # X has no derivative
        size = float(np.prod(self.shape))
        if self.operation == "dense_backward":
            n, k, m = self.shape
            return 2.0 * n * m * (k + units_after(n, k))
        once = len(self.shape) == 1 or self.operation in ("dense_forward", "dense_gradients")
        return (2.0 if once else 4.0) * size * max(1, self.steps)


def units_after(n: int, k: int) -> int:
    """Return the units of the layer after one of n units and k inputs. `dense_backward` takes its dZ."""
    return n if n == k else min(n, 10)


def _works() -> list[Work]:
    both = [name + suffix for suffix in ("", "_backward") for name in ELEMENTWISE]
    works = []
    for n, limit in ((10**5, ""), (10**7, "copy")):
        for name in both:
            in_cache_sigmoid = name == "sigmoid" and n == 10**5
            works.append(
                Work("elementwise", name, (n,), target=1.5 if in_cache_sigmoid else 1.0, limit=limit)
            )
    works += [Work("calls", name, (1000,), target=0.8) for name in both]
    dense = ("dense_forward", "dense_gradients", "dense_backward")
    large = [(s, s, s) for s in (500, 1000, 2000)] + [(256, 784, 10_000)]
    works += [Work("products", name, shape, limit="fma") for shape in large for name in dense]
    small = [(4, 2, 400), (16, 30, 569), (64, 64, 1797), (10, 784, 256)]
    works += [Work("small", name, shape, target=1.5) for shape in small for name in dense]
    for n_x, m in ((2, 400), (30, 569), (784, 60_000), (100, 10**6), (28, 2 * 10**6)):
        limit = "read" if n_x * m > 10**7 else ""
        works += [Work("logistic", "logistic_propagate", (n_x, m), order, 1.5, limit) for order in "CF"]
    works += [Work("logistic", "logistic_propagate", (12288, 209), order, 1.0) for order in "CF"]
    for shape in ((2, 4, 400), (30, 16, 569), (64, 32, 1797), (30, 16, 10**5)):
        works.append(Work("shallow", "shallow_propagate", shape, target=2.0))
    works.append(Work("shallow", "shallow_propagate", (784, 128, 60_000), target=1.1, limit="fma"))
    works.append(Work("shallow", "shallow_propagate", (12288, 7, 209), target=1.0))
    works.append(Work("fit", "shallow_descent", (2, 4, 400), target=1.2, steps=10_000))
    works.append(Work("fit", "shallow_descent", (30, 16, 569), target=1.2, steps=300))
    batches = [(100, 784, 200), (128, 500, 256), (64, 1000, 128)]
    works += [Work("batches", name, shape, limit="fma") for shape in batches for name in dense]
    return works + _network_works()


def _network_works() -> list[Work]:
    works = []
    for shape, batch, target in (
        ((30, 16, 1, 569), 32, 5.0),
        ((13, 8, 3, 178), 16, 5.0),
        ((64, 100, 10, 1797), 200, 2.0),
        ((4, 32, 16, 4, 10_000), 10_000, 2.0),
        ((28, 64, 64, 1, 50_000), 256, 2.0),
        ((784, 100, 100, 10, 12_000), 200, 1.2),
        ((784, 128, 10, 12_000), 64, 1.2),
        ((500, 300, 300, 1, 5000), 128, 1.2),
    ):
        wide = shape[1] >= 100
        row = Work("epochs", "train_epoch", shape, "F", target, batch=batch)
        works.append(
            dataclasses.replace(row, limit="fma" if wide else "", sklearn_target=2.0 if wide else 4.0)
        )
    for sizes in ((30, 16, 1), (64, 100, 10), (784, 128, 10)):
        works += [Work("inference", "network_forward", (*sizes, m), "F") for m in (1, 32, 10_000)]
    return works


WORKS = _works()


def saved_name(operation: str) -> str:
    """Return which argument of a derivative takes what its formula needs, the array `saved`."""
    from_A = ACTIVATIONS[operation.removesuffix("_backward")].derivative_from == "A"
    return "A" if from_A else "Z"


def layers(theta: np.ndarray, sizes: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return W (n, n_prev) and b (n,) of each layer, which are views of theta: W1, b1, W2, b2, ..."""
    found, at = [], 0
    for n_prev, n in itertools.pairwise(sizes):
        W, at = theta[at : at + n * n_prev].reshape(n, n_prev), at + n * n_prev
        b, at = theta[at : at + n], at + n
        found.append((W, b))
    return found


def arrays(work: Work, dtype: str) -> dict[str, Any]:
    """Return the inputs of a work, the same in every process."""
    random = np.random.default_rng(1)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return random.normal(scale=scale, size=shape).astype(dtype)

    def inputs(n: int, m: int) -> np.ndarray:
        array = random.standard_normal((n, m), dtype=dtype)
        return np.asfortranarray(array) if work.order == "F" else array

    def labels(m: int) -> np.ndarray:
        return (random.uniform(size=(1, m)) > 0.5).astype(dtype)

    def chances(*shape: int) -> np.ndarray:
        return (1 / (1 + np.exp(-normal(*shape)))).astype(dtype)

    if len(work.shape) == 1:
        (n,) = work.shape
        if work.operation == "dot":
            return {"a": normal(n), "b": normal(n)}
        if work.operation == "gradient_descent":
            return {"parameters": [normal(n)], "gradients": [normal(n)]}
        if work.operation in COSTS:
            return {"Z": normal(1, n), "A": chances(1, n), "Y": labels(n)}
        Z = normal(n)
        saved = {"sigmoid_backward": lambda: 1 / (1 + np.exp(-Z)), "tanh_backward": lambda: np.tanh(Z)}
        return {
            "Z": Z,
            "dA": normal(n),
            "saved": saved.get(work.operation, lambda: Z)().astype(dtype),
            "out": np.empty_like(Z),
        }
    if work.operation.startswith("dense"):
        n, k, m = work.shape
        after = units_after(n, k)
        given = {"W": normal(n, k, scale=k**-0.5), "b": normal(n, 1), "X": inputs(k, m)}
        given |= {"W_next": normal(after, n, scale=n**-0.5), "dZ_next": normal(after, m), "dZ": normal(n, m)}
        return given | {"saved": np.tanh(normal(n, m)).astype(dtype)}
    n_x, m = work.shape[0], work.shape[-1]
    if work.operation in NETWORKS:
        theta = np.zeros(sum((a + 1) * b for a, b in itertools.pairwise(work.sizes)), dtype)
        for W, _ in layers(theta, work.sizes):
            W[...] = normal(*W.shape, scale=W.shape[1] ** -0.5)
        classes = work.sizes[-1]
        Y = labels(m) if classes == 1 else random.integers(classes, size=(1, m))
        # The order of the examples is drawn in each epoch, as a part of it.
        adam = {"learning_rate": ADAM_RATE, "epsilon": 1e-8}
        return adam | {"X": inputs(n_x, m), "Y": Y, "theta": theta, "random": random}
    given = {"X": inputs(n_x, m), "Y": labels(m)}
    if len(work.shape) == 2:
        return given | {"w": normal(n_x, 1, scale=n_x**-0.5), "b": 0.1}
    n_h = work.shape[1]
    given |= {"W1": normal(n_h, n_x, scale=n_x**-0.5), "b1": np.zeros((n_h, 1), dtype)}
    return given | {"W2": normal(1, n_h, scale=n_h**-0.5), "b2": np.zeros((1, 1), dtype)}
