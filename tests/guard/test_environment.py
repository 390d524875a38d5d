"""What the system refuses is told with the file, the cause and a cure; only content is called damaged."""

import errno
import fcntl
import hashlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzz_files import READERS, own_files, put_run

from bdfa_np.data.cache.store import Cache
from bdfa_np.errors import DataError, RunError, UserError
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.preprocessing import read_preprocessing
from bdfa_np.system import interrupts
from bdfa_np.system.interrupts import interrupts_wait, terminate_like_interrupt

WRITTEN = Path(__file__).parents[1] / "runs" / "written_before"
ERRNOS = ["EACCES", "EPERM", "EIO", "ENOLCK", "EMFILE", "ENFILE", "ESTALE", "ELOOP", "ENAMETOOLONG", "ENOMEM"]
ERRNOS += ["ETIMEDOUT", "EBUSY", "ENODEV", "EOVERFLOW", "EREMOTEIO"]


@pytest.fixture
def files(tmp_path):
    """Give a good file for each reader in a folder, and how each is read there."""
    put_run(tmp_path)
    (tmp_path / "preprocessing.h5").write_bytes(READERS["forged preprocessing"].good[0])
    sha256 = hashlib.sha256((tmp_path / "preprocessing.h5").read_bytes()).hexdigest()
    cache = Cache(tmp_path / "cache")
    prepare(cache)
    return {
        tmp_path / "checkpoint.h5": lambda: read_checkpoint(tmp_path / "checkpoint.h5"),
        tmp_path / "config.toml": lambda: RunFolder(tmp_path).read_document(),
        tmp_path / "preprocessing.h5": lambda: read_preprocessing(tmp_path / "preprocessing.h5", sha256),
        cache.path("digits", {}): lambda: prepare(cache),
    }


def prepare(cache):
    def build(writer):
        writer.images("train", (2, 3), np.uint8, [np.zeros((2, 3), np.uint8)], np.arange(2))

    return cache.prepared("digits", {}, build, lambda file: file.read_images("train"), note=pytest.fail)


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


class FailingFile(io.FileIO):
    """A file that opens, and then cannot be read."""

    number = 0

    def readinto(self, _):
        raise OSError(self.number, os.strerror(self.number))

    read = readall = readinto


@pytest.mark.parametrize("name", ERRNOS)
@pytest.mark.parametrize("where", ["stat", "open", "read"])
def test_what_the_system_refuses_is_said_as_such_and_nothing_is_made_anew(files, monkeypatch, name, where):
    number = getattr(errno, name)
    for path, read in files.items():
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            if where == "read":
                patch.setattr(FailingFile, "number", number)
                patch.setattr("bdfa_np.system.files.open", lambda path, *_, **__: FailingFile(path), raising=False)
            else:
                patch.setattr(f"bdfa_np.system.files.os.{where}", failing(number))
            with pytest.raises(UserError) as caught:
                read()
        line = str(caught.value)
        assert line.startswith(f"{path} cannot be read: {os.strerror(number)}: ")
        assert "damaged" not in line
        assert "--force" not in line
        assert path.read_bytes() == before


def test_a_file_that_another_program_holds_is_read(files):
    code = (
        "import h5py, fcntl, sys\n"
        "held = [h5py.File(path, 'r+') for path in sys.argv[1:]]\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    held = [str(path) for path in files if path.suffix == ".h5"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        try:
            for read in files.values():
                read()
        finally:
            process.stdin.close()


def test_an_older_checkpoint_that_another_program_holds_is_read(tmp_path):
    path = tmp_path / "checkpoint.h5"
    shutil.copy(WRITTEN / "runs" / "bdfa" / "checkpoint.h5", path)
    with h5py.File(path, "r+") as file:
        file.flush()
        assert read_checkpoint(path).progress.epoch == 2


def test_a_file_with_an_exclusive_lock_is_read(files):
    locked = [path.open() for path in files]
    for file in locked:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        for read in files.values():
            read()
    finally:
        for file in locked:
            file.close()


def test_too_many_open_files_are_no_damage(files):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lines = []
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
    try:
        for read in files.values():
            with pytest.raises(UserError) as caught:
                read()
            lines.append(str(caught.value))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for path, line in zip(files, lines, strict=True):
        told = "Too many open files: let more files be open at once (ulimit -n)"
        assert line.startswith(f"{path} cannot be read: {told}")


OTHERS = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to a pipe": lambda path: (os.mkfifo(path.with_suffix(".pipe")), path.symlink_to(path.with_suffix(".pipe"))),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_what_is_no_file_is_neither_read_nor_waited_for(files, make):
    for path, read in files.items():
        path.unlink()
        make(path)
        with pytest.raises(UserError) as caught:
            read()
        start = f"{path} cannot be read: it is a folder or a device, not a file: move it away"
        assert str(caught.value).startswith(start)


def test_a_link_that_leads_in_a_circle_is_no_damage(files):
    for path, read in files.items():
        path.unlink()
        path.symlink_to(path)
        with pytest.raises(UserError, match="its links lead in a circle: mend them"):
            read()


def test_a_file_larger_than_the_memory_is_refused_unread(files, monkeypatch):
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 1)
    for path, read in files.items():
        with pytest.raises(UserError, match=r"bytes need 0\.0 GB of memory, and this machine has 0\.0 GB") as caught:
            read()
        assert "damaged" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_config_of_ten_gigabytes_is_refused_unread(tmp_path):
    with (tmp_path / "config.toml").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(RunError, match=r"config\.toml is damaged: it has 10,000,000,000 bytes"):
        RunFolder(tmp_path).read_document()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
