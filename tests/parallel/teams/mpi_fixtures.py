"""A fixture for real processes under ``mpirun``, where there is one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mpirun():
    """Return what starts ``mpirun`` with some words after it: ``mpirun("-n", "2", "bdfa", "train")``."""
    pytest.importorskip("mpi4py", reason="processes meet by the extra 'mpi'")
    beside = Path(sys.executable).parent / "mpirun"
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        pytest.skip("there is no mpirun here")
    # More processes than cores, each to wait without computing; root, where it is root who tests.
    environment = {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_mpi_yield_when_idle": "1"}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

    def start(*words, **more):
        program = [str(word) if word != "bdfa" else f"{sys.executable} -m bdfa_np" for word in words]
        return subprocess.Popen(
            [found, "--bind-to", "none", *" ".join(program).split()],
            env={**os.environ, **environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
