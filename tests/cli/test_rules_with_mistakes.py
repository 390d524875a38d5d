"""Rules and nets of one's own that are missing, broken, or have changed: one line each."""

from pathlib import Path

import pytest

from bdfa_np.errors import TrainingError
from bdfa_np.extensions import blamed, run_file
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--gradient signs.py -O strength=strong", "-O strength=strong: 'strong' is not a valid float"),
        ("--gradient signs.py -O strength", "-O strength: write it as name=value"),
        ("--gradient signs.py -O =1", "-O =1: write it as name=value"),
        ("--gradient signs.py -O weight=1", "has no option 'weight', only strength: leave it out"),
        ("--gradient drtp.py -O strength=1", "has no option 'strength', and no other of its own: leave it out"),
        ("--gradient dfa -O strength=1", "--gradient dfa has no option 'strength'"),
        ("--gradient drtp.py -O rfb_mag=1", "-O rfb_mag: an option of its own spelling: give it as --rfb-mag"),
        ("--gradient nowhere.py", "unknown rule 'nowhere.py': there is no such file"),
        ("--gradient signs", "unknown rule 'signs': choose from bp, fa, dfa, bfa, bdfa, "),
    ],
)
def test_what_a_rule_does_not_have_is_one_line_before_anything_is_written(bdfa, rules, tiny, options, message):
    line = bdfa.refused("train", *tiny, *options.split(), "--save", "run")
    assert message in line
    assert not Path("run").exists()


A_RULE = "from bdfa_np import DFA\n\n\nclass Mine(DFA):\n    pass\n"
BROKEN = {
    "no python": ("class", ", line 1: SyntaxError"),
    "an exception": ("from bdfa_np import DFA\n1 / 0\n", ", line 2: ZeroDivisionError: division by zero"),
    "no rule": ("from bdfa_np import DFA\n", "one class that derives from bdfa_np.Rule is wanted, it defines none"),
    "two rules": (A_RULE + "\n\nclass Other(DFA):\n    pass\n", "is wanted, it defines 2 (Mine, Other)"),
    "options in a list": (A_RULE + "\n    options = []\n", "Mine.options must be a tuple"),
    "an option of a run's name": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (*DFA.options, Option('lr', 0.1, 'Its own.'))\n",
        "it declares an option 'lr', which every run has: give it another name",
    ),
    "an option of unknown type": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (Option('size', None, 'One.'),)\n",
        "line 5: TypeError: option 'size': a default of None needs a kind, such as kind=float",
    ),
    "an option of no type": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (Option('sizes', (1, 2), 'Several.'),)\n",
        "line 5: TypeError: option 'sizes': its kind must be bool, int, float or str, not tuple",
    ),
    "abstract": ("from bdfa_np import Rule\n\nclass Mine(Rule):\n    pass\n", "Can't instantiate abstract class Mine"),
    "other arguments": (
        A_RULE + "\n    def __init__(self):\n        pass\n",
        "line 7: TypeError",
    ),
    "exit": ("raise SystemExit(3)\n", ", line 1: SystemExit: 3"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_one_line_that_says_where_and_nothing_is_written(bdfa, tmp_path, tiny, content, message):
    file = tmp_path / "mine.py"
    file.write_text(content)
    line = bdfa.refused("train", *tiny, "--gradient", "mine.py", "--save", "run")
    assert message in line
    assert "mine.py" in line
    assert not Path("run").exists()


@pytest.mark.parametrize("change", ["edit", "remove", "options"])
@pytest.mark.parametrize("command", [("train", "--resume", "--epochs", "2", "--save", "run"), ("evaluate", "run")])
def test_a_rule_that_is_gone_or_has_changed_is_told_from_a_damaged_run(bdfa, rules, result, change, command):
    bdfa.train("run", "--epochs", 1, "--gradient", "signs.py")
    Path("run/rule_copy.py").unlink()  # as in runs of before there were copies
    before = result(Path("run"))
    file = rules / "signs.py"
    if change == "remove":
        file.unlink()
    else:
        text = file.read_text()
        file.write_text(text + "# Changed.\n" if change == "edit" else text.replace("strength", "magnitude"))
    line = bdfa.refused(*command)
    assert "damaged" not in line
    assert ("unknown rule" if change == "remove" else "has changed since run was started") in line
    assert str(file) in line
    assert result(Path("run")) == before


def test_a_run_whose_rule_has_no_file_says_that_it_is_unknown(bdfa):
    bdfa.train("run", "--epochs", 1)
    config = Path("run/config.toml")
    config.write_text(config.read_text().replace('gradient = "bdfa"', 'gradient = "hebb"'))
    checkpoint = read_checkpoint(Path("run/checkpoint.h5"))
    checkpoint.record = ""  # as of before config.toml was compared with it
    write_checkpoint(Path("run/checkpoint.h5"), checkpoint)
    for command in (["evaluate", "run"], ["train", "--save", "run", "--resume"]):
        line = bdfa.refused(*command)
        assert "unknown rule 'hebb'" in line
        assert "damaged" not in line


HALF_WRITTEN = {
    "raises": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n        return result.missing\n",
        "mine.py, line 5: AttributeError: 'LossResult' object has no attribute 'missing'",
    ),
    "a signal of another shape": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n"
        "        return result.error[:, :1]\n",
        "mine: signal returned an array of shape (64, 1), where an array of shape (64, 10) is wanted",
    ),
    "no array": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n        pass\n",
        "mine: signal returned a NoneType, where an array of shape (64, 10) is wanted",
    ),
    "a matrix of another shape": (
        "from bdfa_np import Layerwise\n\nclass Mine(Layerwise):\n    def matrix(self, layer):\n"
        "        return layer.W.T\n",
        "mine: matrix of linear3 returned an array of shape (10, 20), where an array of shape (20, 10) is wanted",
    ),
    "nothing handed on": (
        "from bdfa_np import BP\n\nclass Mine(BP):\n    def visit(self, layer, signal, wanted):\n"
        "        super().visit(layer, signal, wanted)\n",
        "mine: visit of linear3 returned a NoneType, where an array of shape (64, 20) is wanted",
    ),
}


