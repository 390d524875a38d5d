"""Folders that cannot be written to: read-only, forbidden, full."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Whoever may do everything (root) first loads all that the command needs, since the interpreter's own files may be
# out of an unprivileged user's reach, and then becomes one.
AS_NOBODY = """
import os, pwd, sys, tempfile
from pathlib import Path
import bdfa_np.data
from bdfa_np.cli.group import bdfa
from bdfa_np.cli.outcome import run

tiny = "train --dataset mnist-5k --num-hidden 5 --train-limit 100 --test-limit 50 --epochs 1".split()
with tempfile.TemporaryDirectory() as warm:
    out, sys.stdout = sys.stdout, open(os.devnull, "w")
    assert run(bdfa, [*tiny, "--save", warm]) == run(bdfa, ["evaluate", warm]) == 0
    assert run(bdfa, ["train", "--resume", "--save", warm, "--epochs", "2"]) == 0
    sys.stdout.close()
    sys.stdout = out
if os.geteuid() == 0:
    os.setgroups([])
    nobody = pwd.getpwnam("nobody")
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
if not os.access(Path(bdfa_np.data.__file__).with_name("mnist_5k.h5"), os.R_OK):
    sys.exit(77)
sys.exit(run(bdfa, sys.argv[1:]))
"""


@pytest.fixture
def forbidden(bdfa):
    """Give a folder that an unprivileged user may read but not write to, with a run in its subfolder ``run``."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders cannot be entered by other users
    bdfa.train(folder / "run", "--epochs", 1)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, folder / "run"):
        path.chmod(0o755)
    shutil.rmtree(folder)


def unprivileged(*arguments):
    """Call ``bdfa`` as a user who may not write everywhere."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AS_NOBODY, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("an unprivileged user cannot read the installed package")
    return done


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.skipif(os.name != "posix", reason="users and their permissions are POSIX's")
@pytest.mark.parametrize(
    "options",
    ["--dataset mnist-5k --save new", "--resume --epochs 2 --save run", "--dataset mnist-5k --force --save run"],
)
def test_a_forbidden_folder_is_one_line_and_stays_as_it_was(forbidden, options):
    *options, name = options.split()
    before = everything(forbidden / "run")
    done = unprivileged("train", *options, forbidden / name)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{forbidden / name}" in done.stderr
    assert "Permission denied" in done.stderr
    assert everything(forbidden / "run") == before


def test_a_run_that_can_only_be_read_can_be_evaluated(forbidden):
    done = unprivileged("evaluate", forbidden / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "on 1,000 test images" in done.stdout


@pytest.fixture
def disk(tmp_path):
    """Give a disk of 1 MB, and the way to mount it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount") or not mount("size=1m"):
        pytest.skip("mounting a small disk takes root's rights")
    try:
        yield folder, mount
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk):
    """Take all the room there is but a few kilobytes, and return the file that takes it."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free - 16384))
    return disk / "filler"


def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_room(bdfa, disk, result, tmp_path):
    folder, _ = disk
    bdfa.train(folder / "run", "--epochs", 1)
    kept = (folder / "run" / "checkpoint.h5").read_bytes()
    filler = fill(folder)
    line = bdfa.refused("train", "--save", folder / "run", "--resume", "--epochs", 2)
    assert f"{folder}/run/checkpoint.h5: No space left on device" in line
    assert "--resume" in line
    assert (folder / "run" / "checkpoint.h5").read_bytes() == kept
    assert not list((folder / "run").glob(".*.partial"))
    assert bdfa("evaluate", folder / "run").code == 0
    filler.unlink()
    bdfa.resume(folder / "run", "--epochs", 2)
    bdfa.train(tmp_path / "whole", "--epochs", 2)
    assert result(folder / "run") == result(tmp_path / "whole")


def test_a_run_that_a_full_disk_kept_from_starting_starts_once_there_is_room(bdfa, disk, tiny):
    folder, _ = disk
    filler = fill(folder)
    assert "No space left on device" in bdfa.refused("train", *tiny, "--save", folder / "run")
    assert not (folder / "run").exists()
    filler.unlink()
    bdfa.train(folder / "run", "--epochs", 1)


def test_a_read_only_disk_is_one_line(bdfa, disk, tiny):
    folder, mount = disk
    bdfa.train(folder / "run", "--epochs", 1)
    assert mount("remount,ro")
    for options in (["--resume"], ["--force", *tiny]):
        assert "Read-only file system" in bdfa.refused("train", "--save", folder / "run", *options)
    assert "Read-only file system" in bdfa.refused("train", *tiny, "--save", folder / "new")
    assert bdfa("evaluate", folder / "run").code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_output_that_goes_to_a_full_disk_is_one_line(bdfa):
    with open("/dev/full", "w") as full:
        outcome = bdfa.child("info", stdout=full)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "No space left on device" in outcome.err
