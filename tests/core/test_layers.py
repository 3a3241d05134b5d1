"""Products and layers that are written for speed do what torch's plain ones do, values and gradients."""

from __future__ import annotations

import copy
import json
import os
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from poseaug_core import layers, products
from poseaug_core.device import memory_kept
from poseaug_core.layers import BatchNorm, dropout, kept_statistics, rectified_dropout
from poseaug_core.products import grouped, linear

EXACT, ROUNDED = {"atol": 1e-5, "rtol": 1e-4}, {"atol": 0.05, "rtol": 0.05}


def gradients(output: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(output.float().sin().sum(), inputs)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("rows", [(1,), (8,), (200,), (5, 40)])
@pytest.mark.parametrize("biased", [False, True])
def test_linear_is_torchs(rows, biased, mixed):
    x, weight, bias = numbers(*rows, 24), numbers(16, 24, seed=1), numbers(16, seed=2) if biased else None
    inputs = [x, weight, *([bias] if biased else [])]
    with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
        found = linear(x, weight, bias)
    expected = F.linear(x, weight, bias)
    assert found.dtype == (torch.bfloat16 if mixed else torch.float32) and found.shape == expected.shape
    near = ROUNDED if mixed else EXACT
    torch.testing.assert_close(found.float(), expected, **near)
    if not mixed:
        for a, b in zip(gradients(found, *inputs), gradients(expected, *inputs), strict=True):
            torch.testing.assert_close(a, b, **EXACT)
    else:
        for a, b in zip(gradients(found, *inputs), gradients(expected, *inputs), strict=True):
            assert a.dtype == torch.float32
            assert (a - b).norm() < 0.05 * b.norm()


def test_linear_takes_what_lies_scattered_in_memory():
    x, weight = numbers(24, 64).t(), numbers(48, 32, seed=1)[::2, ::2].t()
    assert not x.is_contiguous() and not weight.is_contiguous()
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight), **EXACT)
    wide = numbers(64, 96)
    part, own = wide.chunk(4, dim=1)[1], numbers(8, 24, seed=1)
    for a, b in zip(gradients(linear(part, own), wide, own), gradients(F.linear(part, own), wide, own), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


def test_linear_of_other_kinds_of_numbers():
    x, weight = numbers(16, 4).double(), numbers(3, 4, seed=1).double()
    assert torch.equal(linear(x, weight), F.linear(x, weight))
    assert linear(torch.zeros(0, 4), weight.float()).shape == (0, 3)


def test_only_gradients_that_are_asked_for_are_computed(monkeypatch):
    made, product = [], products._product
    monkeypatch.setattr(products, "_product", lambda *operands: made.append(1) or product(*operands))
    x, weight = numbers(16, 4), numbers(3, 4, seed=1).detach()
    linear(x, weight).sum().backward()
    assert len(made) == 2 and weight.grad is None and x.grad is not None


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("rows", [2, 64])
@pytest.mark.parametrize("biased", [False, True])
def test_grouped_are_networks_side_by_side(rows, biased, mixed):
    x, weight, bias = numbers(rows, 3 * 10), numbers(3, 10, 7, seed=1), numbers(3, 1, 7, seed=2)
    inputs = [x, weight, *([bias] if biased else [])]
    with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
        found = grouped(x, weight, bias if biased else None)
    apart = [part @ w for part, w in zip(x.split(10, dim=1), weight, strict=True)]
    expected = torch.cat([a + b for a, b in zip(apart, bias, strict=True)] if biased else apart, dim=1)
    torch.testing.assert_close(found.float(), expected, **(ROUNDED if mixed else EXACT))
    for a, b in zip(gradients(found, *inputs), gradients(expected, *inputs), strict=True):
        assert (a - b).norm() <= (0.05 if mixed else 1e-5) * b.norm()


def test_products_without_the_instructions_for_them():
    """A CPU that has no bfloat16 kernels, as oneDNN can be told to take this one for."""
    script = """
import torch
from poseaug_core.products import grouped, linear
x, weights = torch.ones(64, 32, requires_grad=True), torch.ones(2, 16, 8, requires_grad=True)
with torch.autocast("cpu", torch.bfloat16):
    (linear(x, torch.ones(8, 32)) + grouped(x, weights)[:, :8]).float().sum().backward()
assert x.grad.unique().tolist() == [16.0, 24.0] or x.grad.isfinite().all()
"""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)


