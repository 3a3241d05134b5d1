"""Estimators as networks, as files of any kind, as ONNX, and as a class of the user's own."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from poseaug_core import onnx_files
from poseaug_core.checkpoints import write_checkpoint
from poseaug_core.cli import main
from poseaug_core.config import make_config
from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS, make_estimator, own, training_defaults
from poseaug_core.estimators.own import name_own
from poseaug_core.evaluation import evaluate
from poseaug_core.readers import read_poses
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.trained import open_estimator
from poseaug_core.weights import read_weights
from tests.core.small import SMALL, small_poses

ROOT = Path(__file__).parents[2]
OFFICIAL = "official/gcn_gt_poseaug_ckpt_best_dhp_p1.pth.tar"
PARAMETERS = {"simple_baseline": 4_288_557, "semgcn": 267_343, "st_gcn": 3_627_847, "vpose": 8_485_933}


def some_uv(batch: int = 6) -> torch.Tensor:
    return torch.empty(batch, 16, 2).uniform_(-0.8, 0.8, generator=torch.Generator().manual_seed(5))


def poseaug(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


# networks


def test_published_sizes():
    for name in ESTIMATORS:
        assert sum(weight.numel() for weight in make_estimator(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_batch_of_one(name):
    """In evaluation its answer is the one it has among others; in training it has an answer, and a gradient."""
    estimator, uv = make_estimator(name, 16), some_uv()
    for _ in range(3):
        estimator.train()(uv, torch.Generator().manual_seed(0))  # running statistics other than 0 and 1
    estimator.eval()
    torch.testing.assert_close(estimator(uv[2:3]), estimator(uv)[2:3], atol=1e-6, rtol=1e-5)
    one = uv[:1].clone().requires_grad_()
    answer = estimator.train()(one, torch.Generator().manual_seed(0))
    assert answer.shape == (1, 16, 3) and answer.isfinite().all()
    answer.square().sum().backward()
    assert one.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ESTIMATORS)
def test_gradients_reach_the_input_and_every_weight(name):
    estimator, uv = make_estimator(name, 16).train(), some_uv().requires_grad_()
    if name == "st_gcn":  # starts at zero, so that nothing behind it learns at first
        torch.nn.init.ones_(estimator.stgcn.non_local.W[1].weight)
    estimator(uv, torch.Generator().manual_seed(0)).square().sum().backward()
    assert (uv.grad.abs().flatten(1).sum(1) > 0).all()
    # A bias before a batch norm has no effect and no gradient: those of SimpleBaseline's hidden layers.
    learning = {
        n: w for n, w in estimator.named_parameters() if not re.fullmatch(r"(linear_stages.*)?w1.bias|.*\..*w2.bias", n)
    }
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in learning.values())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_dropout_comes_from_the_generator_alone(name):
    estimator, uv = make_estimator(name, 16).train(), some_uv()
    answers = [estimator(uv, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    before = torch.random.get_rng_state()
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2]) == (name == "semgcn")  # which has none
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_bfloat16_is_close(name):
    estimator, uv = make_estimator(name, 32).eval(), some_uv(32)
    exact = estimator(uv)
    with torch.autocast("cpu", torch.bfloat16):
        rough = estimator(uv)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()


def test_a_graph_gathers_from_its_neighbours_alone():
    """One layer of SemGCN moves a joint's change to itself, its parent and its children."""
    conv = make_estimator("semgcn", 8).gconv_output
    x = torch.zeros(16, 1, 8)
    changed = x.clone()
    changed[1] += 1  # the right hip: pelvis 0 and right knee 2 are next to it
    moved = (conv(changed) - conv(x)).abs().sum((1, 2)).nonzero()[:, 0].tolist()
    assert moved == [0, 1, 2]


def test_training_defaults():
    assert training_defaults("semgcn") == {"pretrain_epochs": 100, "pretrain_lr": 2e-2, "lr_estimator": 1e-3}
    assert training_defaults("vpose") == training_defaults("my.py:Net")
    with pytest.raises(UserError, match="no estimator 'resnet'; choose one of simple_baseline, semgcn"):
        make_estimator("resnet")


# files


