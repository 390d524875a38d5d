"""What rank 0 does for the others before and after it trains, and what they do instead of it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bdfa_np import __version__
from bdfa_np.errors import ConfigError, RunError, UserError
from bdfa_np.parallel.commands import END, STATE, Stage, tell
from bdfa_np.parallel.share import Team


@dataclass(frozen=True)
class Errand:
    """What the others need in order to train along.

    Attributes
    ----------
    config : Config
        The resolved options.
    files : mapping of str to Code
        The files of nets and rules that may be run.
    document : mapping or None
        What ``config.toml`` says of a run that goes on; None of a new one.
    """

    config: Any
    files: Mapping[str, Any]
    document: Mapping[str, Any] | None


@dataclass(frozen=True)
class Report:
    """How one process has made ready.

    Attributes
    ----------
    problem : str
        What is in its way; empty if it is ready.
    facts : mapping of str to object
        What must be the same in all processes, by what it is called in a message.
    """

    problem: str
    facts: Mapping[str, object]


def facts(checksums: Mapping[str, str]) -> dict[str, object]:
    """Return what must be the same in all processes, given the checksums of a process's data."""
    import numpy as np

    return {
        "data": dict(checksums),
        "bdfa-np": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "command line": sys.argv[1:],
    }


@contextmanager
def leading(team: Team | None) -> Iterator[None]:
    """Let the others of a team go at the end of this context, however it ends.

    Where that cannot be done, since they are in the middle of something, the team's stage stays what it is, and whoever
    ends the program has to `Team.abandon` them.
    """
    if team is not None:
        team.stage = Stage.WAITING
    try:
        yield
    finally:
        if team is not None:
            if team.stage is Stage.REPORTING:
                team.gather(Report("rank 0 has stopped", {}))
                team.stage = Stage.GONE
            elif team.stage is Stage.WAITING:
                tell(team, END)
                team.stage = Stage.GONE
                team.end_sums()


def send(team: Team, errand: Errand) -> None:
    """Have the others make ready for a run."""
    team.copy(errand)
    team.leads, team.stage = True, Stage.REPORTING


def agree(team: Team, checksums: Mapping[str, str]) -> None:
    """Hear how the others have made ready.

    Raises
    ------
    RunError
        If one of them cannot train along, or has other data, versions or options.
    """
    reports = team.gather(Report("", facts(checksums)))
    team.stage = Stage.GONE  # of those who are not ready all leave, unless nobody is
    problem = _problem(reports)
    if problem:
        raise RunError(problem)
    team.stage = Stage.WAITING


def _problem(reports: Sequence[Report]) -> str | None:
    """Say what keeps a team from training together, given what each process has told; None if nothing does."""
    expected = reports[0].facts
    for rank, told in enumerate(reports):
        if told.problem:
            return f"rank {rank} of {len(reports)} cannot train along: {told.problem}"
        for name, value in expected.items():
            if told.facts[name] != value:
                found = f": {_said(told.facts[name])}, where rank 0 has {_said(value)}" if name != "data" else ""
                return (
                    f"rank {rank} of {len(reports)} has another {name}{found}: start all processes alike, "
                    "with the same files"
                )
    return None


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def report(team: Team, problem: UserError | None, checksums: Mapping[str, str]) -> bool:
    """Tell how this process has made ready; return whether all have, and alike."""
    return _problem(team.gather(Report("" if problem is None else str(problem), facts(checksums)))) is None


def send_state(team: Team | None, state: Mapping[str, Any], progress: Any) -> None:
    """Give the others, if there are any, the state of a model, and where training stands."""
    if team is not None:
        tell(team, STATE, (state, progress))


def check_batches(team: Team, samples: int, batch_size: int, *, drop_last: bool, least: int = 1) -> None:
    """Refuse batches of which a process would have fewer samples than ``least``.

    Raises
    ------
    ConfigError
        If a batch is too small.
    """
    size, last, needed = min(samples, batch_size), samples % batch_size, least * team.size
    why = "" if least == 1 else f", each of which normalises by {least} samples or more"
    if size < needed:
        raise ConfigError(
            f"a batch of {size} cannot be cut over {team.size} processes{why}: take larger batches, or fewer processes"
        )
    if 0 < last < needed and not drop_last:
        raise ConfigError(
            f"the last batch of an epoch has {last} samples, which cannot be cut over {team.size} processes{why}: "
            "--const-batch-size leaves it out"
        )
