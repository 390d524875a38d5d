"""The connection to a Dask scheduler, silent but for one line where it cannot be had."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bdfa_np.errors import UserError, plain_line

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""
CLOSE_SECONDS = 3.0


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator[Any]:
    """Be a client of a scheduler meanwhile.

    Parameters
    ----------
    scheduler : str
        An address as ``tcp://10.0.0.1:8786``, or a scheduler file.

    Yields
    ------
    distributed.Client

    Raises
    ------
    UserError
        If there is none that answers.
    """
    from distributed import Client

    where: dict[str, Any] = {"address": scheduler}
    if "://" not in scheduler and not _is_host_and_port(scheduler):
        if not Path(scheduler).is_file():
            raise UserError(
                f"--scheduler {scheduler}: there is no such file: name the address of a Dask scheduler, as "
                "tcp://HOST:8786, or the file that it was started with (dask scheduler --scheduler-file FILE)"
            )
        where = {"address": _address_in(Path(scheduler))}
    with _silent():
        try:
            untyped: Any = Client
            client: Any = untyped(**where, timeout=CONNECT_SECONDS, set_as_default=False, name="bdfa")
        except Exception as error:  # from a name that is none to a file that is no JSON: Dask tells them in many ways
            raise UserError(_refusal(scheduler, error)) from error
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.close(CLOSE_SECONDS)


def _address_in(file: Path) -> str:
    """Return the address in a scheduler file, of which Dask itself asks nothing before it connects."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        if isinstance(address, str):
            return address
    raise UserError(
        f"--scheduler {file} is no scheduler file: name the one that was written by dask scheduler --scheduler-file"
    )


def _is_host_and_port(scheduler: str) -> bool:
    host, _, port = scheduler.rpartition(":")
    return bool(host) and port.isdecimal() and "/" not in host


def _refusal(scheduler: str, error: Exception) -> str:
    reason = f"it does not answer within {CONNECT_SECONDS:.0f} seconds"
    if not isinstance(error, OSError):
        reason = plain_line(" ".join(f"{type(error).__name__}: {error}".split()))
    return f"--scheduler {scheduler} cannot be used: {reason}: is it running, and can it be reached from here?"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what Dask logs and warns of from the terminal: what matters of it is told as ours."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "asyncio")]
    loggers = [logging.getLogger(name) for name in ("distributed", "asyncio", *names)]
    before = [(logger, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in before:
            logger.disabled = disabled