def a_state(name: str) -> dict[str, torch.Tensor]:
    """Of a narrow network, with values that half precision holds."""
    state = make_estimator(name, 16).state_dict()
    return {key: value.half().float() if value.is_floating_point() else value for key, value in state.items()}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    "form", ["state_dict", "model_pos", "bare", "old format", "data parallel", "double", "half", "no counters"]
)
def test_checkpoints_of_every_kind(tmp_path, name, form):
    state = a_state(name)
    change = {
        "data parallel": lambda: {f"module.{key}": value for key, value in state.items()},
        "double": lambda: {k: v.double() if v.is_floating_point() else v for k, v in state.items()},
        "half": lambda: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
        "no counters": lambda: {k: v for k, v in state.items() if "num_batches" not in k},
    }
    held = OrderedDict(change.get(form, lambda: state)())
    network = make_estimator(name, 16)
    optimizer = torch.optim.Adam(network.parameters())
    beside = {"epoch": 7, "lr": 1e-4, "error": np.float64(43.2), "errors": np.ones(3), "step": None,
              "optimizer": optimizer.state_dict(), "model_aug": {"w": torch.ones(2)}}  # fmt: skip
    entry = "model_pos" if form in ("model_pos", "half") else "state_dict"
    saved = held if form == "bare" else {entry: held, **beside}
    path = tmp_path / "simple_vpose_gcn.pth.tar"  # a name that says nothing
    torch.save(saved, path, _use_new_zipfile_serialization=form != "old format")
    weights, kind = read_weights(path)
    assert kind == {"name": name, "width": 16}
    assert weights.keys() == state.keys() and all(torch.equal(weights[key], state[key]) for key in state)
    opened = open_estimator(path)
    network.load_state_dict(state)
    assert torch.equal(opened.network(some_uv()), network.eval()(some_uv()))


def test_safetensors_without_a_word_of_ours(tmp_path):
    save_file(a_state("st_gcn"), tmp_path / "a.safetensors")
    assert read_weights(tmp_path / "a.safetensors")[1] == {"name": "st_gcn", "width": 16}


