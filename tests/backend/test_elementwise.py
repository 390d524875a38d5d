"""Elementwise formulas: in blocks and compiled, with the same bits, for every optimizer."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from formulas import FORMULAS
from threadpoolctl import threadpool_limits

from bdfa_np.backend import maths
from bdfa_np.backend.cpu import compiling, elementwise, threads
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cpu.compiling import COMPILE_AFTER
from bdfa_np.backend.cpu.elementwise import BLOCK
from bdfa_np.layers import Linear
from bdfa_np.network import Sequential
from bdfa_np.optim import ASGD, OPTIMIZERS

needs_numba = pytest.mark.skipif(not compiling.can_compile(), reason='Numba is not installed: pip install ".[fast]"')


def quotient_and_sum(a, b, *, scale):
    return scale * (a / b), a + b


@pytest.fixture(params=["blocks", pytest.param("compiled", marks=needs_numba)])
def way(request, monkeypatch):
    """Evaluate every formula in one of the two ways, from its first use on."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", 0 if request.param == "compiled" else float("inf"))
    return request.param


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_entry_is_written_once_whatever_the_size(backend, way, size):
    del way
    a, b = np.arange(1.0, size + 1), np.full(size, 4.0)
    quotient, total = np.full(size, np.nan), np.full(size, np.nan)
    backend.elementwise(quotient_and_sum, (a, b), (quotient, total), scale=2.0)
    np.testing.assert_array_equal(quotient, a / 2)
    np.testing.assert_array_equal(total, a + 4)


def test_arrays_of_any_shape_may_be_given_and_written_to(backend, way):
    del way
    a, b = np.full((3, 4, 2), 6.0), np.full((3, 4, 2), 3.0)
    backend.elementwise(quotient_and_sum, (a, b), (b, a), scale=10.0)
    assert (b == 20).all()
    assert (a == 9).all()
    backend.elementwise(
        quotient_and_sum, (a[:, ::2], b[:, 1::2]), (c := np.empty((3, 2, 2)), np.empty((3, 2, 2))), scale=1.0
    )
    assert (c == 9 / 20).all()


def test_an_array_to_write_to_that_is_not_contiguous_is_refused(backend, way):
    del way
    a = np.ones((4, 6))
    with pytest.raises(ValueError, match="contiguous"):
        backend.elementwise(quotient_and_sum, (a[:, ::2], a[:, ::2]), (a[:, 1::2], a[:, 1::2]), scale=1.0)
    assert (a == 1).all()


def test_a_division_by_zero_gives_what_numpy_gives(way):
    del way
    a, b = np.array([1.0, 0.0, -1.0], np.float32), np.zeros(3, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        NumpyBackend().elementwise(quotient_and_sum, (a, b), (a, b), scale=1.0)
    np.testing.assert_array_equal(a, [np.inf, np.nan, -np.inf])


def test_a_large_array_is_shared_among_threads_and_comes_out_the_same(backend, way, monkeypatch):
    del way
    a, b = np.random.default_rng(0).normal(size=(2, 7001))
    expected = quotient_and_sum(a, b, scale=3.0)
    monkeypatch.setattr(threads, "LARGE", 7000)
    with threadpool_limits(3, user_api="blas"), threads.alone():
        backend.elementwise(quotient_and_sum, (a, b), (a, b), scale=3.0)
    np.testing.assert_array_equal(a, expected[0])
    np.testing.assert_array_equal(b, expected[1])


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1000, BLOCK + 1])
@pytest.mark.parametrize("name", FORMULAS)
def test_compiled_and_in_blocks_every_formula_gives_the_same_bits(name, size, dtype, monkeypatch):
    case, backend = FORMULAS[name], NumpyBackend(dtype)
    generator, limits = np.random.default_rng(1), np.finfo(dtype)
    some = [0.0, 1.0, 0.5, 1e-3, 20.0, 1e4, np.inf, limits.max, limits.tiny, limits.smallest_subnormal]
    edges = np.array([*some, *(-value for value in some), np.nan, 1 + limits.eps], dtype)
    shape = len(case.given), size
    given = (generator.normal(size=shape) * 10.0 ** generator.integers(-30, 30, shape)).astype(dtype)
    for i, array in enumerate(given):
        array[: len(edges) ** 2] = np.tile(edges, len(edges)) if i % 2 else np.repeat(edges, len(edges))
    found = []
    for compile_after in (float("inf"), 0):
        monkeypatch.setattr(compiling, "COMPILE_AFTER", compile_after)
        out = [np.full(size, 7, dtype) for _ in case.out]
        with backend.non_finite_allowed(), np.errstate(all="ignore"):
            backend.elementwise(case.formula, [array.copy() for array in given], out, **case.constants)
        found.append(out)
    for blocks, compiled in zip(*found, strict=True):
        # Equal but for two signs that the processor chooses: that of NaN, and of the larger one of 0 and -0.
        np.testing.assert_array_equal(blocks, compiled)


