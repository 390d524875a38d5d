"""Streams that fail, one by one: what is told of it, how often, and what becomes of the rest."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import threading

import pytest

from bdfa_np import train
from bdfa_np.cli.display import Display
from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.outcome import run
from bdfa_np.errors import OutputError
from bdfa_np.system.streams import (
    Forgiving,
    GuardedOutput,
    ReaderGone,
    guard_streams,
    is_terminal,
    standard_error,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and /dev/full are POSIX's")

TINY = {"dataset": "mnist-5k", "num_hidden": 3, "train_limit": 20, "test_limit": 20, "epochs": 1, "threads": 1}


class Failing(io.RawIOBase):
    """A file that cannot be written for a reason."""

    def __init__(self, number):
        self.number = number
        self.tries = 0

    def writable(self):
        return True

    def write(self, data):
        self.tries += 1
        raise OSError(self.number, os.strerror(self.number))


def text(raw, **settings):
    return io.TextIOWrapper(io.BufferedWriter(GuardedOutput(raw, **settings)), encoding="utf-8", write_through=True)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EPIPE, ReaderGone),
        (errno.ENOSPC, OutputError),
        (errno.EIO, OutputError),
        (errno.EDQUOT, OutputError),
        (errno.EFBIG, OutputError),
        (errno.EBADF, OutputError),
        (errno.ECONNRESET, OutputError),
    ],
)
def test_a_failure_of_standard_output_is_told_once_and_the_rest_goes_nowhere(number, expected):
    raw = Failing(number)
    stream = text(raw, needed=True)
    with pytest.raises(expected):
        print("line", file=stream, flush=True)
    for _ in range(3):
        print("line", file=stream, flush=True)
    stream.close()  # which flushes once more
    assert raw.tries == 1


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
def test_a_failure_of_standard_error_is_nobodys_business(number):
    raw = Failing(number)
    stream = text(raw, needed=False)
    print("line", file=stream, flush=True)
    print("line", file=stream, flush=True)
    stream.close()
    assert raw.tries == 1


def test_a_pipe_that_does_not_wait_gets_every_byte_all_the_same():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sent = bytes(range(256)) * 4096  # 1 MiB, of which a pipe holds 64 KiB
    received = bytearray()

    def slow_reader():
        while block := os.read(reading, 10_000):
            received.extend(block)

    thread = threading.Thread(target=slow_reader)
    thread.start()
    with io.BufferedWriter(GuardedOutput(io.FileIO(writing, "w", closefd=False), needed=True)) as stream:
        stream.write(sent)
        stream.flush()
    os.close(writing)
    thread.join()
    os.close(reading)
    assert bytes(received) == sent


@contextlib.contextmanager
def standard_output(file, monkeypatch):
    """Have standard output go to a file, as the command line does."""
    stream = text(file, needed=True)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        yield
    stream.detach().detach()


@pytest.fixture
def full():
    """Give a file on a full disk."""
    with open("/dev/full", "wb", buffering=0) as file:
        yield file


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_what_a_full_output_means_depends_on_what_the_command_is_for(full, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with standard_output(full, monkeypatch):
        assert run(group, ["--help"]) == 2
    line = "bdfa: error: standard output cannot be written (No space left on device): free some space there, or send it"
    assert capsys.readouterr().err == f"{line} elsewhere\n"  # and nothing of --resume


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_run_goes_on_where_its_lines_cannot_be_told_says_so_once_and_logs_them_all(
    full, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    options = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    with standard_output(full, monkeypatch):
        assert run(group, ["train", *options, "--save", "run"]) == 0
    said = "standard output cannot be written (No space left on device): the run goes on, and its lines are in its"
    assert capsys.readouterr().err == f"note: {said} Log.txt\n"
    log = (tmp_path / "run/Log.txt").read_text()
    assert "epoch 1/1: " in log
    assert log.endswith("in all, run folder: run\n")


def test_a_reader_that_goes_away_ends_a_command_without_a_word(capsys, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with io.FileIO(writing, "w") as raw, standard_output(raw, monkeypatch):
        assert run(group, ["info"]) == 141
    assert capsys.readouterr().err == ""


def test_an_epoch_whose_line_nobody_reads_is_kept_and_the_run_says_how_it_goes_on(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = Display.line

    def gone(self, told):
        if told.startswith("epoch 1/"):
            raise ReaderGone
        line(self, told)

    monkeypatch.setattr(Display, "line", gone)
    options = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert run(group, ["train", *options, "--epochs", "2", "--save", "run"]) == 141
    said = (
        "stopped, since nobody reads the output any longer: run holds 1 whole epoch; go on with: bdfa train --save run"
    )
    assert capsys.readouterr().err == f"{said} --resume\n"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run(group, ["train", "--save", "run", "--resume"]) == 0
    log = (tmp_path / "run/Log.txt").read_text()
    assert [log.count(f"epoch {number}/2: ") for number in (1, 2)] == [1, 1]


@pytest.mark.parametrize(
    ("streams", "progress"), [("none", None), ("none", True), ("closed", None), ("broken", True), ("broken", False)]
)
def test_python_trains_whatever_its_streams_are(streams, progress, monkeypatch):
    closed = io.StringIO()
    closed.close()
    broken = io.TextIOWrapper(Failing(errno.EPIPE), write_through=True)
    stream = {"none": None, "closed": closed, "broken": broken}[streams]
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    result = train(**TINY, progress=progress)
    monkeypatch.undo()
    broken.detach()
    assert len(result.history) == 1


def test_the_command_line_runs_where_python_has_no_streams(monkeypatch, tmp_path):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    for arguments, code in ((["--help"], 0), (["info"], 0), (["train", "--lr", "-1"], 2), (["data", "clear"], 2)):
        assert run(group, arguments) == code
    guard_streams()
    assert all(stream is not None for stream in (sys.stdin, sys.stdout, sys.stderr))
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_no_file_that_is_opened_later_gets_the_number_of_a_closed_stream(tmp_path):
    code = (
        "from bdfa_np.system.streams import guard_streams; guard_streams(); file = open('own', 'w'); "
        "import os; os.write(1, b'printed'); os.write(2, b'complained'); file.write(str(file.fileno() > 2))"
    )
    line = 'exec "$@" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", line, "sh", sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "own").read_text() == "True"


def test_streams_that_are_somebodys_own_stay_as_they_are(monkeypatch):
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    monkeypatch.setattr(sys, "stderr", own)
    guard_streams()
    assert sys.stdout is sys.stderr is own


def test_whether_somebody_looks_on_is_answered_of_any_stream():
    closed = io.StringIO()
    closed.close()
    assert [is_terminal(stream) for stream in (None, closed, io.StringIO())] == [False, False, False]


def test_standard_error_of_python_never_fails_and_is_the_stream_otherwise(monkeypatch):
    kept = io.StringIO()
    monkeypatch.setattr(sys, "stderr", kept)
    standard_error().write("note\n")
    assert (kept.getvalue(), standard_error().isatty()) == ("note\n", False)
    kept.close()
    assert Forgiving(kept).write("more") == 4
    Forgiving(kept).flush()
