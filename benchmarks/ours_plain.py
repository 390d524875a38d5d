"""Our program as it is installed without the extra ``fast``: no loop is compiled."""

import ours
from jobs import Job, Program

from bdfa_np.backend import numpy_compiling


def make(job: Job) -> Program:
    """Make the program of a job, in a process that makes no other kind."""
    numpy_compiling.can_compile = lambda: False
    return ours.make(job)
