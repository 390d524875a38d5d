"""Every reader on files that were changed in every way: a result, or one line; never a traceback, a crash or a wait.

``python tests/fuzz/run.py`` runs more inputs, and any of them again.
"""

import os
import signal
import sys

import numpy as np
import pytest

from bdfa_np.errors import DataError
from fuzzing import engine
from fuzzing.engine import Mutated, Reader, fuzz
from fuzzing.readers import READERS
from fuzzing.readers.own import Prepared
from fuzzing.readers.runs import OfRun

INPUTS, FEW = 10, 3  # the latter of commands, which take a while

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="inputs are read in children that are forked")


def told(report: engine.Report) -> str:
    """Return what a person who mends it wants to know."""
    return "\n".join(f"{report.reader}, number {number}: {kind}: {detail}" for number, kind, detail in report.faults)


@pytest.fixture(autouse=True)
def _no_data_sets_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("bdfa_np.backend.cpu.compiling.COMPILE_AFTER", sys.maxsize)  # nothing here runs for long


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_read_or_refused_in_one_line(name):
    inputs = FEW if issubclass(READERS[name], (OfRun, Prepared)) else INPUTS
    report = fuzz(READERS[name], range(inputs))
    assert report.inputs == inputs
    assert not report.faults, told(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_ten_thousand_changed_files_are_read_or_refused_in_one_line(name):
    report = fuzz(READERS[name], range(10_000), seed=1)
    print(*report.row(), sep=" | ")
    assert not report.faults, told(report)


class Faulty(Reader):
    """A reader of single bytes with a fault for some of them."""

    name = "faulty"
    protected = True

    def make(self):
        return [b"a"]

    def change(self, rng, content):
        return Mutated(bytes([rng.choice(b"abcdefghi")]), resealed=rng.random() < 0.5)

    def read(self, content):
        match content:
            case b"b":
                raise DataError("in one line")
            case b"c":
                raise KeyError("c")
            case b"d":
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"e":
                while True:
                    pass
            case b"f":
                np.ones(2**26, np.uint8)
            case b"g":
                raise DataError("not enough memory")
            case b"h":
                raise SystemExit(3)
        return "other" if content == b"i" else "same"


def test_a_fault_of_each_kind_is_seen_and_the_other_inputs_are_run(monkeypatch):
    monkeypatch.setattr(engine, "SECONDS", 0.2)
    monkeypatch.setattr(engine, "MEGABYTES", 32)
    report = fuzz(Faulty, range(40))
    assert report.inputs == 40
    made = {number: Faulty.input(_at_once(), 0, number)[1] for number in range(40)}
    wanted = {"c": "other", "d": "crash", "e": "crash", "f": "other", "g": "other", "h": "other"}
    expected = {number: wanted[m.content.decode()] for number, m in made.items() if m.content.decode() in wanted}
    expected |= {number: "silent" for number, m in made.items() if m.content == b"i" and not m.resealed}
    assert {m.content for m in made.values()} == {bytes([one]) for one in b"abcdefghi"}
    assert {number: kind for number, kind, _ in report.faults} == expected
    ends = {detail for number, _, detail in report.faults if made[number].content in (b"d", b"e")}
    assert ends == {"SIGSEGV", "no end within its time (SIGPROF)"}


def _at_once():
    reader = object.__new__(Faulty)
    reader.seeds = [b"a"]
    return reader


@pytest.mark.parametrize("name", ["idx.gz", "own.npz", "own.csv", "png", "archive.zip"])
def test_an_input_follows_from_its_numbers_alone(name, tmp_path):
    readers = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        readers.append(READERS[name](tmp_path / folder))
    inputs = [[reader.input(5, number) for number in range(20)] for reader in readers]
    assert inputs[0] == inputs[1]
    assert inputs[0] != [readers[0].input(6, number) for number in range(20)]