class Runs:
    """Pickles to a call of os.system."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def hostile(path: Path, kind: str) -> None:
    """Write the file that is to be refused."""
    touch = Runs(f"touch {path.parent / 'ran'}")
    if kind in ("code", "code, old format"):
        torch.save({"state_dict": touch}, path, _use_new_zipfile_serialization=kind == "code")
    elif kind == "bare pickle":
        path.write_bytes(pickle.dumps(touch, protocol=2))
    elif kind == "whole model":
        torch.save(make_estimator("semgcn", 8), path)
    elif kind == "truncated":
        torch.save({"state_dict": a_state("semgcn")}, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "truncated, old format":
        torch.save({"state_dict": a_state("semgcn")}, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.touch()
    elif kind == "bomb":
        torch.save({"state_dict": a_state("semgcn")}, path)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data/999", bytes(50_000_000))
    elif kind == "nothing in it":
        torch.save({"epoch": 3, "best": 4.0}, path)
    elif kind == "no dict":
        torch.save([torch.ones(3)], path)
    elif kind == "other network":
        torch.save({"state_dict": torch.nn.Linear(3, 4).state_dict()}, path)
    elif kind == "non-local":
        torch.save({"state_dict": a_state("semgcn") | {"nonlocal.g.weight": torch.ones(3)}}, path)
    elif kind == "deeper":
        state = a_state("simple_baseline")
        torch.save({"state_dict": state | {"linear_stages.2.w1.weight": torch.ones(16, 16)}}, path)


HOSTILE = {
    "code": r"wants to run (posix|os|nt)\.system .* refused; save only the state_dict",
    "code, old format": r"wants to run (posix|os|nt)\.system",
    "bare pickle": r"wants to run (posix|os|nt)\.system",
    "whole model": r"wants to run poseaug_core\.estimators\.semgcn\.SemGCN",
    "truncated": r"cut short; copy",
    "truncated, old format": r"cut short; copy",
    "text": r"is not a checkpoint",
    "empty": r"is not a checkpoint",
    "bomb": r"unpacks to 50,\d{3},\d{3} bytes from",
    "nothing in it": r"no weights under model_pos or state_dict \(it has epoch, best\)",
    "no dict": r"holds a list, not the weights",
    "other network": r"holds no estimator known here",
    "non-local": r"nearest to semgcn, but nonlocal.g.weight is of shape \(3,\) in it and not there in that one",
    "deeper": r"nearest to simple_baseline, but linear_stages.2.w1.weight",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_holds_no_estimator_is_refused(tmp_path, kind):
    path = tmp_path / "bad.pth.tar"
    hostile(path, kind)
    for words in (
        ["evaluate", path, "--on", "demo:cross"],
        ["export", "estimator", path, "--out", tmp_path / "x.onnx"],
    ):
        done = poseaug(*words)
        assert done.exit_code == 2, (done.output, done.exception)
        assert re.search(HOSTILE[kind], done.stderr), done.stderr
        assert len(done.stderr.splitlines()) == 1 and str(path) in done.stderr
    assert list(tmp_path.iterdir()) == [path], "nothing ran, nothing was written"


def test_names_that_lead_nowhere(tmp_path):
    (tmp_path / "run").mkdir()
    for name, sentence in {
        "nope": "nope does not exist; name a run folder or a checkpoint",
        "nope.onnx": "nope.onnx does not exist",
        "run": "run has no checkpoint yet",
        "poses.npz": "poses.npz: .npz files hold no estimator",
    }.items():
        done = poseaug("evaluate", tmp_path / name, "--on", "demo:cross")
        assert done.exit_code == 2 and sentence in done.stderr
    (tmp_path / "run" / "checkpoints").mkdir()
    done = poseaug("evaluate", tmp_path / "run" / "checkpoints", "--on", "demo:cross")
    assert done.exit_code == 2 and "has no checkpoint yet" in done.stderr


def test_training_from_an_authors_checkpoint(tmp_path):
    """It is what the run starts from; another estimator than the one asked for is named."""
    write_arrays(small_poses(), tmp_path / "source.npz")
    state = a_state("st_gcn")
    torch.save({"model_pos": state}, tmp_path / "a.pth.tar")
    flags = {**SMALL, "epochs": 0, "source": tmp_path / "source.npz", "estimator_weights": tmp_path / "a.pth.tar"}
    words = ["train", *(word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value))]
    done = poseaug(*words, "--estimator", "st_gcn", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    trained = open_estimator(tmp_path / "run")
    assert trained.kind == {"name": "st_gcn", "width": 16}
    assert all(torch.equal(value, state[key]) for key, value in trained.network.state_dict().items())
    done = poseaug(*words, "--estimator", "semgcn", "--out", tmp_path / "other")
    assert done.exit_code == 2 and "holds a st_gcn 16 wide, which does not fit this semgcn 16 wide" in done.stderr
    assert not (tmp_path / "other").exists()


# the authors' file


def test_the_authors_checkpoint_equals_its_onnx_twin(reference, mocap):
    pytest.importorskip("onnxruntime")
    ours, twin = open_estimator(reference / OFFICIAL), open_estimator(reference / "official" / "gcn_poseaug.onnx")
    assert ours.kind == {"name": "semgcn", "width": 128}
    uv = read_poses(str(mocap / "bench" / "cross_dev.npz")).uv[::8]
    with torch.no_grad():
        assert (ours.network(uv) - twin.network(uv)).abs().max() < 1e-4


def test_the_authors_checkpoint_errs_as_their_code_says(reference, mocap):
    """Figures of their own evaluation, flip-averaged."""
    poses = read_poses(str(mocap / "bench" / "cross_dev.npz"))
    found = evaluate(open_estimator(reference / OFFICIAL).network, poses, flip=True)
    for name, figure in {"mpjpe": 143.4, "pa_mpjpe": 102.7, "pck150": 64.9, "auc": 34.6}.items():
        assert found[f"poseaug16/{name}"] == pytest.approx(figure, abs=0.06)
    told = poseaug("info", reference / OFFICIAL)
    assert "semgcn, 128 wide" in told.stdout


# ONNX


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    """Each estimator, narrow, as .safetensors, with its ONNX file beside."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("onnx")
    for name in ESTIMATORS:
        tensors = {f"estimator.{key}": value for key, value in a_state(name).items()}
        write_checkpoint(folder / f"{name}.safetensors", tensors, {"estimator": {"name": name, "width": 16}})
        done = poseaug("export", "estimator", folder / f"{name}.safetensors", "--out", folder / f"{name}.onnx")
        assert done.exit_code == 0, done.output
        told = r"opset 18; its answers are at most (0|\de-\d\d) m from the network's"
        assert re.search(told, done.stdout), done.stdout
    return {name: folder / f"{name}.onnx" for name in ESTIMATORS}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_onnx_answers_as_its_network_at_any_batch(exported, name):
    network = open_estimator(exported[name].with_suffix(".safetensors")).network
    onnx = open_estimator(exported[name]).network
    for batch in (1, 2, 33):
        assert (onnx(some_uv(batch)) - network(some_uv(batch))).abs().max() < 1e-5


