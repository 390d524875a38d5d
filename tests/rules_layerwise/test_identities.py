"""The identities of the layerwise rules, on nets of vectors, of images, of tokens and with residual blocks."""

import numpy as np
import pytest

from bdfa_np import (
    BP,
    BRSF,
    FA,
    FRSF,
    GELU,
    KP,
    PFA,
    SGD,
    USF,
    WM,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    ErrorFeedback,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool2d,
    Patches,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    Transpose,
)
from bdfa_np.layers.base import fans
from bdfa_np.optim import OPTIMIZERS

RNG = np.random.default_rng(11)
X = RNG.normal(size=(6, 6, 6, 2))
LABELS = np.arange(6) % 4


def vectors(initial):
    first, second, third = (Linear(units, initial=initial) for units in (7, 5, 4))
    return [Flatten(), first, Tanh(), ErrorFeedback(), second, Tanh(), ErrorFeedback(), third]


def images(initial):
    first, second = (Conv2d(channels, 3, padding=1, initial=initial) for channels in (3, 5))
    blocks = [first, ReLU(), MaxPool2d(2), second, BatchNorm(), Tanh(), ErrorFeedback(), Flatten()]
    return [*blocks, Linear(4, initial=initial)]


def residual(initial):
    first, second, third, last = (Conv2d(3, 3, padding=1, initial=initial) for _ in range(4))
    block = Residual([second, BatchNorm(), ReLU(), third], shortcut=[Conv2d(3, 1, initial=initial)])
    return [first, ReLU(), block, Tanh(), last, Tanh(), ErrorFeedback(), Flatten(), Linear(4, initial=initial)]


def tokens(initial):
    into, mix, back, up = (Linear(units, initial=initial) for units in (5, 4, 9, 6))
    block = Residual([LayerNorm(), Transpose(), mix, GELU(), back, Transpose()])
    return [Patches(2), into, block, up, Tanh(), ErrorFeedback(), Flatten(), Linear(4, initial=initial)]


NETS = [vectors, images, residual, tokens]
over_nets = pytest.mark.parametrize("layers", NETS)


def make_network(backend, layers, initial="uniform"):
    return Sequential(layers(initial), X.shape[1:], backend=backend, rng=3)


def result_of(network):
    return CrossEntropy(network.backend)(network.forward(X), LABELS)


def gradients(rule):
    rule.network.forget_gradients()
    rule.backward(result_of(rule.network))
    return rule.network.weights.gradients.copy()


def train(rule, optimizer, steps):
    for _ in range(steps):
        optimizer.look_ahead()
        gradients(rule)
        rule.train_feedback(rule.result)
        optimizer.step()


def close(actual, expected, tolerance=1e-12):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def rows(a):
    return a.reshape(-1, a.shape[-1])


def weights_under(rule):
    """Yield the weights and the feedback of each layer that has both."""
    return [(rule.network.weights[f"{name}.W"], B) for name, B in rule.B.items()]


@over_nets
@pytest.mark.parametrize("scale", ["xavier", "weights"])
def test_usf_on_weights_that_all_have_its_magnitude_is_back_propagation(backend, layers, scale):
    network = make_network(backend, layers)
    rule = USF(network, scale=scale)
    assert set(rule.s) == {layer.name for layer in rule.feedback_layers()}
    for name, s in rule.s.items():
        W = network.weights[f"{name}.W"]
        W[...] = s * np.sign(W)
        W[..., 0, 0] = 0
    close(gradients(rule), gradients(BP(network)))


@over_nets
def test_frsf_with_the_magnitudes_of_the_weights_is_back_propagation_until_a_sign_changes(backend, layers):
    network = make_network(backend, layers)
    rule = FRSF(network)
    for W, M in weights_under(rule):
        M[...] = -np.abs(W)  # of which the sign is none of its business
    close(gradients(rule), gradients(BP(network)))
    W, M = weights_under(rule)[-1]
    W[0] *= -1
    close(gradients(rule), gradients(BP(network)))
    W[0] *= 2
    assert np.abs(gradients(rule) - gradients(BP(network))).max() > 1e-3