def test_numbers_in_a_formula_have_the_precision_of_its_entries(way):
    del way
    for dtype in ("float32", "float64"):
        a, out = np.full(3, 0.3, dtype), [np.empty(3, dtype) for _ in range(2)]
        NumpyBackend(dtype).elementwise(
            lambda a: (0.1 * a + 0.7, maths.where(a > 0.2, 1 / a - 0.1, -a) + (a > 0) * a * a), (a,), out
        )
        tenth, seven, one = np.array([0.1, 0.7, 1], dtype)
        np.testing.assert_array_equal(out[0], tenth * a + seven)
        np.testing.assert_array_equal(out[1], (one / a - tenth) + a * a)


def test_a_constant_that_a_formula_does_not_have_and_one_that_is_missing_are_refused(backend):
    a = np.ones(3)
    for numbers in ({}, {"scale": 1.0, "rate": 2.0}, {"rate": 2.0}):
        with pytest.raises(TypeError, match="quotient_and_sum takes the constants scale, and is given"):
            backend.elementwise(quotient_and_sum, (a, a), (a.copy(), a.copy()), **numbers)


@needs_numba
def test_what_a_compiler_computes_otherwise_than_numpy_is_never_compiled(monkeypatch):
    monkeypatch.setattr(compiling, "COMPILE_AFTER", 0)
    in_numpy = {name for name, case in FORMULAS.items() if not elementwise.compiles(case.formula)}
    assert in_numpy == {name for name, case in FORMULAS.items() if not case.exact}
    monkeypatch.setattr(elementwise, "compiled", lambda *_: pytest.fail("compiled"))
    a, out = np.linspace(-9, 9, 99, dtype=np.float32), np.empty(99, np.float32)
    NumpyBackend().elementwise(FORMULAS["tanh"].formula, (a,), (out,))
    np.testing.assert_array_equal(out, np.tanh(a))


def test_a_function_of_numpys_alone_is_written_to_its_place_without_memory_of_its_own():
    a, out, tanh = np.linspace(-9, 9, 99_999, dtype=np.float32), np.empty(99_999, np.float32), FORMULAS["tanh"].formula
    NumpyBackend().elementwise(tanh, (a,), (out,))
    tracemalloc.start()
    NumpyBackend().elementwise(tanh, (a,), (out,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9_999
    np.testing.assert_array_equal(out, np.tanh(a))
    NumpyBackend().elementwise(tanh, (a,), (a,))
    np.testing.assert_array_equal(a, out)
    for other in (lambda a: (maths.tanh(a), a), lambda a: 1 + maths.tanh(a), lambda a: a):
        assert elementwise.function_alone(other) is None


def steps(name, backend, monkeypatch, compile_after):
    """Follow an optimizer over hard gradients: zeros, denormal numbers, huge ones, and signs that turn."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", compile_after)
    generator = np.random.default_rng(0)
    vector = Sequential([Linear(101)], (701,), backend=backend).weights
    optimizer = OPTIMIZERS[name]([vector], 0.01, **dict.fromkeys(OPTIMIZERS[name].options, 0.3))
    size = len(vector.values)
    for _ in range(4):
        optimizer.look_ahead()
        gradient = generator.normal(size=size) * 10.0 ** generator.integers(-22, 18, size)
        gradient[::7] = 0
        gradient[::11] = 1e-40
        vector.gradients[...] = gradient
        optimizer.step()
    return [vector.values, vector.gradients, *optimizer.state().values()]


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compiled_and_in_blocks_an_optimizer_takes_the_same_steps_bit_for_bit(name, dtype, monkeypatch):
    monkeypatch.setattr(ASGD, "average_from", 1)
    backend = NumpyBackend(dtype)
    with backend.non_finite_allowed():
        blocks = steps(name, backend, monkeypatch, float("inf"))
        compiled = steps(name, backend, monkeypatch, 0)
    for ours, theirs in zip(compiled, blocks, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@needs_numba
def test_a_formula_is_compiled_once_it_has_been_used_often_enough(monkeypatch):
    used = []
    for way in ("compiled", "in_blocks"):
        monkeypatch.setattr(elementwise, way, lambda *_, way=way: lambda *_: used.append(way))

    def formula(a):
        return a

    a = np.zeros(3, np.float32)
    for _ in range(COMPILE_AFTER + 2):
        NumpyBackend().elementwise(formula, (a,), (a,))
    assert used == ["in_blocks"] * COMPILE_AFTER + ["compiled"] * 2


def test_without_numba_every_use_goes_in_blocks(monkeypatch):
    monkeypatch.setattr(compiling, "can_compile", lambda: False)
    monkeypatch.setattr(compiling, "COMPILE_AFTER", 0)
    monkeypatch.setattr(elementwise, "compiled", lambda *_: pytest.fail("compiled"))
    a, b = np.full(5, 6.0, np.float32), np.full(5, 3.0, np.float32)
    NumpyBackend().elementwise(quotient_and_sum, (a, b), (a, b), scale=1.0)
    assert (a == 2).all()


@needs_numba
def test_a_short_run_does_not_wait_for_numba():
    code = (
        "import sys, numpy as np\n"
        "from bdfa_np import Config, Trainer, build_model\n"
        "model = build_model(Config(), (4, 4, 1), 3)\n"
        "trainer = Trainer(network=model.network, rule=model.rule, loss=model.loss, optimizer=model.optimizer,\n"
        "                  train=[], test=[])\n"
        "trainer.step(np.zeros((2, 4, 4, 1), np.float32), np.array([0, 1]))\n"
        "print('numba' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
