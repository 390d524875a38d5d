"""docs/export.md as a user would follow it: its commands and its code, in a folder of their own."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import load_run

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def block(word):
    """Return the page's code that has a word in it."""
    (found,) = (code for code in PYTHON if word in code)
    return found


@pytest.fixture
def follow(bdfa, capsys, monkeypatch):
    """Give a function that trains, exports to one format, and runs the page's code for it."""

    def run(to, word):
        train, *exports = COMMANDS.splitlines()
        (export,) = (line for line in exports if f"--to {to} " in line)
        for line in (train, export):
            outcome = bdfa(*shlex.split(line)[1:])
            assert (outcome.code, outcome.err) == (0, "")
        monkeypatch.syspath_prepend(str(Path.cwd()))
        names = {}
        exec(block("load_dataset"), names)
        exec(block(word), names)
        model = load_run("runs/digits")
        return names, model.predict(names["images"]), capsys.readouterr().out, outcome.out

    return run


def agree(found, expected):
    assert found.shape == expected.logits.shape
    assert np.abs(np.asarray(found) - expected.logits).max() <= 2e-5 * np.abs(expected.logits).max()


def test_plain_arrays(follow):
    names, expected, printed, said = follow("npz", "np.load")
    names["net"].close()
    agree(names["x"], expected)
    assert printed == f"{np.array(expected.names[:5])}\n"
    assert said.splitlines() == ["digits.npz", "raw samples (N, 28, 28, 1) of uint8 -> logits and scores (N, 10)"]


@pytest.mark.oracle
def test_onnx(follow):
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra named oracle")
    names, expected, printed, said = follow("onnx", "onnxruntime")
    agree(names["logits"], expected)
    np.testing.assert_allclose(names["scores"], expected.scores, atol=1e-6)
    assert printed == f"{expected.names[:5]}\n"
    assert said.splitlines()[0] == "digits.onnx"
    told = set(names["said"])
    assert set(re.findall(r"`(\w+)`", PAGE.split("The metadata are")[1].split("YUV")[0])) >= told


@pytest.mark.oracle
def test_torch(follow):
    pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
    names, expected, printed, said = follow("torch", "import torch")
    sys.modules.pop("digits")
    agree(names["logits"], expected)
    assert printed == f"{expected.names[:5]}\n"
    assert said.splitlines()[:2] == ["digits.pt", "digits.py"]
