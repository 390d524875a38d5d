"""The user's own ``.npz`` files: bytes written from the formats' descriptions, and what hostile ones come to."""

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
MODEST = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def npy(header: str, content: bytes, version: int = 1) -> bytes:
    """The .npy format: magic, version, length of the header, header, content."""
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin1") + content


def description(descr: str, shape: Any, fortran: bool = False) -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def of_array(array: np.ndarray) -> bytes:
    return npy(description(repr(array.dtype.str), array.shape), array.tobytes())


def archive(*more: tuple[str, bytes], method: int = zipfile.ZIP_STORED, **replaced: bytes) -> bytes:
    """A zip archive of the good arrays, some of them replaced, and of more members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer:
        for name, array in GOOD.items():
            writer.writestr(f"{name}.npy", replaced.get(name, of_array(array)))
        for name, content in more:
            writer.writestr(name, content)
    return file.getvalue()


def patched(content: bytes, name: str, local: int, central: int, value: bytes) -> bytes:
    """Overwrite a field of a member's two headers, at these offsets from where each begins; -1 for neither."""
    changed = bytearray(content)
    places = content.index(name.encode()) - 30, content.rindex(name.encode()) - 46
    assert content[places[0] :].startswith(b"PK\3\4")
    assert content[places[1] :].startswith(b"PK\1\2")
    for place, offset in zip(places, (local, central), strict=True):
        if offset >= 0:
            changed[place + offset : place + offset + len(value)] = value
    return bytes(changed)


def load(tmp_path: Path, content: bytes) -> dict[str, np.ndarray]:
    (tmp_path / "digits.npz").write_bytes(content)
    dataset = load_dataset(tmp_path / "digits.npz")
    return {name: getattr(dataset, name) for name in GOOD}


def refusal(tmp_path: Path, content: bytes) -> str:
    """The message of the refusal, which must be one line that begins with the path."""
    with pytest.raises(DataError) as caught:
        load(tmp_path, content)
    path = f"{tmp_path / 'digits.npz'}: "
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path)
    assert "gzip" not in str(caught.value)
    return str(caught.value).removeprefix(path)


def assert_good(arrays: dict[str, np.ndarray]) -> None:
    for name, truth in GOOD.items():
        np.testing.assert_array_equal(arrays[name], truth, strict=True)


def assert_good_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        arrays = load(tmp_path, content)
    except DataError:
        refusal(tmp_path, content)
    else:
        assert_good(arrays)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    file = io.BytesIO()
    save(file, **GOOD)
    assert_good(load(tmp_path, file.getvalue()))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_the_formats_describe_is_read(tmp_path, method):
    assert_good(load(tmp_path, archive(method=method)))


def test_a_header_of_version_2_is_read(tmp_path):
    labels = npy(description("'<i8'", (2,)), GOOD["test_labels"].tobytes(), version=2)
    assert_good(load(tmp_path, archive(test_labels=labels)))


def test_a_header_as_python_2_wrote_it_is_read_without_a_warning(tmp_path):
    labels = npy(description("'<i8'", "(2L,)"), GOOD["test_labels"].tobytes())
    assert_good(load(tmp_path, archive(test_labels=labels)))


def test_columns_first_and_the_highest_byte_first_are_read(tmp_path):
    images = GOOD["train_images"]
    columns = npy(description("'|u1'", images.shape, fortran=True), images.tobytes("F"))
    labels = npy(description("'>i4'", (2,)), b"\0\0\0\2\0\0\0\1")
    arrays = load(tmp_path, archive(train_images=columns, test_labels=labels))
    assert_good(arrays)
    assert arrays["train_images"].flags.c_contiguous


def test_more_than_a_read_at_once_is_read(tmp_path):
    images = NUMBERS.integers(0, 256, (2, 1500, 1000, 1), np.uint8)
    content = archive(
        train_images=of_array(images),
        train_labels=of_array(np.arange(2)),
        test_images=of_array(images),
        test_labels=of_array(np.arange(2)),
    )
    np.testing.assert_array_equal(load(tmp_path, content)["train_images"], images)


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"PK\3\4", b"\x89HDF\r\n\x1a\n", b"PK\5\6" + bytes(18)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    refusal(tmp_path, content)


def test_an_array_that_is_there_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = archive(("test_labels.npy", of_array(np.array([0, 0]))))
    assert "test_labels twice" in refusal(tmp_path, content)


