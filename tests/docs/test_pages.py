"""What the README and the documentation show is run, page by page, from top to bottom, in a folder of its own.

Commands that would train for long are cut down to a few images by options that are added here. Those that need a
published data set skip where ``BDFA_DATA_DIR`` has none. What no test can carry out, for it needs a device, a cluster
or days, is read all the same: the command line takes it, Python compiles, TOML is TOML.
"""

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from bdfa_np import Config, Rule, alignment_angle
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.random_streams import Streams

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = (DOCS, DOCS / "how-to", DOCS / "maths", DOCS / "results")
ALL = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for top in FOLDERS for path in top.glob("*.md"))]
ELSEWHERE = {"docs/export.md": "tests/export/test_documented.py"}
"""Pages whose blocks another test runs. The template in docs/report.md, the studies in docs/studies.md and the rules in
docs/rules.md are also looked at more closely elsewhere, but their commands are run here alone.
"""

DATA = Path(os.environ.get("BDFA_DATA_DIR", "nowhere"))  # which the fixture of the command line takes away

CUT_DOWN = {
    "cifar10": ["--train-limit", "60", "--test-limit", "30", "--epochs", "1"],
    "mnist": ["--train-limit", "300", "--test-limit", "100", "--epochs", "1"],
    "mnist-5k": ["--train-limit", "300", "--test-limit", "100"],
}
"""What a command that trains on a data set is given."""
FEWER = {"10": "3", "15": "3", "20": "1", "30": "3"}
"""Epochs, and what they become; fewer stay, from which others go on."""
SMALL = ["--resize", "16", "--train-limit", "60"]
"""What is added to one that whitens: that takes the cube of an image's size."""
TRAINS = 'train(dataset="mnist-5k"'
"""Of Python, what trains: a smaller net than 2x800, or one whose size is named on fewer images."""
WHOLE_STUDY = 'cells=["1x400"], seeds=1, epochs=20', 'cells=["1x400/dfa"], seeds=1, epochs=1'
"""Of Python, what trains five cells, and what trains the one that the page's command has trained before."""
ON_DIGITS = 'dataset = "mnist-5k"\n'
"""Of a study, what trains on all images: some are enough, and a smaller net where it names none."""
NOT_HERE = ("stl10", "doctor", "cupy", "my-study.toml", "--page", "rules.mp4")
"""Of commands that need what no test has: a device, a data set, a cluster, somebody who ends a server, ffmpeg."""
CLUSTERS = ("dask_jobqueue", "dask_kubernetes")
"""Of Python, what keeps a cluster up until it is ended."""
SERVICES = ("wandb", "mlflow")
"""Packages in whose place stands one that takes every call."""
NOT_RUN = ("pip", "python", "python3", "pytest", "source", "export", "tensorboard", "dask", "kubectl", "th", "mpirun")
"""Programs whose lines are looked at and not run."""
TAKE_RUNS = ("docs/figures.md", "docs/report.md")
"""Pages that begin with two runs and two studies that their reader has."""
OWN_STUDY = "studies/luo-mnist"
"""One of these studies, small enough to be trained, which stands for the published one of its name."""
STUDY = """
seeds = 2
base = { dataset = "mnist-5k", train_limit = 300, test_limit = 100, num_hidden = 20, epochs = 2 }
[grid]
net = { 1x400 = { num_layers = 1 } }
rule = { bp = { gradient = "bp" }, dfa = { gradient = "dfa" } }
"""


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, and the file that the sentence before it says it is."""

    language: str
    text: str
    file: str | None


def blocks(page: str) -> list[Block]:
    """Return a page's blocks; ``Here `two.toml`:`` before one says that it is that file's text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"([^\n]*)\n+^```(\S*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    named = (
        (re.search(r"`([\w.-]+\.(?:py|toml|jinja))`:$", before), language, code) for before, language, code in found
    )
    return [Block(language, code, name and name[1]) for name, language, code in named]


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of a block's commands, those joined by ``&&`` one by one, without where their output goes."""
    if block.language == "sh":
        for line in block.text.replace("\\\n", " ").splitlines():
            for command in line.replace("$SLURM_ARRAY_TASK_ID", "1").split(" && "):
                if words := shlex.split(command, comments=True):
                    end = next((place for place, word in enumerate(words) if word in (">", ">>", "&")), None)
                    yield [words[0].removeprefix(".venv/bin/"), *words[1:end]]


def lines(page: str) -> Iterator[list[str]]:
    """Yield the words of every command of a page."""
    for block in blocks(page):
        yield from commands(block)


