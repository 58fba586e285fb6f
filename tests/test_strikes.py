"""An exception of somebody else strikes at any line: it reaches the caller, and the next call works."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

import numba
import numpy as np
import pytest
from processes import new_process
from strikes import Strike, lines_of, struck

import dlkernels as dk
from dlkernels import networks
from dlkernels._calls import forks, optimizer, plans, views, workspaces
from dlkernels._calls import networks as network_calls
from dlkernels._calls import threads as _threads
from dlkernels._compiler import cache, errors, internals, names, options, pieces, uninterrupted

needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

COMPILER = (cache, errors, internals, names, options, pieces, uninterrupted)


def free(lock):
    """Whether another thread could take this lock."""
    got = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(timeout=1) and not lock.release()))
    thread.start()
    thread.join()
    return got == [True]


@pytest.mark.parametrize("what", ["threads", "always"])
def test_a_block_is_closed_wherever_an_exception_strikes(what):
    before = _threads._requested, list(_threads._blocks), _threads.forced.get()

    def use():
        with dk.threads(1) if what == "threads" else _threads.always(False):
            pass

    places = lines_of(use, _threads, uninterrupted)
    assert len(places) > 5
    for place in places:
        assert struck(use, place, _threads, uninterrupted) == "the strike"
        assert (_threads._requested, _threads._blocks, _threads.forced.get()) == before


@needs_compiled
def test_a_launch_leaves_numba_as_it_was():
    numba.set_num_threads(1)

    class Kernel:
        parallel = staticmethod(numba.get_num_threads)

    def launch():
        return _threads._launch(Kernel, 2)

    try:
        for place in lines_of(launch, _threads, uninterrupted):
            assert struck(launch, place, _threads, uninterrupted) == "the strike"
            assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(_threads.maximum())


@pytest.mark.parametrize("parallel", [None, True])
@pytest.mark.parametrize("rule", ["SGD", "Adam"])
def test_an_epoch_is_trained_as_a_whole_or_not_at_all(rule, parallel):
    """Theta and the optimizer stay what they were, or are those after the epoch, and can be trained on."""
    random = np.random.default_rng(2)
    X, Y, sizes = random.normal(size=(3, 50)), random.integers(2, size=(2, 50)), (3, 4, 2)
    modules = (networks, network_calls, networks.checks, optimizer, plans, views, workspaces, _threads)

    class Training:
        def __init__(self):
            self.theta, self.rule = dk.network_parameters(sizes, 1), getattr(dk.optimizers, rule)()

        def epoch(self):
            with _threads.always(parallel):
                return dk.train_epoch(self.theta, sizes, self.rule, X, Y, batch_size=20)

        def bits(self):
            return self.theta.tobytes(), self.rule.state["step"][0]

    whole = Training()
    wanted = [(whole.bits(), whole.epoch()) for _ in range(3)]
    places = lines_of(Training().epoch, *modules)
    assert len(places) > 20
    done = set()
    for place in places:
        struck_one = Training()
        assert struck(struck_one.epoch, place, *modules) == "the strike"
        epochs = [bits for bits, _ in wanted].index(struck_one.bits())
        assert struck_one.epoch() == wanted[epochs][1]
        done.add(epochs)
    assert done == {0, 1}


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel, its types, what Numba compiled for them, and the folder that its machine code is kept in."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)

    def double(x):
        for i in range(x.size):
            x[i] *= 2

    dispatcher, types = options.entry(double), (numba.float64[::1],)
    return dispatcher, types, internals.compiled_for(dispatcher, types), tmp_path


@needs_compiled
def test_writing_a_kernel(kernel):
    dispatcher, types, compiled, folder = kernel
    kept = cache.KernelCache(dispatcher.py_func)

    def write():
        kept.save_overload(types, compiled)

    write()  # the lines that open the cache run once
    places = lines_of(write, *COMPILER)
    assert len(places) > 15
    written = {file.name for file in folder.iterdir()}
    assert len(written) == 1
    for place in places:
        for file in folder.iterdir():
            file.unlink()
        assert struck(write, place, *COMPILER) == "the strike"
        assert {file.name for file in folder.iterdir()} <= written
        write()
        assert {file.name for file in folder.iterdir()} == written


@needs_compiled
def test_reading_a_kernel(kernel):
    dispatcher, types, compiled, _ = kernel
    kept = cache.KernelCache(dispatcher.py_func)
    kept.save_overload(types, compiled)

    def read():
        return kept.load_overload(types, dispatcher.targetctx)

    read()
    places = lines_of(read, *COMPILER)
    assert len(places) > 20
    for place in places:
        assert struck(read, place, *COMPILER) == "the strike"
        assert read().signature == compiled.signature
        assert free(internals.compiler_lock)


@needs_compiled
@pytest.mark.parametrize("error", [TimeoutError("time limit"), MemoryError(), RecursionError(), Strike()])
@pytest.mark.parametrize("step", ["load", "save"])
def test_errors_that_a_cache_has_reason_to_expect_are_told_from_others(kernel, monkeypatch, error, step):
    """A TimeoutError is an OSError. A full disk is one, too, but has a number."""
    dispatcher, types, compiled, _ = kernel
    kept = cache.KernelCache(dispatcher.py_func)

    def call():
        if step == "load":
            return kept.load_overload(types, dispatcher.targetctx)
        return kept.save_overload(types, compiled)

    def fail(self, *_):
        raise error

    monkeypatch.setattr(cache._Files, step, fail)
    with pytest.raises(type(error)) as caught:
        call()
    assert caught.value is error


@needs_compiled
def test_a_full_disk_is_no_error(kernel, monkeypatch):
    dispatcher, types, compiled, folder = kernel
    kept = cache.KernelCache(dispatcher.py_func)
    kept.flush()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.Path, "write_bytes", full)
    kept.save_overload(types, compiled)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="no signals")
def test_a_signal_waits_until_an_uninterrupted_action_has_ended():
    done = []

    def handler(*_):
        done.append("handled")
        raise Strike

    def action():
        signal.raise_signal(signal.SIGINT)
        done.append("ended")

    def nothing():
        uninterrupted.uninterrupted(lambda: None)

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(Strike):
            uninterrupted.uninterrupted(action)
        assert done == ["ended", "handled"]
        assert signal.getsignal(signal.SIGINT) is handler
        for place in lines_of(nothing, uninterrupted):
            assert struck(nothing, place, uninterrupted) == "the strike"
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_uninterrupted_action_does_not_begin_near_the_recursion_limit():
    begun = []

    def deep(left):
        if left:
            deep(left - 1)
        else:
            uninterrupted.uninterrupted(lambda: begun.append(1))

    frames = 0
    frame = sys._getframe()
    while frame is not None:
        frames, frame = frames + 1, frame.f_back
    with pytest.raises(RecursionError):
        deep(sys.getrecursionlimit() - frames - uninterrupted._FRAMES // 2)
    assert begun == []


#: Forks while another thread holds Numba's lock; an alarm goes off meanwhile, more than once.
FORK_THAT_WAITS = """
import os, signal, threading
import numpy as np
import dlkernels as dk
from dlkernels._calls import forks
from dlkernels._compiler.internals import compiler_lock

