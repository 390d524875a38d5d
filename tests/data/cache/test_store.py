"""The cache's folder: what is found there, made there, left alone and removed."""

import os
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from bdfa_np.data.cache.store import Cache, default_cache_folder
from bdfa_np.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(6, 4)
LABELS = np.arange(6)


def fill(writer):
    writer.images("train", IMAGES.shape, IMAGES.dtype, [IMAGES], LABELS)


def is_hit(file):
    np.testing.assert_array_equal(file.read_images("train")[0], IMAGES)
    return file.hit


def prepare(cache, name="digits", specification=None, build=fill, note=pytest.fail):
    """Prepare a data set; return whether it was there."""
    return cache.prepared(name, {} if specification is None else specification, build, is_hit, note=note)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def set_format(path, version):
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = version


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "some" / "prepared")


def test_data_are_prepared_once(cache):
    assert not prepare(cache)
    assert prepare(cache, build=pytest.fail)
    assert prepare(Cache(cache.folder), build=pytest.fail)
    assert names(cache.folder) == [".locks", cache.path("digits", {}).name]


def test_another_specification_is_another_file(cache):
    assert not prepare(cache, specification={"a": 1})
    assert not prepare(cache, specification={"a": 2})
    assert prepare(cache, specification={"a": 1})
    assert len(cache.entries()) == 2


@pytest.mark.parametrize(
    "name",
    [
        "mnist",
        "../up",
        "a/b",
        "a\\b",
        "C:x",
        "-rf",
        ".hidden",
        "..",
        "a b*?",
        "\n",
        "\0",
        "Größe",
        "x" * 300,
        "\udcff",
        "é" * 90,
    ],
)
def test_a_data_set_of_any_name_gets_a_harmless_file_name(cache, name):
    path = cache.path(name, {})
    assert path.parent == cache.folder
    assert path.name.isascii()
    assert path.name.isprintable()
    assert not set(path.name) & set("/\\:*?\"'<>| $")
    assert path.name[0] not in ".-"
    assert len(path.name) < 200
    assert not prepare(cache, name)
    assert prepare(cache, name)
    assert len(cache.clear(name)) == 1


def test_different_names_have_different_files(cache):
    odd = ["a b", "a_b", "a%20b", ".a", "%2Ea", "A b"]
    assert len({cache.path(name, {}).name for name in odd}) == len(odd)


@pytest.mark.parametrize("error", [KeyError("ready"), ValueError("no"), TypeError("no"), OSError("no")])
def test_a_file_that_its_reader_can_make_nothing_of_is_made_anew(cache, error):
    prepare(cache)
    notes, made = [], []

    def read(file):
        if file.hit:
            raise error
        return file.read_images("train")

    cache.prepared("digits", {}, lambda writer: made.append(fill(writer)), read, note=notes.append)
    assert len(made) == 1
    (line,) = notes
    assert line == f"{cache.path('digits', {})} is damaged ({error.args[0]}): preparing it anew"


def test_a_reader_that_fails_with_new_data_too_is_one_line(cache):
    def read(file):
        return file.array("forgotten")

    with pytest.raises(DataError, match=r"is damaged \(.*forgotten.*\): delete it") as caught:
        cache.prepared("digits", {}, fill, read, note=pytest.fail)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), DataError("no")])
def test_a_reader_that_fails_for_another_reason_is_no_damage(cache, error):
    prepare(cache)

    def read(_):
        raise error

    with pytest.raises(type(error)):
        cache.prepared("digits", {}, pytest.fail, read, note=pytest.fail)
    assert prepare(cache)


def test_a_file_with_the_data_of_another_specification_is_made_anew(cache):
    prepare(cache, specification={"a": 1})
    os.replace(cache.path("digits", {"a": 1}), cache.path("digits", {"a": 2}))
    notes = []
    assert not prepare(cache, specification={"a": 2}, note=notes.append)
    assert "prepared for something else" in notes[0]
    assert prepare(cache, specification={"a": 2})


def test_a_file_of_an_old_format_is_made_anew(cache):
    prepare(cache)
    path = cache.path("digits", {})
    set_format(path, 0)
    assert [(entry.state, entry.specification) for entry in cache.entries()] == [("old format", {})]
    notes = []
    assert not prepare(cache, note=notes.append)
    assert notes == [f"{path} has an old format (0): preparing it anew"]
    assert [entry.state for entry in cache.entries()] == ["ready"]


