"""SVHN's files, written byte by byte as "MAT-File Format" describes them, and by SciPy."""

import dataclasses
import hashlib
import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data import load_dataset
from bdfa_np.data.readers.svhn import read_svhn
from bdfa_np.data.sources import registry
from bdfa_np.errors import DataError

# Types of stored numbers and classes of variables, by the numbers that the format gives them.
INT8, UINT8, INT16, INT32, UINT32, SINGLE, DOUBLE, MATRIX, COMPRESSED = 1, 2, 3, 5, 6, 7, 9, 14, 15
OBJECT, OF_DOUBLES, OF_BYTES, FUNCTION, OPAQUE = 3, 6, 9, 16, 17
COMPLEX, LOGICAL = 8 << 8, 2 << 8
SHAPE = (3, 2, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, 3 * 18, np.uint8).tobytes()
LABELS = bytes([10, 3, 1])


def part(order: str, kind: int, content: bytes) -> bytes:
    """A tag, the content and zeros up to a multiple of eight; up to four bytes share the tag's eight."""
    if len(content) <= 4:
        return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def variable(name: bytes, flags: int, shape: Sequence[int], kind: int, content: bytes, order: str = "<") -> bytes:
    body = part(order, UINT32, struct.pack(f"{order}II", flags, 0))
    body += part(order, INT32, struct.pack(f"{order}{len(shape)}i", *shape)) + part(order, INT8, name)
    body += part(order, kind, content)
    return struct.pack(f"{order}II", MATRIX, len(body)) + body


def packed(element: bytes, order: str = "<") -> bytes:
    content = zlib.compress(element)
    return struct.pack(f"{order}II", COMPRESSED, len(content)) + content


def header(order: str = "<", version: int = 0x0100) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}HH", version, 0x4D49)


def images(order: str = "<", shape: Sequence[int] = (*SHAPE, 3), content: bytes = PIXELS) -> bytes:
    return variable(b"X", OF_BYTES, shape, UINT8, content, order)


def labels(order: str = "<", content: bytes = LABELS) -> bytes:
    return variable(b"y", OF_BYTES, (len(content), 1), UINT8, content, order)


def doubles(*values: float, shape: Sequence[int] = (3, 1)) -> bytes:
    return variable(b"y", OF_DOUBLES, shape, DOUBLE, struct.pack(f"<{len(values)}d", *values))


def saved(compressed: bool = False, **variables: object) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


def in_place(content: bytes, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Images by the places of their pixels: row fastest, then column, channel, image."""
    height, width, channels = shape
    n, row, column, channel = np.indices((len(content) // (height * width * channels), *shape))
    places = row + height * (column + width * (channel + channels * n))
    return np.frombuffer(content, np.uint8)[places]


def read(folder: Path, content: bytes) -> tuple[np.ndarray, np.ndarray, str]:
    (folder / "digits.mat").write_bytes(content)
    return read_svhn(folder / "digits.mat", SHAPE)


def refusal(folder: Path, content: bytes) -> str:
    """What the refusal says, in one line, after the file's name."""
    with pytest.raises(DataError) as caught:
        read(folder, content)
    assert "\n" not in str(caught.value)
    path = f"{folder / 'digits.mat'}: "
    assert str(caught.value).startswith(path)
    return str(caught.value)[len(path) :]


FORMS = {
    "little endian": header() + images() + labels(),
    "big endian": header(">") + images(">") + labels(">"),
    "compressed": header() + packed(images()) + packed(labels()),
    "compressed big endian": header(">") + packed(images(">"), ">") + packed(labels(">"), ">"),
    "big endian doubles": header(">")
    + images(">")
    + variable(b"y", OF_DOUBLES, (3, 1), DOUBLE, struct.pack(">3d", *LABELS), ">"),
}


@pytest.mark.parametrize("form", FORMS)
def test_images_come_out_channels_last_and_label_ten_is_digit_zero(tmp_path, form):
    content = FORMS[form]
    X, y, sha256 = read(tmp_path, content)
    np.testing.assert_array_equal(X, in_place(PIXELS), strict=True)
    np.testing.assert_array_equal(y, np.array([0, 3, 1], np.int64), strict=True)
    assert sha256 == hashlib.sha256(content).hexdigest()
    # SciPy reads the same from what was written here.
    theirs = scipy.io.loadmat(io.BytesIO(content))
    np.testing.assert_array_equal(X, theirs["X"].transpose(3, 0, 1, 2))
    assert theirs["y"].tolist() == [[10], [3], [1]]


def test_a_pixel_by_hand(tmp_path):
    X, _, _ = read(tmp_path, FORMS["little endian"])
    # Image 1 begins at byte 18, its green plane 6 later, column 1 of it 3 later, row 2 of that 2 later.
    assert X[1, 2, 1, 1] == PIXELS[18 + 6 + 3 + 2]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int64, np.float32, np.float64])