def test_a_gradient_of_a_gradient_is_refused():
    x, weight = numbers(16, 4), numbers(3, 4, seed=1)
    (first,) = torch.autograd.grad(linear(x, weight).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()


@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_batch_norm_with_the_bias_before_it_left_out(rows, training, kept):
    """The same answers, gradients and running statistics as torch's on x + bias."""
    x, bias = numbers(rows, 6), numbers(6, seed=1)
    plain, ours = nn.BatchNorm1d(6), BatchNorm(6)
    for norm in (plain, ours):
        with torch.no_grad():
            norm.weight.copy_(torch.linspace(0.5, 2, 6))
            norm.bias.copy_(torch.linspace(-1, 1, 6))
            norm.running_mean.copy_(torch.linspace(0, 1, 6))
    if rows == 1:
        plain.eval()  # which torch's refuses in training
    plain.train(training and rows > 1)
    ours.train(training)
    with kept_statistics(ours) if kept else nullcontext():
        found = ours(x, bias, 2.0)
    before = copy.deepcopy(plain.state_dict())
    expected = 2.0 * plain(x + bias)
    torch.testing.assert_close(found, expected, **EXACT)
    by_batch = training and rows > 1
    inputs = [(x, norm.weight, norm.bias, *(() if by_batch else (bias,))) for norm in (ours, plain)]
    for a, b in zip(gradients(found, *inputs[0]), gradients(expected, *inputs[1]), strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    statistics = before if kept else plain.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, statistics[name], **EXACT)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.125, 0.1])
def test_dropout_drops_that_share_and_scales_the_rest(p):
    x = torch.ones(500, 1000)
    dropped = dropout(x, p, torch.Generator().manual_seed(0))
    assert (dropped == 0).float().mean() == pytest.approx(p, abs=0.003)
    rows, columns = (dropped == 0).float().mean(0), (dropped == 0).float().mean(1)
    assert (rows - p).abs().max() < 0.12 and (columns - p).abs().max() < 0.08  # no row or column is favoured
    assert dropped.mean() == pytest.approx(1, abs=0.005) and len(dropped.unique()) == 2


@pytest.mark.parametrize("count", [1, 63, 65, 130])
def test_dropout_of_any_number_of_elements(count):
    assert dropout(torch.ones(count), 0.25, torch.Generator().manual_seed(0)).shape == (count,)


def test_rectified_dropout_is_norm_relu_and_dropout():
    x, bias = numbers(64, 32), numbers(32, seed=1).detach()
    norms = [BatchNorm(32), BatchNorm(32)]
    found = rectified_dropout(x, norms[0], 0.25, torch.Generator().manual_seed(3), bias)
    kept = layers._kept(x, 0.25, torch.Generator().manual_seed(3))
    expected = F.relu(norms[1](x + bias)) * kept / 0.75
    torch.testing.assert_close(found, expected, **EXACT)
    for a, b in zip(gradients(found, x, norms[0].weight), gradients(expected, x, norms[1].weight), strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    plain = rectified_dropout(x, norms[0].eval(), 0.25, None, bias)
    torch.testing.assert_close(plain, F.relu(norms[0](x + bias)), **EXACT)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_memory_is_kept_within_and_given_back_at_the_end():
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def faults() -> int:
        """Pages that tensors of 16 MB and their end make anew."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            torch.ones(1 << 22)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with memory_kept():
        with memory_kept():
            faults()
        faults()
        assert faults() < 100  # the outer one's still there
        peak = resident()
    assert resident() < peak - (8 << 20)


AFTER = """
import json, resource
import torch
from poseaug_core.device import memory_kept

torch.set_num_threads(1)

def faults(floats):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(floats)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def all_faults():
    for _ in range(2):
        found = [faults(mib << 18) for mib in (1, 4, 16)]
    return found

before = all_faults()
with memory_kept():
    all_faults()
print(json.dumps([before, all_faults()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
@pytest.mark.parametrize("name", ["", "MALLOC_TRIM_THRESHOLD_"])
def test_after_memory_was_kept_tensors_cost_no_more_than_before(name):
    """glibc has learnt from the first tensors to keep the memory of those to come, and may not unlearn it.

    What a user has set is left: here, that everything goes back at once.
    """
    done = subprocess.run(
        [sys.executable, "-c", AFTER],
        cwd=Path(__file__).parents[2],
        env=os.environ | ({name: "0", "MALLOC_MMAP_THRESHOLD_": "65536"} if name else {}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    if name:
        assert min(before) > 20 * 200 and min(after) > 20 * 200
    else:
        assert max(before) < 100 and max(after) < 100, done.stdout
