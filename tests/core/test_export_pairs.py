"""Augmented pairs as files: made in parts as an epoch of training makes them, whole, or not at all."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from poseaug_core import augmenting
from poseaug_core.augmenting import augmented_pairs, held, open_source
from poseaug_core.augmentor import Augmentor
from poseaug_core.cli import main
from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.datasets import fingerprint, load_data
from poseaug_core.epoch import Epoch
from poseaug_core.errors import UserError
from poseaug_core.poses import COLUMNS, Poses
from poseaug_core.readers.array_writer import ArrayFile
from poseaug_core.readers.arrays import read_arrays, write_arrays
from poseaug_core.resident import Resident
from poseaug_core.runs import Run
from poseaug_core.skeleton import HUMAN16
from tests.core.small import small_config, small_poses

CONTROLS = Controls()


def augmentor_of(seed: int = 0, depth: float = 2.2) -> Augmentor:
    """One that has learnt to leave most poses in the image."""
    torch.manual_seed(seed)
    augmentor = Augmentor()
    with torch.no_grad():
        for head in augmentor.heads:
            head.weight.mul_(0.4)
        augmentor.heads[3].bias.copy_(torch.tensor([0.0, 0.0, depth]))
    return augmentor


def weights(augmentor: Augmentor) -> dict[str, torch.Tensor]:
    return {f"augmentor.{key}": value.clone() for key, value in augmentor.state_dict().items()}


@pytest.fixture
def parts(monkeypatch):
    """Files are read so few poses at a time that batches lie across the parts."""
    monkeypatch.setattr(augmenting, "PART", 7)
    monkeypatch.setattr(augmenting, "PASSED", 11)


@pytest.fixture
def run(tmp_path) -> Run:
    """A run on a file, one clip of which is held out, with an augmentor as its checkpoint."""
    source = replace(small_poses(50, 1), notes=("two clips were left out", "it was dark"))
    write_arrays(source, tmp_path / "source.npz")
    return made_run(small_config(source=str(tmp_path / "source.npz")), tmp_path / "run")


def made_run(config: Config, path, **augmentor) -> Run:
    run = Run.create(path, config, load_data(config).summary())
    run.save_checkpoint("latest", weights(augmentor_of(**augmentor)), {"step": 1})
    return run


def whole_epoch(config: Config, tensors: dict, source: Poses, templates: torch.Tensor, seed: int) -> Poses:
    """As an epoch of training makes them, all in memory and one batch after the other."""
    augmentor = Augmentor(config.fix_trunk).train()
    augmentor.load_state_dict({key.removeprefix("augmentor."): value for key, value in tensors.items()})
    generator, batch = torch.Generator().manual_seed(seed), min(config.batch_size, len(source))
    epoch = Epoch(Resident(source), templates if config.swap_bone_lengths else None, batch)
    epoch.begin_pass(generator, swap=True)
    epoch.order = torch.arange(len(source))
    with torch.no_grad():
        for i in range(-(-len(source) // batch)):
            rows, xyz, _, camera = epoch.swapped(i)
            epoch.collect(i, augmentor(xyz, camera, augmentor.draw(rows, generator)), config.keep_rule)
    rows = epoch.usable[: len(source)].nonzero()[:, 0]
    return replace(source.take(rows), xyz=epoch.collected_xyz[rows], uv=epoch.collected_uv[rows])


def joined(made) -> Poses:
    return augmenting._joined(list(made))


def export(run: Run, out, *words: object):
    return CliRunner().invoke(main, ["export", "pairs", str(run.path), "--out", str(out), "--json", *map(str, words)])


@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("rule", ["released", "inside"])
@pytest.mark.parametrize("threads", [1, 2])
def test_parts_make_what_a_whole_epoch_makes(swap, rule, threads, parts):
    """Bit for bit: lengths, noise and normalisation of every batch, of which the last wraps around."""
    config = small_config(swap_bone_lengths=swap, keep_rule=rule)
    source, tensors = small_poses(50, 1), weights(augmentor_of())
    templates = source.bone_templates()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = joined(augmented_pairs(config, CONTROLS, tensors, held(source, templates), 3))
    finally:
        torch.set_num_threads(before)
    expected = whole_epoch(config, tensors, source, templates, 3)
    assert 0 < len(made) == len(expected) < 50
    for name in COLUMNS:
        assert torch.equal(getattr(made, name), getattr(expected, name)), name


@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("suffix", ["npz", "h5"])
@pytest.mark.parametrize("count", [0, 20])
def test_files_are_read_and_written_in_parts_with_the_same_pairs(tmp_path, swap, suffix, count, parts, monkeypatch):
    source = replace(small_poses(50, 1), notes=("two clips were left out", "it was dark"))
    place = write_arrays(source, tmp_path / f"source.{suffix}")
    config = small_config(source=str(place), swap_bone_lengths=swap)
    run, data = made_run(config, tmp_path / "run"), load_data(config)
    monkeypatch.setattr(augmenting, "load_data", lambda *given: pytest.fail("all of the source is read into memory"))
    done = export(run, tmp_path / f"pairs.{suffix}", "--seed", 3, "--count", count)
    assert done.exit_code == 0, done.output
    made, told = read_arrays(tmp_path / f"pairs.{suffix}"), json.loads(done.stdout)
    chosen = data.source.take(data.source.spread(count)) if count else data.source
    expected = whole_epoch(config, run.load_checkpoint()[0], chosen, data.templates, 3)
    assert told["pairs"] == len(made) == len(expected) and told["of"] == len(chosen) == (count or 40)
    # Means of a subject's bone lengths are summed in another order.
    assert torch.allclose(made.xyz, expected.xyz, atol=1e-5) and torch.allclose(made.uv, expected.uv, atol=1e-5)
    assert torch.equal(made.tag, expected.tag) and torch.equal(made.camera, expected.camera)
    assert made.clips == source.clips and made.notes == source.notes


def test_templates_in_parts_are_the_mean_lengths_of_each_subject(run, parts):
    data = load_data(run.config)
    source = open_source(run.config, run.data, "run")
    assert len(source.head) == 0 and torch.allclose(source.templates, data.templates, atol=1e-6)


@pytest.mark.parametrize("clips", [1, 3, 12])
@pytest.mark.parametrize("tested", [True, False])
def test_what_is_held_out_is_left_out_of_the_parts_too(tmp_path, clips, tested, parts):
    poses = small_poses(120, 1)
    poses.tag[:, 1] = torch.arange(120) * clips // 120
    write_arrays(poses, tmp_path / "source.h5")
    write_arrays(small_poses(20, 2), tmp_path / "test.h5")
    config = small_config(source=str(tmp_path / "source.h5"), source_test=str(tmp_path / "test.h5") if tested else "")
    data = load_data(config)
    source = open_source(config, data.summary(), "run")
    assert len(source.head) == 0 and len(source) == len(data.source) == (120 if tested else len(data.source))
    assert fingerprint(joined(source.parts())) == fingerprint(data.source)
    assert fingerprint(joined(source.spread(33).parts())) == fingerprint(data.source.take(data.source.spread(33)))


@pytest.mark.parametrize("augmentation", ["random", "evolution"])
def test_baselines_make_pairs_of_files_too(tmp_path, augmentation):
    write_arrays(small_poses(50, 1), tmp_path / "source.npz")
    config = small_config(source=str(tmp_path / "source.npz"), augmentation=augmentation, evolution_size=0.2)
    run = made_run(config, tmp_path / "run")
    for count, most in ((0, 40), (20, 20)):
        done = export(run, tmp_path / "pairs.h5", "--count", count)
        assert done.exit_code == 0, done.output
        assert 0 < len(read_arrays(tmp_path / "pairs.h5")) <= most


@pytest.mark.parametrize("swap", [True, False])
def test_exported_pairs_have_swapped_bone_lengths(swap):
    """With the stretching of bones off, lengths are those of a template, or the pose's own."""
    controls = Controls(apply_ba=False, apply_bl=False, apply_rt=False)
    source = held(small_poses(40, 1), torch.full((1, 15), 0.31))
    config = small_config(swap_bone_lengths=swap)
    made = joined(augmented_pairs(config, controls, weights(augmentor_of()), source, 0))
    found = (HUMAN16.lengths(made.xyz) - 0.31).abs().max() < 1e-4
    assert bool(found) is swap


