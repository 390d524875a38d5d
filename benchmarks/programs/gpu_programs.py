"""The programs of ``gpu.py``: on one device or, to try the script, on the CPU; that they agree, and how long they take.

Batches lie on the device before anything is timed. PyTorch may choose cuDNN's fastest algorithms
(``torch.backends.cudnn.benchmark``) and, for ``conv``, the quicker of two memory formats, tried on the spot.
"""

import functools
import itertools
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil, inf
from time import perf_counter
from typing import Any

import numpy as np
import torch
from measure.jobs import INPUT_SHAPES, LEARNING_RATE, NUM_CLASSES, Job, Program, build
from programs import biotorch, ours, torch_conv, torch_mlp

from bdfa_np.data.batches import Batches
from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.errors import UserError

Maker = Callable[[], Program]

STEPS = 5
"""How many steps are compared."""
TOLERANCE = 1e-6
"""How far apart programs may be after these, as a part of how far they move a parameter: it is rounding's share."""
EPSILON = 1e-15
"""Adam's ε while programs are compared: PyTorch adds it elsewhere, and at 1e-8 that would be seen."""
WARM_UP = 2
"""Steps before PyTorch's graph is captured: they make what the optimizer remembers, and choose algorithms."""


class DisagreementError(UserError):
    """Two programs do not do the same work."""


class CaptureError(Exception):
    """PyTorch cannot capture a step; the message is its reason."""


class Autograd(biotorch.Modules):
    """PyTorch's modules on a device, with its fused optimizers where it has them; of RMSprop there is none."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, tuned=True)
        if job.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(self.net.parameters(), lr=LEARNING_RATE, fused=True)

    def build_net(self) -> torch.nn.Sequential:
        """Build the net on the CPU, as its program there does, and move it."""
        return super().build_net().to(self.job.device)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights."""
        found = {}
        for name, module in self.layers.items():
            found[f"{name}.W"] = biotorch.channels_last(module.weight.detach().cpu().numpy(), self.maps[name]).copy()
            found[f"{name}.b"] = module.bias.detach().cpu().numpy().copy()
        return found


class Graphed:
    """A program by hand whose step is captured by ``torch.cuda.CUDAGraph`` and replayed.

    Parameters
    ----------
    program : ByHand
        A new one. Its batches are copied to one place, since a graph always reads from there.
    """

    def __init__(self, program: torch_mlp.ByHand) -> None:
        first = next(program.rotation)
        self.program, self.rotation = program, itertools.chain([first], program.rotation)
        self.batch = [torch.empty_like(tensor) for tensor in first]
        program.rotation = itertools.repeat(tuple(self.batch))
        for group in optimizer_groups(program):
            group["capturable"] = True
        self.stream = torch.cuda.Stream(program.job.device)
        self.graph: Any = None
        self.steps = 0

    def __call__(self) -> None:
        """Train on the next batch."""
        for held, tensor in zip(self.batch, next(self.rotation), strict=True):
            held.copy_(tensor)
        if self.steps < WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self.program()
            torch.cuda.current_stream().wait_stream(self.stream)
        else:
            if self.graph is None:
                self.graph = captured(self.program)
            self.graph.replay()
        self.steps += 1

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights and feedback weights."""
        return self.program.weights()


def captured(program: Program) -> Any:
    """Return the graph of a program's next step.

    Raises
    ------
    CaptureError
        If it cannot be captured.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            program()
    except RuntimeError as error:
        raise CaptureError(str(error).partition("\n")[0]) from error
    return graph


def optimizer_groups(program: Any) -> list[dict[str, Any]]:
    """Return the options of the optimizer of one of PyTorch's programs, if it is one of ``torch.optim``."""
    program = getattr(program, "program", program)
    optimizer = getattr(program.optimizer, "optimizer", program.optimizer)
    return getattr(optimizer, "param_groups", [])


def on_cuda(job: Job) -> bool:
    """Return whether a job is for a GPU."""
    return job.device != "cpu"


