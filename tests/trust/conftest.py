"""A run whose net and whose rule are files that leave a mark wherever they are run."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bdfa_np import train
from bdfa_np.rules import find

NET = """\
import os
from pathlib import Path
from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh

Path({mark!r}).touch()

def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), Linear(4), Tanh(), ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""
RULE = """\
from pathlib import Path
from bdfa_np import DFA, Option

Path({mark!r}).touch()

class Mine(DFA):
    options = (*DFA.options, Option("scale", 1.0, "Factor of every signal."))

    def __init__(self, network, *, scale=1.0, **inherited):
        super().__init__(network, **inherited)
        self.scale = scale

    def signal(self, result):
        return self.scale * result.error
"""


@dataclass(frozen=True)
class Case:
    """A run of somebody's, the files that it names, and what these leave behind where they are run."""

    run: Path
    net: Path
    rule: Path

    @property
    def config(self):
        """Its options."""
        return self.run / "config.toml"

    def marks(self):
        """Return which files were run, and forget it."""
        found = {path.stem for path in self.net.parent.glob("*.mark")}
        for path in self.net.parent.glob("*.mark"):
            path.unlink()
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train the run, once; the list that its files went into is not that of any test."""
    folder = tmp_path_factory.mktemp("theirs")
    for name, text in {"net": NET, "rule": RULE}.items():
        (folder / f"{name}.py").write_text(text.format(mark=str(folder / f"{name}.mark")))
    options = {"network": folder / "net.py", "gradient": folder / "rule.py", "threads": 1, "backend": "numpy"}
    train(dataset="mnist-5k", train_limit=60, test_limit=20, epochs=1, save=folder / "run", **options)
    return Case(folder / "run", folder / "net.py", folder / "rule.py")


@pytest.fixture
def theirs(trained, tmp_path, monkeypatch):
    """Give a copy of the run, whose files nobody has named here and this process does not know."""
    monkeypatch.setattr(find, "_loaded", {})
    case = Case(tmp_path / "run", trained.net, trained.rule)
    shutil.copytree(trained.run, case.run)
    before = {path: path.read_bytes() for path in (trained.net, trained.rule)}
    case.marks()
    yield case
    for path, content in before.items():
        path.write_bytes(content)


@pytest.fixture
def small():
    """Give the options of a run that is done in no time."""
    data = ["--dataset", "mnist-5k", "--train-limit", "60", "--test-limit", "20"]
    return [*data, "--num-hidden", "4", "--epochs", "1", "--threads", "1", "--backend", "numpy"]
