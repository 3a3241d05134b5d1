"""Figures: vectors without rasters, the width asked for, text as text, and pictures that stay as they were."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from poseaug_core.config import Config, make_config
from poseaug_core.errors import UserError
from poseaug_core.export import FIGURES, Shown, draw, figure, save
from poseaug_core.export.body import View, alignment, capsule
from poseaug_core.export.curves import smoothed
from poseaug_core.export.qualitative import VIEWS
from poseaug_core.palette import DARK, LIGHT
from tests.studio.fakes import make_snapshot, turn

REFERENCES = Path(__file__).parents[1] / "reference_images"
#: Dots an inch of the reference images: small files, yet limbs and cells can be told apart.
COARSE = 44


class FakeRun:
    """What figure() asks of a Run."""

    path = Path("runs/fake")
    superseded = ""

    def __init__(self, steps=(0, 100, 200), config=None, **judged):
        self.recorded, self.config, self.judged = steps, config or Config(), judged

    def steps(self):
        return np.array(self.recorded, np.int64)

    def read(self, k):
        return make_snapshot(self.recorded[k], probe=4, **self.judged)

    def series(self, column):
        ramp = np.linspace(0, 1, len(self.recorded))
        return {
            "beta_ba": 3 + 2 * ramp,
            "tolerance_ba": 2 + 0 * ramp,
            "beta_rt": 17 + 0 * ramp,
            "tolerance_rt": 15 + 0 * ramp,
        }

    def metrics(self, since=0):
        rows = []
        for step in range(0, 201, 10):
            values = {
                "loss/augmentor": 2.0 - step / 200,
                "loss/d3d": 0.5,
                "hardness/ba": 3 + step / 100,
                "hardness/rt": 9.0,
            }
            values |= {"accuracy/d3d_real": 0.8, "accuracy/d3d_fake": 0.9 - step / 1000, "loss/d2d": None}
            errors = {"source_test/poseaug16/mpjpe": 60 - step / 20, "wild/poseaug16/mpjpe": 110 - step / 6}
            rows += [
                {"step": step, "kind": "scalars", "values": values},
                {"step": step, "kind": "evaluation", "values": errors},
            ]
        return rows, len(rows)


def pdf_text(path: Path) -> str:
    """The PDF's dictionaries and its streams, unpacked."""
    raw = path.read_bytes()
    streams = [raw]
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.S):
        try:
            streams.append(zlib.decompress(packed))
        except zlib.error:
            continue
    return b"\n".join(streams).decode("latin-1")


@pytest.mark.parametrize("name", FIGURES)
def test_vectors_hold_no_raster_keep_the_width_and_keep_text(name, tmp_path):
    pdf = pdf_text(figure(FakeRun(), name, tmp_path / "a.pdf", width_mm=120))
    assert not re.search(r"/Subtype\s*/Image", pdf)
    assert float(re.search(r"/MediaBox \[ ?0 0 ([\d.]+)", pdf).group(1)) == pytest.approx(120 / 25.4 * 72, abs=0.05)
    assert "/Type3" not in pdf and "Inter" in pdf
    svg = ElementTree.parse(figure(FakeRun(), name, tmp_path / "a.svg", width_mm="single")).getroot()
    tags = [element.tag.rpartition("}")[2] for element in svg.iter()]
    assert "image" not in tags
    assert tags.count("text") >= 4
    assert float(svg.get("width").removesuffix("pt")) == pytest.approx(85 / 25.4 * 72, abs=0.05)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks_as_the_reference_image(name, theme, tmp_path):
    """A new reference is made by removing the old one and running the tests once."""
    path = figure(FakeRun(), name, tmp_path / "a.png", theme=theme, dpi=COARSE, smoothing=0.5, row=1)
    kept = REFERENCES / f"figure_{name}_{theme}.png"
    if not kept.exists():
        kept.write_bytes(path.read_bytes())
        pytest.fail(f"{kept.name} was missing and has been made; look at it and run again")
    now, then = imread(path)[..., :3], imread(kept)[..., :3]
    assert now.shape == then.shape
    assert np.abs(now - then).mean() < 0.01
    assert kept.stat().st_size < 40_000


