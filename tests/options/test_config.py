"""Options: defaults, what each accepts, which go together, and their way through a file."""

import math
from dataclasses import replace

import pytest

from bdfa_np.declaration import flag
from bdfa_np.errors import ConfigError
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.options.catalogue import HEADINGS, OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.rules import RULES


def test_defaults_are_the_originals_but_for_the_documented_ones():
    expected = {
        "dataset": "mnist",
        "network": "mlp",
        "criterion": "bce",
        "nonlin": "tanh",
        "num_layers": 2,
        "num_hidden": 800,
        "bias": True,
        "rfb_mag": 0,
        "lr": None,
        "lr_decay": 0,
        "weight_decay": 0,
        "momentum": 0,
        "batch_size": 64,
        "optimization": "rmsprop",
        "epochs": 300,
        "epoch_step": -1,
        "validate": False,
        "gradient": "bdfa",
        "backend": "auto",
        "threads": "auto",
    }
    config = Config()
    assert {name: getattr(config, name) for name in expected} == expected


def test_resolving_fills_in_the_rules_own_options_and_leaves_threads_to_the_run():
    config = Config().resolve()
    assert (config.threads, Config(threads=None).resolve().threads, Config(threads=3).resolve().threads) == (
        *("auto", "auto"),
        3,
    )
    assert (config.feedback_target, config.feedback_lr, config.feedback_alpha) == ("centred", 5e-5, None)
    of_bdfa = [Config(feedback_target=target).resolve() for target in ("torch", "mixed", "label", "centred")]
    assert [one.feedback_alpha for one in of_bdfa] == [0.25, 0.25, None, None]
    of_bfa = [Config(gradient="bfa", feedback_target=target).resolve() for target in (None, "mixed", "centred")]
    assert [one.feedback_target for one in of_bfa] == ["label", "mixed", "centred"]
    assert [one.feedback_alpha for one in of_bfa] == [None, 0.25, None]
    assert Config(gradient="dfa").resolve().feedback_lr is None
    assert Config(gradient="bfa").resolve().feedback_output == "sigmoid"
    assert Config(gradient="bfa", feedback_output="auto").resolve().feedback_output == "sigmoid"
    assert Config(gradient="bfa", feedback_output="linear").resolve().feedback_output == "linear"


@pytest.mark.parametrize("optimization", OPTIMIZERS)
def test_a_rate_that_is_not_given_is_the_optimizers_own(optimization):
    momentum = 0.9 if optimization == "nag" else 0.0
    expected = {"rprop": 0.1, "adadelta": 1.0}.get(optimization, 1e-4)
    config = Config(optimization=optimization, momentum=momentum)
    assert config.resolve().lr == expected
    assert config.resolve().resolve().lr == expected
    assert replace(config, lr=0.03).resolve().lr == 0.03


def test_help_states_the_rate_of_each_optimizer_and_which_ones_have_decay_and_momentum():
    text = {name: option.help for name, option in OPTIONS.items()}
    assert "[default: 0.0001; rprop 0.1; adadelta 1]" in text["lr"]
    assert "sgd, nag, adam, adagrad" in text["lr_decay"]
    assert "sgd, nag." in text["momentum"]


@pytest.mark.parametrize("name", ["cg", "lbfgs", "fista", "cmaes", "de"])
def test_what_is_not_carried_over_from_torchs_optim_says_so(name, bdfa):
    line = f"--optimization {name} is not carried over from Torch's optim: choose from {', '.join(OPTIMIZERS)}"
    with pytest.raises(ConfigError) as caught:
        Config(optimization=name).resolve()
    assert str(caught.value) == line
    assert line in bdfa.refused("train", "-optimization", name.upper(), "--save", "run")


