"""Single convolutions of this project beside PyTorch's, in one process: the layers of LeNet and of ResNet-20.

    python benchmarks/convolutions.py
    python benchmarks/convolutions.py --threads 2 --only 16-16

For each layer the forward pass, the weights' gradient and the inputs' gradient, batch 64. Both take short turns, and
the least time of each counts, so that what else the machine does is not in it. PyTorch's layout is the faster of
channels last and channels first. Compiling is told apart: the seconds of each layer's first use.
"""

import argparse
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu.backend import NumpyBackend

BATCH = 64
ROUNDS = 12
SECONDS = 0.02
LAYERS = {  # side of the images, channels, filters, side of the filters, stride, padding
    "resnet20 3-16 3x3": (32, 3, 16, 3, 1, 1),
    "resnet20 16-16 3x3": (32, 16, 16, 3, 1, 1),
    "resnet20 16-32 3x3 /2": (32, 16, 32, 3, 2, 1),
    "resnet20 32-32 3x3": (16, 32, 32, 3, 1, 1),
    "resnet20 32-64 3x3 /2": (16, 32, 64, 3, 2, 1),
    "resnet20 64-64 3x3": (8, 64, 64, 3, 1, 1),
    "resnet20 16-32 1x1 /2": (32, 16, 32, 1, 2, 0),
    "resnet20 32-64 1x1 /2": (16, 32, 64, 1, 2, 0),
    "lenet 1-6 5x5": (32, 1, 6, 5, 1, 0),
    "lenet 6-16 5x5": (14, 6, 16, 5, 1, 0),
    "lenet 16-120 5x5": (5, 16, 120, 5, 1, 0),
    "lenet 3-32 5x5": (32, 3, 32, 5, 1, 0),
    "lenet 32-64 5x5": (14, 32, 64, 5, 1, 0),
    "lenet 64-128 5x5": (5, 64, 128, 5, 1, 0),
}
Work = Callable[[], object]


def both(side: int, C: int, K: int, size: int, stride: int, padding: int) -> dict[str, list[Work]]:
    """Return what is timed, by name: ours, and PyTorch's with channels first and last."""
    generator, out = np.random.default_rng(0), (side + 2 * padding - size) // stride + 1
    shapes = ((BATCH, side, side, C), (size, size, C, K), (BATCH, out, out, K))
    x, W, g = (generator.standard_normal(shape, dtype=np.float32) for shape in shapes)
    y, dW, dx = (np.empty_like(array) for array in (g, W, x))
    backend = NumpyBackend()
    found: dict[str, list[Work]] = {
        "forward": [lambda: backend.convolve(x, W, y, stride, padding)],
        "weights": [lambda: backend.convolve_weight_gradient(x, g, dW, stride, padding)],
    }
    if C > 3:  # the images themselves need no gradient
        found["inputs"] = [lambda: backend.convolve_input_gradient(g, W, dx, stride, padding)]
    how = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
    for layout in (torch.contiguous_format, torch.channels_last):
        orders = ((x, (0, 3, 1, 2)), (W, (3, 2, 0, 1)), (g, (0, 3, 1, 2)))
        tx, tW, tg = (torch.from_numpy(a).permute(order).contiguous(memory_format=layout) for a, order in orders)
        found["forward"].append(lambda x=tx, W=tW: torch.ops.aten.convolution(x, W, None, *how))
        for name, wanted in (("weights", (False, True, False)), ("inputs", (True, False, False))):
            if name in found:
                found[name].append(
                    lambda x=tx, W=tW, g=tg, wanted=wanted: torch.ops.aten.convolution_backward(
                        g, x, W, [0], *how, wanted
                    )
                )
    return found


def least(works: list[Work]) -> list[float]:
    """Return the least milliseconds of each, which take turns."""
    found = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for i, work in enumerate(works):
            end = perf_counter() + SECONDS
            while (start := perf_counter()) < end:
                work()
                found[i] = min(found[i], perf_counter() - start)
    return [seconds * 1e3 for seconds in found]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="of both")
    parser.add_argument("--only", default="", help="layers with this in their name")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{'ms, ours / PyTorch':<24}{'forward':>20}{'weights':>20}{'inputs':>20}{'all':>8}{'first use, s':>14}")
    with threadpool_limits(given.threads):
        for name, layer in LAYERS.items():
            if given.only in name:
                parts, ours, theirs, start = [], 0.0, 0.0, process_time()
                works = both(*layer)
                for ways in works.values():
                    ways[0]()
                first = process_time() - start
                for ways in works.values():
                    mine, *others = least(ways)
                    ours, theirs = ours + mine, theirs + min(others)
                    parts.append(f"{mine:.2f}/{min(others):.2f} {mine / min(others):.2f}")
                parts += [""] * (3 - len(parts))
                print(f"{name:<24}" + "".join(f"{part:>20}" for part in parts), f"{ours / theirs:>7.2f}{first:>14.1f}")


if __name__ == "__main__":
    main()
