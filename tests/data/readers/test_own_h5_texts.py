"""HDF5's texts of varying length, read from bytes as its format describes them and as h5py writes them."""

import io
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data import load_dataset
from bdfa_np.data.readers.own_h5_texts import read_texts
from bdfa_np.errors import DataError

NAMES = ["cat", "Größe", "x" * 300]


def element(length: int, address: int, index: int) -> bytes:
    return struct.pack("<IQI", length, address, index)


def stored(index: int, text: bytes) -> bytes:
    """An object of the global heap: index, number of references, 4 bytes, size, and the text filled up to 8 bytes."""
    return struct.pack("<HHIQ", index, 1, 0, len(text)) + text + bytes(-len(text) % 8)


def collection(*objects: bytes, size: int | None = None) -> bytes:
    content = b"".join(objects)
    return b"GCOL\1\0\0\0" + struct.pack("<Q", 16 + len(content) if size is None else size) + content


HEAP = collection(stored(1, b"cat"), stored(7, b"elephant"), stored(2, b"dog"))


def read(tmp_path: Path, content: bytes, **options: int) -> list[bytes]:
    path = tmp_path / "file"
    path.write_bytes(content)
    with path.open("rb") as file:
        return read_texts(file, **{"start": 0, "count": 3, "base": 0, "longest": 100, **options})


def test_texts_are_found_by_address_and_index(tmp_path):
    content = element(3, 48, 2) + element(8, 48, 7) + element(3, 48, 1) + HEAP
    assert read(tmp_path, content) == [b"dog", b"elephant", b"cat"]


def test_texts_may_lie_in_several_collections(tmp_path):
    content = element(3, 48, 1) + element(3, 48 + len(HEAP), 1) + element(3, 48, 2) + HEAP
    assert read(tmp_path, content + collection(stored(1, b"cow"))) == [b"cat", b"cow", b"dog"]


def test_elements_and_addresses_count_from_where_they_are_said_to(tmp_path):
    content = b"?" * 8 + element(3, 32, 2) + element(3, 32, 1) + HEAP
    assert read(tmp_path, content, start=8, count=2, base=8) == [b"dog", b"cat"]


def test_a_text_of_length_0_needs_no_collection(tmp_path):
    assert read(tmp_path, element(0, 2**64 - 1, 0), count=1) == [b""]


def test_a_text_is_as_long_as_its_element_says(tmp_path):
    assert read(tmp_path, element(4, 16, 7) + HEAP, count=1) == [b"elep"]


def test_a_long_text_is_cut_off(tmp_path):
    assert read(tmp_path, element(8, 16, 7) + HEAP, count=1, longest=5) == [b"eleph"]


def test_what_follows_the_room_that_is_left_is_no_text(tmp_path):
    heap = collection(stored(1, b"cat"), stored(0, b""), stored(2, b"dog"))
    assert read(tmp_path, element(3, 16, 1) + heap, count=1) == [b"cat"]
    with pytest.raises(ValueError, match="no text 2"):
        read(tmp_path, element(3, 16, 2) + heap, count=1)


