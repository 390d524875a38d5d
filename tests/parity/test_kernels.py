"""The comparison of two backends' kernels: another order of summation passes, and each planted fault is noticed."""

# A fault has the arguments of what it stands for.

import inspect
import subprocess
import sys

import formulas
import numpy as np
import pytest

from bdfa_np.backend import maths
from bdfa_np.backend.base import Backend
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.formula import FORMULAS, entries
from bdfa_np.backend.symbols import TEXTS, written
from bdfa_np.parity.kernels import PROBES, compare_kernels


def far_apart(differences):
    return [one.name for one in differences if not one.passed]


def test_kernels_that_sum_in_another_order_pass(in_another_order):
    compared = compare_kernels(NumpyBackend(in_another_order.dtype), in_another_order)
    assert {name: far_apart(differences) for name, differences in compared.items()} == {name: [] for name in compared}
    assert max(one.value for one in compared["matmul"]) > 0


def test_every_kernel_of_a_backend_is_compared():
    no_kernels = {
        "asarray",
        "to_host",
        "empty",
        "zeros",
        "lend",
        "handing_over",
        "sharing",
        "join",
        "computing",
        "on_device",
        "recorded",
        "synchronize",
        "describe",
    }
    methods = {name for name, _ in inspect.getmembers(Backend, inspect.isfunction) if not name.startswith("_")}
    backend = NumpyBackend("float64")
    assert compare_kernels(backend, backend).keys() == methods - no_kernels - {"non_finite_allowed"}


def test_the_formulas_use_every_function_there_is():
    used = set().union(*(written(formula, range(entries(formula))).functions for formula in FORMULAS))
    assert {getattr(maths, name) for name in maths.FUNCTIONS} <= used
    assert {function.__name__ for function in used} == TEXTS.keys()


