"""Every kernel's real source is compiled by NVRTC, CUDA's own compiler, which needs neither driver nor device."""

import re

import pytest
from formulas import FORMULAS

from bdfa_np.backend.cuda.kernels import named_source

nvrtc = pytest.importorskip("cupy.cuda", reason="CuPy is not installed").nvrtc
try:
    nvrtc.getVersion()
except (ImportError, RuntimeError) as error:
    pytest.skip(f"NVRTC is not installed: {error}", allow_module_level=True)

CAPABILITIES = [
    capability for capability in (70, 80, 90) if capability in nvrtc.getSupportedArchs()
]  # CUDA 13: from 75
DTYPES = ("float32", "float64")


def ptx(source, capability):
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture=compute_{capability}",))
    except nvrtc.NVRTCError as error:
        raise AssertionError(nvrtc.getProgramLog(program)) from error
    code = nvrtc.getPTX(program)
    return code if isinstance(code, str) else code.decode()


def entries(code):
    """Return the code of each kernel by its name."""
    parts = re.split(r"\.entry\s+", code)[1:]
    return {re.match(r"\w+", part).group(): part for part in parts}


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_kernels_with_names_compile(dtype, capability):
    source = named_source(dtype)
    names = re.findall(r'extern "C" __global__ void (\w+)', source)
    assert set(entries(ptx(source, capability))) == set(names)
    assert len(names) > 10


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_compiles(name, capability):
    for dtype in DTYPES:
        assert "elementwise" in entries(ptx(FORMULAS[name].source(dtype), capability))


def test_a_float32_kernel_computes_nothing_in_float64_but_sums_over_a_batch_or_a_vector():
    codes = {f"formula {name}": ptx(case.source("float32"), 80) for name, case in FORMULAS.items()}
    codes |= entries(ptx(named_source("float32"), 80))
    assert [name for name, code in codes.items() if ".f64" in code] == ["tally", "squares", "clip_norm"]


def test_a_source_that_is_no_cuda_is_refused():
    with pytest.raises(AssertionError, match=r"kernel\.cu\(\d+\): error"):
        ptx(named_source("float32").replace("__syncthreads()", "__sincthreads()"), 80)
