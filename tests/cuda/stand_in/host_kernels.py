"""CUDA C++ compiled for the host, so that a kernel's own source can be run where there is no GPU.

A source is compiled once in a session. Arguments are checked against the kernel's parameters: on CUDA a wrong type is
no error, but rubbish. Denormals of float32 are 0 in a kernel, as CuPy has it, where the host is an x86.
"""

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("host_cuda.h")
FLAGS = (
    "-std=c++14",
    "-O1",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fwrapv",
    "-U_FORTIFY_SOURCE",
)
MOST_THREADS = 1024
KEPT_IN = "STAND_IN_LIBRARIES"
"""The environment variable that names a folder where processes keep what they compile for one another."""
OUTCOMES = {
    1: "some threads of a block ended, while others wait for them at a barrier",
    2: "threads of a block wait at different barriers",
    3: "there is no memory for the threads' stacks",
}
C_TYPES = {
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "unsigned int": "uint32",
    "unsigned": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "unsigned char": "uint8",
    "bool": "bool",
}
KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(\w+)\s*\(([^)]*)\)')
TYPEDEF = re.compile(r"\btypedef\s+([\w\s]+?)\s+(\w+)\s*;")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
FLOAT = re.compile(r"\bfloat\b")


class CompilationError(Exception):
    """The host's compiler refuses a source."""