dk.sigmoid

class Limit(Exception): pass

limit, held, waited = Limit(), threading.Event(), threading.Event()

def handler(*_):
    raise limit

def hold():
    with compiler_lock:
        held.set()
        waited.wait(1)

threading.Thread(target=hold).start()
held.wait()
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
try:
    child = os.fork()
    if child == 0:
        free = compiler_lock.acquire(timeout=5) and forks.FIRST_USE.acquire(timeout=5)
        os._exit(0 if free and dk.sigmoid(np.zeros(1))[0] == 0.5 else 1)
    print("not raised")
except Limit as error:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(error is limit, forks._holders)
print("status", os.wait()[1])

def take():
    print(compiler_lock.acquire(timeout=1) and forks.FIRST_USE.acquire(timeout=1))

thread = threading.Thread(target=take)
thread.start()
thread.join()
"""


@needs_compiled
@needs_fork
@pytest.mark.slow
def test_a_time_limit_while_a_fork_waits_is_raised_after_the_fork():
    done = new_process(FORK_THAT_WAITS)
    assert (done.returncode, done.stdout) == (0, "True []\nstatus 0\nTrue\n"), done.stderr


@needs_fork
def test_a_fork_hook_has_its_locks_wherever_an_exception_strikes():
    def hook():
        forks._before()
        forks._holders.clear()

    places = lines_of(hook, forks)
    raised, kept = [], 0
    before, forks._raise_after_fork = forks._raise_after_fork, raised.append
    try:
        for place in places:
            outcome = struck(forks._before, place, forks)
            if outcome == "nothing":
                assert (len(raised), len(forks._holders) >= 1) == (1, True)
                kept += 1
            forks._holders.clear()
            raised.clear()
            gc.collect()  # until Python 3.12 a frame that is traced keeps old values of its variables
            assert free(forks.FIRST_USE)
            assert free(internals.compiler_lock)
        # What strikes in the first lines, before anything is locked, or at `return`, Python prints.
        assert len(places) - kept <= 4
    finally:
        forks._raise_after_fork = before


#: The first call of a process is struck, in children: the time is drawn; or the recursion limit is near.
FIRST_CALLS = """
import os, random, signal, sys
import numpy as np
import dlkernels as dk
dk.dense_forward

