"""Which way is faster: on a clock that the tests move, with a machine that other programs disturb."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.course import _terminal, _timing, elementwise
from models.course._experiment import Timings


class Clock:
    """Stands in the place of the module `time`. A way moves it by what a call takes."""

    def __init__(self):
        self.now, self.own, self.process = 100.0, 0.0, 0.0

    def perf_counter(self):
        return self.now

    def thread_time(self):
        return self.own

    def process_time(self):
        return self.process

    def sleep(self, seconds):
        self.now += seconds

    def way(self, seconds, load=lambda now: 1.0, share=lambda now: 1.0, threads=1):
        """Return a call of so many seconds, times the load at the time when it begins.

        Each of its threads has the processor for a share of that time.
        """

        def call():
            passed = seconds * load(self.now)
            own = passed * share(self.now)
            self.now, self.own, self.process = self.now + passed, self.own + own, self.process + threads * own

        return call


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(_timing, "time", moved)
    return moved


def noisy(largest, seed, every=0.01):
    """Return a load that changes every hundredth of a second, between 1 and `largest`."""
    loads = np.random.default_rng(seed).uniform(1, largest, 100_000)
    return lambda now: loads[int(now / every) % len(loads)]


def until(end, load):
    return lambda now: load(now) if now < end else 1.0


def test_timings_are_taken_in_turns(clock):
    order, call = [], clock.way(1e-4)
    timings = _timing.in_turns("t", {way: lambda way=way: (order.append(way), call()) for way in "ab"})
    assert order[:4] == ["a", "a", "a", "b"]  # compiled, then looked at twice
    turns = re.sub(r"(.)\1*", r"\1", "".join(order))
    assert turns == "ab" * (1 + 7)
    assert timings.speed_up("a") == 1


def test_a_quiet_machine_needs_no_further_turns(clock):
    timings = _timing.in_turns("t", {"a": clock.way(3e-4), "b": clock.way(2e-4), "c": clock.way(0.06)})
    assert {way: len(turns) for way, turns in timings.turns.items()} == {"a": 7, "b": 7, "c": 3}
    assert timings.caption == "time of a call, the shortest of 3 to 7 measurements"
    assert timings.seconds == pytest.approx({"a": 3e-4, "b": 2e-4, "c": 0.06})
    assert _timing.verdict(timings) == "b took the least time, 200 us"
    assert _timing.is_faster(timings, "b", "a")
    assert not _timing.is_faster(timings, "a", "b")


@pytest.mark.parametrize("seed", range(10))
def test_a_way_that_load_slowed_down_at_first_is_not_called_slower(clock, seed):
    """Such as np.dot, whose threads wait for each other while other programs run: 3 turns were too few."""
    noise = noisy(8, seed)
    load = until(clock.now + 1.5, lambda now: 2 + noise(now))
    timings = _timing.in_turns(
        "t", {"loop": clock.way(0.06), "numpy": clock.way(2e-4, load), "numba": clock.way(4e-4)}
    )
    assert min(timings.turns["numpy"][:7]) > min(timings.turns["numba"])
    assert _timing.verdict(timings) == "numpy took the least time, 200 us"
    assert len(timings.turns["numpy"]) == len(timings.turns["numba"]) > 7
    assert len(timings.turns["loop"]) == 3  # it isn't fast, whatever the other two turn out to be


def test_equal_ways_are_too_close_to_call(clock):
    timings = _timing.in_turns("t", {"a": clock.way(2.0e-4), "b": clock.way(2.1e-4), "c": clock.way(2e-2)})
    assert len(timings.turns["a"]) == 7
    assert _timing.verdict(timings) == (
        "it is too close to call whether a or b takes the least time, 200 us and 210 us"
    )
    assert not _timing.is_faster(timings, "a", "b")
    assert not _timing.is_faster(timings, "b", "a")
    assert _timing.equally_fast(timings) == ["a", "b"]
    assert (
        _terminal.rows_of(timings).title == f"t: {timings.caption}; times at most 10 % apart count as equal"
    )


def test_load_without_end_is_too_close_to_call_after_a_bounded_time(clock):
    noise = noisy(8, seed=1)
    start = clock.now
    timings = _timing.in_turns(
        "t", {"numpy": clock.way(2e-4, lambda now: 2 + noise(now)), "numba": clock.way(4e-4)}
    )
    assert _timing._BOUND < clock.now - start < _timing._BOUND + 0.5
    assert "this run doesn't tell whether numpy or numba" in _timing.verdict(timings)


def test_a_way_is_not_called_slower_if_its_turns_differ_more_than_the_ways():
    noisy_way = Timings("t", {"a": (1.0,) * 4, "b": (2.0, 3.0, 3.0, 4.0)})
    assert _timing.verdict(noisy_way) == (
        "this run doesn't tell whether a or b takes the least time, 1.00 s and 2.00 s, because other "
        "programs disturbed the timing of b: run it again"
    )
    assert _timing._unclear(noisy_way) == ["a", "b"]
    assert not any(mark.fastest for mark in _terminal.marks_of(noisy_way))
    assert _terminal.rows_of(noisy_way).title == f"t: {noisy_way.caption}"
    steady = Timings("t", {"a": (1.0,) * 5, "b": (2.0, 2.5, 2.5, 2.5, 9.0)})
    assert _timing.verdict(steady) == "a took the least time, 1.00 s"
    assert _timing._unclear(steady) == []
    assert [mark.fastest for mark in _terminal.marks_of(steady)] == [True, False]
    far = Timings("t", {"a": (1.0,) * 4, "b": (20.0, 30.0, 30.0, 40.0)})
    assert _timing.verdict(far) == "a took the least time, 1.00 s"


def test_a_fast_way_may_be_noisy():
    """It can only turn out to be faster still."""
    timings = Timings("t", {"a": (1.0, 2.0, 3.0), "b": (1.5, 1.5, 1.5)})
    assert _timing.verdict(timings) == "a took the least time, 1.00 s"


def test_a_way_of_one_thread_takes_its_cpu_time_if_other_programs_had_the_processor(clock):
    timings = _timing.in_turns(
        "t", {"loop": clock.way(6e-3, share=lambda now: 0.5), "numba": clock.way(4e-3)}
    )
    assert timings.seconds == pytest.approx({"loop": 3e-3, "numba": 4e-3})
    assert timings.disturbed == frozenset()
    assert _timing.verdict(timings) == "loop took the least time, 3.00 ms"


@pytest.mark.parametrize("quiet_after", [1.5, 99])
def test_a_way_whose_threads_waited_for_each_other_is_not_called_slower(clock, quiet_after):
    """np.dot took 16 ms instead of 0.1 on a busy machine, turn after turn, with hardly any noise."""
    end = clock.now + quiet_after
    numpy = clock.way(
        1e-4, until(end, lambda now: 160), share=lambda now: 0.25 if now < end else 1.0, threads=2
    )
    timings = _timing.in_turns("t", {"numpy": numpy, "numba": clock.way(3e-4)})
    assert clock.now < 100 + 1 + _timing._BOUND + 1
    if quiet_after < 2:
        assert _timing.verdict(timings) == "numpy took the least time, 100 us"
    else:
        assert timings.disturbed == {"numpy"}
        assert timings.caption.endswith(" measurements; other programs disturbed numpy")
        assert _timing.verdict(timings) == (
            "this run doesn't tell whether numpy or numba takes the least time, 16.0 ms and 300 us, because "
            "other programs disturbed the timing of numpy: run it again"
        )
        assert not any(mark.fastest for mark in _terminal.marks_of(timings))
        assert not _timing.is_faster(timings, "numba", "numpy")


def test_three_ways_in_words():
    timings = Timings("t", {way: (1.0, 1.0, 1.0) for way in "abc"})
    assert "whether a, b or c takes the least time, 1.00 s, 1.00 s and 1.00 s" in _timing.verdict(timings)


def test_a_compiled_loop_against_numpy_in_words():
    def timings(numpy, numba):
        return Timings("t", {"python": (9.0,) * 3, "numpy": (numpy,) * 3, "numba": (numba,) * 3})

    found = {"exp": timings(2.0, 1.0), "log": timings(1.0, 2.0), "abs": timings(1.0, 1.05)}
    assert elementwise.against_numpy(found) == (
        "Here a compiled loop of our own, against NumPy's, took less time for exp; took more time for log; "
        "is too close to call for abs."
    )
    disturbed = Timings("t", {"numpy": (3.0,) * 3, "numba": (1.0,) * 3}, frozenset({"numpy"}))
    assert elementwise.against_numpy({"exp": disturbed}) == (
        "Here a compiled loop of our own, against NumPy's, may have taken less or more time, because other "
        "programs disturbed the timing, for exp."
    )
    assert elementwise.against_numpy({"log": found["log"]}) == (
        "Here a compiled loop of our own, against NumPy's, took more time for log."
    )
