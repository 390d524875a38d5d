"""Preparing data on disks that are full, forbidden or slow, and in processes that are stopped."""

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import bdfa_np.data.cache.store
from bdfa_np.data.cache.store import Cache

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits, signals and users are POSIX's")

# Prepares a data set of 30 blocks of 100 kB, says how far it is, and can be made to wait in the middle.
PREPARE = """
import json, os, resource, signal, sys, time
import numpy as np
from pathlib import Path
from bdfa_np.data.cache.store import Cache
from bdfa_np.errors import DataError

folder, pause = Path(sys.argv[1]), float(sys.argv[2])
images = np.random.default_rng(0).integers(0, 256, (30, 100_000), dtype=np.uint8)

def blocks():
    for start in range(30):
        while pause < 0 and start == 10 and not folder.with_suffix(".go").exists():
            time.sleep(0.01)
        time.sleep(max(0, pause))
        yield images[start : start + 1]
        print("block", flush=True)

def build(writer):
    writer.images("train", images.shape, images.dtype, blocks(), np.arange(30))

def read(file):
    np.testing.assert_array_equal(file.read_images("train")[0], images)
    return file.hit

def main():
    notes = []

    def note(line):
        notes.append(line)
        print("note", flush=True)

    try:
        hit = Cache(folder).prepared("digits", {}, build, read, note=note)
        print(json.dumps({"hit": hit, "notes": notes}))
    except (OSError, DataError) as error:
        what = {"type": type(error).__name__, "errno": getattr(error, "errno", None), "text": str(error)}
        print(json.dumps(what | {"filename": getattr(error, "filename", None)}))
    except KeyboardInterrupt:
        print(json.dumps("interrupted"))
"""


