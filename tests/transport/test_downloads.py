"""What is fetched is what was published, no more of it than that, and nothing is left where it is not."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.readers import reading
from bdfa_np.data.sources import transfer
from bdfa_np.data.sources.catalogue import CATALOGUE
from bdfa_np.data.sources.find import find_source
from bdfa_np.data.sources.kinds import Archive, ArchivedFile
from bdfa_np.errors import DataError
from tests.transport.conftest import Handler, sends

IMAGES = "/train-images-idx3-ubyte.gz"


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def downloads() -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for entry in CATALOGUE:
        for publication in entry.publications:
            remote = [publication.archive] if publication.archive is not None else publication.files
            found += [(f"{entry.name} {file.name}", file.urls) for file in remote]
    return found


@pytest.mark.parametrize(("name", "urls"), downloads())
def test_every_file_is_asked_for_by_https_first_and_without_it_last(name, urls):
    schemes = [url.split("://")[0] for url in urls]
    assert schemes[0] == "https", name
    assert schemes == sorted(schemes, reverse=True), name
    assert set(schemes) <= {"https", "http"}


def test_every_file_has_a_sum_and_a_bound():
    for entry in CATALOGUE:
        for publication in entry.publications:
            for file in publication.wanted():
                if isinstance(file, ArchivedFile):
                    assert file.size > 0
                    assert len(publication.archive.sha256) == 64
                    assert publication.archive.size > 0
                elif publication.bundled is None:
                    assert len(file.sha256_archive) == 64
                    assert file.size_archive or file.size_content


def test_what_is_fetched_is_read_and_fetched_once(tmp_path, server, published):
    assert len(load_dataset("mnist", tmp_path).train_labels) == 30
    load_dataset("mnist", tmp_path)
    assert server.asked == list(published)


def chunked(handler: Handler) -> None:
    """Send for ever, without saying how much."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    piece = bytes(2**16)
    while True:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


