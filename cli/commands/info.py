"""``bdfa info``: what this installation computes with."""

import click

from bdfa_np import __version__
from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa info
  BDFA_DATA_DIR=/data bdfa info""",
)
@debug_option
def info() -> None:
    """Print versions, threads, backends and data folders.

    Of a backend that is missing it says why, of BLAS which one NumPy has, and of folders what names them: a variable
    of the environment, or nothing.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for title, text in lines():
        console.print(f"{title:<10} {text}", markup=False)


def lines() -> list[tuple[str, str]]:
    """Return what there is to say, a title and a text a line."""
    import numpy  # noqa: F401 - so that its BLAS is among the libraries found
    from threadpoolctl import threadpool_info

    from bdfa_np.backend.cpu.compiling import can_compile
    from bdfa_np.backend.cuda.status import cupy_status, device_names, nccl_status
    from bdfa_np.data.sources.download import default_folder
    from bdfa_np.data.sources.registry import dataset_names
    from bdfa_np.extensions import offered
    from bdfa_np.networks import GROUP as NETWORK_GROUP
    from bdfa_np.networks import NETWORKS
    from bdfa_np.options.machine import usable_cores
    from bdfa_np.rules import RULES
    from bdfa_np.rules.find import GROUP as RULE_GROUP
    from bdfa_np.runs.store.document import versions
    from bdfa_np.system.extras import install_command
    from bdfa_np.system.text import counted
    from bdfa_np.system.variables import CONFIG_DIR, DATA_DIR
    from bdfa_np.trust.listed import list_path

    found = [("bdfa-np", __version__)]
    found += [(name, number) for name, number in versions().items() if name != "bdfa-np"]
    for library in threadpool_info():
        if library["user_api"] == "blas":
            kernel = library.get("architecture", "unknown")
            threads = counted(library["num_threads"], "thread")
            text = f"{library['internal_api']} {library['version']}, {kernel} kernels, {threads}"
            found.append(("BLAS", text))
    found.append(("cores", f"{usable_cores()} usable"))
    faster = f"faster, with the same digits: {install_command('fast')}"
    loops = "compiled by Numba" if can_compile() else f"of NumPy ({faster})"
    found.append(("numpy", f"backend works; elementwise loops {loops}"))
    missing = cupy_status()
    found.append(("cupy", f"backend missing: {missing}" if missing else f"backend works: {', '.join(device_names())}"))
    if missing is None and len(device_names()) > 1:
        found.append(("nccl", nccl_status()))
    found.append(("rules", ", ".join([*RULES, *offered(RULE_GROUP)])))
    found.append(("networks", ", ".join([*NETWORKS, *offered(NETWORK_GROUP)])))
    found.append(("data sets", ", ".join(dataset_names())))
    origin = DATA_DIR.name if DATA_DIR.value() else "the user's cache folder"
    found.append(("data", f"{default_folder()} ({origin})"))
    origin = CONFIG_DIR.name if CONFIG_DIR.value() else "the user's settings"
    found.append(("trusted", f"{list_path()} ({origin}): nets' and rules' files that are run unasked"))
    return found