PAGES = [
    page
    for page in ALL
    if not page.startswith("docs/results/")  # which take days
    and page not in ELSEWHERE
    and any(block.language in ("sh", "python", "toml") for block in blocks(page))
]


def dataset_of(words: list[str]) -> str | None:
    """Return the published data set that a command needs, or None."""
    named = [word.lower() for word in words]
    if "luo-mnist" in named:
        return "mnist" if {"run", "table"} & set(named) else None
    return next((name for name in ("cifar10", "mnist") if name in named), None)


def there(dataset: str | None) -> bool:
    """Return whether a data set's files are at hand."""
    return dataset is None or (DATA / {"mnist": "mnist", "cifar10": "cifar-10-batches-bin"}[dataset]).is_dir()


def cut_down(words: list[str]) -> list[str]:
    """Return a command that does the same with less."""
    fewer = {} if "--resume" in words else FEWER
    words = [fewer.get(word, word) if before == "--epochs" else word for before, word in pairwise(["", *words])]
    if words == ["study", "list"]:
        return [*words, "--no-time"]
    if words[0] in ("plot", "report"):
        words = [{"luo-mnist": OWN_STUDY}.get(word, word) for word in words]
    if words[:2] == ["study", "run"]:
        words = [{"1x400": "1x400/dfa"}.get(word, word) for word in words]
        return [*words, *(["--seeds", "1", "--epochs", "1"] if "sweep.toml" in words else []), "--workers", "1"]
    dataset = dataset_of(words) or ("mnist-5k" if "mnist-5k" in words else None)
    whitens = dataset is not None and ("--whiten" in words or "show-zca" in words)
    trains = words[0] == "train" and "--dry-run" not in words
    added = CUT_DOWN[dataset] if dataset is not None and trains else []
    if added and not {"--epochs", "--resume"} & set(words):
        added = [*added, "--epochs", "1"]
    if added and not {"--network", "--num-hidden"} & set(words):
        added = [*added, "--num-hidden", "20"]
    if whitens:
        added = SMALL + [option for option in added if option not in ("--train-limit", "60")]
    return [*words, *added]


@pytest.fixture
def own_data(tmp_path):
    """Write what the pages on data of one's own take as given: a folder of pictures and a table."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder := tmp_path / "pets" / part / name).mkdir(parents=True)
            for number in range(3):
                Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    rows = [f"{rng.normal(k):.3f},{rng.normal(2 * k):.3f},{'ABC'[k]}" for k in (0, 1, 2) for _ in range(20)]
    (tmp_path / "flowers.csv").write_text("\n".join(["width,length,species", *rows]))


def have_runs(bdfa) -> None:
    """Train what the pages on pictures and reports take as given."""
    for rule in ("bp", "dfa"):
        bdfa.train(f"runs/{rule}", "--gradient", rule, "--epochs", "2", "--track", "all")
    for name in ("luo-mnist", "sweep"):
        Path(f"{name}.toml").write_text(STUDY)
        assert bdfa("study", "run", f"{name}.toml", "--workers", "1").code == 0


@pytest.mark.parametrize("page", PAGES)
def test_whatever_a_page_shows_runs_from_top_to_bottom(page, bdfa, own_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BDFA_DATA_DIR", str(DATA))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.syspath_prepend(str(tmp_path))
    for service in SERVICES:
        monkeypatch.setitem(sys.modules, service, MagicMock())
    if page in TAKE_RUNS:
        have_runs(bdfa)
    names, left_out = {"__name__": "page"}, []
    if page == "docs/diagnostics.md":
        names["config"] = Config(dataset="mnist-5k", num_hidden=20, train_limit=300, test_limit=100, epochs=2)
    for block in blocks(page):
        if block.file is not None:
            few = "train_limit = 60\ntest_limit = 50\n" + ("" if "num_hidden" in block.text else "num_hidden = 20\n")
            Path(block.file).write_text(block.text.replace(ON_DIGITS, ON_DIGITS + few), encoding="utf-8")
        elif block.language == "python":
            left_out += list(execute(block.text, page, names))
        elif block.language == "sh":
            left_out += list(run(block, bdfa))
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)
    check(page, names)
    if left_out:
        pytest.skip(f"BDFA_DATA_DIR has no data for: {'; '.join(left_out)} (the rest works)")


def execute(code: str, page: str, names: dict[str, object]) -> Iterator[str]:
    """Execute a block of Python; yield the study whose data are not there."""
    if any(package in code for package in CLUSTERS):
        return
    if WHOLE_STUDY[0] in code and not there("mnist"):
        yield "luo-mnist"
        return
    fewer = "train_limit=300" if "num_hidden" in code else "num_hidden=50"
    code = code.replace(TRAINS, TRAINS.replace("(", f"({fewer}, "))
    if find_spec("pandas") is None:
        code = "\n".join(line for line in code.splitlines() if "pandas" not in line)
    code = code.replace(*WHOLE_STUDY).replace('curves("luo-mnist"', f'curves("{OWN_STUDY}"')
    exec(compile(code, page, "exec"), names)


def run(block: Block, bdfa) -> Iterator[str]:
    """Run a block's commands of ours; yield those whose data are not there."""
    for program, *words in commands(block):
        if program != "bdfa" or any(part in words for part in NOT_HERE):
            continue
        if not there(dataset_of(words)):
            yield " ".join(words)
            continue
        outcome = bdfa(*cut_down(words))
        assert outcome.code == 0, (words, outcome.err)


