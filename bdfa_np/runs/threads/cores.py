"""No more threads than there are cores."""

from bdfa_np.options.config import Config
from bdfa_np.options.machine import AUTO, usable_cores
from bdfa_np.system.text import counted


def within_cores(config: Config) -> tuple[Config, list[str]]:
    """Return a configuration with no more threads than cores, and a note where it had more.

    Threads of BLAS that wait for a core keep it from those that compute: eight of them on two cores take many times
    the processor time, and longer.

    Parameters
    ----------
    config : Config
        The resolved options, of this machine or, in a run that goes on, of another one.
    """
    cores = usable_cores()
    if config.threads == AUTO or config.threads <= cores:
        return config, []
    return config.replace(threads=cores), [
        f"--threads {config.threads} is more than the cores here: computing with {counted(cores, 'thread')}"
    ]


def without_training(config: Config) -> int:
    """Return how many threads prepare data, where no training says which number is the faster: one a core."""
    return usable_cores() if config.threads == AUTO else config.threads


def in_use(config: Config, given: int | str | None) -> int:
    """Return how many threads use a trained net: as given, else as many as trained it, as far as there are cores."""
    if given is not None and given != AUTO:
        return int(given)
    return min(without_training(config), usable_cores())
