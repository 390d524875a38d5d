"""The page of a run, served to this machine alone."""

from __future__ import annotations

import socketserver
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bdfa_np.cli.watching.page import REFRESH_SECONDS, Page
from bdfa_np.errors import ConfigError
from bdfa_np.runs.listing.watching import Watch

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""What a browser may call this machine: a page of somebody else's, whose name leads here, is told nothing."""
POLL_SECONDS = 0.5
LINGER_SECONDS = 2.0 * REFRESH_SECONDS
"""For how long pages may still ask after one of them has heard that the run is over."""
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Answers with the page and with what is new on it, and with nothing else.

    Parameters
    ----------
    page : Page
        What is shown at first.
    port : int
        Where; 0 for a free one.

    Attributes
    ----------
    page : Page
        What is shown now.
    heard_of_the_end : threading.Event
        Set once a page has been told that the run is over.
    """

    daemon_threads = True

    def __init__(self, page: Page, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.page = page
        self.heard_of_the_end = threading.Event()

    def server_bind(self) -> None:
        """Take the port; the machine's full name, which its base class looks for, may have to be waited for."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has closed the page meanwhile."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """What a browser is to open."""
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "bdfa"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        asked = urlsplit(self.path)
        if self.headers.get("Host", "").partition(":")[0] not in NAMES:
            self._answer(403, "text/plain", "this page is for this machine alone\n")
        elif asked.path == "/":
            self._answer(200, "text/html", self.server.page.html())
        elif asked.path == "/state":
            page = self.server.page
            self._answer(200, "application/json", page.state(parse_qs(asked.query).get("since", [""])[0]))
            if page.is_over:
                self.server.heard_of_the_end.set()
        else:
            self._answer(404, "text/plain", "there is nothing but /\n")

    do_HEAD = do_GET

    def _answer(self, code: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(code)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        for name, value in _SECURITY.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
        """Say nothing."""


def serve(
    watch: Watch,
    say: Callable[[str], None],
    *,
    port: int = 0,
    browser: bool = False,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Serve the page of a run until it is over and an open page has heard of it.

    Parameters
    ----------
    watch : Watch
        The run.
    say : callable
        Called with lines for the user.
    port : int, default 0
        Where; 0 for a free one.
    browser : bool, default False
        Whether to open the page, where there is a browser.
    wait : callable
        What waits for so many seconds.

    Raises
    ------
    ConfigError
        If the port cannot be had.
    RunError
        If there is no run, or a file of it is damaged.
    """
    sight = watch.look()
    try:
        server = PageServer(Page(sight, 0), port)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--port {port} cannot be used ({reason}): name another one, or leave it out") from error
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            say(f"{sight.path} is shown at {server.address} as it goes on; Ctrl-C ends that, and leaves the run alone")
            if browser:
                webbrowser.open(server.address)
            while not (server.page.is_over and server.heard_of_the_end.is_set()):
                wait(POLL_SECONDS)
                seen, sight = sight, watch.look()
                if sight.is_news_after(seen):
                    server.page = Page(sight, server.page.version + 1)
            wait(LINGER_SECONDS)
            say("the run is over; an open page stays as it is")
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the page is served no longer; the run goes on") from None
        finally:
            server.shutdown()