def compiler() -> str | None:
    """Return the host's C++ compiler, or None where there is none."""
    return next((path for name in ("g++", "c++", "clang++") if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter: the type of the number or, of a pointer, of what it points to."""

    name: str
    dtype: np.dtype[Any]
    is_pointer: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.dtype}{' array' if self.is_pointer else ''})"


@functools.cache
def kernels_in(source: str) -> dict[str, tuple[Parameter, ...]]:
    """Return the parameters of every kernel in a source.

    Raises
    ------
    CompilationError
        If one has a type that the backend's kernels do not use.
    """
    source = COMMENT.sub(" ", source)
    names = {name: " ".join(known.split()) for known, name in TYPEDEF.findall(source)}
    return {
        name: tuple(_parameter(text, names) for text in parameters.split(",") if text.strip())
        for name, parameters in KERNEL.findall(source)
    }


def _parameter(text: str, names: dict[str, str]) -> Parameter:
    words = [word for word in text.replace("*", " * ").split() if word not in ("const", "__restrict__")]
    *kind, name = words
    pointers = kind.count("*")
    c_type = " ".join(word for word in kind if word != "*")
    c_type = names.get(c_type, c_type)
    if pointers > 1 or c_type not in C_TYPES:
        raise CompilationError(f"a kernel's parameter is none of the reviewed types: {text.strip()}")
    return Parameter(name, np.dtype(C_TYPES[c_type]), bool(pointers))


def entry_points(source: str) -> str:
    """Return C functions ``host_launch_<name>(grid, block, descending, arguments)`` for the kernels in a source."""
    lines = []
    types = {np.dtype(dtype): c_type for c_type, dtype in reversed(C_TYPES.items())}
    for name, parameters in kernels_in(source).items():
        values = [
            f"*({types[parameter.dtype]}{'*' if parameter.is_pointer else ''}*)a[{i}]"
            for i, parameter in enumerate(parameters)
        ]
        lines += [
            f"static void host_body_{name}(void** a) {{ (void)a; {name}({', '.join(values)}); }}",
            f'extern "C" int host_launch_{name}(unsigned int grid, unsigned int block, int descending, void** a) {{',
            f"    return host_run(host_body_{name}, grid, block, descending, a);",
            "}",
        ]
    return "\n".join(lines)


@functools.cache
def compiled(source: str) -> ctypes.CDLL:
    """Compile a source, once in a session.

    Raises
    ------
    CompilationError
        If it is not valid, or uses what ``host_cuda.h`` does not offer.
    """
    program = compiler()
    assert program is not None, "no C++ compiler: ask compiler() first"
    # `extern "C"` is taken off: a kernel is called by its entry point, and may have the name of a function of C's.
    body = re.sub(r'extern\s+"C"\s+__global__', "__global__", source)
    flushes = f"#define HOST_FLUSHES {int(bool(FLOAT.search(COMMENT.sub(' ', source))))}"
    text = (
        f'{flushes}\n#include "{HEADER}"\n#line 1 "kernels"\n{body}\n#line 1 "entry points"\n{entry_points(source)}\n'
    )
    kept = os.environ.get(KEPT_IN)
    name = hashlib.sha256("".join([text, *FLAGS]).encode()).hexdigest()
    if kept and Path(kept, name).exists():
        return ctypes.CDLL(str(Path(kept, name)))
    with tempfile.TemporaryDirectory(dir=kept) as folder:  # a library that is loaded needs its file no more
        path, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        path.write_text(text, "utf-8")
        command = [program, *FLAGS, str(path), "-o", str(library), "-lm"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise CompilationError(result.stderr)
        if kept:
            library = library.replace(Path(kept, name))
        return ctypes.CDLL(str(library))


def as_argument(value: Any) -> Any:
    """Return a number as CuPy passes it: a whole one of Python's as int64, another as float64.

    Raises
    ------
    TypeError
        If CuPy would not pass it.
    """
    if isinstance(value, np.generic):
        return value
    for kind, dtype in ((bool, np.bool_), (int, np.int64), (float, np.float64)):
        if type(value) is kind:
            return dtype(value)
    raise TypeError(f"Unsupported type {type(value)}")


class HostKernel:
    """One kernel of a source.

    Parameters
    ----------
    source : str
        The CUDA C++ source.
    name : str
        The kernel's.

    Raises
    ------
    KeyError
        If the source has no kernel of this name.
    CompilationError
        If it cannot be compiled.
    """

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self.parameters = kernels_in(source)[name]
        self._launch = getattr(compiled(source), f"host_launch_{name}")
        self._launch.argtypes = [ctypes.c_uint, ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)]

    def check(self, arguments: tuple[Any, ...]) -> list[Any]:
        """Return the arguments, numbers as CuPy passes them; arrays are anything with ``dtype`` and ``ctypes``.

        Raises
        ------
        TypeError
            If they are too few or too many, or one has a type other than its parameter's.
        """
        if len(arguments) != len(self.parameters):
            names = ", ".join(map(str, self.parameters))
            raise TypeError(f"kernel {self.name} takes {len(self.parameters)} arguments, not {len(arguments)}: {names}")
        values = [value if isinstance(value, np.ndarray) else as_argument(value) for value in arguments]
        for parameter, value in zip(self.parameters, values, strict=True):
            if isinstance(value, np.ndarray) is not parameter.is_pointer or value.dtype != parameter.dtype:
                given = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a number of {value.dtype}"
                raise TypeError(f"kernel {self.name} gets {given} for {parameter}")
        return values

    def __call__(self, grid: int, block: int, arguments: tuple[Any, ...], *, descending: bool = False) -> None:
        """Run the kernel over NumPy arrays and numbers.

        Threads and blocks take their turns in the order of their numbers or, ``descending``, from the last: a kernel
        that lacks a barrier comes out differently in one of the two.

        Raises
        ------
        TypeError
            As `check`.
        RuntimeError
            If not all threads of a block reach a barrier.
        """
        if not (0 < grid < 2**31 and 0 < block <= MOST_THREADS):
            raise ValueError(f"kernel {self.name}: {grid} blocks of {block} threads cannot be launched")
        pointers, kept = (ctypes.c_void_p * max(1, len(arguments)))(), []
        for i, value in enumerate(self.check(arguments)):
            if isinstance(value, np.ndarray):
                holder: Any = ctypes.c_void_p(value.ctypes.data)
                pointers[i] = ctypes.addressof(holder)
            else:
                holder = np.array(value)
                pointers[i] = holder.ctypes.data
            kept.append(holder)
        outcome = self._launch(grid, block, descending, pointers)
        if outcome:
            raise RuntimeError(f"kernel {self.name}: {OUTCOMES[outcome]}")