def test_an_encrypted_array_is_refused(tmp_path):
    assert "train_labels is encrypted" in refusal(tmp_path, patched(archive(), "train_labels", 6, 8, b"\1\0"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_way_to_pack_that_numpy_does_not_use_is_refused(tmp_path, method):
    assert "packed in an unusual way" in refusal(tmp_path, archive(method=method))


@pytest.mark.parametrize("method", [1, 12, 93, 99, 65535])
def test_an_unknown_way_to_pack_is_refused(tmp_path, method):
    content = patched(archive(), "test_images", 8, 10, struct.pack("<H", method))
    assert "test_images is packed" in refusal(tmp_path, content)


def test_a_wrong_checksum_is_noticed(tmp_path):
    assert "CRC" in refusal(tmp_path, archive().replace(GOOD["test_images"].tobytes(), bytes(12)))


def test_packed_bytes_that_are_damaged_are_refused(tmp_path):
    content = archive(method=zipfile.ZIP_DEFLATED)
    place = content.index(b"test_labels.npy") + len("test_labels.npy")
    for value in (b"\xff" * 4, b"\x06\0\0\0"):
        assert "not a readable .npz" in refusal(tmp_path, content[:place] + value + content[place + 4 :])


def test_an_archive_of_a_later_version_is_refused(tmp_path):
    assert "version" in refusal(tmp_path, patched(archive(), "test_labels", 4, 6, b"\xff\0"))


def test_a_wrong_checksum_of_an_array_of_several_reads_is_noticed(tmp_path):
    images = NUMBERS.integers(0, 256, (1, 1500, 1000, 1), np.uint8)
    parts = {
        f"{part}_{kind}": of_array(array)
        for part in ("train", "test")
        for kind, array in (("images", images), ("labels", np.array([1])))
    }
    content = bytearray(archive(**parts))
    content[700_000] ^= 1
    assert "CRC" in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_is_refused_wherever_it_is_cut(tmp_path, method):
    content = archive(method=method)
    for size in range(0, len(content), 7):
        refusal(tmp_path, content[:size])


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ("(3,)", bytes(16)),
        ("(1,)", bytes(16)),
        ("(-2,)", bytes(16)),
        ("(-1, -2)", bytes(16)),
        ("(2,)", bytes(15)),
        (f"({2**61},)", bytes(16)),
    ],
)
def test_a_header_that_does_not_fit_the_content_is_refused(tmp_path, shape, content):
    assert "test_labels claims" in refusal(
        tmp_path, archive(test_labels=npy(description("'<i8'", shape), content), method=zipfile.ZIP_DEFLATED)
    )


@pytest.mark.parametrize("sides", [33, 65, 1000])
def test_more_dimensions_than_numpy_has_are_refused(tmp_path, sides):
    labels = npy(description("'|u1'", (1,) * sides), b"\1")
    assert "test_labels have the shape" in refusal(tmp_path, archive(test_labels=labels))


def test_an_endless_empty_array_is_refused(tmp_path):
    images = npy(description("'|u1'", (0, 10**30)), b"")
    assert "test_images have the shape (0, 1000" in refusal(tmp_path, archive(test_images=images))


@pytest.mark.parametrize(
    "descr",
    [
        "'|O'",
        "[('a', '|O')]",
        "[('a', '<i4'), ('b', '<i4')]",
        "('<i4', (2,))",
        "'<U2'",
        "'|S8'",
        "'|V8'",
        "'<M8[s]'",
        "'<m8[s]'",
        "'<c8'",
    ],
)
@pytest.mark.parametrize("name", ["test_images", "test_labels"])
def test_what_is_no_number_is_refused(tmp_path, descr, name):
    shape = (2, 1) if name == "test_images" else (2,)
    assert name in refusal(tmp_path, archive(**{name: npy(description(descr, shape), bytes(16))}))


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    file = io.BytesIO()
    np.save(file, np.array([Trap(), 1], dtype=object), allow_pickle=True)
    for name in ("test_images", "test_labels"):
        assert f"{name} holds Python objects" in refusal(tmp_path, archive(**{name: file.getvalue()}))
    assert "class_names holds Python objects" in refusal(tmp_path, archive(("class_names.npy", file.getvalue())))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "\n",
        "{}",
        "[1]",
        "(" * 9000,
        "-" * 9000,
        "[" * 60 + "]" * 60,
        "{[]: 1}",
        "{'descr': (), 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i8', 'fortran_order': 2, 'shape': (2,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2.0,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i99999999999', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': [], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '\\d', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1if 1else 2,)}",
        "__import__('os').getpid()",
        "\0",
        "'''",
        "  1\n 2",
    ],
)
def test_a_header_that_says_something_else_is_refused(tmp_path, header):
    refusal(tmp_path, archive(test_labels=npy(header, bytes(16))))