@over_nets
def test_the_magnitudes_of_brsf_are_drawn_anew_for_each_pass_and_drawn_again_by_its_number(backend, layers):
    network = make_network(backend, layers)
    rule = BRSF(network)
    (name, s), *_ = rule.s.items()
    drawn = []
    for _ in range(2):
        drawn.append([gradients(rule), rule.magnitudes(network[name], np.empty_like(network[name].W))])
    assert (drawn[0][0] != drawn[1][0]).any()
    assert not np.isin(drawn[0][1], drawn[1][1]).any()
    again = make_network(backend, layers)
    again.training_passes = 1
    assert (gradients(BRSF(again)) == drawn[1][0]).all()
    M = rule.magnitudes(network[name], np.empty_like(network[name].W))
    V = rule.matrix(network[name])
    close(V, np.abs(M) * np.sign(network[name].W), 0)
    assert np.abs(M).max() <= 3**0.5 * s


def test_magnitudes_are_uniform_with_the_spread_that_is_asked_for(backend):
    network = Sequential([Linear(300), Tanh(), Linear(200)], (50,), backend=backend)
    W = network["linear2"].W
    for scale, s in (("xavier", (2 / 500) ** 0.5), ("weights", (3 * 300) ** -0.5)):
        M = FRSF(network, scale=scale).B["linear2"]
        for drawn in (M, BRSF(network, scale=scale).magnitudes(network["linear2"], np.empty_like(W))):
            assert 0.999 * 3**0.5 * s < np.abs(drawn).max() <= 3**0.5 * s
            assert drawn.std() == pytest.approx(s, rel=0.01)
            assert abs(np.corrcoef(drawn.ravel(), W.ravel())[0, 1]) < 0.02
        assert USF(network, scale=scale).s == {"linear2": pytest.approx(s)}


@pytest.mark.parametrize("initial", ["uniform", "xavier", "kaiming", "orthogonal"])
@pytest.mark.parametrize("shape", [(80,), (9, 9, 4)])
def test_the_scale_of_the_weights_is_the_deviation_that_they_have_as_drawn(backend, initial, shape):
    inner = Linear(120, initial=initial) if len(shape) == 1 else Conv2d(50, 3, initial=initial)
    below = Linear(80) if len(shape) == 1 else Conv2d(40, 1)
    network = Sequential([below, inner], shape, backend=backend, rng=1)
    assert USF(network, scale="weights").s == {inner.name: pytest.approx(inner.W.std(), rel=0.02)}
    assert USF(network).s == {inner.name: pytest.approx((2 / sum(fans(inner.W.shape))) ** 0.5)}


@over_nets
def test_the_difference_of_weights_and_feedback_of_kp_shrinks_by_decay_alone(backend, layers):
    network, rate, decay = make_network(backend, layers), 0.1, 0.3
    rule = KP(network)
    before = [W - B for W, B in weights_under(rule)]
    weights = network.weights.values.copy()
    train(rule, SGD(rule.trained, rate, weight_decay=decay), 5)
    assert np.abs(network.weights.values - weights).max() > 1e-2
    for (W, B), difference in zip(weights_under(rule), before, strict=True):
        close(W - B, (1 - rate * decay) ** 5 * difference)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "asgd"])
def test_without_decay_the_difference_stays_as_it_was_under_any_optimizer(backend, name):
    rule = KP(make_network(backend, vectors))
    needed = {"momentum": 0.5} if OPTIMIZERS[name].needs_momentum else {}
    needed |= {"weight_decay": 0.0} if name == "adamw" else {}
    before = [W - B for W, B in weights_under(rule)]
    train(rule, OPTIMIZERS[name](rule.trained, 1e-2, **needed), 4)
    for (W, B), difference in zip(weights_under(rule), before, strict=True):
        close(W - B, difference, 1e-13)


def identity_expansion(rule):
    """Let M be I and R the weights that a signal would go through exactly."""
    for name, M in rule.M.items():
        W, R = rule.network.weights[f"{name}.W"], rule.feedback[f"{name}.R"]
        M[...] = np.eye(len(M))
        R[...] = W if W.ndim == 4 else W.T


