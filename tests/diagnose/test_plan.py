"""Which controls a run has, and that each is trained with the run's own options, but for one thing."""

from pathlib import Path

import pytest

from bdfa_np import Config, build_model
from bdfa_np.controls.plan import NAMES, chosen, controls_of, itself, planned_epochs, shape_of
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.trainer import Progress

RUN = Path("run")


def planned(shape=(28, 28, 1), wanted=NAMES, **options):
    """Return what the controls of a run with these options differ from it in, resolved, by their names."""
    config = Config(**options).resolve()
    kind = shape_of(build_model(config, shape, 10).network)
    found = {}
    for control in controls_of(config, kind, config.epochs, wanted):
        resolved = control.config.resolve()
        values = {name: (getattr(config, name), getattr(resolved, name)) for name in OPTIONS}
        found[control.name] = {name: now for name, (was, now) in values.items() if was != now}
    return found


def test_controls_of_a_net_of_two_hidden_layers_differ_from_it_in_what_they_are_called_for():
    found = planned(gradient="dfa", num_hidden=30, lr=1e-3, momentum=0.0, batchnorm=1, dropout=1, epochs=7, seed=3)
    of_dfa = dict.fromkeys(("rfb_init", "rfb_mag", "feedback_sparsity", "feedback_rank", "feedback_shared"))
    changes = {name: {key: value for key, value in one.items() if key not in of_dfa} for name, one in found.items()}
    assert changes == {
        "bp": {"gradient": "bp", "init": "uniform"},
        "frozen": {"gradient": "frozen", "init": "uniform"},
        "linear": {"gradient": "bp", "init": "uniform", "num_layers": 0},
        "shallow": {"num_layers": 1},
    }


def test_what_belongs_to_the_runs_rule_alone_is_left_out_and_what_was_chosen_is_kept():
    found = planned(gradient="kp", init="xavier", optimization="sgd", momentum=0.9, clip_norm=1.0)
    assert "init" not in found["bp"]
    assert "clip_norm" not in found["bp"]
    assert planned(gradient="wm", mirror_lr=0.1)["bp"]["mirror_lr"] is None


def test_controls_neither_draw_nor_measure():
    found = planned(gradient="dfa", track="all", track_every="2", tensorboard=True, visualize=True)
    for one in found.values():
        assert (one["track"], one["track_every"], one["tensorboard"], one["visualize"]) == (None, "1", False, False)


def test_shallow_controls_of_a_net_of_convolutions_are_fully_connected():
    found = planned((32, 32, 3), network="lenet", gradient="dfa")
    assert {name: found["shallow"][name] for name in ("network", "num_layers", "num_hidden", "nonlin")} == {
        "network": "mlp",
        "num_layers": 1,
        "num_hidden": 84,
        "nonlin": "relu",
    }
    assert (found["linear"]["network"], found["linear"]["num_layers"]) == ("mlp", 0)
    assert set(found["bp"]) >= {"gradient"}
    assert "network" not in found["bp"]
    assert "num_hidden" not in planned((32, 32, 3), network="resnet20", gradient="bp")["shallow"]  # the 800 of mlp


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ({"gradient": "bp"}, ("bp",)),
        ({"gradient": "frozen"}, ("frozen",)),
        ({"gradient": "dfa", "num_layers": 1}, ("shallow",)),
        ({"gradient": "fa", "num_layers": 0}, ("frozen", "linear", "shallow")),
        ({"gradient": "bp", "num_layers": 0}, NAMES),
        ({"gradient": "dfa", "network": "conv"}, ()),
    ],
)
def test_a_run_needs_no_control_that_it_is_itself(options, own):
    config = Config(**options).resolve()
    assert itself(config, shape_of(build_model(config, (28, 28, 1), 10).network)) == own
    assert set(planned(**options)) == set(NAMES) - set(own)


def test_names_are_taken_as_a_text_or_one_by_one():
    assert chosen("all") == NAMES
    assert chosen("none") == chosen([]) == ()
    assert chosen("shallow, BP") == chosen(["bp", "shallow"]) == ("bp", "shallow")
    with pytest.raises(ConfigError, match="--controls fa: choose from bp, frozen, linear, shallow, with commas"):
        chosen("bp,fa")
    with pytest.raises(ConfigError, match="--controls none: choose from"):
        chosen("bp,none")


def test_controls_get_as_many_epochs_as_the_run_has_done():
    assert planned_epochs(Config(epochs=9), Progress(epoch=9), RUN) == 9
    assert planned_epochs(Config(epochs=9), Progress(epoch=4), RUN) == 4
    assert planned_epochs(Config(epochs=-1), Progress(epoch=4), RUN) == 4
    ended = Progress(epoch=4, stop_reason="no lower validation error in 3 epochs")
    assert planned_epochs(Config(epochs=9), ended, RUN) == 9  # by the same rule each ends when it ends
    assert planned_epochs(Config(epochs=-1), ended, RUN) == 4


def test_a_run_whose_rate_is_on_its_way_to_0_has_no_control_before_its_end():
    config = Config(epochs=9, schedule="cosine")
    assert planned_epochs(config, Progress(epoch=9), RUN) == 9
    with pytest.raises(RunError, match=r"run has done 4 of 9 epochs, .* finish it with bdfa train --save run --resume"):
        planned_epochs(config, Progress(epoch=4), RUN)
    assert planned_epochs(config, Progress(epoch=4), RUN, needed=False) == 4
    with pytest.raises(RunError, match="no epoch of the run in run is done"):
        planned_epochs(Config(), Progress(), RUN)
