"""The IDX reader, on files written byte by byte."""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data.readers.idx import read_idx
from bdfa_np.errors import DataError

SHAPE = (2, 3)
IMAGES = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


CONTENT = idx_bytes(IMAGES)


def refusal(path: Path, item_shape: tuple[int, ...] = SHAPE) -> str:
    """The message of the refusal, which must be one line that names the file."""
    with pytest.raises(DataError) as caught:
        read_idx(path, item_shape)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some-images"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_reads_plain_and_gzipped_content_whatever_the_name(tmp_path, pack, name):
    path = tmp_path / name
    path.write_bytes(pack(CONTENT))
    values, sha256 = read_idx(path, SHAPE)
    np.testing.assert_array_equal(values, IMAGES)
    assert values.dtype == np.uint8
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_reads_labels(path):
    path.write_bytes(b"\0\0\x08\x01\0\0\0\x03\x07\x00\x09")
    assert read_idx(path, ())[0].tolist() == [7, 0, 9]


def test_reads_content_longer_than_one_read(path):
    images = np.random.default_rng(0).integers(0, 256, (1500, 28, 28), dtype=np.uint8)
    path.write_bytes(gzip.compress(idx_bytes(images), 1))
    np.testing.assert_array_equal(read_idx(path, (28, 28))[0], images)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_truncated_content_is_refused_with_its_size(path, pack):
    path.write_bytes(pack(CONTENT[:-5]))
    assert f"truncated: has {len(CONTENT) - 5} of {len(CONTENT)} bytes" in refusal(path)


def test_gzip_data_that_break_off_are_refused_as_truncated(path):
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    packed = gzip.compress(idx_bytes(noise))
    path.write_bytes(packed[: len(packed) // 2])
    message = refusal(path, (28, 28))
    have, expected = (int(word) for word in message.split("truncated: has ")[1].split()[0:3:2])
    assert expected == 16 + noise.size
    assert expected * 0.4 < have < expected * 0.6


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_gzip_file_without_its_last_bytes_is_refused(path, cut):
    path.write_bytes(gzip.compress(CONTENT)[:-cut])
    assert "truncated" in refusal(path)


def test_a_wrong_gzip_checksum_is_refused(path):
    packed = bytearray(gzip.compress(CONTENT))
    packed[-8] ^= 1
    path.write_bytes(packed)
    assert "gzip data are damaged" in refusal(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_content_that_is_too_long_is_refused(path, pack):
    path.write_bytes(pack(CONTENT + b"\0"))
    assert "too long" in refusal(path)


def test_bytes_after_the_gzip_data_are_refused(path):
    path.write_bytes(gzip.compress(CONTENT) + b"more")
    assert "gzip data are damaged" in refusal(path)


@pytest.mark.parametrize("magic", [b"\0\0\x08\x01", b"\0\0\x0d\x03", b"\1\0\x08\x03", b"\x89PNG"])
def test_a_wrong_magic_number_is_refused(path, magic):
    path.write_bytes(magic + CONTENT[4:])
    assert f"wrong magic number 0x{magic.hex()}" in refusal(path)


@pytest.mark.parametrize("length", [0, 3, 4, 15])
def test_a_header_that_breaks_off_is_refused(path, length):
    path.write_bytes(CONTENT[:length])
    assert f"has {length} of its header's 16 bytes" in refusal(path)


def test_items_of_another_shape_are_refused(path):
    path.write_bytes(CONTENT)
    assert "(2, 3) instead of (28, 28)" in refusal(path, (28, 28))


def test_a_file_without_items_is_refused(path):
    path.write_bytes(idx_bytes(IMAGES[:0]))
    assert "holds no items" in refusal(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize(("count", "reason"), [(2**32 - 1, "more than any IDX data set"), (150_000_000, "truncated")])
def test_an_absurd_size_in_the_header_takes_no_memory(path, pack, count, reason):
    path.write_bytes(pack(struct.pack(">HBBIII", 0, 8, 3, count, 2, 3) + b"\0" * 100))
    tracemalloc.start()
    assert reason in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_promises(path):
    squeeze = zlib.compressobj(9, wbits=31)
    packed = squeeze.compress(CONTENT)
    packed += b"".join(squeeze.compress(bytes(2**20)) for _ in range(512))
    path.write_bytes(packed + squeeze.flush())
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "too long" in message
    assert peak < 3e6


def test_a_missing_file_is_refused(path):
    assert "No such file" in refusal(path)


def test_a_folder_in_the_files_place_is_refused(path):
    path.mkdir()
    assert "is a folder" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_at_once(path):
    os.mkfifo(path)
    assert "not a file" in refusal(path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to all but one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_unreadable_file_is_refused(public_folder):
    path = public_folder / "images"
    path.write_bytes(CONTENT)
    path.chmod(0)
    script = textwrap.dedent(
        f"""
        import os
        from bdfa_np.data.readers.idx import read_idx
        from bdfa_np.errors import DataError
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            read_idx({str(path)!r}, (2, 3))
        except DataError as error:
            print(error)
        """
    )
    # Only a child can give up root, whom no permission keeps from reading.
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert child.stdout == f"{path}: cannot be read: Permission denied: check its permissions\n"


def reads_or_refuses(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        values, sha256 = read_idx(path, SHAPE)
    except DataError:
        refusal(path)
        return
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert sha256 == hashlib.sha256(plain).hexdigest()
    assert idx_bytes(values) == plain


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", CONTENT[:4], CONTENT[:16], b"\x1f\x8b", b"\x1f\x8b\x08"]))
def test_random_bytes_are_refused_or_read_as_they_are(path, content, start):
    reads_or_refuses(path, start + content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.booleans(), st.integers(0, 60), st.integers(0, 255), st.integers(0, 60))
def test_mutated_files_are_refused_or_read_as_they_are(path, packed, place, value, cut):
    content = bytearray(gzip.compress(CONTENT, mtime=0) if packed else CONTENT)
    content[place % len(content)] = value
    reads_or_refuses(path, bytes(content[: len(content) - cut] if cut < 10 else content))
