"""What paths mean: home folders, links, devices and pipes as a shell has them, and the same from any folder later."""

import os
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, export_model, load_dataset, load_run, train
from bdfa_np.data.preparing import prepare
from bdfa_np.data.recipe import Recipe
from bdfa_np.errors import ConfigError
from bdfa_np.runs.listing import list_runs
from bdfa_np.system.paths import user_path

SMALL = ["--num-hidden", "2", "--epochs", "1", "--threads", "1", "--backend", "numpy"]
TRAIN = ["train", "--dataset", "mnist-5k", "--train-limit", "20", "--test-limit", "20", *SMALL]
NET = "from bdfa_np.networks.mlp import build\n"
RULE = "from bdfa_np import BP\n\n\nclass Mine(BP):\n    pass\n"


@pytest.fixture
def home(bdfa, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def save_own(path: Path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 4, 4), np.uint8)
    np.savez(
        path, train_images=images, train_labels=np.arange(20) % 2, test_images=images, test_labels=np.arange(20) % 2
    )


def test_a_tilde_that_no_shell_has_read_is_the_home_folder_everywhere(bdfa, home):
    (home / "data").mkdir()
    save_own(home / "data" / "d.npz")
    (home / "net.py").write_text(NET)
    (home / "rule.py").write_text(RULE)
    Path("options.toml").write_text('dataset = "~/data/d.npz"\ncache_dir = "~/cache"\n')
    own = ("--network", "~/net.py", "--gradient", "~/rule.py")
    outcome = bdfa("train", *SMALL, "--config", "options.toml", *own, "--save", "~/run")
    assert (outcome.code, outcome.err) == (0, "")
    assert bdfa("evaluate", "~/run", "--csv", "~/confusion.csv").code == 0
    assert train(dataset="~/data/d.npz", save="~/other", load="~/run", network="~/net.py", num_hidden=2, epochs=1)
    assert {"cache", "run", "other", "confusion.csv"} <= set(os.listdir(home))
    assert sorted(os.listdir()) == ["home", "options.toml"]


def test_a_folder_called_tilde_is_named_by_a_dot_before_it(bdfa, home):
    assert bdfa(*TRAIN, "--save", "./~").code == 0
    assert bdfa("evaluate", "./~").code == 0
    assert Path("./~/config.toml").exists()
    assert os.listdir(home) == []
    twice = user_path(user_path("./~/x", "--save"), "--save")
    assert twice == Path.cwd() / "~" / "x"


def test_a_relative_path_is_shown_as_it_was_written(bdfa):
    assert "run folder: runs/a\n" in bdfa(*TRAIN, "--save", "runs/a").out


@pytest.mark.parametrize("from_python", [False, True])
def test_a_run_started_with_relative_paths_goes_on_and_is_evaluated_from_any_folder(
    bdfa, tmp_path, monkeypatch, from_python
):
    for folder in ("data", "nets", "elsewhere"):
        Path(folder).mkdir()
    save_own(Path("data/d.npz"))
    Path("nets/net.py").write_text(NET)
    Path("rule.py").write_text(RULE)
    paths = {
        "dataset": "data/d.npz",
        "datapath": "data",
        "cache_dir": "cache",
        "models_folder": "nets",
        "network": "net",
        "gradient": "./rule.py",
    }
    if from_python:
        options = {"num_hidden": 2, "threads": 1, "backend": "numpy"}
        train(**paths, **options, epochs=1, save="run")
        train(**paths, **options, epochs=1, save="loaded", load="run")
    else:
        given = [word for name, value in paths.items() for word in ("--" + name.replace("_", "-"), value)]
        assert bdfa("train", *SMALL, *given, "--save", "run").code == 0
    options = tomllib.loads(Path("run/config.toml").read_text())["options"]
    paths["network"] = "nets/net.py"
    assert {name: options[name] for name in paths} == {name: str(tmp_path / path) for name, path in paths.items()}
    monkeypatch.chdir("elsewhere")
    outcome = bdfa("train", "--save", "../run", "--resume", "--epochs", "2")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(list(Path("../cache").glob("*.h5"))) == 1
    assert bdfa("evaluate", "../run").code == 0
    assert len(train(save="../run", resume=True, epochs=3).history) == 3
    assert os.listdir() == []


def test_paths_in_a_config_file_are_as_if_typed_on_the_command_line(bdfa):
    Path("options").mkdir()
    save_own(Path("d.npz"))
    Path("options/a.toml").write_text('dataset = "./d.npz"\n')
    assert bdfa("train", *SMALL, "--config", "options/a.toml", "--save", "run").code == 0


