"""The user's own HDF5 files: where their arrays may lie, and what damaged and hostile ones come to."""

import io
import math
import os
import signal
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data import load_dataset
from bdfa_np.errors import DataError

NUMBERS = np.random.default_rng(0)
GOOD: dict[str, np.ndarray] = {
    "train_images": NUMBERS.integers(0, 256, (4, 2, 3, 1), np.uint8),
    "train_labels": np.array([0, 1, 2, 0]),
    "test_images": NUMBERS.integers(0, 256, (2, 2, 3, 1), np.uint8),
    "test_labels": np.array([2, 1]),
}
MODEST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# The one layout in which HDF5 keeps a checksum on its own structures, and the filter that keeps one on the values.
CHECKED_FILE = {"libver": ("v110", "v110")}
UNKNOWN_FILTER = 32767

Change = Callable[[h5py.File], Any]


def written(*changes: Change, leave_out: tuple[str, ...] = (), **settings: Any) -> bytes:
    """An HDF5 file of the good arrays without some, then changed."""
    content = io.BytesIO()
    with h5py.File(content, "w", **settings) as file:
        for name, array in GOOD.items():
            if name not in leave_out:
                file[name] = array
        for change in changes:
            change(file)
    return content.getvalue()


def replaced(name: str, change: Change) -> bytes:
    return written(change, leave_out=(name,))


def array_of(name: str, **options: Any) -> Change:
    return lambda file: file.create_dataset(name, **options)


def load(tmp_path: Path, content: bytes) -> dict[str, np.ndarray]:
    (tmp_path / "digits.h5").write_bytes(content)
    dataset = load_dataset(tmp_path / "digits.h5")
    return {name: getattr(dataset, name) for name in GOOD}


def refusal(tmp_path: Path, content: bytes) -> str:
    """The message of the refusal, which must be one line that begins with the path."""
    with pytest.raises(DataError) as caught:
        load(tmp_path, content)
    path = f"{tmp_path / 'digits.h5'}: "
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path)
    return str(caught.value).removeprefix(path)


def assert_good(arrays: dict[str, np.ndarray]) -> None:
    for name, truth in GOOD.items():
        np.testing.assert_array_equal(arrays[name], truth, strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (1, 2, 2, 1)},
        {"chunks": (4, 2, 3, 1), "compression": "gzip", "shuffle": True},
        {"compression": "lzf", "fletcher32": True},
        {"maxshape": (None, 2, 3, 1)},
    ],
)
def test_arrays_are_read_however_they_are_laid_out(tmp_path, options):
    images = array_of("train_images", data=GOOD["train_images"], **options)
    assert_good(load(tmp_path, replaced("train_images", images)))


@pytest.mark.parametrize("settings", [{"libver": "earliest"}, {"libver": "latest"}, {"userblock_size": 512}])
def test_files_of_every_age_are_read(tmp_path, settings):
    assert_good(load(tmp_path, written(**settings)))


def test_a_second_name_of_an_array_is_as_good_as_the_first(tmp_path):
    def change(file: h5py.File) -> None:
        file["elsewhere/labels"] = GOOD["test_labels"]
        file["test_labels"] = file["elsewhere/labels"]

    assert_good(load(tmp_path, replaced("test_labels", change)))


def test_the_highest_byte_first_is_read(tmp_path):
    content = replaced("train_images", array_of("train_images", data=GOOD["train_images"].astype(">i4")))
    assert_good(load(tmp_path, content))


@pytest.mark.parametrize("chunks", [None, (3, 200, 100), (700, 1, 400)])
def test_more_rows_than_are_read_at_once_are_read(tmp_path, monkeypatch, chunks):
    monkeypatch.setattr("bdfa_np.data.readers.own_h5._BYTES_PER_READ", 10**6)
    images = NUMBERS.integers(0, 256, (100, 200, 400), np.uint8)
    chunks = chunks and tuple(map(min, chunks, images.shape))

    def change(file: h5py.File) -> None:
        for part in ("train", "test"):
            file.create_dataset(f"{part}_images", data=images, chunks=chunks)
            file[f"{part}_labels"] = np.arange(100)

    content = written(change, leave_out=tuple(GOOD))
    np.testing.assert_array_equal(load(tmp_path, content)["test_images"][..., 0], images)


