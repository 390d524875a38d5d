"""CIFAR-10's archive: downloaded from a server on this machine, unpacked, and what hostile ones come to."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources import kinds, registry
from bdfa_np.data.sources.archives import unpack
from bdfa_np.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
INNER = "cifar-10-batches-bin"
NAMES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
SIZE = 4 * 3073
# Every byte is below 10, so each may be a label.
CONTENTS = {
    name: np.random.default_rng(seed).integers(0, 10, SIZE, np.uint8).tobytes() for seed, name in enumerate(NAMES)
}


def member(name: str, content: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return info, content


def good_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    beside = [member(INNER, type=tarfile.DIRTYPE), member(f"{INNER}/readme.html", b"<html>"), member("other", b"o")]
    return [*beside, *(member(f"{INNER}/{name}", content) for name, content in CONTENTS.items())]


def tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return stream.getvalue()


def packed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    return gzip.compress(tar(members), mtime=0)


GOOD = packed(good_members())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.answers.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


class Mirror(http.server.ThreadingHTTPServer):
    """A server whose answer to each path a test decides."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.place = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server that a small CIFAR-10 in the registry names twice: /first/ARCHIVE and /second/ARCHIVE."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Mirror() as mirror:
        register(monkeypatch, GOOD, tuple(f"{mirror.place}/{place}/{ARCHIVE}" for place in ("first", "second")))
        thread = threading.Thread(target=mirror.serve_forever, args=(0.01,))
        thread.start()
        yield mirror
        mirror.shutdown()
        thread.join()


def described(archive: bytes, urls: tuple[str, ...] = ()) -> kinds.Archive:
    """The registry's archive with the small files, and as if these bytes were the published ones."""
    files = tuple(
        kinds.ArchivedFile(name, SIZE, hashlib.sha256(content).hexdigest()) for name, content in CONTENTS.items()
    )
    published = registry.ENTRIES["cifar10"].publications[0].archive
    assert published is not None
    return dataclasses.replace(published, files=files, urls=urls, sha256=hashlib.sha256(archive).hexdigest(), size=None)


def register(monkeypatch: pytest.MonkeyPatch, archive: bytes, urls: tuple[str, ...] = ()) -> None:
    entry = registry.ENTRIES["cifar10"]
    source = dataclasses.replace(entry.publications[0], archive=described(archive, urls))
    sources = (source, *entry.publications[1:])
    monkeypatch.setitem(
        registry.ENTRIES, "cifar10", dataclasses.replace(entry, train_images=20, test_images=4, publications=sources)
    )


