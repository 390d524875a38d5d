"""Max pooling on the CPU: a few images at a time so that all passes over them find them in cache, or compiled."""

from itertools import product
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.compiling import compile_loop, worth_compiling
from bdfa_np.backend.cpu.convolution import Workspace, image_blocks, strided_part
from bdfa_np.backend.cpu.threads import shares, work

BLOCK_BYTES = 2**20
"""How much of the input is worked on at a time: about what a core's second-level cache holds."""


def max_pool(x: Array, size: int, stride: int, out: Array, chosen: Array, workspace: Workspace) -> Array:
    """See `Backend.max_pool`. Where a window holds NaN, its maximum is NaN, and ``chosen`` some place in it."""
    kind = pool_in_twos_loop if size == 2 else pool_loop
    if worth_compiling(kind):
        loop = compile_loop(kind)
        work(lambda _, part: loop(x[part], size, stride, out[part], chosen[part]), shares(len(x)))
        return out
    _, Ho, Wo, C = out.shape
    height, width = stride * (Ho - 1) + 1, stride * (Wo - 1) + size

    def task(number: int, share: slice) -> None:
        for block in image_blocks(share, x[0].nbytes, BLOCK_BYTES):
            few, highest, place = x[block], out[block], chosen[block]
            n = len(few)
            columns = workspace(f"pool_columns_{number}", (n, Ho, width, C))
            np.copyto(columns, few[:, :height:stride, :width])
            for i in range(1, size):
                np.maximum(columns, few[:, i : i + height : stride, :width], out=columns)
            np.copyto(highest, columns[:, :, : width - size + 1 : stride])
            for j in range(1, size):
                np.maximum(highest, columns[:, :, j : width - size + 1 + j : stride], out=highest)
            # Entries before the first that equals the maximum are counted: that is the place of the first.
            unmet = workspace(f"pool_unmet_{number}", highest.shape, bool)
            below = workspace(f"pool_below_{number}", highest.shape, bool)
            unmet.fill(True)
            place.fill(0)
            for i, j in list(product(range(size), repeat=2))[:-1]:
                np.less(strided_part(few, i, j, stride, highest.shape), highest, out=below)
                np.logical_and(unmet, below, out=unmet)
                np.add(place, unmet.view(np.uint8), out=place)

    work(task, shares(len(x)))
    return out


def max_pool_gradient(grad_y: Array, chosen: Array, size: int, stride: int, out: Array, workspace: Workspace) -> Array:
    """See `Backend.max_pool_gradient`."""
    if worth_compiling(pool_gradient_loop):
        loop = compile_loop(pool_gradient_loop)
        work(lambda _, part: loop(grad_y[part], chosen[part], size, stride, out[part]), shares(len(out)))
        return out
    _, Ho, Wo, _ = grad_y.shape

    def task(number: int, share: slice) -> None:
        for block in image_blocks(share, out[0].nbytes, BLOCK_BYTES):
            few, grad, place = out[block], grad_y[block], chosen[block]
            if size < stride:
                few.fill(0)  # some entries lie between the windows
            else:
                few[:, stride * Ho :] = 0
                few[:, :, stride * Wo :] = 0
            here = workspace(f"pool_here_{number}", grad.shape, bool)
            passed = workspace(f"pool_passed_{number}", grad.shape)
            for index, (i, j) in enumerate(product(range(size), repeat=2)):
                part = strided_part(few, i, j, stride, grad.shape)
                np.equal(place, index, out=here)
                if i < stride and j < stride:  # no window before has written there
                    np.multiply(grad, here, out=part)
                else:
                    np.multiply(grad, here, out=passed)
                    np.add(part, passed, out=part)

    work(task, shares(len(out)))
    return out


def max_pool_tangent(dx: Array, chosen: Array, size: int, stride: int, out: Array, workspace: Workspace) -> Array:
    """See `Backend.max_pool_tangent`."""
    if worth_compiling(pool_tangent_loop):
        loop = compile_loop(pool_tangent_loop)
        work(lambda _, part: loop(dx[part], chosen[part], size, stride, out[part]), shares(len(out)))
        return out

    def task(number: int, share: slice) -> None:
        for block in image_blocks(share, dx[0].nbytes, BLOCK_BYTES):
            few, tangent, place = dx[block], out[block], chosen[block]
            here = workspace(f"pool_here_{number}", tangent.shape, bool)
            for index, (i, j) in enumerate(product(range(size), repeat=2)):
                np.equal(place, index, out=here)
                np.copyto(tangent, strided_part(few, i, j, stride, tangent.shape), where=here)

    work(task, shares(len(out)))
    return out


def pool_loop(x: Any, size: Any, stride: Any, out: Any, chosen: Any) -> None:
    """Pool, to be compiled: the innermost loop is over channels, which lie side by side."""
    N, Ho, Wo, C = out.shape
    for n in range(N):
        for i in range(Ho):
            for j in range(Wo):
                highest, place = out[n, i, j], chosen[n, i, j]
                for index in range(size * size):
                    entries = x[n, stride * i + index // size, stride * j + index % size]
                    for c in range(C):
                        better = index == 0 or entries[c] > highest[c] or np.isnan(entries[c])
                        highest[c] = entries[c] if better else highest[c]
                        place[c] = index if better else place[c]


def pool_in_twos_loop(x: Any, _: Any, stride: Any, out: Any, chosen: Any) -> None:
    """Do what `pool_loop` does with windows of two by two, each of which is read and written once."""
    N, Ho, Wo, C = out.shape
    for n in range(N):
        for i in range(Ho):
            for j in range(Wo):
                first, second = x[n, stride * i, stride * j], x[n, stride * i, stride * j + 1]
                third, fourth = x[n, stride * i + 1, stride * j], x[n, stride * i + 1, stride * j + 1]
                highest, place = out[n, i, j], chosen[n, i, j]
                for c in range(C):
                    a, b, d, e = first[c], second[c], third[c], fourth[c]
                    better = b > a or np.isnan(b)
                    top, index = (b, 1) if better else (a, 0)
                    better = d > top or np.isnan(d)
                    top, index = (d, 2) if better else (top, index)
                    better = e > top or np.isnan(e)
                    highest[c], place[c] = (e, 3) if better else (top, index)


def pool_gradient_loop(grad_y: Any, chosen: Any, size: Any, stride: Any, out: Any) -> None:
    """Hand gradients back, to be compiled; from the last window on, which adds them up in the order of `product`."""
    N, Ho, Wo, C = grad_y.shape
    W = out.shape[2]
    offsets = np.empty(size * size, np.int64)
    for index in range(size * size):
        offsets[index] = (index // size * W + index % size) * C
    for n in range(N):
        image = out[n].reshape(-1)
        image[:] = 0
        for i in range(Ho - 1, -1, -1):
            for j in range(Wo - 1, -1, -1):
                start = (stride * i * W + stride * j) * C
                grad, place = grad_y[n, i, j], chosen[n, i, j]
                for c in range(C):
                    image[start + offsets[place[c]] + c] += grad[c]


def pool_tangent_loop(dx: Any, chosen: Any, size: Any, stride: Any, out: Any) -> None:
    """Gather what windows chose, to be compiled."""
    N, Ho, Wo, C = out.shape
    for n in range(N):
        for i in range(Ho):
            for j in range(Wo):
                tangent, place = out[n, i, j], chosen[n, i, j]
                for c in range(C):
                    index = place[c]
                    tangent[c] = dx[n, stride * i + index // size, stride * j + index % size, c]
