"""The options of the course's experiments: one declaration, which the command line, --help and `run` read."""

from __future__ import annotations

import dataclasses
import warnings

import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels import cli
from dlkernels.cli import CommandError
from dlkernels.models import ConvergenceWarning, LogisticRegression
from models.course import _experiment, _options, _timing, costs, descent, experiments
from models.course.experiments import EXPERIMENTS

VARIED = [each for each in EXPERIMENTS if each.options]


def run(alpha=0.5, units=3):
    """Multiply. The claim of these notes holds at the defaults only."""
    product = alpha * units
    table = _experiment.Table("The product", ("", "αn"), (("αn, as in information", f"({product:g}, 1)"),))
    check = _experiment.Check("The product is 1.5, as in the notes", product == 1.5)
    return _experiment.Result((table,), (check,), ("Products differ.",), "None.", {"product": product})


#: An experiment that takes no time.
QUICK = dataclasses.replace(EXPERIMENTS[0], name="quick", run=run)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(experiments, "EXPERIMENTS", (QUICK, *EXPERIMENTS))


def command(capsys, *arguments):
    code = cli.main(["course", *arguments])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_the_options_are_the_parameters_of_run():
    assert QUICK.options == {"alpha": 0.5, "units": 3}
    assert QUICK.result({"units": 4}).values["product"] == 2


@pytest.mark.parametrize("each", EXPERIMENTS, ids=lambda each: each.name)
def test_every_default_is_a_value_that_the_command_line_takes(each):
    for name, value in each.options.items():
        option, text = _options.written({name: value}).split()
        assert option == f"--{name}"
        assert _options.OPTIONS[name].read(text) == value


def test_where_options_make_sense():
    assert {each.name: "".join(name[0] for name in each.options) for each in VARIED} == {
        "logistic": "ai", "costs": "ai", "nudging": "s", "descent": "ai", "images": "ais", "forward": "su",
        "activations": "aisu", "linear": "aisu", "backward": "aisu", "weights": "aisu",
        "layers": "s", "softmax": "aisu", "batches": "abes", "optimizers": "ai",
    }  # fmt: skip


def test_claims_are_checked_at_the_defaults_only():
    for chosen in ({}, {"alpha": 0.5}, {"alpha": 0.5, "units": 3}):
        result = QUICK.result(chosen)
        assert [check.holds for check in result.checks] == [True]
        assert result.lessons[-1] == (
            "You can vary this run: the options of quick and their defaults are --alpha 0.5 --units 3."
        )
    varied = QUICK.result({"units": 4})
    assert varied.checks == ()
    assert varied.lessons[0] == (
        "This run has --alpha 0.5 --units 4. What the notes claim was not checked, because it is about "
        "--alpha 0.5 --units 3."
    )
    assert varied.lessons[1:] == ("Products differ.",)


def test_an_experiment_without_options_stays_as_it_is():
    plain = dataclasses.replace(QUICK, run=lambda: run())
    assert plain.result({}) == run()


def fitted(alpha=0.1, iterations=20):
    """Train as experiments do."""
    X, Y = [[1.0, 2.0, 3.0, 4.0]], [[0, 1, 0, 1]]
    LogisticRegression(learning_rate=alpha, num_iterations=iterations).fit(X, Y)
    return run()


def test_a_run_that_diverges_is_explained_and_warns_of_nothing():
    each = dataclasses.replace(QUICK, run=fitted)
    assert "smaller --alpha" not in each.result({"alpha": 0.2}).lessons[0]
    for alpha in (1e4, 1e308):  # the cost rises; it isn't finite
        assert "take a smaller --alpha." in each.result({"alpha": alpha}).lessons[0]
    assert each.result({}).lessons[0] == "Products differ."


def test_a_run_that_diverges_at_the_defaults_warns():
    """No lesson would say it."""
    each = dataclasses.replace(QUICK, run=lambda alpha=1e4: fitted(alpha))
    with pytest.warns(ConvergenceWarning, match="the cost rose above"):
        each.result({})


def test_other_warnings_of_a_run_are_passed_on():
    def also_warns(alpha=0.1):
        warnings.warn("something else", UserWarning, stacklevel=1)
        return fitted(alpha)

    with pytest.warns(UserWarning, match="something else") as caught:
        dataclasses.replace(QUICK, run=also_warns).result({"alpha": 1e4})
    assert [each.filename for each in caught] == [__file__]


@pytest.mark.parametrize("module", [descent, costs])
def test_the_loops_of_experiments_diverge_by_the_rule_of_fit(module):
    X, Y = costs.examples()
    descend = {
        descent: lambda alpha: descent.descend(dk.logistic_propagate, X, Y, alpha, 10),
        costs: lambda alpha: costs.descend("cross-entropy", X, Y, alpha, 10),
    }[module]
    descend(1.0)
    with pytest.warns(ConvergenceWarning, match="the cost rose above"):
        descend(1000.0)


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="minutes without compilation")
@pytest.mark.parametrize(
    "name",
    ["linear", "images", "activations", "backward", "weights", "costs", "softmax", "batches", "optimizers"],
)
def test_no_experiment_that_diverges_prints_a_warning(capsys, name):
    few = ("--epochs", "3") if name == "batches" else ("--iterations", "50")
    code, text, said = command(capsys, name, "--alpha", "1000", *few)
    assert (code, said) == (0, "")
    assert "Gradient descent diverged" in text