def test_other_numbers_than_the_run_began_with_are_refused(run, tmp_path):
    source = read_arrays(run.config.source)
    source.uv[3] += 0.01
    write_arrays(source, run.config.source)
    done = export(run, tmp_path / "pairs.h5")
    assert done.exit_code == 2 and "poses with other numbers; put the file back" in done.stderr
    assert not (tmp_path / "pairs.h5").exists()


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_where_no_pair_is_left_no_file_is(tmp_path, suffix):
    """Bodies below the image."""
    write_arrays(small_poses(50, 1), tmp_path / "source.npz")
    run = made_run(small_config(source=str(tmp_path / "source.npz")), tmp_path / "run", depth=0.01)
    (tmp_path / f"pairs.{suffix}").write_text("what was there")
    before = sorted(tmp_path.iterdir())
    done = export(run, tmp_path / f"pairs.{suffix}")
    assert done.exit_code == 2 and "None of the 40 augmented poses lies inside the image" in done.stderr
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / f"pairs.{suffix}").read_text() == "what was there"


@pytest.mark.parametrize("during", ["looking at source.npz", "augmenting source"])
def test_cancelled_in_reading_or_augmenting_nothing_is_left(run, tmp_path, during, monkeypatch):
    from poseaug_core.commands import export as command

    told = []

    class Bar:
        def __enter__(self):
            return lambda share, text: told.append((share, text)) or text != during or share < 0.3

        def __exit__(self, *error):
            return False

    monkeypatch.setattr(augmenting, "PART", 7)
    monkeypatch.setattr(command, "progress_bar", Bar)
    before = sorted(tmp_path.iterdir())
    done = export(run, tmp_path / "pairs.npz")
    assert done.exit_code == 130 and done.stderr == "Stopped.\n"
    assert told[-1][1] == during and sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["pairs.h5", "pairs.npz"])
