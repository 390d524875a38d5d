"""No more threads than there are cores."""

from bdfa_np.options.config import Config
from bdfa_np.options.machine import usable_cores
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
    if config.threads <= cores:
        return config, []
    return config.replace(threads=cores), [
        f"--threads {config.threads} is more than the cores here: computing with {counted(cores, 'thread')}"
    ]
