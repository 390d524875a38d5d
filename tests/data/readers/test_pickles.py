"""CIFAR's Python version: pickles as Python 2 wrote them, opcode by opcode, and what hostile ones come to."""

import hashlib
import os
import pickle
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data.readers import pickles
from bdfa_np.data.readers.pickles import read_pickle
from bdfa_np.errors import DataError

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
EMPTY_ARRAY = RECONSTRUCT + b"q\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
DTYPE = b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def string(content: bytes) -> bytes:
    return b"U" + bytes([len(content)]) + content


def numbers(values: list[int]) -> bytes:
    """A list in batches of a thousand, as Python 2 has them."""
    batches = [values[start : start + 1000] for start in range(0, len(values), 1000)]
    return b"]" + b"".join(b"(" + b"".join(b"K" + bytes([value]) for value in batch) + b"e" for batch in batches)


def matrix(rows: np.ndarray, fortran: bytes = b"\x89") -> bytes:
    shape = b"".join(b"J" + struct.pack("<i", side) for side in rows.shape) + b"\x86"
    return EMPTY_ARRAY + b"(K\x01" + shape + DTYPE + fortran + long_string(rows.tobytes()) + b"tb"


def long_string(content: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(content)) + content


def dictionary(**items: bytes) -> bytes:
    """A whole pickle of a dictionary whose values are pickled already."""
    inside = b"".join(string(key.encode()) + b"r\x00\x01\x00\x00" + value for key, value in items.items())
    return b"\x80\x02}q\x01(" + inside + b"u."


ROWS = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
GOOD = dictionary(
    batch_label=string(b"training batch 1 of 5"),
    labels=numbers([6, 9, 9, 4]),
    data=matrix(ROWS),
    filenames=b"](" + b"".join(string(b"%d.png" % number) + b"q\x0d" for number in range(4)) + b"e",
)


def read(tmp_path: Path, content: bytes) -> dict[str, object]:
    (tmp_path / "file").write_bytes(content)
    return read_pickle(tmp_path / "file", len(content))[0]


def refusal(tmp_path: Path, content: bytes) -> str:
    """The message of the refusal, which must be one line that names the file."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'file'}: ")
    return str(caught.value)


def test_a_pickle_is_read_as_python_and_numpy_themselves_read_it(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of how old ones spelt a dtype
        truth = pickle.loads(GOOD, encoding="bytes")
    content = read(tmp_path, GOOD)
    assert [key.encode() for key in content] == list(truth)
    np.testing.assert_array_equal(content["data"], truth[b"data"], strict=True)
    np.testing.assert_array_equal(content["data"], ROWS)
    for key in ("labels", "batch_label", "filenames"):
        assert content[key] == truth[key.encode()]


def test_the_checksum_is_that_of_the_file(tmp_path):
    (tmp_path / "file").write_bytes(GOOD)
    assert read_pickle(tmp_path / "file", len(GOOD))[1] == hashlib.sha256(GOOD).hexdigest()


def test_an_array_in_columns_comes_out_as_numpy_reads_it(tmp_path):
    content = dictionary(data=matrix(ROWS[:, :6].T, b"\x88"))
    np.testing.assert_array_equal(read(tmp_path, content)["data"], ROWS[:, :6].T.reshape(-1).reshape(6, 4, order="F"))


def test_items_may_be_put_in_one_by_one_and_from_the_memo(tmp_path):
    items = b"]M\x01\x02aNa(\x88)K\x05q\x03tah\x03ar\x01\x00\x00\x00j\x01\x00\x00\x00a"
    content = b"\x80\x02}" + string(b"a") + items + b"s."
    value = read(tmp_path, content)["a"]
    assert value[:4] == [513, None, (True, (), 5), 5]
    assert value[4] is value


def test_the_newer_name_of_numpys_function_is_the_same(tmp_path):
    content = GOOD.replace(b"cnumpy.core.multiarray", b"cnumpy._core.multiarray")
    np.testing.assert_array_equal(read(tmp_path, content)["data"], ROWS)


class Gadget:
    """Something that Python's own reader calls a function for."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