def test_light_and_dark_differ(tmp_path):
    light, dark = (
        imread(figure(FakeRun(), "qualitative", tmp_path / f"{t}.png", theme=t, dpi=COARSE)) for t in ("light", "dark")
    )
    assert light[..., :3].mean() > 0.8 > 0.3 > dark[..., :3].mean()


def test_same_snapshot_same_file(tmp_path):
    shown = Shown(make_snapshot(probe=3))
    files = [save(draw("augmentation", shown), tmp_path / name).read_bytes() for name in ("a.pdf", "b.pdf")]
    assert files[0] == files[1]


def test_threads_draw_at_once_without_mixing(tmp_path):
    themes = [LIGHT, DARK] * 2
    shown = Shown(make_snapshot(probe=3))
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(lambda i, t: save(draw("qualitative", shown, t), tmp_path / f"{i}.svg"), *job)
                for job in enumerate(themes)]  # fmt: skip
        files = [job.result().read_bytes() for job in jobs]
    assert len(set(files)) == 2
    assert files[0] == files[2] != files[1]


def test_several_rows_and_columns_make_more_of_it():
    snapshot = make_snapshot(probe=4)
    one, two = (draw("augmentation", Shown(snapshot, rows=rows)) for rows in ((0,), (0, 3)))
    assert two.get_figheight() > 1.5 * one.get_figheight()
    pair = draw("distributions", Shown(snapshot))
    trio = draw("distributions", Shown(snapshot, columns={"Later": make_snapshot(400)}))
    assert len(trio.axes) > len(pair.axes)


def test_a_step_means_the_last_snapshot_up_to_it(tmp_path):
    files = [
        figure(FakeRun(), "qualitative", tmp_path / f"{step}.svg", snapshot=step).read_bytes()
        for step in (100, 150, 200, "last")
    ]
    assert files[0] == files[1] != files[2] == files[3]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"out": "a.jpg"}, ".pdf, .svg or .png"),
        ({"out": "a"}, "has no suffix"),
        ({"name": "fig9"}, "augmentation"),
        ({"row": 4}, "0 to 3"),
        ({"rows": ()}, "at least one row"),
        ({"width_mm": 9}, "60 to 400"),
        ({"width_mm": "triple"}, "single or double"),
        ({"dpi": 9000}, "36 to 1200"),
        ({"theme": "pink"}, "light, dark"),
        ({"snapshot": "best"}, "first, last"),
        ({"smoothing": 1.5}, "0 to 1"),
        ({"run": FakeRun(steps=())}, "no snapshots yet"),
        ({"run": FakeRun(steps=(50,)), "snapshot": 10}, "step 50"),
        ({"snapshot": 201}, "after step 200"),
        ({"out": "missing/a.pdf"}, "does not exist"),
    ],
)
def test_what_cannot_be_used_is_said(changed, words, tmp_path):
    given = {"run": FakeRun(), "name": "qualitative", "out": "a.pdf"} | changed
    given["out"] = tmp_path / given["out"]
    with pytest.raises(UserError, match=re.escape(words)):
        figure(**given)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    before = save(draw("qualitative", Shown(make_snapshot())), tmp_path / "a.svg").read_bytes()
    monkeypatch.setattr("poseaug_core.storage.free_bytes", lambda path: 1000)
    with pytest.raises(UserError, match="1,000 bytes free"):
        save(draw("qualitative", Shown(make_snapshot()), DARK), tmp_path / "a.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]
    assert (tmp_path / "a.svg").read_bytes() == before


def test_estimates_far_from_the_truth_fit_the_views_and_the_scale_is_told():
    snapshot = make_snapshot(probe=2)
    answer = snapshot.prediction.copy()
    answer[1, 0, 6] += (4, -3, 6)
    page = draw("qualitative", Shown(replace(snapshot, prediction=answer), rows=(0,)))
    told = [text.get_text() for text in page.texts if text.get_text().startswith("views ")]
    near, far = (float(text.split()[1]) for text in told)
    assert near < 2.5 < far
    views = page.axes[4:6]
    for axes, (view, _) in zip(views, VIEWS, strict=True):
        seen = view(answer[1, 0])[:, :2]
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        assert high - low == pytest.approx(far, abs=0.06)
        assert left < seen[:, 0].min() and seen[:, 0].max() < right and low < seen[:, 1].min() < seen[:, 1].max() < high


def test_errors_stand_under_the_pictures():
    page = draw("qualitative", Shown(make_snapshot(probe=2), rows=(0, 1)))
    below = [text for text in page.texts if text.get_text().endswith(" mm")]
    assert len(below) == 4
    for text in below:
        x, y = text.get_position()
        boxes = [axes.get_position() for axes in page.axes]
        assert not any(box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 for box in boxes)


def test_curves_share_their_iterations():
    rows, _ = FakeRun().metrics()
    late = [row for row in rows if row["kind"] == "scalars" or row["step"] >= 100]
    page = draw("curves", Shown(make_snapshot(150), metrics=late))
    ranges = {axes.get_xlim() for axes in page.axes}
    assert len(ranges) == 1 and ranges.pop() == pytest.approx((-2, 202))


def test_poses_beyond_the_axes_are_counted_in_their_label():
    snapshot = make_snapshot(probe=2)
    position = snapshot.position.copy()
    position[1, :, 2] = 5
    labels = [
        [axes.get_xlabel() for axes in draw("distributions", Shown(replace(snapshot, position=shown))).axes]
        for shown in (position, _with_lost(position))
    ]
    assert not any("beyond" in label for label in labels[0])
    assert sum("% beyond" in label for label in labels[1]) == 2


def _with_lost(position: np.ndarray) -> np.ndarray:
    """Every fourth augmented pelvis is nowhere."""
    position = position.copy()
    position[1, ::4] = np.nan
    return position


@pytest.mark.parametrize(("width", "named"), [("single", 1), ("double", 4)])
def test_diversity_is_named_where_it_stands_or_once(width, named):
    page = draw("distributions", Shown(make_snapshot(probe=2)), width_mm=width)
    assert sum("entropy" in text.get_text() for text in page.texts) == named


def test_narrow_captions_are_wrapped_and_whole():
    texts = [text.get_text() for text in draw("augmentation", Shown(make_snapshot()), width_mm="single").texts]
    assert {"mean angle", "change", "mean change", "of bone lengths"} <= set(texts)


def test_smoothing_keeps_a_constant_and_lags_a_step():
    assert np.allclose(smoothed(np.full(9, 3.0), 0.9), 3)
    step = smoothed(np.r_[np.zeros(20), np.ones(20)], 0.8)
    assert np.all(np.diff(step[19:]) > 0) and step[19] == 0 and step[-1] < 1


def test_views_turn_without_stretching():
    points = np.random.default_rng(0).normal(size=(20, 3))
    seen = View(50, 20)(points)
    assert np.allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(points, axis=1))
    assert np.allclose(View(0, 0)(points), points * (1, -1, -1))