@pytest.mark.parametrize("start", [b"", b"\x93NUMPY", b"\x93NUMPX\1\0", b"\x93NUMPY\3\0\1\0\0\0{", b"\x93NUMPY\x09\0"])
def test_a_member_that_is_no_array_is_refused(tmp_path, start):
    refusal(tmp_path, archive(test_labels=start))


def test_a_header_of_an_unknown_version_is_refused(tmp_path):
    labels = npy(description("'<i8'", (2,)), bytes(16), version=3)
    assert "test_labels has a header of version (3, 0)" in refusal(tmp_path, archive(test_labels=labels))


def peak_of(function: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_header_of_gigabytes_is_not_unpacked(tmp_path):
    bomb = npy(" " * 2**26, b"", version=2)
    content = archive(train_images=bomb, method=zipfile.ZIP_DEFLATED)
    assert peak_of(lambda: refusal(tmp_path, content)) < 2**22


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("offsets", [[24], [20, 24]])
def test_a_member_that_claims_more_than_its_bytes_can_hold_is_refused_before_memory_is_taken(tmp_path, method, offsets):
    size = 2**31
    header = npy(description("'|u1'", (2, size - 64)), b"")
    content = archive(test_images=header, method=method)
    for offset in offsets:
        content = patched(content, "test_images", -1, offset, struct.pack("<I", 2 * (size - 64) + len(header)))
    assert peak_of(lambda: refusal(tmp_path, content)) < 2**22
    assert f"test_images claims {2 * (size - 64) + len(header)} bytes, packed into" in refusal(tmp_path, content)


def test_a_member_that_ends_before_its_claim_is_refused(tmp_path):
    whole = of_array(GOOD["test_images"])
    content = archive(test_images=whole, method=zipfile.ZIP_DEFLATED)
    short = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = short.compress(whole[:-1]) + short.flush()
    place = content.index(b"test_images.npy") + len("test_images.npy")
    (size,) = struct.unpack_from("<I", content, content.index(b"test_images.npy") - 30 + 18)
    assert len(packed) <= size
    content = content[:place] + packed + bytes(size - len(packed)) + content[place + size :]
    # With the checksum that the shorter content has, so that this alone gives nothing away.
    content = patched(content, "test_images", 14, 16, struct.pack("<I", zlib.crc32(whole[:-1])))
    assert "test_images breaks off after 11 of 12 bytes" in refusal(tmp_path, content)


def test_nonsense_in_the_fields_of_zip64_is_refused(tmp_path):
    for extra in (struct.pack("<HHQ", 1, 8, 2**62), struct.pack("<HHQ", 1, 8, 2**64 - 1), struct.pack("<HH", 1, 8)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as writer:
            for name, array in GOOD.items():
                info = zipfile.ZipInfo(f"{name}.npy")
                info.extra = extra if name == "test_images" else b""
                writer.writestr(info, of_array(array))
        refusal(tmp_path, patched(file.getvalue(), "test_images", -1, 24, b"\xff" * 4))


@pytest.mark.parametrize("offset", [2**31, 2**62, 2**63, 2**64 - 1])
def test_an_offset_of_zip64_that_is_nonsense_is_refused(tmp_path, offset):
    extra = struct.pack("<HHQ", 1, 8, offset)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        for name, array in GOOD.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            info.extra = extra if name == "test_images" else b""
            writer.writestr(info, of_array(array))
    refusal(tmp_path, patched(file.getvalue(), "test_images", -1, 42, b"\xff" * 4))


def test_a_member_beyond_the_file_is_refused(tmp_path):
    for offset in (0, 1, 2**31, 2**32 - 2):
        refusal(tmp_path, patched(archive(), "test_labels", -1, 42, struct.pack("<I", offset)))


def test_more_names_than_there_can_be_classes_are_refused_unread(tmp_path):
    names = npy(description("'|S1'", (2**17,)), b"a" * 2**17)
    assert "class_names are |S1 (131072,): " in refusal(tmp_path, archive(("class_names.npy", names)))


def test_text_beyond_unicode_is_refused(tmp_path):
    names = npy(description("'<U1'", (3,)), b"\xff\xff\xff\x7f" * 3)
    refusal(tmp_path, archive(("class_names.npy", names)))


@MODEST
@given(data=st.data(), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_changed_bytes_give_the_right_data_or_one_line(tmp_path, data, method):
    content = bytearray(archive(method=method))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert_good_or_refused(tmp_path, bytes(content))


@MODEST
@given(header=st.text(st.characters(max_codepoint=255), max_size=60), version=st.sampled_from([1, 2]))
def test_any_header_gives_one_line(tmp_path, header, version):
    refusal(tmp_path, archive(test_labels=npy(header, bytes(16), version)))