GADGETS = {
    "os.system": lambda mark: Gadget(os.system, f"touch '{mark}'"),
    "eval": lambda mark: Gadget(eval, f"open({str(mark)!r}, 'w').close()"),
    "exec": lambda mark: Gadget(exec, f"open({str(mark)!r}, 'w').close()"),
    "open": lambda mark: Gadget(open, str(mark), "w"),
    "getattr": lambda mark: Gadget(Gadget(getattr, Gadget(__import__, "os"), "mkdir"), str(mark)),
    "numpy": lambda mark: Gadget(np.save, f"{mark}.npy", [1]),
    "apply": lambda mark: Gadget(np.apply_along_axis, os.mkdir, 0, [str(mark)]),
}
# A chain of calls is pickled as one call of what another call returns.
CHAIN = b"\x80\x02cbuiltins\ngetattr\ncbuiltins\n__import__\n(U\x02ostRU\x05mkdir\x86R(%stR0}."


def payload(kind: str, protocol: int, mark: Path) -> bytes:
    if kind == "getattr":
        return CHAIN % string(str(mark).encode())
    if kind == "inst":
        return b"(S'%s'\nios\nmkdir\n." % str(mark).encode()
    if kind == "obj":
        return b"(cos\nmkdir\nS'%s'\no." % str(mark).encode()
    return pickle.dumps(GADGETS[kind](mark), protocol)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", [kind for kind in GADGETS if kind != "apply"] + ["inst", "obj"])
def test_nothing_runs_that_python_itself_would_run(tmp_path, kind, protocol):
    mark = tmp_path / "ran"
    content = payload(kind, protocol, mark)
    written = mark.with_name("ran.npy") if kind == "numpy" else mark
    returned = pickle.loads(content)
    assert written.exists(), "the gadget does nothing, and so tests nothing"
    if hasattr(returned, "close"):
        returned.close()
    if written.is_dir():
        written.rmdir()
    else:
        written.unlink()
    for hidden in (content, GOOD[:-2] + string(b"x") + content[2 if content[:1] == b"\x80" else 0 : -1] + b"u."):
        refusal(tmp_path, hidden)
        assert not written.exists()


