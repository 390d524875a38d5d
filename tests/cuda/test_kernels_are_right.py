"""The generated C of each formula, compiled for the host, against the same formula in NumPy."""

import re

import numpy as np
import pytest
from formulas import FORMULAS
from host_kernels import HostKernel, compiler

from bdfa_np.backend import maths
from bdfa_np.backend.cuda.formula import kernel_source
from bdfa_np.backend.cuda.kernels import named_source
from bdfa_np.backend.formula import as_tuple, in_order

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")

SIZE = 1009


def edge_values(dtype):
    """Return remarkable numbers; of float32 none near a denormal, which is 0 on CUDA and is not in NumPy."""
    limits = np.finfo(dtype)
    tiny = [limits.tiny, limits.smallest_subnormal] if dtype == "float64" else [1e-30]
    some = [0.0, 1.0, 0.5, 1e-3, 20.0, 1e4, np.inf, limits.max, *tiny]
    return np.array([*some, *(-value for value in some), np.nan, 1 + limits.eps], dtype)


def entries(count, dtype, seed):
    """Return arrays in which every pair of edge values meets, and ordinary numbers."""
    generator = np.random.default_rng(seed)
    values = edge_values(dtype)
    arrays = [generator.normal(size=SIZE).astype(dtype) for _ in range(count)]
    pairs = len(values) ** 2
    for i, array in enumerate(arrays):
        array[:pairs] = np.tile(values, len(values)) if i % 2 else np.repeat(values, len(values))
    return arrays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_formulas_kernel_gives_what_numpy_gives(name, dtype):
    case = FORMULAS[name]
    constants = {name: np.dtype(dtype).type(value) for name, value in case.constants.items()}
    arrays = entries(1 + max(case.given + case.out), dtype, seed=3)
    with np.errstate(all="ignore"):
        expected = as_tuple(case.formula(*(arrays[i].copy() for i in case.given), **constants))
    numbers = in_order(case.formula, constants)
    HostKernel(case.source(dtype), "elementwise")(3, 64, (*arrays, *numbers, SIZE))
    for place, value in zip(case.out, expected, strict=True):
        assert value.dtype == dtype  # of which a number in a formula must not make float64
        eps = np.finfo(dtype).eps
        if case.exact:
            np.testing.assert_array_equal(arrays[place], np.broadcast_to(value, SIZE))
        else:
            np.testing.assert_allclose(arrays[place], value, rtol=8 * eps, atol=eps)  # differences cancel


@pytest.mark.parametrize("name", FORMULAS)
def test_no_number_in_a_formula_is_a_denormal_of_float32_which_is_0_on_cuda(name):
    case = FORMULAS[name]
    written_down = [float(text) for text in re.findall(r"Real\((.*?)\)", case.source("float32"))]
    numbers = np.abs([*case.constants.values(), *written_down])
    assert ((numbers == 0) | (numbers >= np.finfo("float32").tiny)).all(), numbers


def test_a_threads_share_covers_every_size():
    case = FORMULAS["descend"]
    for size in (1, 63, 64, 65, 1000):
        w, g = np.zeros(1200), np.ones(1200)
        HostKernel(case.source("float64"), "elementwise")(2, 32, (w, g, np.float64(0.01), size))
        assert (w[:size] == -0.01).all()
        assert (w[size:] == 0).all()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda a: a + np.float64(1.0), r"np\.float64\(1\.0\) in a formula"),
        (lambda a: np.float32(2.0) * a, r"np\.float32\(2\.0\) in a formula"),
        (lambda a: a * np.ones(3), "in a formula"),
        (lambda a: a + 1j, "1j in a formula"),
        (lambda a: a + True, "True in a formula"),
        (lambda a: a + float("inf"), "inf in a formula"),
        (lambda a: a if a >= -a else -a, "must not branch"),
        (lambda a: maths.where(0 < a < 1, a, 0), "must not branch"),
        (lambda a: 0.0 * 1.0, "0.0 in a formula"),
        (lambda a: np.cosh(a), "may not use cosh"),
        (lambda a: np.clip(a, 0, 1), "may not use clip"),
        (lambda a: a**2, "may not use power"),
        (lambda a: a == a, "may not use equal"),
        (lambda a: np.sqrt(a, where=True), "may not use sqrt with where"),
        (lambda a: np.add.reduce(a), r"may not use add\.reduce"),
        (lambda a: maths.cosh(a), "no function 'cosh'"),
        (lambda a: float(a), "float"),
    ],
)
def test_a_formula_that_is_no_kernel_is_refused(formula, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        kernel_source(formula, (0,), (0,), "float32")


# Known answers of Philox4x32-10, from the authors' Random123 distribution (kat_vectors).
KNOWN = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_the_random_words_are_philoxs(counter, key, expected):
    source = named_source("float32") + (
        'extern "C" __global__ void words(unsigned int* counter, unsigned int key0, unsigned int key1) {\n'
        "    philox(counter, key0, key1);\n}\n"
    )
    words = np.array(counter, np.uint32)
    HostKernel(source, "words")(1, 1, (words, np.uint32(key[0]), np.uint32(key[1])))
    assert words.tolist() == expected
