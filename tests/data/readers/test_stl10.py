"""STL-10's binary version, in files and archives written byte by byte."""

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data import Dataset, load_dataset
from bdfa_np.data.readers.stl10 import read_images, read_labels
from bdfa_np.data.sources import kinds, registry
from bdfa_np.errors import DataError

GENERATOR = np.random.default_rng(0)
SHAPE = (96, 96, 3)
IMAGE = 3 * 96 * 96
CONTENTS = {
    "train_X.bin": GENERATOR.bytes(3 * IMAGE),
    "train_y.bin": bytes([10, 1, 7]),
    "test_X.bin": GENERATOR.bytes(2 * IMAGE),
    "test_y.bin": bytes([2, 10]),
}
ARCHIVE = "stl10_binary.tar.gz"


def entry_of(archive: bytes = b"", published: tuple[str, ...] = ()) -> kinds.Entry:
    """The entry with the small files, no address, and no checksums but of those files."""
    entry = registry.ENTRIES["stl10"]
    files = tuple(
        kinds.ArchivedFile(name, len(content), hashlib.sha256(content).hexdigest() if name in published else None)
        for name, content in CONTENTS.items()
    )
    assert entry.publications[0].archive is not None
    described = dataclasses.replace(
        entry.publications[0].archive, files=files, urls=(), sha256=hashlib.sha256(archive).hexdigest(), size=None
    )
    source = dataclasses.replace(entry.publications[0], archive=described)
    return dataclasses.replace(entry, train_images=3, test_images=2, publications=(source,))


@pytest.fixture(autouse=True)
def _small_entry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real" not in request.node.name:
        monkeypatch.setitem(registry.ENTRIES, "stl10", entry_of())


def put(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)


def refusal(folder: Path) -> str:
    """The message of the refusal, which must be one line."""
    with pytest.raises(DataError) as caught:
        load_dataset("stl10", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_is_what_was_written(dataset: Dataset) -> None:
    """Compare every pixel by its place: row fastest, then column, channel, image."""
    for images, labels, part in (
        (dataset.train_images, dataset.train_labels, "train"),
        (dataset.test_images, dataset.test_labels, "test"),
    ):
        assert labels.tolist() == [label - 1 for label in CONTENTS[f"{part}_y.bin"]]
        n, row, column, channel = np.indices((len(labels), *SHAPE))
        places = row + 96 * column + 96 * 96 * channel + IMAGE * n
        np.testing.assert_array_equal(images, np.frombuffer(CONTENTS[f"{part}_X.bin"], np.uint8)[places], strict=True)


@pytest.mark.parametrize("folder", ["stl10", "stl10_binary", "stl10/stl10_binary", ""])
def test_images_come_out_channels_last_with_labels_from_zero(tmp_path, folder):
    put(tmp_path / folder)
    dataset = load_dataset("STL-10", tmp_path)
    assert_is_what_was_written(dataset)
    assert dataset.name == "stl10"
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.int64
    assert dataset.train_images.flags.c_contiguous
    assert dataset.test_images.flags.c_contiguous


def test_a_pixel_by_hand(tmp_path):
    put(tmp_path)
    content = CONTENTS["train_X.bin"]
    # Image 1, row 2, column 5, in red, green and blue: five whole columns of 96 come before it in its plane of 9216.
    pixel = [content[27648 + 482], content[27648 + 9216 + 482], content[27648 + 18432 + 482]]
    assert load_dataset("stl10", tmp_path).train_images[1, 2, 5].tolist() == pixel


def test_images_of_any_shape_are_read_column_by_column(tmp_path):
    (tmp_path / "X").write_bytes(bytes(range(12)))
    images, sha256 = read_images(tmp_path / "X", 1, (2, 3, 2))
    assert images[0, :, :, 0].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert images[0, :, :, 1].tolist() == [[6, 8, 10], [7, 9, 11]]
    assert sha256 == hashlib.sha256(bytes(range(12))).hexdigest()


def test_checksums_of_what_was_read_are_recorded_where_none_are_published(tmp_path):
    put(tmp_path)
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    assert load_dataset("stl10", tmp_path).checksums == expected


@pytest.mark.parametrize("name", CONTENTS)
def test_a_published_checksum_is_compared(tmp_path, monkeypatch, name):
    monkeypatch.setitem(registry.ENTRIES, "stl10", entry_of(published=(name,)))
    put(tmp_path)
    assert_is_what_was_written(load_dataset("stl10", tmp_path))
    content = CONTENTS[name]
    (tmp_path / name).write_bytes(content[:-1] + bytes([content[-1] % 9 + 1]))
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: altered: the SHA-256 of its content is ")


WRONG = {
    "a byte less": (lambda content: content[:-1], "truncated: has {less} of the {size} bytes of "),
    "empty": (lambda _: b"", "truncated: has 0 of the {size} bytes of "),
    "a byte more": (lambda content: content + b"\1", " are {size} bytes and more follow: "),
    "twice": (lambda content: content * 2, " are {size} bytes and more follow: "),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("kind", WRONG)
def test_a_file_of_another_size_is_refused_by_name(tmp_path, name, kind):
    put(tmp_path)
    change, reason = WRONG[kind]
    (tmp_path / name).write_bytes(change(CONTENTS[name]))
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / name}: t")
    assert reason.format(size=len(CONTENTS[name]), less=len(CONTENTS[name]) - 1) in message


@pytest.mark.parametrize("label", [0, 11, 255])
@pytest.mark.parametrize("name", ["train_y.bin", "test_y.bin"])
def test_a_label_out_of_range_is_named(tmp_path, name, label):
    put(tmp_path)
    (tmp_path / name).write_bytes(CONTENTS[name][:1] + bytes([label]) + CONTENTS[name][2:])
    reason = f"counted from 0: label {label - 1} at index 1 is out of range 0..9"
    assert refusal(tmp_path) == f"{tmp_path / name}: {reason}"


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_any_size_is_read_no_further_than_it_should_be(tmp_path, name):
    put(tmp_path)
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    assert "more follow" in refusal(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)], ids=["folder", "pipe"])
def test_a_folder_or_a_pipe_in_a_files_place_is_refused(tmp_path, name, make):
    put(tmp_path)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: is a folder or a device")


