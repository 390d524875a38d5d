"""A user's own net: where its file is looked for, what it can do, and what is said of a broken one."""

import inspect
from pathlib import Path

import pytest

from bdfa_np.networks import mlp

MINE = """\
from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh

def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), Linear(config.num_hidden), Tanh(), ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""


@pytest.fixture
def net(tmp_path):
    """Give the path of a user's net under the default models folder."""
    path = tmp_path / "Models" / "mine.py"
    path.parent.mkdir()
    path.write_text(MINE)
    return path


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Give the function that moves to another working directory."""

    def move():
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        monkeypatch.chdir(folder)

    return move


@pytest.mark.parametrize(
    "options",
    [
        "--network Models/mine.py",
        "-network mine.lua",
        "-network mine.lua -modelsFolder ./Models/",
    ],
)
def test_a_net_is_trained_resumed_and_evaluated_from_any_folder(bdfa, net, result, elsewhere, tmp_path, options):
    for name, epochs in {"whole": 2, "parts": 1}.items():
        bdfa.train(tmp_path / name, "--epochs", epochs, *options.split())
    assert str(net) in (tmp_path / "whole" / "config.toml").read_text()
    elsewhere()
    bdfa.resume(tmp_path / "parts", "--epochs", 2)
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    outcome = bdfa("evaluate", tmp_path / "whole")
    assert (outcome.code, outcome.err) == (0, "")
    assert "after 2 epochs" in outcome.out


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("options", ["--network mine", "--network Models/mine.py"])
def test_a_resume_may_name_the_net_again(bdfa, options):
    bdfa.train("run", "--epochs", 1, *options.split())
    bdfa.resume("run", "--epochs", 2, *options.split())
    assert "--network mlp differs" in bdfa.refused("train", "--save", "run", "--resume", "--network", "mlp")


@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_a_net_with_the_code_of_a_built_in_one_comes_to_the_same_bits(bdfa, net, result, rule):
    net.write_text(inspect.getsource(mlp))
    bdfa.train("own", "--epochs", 1, "--gradient", rule, "--network", "mine")
    bdfa.train("ours", "--epochs", 1, "--gradient", rule)
    assert result(Path("own")) == result(Path("ours"))


def test_the_built_in_nets_go_before_files_of_their_names(bdfa, net):
    net.rename(net.with_name("mlp.py")).write_text("raise ValueError")
    bdfa.train("run", "--epochs", 1)
    assert 'network = "mlp"' in Path("run/config.toml").read_text()


def test_a_file_may_import_and_define_what_it_likes_and_nothing_is_left_beside_it(bdfa, net, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    head = (
        "from __future__ import annotations\nimport numpy\nimport bdfa_np.layers\nfrom dataclasses import dataclass\n"
    )
    width = "@dataclass\nclass Width:\n    units: int = int(numpy.sqrt(49))\n"
    net.write_text(head + width + MINE.replace("config.num_hidden", "Width().units"))
    bdfa.train("run", "--epochs", 1, "--network", "mine")
    assert [path.name for path in net.parent.iterdir()] == ["mine.py"]


def test_a_file_is_read_anew_however_soon_it_has_changed(bdfa, net, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    # The same size and, by the clock of many disks, the same time: a cache of the old code would go unnoticed.
    for units in (5, 7):
        net.write_text(MINE.replace("config.num_hidden", str(units)))
        out = bdfa("train", "--dataset", "mnist-5k", "--network", "mine", "--dry-run").out
        assert f"{784 * units + units:,}" in out


def body(*lines):
    """Return the net with these lines at the start of ``build``, the first of which is line 4 of the file."""
    return MINE.replace("    layers", "".join(f"    {line}\n" for line in lines) + "    layers")


BROKEN = {
    "syntax error": (MINE.replace("layers = [", "layers = = ["), ", line 4: SyntaxError: invalid syntax"),
    "bad indentation": (MINE.replace("    return", "  return"), ", line 5: SyntaxError: unindent does not match"),
    "import of nothing": (f"\nimport no_such_thing\n{MINE}", ", line 2: ModuleNotFoundError: No module named"),
    "exception": (f"\n\nraise KeyError('lost')\n{MINE}", ", line 3: KeyError: 'lost'"),
    "exception without words": (f"\nassert False\n{MINE}", ", line 2: AssertionError"),
    "exception of two lines": (f"raise ValueError('one\\ntwo')\n{MINE}", ", line 1: ValueError: one two"),
    "exit": (f"import sys\nsys.exit()\n{MINE}", ", line 2: SystemExit"),
    "exit with success": (f"import sys\nsys.exit(0)\n{MINE}", ", line 2: SystemExit: 0"),
    "exit in build": (body("raise SystemExit(0)"), ", line 4: SystemExit: 0"),
    "recursion": (f"def again():\n    return again()\nagain()\n{MINE}", ", line 2: RecursionError"),
    "recursion in build": (body("return build(*locals().values())"), ", line 4: RecursionError"),
    "exception deep in a library": (MINE.replace("Linear(num_classes)", "Linear(-3)"), ", line 4: ValueError"),
    "layers that do not fit": (MINE.replace("Flatten(), ", ""), ", line 5: ValueError: linear1"),
    "exception in a helper": (
        "def deep():\n    1 / 0\n" + body("deep()"),
        ", line 2: ZeroDivisionError: division by zero",
    ),
    "no build": ("width = 5\n", " has no function build(config, input_shape, num_classes, rng, backend)"),
    "empty": ("", " has no function build(config, input_shape, num_classes, rng, backend)"),
    "build is no function": ("build = 5\n", " has no function build(config, input_shape, num_classes, rng, backend)"),
    "other arguments": ("\ndef build(config):\n    return None\n", ", line 2: TypeError: build() takes 1 positional"),
    "no net": (body("return [1]"), ", line 3: build returned a list, not a Sequential"),
    "nothing": (body("return None"), ", line 3: build returned a NoneType, not a Sequential"),
    "other classes": (MINE.replace("Linear(num_classes)", "Linear(7)"), ", line 3: build returned a net from"),
    "other samples": (
        body("input_shape = (14, 14, 1)"),
        ", line 3: build returned a net from (14, 14, 1) to (10,), where (28, 28, 1) to (10,) is wanted",
    ),
    "no backend": (MINE.replace("backend=backend, ", ""), ", line 3: build must hand its backend on"),
    "no feedback site": (MINE.replace("ErrorFeedback(), ", ""), "bdfa needs an ErrorFeedback layer"),
    "null byte": ("x = '\0'\n", "SyntaxError: source code string cannot contain null bytes"),
    "no text": (b"\xff\xfe\x00 \x80\n", "SyntaxError: "),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("spelling", ["mine", "Models/mine.py"])
def test_a_broken_file_is_refused_with_its_own_line_before_anything_is_written(
    bdfa, net, tiny, spelling, content, message
):
    net.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = bdfa.refused("train", *tiny, "--network", spelling, "--save", "run")
    assert message in line
    assert str(net) in line
    assert not Path("run").exists()
    assert bdfa.refused("train", *tiny, "--network", spelling, "--dry-run") == line


def test_an_interrupt_inside_the_file_is_an_interrupt(bdfa, net, tiny):
    net.write_text("raise KeyboardInterrupt")
    assert bdfa("train", *tiny, "--network", "mine", "--save", "run").code == 130


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("name", ["absent.py", "absent", "absent.lua", "Models", "folder.py", "Models/mine", "a\nb"])
def test_a_net_that_is_not_there_is_refused_with_the_file_that_was_looked_for(bdfa, tiny, name):
    Path("folder.py").mkdir()
    line = bdfa.refused("train", *tiny, "--network", name, "--save", "run")
    assert "there is no built-in net of this name, and no file " in line
    assert not Path("run").exists()


@pytest.mark.parametrize("change", ["edit", "comment", "remove"])
@pytest.mark.parametrize("command", [("train", "--resume", "--epochs", "2", "--save", "run"), ("evaluate", "run")])
def test_without_its_copy_a_file_that_has_changed_since_the_run_began_is_refused(bdfa, net, result, change, command):
    bdfa.train("run", "--epochs", 1, "--network", "mine")
    Path("run/network_copy.py").unlink()  # as in runs of before there were copies
    before = result(Path("run"))
    if change == "remove":
        net.unlink()
    else:
        net.write_text(MINE.replace("Tanh()", "Tanh(), Tanh()") if change == "edit" else f"{MINE}# Changed.\n")
    line = bdfa.refused(*command)
    assert ("no file" if change == "remove" else "has changed since run was started") in line
    assert str(net) in line
    assert result(Path("run")) == before


def test_a_child_with_a_broken_file_ends_with_one_line_and_code_2(bdfa, net):
    net.write_text("import sys\nsys.exit()\n")
    outcome = bdfa.child("train", "--dataset", "mnist-5k", "--network", "mine")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"bdfa: error: --network {net}, line 2: SystemExit\n"
