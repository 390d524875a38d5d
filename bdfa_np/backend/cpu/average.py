"""Average pooling on the CPU: a few images at a time, so that all passes over them find them in cache.

A compiled loop takes four fifths of the time, which is too little to have both.
"""

from itertools import product

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.convolution import Workspace, image_blocks, strided_part
from bdfa_np.backend.cpu.pool import BLOCK_BYTES
from bdfa_np.backend.cpu.threads import shares, work


def average_pool(x: Array, size: int, stride: int, out: Array, workspace: Workspace) -> Array:
    """See `Backend.average_pool`."""
    _, Ho, Wo, C = out.shape
    height, width = stride * (Ho - 1) + 1, stride * (Wo - 1) + size
    share_of_one = x.dtype.type(1 / size**2)

    def task(number: int, share: slice) -> None:
        for block in image_blocks(share, x[0].nbytes, BLOCK_BYTES):
            few, mean = x[block], out[block]
            columns = workspace(f"average_columns_{number}", (len(few), Ho, width, C))
            np.copyto(columns, few[:, :height:stride, :width])
            for i in range(1, size):
                np.add(columns, few[:, i : i + height : stride, :width], out=columns)
            np.copyto(mean, columns[:, :, : width - size + 1 : stride])
            for j in range(1, size):
                np.add(mean, columns[:, :, j : width - size + 1 + j : stride], out=mean)
            mean *= share_of_one

    work(task, shares(len(x)))
    return out


def average_pool_gradient(grad_y: Array, size: int, stride: int, out: Array, workspace: Workspace) -> Array:
    """See `Backend.average_pool_gradient`."""
    _, Ho, Wo, _ = grad_y.shape
    share_of_one = out.dtype.type(1 / size**2)

    def task(number: int, share: slice) -> None:
        for block in image_blocks(share, out[0].nbytes, BLOCK_BYTES):
            few = out[block]
            grad = workspace(f"average_shares_{number}", grad_y[block].shape)
            np.multiply(grad_y[block], share_of_one, out=grad)
            if size < stride:
                few.fill(0)  # some entries lie between the windows
            else:
                few[:, stride * Ho :] = 0
                few[:, :, stride * Wo :] = 0
            for i, j in product(range(size), repeat=2):
                part = strided_part(few, i, j, stride, grad.shape)
                if i < stride and j < stride:  # no window before has written there
                    np.copyto(part, grad)
                else:
                    np.add(part, grad, out=part)

    work(task, shares(len(out)))
    return out
