"""``bdfa rules``: which rules there are, and what one says of itself."""

import subprocess
import sys
from pathlib import Path

import pytest

import bdfa_np
from bdfa_np.rules import GROUPS, RULES
from bdfa_np.rules.description import describe_rule
from bdfa_np.trust.listed import list_path

OWN = '''
"""A file of one's own."""

from bdfa_np import DFA, Option


class Halved(DFA):
    """Half of what ``dfa`` sends.

    Nothing else.

    Parameters
    ----------
    share : float
        How much.
    """

    options = (*DFA.options, Option("share", 0.5, "How much is sent."))

    def __init__(self, network, *, share=0.5, **inherited):
        super().__init__(network, **inherited)
        self.share = share
'''


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_the_package_says_what_it_is(name):
    rule = RULES[name]
    assert rule.group in GROUPS
    of = describe_rule(name)
    assert all([of.summary, of.formula, of.trains, of.errors_from, of.source])
    assert "δ" in of.formula
    assert not of.summary.endswith(".")
    assert "summary" in vars(rule)  # none has that of the rule that it derives from
    assert of.file == Path(bdfa_np.__file__).parent / of.file.relative_to(Path(bdfa_np.__file__).parent)
    assert f'name = "{name}"' in of.file.read_text()


def test_the_list_has_every_rule_under_its_group_with_all_that_it_says(bdfa):
    outcome = bdfa("rules")
    assert (outcome.code, outcome.err) == (0, "")
    assert max(map(len, outcome.out.splitlines())) <= 80
    text = one_line(outcome.out)
    places = [text.index(title) for title in GROUPS.values()]
    assert places == sorted(places)
    ends = [*places[1:], len(text)]
    for name, rule in RULES.items():
        group = list(GROUPS).index(rule.group)
        learns = f"trains {rule.trains}; errors from {rule.errors_from}"
        assert places[group] < text.index(f" {name} {rule.summary} {rule.formula} {learns} {rule.source}") < ends[group]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_the_terminal_and_stay_readable(columns, bdfa, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in ([], ["bdfa"]):
        lines = bdfa("rules", *arguments).out.splitlines()
        assert max(len(line) for line in lines if not line.startswith("file: ")) <= min(columns, 100)


@pytest.mark.parametrize("name", RULES)
def test_one_rule_shows_its_description_options_and_file(name, bdfa):
    outcome = bdfa("rules", name)
    assert (outcome.code, outcome.err) == (0, "")
    rule, text = RULES[name], one_line(outcome.out)
    assert text.startswith(f"{name}: {rule.summary} signal: {rule.formula} trains: {rule.trains} errors from: ")
    assert f"\nfile:        {describe_rule(name).file}\n" in outcome.out
    for option in rule.options:
        assert f"\n--{option.name.replace('_', '-')} " in outcome.out
    assert rule.options or "options: none of its own" in text
    for left in ("``", "Parameters", "----", "{owners}", "{defaults}", "[default"):
        assert left not in outcome.out
    assert ("fully connected ones alone" in text) == (name == "ifa")


def test_an_option_shows_what_it_may_be_and_what_it_is_under_this_rule(bdfa):
    rows = {name: one_line(bdfa("rules", name).out).partition(" meaning ")[2] for name in ("bdfa", "fdfa", "ebd")}
    assert "--feedback-lr float 5e-05 Learning rate of the feedback." in rows["bdfa"]
    # The values go on in the next line, so that the default stands before the last of them.
    assert "--feedback-target label, mixed, centred, centred What B learns from: bdfa torch to" in rows["bdfa"]
    assert "0.01, or 0.0001" in rows["fdfa"]
    assert "a running mean" in rows["fdfa"]
    assert "--ebd-lambda float 0.999999 λ, how slowly R forgets." in rows["ebd"]


def test_a_name_may_be_written_in_capitals(bdfa):
    assert bdfa("rules", "EBD").out == bdfa("rules", "ebd").out


def test_a_rule_in_a_file_shows_its_own_words_and_how_its_options_are_given(bdfa, tmp_path):
    (tmp_path / "halved.py").write_text(OWN)
    outcome = bdfa("rules", tmp_path / "halved.py")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\nHalf of what dfa sends.\n\nNothing else.\n" in outcome.out
    assert one_line(outcome.out).endswith("-O share= float 0.5 How much is sent.")
    assert "\n--rfb-mag " in outcome.out
    assert f"\nfile:        {tmp_path / 'halved.py'}\n" in outcome.out
    for of_dfa in ("signal:", "source:", "Nøkland"):  # which it derives from, and is not
        assert of_dfa not in outcome.out
    assert not list_path().exists()  # to be looked at is not to be trained with


def test_what_a_rule_in_a_file_says_of_itself_is_shown(bdfa, tmp_path):
    said = '    formula = "δ_l = ½ (e B_l) ⊙ f\'(a_l)"\n    summary = "half of dfa"\n\n    options'
    (tmp_path / "halved.py").write_text(OWN.replace("    options", said, 1))
    text = bdfa("rules", tmp_path / "halved.py").out  # where a long path is broken hangs on its length
    assert "halved.py:halfofdfasignal:δ_l=½(eB_l)⊙f'(a_l)weights:" in "".join(text.split())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nobody", "unknown rule 'nobody': choose from bp, fa, dfa"),
        ("nobody.py", "there is no such file"),
        ("broken.py", "line 3: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(name, line, bdfa, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("\n\n1 / 0\n")
    assert line in bdfa.refused("rules", name)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution that offers two rules, of which one cannot be imported, and one of a name of ours."""
    site = tmp_path / "site"
    info = site / "wares-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "wares.py").write_text(OWN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wares\nVersion: 1.0\n")
    rules = "[bdfa_np.rules]\nhalved = wares:Halved\ngone = wares:Missing\ndfa = wares:Halved\n"
    (info / "entry_points.txt").write_text(rules)
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("wares", None)


@pytest.mark.usefixtures("installed")
def test_rules_that_distributions_offer_are_listed_a_broken_one_too(bdfa):
    outcome = bdfa("rules")
    assert outcome.code == 0
    _, _, others = one_line(outcome.out).partition("From other distributions")
    assert others.startswith(" gone --gradient gone: wares:Missing cannot be imported")
    assert " halved Half of what dfa sends. bdfa rules NAME" in others
    assert one_line(outcome.out).count(" dfa direct feedback alignment") == 1
    assert "How much is sent." in bdfa("rules", "halved").out


def test_the_list_is_there_before_numpy():
    code = (
        "import sys\nfrom bdfa_np.cli.group import bdfa; from bdfa_np.cli.outcome import run\n"
        "run(bdfa, ['rules']); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