@pytest.mark.usefixtures("quick")
def test_the_command_passes_options_on(capsys, tmp_path):
    code, text, _ = command(capsys, "quick", "--units", "7", "--alpha", "2")
    assert code == 0
    assert "(14, 1)" in text
    assert "--alpha 2 --units 7" in text
    assert "✓" not in text
    code, text, _ = command(capsys, "quick", "--units", "3")
    assert "✓ The product is 1.5, as in the notes." in text


@pytest.mark.usefixtures("quick")
def test_help_with_a_name_lists_its_options(capsys):
    code, text, _ = command(capsys, "quick", "--help")
    assert code == 0
    assert text.splitlines()[-1] == "the options of quick and their defaults are --alpha 0.5 --units 3"
    assert command(capsys, "--help", "dot")[1].splitlines()[-1] == "dot has no options"
    general = command(capsys, "-h")[1]
    for name, option in _options.OPTIONS.items():
        assert f"--{name} {option.metavar}" in general
        assert option.words in general


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quick", "--seed", "1"), "error: quick has no --seed; it has --alpha 0.5 and --units 3\n"),
        (
            ("weights", "--epochs", "1"),
            "weights has no --epochs; it has --alpha 1.2, --iterations 2000, --seed 3 and --units 4\n",
        ),
        (("graph", "--units", "1"), "error: graph has no --units, and no other options\n"),
        (("--alpha", "1"), "argument --alpha: only with NAME"),
        (("--seed", "1", "--html", "page.html"), "argument --seed: only with NAME"),
        (("quick", "--alpha", "nan"), "argument --alpha: must be positive and finite, not nan"),
        (("quick", "--alpha", "0"), "argument --alpha: must be positive and finite, not 0"),
        (("quick", "--alpha", "-0.1"), "argument --alpha: must be positive and finite, not -0.1"),
        (("quick", "--alpha", "1e4"), "argument --alpha: must be at most 1000, not 1e4"),
        (("quick", "--alpha", "fast"), "argument --alpha: expected a number, not 'fast'"),
        (("quick", "--units", "0"), "argument --units: must be at least 1, not 0"),
        (("quick", "--units", "201"), "argument --units: must be at most 200, not 201"),
        (("weights", "--iterations", "0"), "argument --iterations: must be at least 1, not 0"),
        (("weights", "--iterations", "1000000000"), "must be at most 50000, not 1000000000"),
        (("weights", "--iterations", "1e3"), "argument --iterations: expected a whole number, not '1e3'"),
        (
            ("layers", "--sizes", "64"),
            "argument --sizes: expected at least two numbers, such as 64,10, not '64'",
        ),
        (("layers", "--sizes", "64,,10"), "argument --sizes: expected a whole number, not ''"),
        (("layers", "--sizes", "64,0"), "argument --sizes: must be at least 1, not 0"),
        (
            ("layers", "--sizes", "1000,1000,10"),
            "argument --sizes: must give at most 1,000,000 parameters, not 1,011,010",
        ),
        (("batches", "--batch", "0"), "argument --batch: must be at least 1, not 0"),
        (("batches", "--epochs", "1001"), "argument --epochs: must be at most 1000, not 1001"),
        (("weights", "--seed", "-1"), "argument --seed: must be at least 0, not -1"),
        (("weights", "--seed", str(2**32)), "argument --seed: must be at most 4294967295"),
    ],
)
def test_faults_are_one_line_and_nothing_is_written(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, text, line = command(capsys, *arguments)
    assert (code, text) == (2, "")
    assert words in line
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_step_too_long_for_the_loops_of_the_notes_is_explained():
    """math.log(1 - a) of an a that is 1 was a traceback."""
    with pytest.raises(CommandError, match=r"after 1 of 5 steps of α = 50 .*smaller --alpha"):
        descent.descend(next(iter(descent.WAYS.values())), np.full((1, 2), 9.0), np.ones((1, 2)), 50, 5)


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="minutes without compilation")
@pytest.mark.parametrize("each", VARIED, ids=lambda each: each.name)
def test_every_option_changes_what_an_experiment_computes_and_shows(each, monkeypatch):
    for name, value in {"_TURN": 1e-4, "_ROUNDS": 1, "_FEW_ROUNDS": 1, "_PAUSE": 0, "_BOUND": 0}.items():
        monkeypatch.setattr(_timing, name, value)

    def tables(chosen):
        result = each.result(chosen)
        each.plot(result)
        return [section for section in result.sections if isinstance(section, _experiment.Table)]

    few = {"iterations": 20} if "iterations" in each.options else {}
    usual = tables(few)
    for name, default in each.options.items():
        if name == "sizes":
            other = (4, 3, 2)
        else:
            other = 7 if name == "iterations" else default / 2 if name == "alpha" else default + 1
        assert tables(few | {name: other}) != usual, name
