"""Memory that is lent again once nobody holds it."""

import numpy as np

from bdfa_np.backend.cpu.lending import Lender


def test_what_is_held_is_never_lent_again_and_what_is_not_is():
    lender = Lender()
    first = lender.lend((3, 4), "float32")
    first[...] = 1
    second = lender.lend((3, 4), "float32")
    second[...] = 2
    assert (first == 1).all()
    address = first.ctypes.data
    del first
    third = lender.lend((2, 6), "float32")
    assert third.ctypes.data == address
    assert lender.bytes_held() == [48, 48]


def test_a_view_holds_the_memory_as_its_array_does():
    lender = Lender()
    view = lender.lend((3, 4), "float64").reshape(-1)[::2].reshape(2, 3)
    view[...] = 5
    lender.lend((3, 4), "float64")[...] = 7
    assert (view == 5).all()


def test_a_block_grows_where_it_is_too_small_and_gives_what_it_had_back():
    lender = Lender()
    for size in (5, 50, 7, 500):
        lent = lender.lend((size,), "float32")
        assert lent.shape == (size,)
        assert lent.dtype == np.float32
        assert lent.flags.c_contiguous
        assert lent.flags.writeable
        lent[...] = size
        del lent
    assert lender.bytes_held() == [2000]
    assert lender.lend((0, 4), "float32").shape == (0, 4)


def test_what_is_asked_for_in_the_same_order_lies_in_the_same_places():
    lender, met = Lender(), []
    for _ in range(3):
        signal, places = None, []
        for size in (3, 8, 2, 9):
            signal = lender.lend((size,), "float64")
            places.append(signal.ctypes.data)
        met.append(places)
        signal = None
    assert met[1] == met[2]
    assert len(lender.bytes_held()) == 2