def test_an_interrupt_waits_for_hdf5_and_then_stops_the_reading(tmp_path, monkeypatch):
    read_direct = h5py.Dataset.read_direct
    finished = []

    def interrupted(self: h5py.Dataset, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        read_direct(self, *arguments)
        finished.append(self.name)

    monkeypatch.setattr(h5py.Dataset, "read_direct", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, written())
    assert finished == ["/train_images"]


def test_text_of_either_kind_names_the_classes(tmp_path):
    for dtype in (h5py.string_dtype(length=8), h5py.string_dtype("ascii", 8)):
        names = ["cat", "dog", "cow"] if h5py.check_string_dtype(dtype).encoding == "ascii" else ["cat", "été", "cow"]
        stored = array_of("class_names", data=[name.encode() for name in names], dtype=dtype)
        (tmp_path / "digits.h5").write_bytes(written(stored))
        assert load_dataset(tmp_path / "digits.h5").class_names == tuple(names)


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"\x89HDF\r\n\x1a\n", b"PK\3\4", b"\x89HDF\r\n\x1a\n" * 100])
def test_a_file_that_is_no_hdf5_is_refused(tmp_path, content):
    assert refusal(tmp_path, content).startswith("not a readable HDF5 file")


@pytest.mark.parametrize("name", [*GOOD, "class_names"])
@pytest.mark.parametrize(
    "link", [h5py.SoftLink("/elsewhere"), h5py.SoftLink("/nowhere"), h5py.ExternalLink("other.h5", "/elsewhere")]
)
def test_a_link_to_another_place_is_refused(tmp_path, name, link):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["elsewhere"] = GOOD["test_labels"]

    def change(file: h5py.File) -> None:
        file["elsewhere"] = GOOD.get(name, ["cat", "dog", "cow"])
        file[name] = link

    assert refusal(tmp_path, replaced(name, change)).startswith(f"{name} is a link to another place")


@pytest.mark.parametrize("name", ["test_images", "class_names"])
def test_values_that_are_kept_in_another_file_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    raw = GOOD["test_images"].tobytes()
    Path("raw").write_bytes(raw)
    content = replaced(name, array_of(name, shape=(2, 2, 3, 1), dtype="u1", external=[("raw", 0, len(raw))]))
    assert refusal(tmp_path, content).startswith(f"{name} is kept in other files")


@pytest.mark.parametrize("maximum", [(2, 2, 3, 1), (None, 2, 3, 1)])
def test_a_view_of_another_file_is_refused_without_a_look_at_it(tmp_path, monkeypatch, maximum):
    monkeypatch.chdir(tmp_path)
    # To open a named pipe would be to wait for ever.
    os.mkfifo("other.h5")

    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((2, 2, 3, 1), "u1", maxshape=maximum)
        layout[:] = h5py.VirtualSource("other.h5", "images", (2, 2, 3, 1), maxshape=maximum)
        file.create_virtual_dataset("test_images", layout)

    assert refusal(tmp_path, replaced("test_images", change)).startswith("test_images is kept in other files")


@pytest.mark.parametrize("name", ["test_images", "class_names"])
def test_a_group_is_refused(tmp_path, name):
    content = replaced(name, lambda file: file.create_group(name))
    assert refusal(tmp_path, content).startswith(f"{name} is a group")


def test_a_type_under_an_arrays_name_is_refused(tmp_path):
    def change(file: h5py.File) -> None:
        file["test_images"] = np.dtype("u1")

    assert "test_images" in refusal(tmp_path, replaced("test_images", change))


@pytest.mark.parametrize(
    "options",
    [
        {"data": h5py.Empty("u1")},
        {"shape": (2,), "dtype": h5py.vlen_dtype(np.uint8)},
        {"shape": (2,), "dtype": h5py.ref_dtype},
        {"data": np.zeros(2, "i4,f4")},
        {"shape": (2,), "dtype": np.dtype(("i4", (2,)))},
        {"data": np.array([b"a", b"b"])},
        {"data": ["a", "b"]},
        {"data": np.zeros(2, "V8")},
        {"data": np.zeros(2, "c8")},
    ],
)
@pytest.mark.parametrize("name", ["test_images", "test_labels"])
def test_what_is_no_number_is_refused(tmp_path, name, options):
    line = refusal(tmp_path, replaced(name, array_of(name, **options)))
    is_text = options.get("dtype", np.asarray(options.get("data", 0)).dtype.kind) in ("S", "U")
    if name == "test_labels" and is_text:  # words, but those of train_labels are numbers
        assert "words" in line or "numpy.char.encode" in line
    else:
        assert line.startswith(name)
        assert line.endswith("store an array of numbers")


