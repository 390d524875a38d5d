"""Parts of a vector of parameters, which are trained alone."""

import numpy as np
import pytest

from bdfa_np import Linear, Sequential
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.parameters import ParameterVector

PARTS = {
    "the last layer": (["linear3.b", "linear3.W"], [["linear3.W", "linear3.b"]]),
    "apart": (["linear1.W", "linear2.b", "linear3.W"], [["linear1.W"], ["linear2.b", "linear3.W"]]),
    "everything": ([f"linear{i}.{name}" for i in (1, 2, 3) for name in "Wb"], None),
    "nothing": ([], []),
}


def three_layers(backend):
    weights = Sequential([Linear(4), Linear(3), Linear(2)], (5,), backend=backend).weights
    weights.values[...] = np.random.default_rng(0).normal(size=weights.values.size)
    return weights


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_vector_shares_its_memory_and_is_cut_where_names_are_left_out(backend, part):
    weights = three_layers(backend)
    names, stretches = PARTS[part]
    parts = weights.part(iter(names))
    assert [list(one) for one in parts] == ([list(weights)] if stretches is None else stretches)
    for one in parts:
        assert one.values.size == one.gradients.size == sum(weights[name].size for name in one)
        for name in one:
            assert one.specs[name] == weights.specs[name]
            assert one[name].shape == weights[name].shape
            one[name][...] = 7
            one.gradient(name)[...] = 8
            assert (weights[name] == 7).all()
            assert (weights.gradient(name) == 8).all()
    assert (weights.values == 7).sum() == (weights.gradients == 8).sum() == sum(one.values.size for one in parts)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_a_part_leaves_everything_else_bit_for_bit_as_it_was(backend, name):
    whole, weights = three_layers(backend), three_layers(backend)
    before, given, names = three_layers(backend), three_layers(backend), PARTS["apart"][0]
    options = dict.fromkeys(OPTIMIZERS[name].options, 0.1)
    everything, optimizer = (OPTIMIZERS[name](vectors, 0.1, **options) for vectors in ([whole], weights.part(names)))
    for gradient in np.random.default_rng(1).normal(size=(4, before.values.size)):
        given.gradients[...] = gradient
        for one, vector in ((everything, whole), (optimizer, weights)):
            one.look_ahead()
            vector.gradients[...] = gradient
            one.step()
    for key in weights:
        if key in names:
            assert weights[key].tobytes() == whole[key].tobytes()
            assert weights.gradient(key).tobytes() == whole.gradient(key).tobytes()  # with the weight decay in them
            assert (weights[key] != before[key]).any()
        else:
            assert weights[key].tobytes() == before[key].tobytes()
            assert weights.gradient(key).tobytes() == given.gradient(key).tobytes()


def test_a_part_with_unknown_names_is_refused(backend):
    with pytest.raises(
        ValueError, match=r"there is no parameter linear3\.c, linear4\.W: only linear1\.W, linear1\.b, "
    ):
        three_layers(backend).part(["linear4.W", "linear1.W", "linear3.c"])


def test_a_part_of_a_vector_without_gradients_has_none(backend):
    whole = ParameterVector({"a.B": ParameterSpec((2, 3)), "b.B": ParameterSpec((2, 4))}, backend, trained=False)
    (part,) = whole.part(["b.B"])
    assert part.gradients is None
    assert np.shares_memory(part["b.B"], whole["b.B"])
