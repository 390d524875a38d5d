"""Runs whose data, folders or machine are not where they were: paths, moved data, fewer cores."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import bdfa_np.runs.threads.cores
from bdfa_np.options.machine import usable_cores

OPTIONS = ["--num-hidden", "20", "--threads", "1", "--backend", "numpy"]


def written(run):
    return tomllib.loads((run / "config.toml").read_text())["options"]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 6, 6, 1), dtype="u1")
    labels = np.arange(60) % 3
    np.savez(
        "tiny.npz",
        train_images=images[:40],
        train_labels=labels[:40],
        test_images=images[40:],
        test_labels=labels[40:],
    )
    return Path("tiny.npz")


@pytest.fixture
def run(bdfa, data):
    assert bdfa("train", *OPTIONS, "--dataset", data, "--epochs", 1, "--save", "run").code == 0
    return Path("run")


def test_paths_in_a_runs_config_are_whole(bdfa, data, tmp_path):
    options = ["--datapath", "sets", "--cache-dir", "prepared", "--models-folder", "nets", "--epochs", 1]
    assert bdfa("train", *OPTIONS, "--dataset", data, *options, "--save", "run").code == 0
    wanted = {"dataset": "tiny.npz", "datapath": "sets", "cache_dir": "prepared", "models_folder": "nets"}
    assert {name: written(Path("run"))[name] for name in wanted} == {
        name: str(tmp_path / value) for name, value in wanted.items()
    }


def test_a_run_goes_on_from_another_folder(bdfa, run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert bdfa("train", "--save", "../run", "--resume", "--epochs", 2, "--dataset", "../tiny.npz").code == 0
    assert bdfa("evaluate", "../run").code == 0


def test_a_relative_path_of_a_run_from_before_is_read_as_it_was(bdfa, run):
    path = run / "config.toml"
    text = path.read_text().replace(f'"{Path("tiny.npz").resolve()}"', '"./tiny.npz"')
    assert '"./tiny.npz"' in text
    path.write_text(text)
    assert bdfa("evaluate", run).code == 0
    assert bdfa("train", "--save", run, "--resume", "--epochs", 2).code == 0


@pytest.mark.parametrize("name", ["sets/tiny.npz", "renamed.npz"])
def test_data_that_moved_are_found_where_they_are_said_to_be(bdfa, run, data, name, result):
    bdfa("train", *OPTIONS, "--dataset", data, "--epochs", 2, "--save", "at-once")
    moved = Path(name)
    moved.parent.mkdir(exist_ok=True)
    data.rename(moved)
    for command in (["evaluate", run], ["train", "--save", run, "--resume", "--epochs", 2]):
        line = bdfa.refused(*command)
        assert f"the data of run are not in {data.resolve()}: say where they are with --dataset PATH" in line
    outcome = bdfa("evaluate", run, "--dataset", moved)
    assert (outcome.code, outcome.err) == (0, "")
    assert bdfa("train", "--save", run, "--resume", "--epochs", 2, "--dataset", moved).code == 0
    assert written(run)["dataset"] == str(moved.resolve())
    assert result(run) == result(Path("at-once"))
    assert bdfa("evaluate", run).code == 0


def test_a_folder_of_images_that_moved_is_found_too(bdfa):
    from PIL import Image

    for part in ("train", "test"):
        for number, name in enumerate(["dark", "light"]):
            folder = Path("pictures", part, name)
            folder.mkdir(parents=True)
            Image.new("L", (6, 6), 200 * number).save(folder / "one.png")
    assert bdfa("train", *OPTIONS, "--dataset", "./pictures", "--epochs", 1, "--save", "run").code == 0
    Path("pictures").rename("others")
    assert bdfa("evaluate", "run", "--dataset", "./others").code == 0
    Image.new("L", (6, 6), 100).save("others/train/dark/one.png")
    assert "the data differ from those of run" in bdfa.refused("evaluate", "run", "--dataset", "./others")


def test_other_data_are_refused_before_they_are_prepared(bdfa, run, data, monkeypatch):
    content = dict(np.load(data))
    content["train_images"][0, 0, 0, 0] ^= 1
    np.savez("other.npz", **content)
    data.unlink()
    monkeypatch.setattr("bdfa_np.runs.data.prepare", lambda *_, **__: pytest.fail("was prepared"))
    before = (run / "config.toml").read_bytes()
    for command in (["evaluate", run], ["train", "--save", run, "--resume", "--epochs", 2]):
        assert "the data differ from those of run: other.npz" in bdfa.refused(*command, "--dataset", "other.npz")
    assert (run / "config.toml").read_bytes() == before


def test_a_published_data_set_takes_no_other_ones_place(bdfa, run, monkeypatch):
    monkeypatch.setattr("bdfa_np.runs.data.prepare", lambda *_, **__: pytest.fail("was prepared"))
    for command in (["evaluate", run], ["train", "--save", run, "--resume"]):
        assert "--dataset mnist differs from the run's" in bdfa.refused(*command, "--dataset", "mnist")


NOTE = "--threads 4096 is more than the cores here: computing with "


def test_more_threads_than_cores_are_capped_with_a_note(bdfa, run, data):
    found = usable_cores()
    outcome = bdfa("train", *OPTIONS, "--dataset", data, "--epochs", 1, "-threads", 4096, "--save", "many")
    assert f"note: {NOTE}{found} thread" in outcome.out
    assert written(Path("many"))["threads"] == found
    outcome = bdfa("train", "--save", run, "--resume", "--epochs", 2, "--threads", 4096)
    assert f"note: {NOTE}" in outcome.out
    outcome = bdfa("evaluate", run, "--threads", 4096)
    assert (outcome.code, outcome.err) == (0, f"note: {NOTE}{found} thread{'s' if found > 1 else ''}\n")
    outcome = bdfa("data", "prepare", data, "--threads", 4096)
    assert (outcome.code, outcome.err) == (0, f"note: {NOTE}{found} thread{'s' if found > 1 else ''}\n")


def test_a_run_that_goes_on_with_fewer_cores_takes_no_more_threads_than_these(bdfa, data, monkeypatch):
    monkeypatch.setattr(bdfa_np.runs.threads.cores, "usable_cores", lambda: 8)
    options = [*OPTIONS, "--dataset", data, "--epochs", 1, "--threads", 2, "--save", "run"]
    assert "more than the cores" not in bdfa("train", *options).out
    assert written(Path("run"))["threads"] == 2
    monkeypatch.setattr(bdfa_np.runs.threads.cores, "usable_cores", lambda: 1)
    outcome = bdfa("train", "--save", "run", "--resume", "--epochs", 2)
    assert "note: --threads 2 is more than the cores here: computing with 1 thread\n" in outcome.out
    assert written(Path("run"))["threads"] == 1
