"""``bdfa data``: what its commands print and write, and how they refuse."""

import functools
import gzip
import hashlib
import http.server
import json
import os
import re
import struct
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from bdfa_np.data.cache.store import Cache
from bdfa_np.data.sources.registry import ENTRIES, dataset_names

COMMANDS = ["list", "fetch", "prepare", "info", "show-zca", "clear"]
NAMES = ", ".join(f"'{name}'" for name in dataset_names())


@pytest.fixture
def cache():
    """Give the folder that prepared files go to, which is not there yet."""
    return Path(os.environ["BDFA_CACHE_DIR"])


@pytest.fixture
def prepared(bdfa, cache):
    """Give a prepared file of a few whitened digits."""
    assert bdfa("data", "prepare", "mnist-5k", "--whiten", "--train-limit", 50, "--resize", 7).code == 0
    (path,) = cache.glob("*.h5")
    return path


def save_own(path, shape=(6, 5, 3), dtype=np.uint8):
    """Write a data set of the user's own, of 30 training and 12 test samples in 3 classes."""
    samples = np.random.default_rng(0).integers(0, 256, (42, *shape)).astype(dtype)
    labels = np.arange(42) % 3
    parts = {"train": slice(30), "test": slice(30, None)}
    arrays = {f"{name}_images": samples[part] for name, part in parts.items()}
    np.savez(path, **arrays, **{f"{name}_labels": labels[part] for name, part in parts.items()})
    return path