def test_an_enumeration_is_read_as_the_numbers_that_it_is(tmp_path):
    dtype = h5py.enum_dtype({"cat": 0, "dog": 1, "cow": 2}, basetype="i8")
    assert_good(load(tmp_path, replaced("test_labels", array_of("test_labels", data=[2, 1], dtype=dtype))))


def unknown_filter(name: str, shape: tuple[int, ...]) -> Change:
    def change(file: h5py.File) -> None:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk(shape)
        # Optional, since HDF5 refuses to create what it could never write.
        properties.set_filter(UNKNOWN_FILTER, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(shape)
        array = h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_U8LE, space, properties)
        array.write_direct_chunk((0,) * len(shape), bytes(math.prod(shape)))

    return change


def test_an_unknown_way_to_pack_is_named(tmp_path):
    line = refusal(tmp_path, replaced("test_images", unknown_filter("test_images", (2, 2, 3, 1))))
    assert line.startswith("test_images is packed with 'filter' (32767), which is not unpacked here")


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (2, 2, 3, 1), "dtype": "u1"},
        {"shape": (2, 10**6, 10**6), "dtype": "f8"},
        {"shape": (2, 2, 3, 1), "dtype": "u1", "chunks": (1, 2, 3, 1)},
        {"shape": (2, 2**62 // 4, 1), "dtype": "u1", "chunks": (1, 1, 1)},
        {"shape": (2, 2, 3, 1), "dtype": "u1", "compression": "gzip", "fillvalue": 7},
    ],
)
def test_an_array_that_was_never_written_is_refused(tmp_path, options):
    line = refusal(tmp_path, replaced("test_images", array_of("test_images", **options)))
    assert line.startswith("test_images has only 0 of its ")


def test_an_array_that_was_written_in_part_is_refused(tmp_path):
    def change(file: h5py.File) -> None:
        file.create_dataset("test_images", (2, 2, 3, 1), "u1", chunks=(1, 2, 2, 1))[:, :, :2] = 1

    assert refusal(tmp_path, replaced("test_images", change)).startswith("test_images has only 2 of its 4 chunks")