def start(folder, pause=0.0, before="", code="main()"):
    command = [sys.executable, "-W", "error", "-c", "\n".join([before, PREPARE, code]), str(folder), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")


def finish(process):
    """Wait for a child, which prints nothing on standard error, and return what it came to."""
    out, err = process.communicate(timeout=60)
    assert err == ""
    return json.loads(out.splitlines()[-1])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def check_goes_on(folder):
    """Prepare once more after an accident: that must do, and leave nothing but the file."""
    outcome = finish(start(folder))
    assert outcome == {"hit": outcome["hit"], "notes": []}
    assert names(folder) == [".locks", Cache(folder).path("digits", {}).name]


class TroubledFile(io.FileIO):
    """A file that writes little at a time, and whose writes are troubled from one on."""

    left = 10_000

    def write(self, content):
        TroubledFile.left -= 1
        if TroubledFile.left < 0:
            self.trouble()
        return super().write(content[:1000])

    def trouble(self):
        number = errno.ENOSPC if TroubledFile.left == -1 else errno.EIO  # the first error is the one that matters
        raise OSError(number, os.strerror(number))


class InterruptedFile(TroubledFile):
    """A file during one of whose writes Ctrl-C is pressed."""

    def trouble(self):
        if TroubledFile.left == -1:
            signal.raise_signal(signal.SIGINT)


SMALL = np.random.default_rng(0).integers(0, 256, (20, 400), dtype=np.uint8)


def write_small(writer):
    writer.images("train", SMALL.shape, SMALL.dtype, [SMALL], np.arange(20))
    writer.array("mean", SMALL[0])
    writer.attributes({"name": "digits"})


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Give the function that prepares in a file of a class, with so many writes before the trouble."""

    def prepare(kind, writes, build=write_small):
        monkeypatch.setattr(bdfa_np.data.cache.store, "open_temporary", lambda path, **_: kind(path, "w+"))
        TroubledFile.left = writes
        return Cache(tmp_path).prepared("digits", {}, build, lambda file: file, note=pytest.fail)

    return prepare


def count_writes(prepare):
    """Prepare without trouble: nothing is lost, though every write takes only a part of what it is given."""
    file = prepare(TroubledFile, 1000)
    np.testing.assert_array_equal(file.read_images("train")[0], SMALL)
    np.testing.assert_array_equal(file.array("mean"), SMALL[0])
    assert file.attributes == {"name": "digits"}
    file.path.unlink()
    return 1000 - TroubledFile.left


def test_whichever_write_fails_the_error_names_the_file_and_nothing_is_left(tmp_path, prepare):
    writes = count_writes(prepare)
    assert writes > 10
    for number in range(writes):
        with pytest.raises(OSError, match="No space left") as caught:
            prepare(TroubledFile, number)
        assert (caught.value.errno, caught.value.filename) == (
            errno.ENOSPC,
            str(Cache(tmp_path).path("digits", {})),
        )
        assert names(tmp_path) == [".locks"]


def test_ctrl_c_during_whichever_write_ends_the_build_and_leaves_nothing(tmp_path, prepare):
    for number in range(count_writes(prepare)):
        with pytest.raises(KeyboardInterrupt):
            prepare(InterruptedFile, number)
        assert names(tmp_path) == [".locks"]


def test_no_more_is_prepared_after_a_write_has_failed(prepare):
    begun = []

    def build(writer):
        for number in range(20):
            begun.append(number)
            writer.array(str(number), SMALL)

    with pytest.raises(OSError, match="No space left"):
        prepare(TroubledFile, 20, build)
    assert len(begun) < 10


def test_what_hdf5_makes_of_a_failed_write_does_not_hide_the_failure(prepare):
    def build(writer):
        with contextlib.suppress(OSError):
            writer.array("a", SMALL)
        writer.array("a/b", SMALL)  # HDF5 refuses that: an array is no folder

    with pytest.raises(OSError, match="No space left"):
        prepare(TroubledFile, 1, build)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_fails_at_the_very_end_leaves_nothing_either(tmp_path, monkeypatch, call):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(bdfa_np.data.cache.store.os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        Cache(tmp_path).prepared("digits", {}, lambda writer: writer.array("a", np.ones(3)), list, note=pytest.fail)
    assert names(tmp_path) == [".locks"]


@pytest.mark.parametrize("limit", [0, 1000, 3_000_000])
def test_a_limit_on_the_size_of_files_is_one_error_and_leaves_nothing(tmp_path, limit):
    before = f"import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nLIMIT = {limit}"
    code = "resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY)); main()"
    outcome = finish(start(tmp_path, before=before, code=code))
    assert (outcome["errno"], outcome["filename"]) == (errno.EFBIG, str(Cache(tmp_path).path("digits", {})))
    assert names(tmp_path) == [".locks"]
    check_goes_on(tmp_path)


@pytest.mark.parametrize("free", [0, 1_000_000])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, free):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a small disk takes root's rights")
    try:
        (folder / "prepared").mkdir()
        status = os.statvfs(folder)
        (folder / "filler").write_bytes(bytes(status.f_bavail * status.f_frsize - free))
        outcome = finish(start(folder / "prepared"))
        assert (outcome["type"], outcome["errno"]) == ("OSError", errno.ENOSPC)
        assert outcome["filename"].startswith(str(folder / "prepared"))
        assert not list((folder / "prepared").rglob("*.partial"))
        (folder / "filler").unlink()
        check_goes_on(folder / "prepared")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_process_that_is_killed_at_any_moment_does_no_harm(tmp_path):
    generator = np.random.default_rng()
    for wait in generator.uniform(0, 0.12, 10):
        process = start(tmp_path, pause=0.002)
        with process:
            process.stdout.readline()  # begun
            time.sleep(wait)
            process.kill()
        for path in Cache(tmp_path).folder.glob("*.h5"):
            path.unlink() if generator.random() < 0.5 else None
    check_goes_on(tmp_path)


@pytest.mark.parametrize("write_first", [0, 25], ids=["at the beginning", "in the middle"])
def test_ctrl_c_ends_a_build_at_once_and_leaves_nothing(tmp_path, write_first):
    process = start(tmp_path, pause=0.01)
    for _ in range(1 + write_first):
        process.stdout.readline()
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert finish(process) == "interrupted"
    assert time.monotonic() - begin < 1
    assert names(tmp_path) == [".locks"]
    check_goes_on(tmp_path)


def read_line(process, line):
    """Wait until a child prints a line."""
    assert next(iter(process.stdout)) == f"{line}\n"


def test_processes_that_prepare_the_same_do_the_work_once_and_say_that_they_wait(tmp_path):
    folder = tmp_path / "prepared"
    first = start(folder, pause=-1)
    read_line(first, "block")
    others = [start(folder, pause=-1) for _ in range(2)]
    for process in others:
        read_line(process, "note")
    assert [path.suffix for path in folder.iterdir() if path.is_file()] == [".partial"]
    folder.with_suffix(".go").touch()
    assert finish(first) == {"hit": False, "notes": []}
    for process in others:
        assert finish(process) == {"hit": True, "notes": ["waiting for another process that prepares digits"]}


def test_a_process_that_waits_does_the_work_if_the_other_is_killed(tmp_path):
    with start(tmp_path, pause=-1) as first:
        read_line(first, "block")
        second = start(tmp_path)
        read_line(second, "note")
        first.kill()
    assert not finish(second)["hit"]
    check_goes_on(tmp_path)


def test_ctrl_c_ends_the_waiting_for_another_process(tmp_path):
    with start(tmp_path, pause=-1) as first:
        read_line(first, "block")
        second = start(tmp_path)
        read_line(second, "note")
        second.send_signal(signal.SIGINT)
        assert finish(second) == "interrupted"
        assert list(tmp_path.glob(".*.partial"))
        first.kill()
    check_goes_on(tmp_path)


AS_NOBODY = """
import pwd
cache = Cache(folder)
main()
if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
PREPARED = cache.path("digits", {})
"""


@pytest.fixture
def shared():
    """Give a folder that other users can enter, which pytest's own they cannot."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_nobody(folder, before, then="main()"):
    """Prepare, do something, and then be a user who may not write everywhere."""
    first, rest = AS_NOBODY.split("main()\n", 1)
    return finish(start(folder, code=f"{first}main()\nfolder.chmod(0o755)\n{before}\n{rest}{then}"))


def test_a_folder_that_can_only_be_read_serves_what_is_there(shared):
    before = "folder.chmod(0o555)"
    assert as_nobody(shared, before) == {"hit": True, "notes": []}


def test_a_folder_that_cannot_be_written_to_is_one_line(shared):
    before = "cache.path('digits', {}).unlink(); folder.chmod(0o555); (folder / '.locks').chmod(0o555)"
    outcome = as_nobody(shared, before)
    assert outcome["type"] == "DataError"
    assert outcome["text"] == (
        f"{shared} cannot be used: Permission denied: check its permissions, or name another folder with --cache-dir"
    )
    assert names(shared) == [".locks"]


def test_a_file_that_may_not_be_read_is_one_line_and_no_damage(shared):
    path = Cache(shared).path("digits", {})
    outcome = as_nobody(shared, "cache.path('digits', {}).chmod(0)")
    assert outcome["type"] == "DataError"
    assert outcome["text"].startswith(f"{path} cannot be read: Permission denied: check its permissions")
    assert names(shared) == [".locks", path.name]
    listed = "print(json.dumps([entry.state for entry in cache.entries()]))"
    assert as_nobody(shared, "PREPARED = cache.path('digits', {}); PREPARED.chmod(0)", listed) == ["unreadable"]


def test_a_file_that_may_not_be_removed_is_one_line(shared):
    then = "try: cache.clear()\nexcept DataError as error: print(json.dumps(str(error)))"
    assert "Permission denied" in as_nobody(shared, "(folder / '.locks').chmod(0o777)", then)
    assert len(Cache(shared).entries()) == 1
