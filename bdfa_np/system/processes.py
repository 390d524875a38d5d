"""Processes, named so that another one can see whether they are there still."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process as others can look for it.

    Attributes
    ----------
    boot : str
        The machine's boot; empty where the system does not tell.
    namespace : str
        The namespace in which its number means something, for containers have their own; empty likewise.
    pid : int
        Its number there.
    started : str
        When it was started, in ticks since the boot: a number is given anew some day; empty likewise.
    """

    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> "Process":
        """Return the one that asks."""
        try:
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
            namespace = str((_PROC / "self/ns/pid").stat().st_ino)
            started = _state(os.getpid())[1]
        except OSError:
            return cls("", "", os.getpid(), "")
        return cls(boot, namespace, os.getpid(), started)

    def is_gone(self) -> bool:
        """Return whether it has ended; False where that cannot be known from here, as of another machine's."""
        here = Process.this()
        if not here.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return False
        try:
            state, started = _state(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return not _exists(self.pid)
        except OSError:
            return False
        return state in "ZX" or started != self.started


def _exists(pid: int) -> bool:
    """Return whether there is a process, also where those of other users are hidden (``hidepid``)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _state(pid: int) -> tuple[str, str]:
    """Return a process's state and when it was started; its name, in parentheses, may hold anything."""
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]
