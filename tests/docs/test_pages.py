"""What the README and the pages of first steps show is run, page by page, from top to bottom, in a folder of its own.

Commands that would train for long are cut down to a few images by options that are added here. Those that need a
published data set skip where ``BDFA_DATA_DIR`` has none.
"""

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bdfa_np import Rule, alignment_angle
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.random_streams import Streams

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOP = ("install", "first-five-minutes", "from-torch", "faq", "reliability", "design", "cite")
PAGES = ["README.md", *(f"docs/{name}.md" for name in TOP)]
PAGES += sorted(f"docs/how-to/{path.name}" for path in (DOCS / "how-to").glob("*.md") if path.name != "index.md")

DATA = Path(os.environ.get("BDFA_DATA_DIR", "nowhere"))  # which the fixture of the command line takes away

CUT_DOWN = {
    "cifar10": ["--train-limit", "60", "--test-limit", "30", "--epochs", "1"],
    "mnist": ["--train-limit", "300", "--test-limit", "100", "--epochs", "1"],
    "mnist-5k": ["--train-limit", "300", "--test-limit", "100"],
}
"""What a command that trains on a data set is given."""
FEWER = {"10": "3", "15": "3", "20": "1"}
"""Epochs, and what they become; fewer stay, from which others go on."""
SMALL = ["--resize", "16", "--train-limit", "60"]
"""What is added to one that whitens: that takes the cube of an image's size."""
FULL_SIZE = 'train(dataset="mnist-5k"', 'train(num_hidden=50, dataset="mnist-5k"'
"""Of Python, what trains a net of 2x800, and what trains a smaller one."""
NOT_HERE = ("stl10", "doctor", "cupy")
"""Of commands that need what no test has: a device, a data set that is not at hand."""
NOT_RUN = ("pip", "python", "python3", "pytest", "source")
"""Programs whose lines are looked at and not run."""


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, and the file that the sentence before it says it is."""

    language: str
    text: str
    file: str | None


def blocks(page: str) -> list[Block]:
    """Return a page's blocks; ``Here `two.toml`:`` before one says that it is that file's text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"([^\n]*)\n+^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    named = ((re.search(r"`([\w-]+\.(?:py|toml))`:$", before), language, code) for before, language, code in found)
    return [Block(language, code, name and name[1]) for name, language, code in named]


def lines(page: str) -> Iterator[list[str]]:
    """Yield the words of every command of a page, those joined by ``&&`` one by one."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.splitlines():
                for command in line.split(" && "):
                    if words := shlex.split(command, comments=True):
                        yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


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
    words = [FEWER.get(word, word) if before == "--epochs" else word for before, word in pairwise(["", *words])]
    if words[:2] == ["study", "run"]:
        words = [{"1x400": "1x400/dfa"}.get(word, word) for word in words]
        return [*words, "--workers", "1"]
    dataset = dataset_of(words) or ("mnist-5k" if "mnist-5k" in words else None)
    whitens = dataset is not None and ("--whiten" in words or "show-zca" in words)
    trains = words[0] == "train" and "--dry-run" not in words
    added = CUT_DOWN[dataset] if dataset is not None and trains else []
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


@pytest.mark.parametrize("page", PAGES)
def test_whatever_a_page_shows_runs_from_top_to_bottom(page, bdfa, own_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BDFA_DATA_DIR", str(DATA))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.syspath_prepend(str(tmp_path))
    names, left_out = {"__name__": "page"}, []
    for block in blocks(page):
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text.replace(*FULL_SIZE), page, "exec"), names)
        elif block.language == "sh":
            left_out += list(run(block, bdfa))
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)
    check(page, names)
    if left_out:
        pytest.skip(f"BDFA_DATA_DIR has no data for: {'; '.join(left_out)} (the rest works)")


def run(block: Block, bdfa) -> Iterator[str]:
    """Run a block's commands of ours; yield those whose data are not there."""
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if not words or not words[0].endswith("bdfa") or any(part in words for part in NOT_HERE):
            continue
        asked = words[1 : words.index(">>")] if ">>" in words else words[1:]
        if not there(dataset_of(asked)):
            yield " ".join(words)
            continue
        outcome = bdfa(*cut_down(asked))
        assert outcome.code == 0, (words, outcome.err)


def check(page: str, names: dict[str, object]) -> None:
    """Look at what some pages have made."""
    if page == "README.md":
        (said,) = re.findall(r"names\) +# (\[.*\])", blocks(page)[2].text)
        assert str(names["trained"].model.predict(names["digits"].test_images[:5]).names) == said
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


@pytest.mark.parametrize("page", PAGES)
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


def test_no_page_trains_into_a_folder_that_another_one_has_left():
    begun = [
        (words[words.index("--save") + 1], page)
        for page in PAGES
        for words in lines(page)
        if "--save" in words and "--resume" not in words
    ]
    assert len(begun) > 10
    assert len({folder for folder, _ in begun}) == len(begun), sorted(begun)


def test_the_page_on_installing_has_each_extra_in_its_table():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (DOCS / "install.md").read_text(encoding="utf-8").split("## What to add")[1].split("\n## ")[0]
    told = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(project["optional-dependencies"])
    assert project["requires-python"] == ">=3.11"
