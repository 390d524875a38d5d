"""In the skeleton of an HDF5 file, what would be a crash or no end in HDF5 is found before HDF5 reads it."""

import io
import struct

import h5py
import pytest
from crafted_hdf5 import array, content, replaced

from bdfa_np.errors import ContentError
from bdfa_np.system.hdf5 import opened

NO_EXTENT, LOOP = "an array has chunks without extent", "has a loop"


def refusal(whole):
    """Return why content is refused before HDF5 has seen it."""
    with pytest.raises(ContentError) as caught, opened(io.BytesIO(whole)):
        pass
    return caught.value.reason


def members(count=3):
    """Return a file with so many groups, in the oldest layout."""
    return content(lambda file: [file.create_group(f"group{number:04d}") for number in range(count)])


def changed(whole, place, form, *values):
    out = bytearray(whole)
    struct.pack_into(form, out, place, *values)
    return bytes(out)


@pytest.mark.parametrize("sides", [(0, 6, 4), (2, 0, 4), (2, 6, 0)])
def test_a_chunk_with_a_side_of_nothing_is_refused(sides):
    whole = array(chunks=(2, 6))
    assert refusal(replaced(whole, struct.pack("<III", 2, 6, 4), struct.pack("<III", *sides))) == NO_EXTENT


@pytest.mark.parametrize(
    ("count", "sides"), [(0, (2, 6, 4)), (1, (2, 6, 4)), (3, (0, 6, 4)), (3, (2, 0, 4)), (3, (2, 6, 0))]
)
def test_in_the_latest_layout_too(count, sides):
    whole = content(
        lambda file: file.create_dataset("x", data=[[0.5] * 6] * 4, dtype="f4", chunks=(2, 6)), libver="latest"
    )
    place = whole.index(bytes((3, 1, 2, 6, 4)))
    assert refusal(changed(whole, place, "5B", count, 1, *sides)) == NO_EXTENT


def test_a_list_of_free_places_that_leads_to_itself_is_refused():
    whole = members()
    heap = whole.index(b"HEAP")
    free, data = struct.unpack_from("<QQ", whole, heap + 16)
    assert LOOP in refusal(changed(whole, data + free, "<Q", free))


def test_a_tree_that_leads_to_itself_is_refused():
    whole = members()
    tree = whole.index(b"TREE")
    assert LOOP in refusal(changed(changed(whole, tree + 5, "B", 1), tree + 32, "<Q", tree))


def test_a_tree_of_chunks_that_leads_to_itself_is_refused():
    whole = array(chunks=(2, 6))
    tree = whole.index(b"TREE\1")
    assert LOOP in refusal(changed(changed(whole, tree + 5, "B", 1), tree + 24 + 32, "<Q", tree))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_header_that_goes_on_in_itself_is_refused(libver):
    def fill(file):
        for number in range(7):
            file.create_group("x") if not number else file["x"].attrs.create(f"name{number}", "text" * 50)

    whole = content(fill, libver=libver)
    sign, ahead = (struct.pack("<HH", 0x10, 16), 8) if libver == "earliest" else (struct.pack("<BH", 0x10, 16), 4)
    with h5py.File(io.BytesIO(whole)) as file:
        place = whole.index(sign, h5py.h5o.get_info(file["x"].id).addr) + ahead
    later, length = struct.unpack_from("<QQ", whole, place)
    assert later + length <= len(whole)
    # The block where it goes on ends in a message of its own that leads to it again.
    signed = 4 if libver == "latest" else 0
    loop = sign + bytes(ahead - len(sign)) + struct.pack("<QQ", later, length)
    assert LOOP in refusal(whole[: later + signed] + loop + whole[later + signed + len(loop) :])


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize("count", [0, 1, 8, 9, 40, 1000])
def test_files_as_they_are_written_pass(libver, count):
    def fill(file):
        for number in range(count):
            group = file.create_group(f"group{number}/within")
            group.attrs["name"] = "text"
            group.create_dataset("x", data=[[1.0, 2.0]] * 3, chunks=(2, 2), maxshape=(None, 2))

    whole = content(fill, libver=libver, userblock_size=512)
    with opened(io.BytesIO(whole)) as file:
        assert len(file) == count
