"""Time and memory of ZCA whitening beside those of scikit-learn's PCA on the same images.

Each measurement is a process of its own: it makes or reads the images, fits, and whitens all of them once. The
programs take turns, so that a slow minute of the machine meets all of them. scikit-learn's ``PCA(whiten=True)`` leaves
the images in the coordinates of the components; what it takes to rotate them back, which makes it ZCA, is a column of
its own. scikit-learn works in the type of its input, float32 here. To run it, install scikit-learn as well.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

METHODS = ("bdfa-np", "covariance_eigh", "full")
_MEBIBYTE = 2**20
_CIFAR10_SHAPE = (32, 32, 3)


def make_images(count: int, size: int, channels: int) -> np.ndarray:
    """Return CIFAR-10's training images where they are at hand and fit, else smoothed noise; uint8."""
    folder = Path(os.environ.get("BDFA_DATA_DIR", "absent")) / "cifar-10-batches-bin"
    if (size, size, channels) == _CIFAR10_SHAPE and count <= 50_000 and folder.is_dir():
        from bdfa_np.data.readers.cifar import read_records

        parts = [read_records(folder / f"data_batch_{i}.bin", 10_000, _CIFAR10_SHAPE)[1] for i in range(1, 6)]
        return np.concatenate(parts[: math.ceil(count / 10_000)])[:count]
    generator = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    falloff = 1 / np.maximum(frequency, 1 / size)  # natural images: amplitudes fall as 1/f
    images = np.empty((count, size, size, channels), np.uint8)
    for start in range(0, count, 500):
        block = images[start : start + 500]
        noise = generator.standard_normal(block.shape, np.float32)
        noise = 0.3 * noise + noise.mean(axis=3, keepdims=True)  # channels are alike
        spectrum = np.fft.rfft2(noise, axes=(1, 2)) * falloff[..., None]
        smooth = np.fft.irfft2(spectrum, s=(size, size), axes=(1, 2))
        block[:] = (128 + 50 * smooth / smooth.std()).clip(0, 255).round()
    return images


def whiten_ours(images: np.ndarray, clock: Callable[[str], None]) -> None:
    """Fit and apply ZCA."""
    from bdfa_np.data.preprocess.zca import ZCA

    clock("start")
    zca = ZCA.fit(images)
    clock("fit")
    zca.apply(images, np.empty(images.shape, np.float32))
    clock("apply")


def whiten_theirs(images: np.ndarray, clock: Callable[[str], None], solver: str) -> None:
    """Fit and apply scikit-learn's PCA, and rotate what it gives back."""
    from sklearn.decomposition import PCA

    clock("start")
    vectors = images.reshape(len(images), -1).astype(np.float32)
    pca = PCA(whiten=True, svd_solver=solver).fit(vectors)
    clock("fit")
    found = pca.transform(vectors)
    clock("apply")
    np.matmul(found, pca.components_, out=vectors)
    clock("rotate")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Whiten once in this process, and return the seconds of each step and the peak of the resident memory."""
    images = make_images(arguments.images, arguments.size, arguments.channels)
    found: dict[str, Any] = {}
    last = perf_counter()

    def clock(step: str) -> None:
        nonlocal last
        now = perf_counter()
        found[step] = now - last
        last = now
        if step == "apply":  # the rotation's memory is not what scikit-learn asked for
            found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    if arguments.child == "bdfa-np":
        whiten_ours(images, clock)
    else:
        whiten_theirs(images, clock, arguments.child)
    return found


def run_child(method: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure in a process of its own."""
    options = [f"--{name}={getattr(arguments, name)}" for name in ("images", "size", "channels", "threads")]
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(arguments.threads))
    command = [sys.executable, __file__, *options, "--child", method]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 -- itself
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def report(results: dict[str, list[dict[str, Any]]], image_bytes: int) -> None:
    """Print medians, one method a line."""

    def median(method: str, *steps: str) -> float:
        return statistics.median(sum(run.get(step, 0.0) for step in steps) for run in results[method])

    print(f"{'':17}{'fit':>8}{'apply':>8}{'total':>8}{'ratio':>8}{'rotated':>9}{'peak MiB':>10}{'of images':>11}")
    ours = median("bdfa-np", "fit", "apply")
    for method in results:
        total, rotated = median(method, "fit", "apply"), median(method, "fit", "apply", "rotate")
        peak = median(method, "peak")
        print(
            f"{method:17}{median(method, 'fit'):8.2f}{median(method, 'apply'):8.2f}{total:8.2f}{ours / total:8.2f}"
            f"{rotated:9.2f}{peak / _MEBIBYTE:10.0f}{peak / image_bytes:11.2f}"
        )
    print("seconds, medians; ratio: bdfa-np's total over this one's; rotated: the total with the rotation to ZCA;")
    print("peak: resident memory with the uint8 images; of images: the peak over the size of the images in float32")


def main() -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000, help="how many images (default 50000)")
    parser.add_argument("--size", type=int, default=32, help="their rows and columns (default 32)")
    parser.add_argument("--channels", type=int, default=3, help="their channels (default 3)")
    parser.add_argument("--threads", type=int, default=2, help="threads of BLAS (default 2)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each program (default 3)")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=METHODS[:2],
        help="what to run: add full for the singular value decomposition, which takes minutes",
    )
    parser.add_argument("--child", choices=METHODS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        json.dump(measure(arguments), sys.stdout)
        return
    shape = (arguments.images, arguments.size, arguments.size, arguments.channels)
    print(f"images {shape}, {arguments.threads} threads, {arguments.repeats} runs of each", flush=True)
    methods = dict.fromkeys(("bdfa-np", *arguments.methods))  # the ratio needs the first
    results: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for _ in range(arguments.repeats):
        for method in methods:
            results[method].append(run_child(method, arguments))
    report(results, 4 * math.prod(shape))


if __name__ == "__main__":
    main()
