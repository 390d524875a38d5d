"""A net and a rule of somebody's that do wrong where, and as, the environment says."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bdfa_np import train

FAULTS = """\
class Odd(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")

def again():
    return again()

def fault(place):
    import os, warnings
    if os.environ.get("FAULT_IN") != place:
        return
    kind = os.environ.get("FAULT", "zero")
    if kind == "zero": 1 / 0
    if kind == "exit": raise SystemExit(0)
    if kind == "sys.exit": __import__("sys").exit("good-bye")
    if kind == "base": raise Odd("of no Exception's kind")
    if kind == "recursion": again()
    if kind == "memory": raise MemoryError
    if kind == "a huge array": __import__("numpy").empty(2**62, "u1")
    if kind == "open": open("missing.txt")
    if kind == "stop": raise StopIteration(3)
    if kind == "ours": raise __import__("bdfa_np").errors.ConfigError("width must be even")
    if kind == "lines": raise ValueError("one\\n  two\\r\\nthree")
    if kind == "enormous": raise ValueError("x" * 10**7)
    if kind == "unprintable": raise ValueError("a\\x1b[31m\\0\\udcff\\u202eb")
    if kind == "mute": raise Mute
    if kind == "warning": warnings.warn("beware", stacklevel=1)
    if kind == "group": raise ExceptionGroup("several", [ValueError("a")])
    if kind == "assert": assert kind == "nothing"
    if kind == "no number": return {}["absent"]
"""
NET = (
    FAULTS
    + """
fault("net: import")
from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh

class Faulty(Tanh):
    def forward(self, x, train=True):
        fault("net: forward" if train else "net: forward in use")
        return super().forward(x, train)

    def backward(self, grad_y, need_grad_in=True):
        fault("net: backward")
        return super().backward(grad_y, need_grad_in)

    def state(self):
        fault("net: state")
        return super().state()

class Inner(Linear):
    def project_feedback(self, signal, B):
        fault("net: project_feedback")
        return super().project_feedback(signal, B)

    def feedback(self, num_outputs):
        fault("net: feedback")
        return super().feedback(num_outputs)

def build(config, input_shape, num_classes, rng, backend):
    fault("net: build")
    layers = [Flatten(), Inner(4), Faulty(), Inner(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""
)
RULE = (
    FAULTS
    + """
from bdfa_np import FA, Option

def check(value):
    fault("rule: check")

class Mine(FA):
    options = (*FA.options, Option("scale", 1.0, "Factor.", check=check))

    def __init__(self, network, *, scale=1.0, **inherited):
        fault("rule: __init__")
        super().__init__(network, **inherited)

    def visit(self, layer, signal, wanted):
        fault("rule: visit")
        return super().visit(layer, signal, wanted)

    def train_feedback(self, result):
        fault("rule: train_feedback")

    def before_training(self, batches):
        fault("rule: before_training")

    def after_step(self):
        fault("rule: after_step")

    def buffers(self):
        fault("rule: buffers")
        return {}

    def load_state(self, state, counters):
        fault("rule: load_state")
        super().load_state(state, counters)
"""
)


@dataclass(frozen=True)
class Theirs:
    """The two files, and the options that name them."""

    folder: Path

    @property
    def options(self):
        """What names them, and makes a run short."""
        files = ["--network", self.folder / "net.py", "--gradient", self.folder / "rule.py", "-O", "scale=2"]
        data = ["--dataset", "mnist-5k", "--train-limit", 60, "--test-limit", 20, "--batch-size", 30]
        return [*data, *files, "--threads", 1, "--backend", "numpy", "--epochs", 2]

    def line_of(self, file, text):
        """Return the number of the line of a file that holds a text."""
        lines = (self.folder / file).read_text().splitlines()
        (found,) = (number for number, line in enumerate(lines, start=1) if text in line)
        return found


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "net.py").write_text(NET)
    (folder / "rule.py").write_text(RULE)
    return Theirs(folder)


@pytest.fixture
def theirs(files, monkeypatch):
    """Give the files, in which nothing goes wrong yet, and of which this process has run none."""
    from bdfa_np.rules import find

    monkeypatch.setattr(find, "_loaded", {})
    return files


@pytest.fixture(scope="session")
def a_run(files, tmp_path_factory):
    """Train a run with them, of one epoch."""
    folder = tmp_path_factory.mktemp("faulty_run") / "run"
    options = {"train_limit": 60, "test_limit": 20, "batch_size": 30, "threads": 1, "backend": "numpy", "epochs": 1}
    rule = {"network": files.folder / "net.py", "gradient": files.folder / "rule.py"}
    train(dataset="mnist-5k", save=folder, progress=False, **options, **rule)
    return folder


@pytest.fixture
def run(a_run, tmp_path, monkeypatch):
    """Give a copy of it."""
    import shutil

    shutil.copytree(a_run, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return Path("run")
