"""Runs with other discriminators: five disjoint parts, the whole body, one of the two, and none."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from poseaug_core.config import Config, make_config
from poseaug_core.judged import NEITHER, NO_3D, judged_skeleton, judges_2d
from poseaug_core.skeleton import HUMAN16, PAPER_PARTS
from poseaug_core.snapshot import Snapshot
from poseaug_studio.curve_styles import HARDNESS
from poseaug_studio.curves import CurvesPanel
from poseaug_studio.figure import COLOURINGS, Look, compose, limb_colours, rgb
from poseaug_studio.kcs import KcsPanel
from poseaug_studio.kcs_layout import WHOLE_2D
from poseaug_studio.samples import SamplesPanel, badges, ordered
from poseaug_studio.scene import ScenePanel
from poseaug_studio.selection import Selection
from poseaug_studio.theme import DARK
from tests.studio.fakes import feed, make_snapshot
from tests.studio.pictures import pixels


@dataclass(frozen=True)
class Kind:
    config: Config
    snapshot: Snapshot
    rows: tuple[str, ...]


def kind(rows: tuple[str, ...], parts: int, judged_2d: bool, **overrides) -> Kind:
    return Kind(make_config(**overrides), make_snapshot(300, parts=parts, judged_2d=judged_2d), rows)


FIVE = tuple(HUMAN16.parts)
KINDS = {
    "parts": kind((*FIVE, WHOLE_2D), 5, True),
    "paper_parts": kind((*FIVE, WHOLE_2D), 5, True, preset="paper"),
    "whole_body": kind(("whole body", WHOLE_2D), 1, True, discriminator3d="whole_body"),
    "only 3D": kind(FIVE, 5, False, discriminator2d=False),
    "only 2D": kind((WHOLE_2D,), 0, True, discriminator3d="none"),
    "neither": kind((), 0, False, discriminator3d="none", discriminator2d=False),
    "evolution": kind((), 0, False, augmentation="evolution"),
    "real pairs": kind((), 5, True, augmentation="none"),
}


@pytest.fixture(params=KINDS, ids=str)
def case(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def kcs(qtbot, case):
    panel = KcsPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.resize(300, 600)
    panel.set_judged(judged_skeleton(case.config), judges_2d(case.config))
    panel.present(case.snapshot, 1)
    return panel


def test_the_kcs_panel_has_a_row_for_what_judges_and_no_other(kcs, case, qtbot):
    assert tuple(kcs.curves) == case.rows
    if not case.rows:
        assert kcs.sentence() == NEITHER
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NaN that reaches a number
        drawn = pixels(kcs)
    assert drawn.std() > 3
    for x in range(20, 300, 60):
        for y in range(20, 600, 40):
            qtbot.mouseMove(kcs, QPoint(x, y))
            assert "nan" not in kcs.tip_at(QPoint(x, y).toPointF())
    qtbot.keyClick(kcs, Qt.Key.Key_Down)
    parts = judged_skeleton(case.config).parts
    assert kcs.selection.part == next(iter(parts), "")
    assert len(kcs.bones()) == len(next(iter(parts.values()), ()))


def test_the_kcs_panel_fits_whatever_judges(kcs, case):
    if not case.rows:
        return
    for part in ("", *judged_skeleton(case.config).parts):
        kcs.selection.part = part
        layout = kcs.layout_of(260, 500)
        column = [*layout.rows.values(), layout.axis, layout.matrix_title, *layout.matrices[:1], layout.accuracy_title]
        column += [*layout.accuracies[:2]]
        assert all(above.bottom() <= below.top() + 1 for above, below in zip(column[:-1], column[1:], strict=True))
        assert column[-1].bottom() <= 500


def test_disjoint_parts_have_their_own_bones():
    panel = KINDS["paper_parts"]
    assert judged_skeleton(panel.config).parts == PAPER_PARTS
    assert sorted(bone for bones in PAPER_PARTS.values() for bone in bones) == list(range(15))


@pytest.mark.parametrize("colouring", COLOURINGS)
def test_limbs_wear_scores_only_where_something_judges(case, colouring):
    skeleton = judged_skeleton(case.config)
    bones, joints = limb_colours(case.snapshot, 0, "ba", skeleton, DARK, Look(colouring))
    assert bones.shape == (15, 3) and joints.shape == (16, 3) and np.isfinite(bones).all()
    plain = np.tile(rgb(DARK.stage("ba")), (15, 1))
    if colouring == "score" and not skeleton.parts:
        assert np.array_equal(bones, plain)
    if colouring == "score" and len(skeleton.parts) == 1:
        assert len(np.unique(bones, axis=0)) == 1 and not np.array_equal(bones, plain)
    if colouring == "part":
        assert len(np.unique(bones, axis=0)) == 5
    assert len(compose(case.snapshot, 0, skeleton, DARK, Look(colouring))) == 4


@pytest.mark.parametrize("colouring", COLOURINGS)
def test_the_scene_names_and_chooses_what_is_judged(qtbot, case, colouring):
    panel = ScenePanel(DARK, Selection(), opengl=False)
    qtbot.addWidget(panel)
    panel.resize(760, 420)
    panel.show()
    panel.set_skeleton(judged_skeleton(case.config))
    panel.set_look(colouring=colouring)
    panel.present(case.snapshot, 0)
    parts = judged_skeleton(case.config).parts
    words = panel.bone_words(1, 2)
    assert "nan" not in words and ("score" in words) == bool(parts)
    joints = panel.stage_pixels(1)
    spot = QPoint(*joints[[2, 3], :2].mean(0).round().astype(int).tolist())
    qtbot.mouseClick(panel.views.native, Qt.MouseButton.LeftButton, pos=spot)
    expected = "right leg" if len(parts) == 5 else "whole body" if parts else ""
    assert panel.selection.part == expected
    assert panel._legend.judged == bool(parts)


def test_poses_are_sorted_by_plausibility_only_where_it_is_judged(qtbot, case):
    panel = SamplesPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.set_sort("Implausible")
    panel.set_skeleton(judged_skeleton(case.config))
    panel.present(case.snapshot, 0)
    judged = bool(judged_skeleton(case.config).parts)
    assert ("Implausible" in panel.sorts) == judged
    assert panel.sort == ("Implausible" if judged else "As is")
    assert (NO_3D in panel._sorts.toolTip()) == (not judged)
    order = ordered(case.snapshot, "Implausible")
    assert sorted(order) == list(range(12))
    if not case.snapshot.scores3d.shape[-1]:
        assert order == list(range(12)) and set(badges(case.snapshot, "Implausible")) == {"–"}


def rows_of(names: tuple[str, ...]) -> list[dict]:
    return [{"step": step, "kind": "scalars", "values": dict.fromkeys(names, 2.0 + step)} for step in range(0, 60, 10)]


@pytest.mark.parametrize(
    ("preset", "expected"), [("released", {3.0: 2.0, 17.0: 15.0}), ("paper", {2.0**0.5: 0.0})], ids=str
)
def test_hardness_has_the_band_of_the_form_that_the_run_has(qtbot, preset, expected):
    panel = CurvesPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.resize(640, 260)
    panel.show()
    panel.set_config(make_config(preset))
    feed(panel, rows_of(("hardness/ba", "hardness/rt")))
    snapshot = make_snapshot(0)
    snapshot.controls.update(beta=2.0)
    panel.present(snapshot, 0)
    panel.tabs.choose(HARDNESS)
    found = {float(band.middle[0]): float(band.high[0] - band.middle[0]) for band in panel._bands()}
    assert found == pytest.approx(expected)


def test_the_window_shows_each_run_with_its_own_parts(qtbot, window, session, tmp_path):
    panels, knobs = window.workspace.panels, window.workspace.knobs
    session.start(make_config(), tmp_path / "a")
    qtbot.waitUntil(lambda: len(session.history.steps) >= 2, timeout=60_000)
    window.selection.choose_part("left arm")
    for name in ("paper", "whole body", "none"):
        overrides = {"paper": {"preset": "paper"}, "whole body": {"discriminator3d": "whole_body"},
                     "none": {"augmentation": "random"}}[name]  # fmt: skip
        config = make_config(**overrides)
        session.start(config, tmp_path / name)
        qtbot.waitUntil(lambda config=config: session.config == config)
        for panel in ("kcs", "scene", "samples"):
            assert panels[panel].skeleton == judged_skeleton(config)
        assert knobs.knobs["beta"].isHidden() == (name != "paper")
        assert window.selection.part == ("left arm" if name == "paper" else "")
