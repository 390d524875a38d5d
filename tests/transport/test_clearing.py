"""What `data clear` and the writers of files remove or write over: what is theirs alone, and never through a link."""

import os
import shutil
from pathlib import Path

import filelock
import numpy as np
import pytest

from bdfa_np.data.cache.store import Cache
from bdfa_np.errors import DataError
from bdfa_np.system.files import remove_temporary_files, replace_file, temporary_path

FOREIGN = "mnist-5k-0123456789abcdef.h5"


def save_own(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4), np.uint8)
    labels = np.arange(20) % 2
    np.savez(name, train_images=images, train_labels=labels, test_images=images, test_labels=labels)


@pytest.fixture
def prepared(bdfa) -> Path:
    """Prepare something, and return its file."""
    assert bdfa("data", "prepare", "mnist-5k", "--whiten", "--resize", "4", "--cache-dir", "cache").code == 0
    (path,) = Path("cache").glob("*.h5")
    return path


def cleared(bdfa, *arguments: str) -> str:
    outcome = bdfa("data", "clear", *arguments, "--cache-dir", "cache")
    assert outcome.code == 0, outcome
    return outcome.out


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("arguments", [("--yes",), ("mnist-5k",)])
def test_files_that_only_look_like_ours_stay(bdfa, arguments):
    mine = {
        FOREIGN: b"my own measurements",
        f".{FOREIGN}.partial": b"mine too",
        "notes-0123456789abcdef.h5": b"",
        "mnist-5k-0123.h5": b"",
    }
    for name, content in mine.items():
        (Path("cache") / name).write_bytes(content)
    (Path("cache") / "mnist-5k-aaaaaaaaaaaaaaaa.h5").mkdir()
    assert "removed 1 prepared file, " in cleared(bdfa, *arguments)
    left = {path.name for path in Path("cache").iterdir()}
    assert left == {*mine, ".locks", "mnist-5k-aaaaaaaaaaaaaaaa.h5"}


def test_a_damaged_file_of_ours_is_known_by_its_lock_and_cleared(bdfa, prepared):
    prepared.write_bytes(b"half")
    assert "(damaged)" in cleared(bdfa, "mnist-5k")
    assert not prepared.exists()


def test_no_link_is_followed_out_of_the_folder_or_removed(bdfa, prepared):
    away = Path("away.h5")
    shutil.copy(prepared, away)
    link = Path("cache/mnist-5k-bbbbbbbbbbbbbbbb.h5")
    link.symlink_to(away.resolve())
    cleared(bdfa, "--yes")
    assert away.exists()
    assert link.is_symlink()
    Path("cache/.locks").rename("locks")
    Path("cache/.locks").symlink_to(Path("locks").resolve())
    before = os.listdir("locks")
    with pytest.raises(DataError, match=r"\.locks is a link, which is not followed"):
        Cache(Path("cache"))._lock(link)
    assert os.listdir("locks") == before


def test_what_is_being_prepared_stays_and_is_said(bdfa, prepared):
    with filelock.FileLock(f"cache/.locks/{prepared.name}.lock"):
        outcome = bdfa("data", "clear", "--yes", "--cache-dir", "cache")
    assert "removed 0 prepared files" in outcome.out
    assert outcome.err == "1 file stays: being prepared just now\n"
    assert prepared.exists()


def test_of_a_published_set_and_an_own_file_of_its_name_only_the_one_that_is_named_is_cleared(bdfa, prepared):
    save_own("mnist-5k.npz")
    assert bdfa("data", "prepare", "./mnist-5k.npz", "--cache-dir", "cache").code == 0
    assert len(list(Path("cache").glob("mnist-5k-*.h5"))) == 2
    cleared(bdfa, "./mnist-5k.npz")
    assert list(Path("cache").glob("*.h5")) == [prepared]
    assert bdfa("data", "prepare", "./mnist-5k.npz", "--cache-dir", "cache").code == 0
    cleared(bdfa, "mnist-5k")
    assert len(list(Path("cache").glob("*.h5"))) == 1
    assert not prepared.exists()


def test_a_folder_that_is_not_ours_is_left_as_it_was(bdfa):
    Path("cache").mkdir()
    Path("cache/letter.txt").write_text("dear")
    assert "removed 0 prepared files" in cleared(bdfa, "--yes")
    assert os.listdir("cache") == ["letter.txt"]


def test_all_that_would_be_removed_is_listed_before_it_is_asked_for(bdfa, prepared, monkeypatch):
    monkeypatch.setattr("bdfa_np.cli.commands.data.clear.is_terminal", lambda _: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    outcome = bdfa("data", "clear", "--cache-dir", "cache")
    assert prepared.name in outcome.err
    assert outcome.out == "nothing was removed\n"
    assert prepared.exists()


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_link_in_a_temporary_files_place_is_not_written_through(tmp_path, target):
    path, precious = tmp_path / "file", tmp_path / "there"
    precious.write_text("precious")
    temporary_path(path).symlink_to(tmp_path / target)
    with replace_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert precious.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["file", "there"]


def test_a_link_that_appears_while_a_temporary_file_is_made_is_not_written_through(tmp_path, monkeypatch):
    path = tmp_path / "file"
    temporary_path(path).symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # as if it came back at once
    with pytest.raises(FileExistsError), replace_file(path):
        raise AssertionError("it was opened")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_preparing_does_not_write_through_a_link_either(bdfa, prepared, target):
    precious = Path("there")
    precious.write_text("precious")
    temporary_path(prepared).symlink_to(Path(target).resolve())
    prepared.unlink()
    assert bdfa("data", "prepare", "mnist-5k", "--whiten", "--resize", "4", "--cache-dir", "cache").code == 0
    assert prepared.exists()
    assert precious.read_text() == "precious"
    assert not Path("nowhere").exists()


def test_removing_what_a_killed_process_left_removes_a_link_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "there").write_text("precious")
    temporary_path(tmp_path / "file").symlink_to(tmp_path / "there")
    remove_temporary_files([tmp_path / "file"])
    assert os.listdir(tmp_path) == ["there"]


def test_force_removes_the_runs_files_alone_and_through_no_link(bdfa, tiny):
    command = ["train", *tiny, "--epochs", "1", "--save", "run"]
    assert bdfa(*command).code == 0
    Path("precious").write_text("mine")
    Path("run/thesis.tex").write_text("mine")
    Path("run/Log.txt").unlink()
    Path("run/Log.txt").symlink_to(Path("precious").resolve())
    assert bdfa(*command, "--force").code == 0
    assert Path("precious").read_text() == Path("run/thesis.tex").read_text() == "mine"