def test_resolving_twice_changes_nothing():
    for gradient in ("bp", "fa", "dfa", "bfa", "bdfa"):
        config = Config(gradient=gradient).resolve()
        assert config.resolve() == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("lr", value) for value in (0.0, -1e-4, math.nan, math.inf)],
        *[("lr_decay", value) for value in (-1.0, math.nan, math.inf)],
        *[("weight_decay", value) for value in (-1.0, math.nan)],
        *[("momentum", value) for value in (-0.1, 1.0, math.nan)],
        *[("rfb_mag", value) for value in (-1.0, math.inf)],
        *[("feedback_lr", value) for value in (-1.0, math.nan)],
        *[("num_layers", value) for value in (-1, 1001)],
        *[("num_hidden", value) for value in (0, -5, 10**7)],
        *[("batch_size", value) for value in (0, -1)],
        *[("epochs", value) for value in (0, -2)],
        ("epoch_step", -2),
        ("seed", -1),
        ("threads", 0),
        ("device", -1),
        *[("gpu_memory", value) for value in (0.0, -1.0, 1e-4, 1e7, math.nan, math.inf)],
        ("train_limit", 0),
        ("test_limit", -1),
        ("gradient", "xyz"),
        ("nonlin", "TANH"),
        ("optimization", "lbfgs"),
        ("criterion", ""),
        ("backend", "tpu"),
        ("dataset", "imagenet"),
        ("feedback_target", "x"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_options_name(name, value):
    with pytest.raises(ConfigError, match=flag(name)) as caught:
        replace(Config(optimization="sgd") if name in ("momentum", "lr_decay") else Config(), **{name: value}).resolve()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "bfa", "feedback_lr": 5e-5}, "--feedback-lr has no part in --gradient bfa"),
        (
            {"gradient": "dfa", "feedback_target": "label"},
            "--feedback-target has no part in --gradient dfa, only in bfa",
        ),
        (
            {"gradient": "bfa", "feedback_target": "torch"},
            "--feedback-target torch has no part in --gradient bfa, only in bdfa: choose from label, mixed, centred$",
        ),
        *[
            (
                {"gradient": "bfa", "feedback_target": target, "feedback_alpha": 0.25},
                f"--feedback-alpha has no part in --feedback-target {target or 'label'}, only in mixed, torch: ",
            )
            for target in (None, "label", "centred")
        ],
        ({"gradient": "bdfa", "feedback_output": "linear"}, "--feedback-output has no part in --gradient bdfa"),
        ({"gradient": "bp", "rfb_mag": 0.1}, "--rfb-mag has no part in --gradient bp"),
        *[
            (
                {"feedback_target": target, "feedback_alpha": 0.5},
                f"--feedback-alpha has no part in --feedback-target {target or 'centred'}, only in mixed, torch: ",
            )
            for target in (None, "label", "centred")
        ],
        ({"momentum": 0.9}, "--optimization rmsprop has no --momentum"),
        ({"lr_decay": 0.1}, "--optimization rmsprop has no --lr-decay"),
        ({"optimization": "adam", "momentum": 0.9}, "--optimization adam has no --momentum, only sgd, nag:"),
        ({"optimization": "adamax", "lr_decay": 0.1}, "has no --lr-decay, only sgd, nag, adam, adagrad:"),
        ({"optimization": "asgd", "momentum": 0.9}, "--optimization asgd has no --momentum"),
        ({"optimization": "rprop", "weight_decay": 0.1}, "--optimization rprop has no --weight-decay"),
        ({"optimization": "rprop", "epoch_step": 5}, "--epoch-step has no part in --optimization rprop"),
        *[
            ({"backend": "numpy", **given}, f"{flag(*given)} is for CUDA, and has no part in --backend numpy")
            for given in ({"device": 1}, {"tf32": True}, {"cuda_graph": True}, {"gpu_memory": 2.5})
        ],
        ({"optimization": "nag"}, "--optimization nag needs a --momentum greater than 0"),
    ],
)
def test_an_option_without_effect_is_refused_and_not_ignored(options, message):
    with pytest.raises(ConfigError, match=message):
        Config(**options).resolve()


@pytest.mark.parametrize(
    "options",
    [
        {"optimization": "sgd", "momentum": 0.9, "lr_decay": 0.1, "weight_decay": 0.1},
        {"optimization": "adam", "lr_decay": 0.1, "weight_decay": 0.1},
        {"optimization": "nag", "momentum": 0.9, "lr_decay": 0.1, "weight_decay": 0.1},
        {"optimization": "adagrad", "lr_decay": 0.1, "weight_decay": 0.1},
        {"optimization": "adadelta", "weight_decay": 0.1, "epoch_step": 0},
        {"weight_decay": 0.1},
        {"gradient": "fa", "rfb_mag": 0.1},
        {"feedback_target": "mixed", "feedback_alpha": 0.0, "feedback_lr": 0.0},
        {"epochs": -1},
        {"epoch_step": 0},
        {"gradient": "bp", "nonlin": "relu", "criterion": "ce"},
        {"backend": "cupy", "device": 1, "tf32": True, "cuda_graph": True, "gpu_memory": 2.5},
    ],
)
def test_options_that_go_together_are_accepted(options):
    config = Config(**options).resolve()
    assert all(getattr(config, name) == value for name, value in options.items())


