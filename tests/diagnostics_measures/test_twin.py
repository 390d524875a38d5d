"""Measuring leaves no trace in what trains, under any rule, and tells the same of the same state."""

import copy

import numpy as np
import pytest

from bdfa_np import CrossEntropy, Linear, Sequential
from bdfa_np.diagnostics.measurer import Measurer, Probe
from bdfa_np.diagnostics.quantities import GROUPS, QUANTITIES
from bdfa_np.errors import RunError
from bdfa_np.model import assemble
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.rules import RULES

NOT_THROUGH_SKIPS = ("ifa", "bfa")
NO_FEEDBACK = ("bp", "frozen")
ALL_LAYERS = (
    "weight_norm",
    "update_ratio",
    "exact_norm",
    "meaningful",
    "activity_norm",
    "activity_rank",
    "probe_error",
)


def frozen_copy(model):
    """Return every array of a model's state as bytes, and what counts in it."""
    state = copy.deepcopy(model.state())
    gradients = [vector.gradients for vector in (model.network.weights, model.rule.feedback)]
    state["gradients"] = {str(place): g for place, g in enumerate(gradients) if g is not None}
    return {
        name: {key: getattr(entry, "tobytes", lambda entry=entry: entry)() for key, entry in part.items()}
        if isinstance(part, dict)
        else part
        for name, part in state.items()
    }


@pytest.mark.parametrize("gradient", RULES)
def test_the_state_of_what_trains_stays_bit_for_bit(nets, measure, train, probe, gradient):
    """With dropout and batch normalisation; what it trains to after being measured is what it does without."""
    plain, measured = nets("noisy", gradient), nets("noisy", gradient)
    trainers = [train(model, probe) for model in (plain, measured)]
    before = frozen_copy(measured)
    assert before["training_passes"] == 3
    first = measure(measured)
    assert frozen_copy(measured) == before
    again = measure(measured)
    for name, values in first.values.items():
        np.testing.assert_array_equal(values, again.values[name])
    for trainer in trainers:
        trainer.step(probe.x, probe.labels)
    assert frozen_copy(measured) == frozen_copy(plain)


@pytest.mark.parametrize("gradient", RULES)
@pytest.mark.parametrize("net", ["vectors", "skips"])
def test_every_rule_has_numbers_where_it_should(nets, measure, train, probe, net, gradient):
    if net == "skips" and gradient in NOT_THROUGH_SKIPS:
        pytest.skip(f"{gradient} does not train such a net")
    model = nets(net, gradient)
    train(model, probe)
    measurement = measure(model)
    values = measurement.values
    assert list(values) == [quantity.name for quantity in QUANTITIES]
    for name in ALL_LAYERS:
        assert np.isfinite(values[name]).all(), name
    learns = slice(-1, None) if gradient == "frozen" else slice(None)
    for name in ("signal_angle", "gradient_angle", "signal_norm", "signal_rank"):
        assert np.isfinite(values[name][learns]).all(), name
    assert values["signal_angle"][-1] == 0
    assert np.isfinite(values["feedback_angle"]).any() == (gradient not in NO_FEEDBACK)
    np.testing.assert_array_equal(np.isfinite(values["feedback_angle"]), np.isfinite(values["feedback_norm"]))
    assert measurement.snapshots["features"].dtype == np.float32


@pytest.mark.parametrize("gradient", ["ebd", "brsf", "wm"])
def test_a_measurer_made_after_a_resume_says_what_the_first_one_says(nets, train, probe, gradient):
    model = nets("noisy", gradient)
    used = Measurer(model, GROUPS, probe)
    used.measure(model)
    train(model, probe)
    expected, fresh = used.measure(model), Measurer(model, GROUPS, probe).measure(model)
    for name, values in expected.values.items():
        np.testing.assert_array_equal(values, fresh.values[name])
    for name, picture in expected.snapshots.items():
        np.testing.assert_array_equal(picture, fresh.snapshots[name])


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_alone_says_what_it_says_among_all(nets, measure, group):
    everything, alone = measure(nets("noisy", "dfa")), measure(nets("noisy", "dfa"), group)
    assert list(alone.values) == [quantity.name for quantity in QUANTITIES if quantity.group == group]
    for name, values in alone.values.items():
        np.testing.assert_array_equal(values, everything.values[name])


def settings_of(optimizer):
    momentum = {"momentum": 0.5} if OPTIMIZERS[optimizer].needs_momentum else {}
    return {"optimization": optimizer, "lr": 0.01, **momentum}


