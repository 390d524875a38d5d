"""How long the processes of a team wait for one another."""

import os

from bdfa_np.errors import ConfigError

PATIENCE = "BDFA_PATIENCE"
"""The environment variable that says after how many seconds one who does not answer is taken for dead."""
SECONDS = 120.0
"""Unless that says otherwise."""


def patience() -> float:
    """Return after how many seconds one who does not answer is taken for dead.

    Raises
    ------
    ConfigError
        If `PATIENCE` is no number of seconds.
    """
    said = os.environ.get(PATIENCE, "")
    try:
        seconds = float(said or SECONDS)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"{PATIENCE}={said!r} is no number of seconds above 0")
    return seconds