def test_onnx_says_what_it_is_and_evaluates(exported, tmp_path):
    told = poseaug("info", exported["semgcn"]).stdout
    assert "metres" in told and "left wrist" in told and "semgcn" in told
    assert str(ROOT).encode() not in exported["semgcn"].read_bytes(), "no path of the machine that wrote it"
    poses = small_poses(20)
    write_arrays(poses, tmp_path / "p.npz")
    done = poseaug("evaluate", exported["semgcn"], "--on", tmp_path / "p.npz", "--json")
    expected = evaluate(open_estimator(exported["semgcn"].with_suffix(".safetensors")).network, poses, flip=True)
    found = json.loads(done.stdout)["sets"][0]["metrics"]
    assert found == pytest.approx(expected, abs=1e-2)
    done = poseaug("export", "estimator", exported["semgcn"], "--out", tmp_path / "again.onnx")
    assert done.exit_code == 2 and "is ONNX already" in done.stderr


def test_onnx_refusals_leave_nothing(exported, tmp_path, monkeypatch):
    network = make_estimator("simple_baseline", 8)
    with monkeypatch.context() as patch:
        patch.setattr(onnx_files, "TOLERANCE", -1.0)
        with pytest.raises(UserError, match="m from the network itself, the limit is"):
            onnx_files.write_onnx(network, tmp_path / "a.onnx", "net")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnx", None)
        patch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(UserError, match=r"needs the package onnx.*poseaug-studio\[onnx\]"):
            onnx_files.write_onnx(network, tmp_path / "a.onnx", "net")
        with pytest.raises(UserError, match=r"Running ONNX files needs the package onnxruntime"):
            open_estimator(exported["semgcn"])
    assert list(tmp_path.iterdir()) == [] and network.training
    (tmp_path / "cut.onnx").write_bytes(exported["semgcn"].read_bytes()[:3000])
    with pytest.raises(UserError, match="cut.onnx cannot be run as ONNX"):
        open_estimator(tmp_path / "cut.onnx")
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "other.onnx")
    with pytest.raises(UserError, match="but an estimator takes uv"):
        open_estimator(tmp_path / "other.onnx")


# the user's own

README = (ROOT / "README.md").read_text()


@pytest.fixture
def example(tmp_path, monkeypatch) -> Path:
    """The README's example as a file; nothing is named yet."""
    (code,) = re.findall(r"```python\n(\"\"\"my_net\.py\"\"\".*?)```", README, re.DOTALL)
    (tmp_path / "my_net.py").write_text(code)
    monkeypatch.setattr(own, "_named", set())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my_net.py"


def test_the_readme_example_trains_resumes_and_evaluates(example, tmp_path, monkeypatch):
    assert len(example.read_text().strip().splitlines()) <= 25
    write_arrays(small_poses(), tmp_path / "source.npz")
    flags = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = poseaug("train", "--source", "source.npz", "--estimator", "my_net.py:MyNet", *flags, "--out", "run")
    assert done.exit_code == 0, done.output
    run = Run.open("run")
    assert run.config.estimator == f"{example}:MyNet"
    assert run.load_checkpoint()[1]["estimator"]["name"] == f"{example}:MyNet"
    words = ["evaluate", "run", "--on", "source.npz"]
    assert poseaug(*words, "--estimator", "my_net.py:MyNet").exit_code == 0
    assert poseaug("train", "--resume", "run", "--estimator", "my_net.py:MyNet").exit_code == 0
    done = poseaug("train", "--resume", "run", "--estimator", "my_net.py:Other")
    assert done.exit_code == 2 and "is a run of the estimator" in done.stderr
    out = tmp_path / "mine.safetensors"
    assert poseaug("export", "estimator", "run", "--out", out, "--estimator", "my_net.py:MyNet").exit_code == 0
    assert read_weights(out)[1] == {"name": f"{example}:MyNet", "width": 16}
    monkeypatch.setattr(own, "_named", set())
    for again in (words, ["train", "--resume", "run"], ["evaluate", out, "--on", "source.npz"]):
        done = poseaug(*again)
        assert done.exit_code == 2, done.output
        assert f"runs only when you name it: add --estimator {example}:MyNet" in done.stderr


