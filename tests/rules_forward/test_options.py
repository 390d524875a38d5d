"""An option that several rules have follows as the chosen rule says."""

from dataclasses import replace

import pytest

from bdfa_np.declaration import Option
from bdfa_np.errors import ConfigError
from bdfa_np.options.catalogue import OPTIONS, owned
from bdfa_np.options.config import Config
from bdfa_np.options.precedence import meaningless
from bdfa_np.options.usual import is_usual


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        ({"gradient": "bdfa"}, 5e-5),
        ({"gradient": "fdfa"}, 0.01),
        ({"gradient": "fdfa", "feedback_optimizer": "adam"}, 1e-4),
        ({"gradient": "fdfa", "feedback_lr": 0.3}, 0.3),
        ({"gradient": "dfa"}, None),
    ],
)
def test_the_feedbacks_rate_follows_from_the_rule(given, rate):
    config = Config(**given).resolve()
    assert config.feedback_lr == rate
    assert is_usual(config, "feedback_lr") == ("feedback_lr" not in given)
    assert config.resolve() == config


def test_the_help_has_the_default_of_each_rule():
    text = OPTIONS["feedback_lr"].help
    assert "bdfa 5e-05" in text
    assert "fdfa 0.01, or 0.0001 with --feedback-optimizer" in text
    assert "{" not in text + OPTIONS["feedback_optimizer"].help


@pytest.mark.parametrize(
    ("of_file", "given", "left_out"),
    [
        ({"gradient": "bdfa"}, {"gradient": "fdfa"}, True),
        ({"gradient": "bdfa", "feedback_lr": 0.2}, {"gradient": "fdfa"}, False),
        ({"gradient": "fdfa"}, {"feedback_optimizer": "adam"}, True),
        ({"gradient": "fdfa"}, {"lr": 0.5}, False),
    ],
)
def test_a_rate_of_a_file_that_followed_from_its_rule_does_not_outlast_it(of_file, given, left_out):
    from_file = Config(**of_file).resolve().to_mapping()
    assert ("feedback_lr" in meaningless(given, from_file)) == left_out


def test_owners_that_say_the_same_keep_what_they_say():
    one = Option("size", None, "Size.  [default: {defaults}]", kind=int, follows=3)
    declared = {"a": (one,), "b": (one,), "c": (replace(one, follows=lambda config: config.count, default_text="n"),)}
    (alike,) = owned("kind", {name: declared[name] for name in "ab"}, declared.__getitem__)
    assert alike.follows == 3
    assert alike.follows_from == ()
    (apart,) = owned("kind", declared, declared.__getitem__)
    assert apart.follows_from == ("kind",)
    assert apart.help == "Size.  [default: a 3; b 3; c n]"


@pytest.mark.parametrize("rule", ["ifa", "fdfa", "ebd"])
@pytest.mark.parametrize(
    ("option", "value"), [("rfb_mag", 0.5), ("feedback_target", "label"), ("feedback_alpha", 0.3), ("init", "zero")]
)
def test_what_has_no_part_in_a_rule_is_refused_by_both_names(rule, option, value):
    flag = "--" + option.replace("_", "-")
    with pytest.raises(ConfigError, match=f"^{flag} .*has no part in --gradient {rule}, "):
        Config(gradient=rule, **{option: value}).resolve()


@pytest.mark.parametrize(("rule", "initial"), [("ifa", "uniform"), ("fdfa", "uniform"), ("ebd", "uniform")])
def test_weights_start_as_back_propagations(rule, initial):
    assert Config(gradient=rule).resolve().init == initial == Config(gradient="bp").resolve().init
