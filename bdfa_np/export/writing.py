"""From a model to files for other programs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bdfa_np.errors import ConfigError
from bdfa_np.export.inference import Inference, inference
from bdfa_np.export.npz_file import write_npz
from bdfa_np.export.onnx_file import write_onnx
from bdfa_np.export.torch_files import code, write_state
from bdfa_np.extensions import blamed
from bdfa_np.model import Model
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import open_output, write_output
from bdfa_np.system.paths import check_output

SUFFIXES = {"onnx": ".onnx", "torch": ".pt", "npz": ".npz"}
"""What the name of a file ends with, by the format."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
        The files.
    interface : str
        What goes in and what comes out, in one line.
    """

    files: tuple[Path, ...]
    interface: str


@blamed()
def export_model(model: Model, path: str | os.PathLike[str], *, to: str, force: bool = False) -> Exported:
    """Write a model's net for another program, its preprocessing included.

    Samples go in as they lie in files, (N, H, W, C) or (N, d) of any N, and at the size that the net takes; logits and
    probabilities come out. A model without preprocessing, one that was built by hand, takes prepared samples, and the
    file says so.

    Parameters
    ----------
    model : Model
        What is written, as it is in use: without dropout, with running averages.
    path : path
        The file. Of ``"torch"`` it is the one of the state, and a module of the same name, with the ending ``.py``,
        comes beside it.
    to : {"onnx", "torch", "npz"}
        An ONNX graph; Python code with an `nn.Module` and its state dict; or plain arrays.
    force : bool, default False
        Whether files that are there may be replaced.

    Returns
    -------
    Exported
        The files, and what goes in and comes out.

    Raises
    ------
    ConfigError
        If the format is unknown, its extra is missing, a file is there, its folder is not, or the net has a layer that
        is not one of the package's.

    Examples
    --------
    >>> from bdfa_np import export_model, load_run
    >>> export_model(load_run("runs/dfa"), "digits.onnx", to="onnx").interface  # doctest: +SKIP
    'raw samples (N, 28, 28, 1) of uint8 -> logits and scores (N, 10)'
    """
    path = check_output(path, "--output")
    if to not in _WRITERS:
        raise ConfigError(f"--to {to}: choose from {', '.join(_WRITERS)}")
    check_extra(to)
    files = _files(path, to)
    for file in files:
        check_free(file, force=force)
    computed = inference(model)
    _WRITERS[to](computed, files)
    return Exported(files, computed.interface)


def check_extra(to: str) -> None:
    """Raise `ConfigError` where what a format is written with is not installed."""
    if to == "npz":
        return
    try:
        import_module(to)
    except ImportError:
        raise ConfigError(f"--to {to} needs the package {to}: install it with {install_command(to)}") from None


def _files(path: Path, to: str) -> tuple[Path, ...]:
    if to != "torch":
        return (path,)
    module = path.with_suffix(".py")
    if module == path or not path.stem.isidentifier():
        raise ConfigError(
            f"{path}: the state goes there, and beside it a Python module of the same name: "
            "choose a name that Python can import, such as my_net.pt"
        )
    return path, module


def check_free(file: Path, *, force: bool) -> None:
    """Raise `ConfigError` unless a file can be written without loss."""
    if file.is_dir():
        raise ConfigError(f"{file} is a folder: name a file in it")
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already: name another file, or replace it with --force")


def _write_onnx(inference: Inference, files: tuple[Path, ...]) -> None:
    with open_output(files[0]) as file:
        write_onnx(inference, file)


def _write_npz(inference: Inference, files: tuple[Path, ...]) -> None:
    with open_output(files[0]) as file:
        write_npz(inference, file)


def _write_torch(inference: Inference, files: tuple[Path, ...]) -> None:
    state, module = files
    text = code(inference, state.name)
    with open_output(state) as file:
        write_state(inference, file)
    write_output(module, text)


_WRITERS: dict[str, Callable[[Inference, tuple[Path, ...]], None]] = {
    "onnx": _write_onnx,
    "torch": _write_torch,
    "npz": _write_npz,
}
