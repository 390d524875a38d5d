"""What an export writes, where, and what it refuses; plain arrays are enough for that, and need no other package."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import bdfa_np
from bdfa_np import Config, Flatten, Linear, Sequential, Tanh, build_model, export_model, load_run
from bdfa_np.data import Recipe, prepare
from bdfa_np.errors import ConfigError
from bdfa_np.export import onnx_file
from bdfa_np.model import assemble
from bdfa_np.system.extras import install_command

OLD_RUNS = Path(__file__).parents[1] / "runs" / "written_before"


def read(path):
    with np.load(path) as file:
        return dict(file)


def by_hand(net, x):
    """Compute what the documentation says of each step, in float64 where it is free to."""
    for name in net["preprocessing"]:
        x = PREPARING[name](net, x)
    for name in net["layers"]:
        kind = name.rstrip("0123456789")
        held = {key.removeprefix(f"{name}."): net[key] for key in net if key.startswith(f"{name}.")}
        x = LAYERS[kind](x, **held)
    return x


def conv(x, W, b, stride, padding):
    sides = (0, 0), (padding, padding), (padding, padding), (0, 0)
    windows = sliding_window_view(np.pad(x, sides), W.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcuv,uvco->nijo", windows, W.astype(float)) + b


def pool(x, size, stride):
    return sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride].max(axis=(4, 5))


def whitened(net, x):
    rows = x.reshape(len(x), -1).astype(net["whitening.P"].dtype)
    return ((rows - net["whitening.mean"]) @ net["whitening.P"]).astype(np.float32).reshape(x.shape)


PREPARING = {
    "yuv": lambda net, x: sum(x[..., i : i + 1] * net["yuv.weights"][i] for i in range(3)).astype(np.float32),
    "normalization": lambda net, x: (x.astype("f4") - net["normalization.offset"]) / net["normalization.divisor"],
    "whitening": whitened,
}
LAYERS = {
    "flatten": lambda x: x.reshape(len(x), -1),
    "linear": lambda x, W, b: x @ W.astype(float) + b,
    "conv": conv,
    "pool": pool,
    "batchnorm": lambda x, gamma, beta, running_mean, running_variance, epsilon, **_: (
        gamma * (x - running_mean) / np.sqrt(running_variance + epsilon) + beta
    ),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "dropout": lambda x, **_: x,
}


@pytest.mark.parametrize("nonlin", ["tanh", "sigm", "relu"])
@pytest.mark.parametrize("options", [{"batchnorm": 1, "dropout": 1}, {"bias": False}, {"bias": False, "batchnorm": 1}])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_logits_follow_by_hand_from_plain_arrays(narrow, made, difference, tmp_path, network, options, nonlin):
    model, x = made(network, nonlin=nonlin, **options)
    export_model(model, tmp_path / "net.npz", to="npz")
    found = by_hand(read(tmp_path / "net.npz"), x)
    assert difference(found, model.network.predict(x)) <= {"mlp": 2e-5, "conv": 1e-4}[network]


IMAGES = np.random.default_rng(5).integers(0, 256, (60, 6, 5, 3), np.uint8)


@pytest.mark.parametrize(
    "recipe",
    [
        *({"normalization": kind} for kind in ("scale", "simple", "channel", "image")),
        {"whiten": True},
        {"format": "yuv"},
        {"format": "yuv", "whiten": True},
    ],
    ids=str,
)
def test_preprocessing_follows_by_hand_from_plain_arrays(tmp_path, trained, difference, recipe):
    labels = np.arange(60) % 4
    np.savez(
        tmp_path / "own.npz",
        train_images=IMAGES[:50],
        train_labels=labels[:50],
        test_images=IMAGES[50:],
        test_labels=labels[50:],
        class_names=np.array(["owl", "Ente", "été", "鳥"]),
    )
    prepared = prepare(Recipe(str(tmp_path / "own.npz"), **recipe), cache_dir=tmp_path / "cache")
    model, _ = trained(build_model(Config(gradient="dfa", num_hidden=30), (6, 5, 3), 4))
    model = replace(model, preprocessing=prepared.preprocessing)
    export_model(model, tmp_path / "net.npz", to="npz")
    net = read(tmp_path / "net.npz")
    assert difference(by_hand(net, IMAGES), model.predict(IMAGES).logits) <= 2e-5
    assert net["class_names"].tolist() == ["owl", "Ente", "été", "鳥"]
    assert (net["input"], net["dtype"], net["input_shape"].tolist()) == ("raw", "uint8", [6, 5, 3])


def test_a_model_that_was_built_by_hand_takes_prepared_samples_and_says_so(made, tmp_path):
    model, _ = made("mlp")
    said = export_model(model, tmp_path / "net.npz", to="npz").interface
    net = read(tmp_path / "net.npz")
    assert said == "prepared samples (N, 6, 5, 2) of float32 -> logits and scores (N, 10)"
    assert (net["input"], net["dtype"]) == ("prepared", "float32")
    assert net["preprocessing"].tolist() == []
    assert net["class_names"].tolist() == list("0123456789")


class Doubled(Tanh):
    """A layer that is derived from one of the package, and computes something else."""

    def forward(self, x, train=True):
        return 2 * super().forward(x, train)


@pytest.mark.parametrize("to", ["npz", "onnx", "torch"])
def test_a_layer_of_ones_own_is_refused_also_where_it_is_derived_from_ours(tmp_path, to):
    if to != "npz":
        pytest.importorskip(to)
    network = Sequential([Flatten(), Linear(3), Doubled(), Linear(2)], (4,))
    model = assemble(Config(gradient="bp").resolve(), network)
    with pytest.raises(ConfigError, match=r"^tanh1 is a Doubled, a layer of your own, .* made of Linear, Conv2d, .*"):
        export_model(model, tmp_path / "net.pt", to=to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_a_missing_package_is_named_with_its_extra(made, tmp_path, monkeypatch, to):
    monkeypatch.setitem(sys.modules, to, None)
    with pytest.raises(ConfigError, match=rf"--to {to} needs .*{re.escape(install_command(to))}"):
        export_model(made("mlp")[0], tmp_path / "net.pt", to=to)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(made, tmp_path):
    with pytest.raises(ConfigError, match="--to tflite: choose from onnx, torch, npz"):
        export_model(made("mlp")[0], tmp_path / "net.tflite", to="tflite")


def test_a_net_too_large_for_onnx_is_refused(made, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.setattr(onnx_file, "LARGEST", 1000)
    with pytest.raises(ConfigError, match=r"an ONNX file holds 2 GB: choose another --to"):
        export_model(made("mlp")[0], tmp_path / "net.onnx", to="onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["my-net.pt", "1.pt", "net.py"])
def test_a_module_that_could_not_be_imported_is_refused(made, tmp_path, name):
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"choose a name that Python can import, such as my_net\.pt"):
        export_model(made("mlp")[0], tmp_path / name, to="torch")


@pytest.fixture
def run_folder(bdfa):
    """Give a run's folder."""
    bdfa.train(Path("runs/a"), "--epochs", 1)
    return Path("runs/a")