def test_every_formula_of_the_package_is_compared_and_reviewed():
    code = (
        "import bdfa_np.parity.kernels, pkgutil, importlib\n"
        "from bdfa_np.backend.formula import FORMULAS\n"
        "compared = len(FORMULAS)\n"
        "for module in pkgutil.walk_packages(bdfa_np.__path__, 'bdfa_np.'):\n"
        "    module.name.endswith(('__main__', '.sklearn')) or importlib.import_module(module.name)\n"
        "print(compared, len(FORMULAS))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(FORMULAS))] * 2
    reviewed = {case.formula for case in formulas.FORMULAS.values()}
    assert [one.__qualname__ for one in FORMULAS if one not in reviewed] == []
    assert len(reviewed) == len(FORMULAS)


def wrong(kernel, change):
    """Return NumPy with one kernel that does something else: ``change(original, *arguments)``."""

    class Wrong(NumpyBackend):
        pass

    def method(self, *given, **options):
        return change(lambda *new: getattr(NumpyBackend, kernel)(self, *(new or given), **options), *given, **options)

    setattr(Wrong, kernel, method)
    return Wrong("float64")


def last_entry(place):
    """Return a change of the last entry of the array at a place among the arguments, by a millionth."""

    def change(original, *given, **_):
        result = original()
        given[place].reshape(-1)[-1] *= 1 + 1e-6
        return result

    return change


def in_result(original, *_, **__):
    result = original()
    result.reshape(-1)[-1] *= 1 + 1e-6
    return result


def added_where_it_should_be_written(original, a, b, out, accumulate=False):
    before = 0 if accumulate else out.copy()
    return np.add(original(), before, out=out)


def of_all_but_one(original, x, mean, variance):
    original()
    variance *= len(x) / max(len(x) - 1, 1)


def not_centred(original, grad_y, x, mean, sum_g, sum_gx):
    original(grad_y, x, np.zeros_like(mean), sum_g, sum_gx)


def out_of_place(original, grad_y, x, mean, along, common, scale, out):
    result = original(grad_y, x, mean, along, common, scale, np.empty_like(out))
    return out if out is grad_y else np.copyto(out, result) or out


def last_of_ties(original, x, size, stride, out, chosen):
    original()
    N, Ho, Wo, C = out.shape
    for row in range(Ho):
        for column in range(Wo):
            window = x[:, row * stride : row * stride + size, column * stride : column * stride + size]
            flat = window.reshape(N, -1, C)[:, ::-1]
            chosen[:, row, column] = size * size - 1 - flat.argmax(axis=1)
    return out


def first_of_the_window(original, dx, chosen, size, stride, out):
    return original(dx, 0 * chosen, size, stride, out)


def blind_to_nan(original, x, size, stride, out, chosen):
    return original(np.nan_to_num(x, nan=-9), size, stride, out, chosen)


def with_the_border(original, x, size, stride, out):
    """Count what fills no whole window to the last ones."""
    original()
    out[:, -1] += x[:, -1:, : out.shape[2]].mean(axis=1)
    return out


def sums(original, *given):
    result = original()
    result *= given[1] ** 2
    return result


def ties_to_the_last(original, logits, labels, terms, counts, sums):
    """Predict the last of equal logits."""
    columns = logits.shape[1]
    best = columns - 1 - logits[:, ::-1].argmax(axis=1)
    original(np.eye(columns)[best], labels, terms, counts, sums)


def without_first_bad(original, logits, labels, terms, counts, sums):
    original()
    sums[2:] = 0


def last_bad(original, logits, labels, terms, counts, sums):
    sums[2:] = 0
    original()


def one_class_more(original, labels, num_classes):
    return original(labels + (labels < num_classes - 1), num_classes)


def counted_twice(original, logits, labels, terms, counts, sums):
    original()
    counts[0, 0] *= 2


def added_up_wrongly(original, logits, labels, terms, counts, sums):
    original()
    sums[0] *= 1 + 1e-6


def overflowing(original, o):
    exponentials = np.exp(o)
    return np.log(exponentials / exponentials.sum(axis=1, keepdims=True))


def one_key(original, x, key, keep, mask, out):
    return original(x, (1,), keep, mask, out)


def unscaled(original, x, key, keep, mask, out):
    original()
    mask[...] = mask > 0
    return np.multiply(x, mask, out=out)


def keeps_too_much(original, x, key, keep, mask, out):
    original(x, key, min(1, keep * 1.04), mask, out)
    mask *= min(1, keep * 1.04) / keep
    return np.multiply(x, mask, out=out)


def no_key(original, x, key, keep, mask, out):
    return original(x, (*key, np.random.default_rng().integers(2**32)), keep, mask, out)


def of_the_pass_alone(original, x, key, keep, mask, out):
    return original(x, key[-1:], keep, mask, out)


def unmasked(original, x, key, keep, mask, out):
    original()
    out[...] = x
    return out


def beyond_the_bound(original, out, key, bound):
    return original(out, key, bound * 1.01)


def of_one_sign(original, out, *_):
    return np.abs(original(), out=out)


def every_number_twice(original, out, *_):
    original()
    out[1::2] = out[:-1:2]
    return out


def slightly_off_centre(original, out, *_):
    original()
    out += 0.1
    return out


def not_finite_at_the_end(original, out, *_):
    original()
    out[-1] = np.inf
    return out


def drawn_by_one_key(original, out, key, *bound):
    return original(out, (1,), *bound)


def drawn_by_no_key(original, out, key, *bound):
    return original(out, (*key, np.random.default_rng().integers(2**32)), *bound)


def drawn_by_the_pass_alone(original, out, key, *bound):
    return original(out, key[-1:], *bound)


def uniform_instead(original, out, key):
    return NumpyBackend("float64").uniform(out, key, 3**0.5)


def one_batch_late(original, batches):
    return iter(list(batches)[1:])


def not_copied(original, batches):
    return iter(list(batches))  # the host has overwritten each with its next


def at_infinity(original, formula, given, out, **_):
    original()
    out[0][np.isinf(out[0])] = 1e300


def flushed(original, formula, given, out, **_):
    original()
    out[0][np.abs(out[0]) < np.finfo(float).tiny] = 0


def nan_is_zero(original, formula, given, out, **_):
    original()
    out[0][np.isnan(out[0])] = 0


def last_of_the_usual(original, formula, given, out, **_):
    original()
    out[-1][-1] *= 1 + 1e-6


def no_mirror(original, images, top, left, margin, mirrored, out):
    return original(images, top, left, margin, ~mirrored, out)


def corner(original, images, top, left, margin, mirrored, out):
    return original(images, 0 * top, left, margin, mirrored, out)


def no_mirror_of_a_shift(original, images, blank, top, left, mirrored, out):
    return original(images, blank, top, left, ~mirrored, out)


def blank_is_zero(original, images, blank, top, left, mirrored, out):
    return original(images, 0 * blank, top, left, mirrored, out)


def the_other_way(original, images, blank, top, left, mirrored, out):
    return original(images, blank, top, -left, mirrored, out)


def unbounded(original, W, axes, bound):
    original(W, axes, bound * 1.001)


def clipped_always(original, vectors, bound):
    for vector in vectors:
        np.multiply(vector, bound / np.linalg.norm(vectors[0]), out=vector)


def each_by_its_own_norm(original, vectors, bound):
    for vector in vectors:
        original([vector], bound)


def without_the_last_square(original, vectors, bound):
    first, *others = vectors
    last = first[-1]
    first[-1] = 0
    norm = np.linalg.norm(first)
    first[-1] = last
    original([np.array([norm]), first, *others], bound)


def along_the_other_axis(original, W, axes, bound):
    original(W, tuple(axis for axis in (*range(W.ndim - 2), W.ndim - 1, W.ndim - 2) if axis not in axes[-1:]), bound)


FAULTS = {
    "matmul": [last_entry(2), added_where_it_should_be_written],
    "column_sum": [last_entry(1)],
    "add_bias": [last_entry(0)],
    "moments": [last_entry(1), last_entry(2), of_all_but_one],
    "normalise": [last_entry(4)],
    "centred_sums": [last_entry(3), last_entry(4), not_centred],
    "normalise_gradient": [last_entry(6), out_of_place],
    "one_hot": [one_class_more],
    "log_softmax": [in_result, overflowing],
    "tally": [counted_twice, added_up_wrongly, ties_to_the_last, without_first_bad, last_bad],
    "row_dots": [last_entry(2)],
    "limit_norms": [unbounded, along_the_other_axis],
    "clip_norm": [clipped_always, each_by_its_own_norm, without_the_last_square],
    "convolve": [last_entry(2)],
    "convolve_weight_gradient": [last_entry(2), added_where_it_should_be_written],
    "convolve_input_gradient": [last_entry(2)],
    "max_pool": [last_entry(3), last_of_ties, blind_to_nan],
    "max_pool_gradient": [last_entry(4)],
    "max_pool_tangent": [last_entry(4), first_of_the_window],
    "unpool": [last_entry(2)],
    "unpool_gradient": [last_entry(2)],
    "average_pool": [last_entry(3), sums, with_the_border],
    "average_pool_gradient": [last_entry(3), sums],
    "crop_and_mirror": [last_entry(5), no_mirror, corner],
    "shift_and_mirror": [last_entry(5), no_mirror_of_a_shift, blank_is_zero, the_other_way],
    "dropout": [last_entry(3), one_key, no_key, of_the_pass_alone, unscaled, keeps_too_much, unmasked],
    "uniform": [
        beyond_the_bound,
        of_one_sign,
        every_number_twice,
        drawn_by_one_key,
        drawn_by_no_key,
        drawn_by_the_pass_alone,
    ],
    "normal": [
        slightly_off_centre,
        not_finite_at_the_end,
        of_one_sign,
        every_number_twice,
        uniform_instead,
        drawn_by_one_key,
        drawn_by_no_key,
        drawn_by_the_pass_alone,
    ],
    "feed": [one_batch_late, not_copied],
    "elementwise": [at_infinity, flushed, nan_is_zero, last_of_the_usual],
}
EVERY_FAULT = [(kernel, change) for kernel, changes in FAULTS.items() for change in changes]


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # of the faults
@pytest.mark.parametrize(("kernel", "change"), EVERY_FAULT, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_kernel_that_is_slightly_wrong_is_noticed_and_named(kernel, change):
    compared = compare_kernels(NumpyBackend("float64"), wrong(kernel, change))
    blamed = {name for name, differences in compared.items() if far_apart(differences)}
    assert blamed == {kernel}


def test_no_kernel_is_without_a_planted_fault():
    assert FAULTS.keys() == {probe.__name__ for probe in PROBES} | {"elementwise"}


def test_a_kernel_that_raises_has_failed_with_its_error_as_a_note():
    def broken(*_, **__):
        raise RuntimeError("an illegal memory access was encountered\nin detail")

    for kernel in ("unpool", "elementwise"):
        failed = compare_kernels(NumpyBackend("float64"), wrong(kernel, broken))[kernel][0]
        assert not failed.passed
        assert failed.note == "RuntimeError: an illegal memory access was encountered"
