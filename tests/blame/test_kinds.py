"""Whatever may go wrong in somebody's net: one line with file and line, and a run that can be gone on with."""

import re
from pathlib import Path

import pytest

from bdfa_np import load_run, train
from bdfa_np.errors import ExtensionError

KINDS = {
    "zero": ("1 / 0", "ZeroDivisionError: division by zero"),
    "exit": ("raise SystemExit(0)", "SystemExit: 0"),
    "sys.exit": ('exit("good-bye")', "SystemExit: good-bye"),
    "base": ("raise Odd", "Odd: of no Exception's kind"),
    "recursion": ("return again()", "RecursionError: maximum recursion depth exceeded"),
    "memory": ("raise MemoryError", "MemoryError"),
    "a huge array": ("empty(2**62", "Unable to allocate 4.00 EiB"),
    "open": ('open("missing.txt")', "FileNotFoundError: [Errno 2] No such file or directory: 'missing.txt'"),
    "stop": ("raise StopIteration", "StopIteration: 3"),
    "ours": ("width must be even", "ConfigError: width must be even"),
    "lines": ('"one', "ValueError: one two three"),
    "enormous": ('"x" *', f"ValueError: {'x' * 100}"),
    "unprintable": ("31m", "ValueError: a\\x1b[31m\\x00\\udcff\\u202eb"),
    "mute": ("raise Mute", "Mute: what it says cannot be shown (ValueError)"),
    "warning": ("warnings.warn(", "UserWarning: beware"),
    "group": ("ExceptionGroup(", "ExceptionGroup: several (1 sub-exception)"),
    "assert": ("assert kind", "AssertionError"),
    "no number": ('{}["absent"]', "KeyError: 'absent'"),
}


@pytest.mark.parametrize(("line", "said"), KINDS.values(), ids=KINDS)
def test_it_is_one_line_with_its_place_and_the_run_stays_as_it_was(bdfa, theirs, run, monkeypatch, request, line, said):
    kind = request.node.callspec.id
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    monkeypatch.setenv("FAULT", kind)
    monkeypatch.setenv("FAULT_IN", "net: forward")
    found = bdfa.refused("train", "--save", "run", "--resume", "--epochs", 2, "--trust")
    where = f"--network {theirs.folder / 'net.py'}, line {theirs.line_of('net.py', line)}: "
    assert found.startswith(f"bdfa: error: {where}")
    assert said in found
    assert len(found) < 700
    assert found.isprintable()
    same = ("checkpoint.h5", "metrics.csv", "confusion.csv", "ErrorRate.log")
    assert {name: (run / name).read_bytes() for name in same} == {name: before[name] for name in same}


def test_the_run_goes_on_to_the_same_bits(bdfa, theirs, monkeypatch, result):
    """The fault is over: the same file does right, as one does that has met a full disk."""
    bdfa("train", *theirs.options, "--save", "whole")
    bdfa("train", *theirs.options, "--epochs", 1, "--save", "parts")
    monkeypatch.setenv("FAULT_IN", "net: backward")
    assert ", line " in bdfa.refused("train", "--save", "parts", "--resume", "--epochs", 2)
    monkeypatch.delenv("FAULT_IN")
    bdfa.resume(Path("parts"), "--epochs", 2)
    assert result(Path("parts")) == result(Path("whole"))


@pytest.mark.parametrize("kind", ["zero", "sys.exit", "recursion", "open"])
def test_with_debug_the_traceback_is_theirs(bdfa, theirs, run, monkeypatch, kind):
    monkeypatch.setenv("FAULT", kind)
    monkeypatch.setenv("FAULT_IN", "net: forward in use")
    outcome = bdfa("evaluate", "run", "--debug", "--trust")
    assert outcome.code == 2
    assert "Traceback (most recent call last)" in outcome.err
    assert re.search(rf'File ".*net\.py", line {theirs.line_of("net.py", "class Faulty") + 2}, in forward', outcome.err)


@pytest.mark.parametrize("kind", ["zero", "exit", "base", "ours", "stop"])
def test_from_python_it_is_an_error_of_extensions_with_theirs_as_its_cause(run, theirs, monkeypatch, kind):
    monkeypatch.setenv("FAULT", kind)
    model = load_run(run, trust=True)
    monkeypatch.setenv("FAULT_IN", "net: forward in use")
    calls = [
        lambda: model.predict([[[[0]] * 28] * 28]),
        lambda: model.evaluate("mnist-5k"),
        lambda: train(save=run, resume=True, epochs=2, progress=False),
    ]
    causes = []
    for call in calls:
        with pytest.raises(ExtensionError, match=r"^--network .*net\.py, line \d+: ") as caught:
            call()
        causes.append(type(caught.value.__cause__).__name__)
    wanted = {"zero": "ZeroDivisionError", "exit": "SystemExit", "base": "Odd", "ours": "ConfigError"}
    assert set(causes) <= {wanted.get(kind, "StopIteration"), "RuntimeError"}


def test_an_interrupt_in_their_code_is_an_interrupt(bdfa, theirs, monkeypatch):
    net, stops = theirs.folder / "net.py", theirs.folder / "stops.py"
    stops.write_text(net.read_text().replace("raise Odd(", "raise KeyboardInterrupt("))
    monkeypatch.setenv("FAULT", "base")
    monkeypatch.setenv("FAULT_IN", "net: forward")
    options = [stops if option == net else option for option in theirs.options]
    assert bdfa("train", *options, "--save", "new").code == 130
