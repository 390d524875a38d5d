"""Downloads that are killed, or wanted by two processes at once; parts left out; files published uncompressed."""

import dataclasses
import gzip
import hashlib
import http.server
import json
import os
import stat
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources import kinds, registry
from bdfa_np.data.sources.download import locate, where
from bdfa_np.errors import ConfigError, DataError


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


CONTENTS = {
    "train-images-idx3-ubyte": idx_bytes(np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)),
    "train-labels-idx1-ubyte": idx_bytes(np.arange(300, dtype=np.uint8) % 10),
    "t10k-images-idx3-ubyte": idx_bytes(np.zeros((10, 28, 28), np.uint8)),
    "t10k-labels-idx1-ubyte": idx_bytes(np.arange(10, dtype=np.uint8)),
}
PUBLISHED = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
FINAL = sorted(f"{name}.gz" for name in CONTENTS)


class Mirror(http.server.ThreadingHTTPServer):
    """A server that can wait in the middle of an answer."""

    # So that the end of the test need not wait for an answer that nobody wants any more.
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.place = f"http://127.0.0.1:{self.server_port}"
        self.answers = {f"/{name}.gz": content for name, content in PUBLISHED.items()}
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.half_sent = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.answers.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.server.half_sent.set()
        self.server.go_on.wait(30)
        self.wfile.write(body[len(body) // 2 :])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server that has the files of a small MNIST, which is in the registry."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Mirror() as mirror:
        entry = registry.ENTRIES["mnist"]
        files = tuple(kinds.RemoteFile(*fields) for fields in described(mirror))
        sources = (dataclasses.replace(entry.publications[0], files=files),)
        monkeypatch.setitem(registry.ENTRIES, "mnist", dataclasses.replace(entry, publications=sources))
        thread = threading.Thread(target=mirror.serve_forever, args=(0.01,))
        thread.start()
        yield mirror
        mirror.go_on.set()
        mirror.shutdown()
        thread.join()


def described(mirror: Mirror) -> list[tuple[str, str, str, list[str]]]:
    """The arguments of the small files' RemoteFile."""
    return [
        (
            name,
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(PUBLISHED[name]).hexdigest(),
            [f"{mirror.place}/{name}.gz"],
        )
        for name, content in CONTENTS.items()
    ]


def start_child(mirror: Mirror, folder: Path) -> subprocess.Popen[str]:
    """Load the small MNIST in another process."""
    script = textwrap.dedent(
        """
        import dataclasses, json, sys
        from bdfa_np.data import load_dataset
        from bdfa_np.data.sources import kinds, registry
        entry = registry.ENTRIES["mnist"]
        files = tuple(kinds.RemoteFile(*fields) for fields in json.loads(sys.argv[2]))
        sources = (dataclasses.replace(entry.publications[0], files=files),)
        registry.ENTRIES["mnist"] = dataclasses.replace(entry, publications=sources)
        print(len(load_dataset("mnist", sys.argv[1]).train_labels))
        """
    )
    command = [sys.executable, "-P", "-c", script, str(folder), json.dumps(described(mirror))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def all_under(folder: Path) -> list[str]:
    """The names of all that is there, hidden or not, folders too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_a_killed_download_leaves_is_hidden_and_removed_by_the_next(tmp_path, mirror):
    mirror.go_on.clear()
    with start_child(mirror, tmp_path) as child:
        assert mirror.half_sent.wait(30)
        # The beginning arrives a moment after it was sent.
        while not any(path.is_file() and path.stat().st_size for path in tmp_path.rglob(".fetching-*/*")):
            assert child.poll() is None
        child.kill()
    assert all(path.startswith(("mnist/.fetching-", "mnist/.fetching.lock")) for path in all_under(tmp_path)[1:])
    mirror.go_on.set()
    assert len(load_dataset("mnist", tmp_path).train_labels) == 300
    assert all_under(tmp_path) == ["mnist", *(f"mnist/{name}" for name in FINAL)]


def test_two_processes_at_once_download_each_file_once(tmp_path, mirror):
    mirror.go_on.clear()
    with start_child(mirror, tmp_path) as child, ThreadPoolExecutor() as pool:
        assert mirror.half_sent.wait(30)
        here = pool.submit(load_dataset, "mnist", tmp_path)
        with pytest.raises(TimeoutError):
            here.result(timeout=0.3)
        mirror.go_on.set()
        assert len(here.result(timeout=30).train_labels) == 300
        assert child.communicate(timeout=30)[0] == "300\n"
    assert mirror.asked == [f"/{name}.gz" for name in CONTENTS]
    assert all_under(tmp_path / "mnist") == FINAL


def test_no_file_is_seen_under_its_name_before_it_is_whole(tmp_path, mirror):
    mirror.go_on.clear()
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(load_dataset, "mnist", tmp_path)
        assert mirror.half_sent.wait(30)
        seen = [path.name for path in (tmp_path / "mnist").iterdir()]
        mirror.go_on.set()
        loading.result(timeout=30)
    assert seen
    assert not set(seen) & set(FINAL)


def test_leftovers_of_unpacking_are_removed_too_and_other_hidden_files_stay(tmp_path, mirror):
    (tmp_path / "mnist" / ".fetching-abcd_123" / "deep").mkdir(parents=True)
    (tmp_path / "mnist" / ".fetching-abcd_123" / "deep" / "file").write_bytes(b"half")
    (tmp_path / "mnist" / ".mine").write_bytes(b"mine")
    load_dataset("mnist", tmp_path)
    assert all_under(tmp_path / "mnist") == [".mine", *FINAL]
    assert len(mirror.asked) == 4


def test_a_download_that_fails_leaves_nothing(tmp_path, mirror):
    mirror.answers.clear()
    with pytest.raises(DataError, match="HTTP status 404"):
        load_dataset("mnist", tmp_path)
    assert all_under(tmp_path) == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to all but one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_where_nothing_can_be_written_only_the_missing_files_are_wanted(public_folder):
    home = public_folder / "mnist"
    home.mkdir()
    for name in FINAL[1:]:
        (home / name).write_bytes(PUBLISHED[name[:-3]])
    script = textwrap.dedent(
        f"""
        import os
        import pooch, requests
        from bdfa_np.data import load_dataset
        from bdfa_np.data.readers import idx
        from bdfa_np.data.sources import download
        from bdfa_np.errors import DataError
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            load_dataset("mnist", {str(public_folder)!r})
        except DataError as error:
            print(error)
        """
    )
    home.chmod(0o555)
    # Only a child can give up root, whom no permission keeps from writing.
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert f"holds {FINAL[0][:-3]} (" in child.stdout
    assert f"cannot write to {home}: Permission denied" in child.stdout
    assert child.stdout.count("\n") == 1


@pytest.fixture
def in_parts(mirror: Mirror) -> kinds.Entry:
    """A data set of which a file is an extra part, published uncompressed."""
    names = {"train.mat": "", "test.mat": "", "extra.mat": "extra"}
    files = []
    for name, part in names.items():
        mirror.answers[f"/{name}"] = name.encode()
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        urls = (f"{mirror.place}/{name}",)
        files.append(kinds.RemoteFile(name, sha256, sha256, urls, suffix="", part=part))
    source = kinds.Publication("nobody:reads", files=tuple(files))
    return dataclasses.replace(registry.ENTRIES["mnist"], name="parts", publications=(source,))


def test_files_are_downloaded_as_they_are_published(tmp_path, mirror, in_parts):
    (tmp_path / "train.mat.gz").write_bytes(b"not one of the files")
    source, files = locate(in_parts, tmp_path)
    assert source is in_parts.publications[0]
    assert [file.name for file, _ in files] == ["train.mat", "test.mat", "extra.mat"]
    assert [path for _, path in files] == [tmp_path / "parts" / file.name for file, _ in files]
    assert [path.read_bytes() for _, path in files] == [b"train.mat", b"test.mat", b"extra.mat"]
    assert {stat.S_IMODE(path.stat().st_mode) for _, path in files} == {0o644}
    assert mirror.asked == ["/train.mat", "/test.mat", "/extra.mat"]


def test_an_extra_part_can_be_left_out(tmp_path, mirror, in_parts):
    _, files = locate(in_parts, tmp_path, extra=False)
    assert [file.name for file, _ in files] == ["train.mat", "test.mat"]
    assert mirror.asked == ["/train.mat", "/test.mat"]
    assert list(in_parts.known_checksums(extra=False)) == ["train.mat", "test.mat"]
    assert list(in_parts.known_checksums()) == ["train.mat", "test.mat", "extra.mat"]


@pytest.mark.parametrize("name", ["mnist", "mnist-5k", "cifar10"])
def test_no_extra_part_can_be_left_out_of_a_data_set_that_has_none(tmp_path, name):
    with pytest.raises(ConfigError, match=f"--no-extra has no part in --dataset {name}: leave it out"):
        load_dataset(name, tmp_path, extra=False)


def test_it_is_said_where_files_are(tmp_path, mirror, monkeypatch):
    entry = registry.ENTRIES["mnist"]
    assert where(entry, tmp_path) == "to be downloaded"
    (tmp_path / FINAL[0]).write_bytes(b"")
    assert where(entry, tmp_path) == "to be downloaded"
    for name in FINAL[1:]:
        (tmp_path / name).write_bytes(b"")
    assert where(entry, tmp_path) == str(tmp_path)
    (tmp_path / "mnist").mkdir()
    os.rename(tmp_path / FINAL[0], tmp_path / "mnist" / FINAL[0])
    assert set(where(entry, tmp_path).split(", ")) == {str(tmp_path), str(tmp_path / "mnist")}
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path))
    assert where(entry) == where(entry, tmp_path)
    assert where(registry.ENTRIES["mnist-5k"]) == "with the package"
    assert mirror.asked == []