@pytest.mark.parametrize(("content", "message"), HALF_WRITTEN.values(), ids=HALF_WRITTEN)
def test_a_mistake_that_shows_in_training_is_one_line_that_says_where(bdfa, tmp_path, tiny, content, message):
    (tmp_path / "mine.py").write_text(content)
    line = bdfa.refused("train", *tiny, "--num-layers", 2, "--gradient", "mine.py", "--save", "run")
    assert message in line
    debugged = bdfa("train", *tiny, "--num-layers", 2, "--gradient", "mine.py", "--debug")
    assert "Traceback" in debugged.err
    assert "mine.py" in debugged.err or "check_shape" in debugged.err


def test_a_mistake_in_a_layer_of_a_net_of_ones_own_is_one_line(bdfa, tmp_path, tiny):
    (tmp_path / "net.py").write_text(
        "from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh\n\n"
        "class Late(Tanh):\n    def forward(self, x, train=True):\n"
        "        return super().forward(x, train) if train else x / self.scale\n\n"
        "def build(config, input_shape, num_classes, rng, backend):\n"
        "    layers = [Flatten(), Linear(8), Late(), ErrorFeedback(), Linear(num_classes)]\n"
        "    return Sequential(layers, input_shape, backend=backend, rng=rng)\n"
    )
    line = bdfa.refused("train", *tiny, "--network", "net.py", "--save", "run")
    assert "net.py, line 5: AttributeError: 'Late' object has no attribute 'scale'" in line
    assert "error" not in bdfa("evaluate", "run").out
    assert "net.py, line 5: AttributeError" in bdfa.refused("evaluate", "run")


def test_a_mistake_of_the_package_is_not_put_down_to_a_users_rule(tmp_path):
    (tmp_path / "mine.py").touch()
    run_file(tmp_path / "mine.py", "--gradient")
    with pytest.raises(ZeroDivisionError), blamed():
        1 / 0  # noqa: B018


def test_what_a_user_can_mend_stays_as_it_was_said_though_it_passes_a_rule_of_ones_own(tmp_path):
    def ours():
        raise TrainingError("the loss is nan")

    (tmp_path / "mine.py").write_text("def call(function):\n    function()\n")
    mine = run_file(tmp_path / "mine.py", "--gradient")
    with pytest.raises(TrainingError, match=r"^the loss is nan$"), blamed():
        mine.call(ours)
