"""The comparison of training on two backends: another order of summation passes, and other steps are noticed."""

# A fault has the arguments of what it stands for.
# ruff: noqa: ARG005

from dataclasses import replace

import numpy as np
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.optim import OPTIMIZERS, SGD, Adam, RMSprop
from bdfa_np.options.config import Config
from bdfa_np.parity.differences import Difference, difference, worst
from bdfa_np.parity.training import (
    OPTIONS,
    TEN_STEPS,
    WITH_OPTIONS,
    Case,
    Reference,
    cases,
    compare,
    make_trainer,
    run_case,
    trained_nets,
)
from bdfa_np.rules import BDFA, DFA, RULES

NAN, INF = np.nan, np.inf


def far_apart(differences):
    return [one.name for one in differences if not one.passed]


def in_one_precision():
    """Yield each case with each precision, half of the pairs as slow ones.

    A case is the same formulas in either: so each goes with one, and each net and kind of rule with both.
    """
    for number, case in enumerate(cases()):
        for place, dtype in enumerate(TEN_STEPS):
            marks = () if number % 2 == place else pytest.mark.slow
            yield pytest.param(case, dtype, marks=marks, id=f"{dtype}-{case.name}")


@pytest.mark.parametrize(("case", "in_another_order"), list(in_one_precision()), indirect=["in_another_order"])
def test_training_that_sums_in_another_order_passes(case, in_another_order):
    assert far_apart(compare(case, Reference(in_another_order), in_another_order)) == []


def test_the_cases_are_every_net_with_every_rule_and_every_optimizer_and_option():
    thorough, quick = cases(thorough=True), cases()
    pairs = {(network, rule) for network in ("mlp", "conv", "resnet20") for rule in RULES}
    pairs -= {("conv", "ifa"), ("resnet20", "ifa"), ("resnet20", "bfa")}
    assert {(case.network, case.gradient, case.optimization) for case in thorough if not case.options} == {
        (*pair, optimizer) for pair in pairs for optimizer in OPTIMIZERS
    }
    assert {(case.network, case.gradient) for case in quick} == pairs
    assert {case.optimization for case in quick} == set(OPTIMIZERS)
    for chosen, nets in ((thorough, 2), (quick, 1)):
        assert len({case.name for case in chosen}) == len(chosen)
        assert sum(bool(case.options) for case in chosen) == nets * len(OPTIONS)


def test_every_option_that_changes_a_step_is_in_some_case():
    of_data = {
        "dataset",
        "datapath",
        "cache_dir",
        "no_extra",
        "resize",
        "format",
        "normalization",
        "whiten",
        "validate",
    }
    of_data |= {"label", "test_fraction"}
    of_data |= {"zca_epsilon", "train_limit", "test_limit", "models_folder", "batch_size", "const_batch_size"}
    of_epochs = {"schedule", "gamma", "milestones", "warmup", "patience", "keep_best", "on_test"}
    of_the_run = of_epochs | {
        "epochs",
        "epoch_step",
        "seed",
        "threads",
        "processes",
        "devices",
        "bn_local",
        "backend",
        "device",
        "tf32",
        "cuda_graph",
        "gpu_memory",
    }
    of_shape_alone = {"shortcut", "init", "input_dropout", "num_layers", "visualize"}
    of_looking_on = {"track", "track_every", "tensorboard"}
    from_outside = {"rule_options"}
    default = Config().resolve()
    met = set()
    for case in cases():
        config = case.config()
        met |= {name for name in vars(config) if getattr(config, name) != getattr(default, name)}
    assert vars(default).keys() - met - of_data - of_the_run - of_shape_alone - of_looking_on - from_outside == set()


@pytest.mark.parametrize(("rule", "network"), [(rule, network) for rule in RULES for network in trained_nets(rule)])
def test_a_run_reports_all_that_training_computes_and_nothing_is_zero(network, rule):
    options = {"dropout": 1, "batchnorm": 1} if network in WITH_OPTIONS else {}
    found = run_case(Case(network, rule, "adam", options), NumpyBackend("float64"))
    kinds = {" ".join(name.split()[: 2 if name.startswith(("trained", "feedback")) else 1]) for name in found}
    wanted = {"logits", "loss", "deltas", "gradients", "trained weights", "trained layers", "trained optimizer"}
    wanted |= {"trained loss", "trained confusion", "trained logits"}
    feedback = make_trainer(Case(network, rule), NumpyBackend("float64")).rule.feedback
    wanted |= {"trained feedback"} if len(feedback) else set()
    wanted |= {"feedback gradients"} if feedback.gradients is not None and len(feedback) else set()
    assert kinds == wanted
    assert found["trained confusion"].sum() == 54  # samples in ten batches of 6, 6 and 4 in turn
    for name, array in found.items():
        assert np.abs(array).max() > 0, name


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_ten_steps_move_every_parameter_by_more_than_float32s_tolerance(case):
    rule = make_trainer(case, NumpyBackend("float64")).rule
    trained = [("weights", vector) for vector in rule.trained if vector is not rule.feedback]
    if rule.feedback.gradients is not None or case.gradient in ("bdfa", "fdfa", "ebd", "wm"):
        trained.append(("feedback", rule.feedback))
    after = run_case(case, NumpyBackend("float64"))
    for group, vector in trained:
        for name, before in vector.state().items():
            if case.config().batchnorm and name.endswith(".b"):
                continue  # a normalisation takes it out
            moved = np.abs(after[f"trained {group} {name}"] - before).max() / np.abs(before).max()
            assert moved > 2 * TEN_STEPS["float32"], name


OPTION_OF_A_CASE = [
    (case, option)
    for case in cases(thorough=True)
    for option in case.options
    if not (option == "eps" and "acc_gradient" in case.options)
    and not (option == "momentum" and "dampening" in case.options)
    and option != "lr"
]


