"""Standard input, output and error, whatever has become of them: closed, full, without a reader, not to be waited for.

What a command prints is rarely all that it does. A closed stream is one that nobody wants, and is as ``/dev/null``.
What cannot be written to standard output is told once, as `ReaderGone` or `OutputError`; standard error has no other
place to complain in, and is left at that.
"""

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO

from bdfa_np.errors import OutputError

NOBODY_READS = (errno.EPIPE, errno.ESHUTDOWN)


class ReaderGone(BaseException):
    """Whoever read standard output has gone away, as ``head`` does; like an interrupt no error, so no `Exception`."""


class GuardedOutput(io.RawIOBase):
    """A stream's raw file, of which a failure is told once; whatever is written after that goes nowhere.

    Parameters
    ----------
    raw : io.RawIOBase
        The file.
    needed : bool
        Whether a failure is told at all.
    """

    def __init__(self, raw: Any, *, needed: bool) -> None:
        self._raw = raw
        self._needed = needed
        self.lost = False

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the file's number."""
        number: int = self._raw.fileno()
        return number

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        answer: bool = self._raw.isatty()
        return answer

    def write(self, data: Any) -> int:
        """Write what there is room for, and return how much that was.

        Raises
        ------
        ReaderGone
            If nobody reads any longer.
        OutputError
            If it cannot be written for another reason, such as a full disk.
        """
        try:
            while not self.lost:
                written: int | None = self._raw.write(data)
                if written is not None:
                    return written
                self._wait()
        except OSError as error:
            self.lost = True
            if not self._needed:
                return len(data)
            if error.errno in NOBODY_READS or (os.name == "nt" and error.errno == errno.EINVAL):  # a pipe of Windows
                raise ReaderGone from None
            raise OutputError(f"standard output cannot be written ({error.strerror or error})") from error
        return len(data)

    def _wait(self) -> None:
        """Wait until there is room: another program has made a stream that we share one that does not wait."""
        import select

        select.select([], [self._raw], [])


def guard_streams() -> None:
    """Make the process's streams such that whoever prints need not ask whether anybody is there.

    It is called before any file is opened: a file would get the number of a closed stream, and with it what is printed
    by libraries that know nothing but the number.
    """
    for number in (0, 1, 2):
        _reserve(number)
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    sys.stdout = _guarded(sys.stdout, needed=True)
    sys.stderr = _guarded(sys.stderr, needed=False)


def _reserve(number: int) -> None:
    """Open the null device as a file of this number, where none is open; all lower numbers are taken."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.set_inheritable(opened, True)


def _guarded(stream: TextIO | None, *, needed: bool) -> TextIO:
    if stream is None:
        return _nowhere("w")
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # somebody's own, as a notebook's
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return io.TextIOWrapper(
        io.BufferedWriter(GuardedOutput(raw, needed=needed)),
        encoding=stream.encoding,
        errors="backslashreplace",  # what a terminal's encoding lacks is shown as an escape; it must not end a run
        line_buffering=stream.line_buffering or stream.write_through,
    )


def _nowhere(mode: str) -> TextIO:
    """Open the null device for as long as the process lives, at whose end nobody closes it."""
    number = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
    null: Any = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    stream: TextIO = null
    return stream


# For Python, where the streams are the caller's and stay as they are.


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether there is a stream, it is open, and somebody looks at it."""
    return stream is not None and not getattr(stream, "closed", False) and stream.isatty()


class Forgiving:
    """Standard error for whom it does not matter whether what is written gets there.

    Parameters
    ----------
    stream : file
        The stream, which answers for all but writing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if that can be done."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, likewise."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def standard_error() -> Any:
    """Return a standard error that never fails; where there is none, as in ``pythonw``, a text that nobody reads."""
    return io.StringIO() if sys.stderr is None else Forgiving(sys.stderr)