def synchronize(device: str) -> None:
    """Wait until a device, whoever uses it, has done all its work."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def choose(device: str, tf32: bool) -> None:
    """Make a device PyTorch's current one, and set its precision of products and convolutions."""
    torch.backends.cudnn.benchmark = True
    if device != "cpu":
        torch.cuda.set_device(device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions have another name for this too, older ones only this
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32


@functools.cache
def channels_last_is_quicker(job: Job, tf32: bool) -> bool:
    """Try both memory formats of ``conv``; on the CPU it is known."""
    del tf32  # a choice for each
    if not on_cuda(job):
        return True
    seconds = [turn(torch_conv.make(job, channels_last=last), job.device, 0.05) for last in (False, True)]
    return seconds[1] < seconds[0]


def by_hand(job: Job, tf32: bool) -> torch_mlp.ByHand:
    """Return PyTorch's program by public operations, of every rule."""
    if job.network == "mlp":
        return torch_mlp.ByHand(job, private=False)
    return torch_conv.make(job, channels_last=channels_last_is_quicker(job, tf32))


def makers(job: Job, *, tf32: bool = False) -> dict[str, Maker]:
    """Return what makes each program of a job, by its name in the table."""
    found: dict[str, Maker] = {"ours": lambda: ours.make(job), "torch": lambda: by_hand(job, tf32)}
    if on_cuda(job):
        options = {"backend": "cupy", "device": torch.device(job.device).index, "tf32": tf32}
        found = {
            "ours": lambda: ours.make(job, **options),
            "ours graph": lambda: ours.make(job, **options, cuda_graph=True),
            "torch": found["torch"],
            "torch graph": lambda: Graphed(by_hand(job, tf32)),
            "ours cpu": found["ours"],
        }
    if job.rule == "bp":
        found["autograd"] = lambda: Autograd(job)
    return found


def movement(program: Any, job: Job) -> dict[str, np.ndarray]:
    """Return how far some steps move each parameter of a new program."""
    if job.optimizer == "adam" and isinstance(program, ours.Ours):
        program.model.optimizer.epsilon = EPSILON
    elif job.optimizer == "adam":
        for group in optimizer_groups(program):
            group["eps"] = EPSILON
    before = program.weights()
    for _ in range(STEPS):
        program()
    return {name: after.astype(np.float64) - before[name] for name, after in program.weights().items()}


def distance(moved: np.ndarray, reference: np.ndarray) -> float:
    """Return how far a movement is from another, in units of the other."""
    far, apart = float(np.linalg.norm(reference)), float(np.linalg.norm(moved - reference))
    return apart / far if far else inf if apart else 0.0


def check_agreement(job: Job, programs: Mapping[str, Maker]) -> dict[str, str]:
    """Let new programs of a job do some steps, and compare each with our own on the CPU.

    Float32 would not do: the optimizers divide a gradient by its own size, where the rounding of a small one counts in
    full, and SGD hardly moves some parameters beyond their rounding.

    Returns
    -------
    dict
        Programs that cannot be captured, and why.

    Raises
    ------
    DisagreementError
        If two do not do the same: it names them and the parameter.
    """
    on_cpu = replace(job, device="cpu")
    reference = movement(ours.make(on_cpu), on_cpu)
    left_out = {}
    for name, make in programs.items():
        try:
            moved = movement(make(), job)
        except CaptureError as error:
            left_out[name] = str(error)
            continue
        for parameter, array in moved.items():
            apart = distance(array, reference[parameter])
            if not apart <= TOLERANCE:  # nor if it is NaN
                raise DisagreementError(
                    f"{name} and ours on the CPU disagree: {STEPS} steps move {parameter} "
                    f"{apart:.1g} of its way apart, and {TOLERANCE:.1g} is allowed"
                )
    return left_out


def turn(program: Program, device: str, seconds: float) -> float:
    """Return the mean seconds of a step, over as many as take about so many seconds, and three at least."""
    synchronize(device)
    program()  # not timed: clocks and caches are those of the program that had the turn before
    once = timed(program, device, 1)
    return timed(program, device, max(3, ceil(seconds / once)))


def timed(program: Program, device: str, steps: int) -> float:
    """Return the mean seconds of a step, from an idle device to an idle device."""
    synchronize(device)
    start = perf_counter()
    for _ in range(steps):
        program()
    synchronize(device)
    return (perf_counter() - start) / steps


class Epochs:
    """A net trained by `Trainer` on random images, which come from the host, as ``bdfa train`` would train it."""

    def __init__(self, job: Job, images: int, **options: Any) -> None:
        generator = np.random.default_rng(0)
        pictures = generator.integers(0, 256, (images, *INPUT_SHAPES[job.network]), np.uint8)
        labels = generator.integers(0, NUM_CLASSES, images)
        model = build(job, **options)
        normalization = Normalization.fit("scale", pictures)
        source = Batches(pictures, labels, job.batch, normalization=normalization, streams=model.streams)
        one = Batches(pictures[: job.batch], labels[: job.batch], job.batch, normalization=normalization)
        self.records = model.trainer(source, one).run(-1)
        self.bare, self.steps, self.device = ours.make(job, **options), len(source), job.device
        next(self.records)  # kernels are compiled, steps captured

    def __call__(self) -> tuple[float, float]:
        """Return the seconds of an epoch, with a test on one batch, and of as many steps on batches that lie ready."""
        epoch = next(self.records).seconds
        self.bare()
        return epoch, self.steps * timed(self.bare, self.device, self.steps)


def versions(device: str) -> dict[str, str]:
    """Return which PyTorch measures and, on a GPU, which CUDA, CuPy and driver."""
    found = {"PyTorch": f"{torch.__version__} (CUDA {torch.version.cuda})"}
    if device == "cpu":
        return found
    from bdfa_np.backend.cuda.importing import import_cupy
    from bdfa_np.backend.cuda.status import device_names

    cupy = import_cupy()
    numbers = cupy.cuda.runtime.runtimeGetVersion(), cupy.cuda.runtime.driverGetVersion()
    runtime, newest = (f"{number // 1000}.{number % 1000 // 10}" for number in numbers)
    return {
        "GPU": device_names()[torch.device(device).index],
        "driver": f"{driver_version()}, for CUDA up to {newest}",
        **found,
        "CuPy": f"{cupy.__version__} (CUDA {runtime})",
        "cuDNN of PyTorch": str(torch.backends.cudnn.version()),
    }


def driver_version() -> str:
    """Return the version of NVIDIA's driver as its own tool gives it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown"
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- NVIDIA's own tool
    return next(iter(done.stdout.split()), "unknown")
