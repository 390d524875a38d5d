"""Puts the stand-in for CuPy into a process that a test starts, and into those that it starts in turn."""

import importlib
import os
import sys

sys.dont_write_bytecode = True
import cuda_fixtures  # noqa: E402

standing = cuda_fixtures.StandIn()
standing.machine.devices = int(os.environ["STAND_IN_DEVICES"])
standing.machine.late = os.environ.get("STAND_IN_LATE")
sys.modules.update(standing.modules)
sys.modules["cupy.cuda.nccl"].available = os.environ.get("STAND_IN_NCCL") != "0"  # type: ignore[attr-defined]
vars(importlib.import_module("cupy_backends.cuda.libs"))["cublas"] = standing.modules[cuda_fixtures.BINDING]
importlib.import_module("bdfa_np.backend.cuda.cublas").load_library = lambda: standing.cublas  # type: ignore[attr-defined]
