"""A server on this machine whose answers a test decides, and a small data set that it serves."""

import dataclasses
import gzip
import hashlib
import http.server
import struct
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bdfa_np.data.sources import registry

Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


class Server(http.server.ThreadingHTTPServer):
    """A server whose answer to each path a test decides."""

    daemon_threads = True

    def __init__(self) -> None:
        server = self
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

        class Asked(Handler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.answers.get(self.path, lambda handler: handler.send_error(404))(self)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Asked)
        self.place = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that has had enough."""


def sends(body: bytes) -> Answer:
    """Return an answer of these bytes."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small MNIST in the registry, with sizes and without sums of its contents; its files by their addresses."""
    entry = registry.ENTRIES["mnist"]
    files, bodies = [], {}
    for position, file in enumerate(entry.publications[0].files):
        count = (30, 10)[position // 2]
        values = (
            np.arange(count) % 10 if position % 2 else np.random.default_rng(position).integers(0, 256, (count, 28, 28))
        )
        content = _idx(values.astype(np.uint8))
        packed = gzip.compress(content, mtime=0)
        path = f"/{file.name}.gz"
        bodies[path] = packed
        files.append(
            dataclasses.replace(
                file,
                sha256_content=None,
                sha256_archive=hashlib.sha256(packed).hexdigest(),
                urls=(server.place + path,),
                size_content=len(content),
                size_archive=len(packed),
            )
        )
        server.answers[path] = sends(packed)
    publication = dataclasses.replace(entry.publications[0], files=tuple(files))
    small = dataclasses.replace(entry, train_images=30, test_images=10, publications=(publication,))
    monkeypatch.setitem(registry.ENTRIES, "mnist", small)
    return bodies