@pytest.mark.parametrize(
    "options",
    [
        *map(settings_of, OPTIMIZERS),
        {"max_in_norm": 0.5},
        {"eps": 0.1},
        {"clip_norm": 0.01},
        {"schedule": "cosine", "epochs": 3},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_the_update_is_that_of_the_step_which_the_run_would_take_on_these_images(nets, measure, train, probe, options):
    model = nets("noisy", "kp", **options)
    trainer = train(model, probe)
    model.optimizer.scale = 0.5  # as a schedule has left it
    found = measure(model, "weights").values
    names = [f"linear{number}.W" for number in (1, 2, 3)]
    before = {name: model.network.weights[name].copy() for name in names}
    trainer.step(probe.x[:8], probe.labels[:8])
    for place, name in enumerate(names):
        norm = np.linalg.norm(before[name])
        ratio = np.linalg.norm(model.network.weights[name] - before[name]) / norm
        assert found["weight_norm"][place] == pytest.approx(norm, rel=1e-12)
        assert ratio > 0
        assert found["update_ratio"][place] == pytest.approx(ratio, rel=1e-9)


def test_before_the_first_step_a_schedule_counts_too(nets, measure):
    whole = measure(nets("vectors", "dfa"), "weights").values["update_ratio"]
    warming = measure(nets("vectors", "dfa", warmup=4), "weights").values["update_ratio"]
    np.testing.assert_allclose(warming, whole / 4, rtol=1e-6)


def test_layers_that_never_move_have_an_update_of_zero(nets, measure, train, probe):
    model = nets("vectors", "frozen", optimization="adam")
    train(model, probe)
    assert (measure(model, "weights").values["update_ratio"] > 0).tolist() == [False, False, True]


def test_a_layer_whose_gradient_a_rule_never_writes_has_no_angle_and_stays(nets, measure, tmp_path):
    (tmp_path / "half.py").write_text(
        "from bdfa_np import BP\n\n\nclass Half(BP):\n    def visit(self, layer, signal, wanted):\n"
        "        return layer.backward(signal, wanted) if layer.name != 'linear1' else None\n"
    )
    values = measure(nets("vectors", tmp_path / "half.py"), "alignment", "weights").values
    assert np.isnan(values["gradient_angle"]).tolist() == [True, False, False]
    assert (values["update_ratio"] > 0).tolist() == [False, True, True]
    assert np.isfinite(values["update_ratio"]).all()


@pytest.mark.parametrize("entry", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("net", "gradient"), [("vectors", "dfa"), ("images", "fa"), ("skips", "dkp"), ("tokens", "wm")]
)
def test_numbers_that_are_not_finite_are_measured_without_an_error(nets, measure, net, gradient, entry):
    model = nets(net, gradient, dtype="float32")
    W = model.network.weights[next(name for name in model.network.weights if name.endswith(".W"))]
    W[(0,) * W.ndim] = entry
    values = measure(model).values
    assert not np.isfinite(values["weight_norm"][0])
    if np.isnan(entry):  # an infinite weight may do no more than saturate a unit
        for name in ("signal_angle", "exact_norm", "activity_norm", "activity_rank", "probe_error"):
            assert np.isnan(values[name]).any(), name
        assert (values["meaningful"] == 0).all()


def test_weights_of_zero_are_measured_without_an_error(nets, measure):
    model = nets("vectors", "dfa")
    model.network.weights.values.fill(0)
    values = measure(model).values
    assert np.isnan(values["signal_angle"]).tolist() == [True, True, False]
    assert values["meaningful"].tolist() == [0, 0, 1]
    assert values["weight_norm"].tolist() == [0, 0, 0]


def test_pictures_are_of_the_lowest_layers_weights(nets, measure):
    def features(net, gradient, name="features"):
        model = nets(net, gradient)
        return model, measure(model, "weights", "feedback").snapshots.get(name)

    model, found = features("vectors", "bp")
    assert found.shape == (7, 6, 6, 2)
    W = model.network.weights["linear1.W"]
    np.testing.assert_array_equal(found[3], W[:, 3].reshape(6, 6, 2).astype("float32"))
    model, found = features("images", "bp")
    np.testing.assert_array_equal(found[2], model.network.weights["conv1.W"][..., 2].astype("float32"))
    model, found = features("tokens", "bp")
    assert found.shape == (5, 2, 2, 2)
    assert features("vectors", "fa", "feedback")[1] is None
    model, found = features("vectors", "dfa", "feedback")
    np.testing.assert_array_equal(found, model.rule.B["feedback1"].astype("float32"))
    model, found = features("vectors", "bfa", "feedback")
    np.testing.assert_array_equal(found[3], model.rule.B["linear1"][:, 3].reshape(6, 6, 2).astype("float32"))


def test_a_net_that_was_built_by_hand_is_refused(nets, probe):
    model = nets("vectors", "bp")
    network = Sequential([Linear(4)], input_shape=(3,), backend=model.backend)
    by_hand = assemble(model.config, network)
    assert isinstance(by_hand.loss, CrossEntropy)
    with pytest.raises(RunError, match="these build another one"):
        Measurer(by_hand, GROUPS, probe)


def test_unknown_groups_and_a_probe_without_held_out_images_are_refused(nets, probe):
    model = nets("vectors", "bp")
    with pytest.raises(ValueError, match="unknown group angles: choose from alignment, weights"):
        Measurer(model, ["angles"], probe)
    with pytest.raises(ValueError, match="held out"):
        Measurer(model, ["probe"], Probe(probe.x, probe.labels))
    assert Measurer(model, [], Probe(probe.x, probe.labels)).measure(model).values == {}
