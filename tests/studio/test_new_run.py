"""The dialog of a new run: every choice of the method, only what is read, bad values said, runs made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from poseaug_core.config import make_config
from poseaug_core.controls import Controls
from poseaug_core.estimators import ESTIMATORS
from poseaug_studio.new_run import NewRunDialog
from poseaug_studio.presets_view import PresetsDialog, as_text, lines_of, preset_differences, value_words
from poseaug_studio.setting_fields import OWN
from poseaug_studio.theme import DARK


def make(qtbot, session, path: Path, **given) -> NewRunDialog:
    dialog = NewRunDialog([path], session, DARK, **given)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


@pytest.fixture
def dialog(qtbot, session, tmp_path):
    return make(qtbot, session, tmp_path / "people.h5")


def choose(dialog, name: str, value: str) -> None:
    box = dialog.method.fields[name].box
    box.setCurrentIndex(box.findData(value))


def asked(dialog) -> set[str]:
    fields = {**dialog.method.fields, **dialog.more.fields}
    return {name for name, field in fields.items() if not field.isHidden()}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_estimator_can_be_chosen(dialog, name):
    choose(dialog, "estimator", name)
    config = dialog.config()
    assert config.estimator == name
    assert config.estimator_width == (256 if name in ("simple_baseline", "vpose") else 0)
    assert config.pretrain_lr == make_config(estimator=name).pretrain_lr


def test_an_estimator_of_ones_own_is_named_by_file_and_class(qtbot, dialog, tmp_path):
    choose(dialog, "estimator", OWN)
    field = dialog.method.fields["estimator"]
    qtbot.keyClicks(field.own, "nothing.py:Mine")
    qtbot.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    assert "FILE.py:CLASS" in field.message.text() and field.message.isVisible()
    assert "FILE.py:CLASS" in dialog.message.text()
    path = tmp_path / "mine.py"
    path.write_text("")
    field.own.setText("")
    qtbot.keyClicks(field.own, f"{path}:Mine")
    assert dialog.config().estimator == f"{path}:Mine" and not field.message.isVisible()


@pytest.mark.parametrize(
    ("name", "value", "gone"),
    [
        ("augmentation", "evolution", {"discriminator3d", "discriminator2d", "feedback_form", "extra_2d"}),
        ("augmentation", "random", {"evolution_size", "regulariser"}),
        ("augmentation", "none", {"discriminator3d", "augmented_share"}),
        ("feedback_form", "exponential", {"beta_ba_start", "beta_rt"}),
        ("feedback_form", "ratio", {"beta_start", "beta_end"}),
    ],
)
def test_only_what_such_a_run_reads_is_asked(dialog, name, value, gone):
    dialog.open_more.setChecked(True)
    choose(dialog, name, value)
    assert not asked(dialog) & gone
    assert getattr(dialog.config(), name) == value


def test_a_preset_fills_the_fields_and_keeps_estimator_and_data(dialog):
    choose(dialog, "estimator", "st_gcn")
    dialog.method.fields["extra_2d"].take(("a.mat",))
    dialog.preset.setCurrentText("paper")
    config = dialog.config()
    paper = make_config("paper")
    for name in ("discriminator3d", "feedback_form", "regulariser", "fix_trunk", "keep_rule", "warmup_iterations"):
        assert getattr(config, name) == getattr(paper, name), name
    assert config.estimator == "st_gcn" and config.extra_2d == ("a.mat",)
    assert "text" in dialog.words.text()


def test_a_bad_number_is_said_in_its_place_with_the_sentence_of_its_setting(qtbot, dialog):
    dialog.open_more.setChecked(True)
    field = dialog.more.fields["beta_rt"]
    field.box.setText("")
    qtbot.keyClicks(field.box, "99")
    assert field.message.text() == "beta_rt is 99; choose a value from 1 to 40."
    begun = []
    dialog.begun.connect(lambda *given: begun.append(given))
    qtbot.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    assert not begun and dialog.message.text() == field.message.text()
    field.box.setText("")
    qtbot.keyClicks(field.box, "20")
    assert dialog.config().beta_rt == 20 and not field.message.isVisible() and dialog.message.text() == ""


def test_a_run_made_again_keeps_all_that_was_not_changed(qtbot, session):
    held = Controls(apply_bl=False)
    base = make_config("small_data", source="demo:source", cross=("demo:cross",), discriminator3d="whole_body",
                       epochs=3, estimator_width=64, snapshot_every=7)  # fmt: skip
    base = replace(base, controls=held)
    dialog = make(qtbot, session, Path("demo:source"), base=base, name="again")
    assert dialog.config() == replace(base, source=dialog.config().source)
    choose(dialog, "estimator", "vpose")
    begun = []
    dialog.begun.connect(lambda *given: begun.append(given))
    folder = Path(dialog.where.text())
    qtbot.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    assert begun == [(replace(base, estimator="vpose"), "again", folder)]


def test_the_link_shows_what_the_preset_changes(qtbot, dialog):
    dialog.preset.setCurrentText("paper")
    qtbot.mouseClick(dialog.differences, Qt.MouseButton.LeftButton)
    shown = dialog.findChild(PresetsDialog)
    assert (shown.first.currentText(), shown.second.currentText()) == ("paper", "released")


@pytest.fixture
def presets(qtbot):
    dialog = PresetsDialog(DARK)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def shown_rows(presets) -> list[str]:
    table = presets.table
    return [table.item(row, 0).text() for row in range(table.rowCount()) if not table.isRowHidden(row)]


def test_every_difference_of_two_presets_is_listed_with_both_values(presets):
    found = preset_differences("paper", "released")
    assert shown_rows(presets) == [d.setting.label for d in found]
    line = shown_rows(presets).index("feedback")
    assert [presets.table.item(line, column).text() for column in (1, 2, 3)] == ["exponential", "ratio", "Eq. 9"]
    line = shown_rows(presets).index("beta RT")
    assert presets.table.item(line, 1).text() == "not read"


def test_the_filter_leaves_lines_with_all_its_words(qtbot, presets):
    qtbot.keyClicks(presets.filter, "eq. 12")
    rows = shown_rows(presets)
    assert "GAN losses" in rows and "regulariser" not in rows
    presets.copy.click()
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:3] == ["setting", "paper", "released"] and len(lines) == len(rows) + 1


def test_a_preset_beside_itself_has_no_differences_and_says_so(presets):
    presets.second.setCurrentText("paper")
    assert shown_rows(presets) == [] and "one and the same" in presets.count.text()
    assert as_text("a", "a", lines_of([])) == "setting\ta\ta\tequation\tmeaning\n"


def test_values_are_said_as_people_say_them():
    assert [value_words(v, True) for v in (None, True, False, (), 0.5, "mixed")] == [
        "its schedule", "on", "off", "none", "0.5", "mixed",
    ]  # fmt: skip
    assert value_words(3, True, "epochs") == "3 epochs" and value_words(3, False) == "not read"


def test_where_the_run_goes_can_be_changed_and_is_its_real_folder(qtbot, session, tmp_path, monkeypatch):
    monkeypatch.setenv("POSEAUG_RUNS", str(tmp_path / "runs"))
    dialog = make(qtbot, session, tmp_path / "people.h5")
    assert Path(dialog.where.text()).parent == tmp_path / "runs"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(
        "poseaug_studio.new_run.QFileDialog.getExistingDirectory", lambda *_: str(tmp_path / "elsewhere")
    )
    qtbot.mouseClick(dialog.change, Qt.MouseButton.LeftButton)
    told = Path(dialog.where.text())
    assert told.parent == tmp_path / "elsewhere" and told.name.startswith("people-")
    begun = []
    dialog.begun.connect(lambda *given: begun.append(given))
    qtbot.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    assert begun[0][1:] == ("people", told)


def test_what_trains_and_would_be_stopped_is_said(qtbot, session, small, tmp_path):
    dialog = make(qtbot, session, tmp_path / "people.h5")
    assert dialog.ending.isHidden()
    session.start(small, tmp_path / "first")
    qtbot.waitUntil(lambda: session.status.state == "running" and session.status.step > 5, timeout=60_000)
    assert "first is training at step" in dialog.ending.text() and "stopped" in dialog.ending.text()
    assert dialog.ending.isVisible()
    session.stop()
    qtbot.waitUntil(lambda: dialog.ending.isHidden())


def test_words_follow_what_augments(dialog):
    assert dialog.epochs_label.text() == "PoseAug"
    choose(dialog, "augmentation", "evolution")
    assert dialog.epochs_label.text() == "Evolution"
    size = dialog.method.form.labelForField(dialog.method.fields["evolution_size"]).text()
    assert size == "Offspring per pose"
    dialog.epochs.setValue(1)
    assert dialog.epochs.text() == "1 epoch"