@pytest.mark.parametrize("as_filelock_may", [OSError, NotImplementedError])
def test_a_cache_on_a_file_system_without_locks_says_so(tmp_path, monkeypatch, number, as_filelock_may):
    def acquire(*_, **__):
        raise as_filelock_may(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with pytest.raises(DataError, match=r"cannot be used: .*: this file system has no locks: .*--cache-dir$"):
        prepare(Cache(tmp_path / "cache"))


def test_ctrl_c_does_not_vanish_where_the_reading_fails(tmp_path):
    (tmp_path / "checkpoint.h5").write_bytes(b"no HDF5")

    @interrupts_wait()
    def fail():
        signal.raise_signal(signal.SIGINT)
        read_checkpoint(tmp_path / "checkpoint.h5")

    with pytest.raises(KeyboardInterrupt) as caught:
        fail()
    assert isinstance(caught.value.__context__, RunError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["set", "put back", "almost put back"])
def test_a_signal_between_two_handlers_leaves_both_as_they_were(monkeypatch, first, second, when):
    """Each handler is changed on its own, and a signal may come after any of these."""
    set_handler, changes = signal.signal, []

    def change_and_interrupt(number, handler):
        is_ours = getattr(handler, "__name__", "") == "hold"
        now = is_ours == (when == "set") and number == first and not changes
        if now:
            changes.append(number)
        if now and when == "almost put back":
            signal.raise_signal(second)
        before = set_handler(number, handler)
        if now and when != "almost put back":
            signal.raise_signal(second)
        return before

    with terminate_like_interrupt():
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        monkeypatch.setattr(interrupts.signal, "signal", change_and_interrupt)
        with pytest.raises(KeyboardInterrupt), interrupts_wait():
            pass
        monkeypatch.undo()
        assert changes == [first]
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_every_cure_is_for_an_error_there_is_and_the_others_have_one_too():
    from bdfa_np.system.files import refusal

    for number in errno.errorcode:
        line = refusal(Path("x"), OSError(number, os.strerror(number)))
        assert line.startswith(f"x cannot be read: {os.strerror(number)}: ")
        assert not line.endswith(": ")
    assert refusal(Path("x"), OSError()).startswith("x cannot be read: OSError: ")


AT_THE_END = """
import io, sys
from pathlib import Path
import h5py, numpy as np
from bdfa_np.data.cache.sink import Sink
from bdfa_np.system.hdf5 import opened

class Failing(io.FileIO):
    left = int(sys.argv[2])

    def readinto(self, out):
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "failed")
        return super().readinto(out)

    def write(self, content):
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "failed")
        return super().write(content)

try:
    with opened(Failing(sys.argv[1])) as file:
        file["x"][()]
except OSError as error:
    print(error)
sink = Sink(Failing(sys.argv[1] + "w", "w+"), Path("x"))
with h5py.File(sink, "w") as file:
    file["x"] = np.zeros(9)
try:
    sink.check()
except OSError as error:
    print(error)
"""


def test_python_ends_well_after_a_disk_that_failed(tmp_path):
    (tmp_path / "x.h5").write_bytes(own_files()[0])
    command = [sys.executable, "-c", AT_THE_END, str(tmp_path / "x.h5"), "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[Errno 5] failed\n[Errno 5] failed: 'x'\n"