ARRAY = EMPTY_ARRAY + b"(K\x01K\x02K\x03\x86" + DTYPE + b"\x89U\x06abcdeftb"
HOSTILE = {
    "empty": (b"", "breaks off"),
    "text": (b"plain text", "opcode 0x70"),
    "other name": (b"\x80\x02cos\nsystem\n.", "names 'os.system', which is not allowed"),
    "numpy function": (b"\x80\x02cnumpy\nload\n.", "names 'numpy.load'"),
    "name in parts": (b"\x80\x02cnumpy.core\nmultiarray._reconstruct\nK\x00R.", "something other"),
    "dotted name": (b"\x80\x02cnumpy\nndarray.tofile\n.", "names 'numpy.ndarray.tofile'"),
    "name with an escape": (b"\x80\x02c\x1b[2J\n\xff\n.", r"names '\x1b[2J.\\xff'"),
    "endless name": (b"\x80\x02c" + b"a" * 100_000, "a name is too long"),
    "protocol 3": (b"\x80\x03}.", "not of protocol 2"),
    "frame": (b"\x80\x02\x95" + bytes(8) + b"}.", "opcode 0x95"),
    "stack global": (b"\x80\x02U\x02osU\x06system\x93.", "opcode 0x93"),
    "extension": (b"\x80\x02\x82\x01.", "opcode 0x82"),
    "persistent": (b"\x80\x02Pid\n.", "opcode 0x50"),
    "persistent in binary": (b"\x80\x02K\x01Q.", "opcode 0x51"),
    "new object": (b"\x80\x02cnumpy\nndarray\nK\x05\x85\x81.", "opcode 0x81"),
    "call of an array": (b"\x80\x02" + ARRAY + b")R.", "calls something other"),
    "call of a name": (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.", "calls something other"),
    "other subtype": (EMPTY_ARRAY.replace(b"ndarray", b"dtype"), "calls something other"),
    "large at once": (EMPTY_ARRAY.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85"), "calls something other"),
    "large type at once": (EMPTY_ARRAY.replace(b"U\x01b", b"U\x01d"), "calls something other"),
    "names in each other's place": (EMPTY_ARRAY.replace(RECONSTRUCT, b"cnumpy\ndtype\n"), "calls something other"),
    "arguments in each other's place": (RECONSTRUCT + b"U\x02u1K\x00K\x01\x87R.", "calls something other"),
    "objects": (b"\x80\x02" + ARRAY.replace(b"u1", b"O8") + b".", "calls something other"),
    "other type": (b"\x80\x02" + ARRAY.replace(b"u1", b"f8") + b".", "calls something other"),
    "state of a name": (b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.", "sets the state of something other"),
    "state of a function": (RECONSTRUCT + b"}U\x08__code__K\x01sb.", "sets the state of something other"),
    "state of a list": (b"\x80\x02]}b.", "sets the state of something other"),
    "no tuple": (b"\x80\x02" + EMPTY_ARRAY + b"}b.", "an array is not what it should be"),
    "too long a shape": (b"\x80\x02" + ARRAY.replace(b"K\x03\x86", b"J\xff\xff\xff\x7f\x86") + b".", "an array is not"),
    "too short a shape": (b"\x80\x02" + ARRAY.replace(b"K\x03\x86", b"K\x02\x86") + b".", "an array is not"),
    "negative shape": (ARRAY.replace(b"K\x02K\x03", b"J\xfe\xff\xff\xffJ\xfd\xff\xff\xff"), "an array is not"),
    "a side of True": (ARRAY.replace(b"K\x02K\x03\x86", b"\x88K\x06\x86"), "an array is not"),
    "one side": (ARRAY.replace(b"K\x02K\x03\x86", b"K\x06\x85"), "an array is not"),
    "three sides": (ARRAY.replace(b"K\x02K\x03\x86", b"K\x01K\x02K\x03\x87"), "an array is not"),
    "another version": (ARRAY.replace(b"(K\x01K\x02", b"(K\x02K\x02"), "an array is not"),
    "no dtype": (ARRAY.replace(DTYPE, b"N"), "an array is not"),
    "no order": (ARRAY.replace(b"\x89U\x06", b"NU\x06"), "an array is not"),
    "no bytes": (ARRAY.replace(b"U\x06abcdef", b"]"), "an array is not"),
    "a list": (b"\x80\x02].", "it is not of a dictionary"),
    "an array": (b"\x80\x02" + ARRAY + b".", "it is not of a dictionary"),
    "two objects": (b"\x80\x02}}.", "something left over"),
    "an open mark": (b"\x80\x02}(.", "something left over"),
    "more after the end": (GOOD + b"}.", "something left over"),
    "no object": (b"\x80\x02.", "something left over"),
    "no mark": (b"\x80\x02K\x01t.", "no mark is on the stack"),
    "past the mark": (b"\x80\x02}(K\x01s.", "nothing is on the stack"),
    "below the mark": (b"\x80\x02](a.", "nothing is on the stack"),
    "items into a number": (b"\x80\x02K\x01K\x02a.", "fills something other than a list"),
    "keys into a list": (b"\x80\x02]U\x01aK\x02s.", "fills something other than a dict"),
    "half a pair": (b"\x80\x02}(U\x01au.", "a dictionary's keys"),
    "list as key": (b"\x80\x02}]K\x01s.", "a dictionary's keys"),
    "not memorized": (b"\x80\x02h\x05.", "recalls 5"),
    "long string": (b"\x80\x02T\xff\xff\xff\x7fabc", "breaks off"),
    "negative string": (b"\x80\x02T\xff\xff\xff\xffabc", "breaks off"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_one_line(tmp_path, kind):
    content, reason = HOSTILE[kind]
    assert reason in refusal(tmp_path, content)


@pytest.mark.parametrize("end", [b"", b"."])
def test_a_pickle_that_breaks_off_anywhere_is_refused(tmp_path, end):
    content = dictionary(labels=numbers([1, 2, 3]), data=ARRAY)
    assert read(tmp_path, content)["data"].tolist() == [[97, 98, 99], [100, 101, 102]]
    # A dictionary that nothing was put into yet is whole.
    for cut in range(content.index(b"(") + 1 if end else 0, len(content) - 1):
        refusal(tmp_path, content[:cut] + end)


BOMBS = {
    "lists": b"\x80\x02" + b"]" * 2**18,
    "nested tuples": b"\x80\x02)" + b"\x85" * 2**18,
    "nested lists": b"\x80\x02]" + b"q\x00]h\x00a" * 2**16,
    "nested arguments": RECONSTRUCT + b")" + b"\x85" * 10_000 + b"R.",
    "itself as arguments": RECONSTRUCT + b"]q\x00h\x00a\x85R.",
    "marks": b"\x80\x02" + b"(" * 2**18,
    "shape": ARRAY.replace(b"K\x02K\x03", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f"),
    "string": b"\x80\x02T\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_takes_little_memory_and_no_deep_recursion(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(pickles, "_MOST_OPCODES", 2**14)
    tracemalloc.start()
    try:
        refusal(tmp_path, BOMBS[kind])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**14 + 3 * len(BOMBS[kind])


def test_memorizing_under_a_large_number_takes_no_memory(tmp_path):
    tracemalloc.start()
    assert read(tmp_path, b"\x80\x02}r\xff\xff\xff\xff(" + string(b"a") + b"r\xff\xff\xff\x7fNu.") == {"a": None}
    assert tracemalloc.get_traced_memory()[1] < 1e5
    tracemalloc.stop()


def test_as_many_opcodes_as_cifar_100_has_are_read(tmp_path):
    labels = numbers([index % 100 for index in range(50_000)])
    names = b"](" + b"".join(string(b"%06d.png" % number) + b"r\x00\x01\x00\x00" for number in range(50_000)) + b"e"
    content = read(tmp_path, dictionary(fine_labels=labels, coarse_labels=labels, filenames=names))
    assert content["fine_labels"][-3:] == [97, 98, 99]
    assert content["filenames"][-1] == b"049999.png"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 30),
)
def test_mutated_pickles_are_refused_in_one_line_or_hold_only_plain_objects(tmp_path, changes, cut):
    content = bytearray(dictionary(labels=numbers([6, 9]), data=ARRAY, names=b"(" + string(b"n") + b"NK\x01t"))
    for place, value in changes:
        content[place % len(content)] = value
    (tmp_path / "file").write_bytes(content[: len(content) - cut])
    try:
        value, _ = read_pickle(tmp_path / "file", len(content))
    except DataError as error:
        message = str(error)
        value = {}
    else:
        message = ""
    assert "\n" not in message
    assert all(type(key) is str for key in value)
    assert all(item.dtype == np.uint8 for item in value.values() if isinstance(item, np.ndarray))


def test_a_file_of_any_size_is_read_no_further_than_it_should_be(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    with pytest.raises(DataError, match="too long: it should be 1000 bytes and more follow"):
        read_pickle(tmp_path / "file", 1000)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(DataError, match="No such file"):
        read_pickle(path, 1000)
    path.mkdir()
    with pytest.raises(DataError, match="is a folder or a device"):
        read_pickle(path, 1000)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a folder or a device"):
        read_pickle(path, 1000)