def test_what_scipy_saved_is_read(tmp_path, compressed, dtype):
    y = np.array([[10], [3], [1]], dtype)
    found = read(tmp_path, saved(compressed, X=in_place(PIXELS).transpose(1, 2, 3, 0), y=y))
    np.testing.assert_array_equal(found[0], in_place(PIXELS))
    assert found[1].tolist() == [0, 3, 1]


def test_one_image_is_read_though_matlab_leaves_its_last_dimension_out(tmp_path):
    X, y, _ = read(tmp_path, header() + images("<", SHAPE, PIXELS[:18]) + labels("<", b"\x04"))
    np.testing.assert_array_equal(X, in_place(PIXELS[:18]))
    assert y.tolist() == [4]


@pytest.mark.parametrize(
    "y",
    [
        doubles(10, 3, 1),
        doubles(10, 3, 1, shape=(1, 3)),
        variable(b"y", OF_DOUBLES, (3, 1), UINT8, LABELS),
        variable(b"y", OF_DOUBLES, (3, 1), INT16, struct.pack("<3h", *LABELS)),
        variable(b"y", 7, (3, 1), SINGLE, struct.pack("<3f", *LABELS)),
    ],
    ids=["doubles", "a row", "doubles as bytes", "doubles as int16", "singles"],
)
def test_labels_are_whole_numbers_in_any_numeric_type(tmp_path, y):
    assert read(tmp_path, header() + images() + y)[1].tolist() == [0, 3, 1]