def test_a_disk_that_fills_is_told_in_a_sentence_and_has_no_part_of_a_file(run, tmp_path, name, parts, monkeypatch):
    add = ArrayFile.add

    def full(self, seen):
        if len(self):
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, seen)

    monkeypatch.setattr(ArrayFile, "add", full)
    before = sorted(tmp_path.iterdir())
    done = export(run, tmp_path / name)
    assert done.exit_code == 2 and f"{name} cannot be written: its disk has" in done.stderr, done.output
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_without_the_room_is_refused_before_augmenting(run, tmp_path, monkeypatch):
    monkeypatch.setattr("poseaug_core.storage.free_bytes", lambda path: 70_000)
    assert export(run, tmp_path / "pairs.npz").exit_code == 2
    monkeypatch.setattr("poseaug_core.storage.free_bytes", lambda path: 110_000)
    assert export(run, tmp_path / "pairs.npz").exit_code == 0


def test_what_cannot_be_written_is_refused_before_anything_is_read(run, tmp_path, monkeypatch):
    monkeypatch.setattr(augmenting, "open_source", lambda *given: pytest.fail("it was read"))
    for out, reason in (("pairs.txt", "end the name in"), ("nowhere/pairs.h5", "does not exist; make it first")):
        done = export(run, tmp_path / out)
        assert done.exit_code == 2 and reason in done.stderr
    assert "--count is -1" in export(run, tmp_path / "pairs.h5", "--count", -1).stderr


def test_the_source_is_not_written_over(run, tmp_path):
    before = Path(run.config.source).read_bytes()
    done = export(run, run.config.source)
    assert done.exit_code == 2 and "is the file that is read" in " ".join(done.output.split())
    assert Path(run.config.source).read_bytes() == before


def test_draws_do_not_depend_on_how_many_are_passed_at_a_time(monkeypatch):
    found = []
    for size in (3, 1000):
        monkeypatch.setattr(augmenting, "PASSED", size)
        found.append([one.get_state() for one in augmenting._generators(50, True, 1)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert not np.array_equal(found[0][0], found[0][1])


def test_errors_of_parts_are_left_to_the_reader_of_the_whole(tmp_path):
    """A clip without a name: the parts cannot be read, and what is wrong is said by who reads all."""
    place = write_arrays(small_poses(50, 1), tmp_path / "source.npz")
    config = small_config(source=str(place))
    began = load_data(config).summary()
    with np.load(place) as arrays:
        columns = dict(arrays)
    np.savez(place, **{**columns, "clip": columns["clip"] + 9})
    with pytest.raises(UserError, match="clip goes up to 13, but clips names only 5"):
        open_source(config, began, "run")
