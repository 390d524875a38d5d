"""Where files are looked for and how they are fetched, from a server on this machine."""

import dataclasses
import gzip
import hashlib
import http.server
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources import kinds, registry
from bdfa_np.data.sources.download import default_folder
from bdfa_np.errors import DataError


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def small_contents() -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    contents = {}
    for part, count in (("train", 30), ("t10k", 10)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        contents[f"{part}-images-idx3-ubyte"] = idx_bytes(images)
        contents[f"{part}-labels-idx1-ubyte"] = idx_bytes(np.arange(count, dtype=np.uint8) % 10)
    return contents


CONTENTS = small_contents()
ARCHIVES = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}


class Mirror:
    """A server whose answer to each path a test decides."""

    def __init__(self) -> None:
        mirror = self
        self.answers: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                body = mirror.answers.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in mirror.broken else body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A small MNIST in the registry, with two addresses a file: /first/NAME.gz and /second/NAME.gz."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirror = Mirror()
    place = f"http://127.0.0.1:{mirror.server.server_port}"
    register(monkeypatch, (f"{place}/first", f"{place}/second"))
    yield mirror
    mirror.close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    register(monkeypatch, (f"http://127.0.0.1:{port}",))


def register(monkeypatch: pytest.MonkeyPatch, places: tuple[str, ...]) -> None:
    files = tuple(
        kinds.RemoteFile(
            name,
            hashlib.sha256(CONTENTS[name]).hexdigest(),
            hashlib.sha256(ARCHIVES[name]).hexdigest(),
            tuple(f"{place}/{name}.gz" for place in places),
        )
        for name in CONTENTS
    )
    entry = registry.ENTRIES["mnist"]
    known = {file.name: file.other_names for file in entry.publications[0].files}
    files = tuple(dataclasses.replace(file, other_names=known[file.name]) for file in files)
    sources = (dataclasses.replace(entry.publications[0], files=files),)
    monkeypatch.setitem(registry.ENTRIES, "mnist", dataclasses.replace(entry, publications=sources))


def serve(mirror: Mirror, place: str) -> None:
    mirror.answers.update({f"/{place}/{name}.gz": archive for name, archive in ARCHIVES.items()})