def test_alignment_finds_the_rotation():
    source, rotation = np.random.default_rng(1).normal(size=(16, 3)), turn("y", 0.7) @ turn("x", -0.4)
    assert np.allclose(alignment(source, source @ rotation.T), rotation, atol=1e-6)


def test_capsule_outlines_both_circles():
    outline = capsule(np.array([0.0, 0]), np.array([2.0, 0]), 0.5, 0.25, corners=60)
    assert outline.min(0) == pytest.approx([-0.5, -0.5], abs=2e-3)
    assert outline[:, 0].max() == pytest.approx(2.25, abs=2e-3)


@pytest.mark.parametrize(
    ("overrides", "parts", "said"),
    [
        ({"preset": "paper"}, 5, "left arm"),
        ({"discriminator3d": "whole_body"}, 1, "whole body"),
        ({"discriminator3d": "none"}, 0, "no 3D discriminator"),
        ({"augmentation": "evolution"}, 0, "no 3D discriminator"),
    ],
    ids=str,
)
def test_figures_show_what_the_run_judges(tmp_path, overrides, parts, said):
    run = FakeRun(config=make_config(**overrides), parts=parts, judged_2d=parts > 0)
    for name in ("kcs", "augmentation"):
        text = figure(run, name, tmp_path / f"{name}.svg", width_mm="single").read_text()
        assert "nan" not in text
        assert name != "kcs" or said in text


def test_bands_are_those_of_the_form_of_feedback(tmp_path):
    def band(**overrides):
        text = figure(FakeRun(config=make_config(**overrides)), "curves", tmp_path / "a.svg").read_text()
        return text.count("FillBetween")

    assert band() > band(preset="paper")