def test_options_survive_the_way_through_a_mapping():
    config = Config(gradient="bfa", lr=0.01, validate=True, train_limit=100).resolve()
    assert Config.from_mapping(config.to_mapping()) == config
    assert None not in config.to_mapping().values()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"learning": 1}, "unknown option 'learning'"),
        ({"lr": "fast"}, "option 'lr' has a value of the wrong type"),
        ({"epochs": 2.5}, "option 'epochs' has a value of the wrong type"),
        ({"epochs": True}, "option 'epochs' has a value of the wrong type"),
        ({"lr": True}, "option 'lr' has a value of the wrong type"),
        ({"bias": 1}, "option 'bias' has a value of the wrong type"),
        ({"gradient": ["bp"]}, "option 'gradient' has a value of the wrong type"),
    ],
)
def test_a_mapping_with_unknown_names_or_types_is_refused(mapping, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_mapping(mapping)


def test_a_whole_number_will_do_for_a_float_option():
    assert Config.from_mapping({"lr": 1}).lr == 1


TORCH_SPELLINGS = {
    "dataset": "-dataset",
    "datapath": "-datapath",
    "cache_dir": "-preProcDir",
    "format": "-format",
    "normalization": "-normalization",
    "whiten": "-whiten",
    "augment": "-augment",
    "validate": "-validate",
    "network": "-network",
    "models_folder": "-modelsFolder",
    "nonlin": "-nonlin",
    "num_layers": "-num_layers",
    "num_hidden": "-num_hidden",
    "dropout": "-dropout",
    "batchnorm": "-batchnorm",
    "bias": "-bias",
    "gradient": "-gradient",
    "criterion": "-criterion",
    "rfb_mag": "-rfb_mag",
    "optimization": "-optimization",
    "lr": "-LR",
    "lr_decay": "-LRDecay",
    "weight_decay": "-weightDecay",
    "momentum": "-momentum",
    "max_in_norm": "-maxInNorm",
    "max_out_norm": "-maxOutNorm",
    "eps": "-eps",
    "acc_gradient": "-accGradient",
    "batch_size": "-batchSize",
    "const_batch_size": "-constBatchSize",
    "epochs": "-epoch",
    "epoch_step": "-epoch_step",
    "threads": "-threads",
    "visualize": "-visualize",
}


def test_the_torch_programs_spellings_are_these():
    assert {name: option.torch for name, option in OPTIONS.items() if option.torch} == TORCH_SPELLINGS


def test_every_option_has_help_and_a_spelling_of_its_own():
    spellings = [option.torch for option in OPTIONS.values() if option.torch]
    assert len(set(spellings)) == len(spellings)
    assert all(option.help for option in OPTIONS.values())


def test_help_of_the_configuration_explains_every_option_under_its_heading_and_says_who_has_it():
    text = Config.__doc__
    places = [text.index(f"\n{name} : ") for name in OPTIONS]
    assert places == sorted(places)
    for title, options in HEADINGS.items():
        assert text.index(f"\n{title}:\n") < text.index(f"\n{options[0].name} : ")
    assert "rfb_mag : float, default 0.0\n    Feedback is drawn within ±X; 0: from its size. Only with gradient" in text
    assert "criterion : {'bce', 'ce', 'mse'}, default 'bce'" in text
    assert all(" ".join(option.help.split()[:3]) in text for option in OPTIONS.values())


def test_help_of_the_command_has_the_headings_in_the_same_order(bdfa):
    out = bdfa("train", "--help").out
    places = [out.index(f"\n{title}:\n") for title in (*HEADINGS, "Options")]
    assert places == sorted(places)
    assert (
        out.index("\nNet:\n") < out.index("--num-hidden") < out.index("\nLearning rule:\n") < out.index("-O NAME=VALUE")
    )


def test_what_is_declared_decides_who_has_an_option_and_nothing_else():
    owners = {name: [one.owners for one in option.conditions if one.owners] for name, option in OPTIONS.items()}
    for option in ("feedback_lr", "rfb_mag"):
        assert owners[option] == [tuple(name for name, rule in RULES.items() if option in names(rule.options))]
    assert owners["feedback_target"] == [("bfa", "bdfa")]
    assert owners["num_hidden"] == [("mlp",)]
    assert owners["momentum"] == [("sgd", "nag")]


def names(options):
    return {option.name for option in options}