def put(folder: Path, suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in CONTENTS:
        (folder / f"{name}{suffix}").write_bytes(ARCHIVES[name] if suffix else CONTENTS[name])


def files_under(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def refusal(datapath: Path | None) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", datapath)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("subfolder", ["mnist", ""])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.usefixtures("no_network")
def test_files_are_found_in_the_subfolder_and_in_the_folder_gzipped_or_not(tmp_path, subfolder, suffix):
    put(tmp_path / subfolder, suffix)
    dataset = load_dataset("MNIST", tmp_path)
    assert dataset.train_images.shape == (30, 28, 28, 1)
    assert dataset.test_labels.tolist() == list(range(10))
    assert dataset.checksums == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


@pytest.mark.parametrize("subfolder", ["mnist", ""])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.usefixtures("no_network")
def test_files_are_found_under_their_dotted_names(tmp_path, subfolder, suffix):
    put(tmp_path / subfolder, suffix)
    for name in CONTENTS:
        path = tmp_path / subfolder / f"{name}{suffix}"
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert (tmp_path / subfolder / f"train-images.idx3-ubyte{suffix}").exists()
    assert load_dataset("mnist", tmp_path).checksums == registry.ENTRIES["mnist"].known_checksums()


@pytest.mark.usefixtures("no_network")
def test_files_are_found_where_folders_of_their_names_lie_beside_them(tmp_path):
    # As an archive of MNIST that goes round unpacks itself.
    put(tmp_path)
    for name in CONTENTS:
        (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
        put_into = tmp_path / name
        put_into.mkdir()
        (put_into / name).write_bytes(CONTENTS[name])
    assert len(load_dataset("mnist", tmp_path).train_labels) == 30


@pytest.mark.usefixtures("no_network")
def test_the_subfolder_comes_before_the_folder(tmp_path):
    put(tmp_path / "mnist")
    put(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"other")
    load_dataset("mnist", tmp_path)


@pytest.mark.usefixtures("no_network")
def test_a_folder_of_the_files_name_does_not_hide_the_file(tmp_path):
    put(tmp_path, ".gz")
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    load_dataset("mnist", tmp_path)


def test_a_folder_in_the_files_place_is_refused_and_nothing_downloaded(tmp_path, mirror):
    put(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert f"{tmp_path / 'train-images-idx3-ubyte'}: is a folder" in refusal(tmp_path)
    assert mirror.asked == []


@pytest.mark.usefixtures("no_network")
def test_the_environment_names_the_default_folder(tmp_path, monkeypatch):
    put(tmp_path)
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path))
    assert default_folder() == tmp_path
    assert len(load_dataset("mnist").train_labels) == 30


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder's place differs from system to system")
def test_without_the_environment_the_default_is_a_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BDFA_DATA_DIR", raising=False)
    assert default_folder() == tmp_path / "bdfa-np" / "datasets"
    monkeypatch.setenv("BDFA_DATA_DIR", "")
    assert default_folder() == tmp_path / "bdfa-np" / "datasets"


def test_a_named_folder_that_does_not_exist_is_refused(tmp_path, mirror):
    assert f"{tmp_path / 'absent'} does not exist" in refusal(tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"")
    assert "is not a folder" in refusal(tmp_path / "file")
    assert mirror.asked == []


def test_missing_files_are_downloaded_once(tmp_path, mirror):
    serve(mirror, "first")
    assert len(load_dataset("mnist", tmp_path).train_labels) == 30
    assert files_under(tmp_path / "mnist") == sorted(f"{name}.gz" for name in CONTENTS)
    load_dataset("mnist", tmp_path)
    assert mirror.asked == [f"/first/{name}.gz" for name in CONTENTS]


def test_only_what_is_missing_is_downloaded(tmp_path, mirror):
    serve(mirror, "first")
    put(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    load_dataset("mnist", tmp_path)
    assert mirror.asked == ["/first/t10k-images-idx3-ubyte.gz"]
    assert files_under(tmp_path / "mnist") == ["t10k-images-idx3-ubyte.gz"]


def test_a_default_folder_that_does_not_exist_is_created(tmp_path, mirror, monkeypatch):
    serve(mirror, "first")
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path / "new" / "data"))
    load_dataset("mnist")
    assert len(files_under(tmp_path / "new" / "data" / "mnist")) == 4


def test_the_second_mirror_is_asked_when_the_first_has_no_file(tmp_path, mirror):
    serve(mirror, "second")
    load_dataset("mnist", tmp_path)
    assert mirror.asked[:2] == ["/first/train-images-idx3-ubyte.gz", "/second/train-images-idx3-ubyte.gz"]


def test_the_second_mirror_is_asked_when_the_first_sends_other_content(tmp_path, mirror):
    serve(mirror, "first")
    serve(mirror, "second")
    mirror.answers["/first/train-images-idx3-ubyte.gz"] = gzip.compress(b"other")
    assert len(load_dataset("mnist", tmp_path).train_labels) == 30
    assert "/second/train-images-idx3-ubyte.gz" in mirror.asked


def test_the_second_mirror_is_asked_when_the_connection_to_the_first_breaks(tmp_path, mirror):
    serve(mirror, "first")
    serve(mirror, "second")
    mirror.broken.add("/first/train-images-idx3-ubyte.gz")
    assert len(load_dataset("mnist", tmp_path).train_labels) == 30


def test_broken_connections_leave_no_half_file(tmp_path, mirror):
    serve(mirror, "first")
    mirror.broken.update(mirror.answers)
    message = refusal(tmp_path)
    assert "broke" in message
    assert "HTTP status 404" in message
    assert files_under(tmp_path) == []


@pytest.mark.usefixtures("no_network")
def test_without_network_and_files_one_line_says_what_to_do(tmp_path):
    message = refusal(tmp_path)
    for needed in (str(tmp_path), str(tmp_path / "mnist"), *CONTENTS, "no connection", "--dataset mnist-5k"):
        assert needed in message
    assert files_under(tmp_path) == []


@pytest.mark.usefixtures("no_network")
def test_without_network_only_the_missing_files_are_wanted(tmp_path):
    put(tmp_path, ".gz")
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    message = refusal(tmp_path)
    assert "t10k-images-idx3-ubyte" in message
    assert "train-images-idx3-ubyte" not in message


def test_a_damaged_file_is_refused_and_not_downloaded_over(tmp_path, mirror):
    serve(mirror, "first")
    put(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(CONTENTS["train-images-idx3-ubyte"][:-1])
    assert "truncated" in refusal(tmp_path)
    assert mirror.asked == []


@pytest.mark.usefixtures("no_network")
def test_an_altered_file_is_refused_with_advice(tmp_path):
    put(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(CONTENTS[path.name][:-1] + b"\x01")
    message = refusal(tmp_path)
    assert message.startswith(f"{path}: altered")
    assert "delete it" in message


@pytest.mark.usefixtures("no_network")
def test_a_label_out_of_range_is_named_with_its_index(tmp_path):
    put(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    content = bytearray(CONTENTS[path.name])
    content[8 + 17] = 10
    path.write_bytes(content)
    assert f"{path}: label 10 at index 17 is out of range 0..9" in refusal(tmp_path)


@pytest.mark.usefixtures("no_network")
def test_images_and_labels_in_each_others_place_are_refused(tmp_path):
    put(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(CONTENTS["train-labels-idx1-ubyte"])
    assert "wrong magic number 0x00000801" in refusal(tmp_path)


def test_pooch_says_nothing_and_keeps_its_log_level(tmp_path, mirror, caplog):
    import pooch

    serve(mirror, "first")
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("INFO")
    # It passes nothing on to the root logger, where caplog listens.
    logger.addHandler(caplog.handler)
    try:
        load_dataset("mnist", tmp_path)
        assert logger.level == logging.INFO
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
    assert caplog.records == []


def test_progress_is_drawn_on_standard_error(tmp_path, mirror, capfd):
    serve(mirror, "first")
    load_dataset("mnist", tmp_path, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "train-images-idx3-ubyte" in err


def test_downloaded_files_can_be_read_by_others(tmp_path, mirror):
    serve(mirror, "first")
    load_dataset("mnist", tmp_path)
    assert {path.stat().st_mode & 0o444 for path in (tmp_path / "mnist").iterdir()} == {0o444}


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to all but one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(folder: Path) -> str:
    """What a child without root's rights is told when it loads MNIST from the folder, with no mirror to ask."""
    script = textwrap.dedent(
        f"""
        import dataclasses, os
        import pooch, requests
        from bdfa_np.data import load_dataset
        from bdfa_np.data.readers import idx
        from bdfa_np.data.sources import download, registry
        from bdfa_np.errors import DataError
        entry = registry.ENTRIES["mnist"]
        [source] = entry.publications
        files = tuple(dataclasses.replace(file, urls=("http://127.0.0.1:9/file.gz",)) for file in source.files)
        registry.ENTRIES["mnist"] = dataclasses.replace(entry, publications=(dataclasses.replace(source, files=files),))
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            load_dataset("mnist", {str(folder)!r})
        except DataError as error:
            print(error)
        """
    )
    command, environment = [sys.executable, "-P", "-c", script], {**os.environ, "NO_PROXY": "127.0.0.1"}
    child = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert child.stderr == ""
    assert child.stdout.count("\n") == 1
    return child.stdout


def test_a_folder_that_may_not_be_entered_is_refused_rather_than_downloaded_to(public_folder):
    folder = public_folder / "data"
    put(folder / "mnist")
    (folder / "mnist").chmod(0)
    try:
        assert "mnist/train-images-idx3-ubyte: cannot be read: Permission denied" in as_nobody(folder)
    finally:
        (folder / "mnist").chmod(0o755)


def test_a_folder_that_may_not_be_written_is_refused(public_folder):
    folder = public_folder / "data"
    folder.mkdir(mode=0o555)
    message = as_nobody(folder)
    assert f"cannot write to {folder / 'mnist'}: " in message
    assert "--dataset mnist-5k" in message


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount command")
def test_a_full_disk_is_one_line_and_leaves_no_half_file(tmp_path, mirror):
    serve(mirror, "first")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    try:
        message = refusal(disk)
        left = files_under(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert "No space left on device" in message
    assert left == []
