"""Every option and argument that takes a path, in every odd situation: it works, or is refused before it does harm."""

import os
import signal
import stat
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from bdfa_np import Study, train
from bdfa_np.cli import paths
from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.values import DatasetName

TRAIN = ["train", "--dataset", "mnist-5k", "--num-hidden", "2", "--train-limit", "20", "--test-limit", "20"]
TRAIN += ["--epochs", "1", "--threads", "1", "--backend", "numpy"]
ZCA = ["data", "show-zca", "mnist-5k", "--resize", "4", "--train-limit", "20"]
DATA = ["data", "info", "mnist-5k"]
STUDY = ["study", "run", "one.toml", "--workers", "1"]
ONE = """
seeds = 1
[base]
dataset = "mnist-5k"
num_hidden = 2
train_limit = 20
test_limit = 20
epochs = 1
[grid]
gradient = ["bp"]
"""

CALLS: dict[str, tuple[str, list[str]]] = {
    "train --save": ("--save", [*TRAIN, "--save", "{}"]),
    "train --load": ("--load", [*TRAIN, "--save", "new", "--load", "{}"]),
    "train --config": ("--config", [*TRAIN, "--save", "new", "--config", "{}"]),
    "train --datapath": ("--datapath", [*TRAIN, "--save", "new", "--datapath", "{}"]),
    "train --cache-dir": ("--cache-dir", [*TRAIN, "--save", "new", "--cache-dir", "{}", "--whiten"]),
    "train --dataset": ("--dataset", [*TRAIN, "--save", "new", "--dataset", "{}"]),
    "train --network": ("--network", [*TRAIN, "--save", "new", "--network", "{}.py"]),
    "train --gradient": ("--gradient", [*TRAIN, "--save", "new", "--gradient", "{}.py"]),
    "train --models-folder": ("--models-folder", [*TRAIN, "--save", "new", "--models-folder", "{}"]),
    "evaluate RUN": ("RUN", ["evaluate", "{}"]),
    "evaluate --csv": ("--csv", ["evaluate", "run", "--csv", "{}"]),
    "evaluate --dataset": ("--dataset", ["evaluate", "run", "--dataset", "{}"]),
    "evaluate --datapath": ("--datapath", ["evaluate", "run", "--datapath", "{}"]),
    "evaluate --cache-dir": ("--cache-dir", ["evaluate", "run", "--cache-dir", "{}"]),
    "diagnose RUN": ("RUN", ["diagnose", "{}", "--no-controls"]),
    "diagnose --dataset": ("--dataset", ["diagnose", "run", "--no-controls", "--dataset", "{}"]),
    "diagnose --datapath": ("--datapath", ["diagnose", "run", "--no-controls", "--datapath", "{}"]),
    "diagnose --cache-dir": ("--cache-dir", ["diagnose", "run", "--no-controls", "--cache-dir", "{}"]),
    "predict RUN": ("RUN", ["predict", "{}", "7.png"]),
    "predict FILES": ("FILES", ["predict", "run", "{}"]),
    "predict --dataset": ("--dataset", ["predict", "run", "--dataset", "{}"]),
    "predict --csv": ("--csv", ["predict", "run", "7.png", "--csv", "{}"]),
    "predict --png": ("--png", ["predict", "run", "7.png", "--png", "{}"]),
    "predict --datapath": ("--datapath", ["predict", "run", "7.png", "--datapath", "{}"]),
    "export RUN": ("RUN", ["export", "{}", "--to", "npz"]),
    "export --output": ("--output", ["export", "run", "--to", "npz", "--force", "--output", "{}"]),
    "runs FOLDER": ("FOLDER", ["runs", "{}"]),
    "plot --output": ("--output", ["plot", "run", "--output", "{}"]),
    "compare RUNS": ("RUNS", ["compare", "run", "{}"]),
    "watch RUN": ("RUN", ["watch", "{}"]),
    "report --output": ("--output", ["report", "run", "--output", "{}"]),
    "report --template": ("--template", ["report", "swept", "--output", "page.md", "--template", "{}"]),
    "study new FILE": ("FILE", ["study", "new", "{}"]),
    "study run --save": ("--save", [*STUDY, "--save", "{}"]),
    "study run --datapath": ("--datapath", [*STUDY, "--save", "new", "--datapath", "{}"]),
    "study run --cache-dir": ("--cache-dir", [*STUDY, "--save", "new", "--cache-dir", "{}"]),
    "study table --save": ("--save", ["study", "table", "one.toml", "--save", "{}"]),
    "study table --frame": ("--frame", ["study", "table", "one.toml", "--save", "swept", "--frame", "{}"]),
    "study table --out": ("--out", ["study", "table", "one.toml", "--save", "swept", "--csv", "--out", "{}"]),
    "nets --dataset": ("--dataset", ["nets", "--dataset", "{}"]),
    "data list --datapath": ("--datapath", ["data", "list", "--datapath", "{}"]),
    "data list --cache-dir": ("--cache-dir", ["data", "list", "--cache-dir", "{}"]),
    "data info NAME": ("NAME", ["data", "info", "{}"]),
    "data info --datapath": ("--datapath", [*DATA, "--datapath", "{}"]),
    "data info --png": ("--png", [*DATA, "--png", "{}"]),
    "data fetch --datapath": ("--datapath", ["data", "fetch", "mnist-5k", "--datapath", "{}"]),
    "data prepare NAME": ("NAME", ["data", "prepare", "{}"]),
    "data prepare --datapath": ("--datapath", ["data", "prepare", "mnist-5k", "--datapath", "{}"]),
    "data prepare --cache-dir": ("--cache-dir", ["data", "prepare", "mnist-5k", "--cache-dir", "{}"]),
    "data show-zca NAME": ("NAME", ["data", "show-zca", "{}", "--png", "zca.png"]),
    "data show-zca --png": ("--png", [*ZCA, "--png", "{}"]),
    "data show-zca --datapath": ("--datapath", [*ZCA, "--png", "p", "--datapath", "{}"]),
    "data show-zca --cache-dir": ("--cache-dir", [*ZCA, "--png", "p", "--cache-dir", "{}"]),
    "data clear NAME": ("NAME", ["data", "clear", "{}"]),
    "data clear --cache-dir": ("--cache-dir", ["data", "clear", "--yes", "--cache-dir", "{}"]),
}
"""By command and parameter: what the parameter is called, and a call in which ``{}`` stands for the path."""


