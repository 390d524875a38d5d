"""Residual blocks under every rule: worked numbers, identities, and what is said where shapes do not fit."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import (
    BP,
    DFA,
    FA,
    BatchNorm,
    Conv2d,
    ErrorFeedback,
    Flatten,
    Linear,
    PadShortcut,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from bdfa_np.losses import LOSSES, CrossEntropy

GOLDEN = np.load(Path(__file__).parent.parent / "engine" / "golden" / "rules_step.npz")
PLACES = {"linear1": 1, "residual1.linear1": 2, "linear2": 3}
X = np.random.default_rng(1).normal(size=(5, 6, 5, 3))
LABELS = np.array([0, 2, 1, 2, 0])


def close(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.fixture
def worked(backend):
    """Give the net of the worked numbers."""
    network = Sequential([Linear(7), Tanh(), Residual([Linear(7), Tanh()]), Linear(4)], (12,), backend=backend)
    for name, place in PLACES.items():
        for parameter in "Wb":
            network.weights[f"{name}.{parameter}"][...] = GOLDEN[f"res_{parameter}{place}"]
    return network


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("rule", [BP, FA])
def test_a_residual_net_gives_the_worked_numbers(rule, criterion, worked):
    learner = rule(worked)
    for name, B in learner.B.items():
        B[...] = GOLDEN[f"res_B{PLACES[name]}"]
    logits = worked.forward(GOLDEN["res_x"])
    close(logits, GOLDEN["res_logits"])
    learner.backward(LOSSES[criterion](worked.backend)(logits, GOLDEN["res_labels"]))
    for name, place in PLACES.items():
        for parameter in "Wb":
            expected = GOLDEN[f"res_{learner.name}_{criterion}_d{parameter}{place}"]
            close(worked.weights.gradient(f"{name}.{parameter}"), expected)


def shortcuts():
    return {
        "projection": [Conv2d(6, 1, stride=2, bias=False), BatchNorm()],
        "padding": [PadShortcut(6)],
    }


def make_network(backend, shortcut="projection", **options):
    branch = [Conv2d(6, 3, stride=2, padding=1, bias=False), BatchNorm(), Tanh(), Conv2d(6, 3, padding=1), BatchNorm()]
    above = Residual([Conv2d(6, 3, padding=1), Tanh()])
    layers = [Conv2d(3, 3, padding=1), ReLU(), ErrorFeedback(), Residual(branch, shortcuts()[shortcut]), ReLU()]
    layers += [ErrorFeedback(), above, ErrorFeedback(), Flatten(), Linear(3)]
    return Sequential(layers, X.shape[1:], backend=backend, rng=4, **options)


def result_of(network):
    return CrossEntropy(network.backend)(network.forward(X), LABELS)


def gradients(rule):
    rule.network.forget_gradients()
    rule.backward(result_of(rule.network))
    return rule.network.weights.gradients.copy()


@pytest.mark.parametrize("shortcut", shortcuts())
def test_bp_agrees_with_central_differences_also_by_weights_inside(shortcut, backend):
    network = make_network(backend, shortcut)
    exact, values, step = gradients(BP(network)), network.weights.values, 1e-6
    kept, numeric = values.copy(), []
    directions = np.random.default_rng(2).normal(size=(6, len(values)))
    for direction in directions:
        values[...] = kept + step * direction
        above = result_of(network).value
        values[...] = kept - step * direction
        numeric.append((above - result_of(network).value) / (2 * step))
        values[...] = kept
    close(directions @ exact, np.array(numeric), 1e-7)


@pytest.mark.parametrize("shortcut", shortcuts())
def test_fa_with_feedback_equal_to_the_weights_is_bp_the_projection_among_them(shortcut, backend):
    network = make_network(backend, shortcut)
    fa = FA(network)
    names = ["residual1.conv1", "residual1.conv2", *(["residual1.conv3"] if shortcut == "projection" else [])]
    assert list(fa.B) == [*names, "residual2.conv1", "linear1"]
    for name, B in fa.B.items():
        B[...] = network[name].W
    close(gradients(fa), gradients(BP(network)))


def test_fa_sends_the_signal_unchanged_through_the_skip_and_by_its_matrices_through_branch_and_projection(backend):
    network = make_network(backend)
    rule = FA(network)
    deltas = {name: delta.copy() for name, delta in rule.deltas(result_of(network)).items()}
    network.forward(X)
    within = network["residual2.conv1"].project_feedback(deltas["residual2.conv1"], rule.B["residual2.conv1"])
    close(deltas["feedback2"], deltas["residual2"] + within)
    branch = network["residual1.conv1"].project_feedback(deltas["residual1.conv1"], rule.B["residual1.conv1"]).copy()
    beside = network["residual1.conv3"].project_feedback(deltas["residual1.conv3"], rule.B["residual1.conv3"])
    close(deltas["feedback1"], branch + beside)


def test_a_direct_rule_handed_the_exact_signals_is_bp(backend):
    network = make_network(backend)
    bp, dfa = BP(network), DFA(network)
    exact = {name: delta.copy() for name, delta in bp.deltas(result_of(network)).items()}
    expected = gradients(bp)
    for site in dfa.sites:
        site.project_feedback = lambda _e, _B, true=exact[site.name]: true.copy()
    close(gradients(dfa), expected)


def test_what_lies_below_keeps_its_output_and_its_signal(backend):
    network = make_network(backend)
    below, block = network["relu1"], network["residual1"]
    network.forward(X)
    y, kept = below.y, below.y.copy()
    grad = np.random.default_rng(3).normal(size=(5, *block.output_shape))
    given = grad.copy()
    block.backward(grad)
    block.push_forward(kept)
    assert (y == kept).all()
    assert (grad == given).all()


def test_padding_takes_every_second_pixel_and_puts_zeros_on_either_side(backend):
    layer = PadShortcut(4)
    Sequential([layer], (3, 4, 2), backend=backend)
    x = np.arange(24.0).reshape(1, 3, 4, 2) + 1
    y = layer.forward(x)
    assert y.shape == (1, 2, 2, 4)
    assert y[0].tolist() == [[[0, 1, 2, 0], [0, 5, 6, 0]], [[0, 17, 18, 0], [0, 21, 22, 0]]]
    back = layer.backward(np.ones_like(y))
    assert back[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]]
    assert layer.backward(y, need_grad_in=False) is None


def test_of_an_odd_number_of_new_channels_one_more_comes_last(backend):
    layer = PadShortcut(4, stride=1)
    Sequential([layer], (1, 1, 1), backend=backend)
    assert layer.forward(np.full((1, 1, 1, 1), 7.0)).ravel().tolist() == [0, 7, 0, 0]


@pytest.mark.parametrize("side", [1, 2, 7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_fits_beside_a_convolution_of_its_stride(side, stride, backend):
    branch = [Conv2d(4, 3, stride=stride, padding=1)]
    block = Residual(branch, [PadShortcut(4, stride)])
    Sequential([block], (side, side, 2), backend=backend)
    assert block.output_shape == branch[0].output_shape


REFUSED = {
    "a layer alone": (lambda: Residual(Linear(5)), r"Residual takes lists of layers: Residual\(\[Linear\(5\), Tanh"),
    "a layer beside": (lambda: Residual([Linear(5)], Linear(5)), "Residual takes lists of layers"),
    "no layers": (lambda: Residual([]), "the branch of a Residual needs at least one layer"),
    "no channels": (lambda: PadShortcut(0), "PadShortcut needs channels and a stride of 1 or more"),
    "no stride": (lambda: PadShortcut(4, 0), "PadShortcut needs channels and a stride of 1 or more"),
    "no epsilon": (lambda: BatchNorm(epsilon=0), "epsilon of a BatchNorm must be a finite number above 0, not 0"),
    "epsilon that is no number": (lambda: BatchNorm(epsilon=float("nan")), "epsilon of a BatchNorm must be a finite"),
    "infinite epsilon": (
        lambda: BatchNorm(epsilon=float("inf")),
        "epsilon of a BatchNorm must be a finite number above 0, not inf",
    ),
    "much momentum": (lambda: BatchNorm(momentum=1.1), r"momentum of a BatchNorm must be from 0 to 1, not 1\.1"),
    "momentum that is no number": (lambda: BatchNorm(momentum=float("nan")), "momentum of a BatchNorm must be from 0"),
}
UNFIT = {
    "other shapes": (
        lambda: Residual([Conv2d(6, 3, stride=2, padding=1)]),
        "residual1 adds up a branch of shape 3x3x6 and a shortcut of shape 6x5x3, which must be one: "
        r"give it a shortcut=\[...\] that changes shapes as its branch does",
    ),
    "an unfit shortcut": (
        lambda: Residual([Conv2d(6, 3)], [PadShortcut(6)]),
        "residual1 adds up a branch of shape 4x3x6 and a shortcut of shape 3x3x6",
    ),
    "fewer channels": (lambda: PadShortcut(2), "shortcut1 adds channels: it cannot make 2 of 3"),
    "no image": (
        lambda: Residual([Flatten()], [Flatten(), PadShortcut(90)]),
        r"residual1\.shortcut1 takes images \(H, W, C\), not samples of shape \(90,\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_layer_that_cannot_be_is_refused_where_it_is_made(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


@pytest.mark.parametrize("case", UNFIT)
def test_shapes_that_do_not_fit_are_refused_in_one_line(case, backend):
    make, message = UNFIT[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        Sequential([make()], X.shape[1:], backend=backend)


def test_batch_normalisation_has_the_epsilon_and_momentum_of_ones_choice(backend):
    layer = BatchNorm(epsilon=0.5, momentum=1.0)
    Sequential([layer], (3,), backend=backend)
    x = np.random.default_rng(0).normal(3, 2, (7, 3))
    y = layer.forward(x)
    np.testing.assert_allclose(y, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.5), rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_variance, x.var(axis=0, ddof=1), rtol=1e-12)
    assert repr(BatchNorm(epsilon=0.5, momentum=1.0)) == "BatchNorm(epsilon=0.5, momentum=1)"


def test_a_block_says_its_layers_and_the_table_has_their_rows_and_work(backend):
    block = Residual([Conv2d(6, 3, stride=2, padding=1), BatchNorm()], [PadShortcut(6)])
    assert repr(block) == "Residual([Conv2d, BatchNorm], shortcut=[PadShortcut], 3 layers inside)"
    assert repr(Residual([Linear(3), Tanh()])) == "Residual([Linear, Tanh], 2 layers inside)"
    network = Sequential([block], X.shape[1:], backend=backend)
    assert repr(block) == "Residual(6x5x3 → 3x3x6, 180 parameters)"
    assert [row.split() for row in network.table().to_text().splitlines()[1:]] == [
        ["residual1", "3x3x6", "0", "0"],
        ["residual1.conv1", "3x3x6", "168", "1,458"],
        ["residual1.batchnorm1", "3x3x6", "12", "0"],
        ["residual1.shortcut1", "3x3x6", "0", "0"],
        ["all", "180", "1,458"],
    ]