@pytest.mark.parametrize("page", ALL)
def test_whatever_a_page_shows_can_be_read(page, bdfa, monkeypatch):
    monkeypatch.chdir(ROOT)
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, page, "exec")
        elif block.language == "toml":
            tomllib.loads(block.text)
    for program, *words in lines(page):
        if program == "bdfa":
            bdfa.understood(*words)


def test_a_page_that_is_not_run_here_is_named_by_the_test_that_runs_it():
    for page, test in ELSEWHERE.items():
        assert f'"{Path(page).name}"' in (ROOT / test).read_text(encoding="utf-8")


def check(page: str, names: dict[str, object]) -> None:
    """Look at what some pages have made."""
    if page == "README.md":
        (said,) = re.findall(r"names\) +# (\[.*\])", blocks(page)[2].text)
        assert str(names["trained"].model.predict(names["digits"].test_images[:5]).names) == said
    if page == "docs/diagnostics.md":
        assert sys.modules["wandb"].init().__enter__().log.call_count == 2
        assert sys.modules["mlflow"].log_metrics.call_count == 2
    if page == "docs/how-to/python.md":
        assert names["deltas"]["linear1"].shape == (32, 100)
        assert 60 < alignment_angle(names["deltas"]["linear1"], names["exact"]["linear1"]) < 120
        assert names["loss"] is not None


def test_the_rule_and_the_net_that_pages_show_are_one():
    (rule,) = (block for block in blocks("docs/first-five-minutes.md") if block.file == "drtp.py")
    (net,) = (block for block in blocks("docs/how-to/own-nets.md") if block.file == "small.py")
    names = {}
    exec(rule.text, names)
    assert issubclass(names["DRTP"], Rule)
    exec(net.text, names)
    assert names["build"](None, (28, 28, 1), 10, Streams(0), NumpyBackend()).output_shape == (10,)


@pytest.mark.parametrize("page", ALL)
def test_what_is_not_run_names_extras_and_files_that_there_are(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    text = (ROOT / page).read_text(encoding="utf-8")
    asked = {name for found in re.findall(r"\"(?:\.|bdfa-np)\[([\w,]+)\]\"", text) for name in found.split(",")}
    assert asked - extras.keys() == set()
    for program, *words in lines(page):
        assert program == "bdfa" or program in NOT_RUN, words
        if program in ("python", "pytest"):
            files = [word for word in words if "/" in word]
            assert [file for file in files if not (ROOT / file).exists()] == []
        if program == "python" and words[0] != "-m":
            path = ROOT / words[0] / "__main__.py" if (ROOT / words[0]).is_dir() else ROOT / words[0]
            source = path.read_text(encoding="utf-8")
            assert [word for word in words if word.startswith("--") and f'"{word}"' not in source] == []


def test_no_page_trains_into_a_folder_that_another_one_has_left():
    begun = [
        (words[words.index("--save") + 1], page)
        for page in ALL
        for words in lines(page)
        if words[1:2] == ["train"] and "--save" in words and "--resume" not in words
    ]
    assert len(begun) > 10
    assert len({folder for folder, _ in begun}) == len(begun), sorted(begun)


def test_the_page_on_installing_has_each_extra_in_its_table():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (DOCS / "install.md").read_text(encoding="utf-8").split("## What to add")[1].split("\n## ")[0]
    told = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(project["optional-dependencies"])
    assert project["requires-python"] == ">=3.11"
