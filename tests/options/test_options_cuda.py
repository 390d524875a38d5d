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


@pytest.mark.parametrize("spelling", ["--devices 0,1", "-nGPU 2"])
@pytest.mark.parametrize("backend", ["--backend numpy", "-type float"])
def test_of_devices__several_cuda_devices_for_numpy_are_refused(bdfa, spelling, backend):
    assert f"--devices {REFUSED_FOR_NUMPY}" in bdfa.refused("train", *spelling.split(), *backend.split())


@WITHOUT_CUDA
@pytest.mark.parametrize("spelling", ["--devices 0,1", "-nGPU 2", "--devices 0", "--devices 1,0"])
def test_of_devices__auto_without_cuda_refuses_them(bdfa, spelling):
    assert " cannot be used: " in bdfa.refused("train", *spelling.split())


@pytest.mark.parametrize("value", ["", "0,", "a", "0;1", "0,-1", "1.5"])
def test_of_devices__what_is_no_list_of_numbers_is_refused(bdfa, value):
    assert "--devices must be numbers of CUDA devices with commas between them" in bdfa.refused(
        "train", f"--devices={value}", "--backend", "cupy"
    )


def test_of_devices__one_device_beside_several_is_refused(bdfa):
    said = bdfa.refused("train", "--devices", "0,1", "--device", 1)
    assert "--devices names all devices: leave out --device 1" in said


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
