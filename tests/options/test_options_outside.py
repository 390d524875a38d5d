"""The effect of the options that a rule of one's own has declared."""

from pathlib import Path

import pytest

from bdfa_np import Config, build_model
from bdfa_np.errors import ConfigError, ExtensionError

RULE = """
from bdfa_np import DFA, Option


class Mine(DFA):
    options = (
        *DFA.options,
        Option("gain", 1.0, "How much.", check=lambda value: None if value > 0 else "must be greater than 0"),
        Option("times", 2, "How often."),
        Option("wide", False, "Whether."),
        Option("way", "up", "Where to.", choices=("up", "down")),
    )

    def __init__(self, network, *, magnitude=0.0, gain, times, wide, way):
        super().__init__(network, magnitude=magnitude)
        self.given = (magnitude, gain, times, wide, way)
"""


@pytest.fixture
def rule(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(RULE)
    return str(file)


def given(rule, **options):
    return build_model(Config(gradient=rule, num_hidden=3, **options), (2, 2, 1), 2).rule.given


def test_of_rule_options__they_reach_the_rules_constructor_beside_inherited_ones(rule):
    assert given(rule) == (0.0, 1.0, 2, False, "up")
    assert given(rule, rule_options={"gain": 2.5, "way": "down"}, rfb_mag=0.5) == (0.5, 2.5, 2, False, "down")
    assert given(rule, rule_options={"gain": 2, "times": 3, "wide": True}) == (0.0, 2, 3, True, "up")


def test_of_rule_options__one_that_is_inherited_and_not_taken_is_told_only_where_it_is_given(rule):
    assert given(rule, rfb_init="uniform") == (0.0, 1.0, 2, False, "up")
    with pytest.raises(ExtensionError, match=r"mine\.py, line 14: TypeError: .* unexpected keyword argument 'rank'"):
        given(rule, feedback_rank=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": 0.0}, "-O gain must be greater than 0, not 0.0"),
        ({"times": 2.5}, "-O times has a value of the wrong type: 2.5"),
        ({"wide": 1}, "-O wide has a value of the wrong type: 1"),
        ({"way": "left"}, "-O way left: choose from up, down"),
        ({"other": 1}, "has no option 'other', only gain, times, wide, way: leave it out"),
    ],
)
def test_of_rule_options__a_value_that_cannot_be_used_is_refused(rule, options, message):
    with pytest.raises(ConfigError, match=message):
        Config(gradient=rule, rule_options=options).resolve()


def test_of_rule_options__a_rule_may_have_its_own_default_and_check_for_an_option_that_others_have(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "from bdfa_np import DFA, Option\n\n\nclass Own(DFA):\n"
        "    options = (Option('rfb_mag', 0.5, 'Within.', keyword='magnitude'),\n"
        "        Option('feedback_lr', 0.01, 'Share.', check=lambda x: None if x < 1 else 'must be below 1'))\n\n"
        "    def __init__(self, network, *, magnitude, feedback_lr):\n"
        "        super().__init__(network)\n        self.given = (magnitude, feedback_lr)\n"
    )
    assert given(str(file)) == (0.5, 0.01)
    assert given(str(file), feedback_lr=0.2, rfb_mag=0.1) == (0.1, 0.2)
    assert Config(gradient=str(file)).resolve().resolve().feedback_lr == 0.01
    with pytest.raises(ConfigError, match="--feedback-lr must be below 1, not 3"):
        Config(gradient=str(file), feedback_lr=3.0).resolve()
    assert Config().resolve().feedback_lr == 5e-5


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["-O", "wide=true", "-O", "times=7"], (0.0, 1.0, 7, True, "up")),
        (["-O", "wide=0", "-O", "gain=1e-3"], (0.0, 1e-3, 2, False, "up")),
    ],
)
def test_of_rule_options__texts_of_the_command_line_become_what_was_declared(bdfa, rule, texts, expected):
    from bdfa_np import load_run

    bdfa.train("run", "--gradient", rule, *texts, "--epochs", 1)
    assert load_run(Path("run")).rule.given == expected
