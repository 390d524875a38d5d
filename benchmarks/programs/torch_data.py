"""A job's parameters and batches as PyTorch's tensors."""

import numpy as np
import torch
from measure.jobs import NUM_CLASSES, Job, make_batches
from torch import Tensor


def tensors(arrays: dict[str, np.ndarray], device: str) -> dict[str, Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def tensor_batches(job: Job) -> list[tuple[Tensor, Tensor]]:
    """Return the batches of a job as (x, t), with t one-hot: what a loader would hand over, made in advance."""
    batches = []
    for x, labels in make_batches(job):
        t = torch.nn.functional.one_hot(torch.from_numpy(labels), NUM_CLASSES).to(getattr(torch, job.precision))
        batches.append((torch.from_numpy(x).to(job.device), t.to(job.device)))
    return batches