def made(path: str, make: Callable[[str], object]) -> str:
    make(path)
    return path


SITUATIONS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "home": lambda: "~/place",
    "nobody's home": lambda: "~there-is-no-such-user/place",
    "a folder called ~": lambda: made("./~", os.mkdir),
    "current folder": lambda: ".",
    "trailing slash": lambda: "place/",
    "spaces": lambda: "two  words",
    "newline": lambda: "two\nlines",
    "leading dash": lambda: "./-dash",
    "not UTF-8": lambda: "./place\udcff",
    "zero byte": lambda: "./place\0",
    "a file": lambda: made("./file", lambda path: Path(path).write_text("text")),
    "a folder": lambda: made("./folder", os.mkdir),
    "below a file": lambda: made("./file", lambda path: Path(path).write_text("text")) + "/place",
    "in no folder": lambda: "./no/folder/place",
    "dangling link": lambda: made("./link", lambda path: os.symlink("nowhere", path)),
    "link to a folder": lambda: made("./link", lambda path: (os.mkdir("folder"), os.symlink("folder", path))),
    "link to itself": lambda: made("./link", lambda path: os.symlink("link", path)),
    "too long": lambda: "./" + "n" * 300,
    "no place to write": lambda: "/proc/place",
    "null device": lambda: os.devnull,
    "pipe": lambda: made("./pipe", os.mkfifo),
}
NO_PATHS = "empty", "nobody's home", "zero byte"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    options = {"num_hidden": 2, "train_limit": 20, "epochs": 1, "threads": 1, "backend": "numpy"}
    train(dataset="mnist-5k", save=folder, **options)
    study = Study.from_mapping(tomllib.loads(ONE), name="one")
    study.run(folder.with_name("swept"), workers=1, progress=False)
    return folder


@pytest.fixture
def place(bdfa, tmp_path, trained, monkeypatch) -> Iterator[Path]:
    """Stand in a folder with a run and a picture, with an empty home, and give up on a call that waits."""
    from PIL import Image

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    os.symlink(trained, "run")
    os.symlink(trained.with_name("swept"), "swept")
    Path("one.toml").write_text(ONE)
    Image.new("L", (28, 28)).save("7.png")
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path / "home" / "cache"))

    def late(*_: object) -> None:
        raise AssertionError("the command waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def tree(folder: Path) -> dict[str, int]:
    """Return all that is under a folder, links not followed, and what it is."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(where, name)
            found[os.path.relpath(path, folder)] = stat.S_IFMT(os.lstat(path).st_mode)
    return found


def parameters(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for one in command.list_commands(context):
            child = command.get_command(context, one)
            assert child is not None
            yield from parameters(child, f"{name} {one}".strip())
        return
    for parameter in command.params:
        yield f"{name} {paths.spelling(parameter)}", parameter


def test_every_option_and_argument_that_takes_a_path_is_in_the_table():
    types = (paths.InputPath, paths.FolderPath, paths.OutputPath)
    named = {name: parameter.type for name, parameter in parameters(group)}
    takes_path = {name for name, kind in named.items() if isinstance(kind, (click.Path, DatasetName))}
    takes_path |= {"train --network", "train --gradient", "train --models-folder"}
    assert takes_path == set(CALLS)
    assert [name for name, kind in named.items() if isinstance(kind, click.Path) and not isinstance(kind, types)] == []


USUAL = ("train --save", "train --load", "train --config", "train --dataset", "train --network", "evaluate RUN")
USUAL += ("evaluate --csv", "predict FILES", "data list --datapath", "data list --cache-dir", "data info NAME")


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(
    "call", [call if call in USUAL else pytest.param(call, marks=pytest.mark.slow) for call in CALLS]
)
def test_a_path_works_or_is_refused_in_a_line_that_names_it_and_nothing_is_made(bdfa, place, call, situation):
    name, template = CALLS[call]
    path = SITUATIONS[situation]()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # as the console script does
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if situation == "pipe" else None
    before = tree(place)
    outcome = bdfa(*(word.replace("{}", path) for word in template))
    if reader is not None:
        os.close(reader)
    assert outcome.code in (0, 2), outcome
    assert Path(os.devnull).is_char_device()
    assert not (place / "~").exists() or situation == "a folder called ~"
    if outcome.code == 0:
        assert situation not in NO_PATHS
        return
    (line,) = (line for line in outcome.err.splitlines() if not line.startswith("note: "))
    assert "error: " in line
    assert tree(place) == before
    if situation in NO_PATHS:
        in_toml = f"option '{name.removeprefix('--').replace('-', '_')}'"
        assert name in line or in_toml in line or f"'{template[template.index('{}') - 1]}'" in line
    elif situation != "current folder":
        seen = (path, os.path.realpath(path))
        shown = [" ".join(spelt.removeprefix("./").removeprefix("~/").rstrip("/").split())[:200] for spelt in seen]
        assert any(spelt.encode(errors="backslashreplace").decode() in line for spelt in shown), line