def test_a_parent_of_a_linked_folder_is_that_folders_own(bdfa, tmp_path):
    Path("far/off/deep").mkdir(parents=True)
    Path("far/off/data").mkdir()
    Path("link").symlink_to("far/off/deep")
    config = Config(datapath="link/../data", dataset="mnist-5k").resolve()
    assert config.datapath == str(tmp_path / "far" / "off" / "data")


@pytest.fixture
def run(bdfa) -> Path:
    assert bdfa(*TRAIN, "--save", "run").code == 0
    return Path("run")


OUTPUTS = {
    "table": ("evaluate", "run", "--csv"),
    "picture": ("data", "info", "mnist-5k", "--png"),
    "net": ("export", "run", "--to", "npz", "--force", "-o"),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_output_goes_where_a_link_leads_and_into_a_pipe_and_a_device_stays_one(bdfa, run, what):
    command = OUTPUTS[what]
    assert bdfa(*command, "plain").code == 0
    expected = Path("plain").read_bytes()
    Path("there").write_text("old")
    Path("link").symlink_to("there")
    Path("dangling").symlink_to("soon")
    for link in ("link", "dangling"):
        assert bdfa(*command, link).code == 0
        assert Path(link).is_symlink()
    assert len(Path("there").read_bytes()) == len(Path("soon").read_bytes()) == len(expected)
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert bdfa(*command, "pipe").code == 0
    assert os.read(reader, 4) == expected[:4]
    os.close(reader)
    assert Path("pipe").is_fifo()
    assert bdfa(*command, os.devnull).code == 0
    assert Path(os.devnull).is_char_device()
    assert [name for name in os.listdir("/dev") if name.startswith(".null")] == []


def test_an_output_that_cannot_be_is_refused_before_the_run_is_read(bdfa):
    for place, reason in {"no/folder/x.csv": "there is no folder no/folder", "x/": "is a folder"}.items():
        assert reason in bdfa.refused("evaluate", "there-is-no-run", "--csv", place)


@pytest.mark.parametrize("variable", ["BDFA_DATA_DIR", "BDFA_CACHE_DIR"])
def test_the_environments_folders_are_read_as_those_of_the_command_line(bdfa, home, monkeypatch, variable):
    command = ("data", "list", *(() if variable == "BDFA_CACHE_DIR" else ("--cache-dir", "cache")))
    monkeypatch.setenv(variable, "~nobody-of-this-name/x")
    line = bdfa.refused(*command)
    assert variable in line
    assert "there is no user 'nobody-of-this-name'" in line
    monkeypatch.setenv(variable, "~/mine")
    assert bdfa(*command).code == 0
    monkeypatch.setenv(variable, "")  # as if it were not set
    assert bdfa(*command).code == 0
    assert os.listdir(home) == []


ENTRANCES = {
    "train save": lambda path: train(dataset="mnist-5k", save=path),
    "train load": lambda path: train(dataset="mnist-5k", load=path),
    "load_run": load_run,
    "export_model": lambda path: export_model(None, path, to="npz"),
    "list_runs": list_runs,
    "load_dataset": lambda path: load_dataset("mnist", path),
    "prepare datapath": lambda path: prepare(Recipe("mnist-5k"), datapath=path),
    "prepare cache_dir": lambda path: prepare(Recipe("mnist-5k", whiten=True), cache_dir=path),
    **{
        f"Config {name}": lambda path, name=name: Config(dataset="mnist-5k").replace(**{name: path}).resolve()
        for name in ("datapath", "cache_dir", "models_folder")
    },
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("path", "reason"), [("", "is empty"), ("a\0b", "null character"), ("~no-such-user/x", "no user")]
)
def test_python_refuses_what_is_no_path_in_one_line_and_makes_nothing(bdfa, tmp_path, entrance, path, reason):
    with pytest.raises(ConfigError) as caught:
        ENTRANCES[entrance](path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--datapath", "--cache-dir", "--models-folder", "--dataset"])
def test_a_path_that_config_toml_cannot_keep_is_refused_and_not_a_run_that_nobody_can_resume(bdfa, tmp_path, option):
    line = bdfa.refused(*TRAIN, option, "./odd\udcff", "--save", "run")
    assert f"{option} " in line
    assert "not UTF-8" in line
    assert os.listdir(tmp_path) == []


def test_show_zca_stores_nothing_and_uses_what_is_prepared(bdfa, tmp_path):
    save_own(Path("d.npz"))
    command = ("data", "show-zca", "./d.npz", "--cache-dir", "cache", "--png")
    assert bdfa(*command, "fitted.png").code == 0
    assert sorted(os.listdir(tmp_path)) == ["d.npz", "fitted.png"]
    assert bdfa("data", "prepare", "./d.npz", "--whiten", "--cache-dir", "cache").code == 0
    assert bdfa(*command, "prepared.png").code == 0
    shutil.rmtree("cache")