class Limit(Exception): pass

W, X, b = np.ones((2, 3)), np.ones((3, 4)), np.zeros((2, 1))

def call():
    return abs(dk.dense_forward(W, X, b, "tanh")[0, 0] - np.tanh(3)) < 1e-12

def deep(n):
    return deep(n - 1) if n else call()

def struck(how, k):
    limit, fired = Limit(), []
    def handler(*_):
        fired.append(1)
        raise limit
    signal.signal(signal.SIGALRM, handler)
    got = None
    try:
        if how == "alarm":
            signal.setitimer(signal.ITIMER_REAL, random.Random(k).uniform(0.001, 0.8))
            call()
        else:
            deep(sys.getrecursionlimit() - 10 - 12 * k)
    except (Limit, RecursionError) as error:
        got = error
    signal.setitimer(signal.ITIMER_REAL, 0)
    arrived = got is (limit if fired else None) if how == "alarm" else True
    return arrived and call() and signal.getsignal(signal.SIGALRM) is handler

failed = []
for k in range(16):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if struck(sys.argv[1], k) else 1)
        except BaseException as error:
            print(k, repr(error), file=sys.stderr, flush=True)
            os._exit(2)
    if os.waitpid(child, 0)[1]:
        failed.append(k)
print("failed", failed)
"""


@needs_compiled
@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("how", ["alarm", "recursion"])
def test_a_first_call_that_is_struck(how):
    """Before, the cache swallowed the exception, and every later call in the process was a TypingError."""
    new_process(
        "import numpy as np, dlkernels as dk; dk.dense_forward(np.ones((2, 3)), np.ones((3, 4)), [[0]] * 2)"
    )
    done = new_process(FIRST_CALLS, None, how, timeout=300)
    assert (done.returncode, done.stdout) == (0, "failed []\n"), done.stderr


def test_workspaces_keep_nothing_half_made():
    dtype = np.dtype(np.float64)
    size = workspaces.kept(dtype).size + 1000
    for place in lines_of(lambda: workspaces.workspace(size, dtype), workspaces):
        workspaces._kept.d = np.empty(0)
        assert struck(lambda: workspaces.workspace(size, dtype), place, workspaces) in (
            "the strike",
            "nothing",
        )
        assert workspaces.workspace(size, dtype).size >= size


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.slow
def test_handlers_in_c_and_siginterrupt_survive():
    program = """
import faulthandler, os, signal, sys, tempfile, threading
import numpy as np
import dlkernels as dk

signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.signal(signal.SIGUSR1, lambda *_: None)
dump = tempfile.TemporaryFile()
faulthandler.register(signal.SIGUSR1, dump, chain=True)
dk.sigmoid(np.zeros(3))
os.kill(os.getpid(), signal.SIGUSR1)
dump.seek(0)
print(b"most recent call first" in dump.read())
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
before, after = ctypes.create_string_buffer(256), ctypes.create_string_buffer(256)
libc.sigaction(signal.SIGALRM, None, before)
dk.relu(np.zeros(3, np.float32))
libc.sigaction(signal.SIGALRM, None, after)
print(before.raw[:8] == after.raw[:8], before.raw[136:140] == after.raw[136:140])
"""
    done = new_process(program)
    assert (done.returncode, done.stdout) == (0, "True\nTrue True\n"), done.stderr


def test_an_uninterrupted_action_in_a_thread():
    """Handlers can be set in the main thread only."""
    done = []
    thread = threading.Thread(target=lambda: done.append(uninterrupted.uninterrupted(lambda: 1)))
    thread.start()
    thread.join()
    assert done == [1]