def test_code_that_a_file_names_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "_named", set())
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    meta = {"estimator": {"name": f"{tmp_path / 'evil.py'}:Net", "width": 8}}
    write_checkpoint(tmp_path / "a.safetensors", {"estimator.w": torch.ones(2)}, meta)
    write_arrays(small_poses(), tmp_path / "source.npz")
    with pytest.raises(UserError, match="runs only when you name it"):
        open_estimator(tmp_path / "a.safetensors")
    (tmp_path / "my.toml").write_text(f"estimator = '{tmp_path / 'evil.py'}:Net'\nsource = '{tmp_path / 'source.npz'}'")
    done = poseaug("train", "--config", tmp_path / "my.toml", "--out", tmp_path / "run")
    assert done.exit_code == 2 and "runs only when you name it" in done.stderr
    assert not (tmp_path / "ran").exists() and not (tmp_path / "run").exists()


HEAD = "import torch\nfrom torch import nn\n"
LINEAR = "class Net(nn.Module):\n def __init__(self, width=8):\n  super().__init__()\n  self.a = nn.Linear(32, 48)\n"
GOOD = " def forward(self, uv, generator=None):\n  return self.a(uv.flatten(1)).unflatten(1, (16, 3))\n"
BAD = {
    "syntax": ("class Net(", r"my.py cannot be run \(SyntaxError: .*\); mend"),
    "raises": ("1 / 0", r"cannot be run \(ZeroDivisionError: division by zero\)"),
    "no class": ("class Other(nn.Module): pass", r"no torch.nn.Module called 'Net'; it has Other"),
    "no module": ("class Net: pass", r"no torch.nn.Module called 'Net'; it has none"),
    "no width": (LINEAR.replace(", width=8", "") + GOOD, r"be made 16 wide \(TypeError.*give its __init__ a width"),
    "no weights": (LINEAR.split("  self.a")[0] + GOOD, r"no weights to train"),
    "no generator": (LINEAR + GOOD.replace(", generator=None", ""), r"on a batch of 1 in evaluation \(TypeError"),
    "45 numbers": (LINEAR.replace("48", "45") + GOOD, r"fails on a batch of 1 in evaluation \(RuntimeError"),
    "wrong shape": (LINEAR + GOOD.replace("(16, 3)", "(3, 16)"), r"answers a batch of 1 with \(1, 3, 16\), but"),
    "drops one": (LINEAR + GOOD.replace("uv.flatten", "uv[:1].flatten"), r"answers a batch of 4 with \(1, 16, 3\)"),
    "no tensor": (LINEAR + GOOD.replace("return", "return 3 #"), r"answers a batch of 1 with int"),
    "NaN": (LINEAR + GOOD.replace("(16, 3))", "(16, 3)) / 0"), r"NaN or infinite numbers on a batch of 1"),
    "own dice": (LINEAR + GOOD.replace("self.a(", "self.a(torch.nn.functional.dropout(").replace(
        "flatten(1))", "flatten(1), 0.5, self.training))"), r"draws random numbers of its own"),
    "detached": (LINEAR + GOOD.replace("uv.flatten", "uv.detach().flatten"), r"passes no gradient on"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_estimators_are_explained(tmp_path, monkeypatch, kind):
    code, sentence = BAD[kind]
    monkeypatch.setattr(own, "_named", set())
    (tmp_path / "my.py").write_text(HEAD + code)
    with pytest.raises(UserError, match=sentence):
        make_estimator(name_own(f"{tmp_path / 'my.py'}:Net"), 16)


def test_a_missing_file_and_a_wrong_name(tmp_path):
    with pytest.raises(UserError, match="none.py does not exist"):
        make_estimator(name_own(f"{tmp_path / 'none.py'}:Net"))
    done = poseaug("evaluate", "x", "--on", "y", "--estimator", "semgcn")
    assert done.exit_code == 2 and "leave it out, or name a class of your own" in done.stderr


def test_checking_does_not_change_what_training_draws(example):
    """A network that was tried has the weights of one that was not."""
    torch.manual_seed(3)
    tried = make_estimator(name_own(f"{example}:MyNet"), 16)
    after = torch.rand(())
    torch.manual_seed(3)
    plain = own.own_class(f"{example}:MyNet")(16)
    assert all(torch.equal(a, b) for a, b in zip(tried.state_dict().values(), plain.state_dict().values(), strict=True))
    assert torch.equal(after, torch.rand(()))


def test_config_keeps_the_published_width_until_told():
    assert make_config(estimator="semgcn").estimator_width == 0
    assert make_estimator("semgcn", 0).gconv_output.W.shape == (2, 128, 3)