def until_it_is_cut_off(handler: Handler) -> None:
    """Send for ever, with the end of the connection as the end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(2**16))


def too_large(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()


def stops_early(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(bytes(10))


def to(where: str) -> object:
    def answer(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.end_headers()

    return answer


ANSWERS = {
    "for ever in pieces": (chunked, "sends more than"),
    "for ever": (until_it_is_cut_off, "sends more than"),
    "a terabyte promised": (too_large, "offers 1,000,000,000,000 bytes"),
    "a byte more": (lambda handler: sends(handler.server.body + b"\0")(handler), "offers "),
    "too few bytes": (sends(b"short"), "offers 5 bytes"),
    "other bytes": (lambda handler: sends(bytes(len(handler.server.body)))(handler), "other content, by its SHA-256"),
    "an end too soon": (stops_early, "offers 1,000 bytes"),
    "a circle": (to(IMAGES), "TooManyRedirects"),
    "a file of this machine": (to("file:///etc/passwd"), "InvalidSchema"),
    "nothing": (lambda handler: handler.send_error(404), "HTTP status 404"),
    "silence": (lambda _: None, "no connection"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_whatever_a_server_sends_is_one_line_and_leaves_nothing(tmp_path, server, published, what):
    answer, reason = ANSWERS[what]
    server.body = published[IMAGES]
    server.answers[IMAGES] = answer
    assert reason in refusal(tmp_path)
    assert tree(tmp_path) == []


def test_a_file_whose_size_is_not_known_is_bounded_by_its_content(tmp_path, server):
    server.answers["/file"] = until_it_is_cut_off
    with pytest.raises(transfer.DownloadError, match="more than the 2,025 bytes"):
        transfer.download("file", "0" * 64, (f"{server.place}/file",), tmp_path, progress=False, unpacked=1000)
    assert tree(tmp_path) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for this machine, with its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    both = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    both.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return both


@pytest.mark.parametrize("onward", ["http", "https"])
def test_a_redirect_from_https_is_followed_to_https_alone(tmp_path, server, monkeypatch, certificate, onward):
    import hashlib
    import ssl

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    place = server.place.replace("http:", "https:")
    server.answers["/file"] = to(f"{place.replace('https:', onward + ':')}/there")
    server.answers["/there"] = sends(b"content")
    arguments = "file", hashlib.sha256(b"content").hexdigest(), (f"{place}/file",), tmp_path, False
    if onward == "https":
        assert transfer.download(*arguments).read_bytes() == b"content"
        return
    with pytest.raises(transfer.DownloadError, match="leads from https to http, which anybody may alter"):
        transfer.download(*arguments)
    assert server.asked == ["/file"]
    assert tree(tmp_path) == []


def test_a_certificate_that_nobody_vouches_for_is_said(tmp_path, server, certificate):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"{server.place.replace('http:', 'https:')}/file"
    with pytest.raises(transfer.DownloadError, match="its certificate is not to be trusted"):
        transfer.download("file", "0" * 64, (url,), tmp_path, progress=False)


@pytest.mark.usefixtures("published")
def test_a_failed_download_removes_the_folders_that_were_made_for_it_alone(tmp_path, server, monkeypatch):
    server.answers.clear()
    shared = tmp_path / "shared"
    shared.mkdir()
    refusal(shared)
    assert tree(tmp_path) == ["shared"]
    (shared / "mnist").mkdir()
    refusal(shared)
    assert tree(tmp_path) == ["shared", "shared/mnist"]
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path / "new" / "data"))
    with pytest.raises(DataError):
        load_dataset("mnist")
    assert tree(tmp_path) == ["shared", "shared/mnist"]


def test_what_came_before_a_failure_stays_and_is_not_asked_for_again(tmp_path, server, published):
    del server.answers[list(published)[2]]
    refusal(tmp_path)
    assert len(tree(tmp_path)) == 3
    server.answers[list(published)[2]] = sends(published[list(published)[2]])
    load_dataset("mnist", tmp_path)
    assert server.asked == [*list(published)[:3], *list(published)[2:]]


@pytest.mark.parametrize("succeeds", [True, False])
def test_two_at_once_fetch_each_file_once_or_leave_nothing(tmp_path, server, published, succeeds):
    if not succeeds:
        server.answers.clear()
    ends: list[object] = []

    def load() -> None:
        try:
            ends.append(len(load_dataset("mnist", tmp_path).train_labels))
        except DataError as error:
            ends.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 4
    if succeeds:
        assert ends == [30] * 4
        assert server.asked == list(published)
    else:
        assert all("HTTP status 404" in str(end) for end in ends)
        assert tree(tmp_path) in ([], ["mnist"])  # the second where one began while another tidied up


@pytest.mark.usefixtures("published")
def test_links_and_what_only_looks_like_ours_are_left_alone(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    home = tmp_path / "mnist"
    home.mkdir()
    (home / ".fetching-abcdefgh").symlink_to(tmp_path / "precious")
    (home / ".fetching-notes-of-mine").mkdir()
    (home / ".fetching-12345678").write_text("a file of mine")
    (home / ".fetching-00000000").mkdir()
    load_dataset("mnist", tmp_path)
    assert (tmp_path / "precious" / "file").read_text() == "mine"
    assert (home / ".fetching-12345678").read_text() == "a file of mine"
    assert (home / ".fetching-notes-of-mine").is_dir()
    assert not (home / ".fetching-00000000").exists()


@pytest.mark.parametrize("name", ["mnist/train-images-idx3-ubyte", "mnist/.fetching.lock", "mnist"])
def test_a_dangling_link_is_neither_followed_nor_replaced(tmp_path, server, published, name):
    assert published
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path / "away")
    before = tree(tmp_path)
    assert str(tmp_path / "mnist") in refusal(tmp_path)
    assert tree(tmp_path) == before
    assert server.asked == []


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_of_another_size_is_refused_before_a_byte_of_it_is_hashed(tmp_path, published, monkeypatch, packed):
    for path, body in published.items():
        (tmp_path / path[1:]).write_bytes(body)
    image = tmp_path / IMAGES[1:]
    if packed:
        image.write_bytes(published[IMAGES])
    else:
        image.unlink()
        image = image.with_suffix("")
    with image.open("ab") as file:
        file.truncate(10**11)  # a hole, which takes no room
    monkeypatch.setattr(reading, "read_up_to", None)
    with pytest.raises(DataError, match=r"it has 100,000,000,000 bytes, and the published file has [\d,]+: delete it"):
        find_source("mnist", datapath=tmp_path).checksums()


def test_an_archive_of_another_size_is_not_hashed(tmp_path, monkeypatch):
    from bdfa_np.data.sources import archives

    archive = Archive("a.zip", "0" * 64, (), "a", (), 1000)
    with (tmp_path / "a.zip").open("wb") as file:
        file.truncate(10**11)
    monkeypatch.setattr(archives, "hashlib", None)
    with pytest.raises(DataError, match="100,000,000,000 bytes"):
        archives.unpack(archive, tmp_path / "a.zip", [], tmp_path / "home")
    assert os.listdir(tmp_path) == ["a.zip"]


def test_a_content_that_goes_on_is_hashed_no_further_than_it_should_go(tmp_path):
    import gzip

    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DataError, match="its content is 1,000 bytes and more follow"):
        reading.content_sha256(tmp_path / "bomb.gz", 1000)
