"""Whether this process is one of several that train together, and how it leaves them."""

import time

from bdfa_np.parallel.commands import Stage
from bdfa_np.parallel.mpi import LEAD, MPITeam, launched
from bdfa_np.parallel.share import Team

_joined: list[Team] = []


def joined() -> Team | None:
    """Return the team of this process; None where ``mpirun`` has started it alone, or not at all.

    Raises
    ------
    ConfigError
        If there is no mpi4py to meet by.
    """
    if launched() < 2:
        return None
    _joined.append(MPITeam())
    return _joined[-1]


def leave(code: int) -> None:
    """End all processes where this one ends in the middle of what all do together; else nothing need be done."""
    for team in _joined:
        if team.stage is Stage.TOGETHER:
            if team.rank:
                time.sleep(LEAD)
            team.abandon(code)
