"""The user's list of files that may be run unasked."""

import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bdfa_np.errors import UntrustedError
from bdfa_np.extensions import Code
from bdfa_np.trust import listed

CODE = Code(Path("/a/net.py"), b"1 + 1\n")


def entries():
    return tomllib.loads(listed.list_path().read_text())["file"]


def test_it_is_a_text_of_paths_and_sums_that_nobody_else_may_read(monkeypatch):
    before = os.umask(0)
    try:
        listed.add([("/a/net.py", CODE)])
    finally:
        os.umask(before)
    path = listed.list_path()
    assert path == Path(os.environ["BDFA_CONFIG_DIR"], "trusted.toml")
    assert entries() == [{"path": "/a/net.py", "sha256": CODE.sha256}]
    assert "allowed by --trust" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_the_variable_it_is_among_the_users_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("BDFA_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert tmp_path in listed.list_path().parents
    assert listed.list_path().parts[-2:] == ("bdfa-np", "trusted.toml")


def test_a_path_and_a_content_count_together():
    listed.add([("/a/net.py", CODE)])
    other = Code(Path("/a/net.py"), b"2 + 2\n")
    assert listed.is_listed("/a/net.py", CODE)
    assert not listed.is_listed("/a/net.py", other)
    assert not listed.is_listed("/b/net.py", CODE)
    listed.add([("/a/net.py", other)])
    assert listed.is_listed("/a/net.py", CODE)
    assert listed.is_listed("/a/net.py", other)


def test_what_is_in_it_is_not_written_again():
    listed.add([("/a/net.py", CODE)])
    before = listed.list_path().stat()
    listed.add([("/a/net.py", CODE)])
    assert listed.list_path().stat().st_ino == before.st_ino


@pytest.mark.parametrize("path", ["/a/caf\udce9.py", '/a/quo"te\\.py', "/a/new\nline.py", "/a/ñ.py", "/a/\x7f\x01.py"])
def test_a_path_of_any_characters_is_found_again(path):
    listed.add([(path, CODE)])
    assert listed.is_listed(path, CODE)
    assert len(entries()) == 1


def test_processes_that_add_at_once_lose_nothing():
    paths = [f"/a/net{number}.py" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:  # whose locks are apart as those of processes are
        list(pool.map(lambda path: listed.add([(path, CODE)]), paths))
    assert sorted(entry["path"] for entry in entries()) == sorted(paths)


DAMAGES = {
    "empty": b"",
    "no toml": b"[[[",
    "no utf-8": b"\xff\xfe",
    "cut off": b'[[file]]\npath = "/a/net.py"\nsha2',
    "no list": b"file = 3\n",
    "a list of numbers": b"file = [3]\n",
    "a sum missing": b'[[file]]\npath = "/a/net.py"\n',
    "a number for a sum": b'[[file]]\npath = "/a/net.py"\nsha256 = 3\n',
    "a list for a path": b'[[file]]\npath = []\nsha256 = "ab"\n',
    "nested deep": b"file = " + b"[" * 5000,
}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_list_is_never_taken_for_an_empty_one(content):
    listed.list_path().parent.mkdir()
    listed.list_path().write_bytes(content)
    for ask in (lambda: listed.is_listed("/a/net.py", CODE), lambda: listed.add([("/a/net.py", CODE)])):
        with pytest.raises(UntrustedError, match=r"trusted\.toml, the list of files .* is damaged \(.*\): mend it"):
            ask()
    assert listed.list_path().read_bytes() == content


def test_a_damaged_list_is_one_line_where_it_is_needed_and_a_note_where_not(bdfa, theirs, small):
    listed.list_path().parent.mkdir()
    listed.list_path().write_text("damaged")
    assert f"error: {listed.list_path()}, the list of files" in bdfa.refused("evaluate", "run")
    outcome = bdfa("train", *small, "--network", theirs.net, "--save", "named")
    assert outcome.code == 0
    assert "note: the files of this run were not noted as yours, and --trust will be asked for: " in outcome.err
    assert bdfa("train", *small, "--save", "plain").code == 0
    assert bdfa("evaluate", "plain").code == 0
    outcome = bdfa("evaluate", "run", "--trust")
    assert outcome.code == 0
    assert "were not noted" in outcome.err
    assert listed.list_path().read_text() == "damaged"


@pytest.mark.parametrize("kind", ["a file for the folder", "a folder for the file", "a pipe"])
def test_where_no_list_can_be_kept_a_run_that_needs_none_goes_on(bdfa, theirs, monkeypatch, tmp_path, kind, small):
    folder = tmp_path / "settings"
    monkeypatch.setenv("BDFA_CONFIG_DIR", str(folder))
    if kind == "a file for the folder":
        folder.touch()
    else:
        folder.mkdir()
        (folder / "trusted.toml").mkdir() if kind == "a folder for the file" else os.mkfifo(folder / "trusted.toml")
    assert str(folder / "trusted.toml") in bdfa.refused("evaluate", "run")
    outcome = bdfa("train", *small, "--network", theirs.net, "--save", "named")
    assert outcome.code == 0
    assert "were not noted as yours" in outcome.err