@over_nets
def test_pfa_without_an_expansion_through_the_weights_is_back_propagation(backend, layers):
    network = make_network(backend, layers)
    rule = PFA(network, expansion=1)
    identity_expansion(rule)
    close(gradients(rule), gradients(BP(network)))


@over_nets
def test_pfa_without_an_expansion_learns_as_kp(backend, layers):
    pfa, kp = PFA(make_network(backend, layers), expansion=1), KP(make_network(backend, layers))
    identity_expansion(pfa)
    for name, B in kp.B.items():
        R = pfa.feedback[f"{name}.R"]
        B[...] = RNG.normal(size=B.shape)
        R[...] = B if B.ndim == 4 else B.T
    for rule in (pfa, kp):
        train(rule, SGD(rule.trained, 0.05, weight_decay=0.1, momentum=0.9), 3)
    close(pfa.network.weights.values, kp.network.weights.values)
    for name, B in kp.B.items():
        R = pfa.feedback[f"{name}.R"]
        close(R if R.ndim == 4 else R.T, B)


@over_nets
def test_pfa_sends_a_signal_through_both_of_its_matrices_and_trains_the_second_on_what_the_first_gives(backend, layers):
    network = make_network(backend, layers)
    rule = PFA(network, expansion=3)
    deltas = rule.deltas(result_of(network))
    for name, M in rule.M.items():
        layer, R, dR = network[name], rule.feedback[f"{name}.R"], rule.feedback.gradient(f"{name}.R")
        expanded = deltas[name] @ M
        if isinstance(layer, Linear):
            close(dR, rows(expanded).T @ rows(layer.x))
            close(layer.project_feedback(deltas[name], rule.matrix(layer)), expanded @ R)
            continue
        wide = Sequential(
            [Conv2d(R.shape[-1], layer.kernel_size, padding=layer.padding)], layer.input_shape, backend=backend
        )
        wide["conv1"].W[...] = R
        wide.forward(layer.x)
        signal = wide["conv1"].backward(expanded)
        close(dR, wide["conv1"].dW)
        close(layer.project_feedback(deltas[name], rule.matrix(layer)), signal)


def test_pfa_starts_from_an_expansion_that_nearly_keeps_lengths(backend):
    network = Sequential([Linear(40), Tanh(), Linear(60)], (30,), backend=backend)
    rule = PFA(network, expansion=50)
    M, R = rule.M["linear2"], rule.feedback["linear2.R"]
    assert (M.shape, R.shape) == ((60, 3000), (3000, 40))
    assert M.std() == pytest.approx(3000**-0.5, rel=0.01)
    assert ((M * 3000**0.5) ** 4).mean() == pytest.approx(3, rel=0.05)  # as of normal numbers
    np.testing.assert_allclose(M @ M.T, np.eye(60), atol=0.12)
    assert 0.999 * 40**-0.5 < np.abs(R).max() <= 40**-0.5


def test_what_pfa_and_frsf_drew_once_is_part_of_their_state(backend):
    for make in (PFA, FRSF):
        rule = make(make_network(backend, vectors))
        other = make(Sequential(vectors("uniform"), X.shape[1:], backend=backend, rng=4))
        assert (gradients(rule) != gradients(other)).any()
        other.network.weights.load_state(rule.network.weights.state())
        other.feedback.load_state(rule.feedback.state())
        other.load_state(rule.state(), rule.counters())
        assert (gradients(rule) == gradients(other)).all()


def test_gradients_that_a_pass_adds_to_are_no_part_of_pfas(backend):
    network = make_network(backend, images)
    rule = PFA(network, expansion=2)
    gradients(rule)
    once, weights = rule.feedback.gradients.copy(), network.weights.gradients.copy()
    rule.backward(rule.result)
    close(rule.feedback.gradients, once)
    close(network.weights.gradients, 2 * weights)


@over_nets
def test_without_training_kp_and_wm_send_what_fa_sends(backend, layers):
    expected = gradients(FA(make_network(backend, layers)))
    for kind in (KP, WM):
        assert (gradients(kind(make_network(backend, layers))) == expected).all()