def test_room_too_small_for_an_object_may_be_left(tmp_path):
    assert read(tmp_path, element(3, 16, 1) + collection(stored(1, b"cat"), b"\1\0" * 4), count=1) == [b"cat"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (element(3, 16, 2)[:-1], "break off"),
        (element(3, 16, 3) + HEAP, "no text 3 of 3 bytes at 16"),
        (element(4, 16, 2) + HEAP, "no text 2 of 4 bytes"),
        (element(3, 17, 2) + HEAP + b"?", "no texts at byte 17"),
        (element(3, 2**63, 2) + HEAP, "break off"),
        (element(3, 2**64 - 1, 2) + HEAP, "break off"),
        (element(3, 16, 2) + HEAP.replace(b"GCOL\1", b"GCOL\2"), "no texts at byte 16"),
        (element(3, 16, 2) + HEAP.replace(b"GCOL", b"SNOD"), "no texts at byte 16"),
        (element(3, 16, 2) + HEAP[:-1], "break off"),
        (element(3, 16, 2) + collection(stored(2, b"dog"), size=15), "no texts at byte 16"),
        (element(3, 16, 2) + collection(stored(2, b"dog"), size=2**63), "break off"),
        (element(3, 16, 2) + collection(struct.pack("<HHIQ", 1, 1, 0, 2**63), stored(2, b"dog")), "no text 2"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_damaged_bytes_are_refused(tmp_path, content, told):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, content, count=1)


def test_collections_that_overlap_are_refused(tmp_path):
    inner = collection(stored(1, b"cat"))
    outer = collection(stored(1, inner))
    assert read(tmp_path, element(3, 48, 1) + outer, count=1) == [b"cat"]
    # Each is good by itself. A thousand of them, one in the other, would be read a thousand times.
    with pytest.raises(ValueError, match="more room than the file has"):
        read(tmp_path, element(3, 32, 1) + element(3, 64, 1) + outer, count=2)


def own_file(path: Path, names: Any, **options: Any) -> Path:
    with h5py.File(path, "w", **options) as file:
        for part in ("train", "test"):
            file[f"{part}_images"] = np.zeros((3, 2, 2, 1), np.uint8)
            file[f"{part}_labels"] = np.arange(3)
        file.create_dataset("class_names", **names)
    return path


@pytest.mark.parametrize("options", [{}, {"userblock_size": 512}, {"libver": "latest"}], ids=str)
@pytest.mark.parametrize("names", [NAMES, [f"class {number} of many" * 9 for number in range(1000)]], ids=len)
def test_names_that_h5py_wrote_are_read(tmp_path, options, names):
    path = own_file(tmp_path / "own.h5", {"data": names}, **options)
    assert load_dataset(path).class_names == tuple(names)


def test_names_in_chunks_are_refused_with_another_way_to_store_them(tmp_path):
    path = own_file(tmp_path / "own.h5", {"data": NAMES, "maxshape": (None,)})
    with pytest.raises(DataError, match=r"class_names are texts of varying length in an unusual place: store numpy"):
        load_dataset(path)
    own_file(path, {"data": np.char.encode(NAMES, "utf-8")})
    assert load_dataset(path).class_names == tuple(NAMES)


def test_names_that_are_not_utf_8_are_refused(tmp_path):
    path = own_file(tmp_path / "own.h5", {"data": [b"cat", b"\xff\xfe", b"dog"], "dtype": h5py.string_dtype()})
    with pytest.raises(DataError, match=r"own\.h5: class_names are not UTF-8 "):
        load_dataset(path)


def test_a_collection_that_sends_hdf5_round_in_circles_is_refused(tmp_path):
    path = own_file(tmp_path / "own.h5", {"data": ["cat", "cow", "dog"]})
    content = bytearray(path.read_bytes())
    # An object of 2⁶⁴ - 16 bytes: after it and its header, HDF5 is where it was before.
    place = content.index(b"GCOL") + 16 + 8
    content[place : place + 8] = struct.pack("<Q", 2**64 - 16)
    path.write_bytes(content)
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from bdfa_np.data import load_dataset
        from bdfa_np.errors import DataError
        try:
            load_dataset(Path({str(path)!r}))
        except DataError as error:
            print(error)
        """
    )
    # Only a child can be stopped where HDF5 does not come back.
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert child.stdout.startswith(f"{path}: not a readable HDF5 file (it holds no text ")
    assert child.stdout.count("\n") == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 130))
def test_changed_bytes_give_three_texts_or_a_refusal(tmp_path, changes, end):
    content = bytearray(element(3, 48, 2) + element(8, 48, 7) + element(3, 48, 1) + HEAP)
    for place, value in changes:
        content[place % len(content)] = value
    try:
        texts = read(tmp_path, bytes(content[:end]))
    except ValueError:
        return
    assert len(texts) == 3
    assert all(len(text) <= 100 for text in texts)


def test_h5py_agrees_on_where_the_elements_are(tmp_path):
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:
        file["names"] = NAMES
        start, base = file["names"].id.get_offset(), file.userblock_size
    assert [text.decode() for text in read(tmp_path, content.getvalue(), start=start, base=base, longest=999)] == NAMES
