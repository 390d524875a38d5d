"""Both nets in PyTorch as fast as we can write them, by operations that it has inside and does not document."""

from measure.jobs import Job, Program
from programs import torch_conv, torch_mlp


def make(job: Job) -> Program:
    """Make the program of a job."""
    module = torch_mlp if job.network == "mlp" else torch_conv
    return module.make(job, private=True)
