"""Options that are for CUDA alone: where the CPU computes they are refused, never dropped."""

import pytest

from bdfa_np.backend.cuda.status import cupy_status

WITHOUT_CUDA = pytest.mark.skipif(cupy_status() is None, reason="auto computes with CuPy here")
REFUSED_FOR_NUMPY = "is for CUDA, and has no part in --backend numpy: leave it out"
REFUSED_FOR_AUTO = "only for CUDA, which cannot be used: "


@pytest.mark.parametrize("spelling", ["--device 1", "-devid 2"])
@pytest.mark.parametrize("backend", ["--backend numpy", "-type float"])
def test_of_device__a_cuda_device_for_numpy_is_refused(bdfa, spelling, backend):
    assert f"--device {REFUSED_FOR_NUMPY}" in bdfa.refused("train", *spelling.split(), *backend.split())


@WITHOUT_CUDA
@pytest.mark.parametrize("spelling", ["--device 1", "-devid 2"])
def test_of_device__auto_without_cuda_refuses_it(bdfa, spelling):
    assert f"--device: {REFUSED_FOR_AUTO}" in bdfa.refused("train", *spelling.split())


@pytest.mark.parametrize("backend", ["--backend numpy", "-type float"])
def test_of_tf32__with_numpy_it_is_refused(bdfa, backend):
    assert f"--tf32 {REFUSED_FOR_NUMPY}" in bdfa.refused("train", "--tf32", *backend.split())


@WITHOUT_CUDA
def test_of_tf32__auto_without_cuda_refuses_it(bdfa):
    assert f"--tf32: {REFUSED_FOR_AUTO}" in bdfa.refused("train", "--tf32")


@pytest.mark.parametrize("backend", ["--backend numpy", "-type float"])
def test_of_cuda_graph__with_numpy_it_is_refused(bdfa, backend):
    assert f"--cuda-graph {REFUSED_FOR_NUMPY}" in bdfa.refused("train", "--cuda-graph", *backend.split())


@WITHOUT_CUDA
def test_of_cuda_graph__auto_without_cuda_refuses_it(bdfa):
    assert f"--cuda-graph: {REFUSED_FOR_AUTO}" in bdfa.refused("train", "--cuda-graph")


@pytest.mark.parametrize("backend", ["--backend numpy", "-type float"])
def test_of_gpu_memory__with_numpy_it_is_refused(bdfa, backend):
    assert f"--gpu-memory {REFUSED_FOR_NUMPY}" in bdfa.refused("train", "--gpu-memory", "1", *backend.split())


@WITHOUT_CUDA
def test_of_gpu_memory__auto_without_cuda_refuses_it(bdfa):
    assert f"--gpu-memory: {REFUSED_FOR_AUTO}" in bdfa.refused("train", "--gpu-memory", "1")
