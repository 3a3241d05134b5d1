"""Inference: folded networks answer as the networks do, in any batch, in any number of threads, and in order."""

from __future__ import annotations

import threading

import pytest
import torch

from poseaug_core import inference
from poseaug_core.device import threads, use_threads
from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS, make_estimator
from poseaug_core.geometry import mirror
from poseaug_core.inference import Folded, Inference, has_bfloat16, in_order
from poseaug_core.skeleton import HUMAN16

UV = 0.4 * torch.randn(700, 16, 2, generator=torch.Generator().manual_seed(0))


def trained(name: str, width: int = 0) -> torch.nn.Module:
    """A network whose batch norms have seen something, and scale and shift; about a metre large."""
    torch.manual_seed(1)
    network = make_estimator(name, width)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    for _ in range(5):
        network.train()(UV[:256])
    return network.eval()


@pytest.mark.parametrize("name", ["simple_baseline", "vpose"])
@pytest.mark.parametrize("width", [0, 40])
def test_folding_changes_no_answer_by_a_hundredth_of_a_millimetre(name, width):
    network = trained(name, width)
    with torch.no_grad():
        expected = network(UV)
        size = expected.norm(dim=-1).max()
        apart = (Folded(network)(UV) - expected).norm(dim=-1).max() / size
    assert apart < 1e-5 and size > 0.1


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("flip", [False, True])
def test_answers_are_the_networks_from_the_root_averaged_with_the_mirrored(name, flip):
    network = trained(name, 32 if name != "st_gcn" else 0)
    uv = UV[:70]
    with torch.no_grad():
        expected = network(uv)
        if flip:
            expected = (expected + mirror(network(mirror(uv, HUMAN16.mirror)), HUMAN16.mirror)) / 2
        expected = expected - expected[:, :1]
    torch.testing.assert_close(Inference(network).answer(uv, flip), expected, atol=1e-5, rtol=1e-5)


def test_rows_do_not_depend_on_those_beside_them(monkeypatch):
    ready = Inference(trained("simple_baseline", 64))
    whole = ready.answer(UV, True)
    monkeypatch.setattr(inference, "ROWS", 26)
    torch.testing.assert_close(ready.answer(UV, True), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ready.answer(UV[5:6], True), whole[5:6], atol=1e-5, rtol=1e-5)


def test_a_network_that_is_changed_later_does_not_change_what_was_made_ready():
    network = trained("vpose", 16)
    ready = Inference(network)
    before = ready.answer(UV, False)
    with torch.no_grad():
        network.shrink.weight.zero_()
    assert torch.equal(ready.answer(UV, False), before) and before.abs().max() > 0


def test_a_network_of_the_users_own_is_asked_by_one_thread_as_it_is():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(32, 48)

        def forward(self, uv, generator=None):
            return self.layer(uv.flatten(1)).unflatten(1, (16, 3))

    ready = Inference(Own())
    assert ready.workers == 1 and ready.answer(UV, True).shape == (700, 16, 3)
    with pytest.raises(UserError, match="this estimator is another; use float32"):
        Inference(Own(), "bfloat16")


def test_precisions_are_refused_in_a_sentence(monkeypatch):
    network = trained("simple_baseline", 16)
    with pytest.raises(UserError, match="lift in float32 or bfloat16, not in 'float8'; choose one"):
        Inference(network, "float8")
    monkeypatch.setattr(inference, "has_bfloat16", lambda: False)
    with pytest.raises(UserError, match="no products of bfloat16"):
        Inference(network, "bfloat16")


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU multiplies no bfloat16 numbers")
def test_bfloat16_answers_nearly_the_same_and_not_the_same():
    network = trained("simple_baseline", 128)
    exact, near = (Inference(network, kind).answer(UV, True) for kind in ("float32", "bfloat16"))
    apart = (near - exact).norm(dim=-1).mean() / exact.norm(dim=-1).mean()
    assert 1e-5 < apart < 0.05


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items_and_few_items_wait(workers):
    taken, seen = [], []

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        threading.Event().wait(0.002 if number % 3 == 0 else 0)
        return number * number

    for number, result in enumerate(in_order(work, items(), workers)):
        assert result == number * number
        seen.append(len(taken) - number)
    assert max(seen) <= workers * (1 + inference.AHEAD) + 2


def test_threads_end_and_torch_keeps_its_own_also_after_a_failure():
    number, alive = threads(), threading.active_count()

    def fail(number: int) -> int:
        if number == 5:
            raise UserError("five")
        return number

    with pytest.raises(UserError, match="five"):
        list(in_order(fail, range(50), 2))
    stopped = in_order(lambda number: number, range(50), 2)
    next(stopped)
    stopped.close()
    assert threads() == number and threading.active_count() == alive


@pytest.fixture
def threads_of_others():
    """How many threads torch uses in a thread that starts now; three, whatever the machine has, at first."""

    def told() -> int:
        found = []
        new = threading.Thread(target=lambda: found.append(threads()))
        new.start()
        new.join()
        return found[0]

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    assert told() == 3
    yield told
    torch.set_num_threads(before)


def test_threads_that_start_meanwhile_have_torchs_number_and_workers_one(threads_of_others):
    def work(number: int) -> tuple[int, int]:
        torch.ones(200, 200) @ torch.ones(200, 200)
        return torch.get_num_threads(), threads_of_others()

    one, other = in_order(work, range(9), 2), in_order(work, range(9), 2)  # one ends within the other
    assert [next(one), next(other), *one, *other] == [(1, 3)] * 18
    assert threads() == threads_of_others() == 3


def test_a_training_has_its_own_number_and_leaves_that_of_others(threads_of_others):
    def train() -> None:
        use_threads(2)
        torch.ones(200, 200) @ torch.ones(200, 200)
        found.append(torch.get_num_threads())

    found: list[int] = []
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [2] and threads_of_others() == 3
