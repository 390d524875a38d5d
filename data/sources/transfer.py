"""Fetching one file: from the first mirror that has it, no more of it than was promised, and whole or not at all."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests import exceptions

from bdfa_np.data.sources.archives import TEMPORARY_PREFIX
from bdfa_np.data.sources.kinds import DownloadError

if TYPE_CHECKING:
    from bdfa_np.data.sources.download_bar import DownloadBar

# Seconds to wait for a connection, and for the next bytes.
_TIMEOUT = (10, 60)
# Larger than HTTP's pieces, which would flush the file ten thousand times for MNIST.
_BYTES_PER_WRITE = 2**16
# What gzip adds, at most, to a content that it cannot make smaller: less than this and a thousandth of it.
_GZIP_OVERHEAD = 2**10
_LARGEST = 2**33
"""What a file may take whose size nobody has published: 8 GiB, more than any data set of the catalogue."""


class _RefusedError(exceptions.RequestException):
    """Why a mirror's answer is not taken, in a few words."""


class _Session(requests.Session):
    """A session that is led from https to https alone."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where an answer leads on to, or None."""
        target = super().get_redirect_target(resp)
        if target is not None and urlsplit(resp.url).scheme == "https":
            onward = urlsplit(urljoin(resp.url, target))
            if onward.scheme != "https":
                raise _RefusedError(f"leads from https to {onward.scheme}, which anybody may alter")
        return target


def download(
    name: str,
    sha256: str,
    urls: tuple[str, ...],
    folder: Path,
    progress: bool,
    *,
    size: int | None = None,
    unpacked: int | None = None,
) -> Path:
    """Fetch one file: in a temporary folder, moved once its sum is right.

    Parameters
    ----------
    name : str
        What it is called.
    sha256 : str
        SHA-256 of the published file.
    urls : tuple of str
        Its addresses, tried in this order.
    folder : pathlib.Path
        Where it goes.
    progress : bool
        Whether to draw a progress bar on standard error.
    size : int, optional
        Its size in bytes, where that is known; a mirror that promises or sends another is left.
    unpacked : int, optional
        The size of what it holds, by which a gzipped file's own is bounded.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DownloadError
        If no mirror has it, or the folder cannot be written.
    """
    import pooch

    largest = size or (unpacked + unpacked // 1000 + _GZIP_OVERHEAD if unpacked else _LARGEST)
    reasons = []
    for url in urls:
        try:
            with _progress_bar(name, progress) as bar, _quiet(pooch.get_logger()):

                def fetch(url: str, place: str, _pooch: Any, bar: "DownloadBar | None" = bar) -> None:
                    _fetch(url, Path(place), size, largest, bar)

                with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX) as temporary:
                    path = Path(pooch.retrieve(url, f"sha256:{sha256}", name, temporary, downloader=fetch))
                    # A temporary file is for its owner's eyes; a data folder may be shared.
                    path.chmod(0o644)
                    return path.replace(folder / name)
        except exceptions.RequestException as error:
            # Before OSError, of which it is a kind.
            reasons.append(f"{url.split('/')[2]}: {_in_short(error)}")
        except OSError as error:
            raise DownloadError(f"cannot write to {folder}: {error.strerror or error}") from error
        except ValueError:
            reasons.append(f"{url.split('/')[2]}: other content, by its SHA-256")
    raise DownloadError("; ".join(reasons))


def _fetch(url: str, place: Path, size: int | None, largest: int, bar: "DownloadBar | None") -> None:
    """Write what a mirror sends to a file, and break off once it is too much."""
    # As it lies there: a server that compresses it once more would send another size.
    headers = {"Accept-Encoding": "identity"}
    with _Session() as session, session.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as answer:
        answer.raise_for_status()
        length = answer.headers.get("Content-Length", "")
        promised = int(length) if length.isdecimal() else None
        if promised is not None and (promised > largest or size not in (None, promised)):
            raise _RefusedError(f"offers {promised:,} bytes, and the published file has {size or largest:,} at most")
        total = size or promised
        if bar is not None and total:
            bar.total = total
        received = 0
        with place.open("wb") as file:
            for chunk in answer.iter_content(_BYTES_PER_WRITE):
                received += len(chunk)
                if received > largest:
                    raise _RefusedError(f"sends more than the {largest:,} bytes that it may")
                file.write(chunk)
                if bar is not None:
                    bar.update(len(chunk))


# The first kind that an error is of, since some are kinds of others.
_IN_SHORT: dict[type[Exception], str] = {
    exceptions.Timeout: "no answer in time",
    exceptions.SSLError: "its certificate is not to be trusted",
    exceptions.ConnectionError: "no connection",
    exceptions.ChunkedEncodingError: "the connection broke",
}


def _in_short(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return next((text for kind, text in _IN_SHORT.items() if isinstance(error, kind)), type(error).__name__)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _progress_bar(title: str, progress: bool) -> AbstractContextManager["DownloadBar | None"]:
    if not progress:
        return nullcontext()
    from bdfa_np.data.sources.download_bar import DownloadBar

    return DownloadBar(title)