def test_older_files_of_the_same_specification_go_once_the_new_one_is_there(cache):
    for specification in ({"a": 1}, {"a": 2}):
        prepare(cache, specification=specification)
        path = cache.path("digits", specification)
        set_format(path, 0)
        os.replace(path, path.with_name(f"digits-{specification['a']:016x}.h5"))
    with pytest.raises(OSError, match="full"):
        prepare(cache, specification={"a": 1}, build=lambda _: exec("raise OSError('full')"))
    assert len(cache.entries()) == 2
    notes = []
    assert not prepare(cache, specification={"a": 1}, note=notes.append)
    assert len(notes) == 1
    assert "digits-0000000000000001.h5 has an old format" in notes[0]
    assert names(cache.folder) == [".locks", "digits-0000000000000002.h5", cache.path("digits", {"a": 1}).name]


def test_files_of_other_versions_are_named_and_stay(cache):
    old, new = ({"a": 1, "versions": {"zca": number}} for number in (1, 2))
    prepare(cache, specification=old)
    prepare(cache, specification={"a": 2, "versions": {"zca": 1}})
    notes = []
    assert not prepare(cache, specification=new, note=notes.append)
    assert notes == [
        f"{cache.path('digits', old)} was prepared by other versions of the code, "
        f"and {cache.path('digits', new).name} takes its place"
    ]
    assert prepare(cache, specification=old)
    assert prepare(cache, specification=new)


def test_a_file_of_a_later_version_is_refused_and_left_alone(cache):
    prepare(cache)
    path = cache.path("digits", {})
    set_format(path, 99)
    before = path.read_bytes()
    with pytest.raises(DataError) as caught:
        prepare(cache, build=pytest.fail)
    assert str(caught.value) == (
        f"{path} was written by a later version of bdfa-np: use that version, or name another folder with --cache-dir"
    )
    assert path.read_bytes() == before
    assert [entry.state for entry in cache.entries()] == ["later format"]


def test_an_error_while_preparing_passes_on_and_leaves_nothing(cache):
    error = PermissionError(13, "Permission denied", "images.npz")

    def build(writer):
        fill(writer)
        raise error

    with pytest.raises(PermissionError) as caught:
        prepare(cache, build=build)
    assert caught.value is error
    assert caught.value.filename == "images.npz"
    assert names(cache.folder) == [".locks"]
    assert not prepare(cache)


def test_a_reader_beside_a_writer_never_sees_half_a_file(cache):
    prepare(cache)
    path = cache.path("digits", {})
    done, seen = threading.Event(), []

    def look():
        while not done.is_set():
            seen.extend(entry.state for entry in cache.entries())

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(10):
        path.unlink()
        assert not prepare(cache)
    done.set()
    watcher.join()
    assert set(seen) == {"ready"}


def test_two_data_sets_can_be_prepared_at_once(cache):
    def build(writer):
        assert not prepare(cache, "other")
        fill(writer)

    assert not prepare(cache, build=build)


def test_what_a_killed_process_left_goes_when_something_is_prepared(cache):
    cache.folder.mkdir(parents=True)
    left = cache.folder / ".digits-0123456789abcdef.h5.partial"
    left.write_bytes(b"half")
    prepare(cache, "other")
    assert left.exists()  # for all that is known, it is somebody's own
    was_prepared(cache.folder, "digits-0123456789abcdef.h5")
    prepare(cache, "another")
    assert not left.exists()


def test_what_another_process_is_writing_stays(cache):
    partial = []

    def build(writer):
        partial.extend(cache.folder.glob(".*.partial"))
        prepare(cache, "other")
        cache.clear("other")
        cache.sweep()
        assert partial[0].exists()
        fill(writer)

    assert not prepare(cache, build=build)
    assert names(cache.folder) == [".locks", cache.path("digits", {}).name]


def test_a_file_that_is_being_prepared_is_not_cleared(cache):
    prepare(cache)
    path = cache.path("digits", {})
    path.write_bytes(b"damaged")
    cleared = []

    def build(writer):
        cleared.append(cache.clear())
        fill(writer)

    prepare(cache, build=build, note=lambda _: None)
    assert cleared == [[]]
    assert prepare(cache)


