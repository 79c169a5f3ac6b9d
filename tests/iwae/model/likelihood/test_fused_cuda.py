"""The fused kernel: in Triton's interpreter, through its compiler, and on a GPU where there is one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from iwae.model.likelihood.bernoulli import SWITCH, bernoulli_layer

triton = pytest.importorskip("triton", reason="Triton, a part of PyTorch for CUDA, is not here")
# Starts a process of its own, and a compiler.
pytestmark = pytest.mark.service

TESTS = Path(__file__).parents[3]


def test_the_interpreted_kernels_have_the_accuracy_of_float32() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    script = [sys.executable, str(TESTS / "support" / "interpreted.py")]
    ran = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    for case, errors in json.loads(ran.stdout).items():
        assert max(errors) < 1e-6, case


@pytest.mark.parametrize("kernel", ["log_likelihood", "logit_gradient"])
def test_the_kernels_compile_for_a_gpu(kernel: str) -> None:
    """For an A100, with the compiler's own assembler: needs no GPU."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from iwae.model.likelihood import fused_cuda, kernels

    function = getattr(kernels, kernel)
    constants = {name: value for name, value in fused_cuda.OPTIONS.items() if name.isupper()}
    pointers = {"hidden", "weight", "bias", "x", "log_p", "upstream", "of_logits"}
    signature = {
        name: "constexpr" if name in constants else "*fp32" if name in pointers else "i32"
        for name in function.arg_names
    }
    options = {"num_warps": fused_cuda.OPTIONS["num_warps"]}
    source = ASTSource(function, signature, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options)
    assert len(compiled.asm["cubin"]) > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_the_fused_layer_is_the_layer_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    source = torch.Generator().manual_seed(0)
    sizes = ((50, 100, 400), (784, 400), (784,))
    inputs = [torch.randn(size, generator=source, dtype=torch.float64).cuda() for size in sizes]
    x = (torch.rand(100, 784, generator=source) < 0.3).double().cuda()

    def found(dtype: torch.dtype) -> list[torch.Tensor]:
        arguments = [tensor.to(dtype).requires_grad_() for tensor in inputs]
        log_p = bernoulli_layer(*arguments, x.to(dtype))
        return [log_p, *torch.autograd.grad(log_p.sum(), arguments)]

    exact = found(torch.float64)  # is never fused
    fused = found(torch.float32)
    monkeypatch.setenv(SWITCH, "0")
    plain = found(torch.float32)
    for one, other, truth in zip(fused, plain, exact, strict=True):
        error, usual = ((tensor.double() - truth).norm() for tensor in (one, other))
        assert error <= 2 * usual + 1e-7 * truth.norm()