@pytest.mark.parametrize(("case", "option"), OPTION_OF_A_CASE, ids=lambda value: getattr(value, "name", value))
def test_without_an_option_something_else_comes_out(case, option):
    others = {name: value for name, value in case.options.items() if name != option}
    without = Case(case.network, case.gradient, case.optimization, others)
    found, other = (run_case(one, NumpyBackend("float64")) for one in (case, without))
    assert far_apart(difference(name, other.get(name), array, 1e-3) for name, array in found.items())


def noticed(monkeypatch, case, target, name, value):
    """Compare a backend on which something of the engine is different with one on which it is not."""
    right = NumpyBackend("float64")
    expected = run_case(case, right)
    monkeypatch.setattr(target, name, value)
    monkeypatch.setattr(
        "bdfa_np.parity.training.run_case", lambda _, backend: expected if backend is right else run_case(case, backend)
    )
    return far_apart(compare(case, right, NumpyBackend("float64")))


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [(Adam, "beta1", 0.9001), (Adam, "epsilon", 1e-7), (RMSprop, "alpha", 0.9901), (SGD, "step_formula", None)],
)
def test_an_optimizer_that_steps_otherwise_is_noticed(optimizer, name, value, monkeypatch):
    if value is None:
        value = lambda self: lambda w, g, *, rate: w - rate * g * 1.000001  # noqa: E731
    names = noticed(monkeypatch, Case("mlp", "dfa", optimizer.name), optimizer, name, value)
    assert "trained weights linear1.W" in names
    assert not [name for name in names if not name.startswith("trained")]


def test_a_rule_that_sends_something_else_is_noticed_where_it_first_shows(monkeypatch):
    original = DFA.backward
    names = noticed(
        monkeypatch,
        Case("mlp", "dfa"),
        DFA,
        "backward",
        lambda self, result: original(self, replace(result, error=result.error * 1.000001)),
    )
    assert {"deltas linear1", "gradients linear1.W", "trained weights linear1.W"} <= set(names)
    assert "logits" not in names


def test_feedback_that_learns_otherwise_is_noticed(monkeypatch):
    names = noticed(monkeypatch, Case("mlp", "bdfa"), BDFA, "train_feedback", lambda self, result: None)
    assert "trained feedback feedback1.B" in names


def test_masks_that_differ_between_passes_are_noticed():
    class Stuck(NumpyBackend):
        """Draws the masks of the first pass again and again in training, but the right ones when asked alone."""

        def dropout(self, x, key, keep, mask, out):
            key = key if not x.any() else (*key[:-1], 0)
            return super().dropout(x, key, keep, mask, out)

    other, case = Stuck("float64"), Case("mlp", options={"dropout": 1})
    names = far_apart(compare(case, Reference(other), other))
    assert names
    assert all(name.startswith("trained") for name in names)


def test_a_reference_takes_the_masks_of_the_other_backend():
    class Other(NumpyBackend):
        def dropout(self, x, key, keep, mask, out):
            mask[...] = np.arange(mask.size).reshape(mask.shape) % 2 * 2
            return np.multiply(x, mask, out=out)

    other, case = Other("float64"), Case("conv", "bfa", options={"dropout": 1, "eps": 0.1})
    assert far_apart(compare(case, NumpyBackend("float64"), other))
    assert far_apart(compare(case, Reference(other), other)) == []


def test_a_backend_that_raises_has_failed_with_its_error_as_a_note():
    class Broken(NumpyBackend):
        def column_sum(self, a, out, accumulate=False):
            raise MemoryError

    (failed,) = compare(Case("mlp"), NumpyBackend(), Broken())
    assert (failed.passed, failed.name, failed.note) == (False, "mlp bp sgd", "MemoryError: ")


# Differences


@pytest.mark.parametrize(
    ("found", "expected", "value"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1.0, 2.5], 0.2),
        ([-1.0, 5.0], [1.0, 5.0], 0.4),
        ([NAN, INF, -INF, 1.0], [NAN, INF, -INF, 1.0], 0),
        ([NAN, 1.0], [1.0, 1.0], INF),
        ([1.0, 1.0], [1.0, NAN], INF),
        ([INF, 1.0], [-INF, 1.0], INF),
        ([1e308, 1.0], [-1e308, 1.0], 2),
        ([0.0, 0.0], [0.0, 0.0], 0),
        ([1e-300], [0.0], INF),
        ([1.0], [1.0, 1.0], INF),
        ([1, 2], [1, 2], 0),
        ([1, 2], [1, 3], INF),
        ([1, 2], [1.0, 2.0], INF),
        ([True], [False], INF),
        ([], [], 0),
    ],
)
def test_a_difference_is_a_share_of_the_largest_entry(found, expected, value):
    one = difference("x", np.array(found), np.array(expected), 0.1)
    assert one.value == pytest.approx(value, rel=1e-12)
    assert one.passed == (value <= 0.1)


def test_a_difference_may_be_a_share_of_another_number():
    a, b = np.array([1.0, 3.0]), np.array([2.0, 3.5])
    assert difference("x", a, b, 1, 10.0).value == 0.1
    assert difference("x", a, b, 1, np.array([5.0, 1.0])).value == 0.5
    assert difference("x", None, b, 1).value == INF
    assert not Difference("x", NAN, 1.0).passed


def test_the_worst_is_the_furthest_beyond_its_own_tolerance():
    one, other = Difference("one", 1e-5, 1e-4), Difference("other", 1e-6, 1e-6)
    assert worst([one, other]) is other
    assert worst([one, other, Difference("exact", 0.0, 0.0)]) is other
    assert worst([one, failed := Difference("exact", INF, 0.0)]) is failed