def test_files_lie_in_the_run_folder_unless_another_place_is_named(bdfa, run_folder):
    outcome = bdfa("export", run_folder, "--to", "npz")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "runs/a/net.npz",
        "raw samples (N, 28, 28, 1) of uint8 -> logits and scores (N, 10)",
    ]
    assert bdfa("export", run_folder, "--to", "npz", "-o", "elsewhere.npz").out.startswith("elsewhere.npz\n")
    assert Path("elsewhere.npz").exists()


def test_a_file_that_is_there_is_replaced_with_force_alone(bdfa, run_folder):
    Path("net.npz").write_text("mine")
    line = bdfa.refused("export", run_folder, "--to", "npz", "-o", "net.npz")
    assert line == "bdfa: error: net.npz is there already: name another file, or replace it with --force"
    assert Path("net.npz").read_text() == "mine"
    assert bdfa("export", run_folder, "--to", "npz", "-o", "net.npz", "--force").code == 0
    assert "layers" in read("net.npz")


def test_a_place_that_is_not_there_is_refused(bdfa, run_folder):
    assert "there is no folder nowhere: make it" in bdfa.refused(
        "export", run_folder, "--to", "npz", "-o", "nowhere/net.npz"
    )
    assert "runs/a is a folder: name a file in it" in bdfa.refused("export", run_folder, "--to", "npz", "-o", "runs/a")
    assert "there is no run in runs/b" in bdfa.refused("export", "runs/b", "--to", "npz")


def test_a_write_that_fails_leaves_the_file_as_it_was(made, tmp_path, monkeypatch):
    target = tmp_path / "net.npz"
    target.write_text("before")

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        export_model(made("mlp")[0], target, to="npz", force=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_the_best_net_is_exported_where_it_was_kept(bdfa, run_folder):
    assert "has no best.h5" in bdfa.refused("export", run_folder, "--to", "npz", "--best")
    bdfa.train(Path("runs/b"), "--validate", "--keep-best", "--epochs", 3, "--lr", "0.3", "--epoch-step", 1)
    assert bdfa("export", "runs/b", "--to", "npz", "--best").out.splitlines()[0] == "runs/b/best.npz"
    best = load_run("runs/b", best=True).network.weights
    np.testing.assert_array_equal(read("runs/b/best.npz")["linear1.W"], best["linear1.W"])


def test_a_run_older_than_preprocessing_files_takes_prepared_samples_and_says_how_to_change_that(bdfa, tmp_path):
    run = next(path.parent for path in sorted(OLD_RUNS.rglob("config.toml")))
    lines = bdfa("export", run, "--to", "npz", "-o", tmp_path / "net.npz").out.splitlines()
    assert lines[1].startswith("prepared samples (N, ")
    assert lines[2] == "note: this run has no preprocessing.h5, which one more --resume adds: prepared samples go in"


def test_images_that_were_scaled_when_read_come_at_the_net_s_size_and_it_is_said(bdfa):
    bdfa.train(Path("small"), "--epochs", 1, "--resize", 12)
    lines = bdfa("export", "small", "--to", "npz").out.splitlines()
    assert lines[1].startswith("raw samples (N, 12, 12, 1) of uint8")
    assert lines[2] == "note: images were scaled to that size when they were read, which is not part of the file"


def test_a_run_on_cuda_is_exported_where_there_is_none(run_folder, bdfa):
    config = run_folder / "config.toml"
    text = config.read_text()
    config.write_text(text.replace('backend = "auto"', 'backend = "cupy"', 1).replace("tf32 = false", "tf32 = true"))
    assert config.read_text() != text
    assert bdfa("export", run_folder, "--to", "npz").code == 0


def test_export_is_a_public_name():
    assert "export_model" in dir(bdfa_np)
