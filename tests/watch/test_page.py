"""A run as a page: what it shows, to whom, and how it ends."""

import json
import re
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from bdfa_np.cli.watching import page as pages
from bdfa_np.cli.watching import server as servers
from bdfa_np.cli.watching.page import Page
from bdfa_np.cli.watching.server import serve
from bdfa_np.errors import ConfigError
from bdfa_np.runs.listing.watching import Watch

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture(autouse=True)
def _pictures_that_are_quickly_drawn(monkeypatch):
    monkeypatch.setattr(pages, "_drawn", lambda kind, _subjects, _size, **_options: SVG + kind.encode())


def get(address, host=None):
    """Return a reply's code, its headers and its text."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def seen(a_run, measured):
    a_run.begin()
    a_run.do(2)
    return replace(Watch(a_run.path).look(), diagnostics=measured())


def test_a_page_tells_in_words_what_its_pictures_show(seen):
    elements = Elements(Page(seen, 0).html())
    errors, angles = [image["alt"] for image in elements.all("img")]
    first, last = seen.history
    assert f"the training error goes from {first.train_error:.2%} to {last.train_error:.2%}" in errors
    assert f"the test error from {first.test_error:.2%} to {last.test_error:.2%}" in errors
    assert "linear1 from 80° to 50°; linear2 from 79° to 49°" in angles
    assert [one["scope"] for one in elements.all("th")] == ["col"] * 3 + ["row"] * 3
    assert elements.all("html") == [{"lang": "en"}]
    assert {"id": "standing", "role": "status"} in elements.all("p")


def test_a_page_needs_nothing_from_elsewhere(seen):
    text = Page(seen, 0).html()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(address.startswith("data:") for address in addresses)
    assert "http://" not in re.sub(r'"data:[^"]*"', "", text)


def test_names_are_text_and_no_markup(seen):
    sight = replace(seen, path=seen.path.with_name('<img src=x onerror="alert(1)">&'))
    elements = Elements(Page(sight, 0).html())
    assert not [image for image in elements.all("img") if "onerror" in image]
    assert "onerror" in json.loads(Page(sight, 0).state(""))["title"]  # which the page shows as text


def test_a_page_before_the_first_epoch_says_what_is_to_come(a_run):
    a_run.begin()
    text = Page(Watch(a_run.path).look(), 0).html()
    assert "being prepared: its data are read" in text
    assert "Errors are there after the first epoch." in text


def test_an_open_page_hears_only_of_news(seen):
    page = Page(seen, 3)
    assert json.loads(page.state("3")) == {"version": 3, "over": False}
    news = json.loads(page.state("2"))
    assert news["standing"].startswith("epoch 3 of 3")
    assert set(news) == {"version", "over", "title", "standing", "seen"}


@contextmanager
def served(seen):
    import threading

    with servers.PageServer(Page(seen, 0), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_page_is_for_this_machine_alone(seen):
    with served(seen) as server:
        assert server.server_address[0] == "127.0.0.1"
        port = server.server_port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
            assert get(server.address, host)[0] == 200
        for host in ("evil.example", f"127.0.0.1.evil.example:{port}", ":", "[::1"):
            assert get(server.address, host)[0] == 403
            assert "dfa" not in get(server.address, host)[2]


@pytest.mark.parametrize("path", ["config.toml", "../../etc/passwd", "%2e%2e/config.toml", "state/", "."])
def test_no_file_is_served(seen, path):
    with served(seen) as server:
        assert get(server.address + path)[0] == 404


def test_a_page_may_fetch_nothing_but_itself(seen):
    with served(seen) as server:
        _, headers, _ = get(server.address)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("since", ["", "x", "-1", "²", "9" * 5000])
def test_whatever_an_open_page_has_seen_it_gets_an_answer(seen, since):
    with served(seen) as server:
        code, _, text = get(f"{server.address}state?since={urllib.request.quote(since)}")
        assert (code, json.loads(text)["version"]) == (200, 0)


def test_a_page_goes_on_with_the_run_and_ends_once_it_has_shown_its_end(a_run):
    said, versions = [], []

    def state():
        address = re.search(r"http://127\.0\.0\.1:\d+/", said[0])[0]
        _, _, text = get(f"{address}state?since=-1")
        versions.append(json.loads(text))

    actions = [lambda: None, state, lambda: a_run.do(1), state, a_run.finish, lambda: None, state, lambda: None]

    def wait(seconds):
        assert seconds > 0
        if actions:  # the server may know of its last answer only a look after the page has it
            actions.pop(0)()

    a_run.begin()
    serve(Watch(a_run.path), said.append, wait=wait)
    assert not actions
    assert [one["over"] for one in versions] == [False, False, True]
    assert [one["standing"].partition(":")[0].partition(",")[0] for one in versions] == [
        "being prepared",
        "epoch 2 of 3",
        "finished",
    ]
    assert versions[0]["version"] < versions[1]["version"] < versions[2]["version"]
    assert said[-1] == "the run is over; an open page stays as it is"


def test_ctrl_c_ends_the_page_and_says_that_the_run_goes_on(a_run):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    a_run.begin()
    said = []
    with pytest.raises(KeyboardInterrupt, match=r"^the page is served no longer; the run goes on$"):
        serve(Watch(a_run.path), said.append, wait=interrupt)
    port = urlsplit(re.search(r"http://\S+", said[0])[0]).port
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)


def test_a_port_that_is_taken_is_said(seen, a_run):
    with served(seen) as server, pytest.raises(ConfigError, match=rf"^--port {server.server_port} cannot be used \("):
        serve(Watch(a_run.path), print, port=server.server_port)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--page --once", "--page and --once exclude each other"),
        ("--port 8000", "--port is for the page: add --page"),
        ("--no-browser", "--no-browser is for the page: add --page"),
        ("--page --port 0", "'--port'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(bdfa, finished, options, said):
    assert said in bdfa.refused("watch", finished, *options.split())


@pytest.mark.slow
def test_a_picture_of_the_page_is_an_svg(seen, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(seen.path.parents[1])
    elements = Elements(Page(replace(seen, diagnostics=None), 0).html())
    image, narrow = elements.all("img")[0], elements.all("source")[0]
    assert image["src"].startswith("data:image/svg+xml;base64,PD94bWwg")  # <?xml
    assert (image["width"], image["height"]) == ("480", "288")
    assert narrow["srcset"].startswith("data:image/svg+xml;base64,PD94bWwg")
    assert (narrow["width"], narrow["height"], narrow["media"]) == ("336", "269", "(max-width: 32rem)")