def test_other_variables_and_second_ones_of_the_same_name_are_ignored(tmp_path):
    others = saved(a={"X": 1}, b=np.array([1, "y"], object), c="text", d=scipy.sparse.eye(3).tocsc(), x=1j)[128:]
    for kind in (OBJECT, FUNCTION, OPAQUE, 200):
        others += variable(b"o", kind, (1, 1), INT8, b"class")
    others += packed(variable(b"bytes", OF_BYTES, (1, 2**24), UINT8, bytes(2**24)))
    tracemalloc.start()
    for wanted in (images() + images("<", (5, 5)) + labels(), labels() + doubles(0.5) + images()):
        X, y, _ = read(tmp_path, header() + others + wanted)
        np.testing.assert_array_equal(X, in_place(PIXELS))
        assert y.tolist() == [0, 3, 1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def as_X(flags: int, shape: Sequence[int] = (*SHAPE, 3), kind: int = UINT8, content: bytes = PIXELS) -> bytes:
    return header() + variable(b"X", flags, shape, kind, content) + labels()


def as_y(flags: int, shape: Sequence[int] = (3, 1), kind: int = UINT8, content: bytes = LABELS) -> bytes:
    return header() + images() + variable(b"y", flags, shape, kind, content)


def with_y(*values: float, shape: Sequence[int] = (3, 1)) -> bytes:
    return header() + images() + doubles(*values, shape=shape)


ELSE = "its X is {} (3, 2, 3, 3) instead of uint8, 3x2x3 and the images' number"
WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is no MATLAB 5 file"),
    "MATLAB 4": (struct.pack("<5I", 0, 1, 1, 0, 2) + b"y\0" + bytes(200), "is no MATLAB 5 file"),
    "MATLAB 7.3": (header(version=0x0200).ljust(512) + b"\x89HDF\r\n\x1a\n", "is no MATLAB 5 file"),
    "no variables": (header(), "holds no variable X"),
    "no X": (header() + labels(), "holds no variable X"),
    "no y": (header() + images(), "holds no variable y"),
    "other case": (saved(x=1, Y=2), "holds no variable X"),
    "cut tag": (header() + images() + labels()[:7], "(it breaks off)"),
    "cut plain": (header() + labels() + images()[:-8], "(it breaks off)"),
    "cut compressed": (header() + labels() + packed(images())[:-1], "(its compressed data break off)"),
    "wrong checksum": (
        header() + labels() + packed(images())[:-1] + b"\0",
        "5 file (Error -3 while decompressing data: incorrect data check)",
    ),
    "unpackable": (header() + struct.pack("<II", COMPRESSED, 9) + b"not zlib!", "5 file (Error -3 while"),
    "no matrix": (header() + struct.pack("<II", 13, 8) + bytes(8), "an element of type 13 where a variable should be"),
    "nothing in it": (header() + struct.pack("<II", MATRIX, 0), "(it breaks off)"),
    "flags": (header() + struct.pack("<4I", MATRIX, 8, 4 << 16 | UINT32, 0), "a variable without flags"),
    "short part": (header() + struct.pack("<4I", MATRIX, 8, 5 << 16 | UINT32, 0), "a short part of 5 bytes"),
    "huge name": (header() + struct.pack("<4I", MATRIX, 8, 6, 2**32 - 1), "a part of 4294967295 bytes"),
    "X of doubles": (as_X(OF_DOUBLES, kind=DOUBLE, content=bytes(54 * 8)), ELSE.format("double")),
    "X complex": (as_X(OF_BYTES | COMPLEX), ELSE.format("complex uint8")),
    "X logical": (as_X(OF_BYTES | LOGICAL), ELSE.format("logical uint8")),
    "X stored as int8": (as_X(OF_BYTES, kind=INT8), "its X is not stored as 54 bytes"),
    "X shorter": (as_X(OF_BYTES, content=PIXELS[:-1]), "its X is not stored as 54 bytes"),
    "X longer": (as_X(OF_BYTES, content=PIXELS + b"\0"), "a part of 55 bytes, where 54 are possible"),
    "X goes on": (header() + labels() + packed(images() + bytes(8)), "goes on after its numbers"),
    "X wider": (as_X(OF_BYTES, (2, 3, 3, 3)), "its X is uint8 (2, 3, 3, 3) instead of uint8, 3x2x3"),
    "X of 5 dimensions": (as_X(OF_BYTES, (3, 2, 3, 3, 1)), "its X is uint8 (3, 2, 3, 3, 1) instead of"),
    "X empty": (as_X(OF_BYTES, (3, 2, 3, 0), content=b""), "claims 0 images; 1 to 2000000 are possible"),
    "X negative": (as_X(OF_BYTES, (3, 2, 3, -1)), "claims -1 images"),
    "X huge": (as_X(OF_BYTES, (3, 2, 3, 2**31 - 1)), "claims 2147483647 images"),
    "X larger than the file": (as_X(OF_BYTES, (3, 2, 3, 2 * 10**6)), "bytes cannot hold the 2000000 images that they"),
    "label 0": (with_y(1, 0, 1), "counted from 0: label -1 at index 1 is out of range 0..9"),
    "label 11": (with_y(1, 2, 11), "counted from 0: label 10 at index 2 is out of range 0..9"),
    "label 0.5": (with_y(1, 0.5, 1), "its labels are not whole numbers"),
    "label NaN": (with_y(1, float("nan"), 1), "its labels are not whole numbers"),
    "label infinite": (with_y(1, float("inf"), 1), "its labels are not whole numbers"),
    "too few labels": (with_y(1, 2, shape=(2, 1)), "holds 3 images but 2 labels"),
    "square labels": (with_y(1, 2, 3, 4, shape=(2, 2)), "its y is double (2, 2) instead of a number for each image"),
    "no labels": (with_y(shape=(0, 1)), "its y is double (0, 1) instead of"),
    "y complex": (as_y(OF_BYTES | COMPLEX), "its y is complex uint8 (3, 1)"),
    "y huge": (as_y(OF_BYTES, (2**31 - 1, 1)), "its y is uint8 (2147483647, 1) instead of"),
    "y stored as two": (as_y(OF_BYTES, content=LABELS[:2]), "its y is not stored as 3 numbers"),
    "y of no type": (as_y(OF_BYTES, kind=8), "its y is not stored as 3 numbers"),
    "y goes on": (header() + images() + packed(labels() + bytes(8)), "goes on after its numbers"),
    "saved struct": (saved(X={"a": 1}, y=1), "its X is struct (1, 1) instead of"),
    "X opaque": (as_X(OPAQUE), "holds no variable X"),
}
KINDS = {1: "cell", 2: "struct", OBJECT: "object", 4: "char", 5: "sparse", FUNCTION: "function handle"}
for number, kind in KINDS.items():
    WRONG[f"X a {kind}"] = as_X(number), ELSE.format(kind)
    WRONG[f"y a {kind}"] = as_y(number), f"its y is {kind} (3, 1) instead of"


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_one_line(tmp_path, kind):
    content, reason = WRONG[kind]
    message = refusal(tmp_path, content)
    assert reason in message
    assert "out of range" in message or message.endswith("fetched again, or put a good copy in its place")