def idx(values):
    """Return an array as the content of an IDX file."""
    return struct.pack(f">{1 + values.ndim}I", 0x800 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder's files without a word."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Give a server's folder with a small MNIST, which the registry has the addresses and checksums of."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        labels = np.arange(20) % 10
        arrays = np.zeros((20, 28, 28)), labels, np.ones((10, 28, 28)), labels[:10]
        entry, files = ENTRIES["mnist"], []
        for file, array in zip(entry.publications[0].files, arrays, strict=True):
            content = idx(array)
            archive = gzip.compress(content, mtime=0)
            (folder / f"{file.name}.gz").write_bytes(archive)
            sums = [hashlib.sha256(part).hexdigest() for part in (content, archive)]
            urls = (f"http://127.0.0.1:{server.server_port}/{file.name}.gz",)
            sizes = {"size_content": len(content), "size_archive": len(archive)}
            files.append(replace(file, sha256_content=sums[0], sha256_archive=sums[1], urls=urls, **sizes))
        source = replace(entry.publications[0], files=tuple(files))
        monkeypatch.setitem(ENTRIES, "mnist", replace(entry, publications=(source,)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()


def test_the_group_lists_its_commands_each_explained_in_a_whole_sentence(bdfa):
    outcome = bdfa("data", "--help")
    assert (outcome.code, outcome.err) == (0, "")
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*[^.]\.$", outcome.out, re.MULTILINE), name
    alone = bdfa("data")
    assert alone.code == 2
    assert outcome.out.strip() in alone.out + alone.err
    assert "No such command 'nonsense'" in bdfa.refused("data", "nonsense")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_page_with_examples_that_are_its_own(bdfa, command):
    outcome = bdfa("data", command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: bdfa data {command}")
    _, examples = outcome.out.split("Examples:\n")
    for example in filter(None, examples.splitlines()):
        assert example.startswith(f"    bdfa data {command}")
        for option in re.findall(r"--[a-z-]+", example):
            assert option in outcome.out.split("Examples:")[0]
    assert bdfa("data", command, "-h").out == outcome.out


def test_the_help_pages_name_the_defaults(bdfa):
    text = " ".join(bdfa("data", "prepare", "--help").out.split())
    for default in ("BDFA_DATA_DIR, else", "BDFA_CACHE_DIR, else", "rgb", "scale, unless --whiten", "1e-05", "0"):
        assert f"[default: {default}" in text
    assert "[default: 10;" in " ".join(bdfa("data", "show-zca", "--help").out.split())


def test_help_and_completion_import_no_numpy(bdfa):
    code = (
        "import sys; from bdfa_np.cli.group import bdfa; from bdfa_np.cli.outcome import run\n"
        "codes = [run(bdfa, ['data', *name.split(), '--help']) for name in sys.argv[1:]]\n"
        "sys.exit(any(codes) or 'numpy' in sys.modules or 'rich' in sys.modules)"
    )
    bdfa.script = bdfa.script.with_name("python")
    assert bdfa.child("-c", code, "", *COMMANDS).code == 0


def complete(bdfa, typed):
    """Return what bash offers: kinds and values."""
    words = typed.split()
    position = len(words) if typed.endswith(" ") else len(words) - 1
    environment = {"_BDFA_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    outcome = bdfa.child(env=environment)
    assert (outcome.code, outcome.err) == (0, "")
    return set(outcome.out.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bdfa data ", {f"plain,{name}" for name in COMMANDS}),
        ("bdfa data sh", {"plain,show-zca"}),
        ("bdfa data info ", {f"plain,{name}" for name in dataset_names()}),
        ("bdfa data fetch CIFAR-10", {"plain,cifar10", "plain,cifar100"}),
        ("bdfa train --dataset MN", {"plain,mnist", "plain,mnist-5k"}),
        ("bdfa train --dataset mnist-", {"plain,mnist", "plain,mnist-5k"}),
        ("bdfa train --dataset ./dig", {"file,./dig"}),
        ("bdfa data prepare pho", {"file,pho"}),
        ("bdfa data fetch pho", set()),
    ],
)
def test_a_shell_completes_names_in_any_case_and_files_once_no_name_fits(bdfa, typed, offered):
    assert complete(bdfa, typed) == offered


@pytest.mark.parametrize("command", ["prepare", "info", "show-zca --png a.png", "clear", "fetch"])
def test_an_unknown_name_lists_the_names_and_where_it_may_be_mentions_paths(bdfa, command):
    line = bdfa.refused("data", *command.split(), "minst")
    assert f"'minst' is not one of {NAMES}" in line
    assert ("by a path, as in ./minst" in line) == (command != "fetch")
    assert "NAME" in line


@pytest.mark.parametrize("command", ["prepare", "info", "show-zca --png a.png"])
def test_a_misspelt_path_is_one_line_and_nothing_is_written(bdfa, cache, command):
    for path in ("./nowhere", "nowhere.npz", "~/nowhere.h5"):
        line = bdfa.refused("data", *command.split(), path)
        assert f"{Path(path).expanduser()}: cannot be read: No such file or directory" in line
    assert not cache.exists()
    assert not Path("a.png").exists()


@pytest.mark.parametrize("command", ["prepare", "show-zca --png a.png", "info", "fetch"])
def test_a_missing_name_is_one_line(bdfa, command):
    assert "Missing argument" in bdfa.refused("data", *command.split())


def test_list_has_every_data_set_and_says_where_its_files_are(bdfa, mirror):
    outcome = bdfa("data", "list", "--datapath", mirror)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(ENTRIES)]] == list(ENTRIES)
    assert lines[1].split() == ["mnist", "28x28x1", "10", "60,000", "10,000", str(mirror)]
    assert lines[2].endswith("with the package")
    cifar10 = lines[1 + list(ENTRIES).index("cifar10")]
    assert cifar10.split(maxsplit=5) == ["cifar10", "32x32x3", "10", "50,000", "10,000", "to be downloaded"]


def test_list_refuses_a_data_folder_that_does_not_exist(bdfa):
    assert "the data folder nowhere does not exist" in bdfa.refused("data", "list", "--datapath", "nowhere")


def test_list_finds_no_prepared_files_in_a_folder_that_is_empty_or_missing(bdfa, cache, tmp_path):
    assert f"nothing is prepared in {cache}\n" in bdfa("data", "list").out
    assert not cache.exists()
    assert f"nothing is prepared in {tmp_path}\n" in bdfa("data", "list", "--cache-dir", tmp_path).out


def test_list_shows_each_prepared_file_with_its_size_time_and_options(bdfa, prepared):
    os.utime(prepared, (0, 1_800_000_000))
    (line,) = re.findall(r"^.*\.h5.*$", bdfa("data", "list").out, re.MULTILINE)
    assert re.match(rf" +\d+\.\d MB  2027-01-1\d \d\d:\d\d  {re.escape(prepared.name)}  ", line)
    assert f"{prepared.stat().st_size / 1e6:.1f} MB" in line
    assert line.endswith("--whiten --format rgb --resize 7 --seed 0 --train-limit 50 --zca-epsilon 1e-05")


def test_list_says_what_is_wrong_with_a_file(bdfa, cache, prepared):
    for name, version in (("old", 1), ("later", 99)):
        path = cache / f"{name}-0123456789abcdef.h5"
        path.write_bytes(prepared.read_bytes())
        with h5py.File(path, "r+") as file:
            file.attrs["format"] = version
    (cache / "damaged-0123456789abcdef.h5").write_bytes(prepared.read_bytes()[:500])
    (cache / "[red]:smile:-0123456789abcdef.h5").write_bytes(b"")
    for name in ("damaged", "[red]:smile:"):
        (cache / ".locks" / f"{name}-0123456789abcdef.h5.lock").touch()  # they were once prepared here
    (cache / "notes.txt").write_text("not ours")
    outcome = bdfa("data", "list")
    assert (outcome.code, outcome.err) == (0, "")
    states = re.findall(r"  (\S+)-[0-9a-f]{16}\.h5(?:  \((.+?)\))?", outcome.out)
    damaged = [("[red]:smile:", "damaged"), ("damaged", "damaged")]
    assert sorted(states) == sorted([*damaged, ("later", "later format"), ("mnist-5k", ""), ("old", "old format")])
    assert "notes.txt" not in outcome.out


@pytest.mark.parametrize("specification", ["{}", '{"preprocessing": 5}', '{"preprocessing": {"x": [1]}}'])
def test_list_shows_a_file_that_says_strange_things_of_itself(bdfa, prepared, specification):
    with h5py.File(prepared, "r+") as file:
        file.attrs["specification"] = np.bytes_(specification)
    assert prepared.name in bdfa("data", "list").out


def test_list_is_plain_text_without_a_terminal_and_leaves_long_paths_whole(bdfa, mirror, prepared, tmp_path):
    folder = mirror.rename(tmp_path / ("long" * 40))
    outcome = bdfa.child("data", "list", "--cache-dir", prepared.parent, "--datapath", folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert "\x1b" not in outcome.out
    assert f"prepared, in {prepared.parent}:\n" in outcome.out


def test_fetch_downloads_what_is_missing_and_says_where_it_is(bdfa, mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path / "data"))
    outcome = bdfa("data", "fetch", "MNIST")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("MNIST: 20 training and 10 test images, every file as it was published\n")
    for file in ENTRIES["mnist"].publications[0].files:
        path = tmp_path / "data" / "mnist" / f"{file.name}.gz"
        assert f" MB  {path}\n" in outcome.out
        assert path.read_bytes() == (mirror / path.name).read_bytes()
        (mirror / path.name).unlink()
    assert bdfa("data", "fetch", "mnist").out == outcome.out


def test_fetch_of_what_is_nowhere_or_altered_is_one_line(bdfa, mirror, tmp_path):
    name = "t10k-labels-idx1-ubyte"
    (mirror / f"{name}.gz").unlink()
    line = bdfa.refused("data", "fetch", "mnist", "--datapath", tmp_path)
    assert name in line
    assert "HTTP status 404" in line
    (tmp_path / name).write_bytes(idx(np.zeros(10)))
    assert "altered" in bdfa.refused("data", "fetch", "mnist", "--datapath", tmp_path)
    assert "nowhere does not exist" in bdfa.refused("data", "fetch", "mnist", "--datapath", "nowhere")


def test_fetch_of_what_comes_with_the_package_says_where_that_is(bdfa):
    out = bdfa("data", "fetch", "mnist-5k").out
    assert "mnist_5k.h5\n" in out
    assert "4,000 training and 1,000 test images" in out
    assert "--no-extra has no part in --dataset mnist-5k" in bdfa.refused("data", "fetch", "mnist-5k", "--no-extra")


def test_clear_removes_what_was_prepared_of_one_data_set_or_of_all(bdfa, cache, prepared):
    own = save_own(Path("own.npz"))
    for options in ((), ("--validate",)):
        assert bdfa("data", "prepare", own, *options).code == 0
    outcome = bdfa("data", "clear", "mnist")
    assert (outcome.code, outcome.out, outcome.err) == (0, "removed 0 prepared files, 0.0 MB\n", "")
    removed = bdfa("data", "clear", "Mnist-5K")
    assert prepared.name in removed.out
    assert "removed 1 prepared file, " in removed.out
    assert not prepared.exists()
    own.unlink()  # what was prepared of it can still go
    assert "removed 2 prepared files, " in bdfa("data", "clear", "./own.npz").out
    assert Cache(cache).entries() == []


def test_files_from_before_versions_were_kept_are_listed_and_cleared_by_name(bdfa, prepared):
    old = prepared.rename(prepared.with_name("mnist-5k-0123456789abcdef.h5"))
    with h5py.File(old, "r+") as file:
        specification = json.loads(file.attrs["specification"])
        del specification["versions"]
        file.attrs["specification"] = np.bytes_(json.dumps(specification))
        file.attrs["format"] = 1
    said = f"{old.name}  (old format) --whiten --format rgb"
    assert said in bdfa("data", "list").out
    assert said in bdfa("data", "clear", "mnist-5k").out
    assert not old.exists()


def test_clear_of_everything_has_to_be_meant(bdfa, prepared):
    line = bdfa.refused("data", "clear")
    assert "name a data set, or add --yes" in line
    assert prepared.exists()
    assert bdfa("data", "clear", "-y").code == 0
    assert list(prepared.parent.glob("*.h5")) == []


@pytest.mark.parametrize(("answer", "gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_clear_asks_on_a_terminal(bdfa, prepared, answer, gone):
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    outcome = bdfa.child("data", "clear", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert outcome.code == 0
    assert f"Remove every prepared file in {prepared.parent}?" in outcome.err
    assert prepared.exists() != gone
    assert ("nothing was removed" in outcome.out) != gone