def was_prepared(folder, name):
    """Leave a lock, as whoever prepares a file does: by it a damaged one is known for ours."""
    (folder / ".locks").mkdir(exist_ok=True)
    (folder / ".locks" / f"{name}.lock").touch()


FOREIGN = [
    "notes.txt",
    "digits.h5",
    "digits-0123.h5",
    ".digits.h5.partial",
    "other-0123456789abcdef.h5",
    "a.h5.partial",
]


def add_foreign(folder):
    """Put files of somebody else's into the folder: one is HDF5, and has a name of our form."""
    for name in FOREIGN:
        with h5py.File(folder / name, "w") as file:
            file["weights"] = [1.0]
    (folder / "digits-aaaaaaaaaaaaaaaa.h5").mkdir()
    (folder / "digits-bbbbbbbbbbbbbbbb.h5").symlink_to(folder / "missing")


def test_entries_list_every_prepared_file_and_nothing_else(cache):
    assert cache.entries() == []
    prepare(cache, "digits", {"dataset": "digits", "n": 1})
    prepare(cache, "letters")
    damaged = cache.folder / "digits-ffffffffffffffff.h5"
    damaged.write_bytes(b"short")
    was_prepared(cache.folder, damaged.name)
    add_foreign(cache.folder)
    found = {entry.path: entry for entry in cache.entries()}
    digits, letters = cache.path("digits", {"dataset": "digits", "n": 1}), cache.path("letters", {})
    assert list(found) == sorted([digits, damaged, letters])
    assert (found[digits].state, found[digits].specification) == ("ready", {"dataset": "digits", "n": 1})
    assert found[digits].size == digits.stat().st_size
    assert abs(found[digits].modified.timestamp() - time.time()) < 60
    assert (found[damaged].state, found[damaged].specification, found[damaged].size) == ("damaged", None, 5)


def test_clear_removes_one_data_set_or_all_and_no_foreign_files(cache):
    for name, number in (("digits", 1), ("digits", 2), ("digits-new", 1), ("letters", 1)):
        prepare(cache, name, {"name": name, "n": number})
    add_foreign(cache.folder)
    foreign = [".locks", "digits-aaaaaaaaaaaaaaaa.h5", "digits-bbbbbbbbbbbbbbbb.h5", *FOREIGN]
    (cache.folder / ".letters-0123456789abcdef.h5.partial").write_bytes(b"left by a killed process")
    was_prepared(cache.folder, "letters-0123456789abcdef.h5")
    removed = cache.clear("digits")
    assert sorted(entry.specification["n"] for entry in removed) == [1, 2]
    rest = [cache.path(name, {"name": name, "n": 1}).name for name in ("digits-new", "letters")]
    assert names(cache.folder) == sorted([*foreign, *rest])
    assert len(cache.clear()) == 2
    assert names(cache.folder) == sorted(foreign)
    assert cache.clear() == []


def test_looking_at_a_missing_folder_does_not_make_it(cache):
    assert (cache.entries(), cache.clear(), cache.clear("digits")) == ([], [], [])
    cache.sweep()
    assert not cache.folder.exists()


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "prepared"):
        cache = Cache(folder)
        for call in (lambda cache=cache: prepare(cache), cache.entries, cache.clear):
            with pytest.raises(DataError, match="name another folder with --cache-dir") as caught:
                call()
            assert str(folder) in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX's")
def test_a_folder_or_a_pipe_in_place_of_the_file_is_one_line_and_stays(cache, make):
    cache.folder.mkdir(parents=True)
    path = cache.path("digits", {})
    make(path)
    with pytest.raises(DataError, match="is a folder or a device, not a file: move it away") as caught:
        prepare(cache, build=pytest.fail)
    assert str(path) in str(caught.value)
    assert names(cache.folder) == [path.name]


def test_the_environment_names_the_folder_where_no_option_does(monkeypatch):
    monkeypatch.setenv("BDFA_CACHE_DIR", "~/prepared")
    assert default_cache_folder() == Path("~/prepared").expanduser()
    monkeypatch.delenv("BDFA_CACHE_DIR")
    assert default_cache_folder().parts[-2:] == ("bdfa-np", "prepared")