@pytest.mark.parametrize("call", ["stl10.read_images(path, 1, (2, 2, 3))", "svhn.read_svhn(path, '')"])
def test_a_file_without_permission_is_one_line_here_and_of_svhn(call):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        path = Path(name) / "file"
        path.write_bytes(bytes(12))
        path.chmod(0)
        Path(name).chmod(0o755)
        code = f"""
            import os
            from pathlib import Path
            from bdfa_np.data.readers import stl10, svhn
            from bdfa_np.errors import DataError
            path = Path({str(path)!r})
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                {call}
            except DataError as error:
                print(error)
        """
        # Only a child can give up root, whom no permission keeps from reading.
        child = [sys.executable, "-P", "-c", textwrap.dedent(code)]
        assert (
            subprocess.check_output(child, text=True)
            == f"{path}: cannot be read: Permission denied: check its permissions\n"
        )


def test_no_other_reader_is_loaded_for_it(tmp_path):
    (tmp_path / "y").write_bytes(b"\x0a\x01")
    code = f"""
        import sys
        from pathlib import Path
        from bdfa_np.data.readers.stl10 import read_labels
        print(read_labels(Path({str(tmp_path / "y")!r}), 2, 10)[0].tolist())
        print([name for name in sys.modules if name.startswith(("scipy", "h5py", "bdfa_np.data.readers.svhn"))])
    """
    child = [sys.executable, "-P", "-c", textwrap.dedent(code)]
    assert subprocess.check_output(child, text=True) == "[9, 0]\n[]\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.binary(min_size=20, max_size=28), st.binary(min_size=1, max_size=4))
def test_any_bytes_are_read_as_they_are_or_refused_in_one_line(tmp_path, pixels, digits):
    for content, name in ((pixels, "X"), (digits, "y")):
        (tmp_path / name).write_bytes(content)
    try:
        images, _ = read_images(tmp_path / "X", 2, (2, 2, 3))
        labels, _ = read_labels(tmp_path / "y", 2, 10)
    except DataError as error:
        message = str(error)
        fits = len(pixels) == 24 and len(digits) == 2 and all(1 <= label <= 10 for label in digits)
    else:
        assert images.ravel("K").tolist() == images.ravel().tolist()
        assert images.transpose(0, 3, 2, 1).tobytes() == pixels
        assert bytes(label + 1 for label in labels) == digits
        return
    assert not fits
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}")


def packed(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"stl10_binary/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


# The images without labels are not wanted; here they come first, and are more than all that is wanted.
UNLABELED = bytes(4 * sum(map(len, CONTENTS.values())))
WHOLE = packed({"unlabeled_X.bin": UNLABELED, "class_names.txt": b"airplane\n", **CONTENTS})


def test_of_an_archive_that_holds_more_only_what_is_wanted_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.ENTRIES, "stl10", entry_of(WHOLE))
    (tmp_path / ARCHIVE).write_bytes(WHOLE)
    assert_is_what_was_written(load_dataset("stl10", tmp_path))
    assert {path.name for path in (tmp_path / "stl10").iterdir()} == set(CONTENTS)


def test_the_real_entry_is_the_published_one():
    entry = registry.ENTRIES["stl10"]
    archive = entry.publications[0].archive
    assert archive is not None
    assert [file.name for file in archive.files] == list(CONTENTS)
    assert [file.size for file in archive.files] == [5_000 * 27_648, 5_000, 8_000 * 27_648, 8_000]
    assert len(bytes.fromhex(archive.sha256)) == 32
    assert list(entry.class_names) == sorted(entry.class_names)