def bomb(name: bytes, kind: int, shape: Sequence[int], size: int) -> bytes:
    """A compressed variable of zeros."""
    plain = variable(name, kind, shape, UINT8, bytes(8))[:-16]
    squeeze = zlib.compressobj()
    content = squeeze.compress(plain + struct.pack("<II", UINT8, size))
    content += b"".join(squeeze.compress(bytes(2**20)) for _ in range(size // 2**20)) + squeeze.flush()
    return header() + struct.pack("<II", COMPRESSED, len(content)) + content


@pytest.mark.parametrize(
    "content",
    [
        bomb(b"X", OF_BYTES, (*SHAPE, 2**25 // 18), 2**25),
        bomb(b"X", OF_BYTES, (*SHAPE, 10**6), 2**25),
        bomb(b"X", OF_BYTES, (*SHAPE, 1000), 2**25),
        bomb(b"y", OF_DOUBLES, (10**6, 1), 2**25),
        header() + images() + labels()[:8] + struct.pack("<2I", UINT32, 2**32 - 1) + bytes(100),
        header() + struct.pack("<II", MATRIX, 2**32 - 1) + images()[8:-80],
    ],
    ids=["images", "fewer images", "few images", "labels", "part", "element"],
)
def test_a_small_file_that_claims_or_unpacks_to_much_takes_little_memory(tmp_path, content):
    tracemalloc.start()
    refusal(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_reading_takes_the_memory_of_the_images_once(tmp_path):
    pixels = np.random.default_rng(1).bytes(18 * 2**18)
    content = header() + packed(images("<", (*SHAPE, 2**18), pixels)) + labels("<", b"\x01" * 2**18)
    (tmp_path / "digits.mat").write_bytes(content)
    before = set(os.listdir("/dev/fd"))
    tracemalloc.start()
    X, y, _ = read_svhn(tmp_path / "digits.mat", SHAPE)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert X.nbytes + y.nbytes <= left < 1.15 * X.nbytes + y.nbytes
    # Beside them a few blocks, and the labels as they are stored.
    assert peak < left + 2 * y.nbytes + 4 * 2**20
    assert set(os.listdir("/dev/fd")) == before


def assert_refused_or(folder: Path, content: bytes, pixels: bytes, digits: bytes) -> None:
    """Either one line, or these pixels and labels."""
    (folder / "digits.mat").write_bytes(content)
    try:
        X, y, _ = read_svhn(folder / "digits.mat", SHAPE)
    except DataError as error:
        message = str(error)
    else:
        np.testing.assert_array_equal(X, in_place(pixels))
        assert y.tolist() == [label % 10 for label in digits]
        return
    assert message.startswith(f"{folder / 'digits.mat'}: ")
    assert "\n" not in message


SMALL = FORMS["little endian"]
ORDERS = {"<": SMALL, ">": FORMS["big endian"]}
CHANGES = st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.one_of(st.integers(0, 20), st.integers(0, 255))))
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)


@FUZZ
@given(st.sampled_from("<>"), CHANGES, st.one_of(st.just(len(SMALL)), st.integers(0, len(SMALL))), st.booleans())
def test_changed_and_cut_bytes_are_refused_or_read_as_they_are(tmp_path, order, changes, end, is_packed):
    content = bytearray(ORDERS[order])
    for place, value in changes:
        content[place] = value
    del content[end:]
    X_place, y_place, split = SMALL.index(PIXELS), len(SMALL) - 4, 128 + len(images())
    pixels, digits = content[X_place : X_place + 54], content[y_place : y_place + 3]
    if is_packed:  # what the compressed data's checksums do not notice
        content = content[:128] + packed(content[128:split], order) + packed(content[split:], order)
    assert_refused_or(tmp_path, content, pixels, digits)


PACKED = FORMS["compressed"]


@FUZZ
@given(st.integers(128, len(PACKED) - 1), st.integers(0, 255), st.one_of(st.none(), st.integers(0, len(PACKED))))
def test_compressed_data_that_changed_or_broke_off_never_give_other_images(tmp_path, place, flips, end):
    content = bytearray(PACKED)
    content[place] ^= flips
    assert_refused_or(tmp_path, content[:end], PIXELS, LABELS)


@pytest.mark.parametrize("content", [SMALL, b"", bytes(1000), SMALL[:200]])
def test_nothing_of_another_file_than_the_published_is_interpreted(tmp_path, monkeypatch, content):
    (tmp_path / "digits.mat").write_bytes(content)
    monkeypatch.setattr("bdfa_np.data.readers.svhn._read_variables", None)  # calling it is a TypeError
    with pytest.raises(DataError, match=r"digits\.mat: altered: the SHA-256 of its content is"):
        read_svhn(tmp_path / "digits.mat", SHAPE, "0" * 64)


@pytest.mark.parametrize("make", [None, os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_a_missing_file_a_folder_or_a_pipe_is_one_line(tmp_path, make):
    if make is not None:
        make(tmp_path / "digits.mat")
    with pytest.raises(DataError, match="cannot be read: No such file" if make is None else "is a folder or a device"):
        read_svhn(tmp_path / "digits.mat", SHAPE)


COUNTS = {"train_32x32.mat": 73, "extra_32x32.mat": 5, "test_32x32.mat": 3}


@pytest.fixture
def contents(monkeypatch) -> dict[str, bytes]:
    """Small files by their names, pixels and labels by "X" and "y" before these; they are in the registry."""
    entry = registry.ENTRIES["svhn"]
    generator = np.random.default_rng(2)
    made, files = {}, []
    for file in entry.sources[0].files:
        count = COUNTS[file.name]
        made["X" + file.name] = generator.bytes(3072 * count)
        made["y" + file.name] = bytes(generator.integers(1, 11, count, np.uint8))
        X = images("<", (32, 32, 3, count), made["X" + file.name])
        made[file.name] = header() + packed(X) + packed(labels("<", made["y" + file.name]))
        sha256 = hashlib.sha256(made[file.name]).hexdigest()
        files.append(dataclasses.replace(file, sha256_content=sha256, sha256_archive=sha256, urls=(), size=None))
    source = dataclasses.replace(entry.sources[0], files=tuple(files))
    monkeypatch.setitem(registry.ENTRIES, "svhn", dataclasses.replace(entry, sources=(source,)))
    return made


@pytest.mark.parametrize("extra", [True, False])
def test_extra_images_follow_the_training_images_where_they_are_wanted(tmp_path, contents, extra):
    train, test = ["train_32x32.mat", "extra_32x32.mat"][: 1 + extra], "test_32x32.mat"
    for name in (*train, test):
        (tmp_path / name).write_bytes(contents[name])
    dataset = load_dataset("SVHN", tmp_path, extra=extra)
    expected = in_place(b"".join(contents["X" + name] for name in train), (32, 32, 3))
    np.testing.assert_array_equal(dataset.train_images, expected, strict=True)
    assert dataset.train_labels.tolist() == [label % 10 for name in train for label in contents["y" + name]]
    np.testing.assert_array_equal(dataset.test_images, in_place(contents["X" + test], (32, 32, 3)), strict=True)
    assert dataset.test_labels.tolist() == [label % 10 for label in contents["y" + test]]
    assert dataset.train_images.flags.c_contiguous
    assert dataset.test_images.flags.c_contiguous
    assert dataset.class_names == tuple("0123456789")
    assert dataset.checksums == {name: hashlib.sha256(contents[name]).hexdigest() for name in (*train, test)}


def test_a_file_in_anothers_place_is_refused_by_name(tmp_path, contents):
    for name in COUNTS:
        (tmp_path / name).write_bytes(contents["train_32x32.mat"])
    with pytest.raises(DataError) as caught:
        load_dataset("svhn", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'extra_32x32.mat'}: altered: the SHA-256")