def peak_of(function: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_packed_chunks_that_claim_more_than_the_memory_are_refused_before_it_is_taken(tmp_path):
    per_chunk = 2**29
    chunks = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (6 * per_chunk) + 1

    def change(file: h5py.File) -> None:
        for name, sample in (("test_images", (2, 3, 1)), ("test_labels", ())):
            shape, one = (chunks * per_chunk, *sample), (per_chunk, *sample)
            array = file.create_dataset(name, shape, "u1", chunks=one, compression="gzip")
            for number in range(chunks):
                array.id.write_direct_chunk((number * per_chunk, *(0 for _ in sample)), b"x")

    content = written(change, leave_out=("test_images", "test_labels"))
    assert peak_of(lambda: refusal(tmp_path, content)) < 2**24
    assert "of memory, and this machine has" in refusal(tmp_path, content)


def test_unpacked_chunks_that_share_their_bytes_are_refused(tmp_path):
    content = replaced(
        "test_images", array_of("test_images", data=np.full((2, 20, 1000, 1), 7, np.uint8), chunks=(1, 1, 1000, 1))
    )
    with h5py.File(io.BytesIO(content), "r") as file:
        array = file["test_images"].id
        first, *others = sorted(array.get_chunk_info(index).byte_offset for index in range(40))
    # The chunks lie at the file's end, where all but the first are now cut off.
    assert first + 40 * 1000 == len(content)
    for offset in others:
        assert content.count(struct.pack("<Q", offset)) == 1
        content = content.replace(struct.pack("<Q", offset), struct.pack("<Q", first))
    content = content.replace(struct.pack("<Q", len(content)), struct.pack("<Q", first + 1000))[: first + 1000]
    assert refusal(tmp_path, content).startswith(f"test_images has only {first + 1000} of its 40000 bytes")


def test_packed_bytes_that_are_damaged_are_refused(tmp_path):
    def change(file: h5py.File) -> None:
        array = file.create_dataset("test_images", (2, 2, 3, 1), "u1", chunks=(2, 2, 3, 1), compression="gzip")
        array.id.write_direct_chunk((0, 0, 0, 0), b"no zlib stream")

    assert refusal(tmp_path, replaced("test_images", change)).startswith("not a readable HDF5 file")


VARYING = (
    "class_names are texts of varying length, which are not read: "
    "store numpy.char.encode(numpy.array(class_names, dtype=str), 'utf-8')"
)


@pytest.mark.parametrize("options", [{}, {"maxshape": (None,)}], ids=["contiguous", "in chunks"])
def test_names_of_varying_length_are_refused_with_advice_that_works(tmp_path, options):
    names = ["cat", "Größe", "x" * 300]
    assert refusal(tmp_path, written(array_of("class_names", data=names, **options))) == VARYING
    content = written(array_of("class_names", data=np.char.encode(names, "utf-8"), **options))
    (tmp_path / "digits.h5").write_bytes(content)
    assert load_dataset(tmp_path / "digits.h5").class_names == tuple(names)


def test_names_that_send_hdf5_round_in_circles_are_refused_unread(tmp_path):
    content = bytearray(written(array_of("class_names", data=["cat", "cow", "dog"])))
    # An object of 2⁶⁴ - 16 bytes: after it and its header, HDF5 is where it was before.
    place = content.index(b"GCOL") + 16 + 8
    content[place : place + 8] = (2**64 - 16).to_bytes(8, "little")
    assert refusal(tmp_path, bytes(content)) == VARYING


def test_names_that_are_not_utf_8_are_refused(tmp_path):
    content = written(array_of("class_names", data=np.array([b"cat", b"\xff\xfe", b"dog"])))
    assert refusal(tmp_path, content).startswith("class_names are not UTF-8 ")


def test_names_of_a_great_fixed_length_are_refused_unread(tmp_path):
    names = array_of("class_names", shape=(3,), dtype=h5py.string_dtype(length=2**31 - 1))
    line = refusal(tmp_path, written(names))
    assert line == "class_names are longer than 1024 bytes: shorten them"


@pytest.mark.parametrize("names", [np.arange(3), np.zeros(3, "V4"), h5py.Empty("S1")])
def test_names_that_are_no_row_of_texts_are_refused(tmp_path, names):
    line = refusal(tmp_path, written(array_of("class_names", data=names)))
    assert line.startswith(f"class_names are {names.dtype} {names.shape}: they must be a row of texts")


def test_names_without_end_are_refused_unread(tmp_path):
    names = array_of("class_names", shape=(2**40,), dtype=h5py.string_dtype())
    assert refusal(tmp_path, written(names)).startswith("class_names are object (1099511627776,): ")


def test_a_file_is_refused_wherever_it_is_cut(tmp_path):
    content = written()
    for size in range(0, len(content), 97):
        refusal(tmp_path, content[:size])


def checked(file: h5py.File) -> None:
    for name, array in GOOD.items():
        file.create_dataset(name, data=array, chunks=array.shape, fletcher32=True)


CHECKED = written(checked, leave_out=tuple(GOOD), **CHECKED_FILE)
UNCHECKED = written(array_of("class_names", data=np.array([b"cat", b"dog", b"cow"])))
PACKED = written(
    array_of("train_images", data=GOOD["train_images"], compression="gzip", shuffle=True), leave_out=("train_images",)
)


def changed(content: bytes, data: st.DataObject) -> bytes:
    result = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        result[data.draw(st.integers(0, len(result) - 1))] = data.draw(st.integers(0, 255))
    return bytes(result)


@MODEST
@given(data=st.data())
def test_changed_bytes_give_the_right_data_or_one_line_where_there_are_checksums(tmp_path, data):
    content = changed(CHECKED, data)
    try:
        arrays = load(tmp_path, content)
    except DataError:
        refusal(tmp_path, content)
    else:
        assert_good(arrays)


@MODEST
@given(data=st.data(), content=st.sampled_from([UNCHECKED, PACKED]))
def test_changed_bytes_give_data_of_some_kind_or_one_line_where_there_are_none(tmp_path, data, content):
    content = changed(content, data)
    try:
        load(tmp_path, content)
    except DataError:
        refusal(tmp_path, content)