def files_under(folder: Path) -> list[str]:
    """Everything under the folder that is not a folder, links not followed."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def refusal(datapath: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", datapath)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_archive_is_downloaded_once_and_its_six_files_taken(tmp_path, mirror):
    mirror.answers[f"/first/{ARCHIVE}"] = GOOD
    dataset = load_dataset("cifar10", tmp_path)
    assert dataset.train_labels.tolist() == list(b"".join(CONTENTS[name] for name in NAMES[:5])[::3073])
    assert files_under(tmp_path) == sorted(f"cifar10/{name}" for name in (*NAMES, ARCHIVE))
    for name, content in CONTENTS.items():
        assert (tmp_path / "cifar10" / name).read_bytes() == content
    assert [path.name for path in (tmp_path / "cifar10").iterdir() if path.is_dir()] == []
    (tmp_path / "cifar10" / ARCHIVE).unlink()
    load_dataset("cifar10", tmp_path)
    assert mirror.asked == [f"/first/{ARCHIVE}"]


def test_only_what_is_missing_is_taken(tmp_path, mirror):
    mirror.answers[f"/first/{ARCHIVE}"] = GOOD
    (tmp_path / INNER).mkdir()
    for name in NAMES[1:]:
        (tmp_path / INNER / name).write_bytes(CONTENTS[name])
    load_dataset("cifar10", tmp_path)
    assert files_under(tmp_path / "cifar10") == [ARCHIVE, "data_batch_1.bin"]


@pytest.mark.parametrize("folder", ["cifar10", INNER, f"cifar10/{INNER}", ""])
def test_an_archive_that_is_there_is_not_downloaded(tmp_path, mirror, folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / ARCHIVE).write_bytes(GOOD)
    assert len(load_dataset("cifar10", tmp_path).test_labels) == 4
    assert (tmp_path / folder / ARCHIVE).read_bytes() == GOOD
    assert mirror.asked == []


def test_the_second_mirror_is_asked_when_the_first_sends_another_archive(tmp_path, mirror):
    mirror.answers[f"/first/{ARCHIVE}"] = packed(good_members()[:-1])
    mirror.answers[f"/second/{ARCHIVE}"] = GOOD
    load_dataset("cifar10", tmp_path)
    assert mirror.asked == [f"/first/{ARCHIVE}", f"/second/{ARCHIVE}"]


def test_no_archive_or_a_wrong_one_is_one_line_and_leaves_nothing(tmp_path, mirror):
    mirror.answers[f"/first/{ARCHIVE}"] = GOOD[:-1]
    message = refusal(tmp_path)
    folders = (tmp_path / "cifar10", tmp_path / INNER, tmp_path / "cifar10" / INNER, tmp_path)
    for needed in (*map(str, folders), *NAMES, ARCHIVE, "by its SHA-256", "HTTP status 404", "--dataset mnist-5k"):
        assert needed in message
    assert files_under(tmp_path) == []


def test_without_network_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    register(monkeypatch, GOOD, (f"http://127.0.0.1:9/{ARCHIVE}",))
    assert re.match("CIFAR-10 is incomplete: neither .* could not be downloaded .*no connection", refusal(tmp_path))


def test_progress_is_drawn_on_standard_error(tmp_path, mirror, capfd):
    mirror.answers[f"/first/{ARCHIVE}"] = GOOD
    load_dataset("cifar10", tmp_path, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert ARCHIVE in err


def test_a_damaged_file_is_not_replaced_but_a_deleted_one_comes_back(tmp_path, mirror):
    mirror.answers[f"/first/{ARCHIVE}"] = GOOD
    load_dataset("cifar10", tmp_path)
    path = tmp_path / "cifar10" / "data_batch_2.bin"
    path.write_bytes(b"damaged")
    assert f"{path}: truncated" in refusal(tmp_path)
    path.unlink()
    load_dataset("cifar10", tmp_path)
    assert mirror.asked == [f"/first/{ARCHIVE}"]


FIRST = f"{INNER}/{NAMES[0]}"
EVIL = bytes(SIZE)


def test_members_with_other_names_are_never_written(tmp_path):
    evil = ["../evil", f"{tmp_path}/evil", f"{INNER}/../../evil", f"{INNER}/evil", NAMES[0], f"./{FIRST}"]
    links = [member(f"{INNER}/link", type=tarfile.SYMTYPE, linkname="/"), member(f"{INNER}/link/evil", EVIL)]
    archive = packed([*(member(name, EVIL) for name in evil), *links, *good_members(), member(FIRST, EVIL)])
    home = tmp_path / "deep" / "deeper" / "home"
    path = tmp_path / ARCHIVE
    path.write_bytes(archive)
    unpack(described(archive), path, NAMES, home)
    assert files_under(tmp_path) == sorted([ARCHIVE, *(f"deep/deeper/home/{name}" for name in NAMES)])
    assert (home / NAMES[0]).read_bytes() == CONTENTS[NAMES[0]]


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / NAMES[0]).symlink_to(tmp_path / "mine")
    (tmp_path / ARCHIVE).write_bytes(GOOD)
    unpack(described(GOOD), tmp_path / ARCHIVE, NAMES, tmp_path)
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (tmp_path / NAMES[0]).is_symlink()


@pytest.mark.parametrize(
    "archive",
    [
        *(GOOD[:cut] for cut in (0, 9, 1000, len(GOOD) // 2, len(GOOD) - 8, len(GOOD) - 1)),
        *(GOOD[:place] + bytes([GOOD[place] ^ 1]) + GOOD[place + 1 :] for place in (0, 10, 5000, len(GOOD) - 1)),
        GOOD + b"\0",
        packed([member(FIRST, EVIL), *good_members()]),
        packed([member("../evil", EVIL), *good_members()]),
        gzip.compress(bytes(2**26)),
    ],
    ids=lambda archive: f"{len(archive)} bytes",
)
def test_nothing_of_another_archive_than_the_published_is_interpreted(tmp_path, monkeypatch, archive):
    (tmp_path / ARCHIVE).write_bytes(archive)
    monkeypatch.setattr(tarfile, "open", None)  # calling it is a TypeError
    with pytest.raises(DataError, match="altered: the SHA-256") as caught:
        unpack(described(GOOD), tmp_path / ARCHIVE, NAMES, tmp_path / "home")
    assert str(caught.value).startswith(f"{tmp_path / ARCHIVE}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_an_altered_file_is_refused_even_from_the_published_archive(tmp_path, monkeypatch):
    archive = packed([pair for pair in good_members() if pair[0].name != FIRST] + [member(FIRST, EVIL)])
    register(monkeypatch, archive)
    (tmp_path / ARCHIVE).write_bytes(archive)
    assert f"{tmp_path / 'cifar10' / NAMES[0]}: altered: the SHA-256" in refusal(tmp_path)


def test_a_folder_in_the_archives_place_is_refused_and_nothing_downloaded(tmp_path, mirror):
    (tmp_path / "cifar10" / ARCHIVE).mkdir(parents=True)
    assert f"{tmp_path / 'cifar10' / ARCHIVE}: is a folder" in refusal(tmp_path)
    assert mirror.asked == []


def test_unpacked_files_can_be_read_by_others(tmp_path):
    (tmp_path / ARCHIVE).write_bytes(GOOD)
    before = os.umask(0o022)
    try:
        unpack(described(GOOD), tmp_path / ARCHIVE, NAMES, tmp_path / "home")
    finally:
        os.umask(before)
    assert {(tmp_path / "home" / name).stat().st_mode & 0o777 for name in NAMES} == {0o644}


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount command")
def test_a_full_disk_is_one_line_and_leaves_no_half_file(tmp_path):
    (tmp_path / ARCHIVE).write_bytes(GOOD)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    try:
        with pytest.raises(DataError, match=r"cannot be unpacked into .*: No space left on device"):
            unpack(described(GOOD), tmp_path / ARCHIVE, NAMES, disk)
        left = {name: (disk / name).read_bytes() for name in files_under(disk)}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert left == {name: CONTENTS[name] for name in left}
