"""A real CUDA device against NumPy: every kernel, and training with every net, rule, optimizer and option."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np.backend import make_backend
from bdfa_np.parity.kernels import compare_kernels
from bdfa_np.parity.training import Reference, cases, compare, run_case
from bdfa_np.runs.checkpoint import read_checkpoint

pytestmark = pytest.mark.gpu

THOROUGH, QUICK = cases(thorough=True), cases()


def far_apart(differences):
    return [one for one in differences if not one.passed]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_kernel_gives_what_numpys_gives(dtype):
    device = make_backend("cupy", dtype)
    compared = compare_kernels(Reference(device), device)
    assert {name: far_apart(differences) for name, differences in compared.items()} == {name: [] for name in compared}


@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("case", THOROUGH, ids=lambda case: case.name)
def test_a_pass_and_ten_steps_give_what_numpy_gives(case, cuda_graph):
    device = make_backend("cupy", "float64", cuda_graph=cuda_graph)
    assert far_apart(compare(case, Reference(device), device)) == []


@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_in_float32_too_to_its_rounding(case, cuda_graph):
    device = make_backend("cupy", "float32", cuda_graph=cuda_graph)
    assert far_apart(compare(case, Reference(device), device)) == []


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_repeated_run_gives_the_same_bits_with_and_without_graphs(case):
    first, again, replayed = (run_case(case, make_backend("cupy", cuda_graph=on)) for on in (False, False, True))
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
        np.testing.assert_array_equal(replayed[name], array, err_msg=name)


# A net that starts from zero weights has gradients that are 0 but for rounding; these options keep clear of that.
WELL_POSED = ["--nonlin", "relu", "--optimization", "sgd", "--lr", "1e-3", "--momentum", "0.9", "--dropout", "0"]


@pytest.mark.parametrize(("begins", "goes_on"), [("cupy", "numpy"), ("numpy", "cupy")])
@pytest.mark.parametrize("rule", ["bp", "bdfa"])
def test_what_one_backend_began_the_other_goes_on_with(bdfa, begins, goes_on, rule):
    options = [*WELL_POSED, "--gradient", rule]
    bdfa.train("whole", *options, "--backend", "numpy", "--epochs", 2)
    bdfa.train("moved", *options, "--backend", begins, "--epochs", 1)
    bdfa.resume("moved", "--backend", goes_on, "--epochs", 2)
    whole, moved = (read_checkpoint(Path(name) / "checkpoint.h5") for name in ("whole", "moved"))
    assert (moved.steps, moved.progress.epoch) == (whole.steps, 2)
    for group in ("weights", "feedback", "optimizer"):
        expected, found = getattr(whole, group), getattr(moved, group)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert np.abs(found[name] - array).max() <= 1e-3 * np.abs(array).max(), name
    for expected, found in zip(whole.history, moved.history, strict=True):
        assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
        assert found.test_error == pytest.approx(expected.test_error, abs=0.02)
