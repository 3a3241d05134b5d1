"""Knobs: each of them, by mouse and by keyboard, changes Controls; ranges, schedules and pending marks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from poseaug_core.config import make_config
from poseaug_core.controls import KNOBS, Controls
from poseaug_studio.knobs import RANGE, KnobsPanel, NumberKnob, SwitchKnob
from poseaug_studio.sliders import Scale, number
from poseaug_studio.theme import DARK, LIGHT

NUMBERS = [name for name, knob in KNOBS.items() if knob.kind in ("float", "int") and name not in RANGE]
SWITCHES = [name for name, knob in KNOBS.items() if knob.kind == "bool"]
SCHEDULED = [name for name, knob in KNOBS.items() if knob.scheduled]


#: Configs that between them read every control.
READING = {name: make_config("released" if KNOBS[name].in_use(make_config()) else "paper") for name in KNOBS}


@pytest.fixture
def panel(qtbot: QtBot, request) -> KnobsPanel:
    made = KnobsPanel(DARK)
    if "name" in request.fixturenames:
        made.show_config(READING[request.getfixturevalue("name")])
    qtbot.addWidget(made)
    made.resize(280, 1600)
    for section in made.sections.values():
        section.head.setChecked(True)
    made.show()
    return made


def at(slider, share: float) -> QPoint:
    scale = slider.scale
    return QPoint(round(slider.x_of(scale.value(share))), slider.height() // 2)


def test_every_knob_is_there(panel):
    assert set(panel.knobs) == set(KNOBS)


def shown(panel) -> set[str]:
    return {name for name, knob in panel.knobs.items() if not knob.isHidden()}


@pytest.mark.parametrize("preset", ["released", "paper", "small_data"])
def test_knobs_that_a_run_does_not_read_are_not_shown(panel, preset):
    config = make_config(preset)
    panel.show_config(config)
    assert shown(panel) == {name for name, setting in KNOBS.items() if setting.in_use(config)}
    panel.set_theme(LIGHT)
    assert shown(panel) == {name for name, setting in KNOBS.items() if setting.in_use(config)}


def test_groups_without_knobs_are_not_shown_and_come_back(panel):
    panel.show_config(make_config(augmentation="evolution"))
    assert {title for title, section in panel.sections.items() if not section.isHidden()} == {
        "Learning rates", "Operations", "Who learns",
    }  # fmt: skip
    panel.show_config(make_config())
    assert not any(section.isHidden() for section in panel.sections.values())


def test_a_knob_that_follows_shows_the_start_of_the_schedule_of_its_run(panel):
    panel.show_config(make_config("paper", beta_start=2.5))
    assert panel.knobs["beta"].slider.value == 2.5
    assert "Eq. 9" in panel.knobs["beta"].toolTip()


@pytest.mark.parametrize("name", NUMBERS)
def test_a_slider_turns_by_mouse_and_keyboard(qtbot, panel, name):
    slider = panel.knobs[name].slider
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=at(slider, 0.75))
    by_mouse = getattr(panel.controls, name)
    assert by_mouse == pytest.approx(slider.scale.value(0.75), rel=0.25)
    qtbot.keyClick(slider, Qt.Key.Key_Left)
    assert getattr(panel.controls, name) < by_mouse


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_typed_is_taken_whole(qtbot, panel, name):
    field, setting = panel.knobs[name].field, KNOBS[name]
    field.selectAll()
    qtbot.keyClicks(field, f"{setting.high:g}")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert getattr(panel.controls, name) == setting.high


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_turns_by_mouse_and_keyboard(qtbot, panel, name):
    knob = panel.knobs[name]
    assert isinstance(knob, SwitchKnob)
    qtbot.mouseClick(knob.switch, Qt.MouseButton.LeftButton)
    assert getattr(panel.controls, name) is False
    qtbot.keyClick(knob.switch, Qt.Key.Key_Space)
    assert getattr(panel.controls, name) is True


def test_the_range_has_two_handles_for_centre_and_width(qtbot, panel):
    slider = panel.knobs["range_mean"].slider
    ends = [QPoint(round(slider.x_of(value)), slider.height() // 2) for value in (0.5, 0.1)]
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=ends[0])
    assert panel.controls.range_mean == pytest.approx((0.04 + 0.5) / 2, abs=0.01)
    assert panel.controls.range_width == pytest.approx((0.5 - 0.04) / 2, abs=0.01)
    slider.active = 0
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert panel.controls.range_mean > 0.27
    field = panel.knobs["range_width"].width_field
    field.selectAll()
    qtbot.keyClicks(field, "0.2")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert panel.controls.range_width == 0.2


def test_a_number_out_of_range_is_refused_in_a_sentence_and_not_used(qtbot, panel):
    field = panel.knobs["beta_ba"].field
    told = []
    panel.refused.connect(told.append)
    field.selectAll()
    qtbot.keyClicks(field, "99")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "beta_ba is 99" in told[0] and "1 to 20" in told[0]
    assert panel.controls == Controls()


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_scheduled_knob_holds_the_value_it_had_and_follows_again(qtbot, panel, name):
    knob, setting = panel.knobs[name], KNOBS[name]
    assert isinstance(knob, NumberKnob) and knob.slider.hollow
    now = setting.low * 2
    panel.show_scheduled({name: now})
    assert knob.slider.value == now
    qtbot.mouseClick(knob.follow, Qt.MouseButton.LeftButton)
    assert getattr(panel.controls, name) == now and not knob.slider.hollow
    qtbot.mouseClick(knob.follow, Qt.MouseButton.LeftButton)
    assert getattr(panel.controls, name) is None


def test_history_shows_the_values_of_its_step_and_cannot_be_turned(qtbot, panel):
    knob, switch = panel.knobs["length_limit"], panel.knobs["apply_ba"]
    panel.show_controls(replace(Controls(), length_limit=0.02))
    panel.show_past(40, {"length_limit": 0.03, "apply_ba": 0.0})
    assert knob.slider.value == 0.03 and not switch.switch.isChecked()
    assert "step 40" in panel.past_words.text() and panel.past_words.isVisible()
    qtbot.mouseClick(knob.slider, Qt.MouseButton.LeftButton, pos=at(knob.slider, 0.9))
    assert panel.controls.length_limit == 0.02
    panel.show_past(0, None)
    assert knob.slider.value == 0.02 and switch.switch.isChecked() and knob.isEnabled()


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_scheduled_knob_keeps_its_last_value(panel, name):
    panel.show_scheduled({name: KNOBS[name].low * 2})
    panel.show_scheduled({})
    assert panel.knobs[name].slider.value == KNOBS[name].low * 2


def test_pending_until_the_trainer_has_used_it(qtbot, panel):
    panel.show_used(Controls())
    slider = panel.knobs["length_limit"].slider
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=at(slider, 0.9))
    assert panel.knobs["length_limit"].dot.lit
    panel.show_used(panel.controls)
    assert not panel.knobs["length_limit"].dot.lit
    assert not any(knob.dot.lit for knob in panel.knobs.values())


def test_reset_is_offered_only_for_what_was_changed(qtbot, panel):
    knob = panel.knobs["length_limit"]
    assert not knob.reset.isVisible()
    panel.show_controls(replace(Controls(), length_limit=0.02))
    assert knob.reset.isVisible()
    qtbot.mouseClick(knob.reset, Qt.MouseButton.LeftButton)
    assert panel.controls == Controls()


def test_no_part_of_a_knob_becomes_a_window_of_its_own(qapp, panel):
    panel.show_controls(replace(Controls(), apply_ba=False, feedback=False, lr_estimator=1e-3, length_limit=0.02))
    assert [widget for widget in qapp.topLevelWidgets() if widget.isVisible()] == [panel]


def test_a_theme_change_keeps_values_and_open_groups(panel):
    panel.show_controls(replace(Controls(), length_limit=0.02))
    panel.sections["Feedback"].head.setChecked(False)
    panel.set_theme(LIGHT)
    assert panel.knobs["length_limit"].slider.value == 0.02
    assert not panel.sections["Feedback"].head.isChecked()


@pytest.mark.parametrize("name", NUMBERS)
def test_a_scale_and_its_inverse_agree(name):
    setting = KNOBS[name]
    scale = Scale(setting.low, setting.high, setting.log, setting.kind == "int")
    for share in (0.0, 0.3, 0.7, 1.0):
        assert scale.share(scale.value(share)) == pytest.approx(share, abs=0.03)
        assert setting.check(scale.value(share)) == scale.value(share)


def test_numbers_are_short_and_keep_their_value():
    assert [number(v) for v in (0.0, 0.205, 3.0, 1e-4, 2.5e-7, 17)] == ["0", "0.205", "3", "1e-4", "2.5e-7", "17"]


@pytest.mark.parametrize("name", ["length_limit", "range_mean"])
def test_a_drag_is_told_from_the_press_to_the_release(qtbot, panel, name):
    slider, told = panel.knobs[name].slider, []
    panel.held.connect(lambda held: told.append("held" if held else "let go"))
    panel.turned.connect(lambda _: told.append("turned"))
    middle = slider.height() // 2
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(20, middle))
    for x in (40, 60):
        qtbot.mouseMove(slider, QPoint(x, middle))
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(60, middle))
    assert (told[0], told[-1]) == ("held", "let go") and {*told[1:-1]} == {"turned"}
    told.clear()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert told == ["turned"]


def test_without_discriminators_no_knob_of_theirs_is_shown(panel):
    panel.show_config(make_config(discriminator3d="none", discriminator2d=False))
    assert not {"learn_discriminators", "discriminator_interval", "lr_discriminator"} & shown(panel)
    panel.show_config(make_config(discriminator3d="none"))
    assert {"learn_discriminators", "discriminator_interval", "lr_discriminator"} <= shown(panel)
