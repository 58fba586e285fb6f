"""`dlkernels compare`: run the same training on each backend, time it, and check that the backends agree."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlkernels as dk
from dlkernels import backends, data
from dlkernels.cli import CommandError
from dlkernels.extras import need
from dlkernels.options import positive, whole
from dlkernels.reporting import reserved, same_file, say_written

from . import _measure, _plots, _report

#: The models that are compared by default; a network of any depth is compared if it is asked for.
_DEFAULT_MODELS = ("logistic", "shallow")
_DEFAULT_DATA = {"logistic": "breast_cancer", "shallow": "flower", "network": "digits"}

_DESCRIPTION = """\
Train the same models with loops of Python, with NumPy and with compiled loops, and print one table a model:
time per iteration, speed-up, final cost, accuracy on held-out examples, and how far the parameters differ.
Without options: logistic regression on breast cancer, and a network of 4 tanh units on the flower. With
--model network: a network of 64 and 32 relu units on ten classes of digits, by mini-batches and Adam.
"""


def add_command(commands: Any) -> None:
    """Add `compare` to argparse's sub-parsers. `dlkernels.cli` finds this function as an entry point."""
    parser = commands.add_parser(
        "compare",
        help="train two models on three backends, time them and see that they agree",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data",
        metavar="NAME|FILE",
        help=f"{', '.join(data.NAMES)}, or a .npz, .csv or .h5 file (.npz and .csv are standardised)",
    )
    add("--label", metavar="COLUMN", help="the column of labels in a .csv file")
    add("--test-data", metavar="FILE", help="the held-out examples, if a .h5 file of --data has no others")
    add("--model", choices=tuple(_measure.CLASSES), help="one model only")
    add(
        "--backends",
        metavar="LIST",
        type=_backends,
        default=backends.NAMES,
        help=f"the backends, separated by commas (default {','.join(backends.NAMES)})",
    )
    add(
        "--iterations", metavar="N", type=whole(1), help="steps of gradient descent, or epochs of the network"
    )
    add(
        "--hidden",
        metavar="N",
        type=_hidden,
        help="units of the hidden layer (default 4); of the network N,N,... (default 64,32)",
    )
    add("--learning-rate", metavar="F", type=positive(), help="the length of a step")
    add(
        "--seed",
        metavar="N",
        type=whole(0, 2**32 - 1),
        help="draws the network's initial weights (default 3)",
    )
    add("--threads", metavar="N", type=whole(1), help="threads of numba, and of NumPy's BLAS")
    add("--dtype", choices=("float32", "float64"), default="float64", help="what to compute in")
    add("--plot", metavar="DIR", type=Path, help="write pictures into this folder")
    add("--json", metavar="FILE", type=Path, help="write all figures to this file")
    parser.set_defaults(run=run)


# -- options -----------------------------------------------------------------------------------------


def _backends(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for position, name in enumerate(names):
        if name not in backends.NAMES:
            raise argparse.ArgumentTypeError(f"expected some of {', '.join(backends.NAMES)}, not {name!r}")
        if name in names[:position]:
            raise argparse.ArgumentTypeError(f"{name!r} is there twice")
    return tuple(name for name in backends.NAMES if name in names)


def _hidden(text: str) -> tuple[int, ...]:
    return tuple(map(whole(1), text.split(",")))


# -- the command -------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """Check all arguments first, because training takes long; then train and report."""
    need("rich", "dlkernels compare")
    if arguments.plot is not None:
        need("matplotlib", "--plot")
    jobs = _jobs(arguments)
    for file in jobs[0].dataset.files:
        if same_file(arguments.json, file):
            raise CommandError(f"argument --json: {arguments.json} is the file of --data")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_limited(arguments.threads))
        if arguments.plot is not None:
            _plots.make_folder(arguments.plot)
        draft = stack.enter_context(reserved(arguments.json, "--json"))
        comparisons = []
        _report.show_heading()
        for job in jobs:
            comparisons.append(_measure.compare(job, arguments.backends))
            _report.show(comparisons[-1])
        if draft is not None:
            _report.write_json(draft, comparisons)
    say_written([arguments.json])
    if arguments.plot is not None:
        say_written(_plots.draw(arguments.plot, comparisons))
    return 0


def _jobs(arguments: argparse.Namespace) -> list[_measure.Job]:
    models = _DEFAULT_MODELS if arguments.model is None else (arguments.model,)
    if arguments.data is None and arguments.label is not None:
        raise CommandError("argument --label: only for --data with a .csv file")
    if arguments.data is None and arguments.test_data is not None:
        raise CommandError("argument --test-data: only for --data with a .h5 file")
    for option in ("hidden", "seed"):
        if models == ("logistic",) and getattr(arguments, option) is not None:
            raise CommandError(f"argument --{option}: logistic regression has no hidden units to draw")
    if "shallow" in models and arguments.hidden is not None and len(arguments.hidden) > 1:
        raise CommandError("argument --hidden: only --model network has more than one hidden layer")
    loaded: dict[str, data.Dataset] = {}
    jobs = []
    for model in models:
        name = _DEFAULT_DATA[model] if arguments.data is None else arguments.data
        if name not in loaded:
            loaded[name] = _load(name, model, arguments)
        jobs.append(_job(model, loaded[name], arguments))
    return jobs


def _load(name: str, model: str, arguments: argparse.Namespace) -> data.Dataset:
    if model == "network" and name == "digits" and arguments.label is arguments.test_data is None:
        return data.digits(positive=None)
    dataset = data.load(name, label=arguments.label, test_path=arguments.test_data)
    return dataset.standardized() if Path(name).suffix.lower() in (".npz", ".csv") else dataset


def _job(model: str, dataset: data.Dataset, arguments: argparse.Namespace) -> _measure.Job:
    """Make a job. By default it takes the course's settings on the course's data, else cautious settings."""
    images = dataset.X_train.shape[0] > 1000
    iterations, rate = (2000, 0.1) if model == "shallow" else (5000, 0.1)
    if model == "network":
        iterations, rate = 20, 0.001
    elif images:
        iterations, rate = 1000, 0.005
    elif model == "shallow" and dataset.name == "flower":
        iterations, rate = 10_000, 1.2
    return _measure.Job(
        model=model,
        dataset=dataset,
        iterations=arguments.iterations or iterations,
        learning_rate=arguments.learning_rate or rate,
        dtype=arguments.dtype,
        hidden=arguments.hidden or ((64, 32) if model == "network" else (4,)),
        seed=3 if arguments.seed is None else arguments.seed,
    )


@contextlib.contextmanager
def _limited(threads: int | None) -> Iterator[None]:
    """Limit Numba and NumPy's BLAS to so many threads; with None each keeps its own number."""
    if threads is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(dk.threads(threads))
        except ValueError as error:
            raise CommandError(f"argument --threads: {str(error).partition(': ')[2]}") from None
        with contextlib.suppress(ImportError):
            import threadpoolctl

            stack.enter_context(threadpoolctl.threadpool_limits(threads, user_api="blas"))
        yield
