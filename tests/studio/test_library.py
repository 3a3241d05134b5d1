"""The library's runs: what is told of each, filter, sort, open, compare, make again, delete."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from poseaug_core.config import make_config, save_toml
from poseaug_core.controls import Controls
from poseaug_studio import library
from poseaug_studio.history import phases
from poseaug_studio.new_run import NewRunDialog
from poseaug_studio.runs_page import COLUMNS
from tests.studio.conftest import FakeRun
from tests.studio.fakes import series_of

KINDS = {
    "plain": make_config(),
    "paper": make_config("paper", estimator="st_gcn"),
    "whole": replace(make_config(discriminator3d="whole_body", discriminator2d=False),
                     controls=Controls(apply_bl=False, feedback=False)),
    "evolution": make_config(augmentation="evolution", estimator="/x/mine.py:Mine"),
}  # fmt: skip
TOLD = {
    "plain": ("SimpleBaseline", "PoseAug", "parts, 2D"),
    "paper": ("ST-GCN, one frame", "PoseAug", "disjoint parts, 2D"),
    "whole": ("SimpleBaseline", "PoseAug without BL, feedback", "whole body"),
    "evolution": ("Mine", "Evolution", "none"),
}


def make_run(folder: Path, config, errors: tuple[float, ...] = ()) -> Path:
    folder.mkdir(parents=True)
    save_toml(replace(config, source="/data/people.h5", source_test="/data/test.h5", cross=("/data/wild.npz",)),
              folder / "config.toml")  # fmt: skip
    values = dict(zip(("source_test/poseaug16/mpjpe", "wild/poseaug16/mpjpe"), errors, strict=False))
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 5, "kind": "evaluation", "values": values}) + "\n")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_a_run_is_told_by_estimator_augmentation_and_discriminators(tmp_path, name):
    run = library.known_run(make_run(tmp_path / name, KINDS[name], (40.5, 80.0)))
    assert (run.estimator, run.augmentation, run.discriminators) == TOLD[name]
    assert (run.source, run.source_error, run.cross_error) == ("people.h5", 40.5, 80.0)


def test_runs_are_found_once_and_what_cannot_be_read_is_left_out(tmp_path):
    make_run(tmp_path / "runs" / "a", KINDS["plain"])
    broken = tmp_path / "runs" / "b"
    broken.mkdir()
    (broken / "config.toml").write_text("preset = 3")
    (tmp_path / "runs" / "c").mkdir()
    found = library.known_runs([tmp_path / "runs", tmp_path / "runs" / "a", tmp_path / "missing"])
    assert [run.folder.name for run in found] == ["a"] and found[0].source_error is None


def test_a_table_takes_the_sets_of_a_run(tmp_path):
    assert library.sets_of(make_run(tmp_path / "a", KINDS["plain"])) == {
        "source": "/data/people.h5", "source_test": "/data/test.h5", "cross": "/data/wild.npz", "wild": "",
    }  # fmt: skip
    assert library.sets_of(tmp_path / "missing") == {}


@pytest.fixture
def page(qtbot, window, training, tmp_path):
    for number, (name, config) in enumerate(KINDS.items()):
        folder = make_run(tmp_path / "runs" / name, config, (40.0 + number,))
        run = training.runs[str(folder)] = FakeRun(config)
        run.rows = [{"step": 1, "kind": "scalars", "values": {"loss/augmentor": 1.0}}]
    window.show_workspace()
    window.open_library()
    qtbot.waitUntil(lambda: len(window.library.runs.known) == len(KINDS), timeout=20_000)
    return window.library.runs


def choose(qtbot, page, name: str) -> None:
    table = page.table
    row = next(row for row in range(table.rowCount()) if table.item(row, 0).text() == name)
    spot = table.visualItemRect(table.item(row, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=spot)


def shown(page) -> list[str]:
    return [page.table.item(row, 0).text() for row in range(page.table.rowCount()) if not page.table.isRowHidden(row)]


def test_every_column_is_there_and_errors_sort_as_numbers(page):
    assert [page.table.horizontalHeaderItem(i).text() for i in range(len(COLUMNS))] == list(COLUMNS)
    page.table.sortByColumn(COLUMNS.index("Source, mm"), Qt.SortOrder.DescendingOrder)
    assert shown(page) == ["evolution", "whole", "paper", "plain"]


def test_the_filter_looks_at_every_column(qtbot, page):
    qtbot.keyClicks(page.filter, "st-gcn disjoint")
    assert shown(page) == ["paper"]
    assert page.words.text().startswith("1 of 4 runs")


def test_nothing_can_be_done_to_no_run(qtbot, page):
    assert not any(button.isEnabled() for button in page.buttons.values())
    choose(qtbot, page, "paper")
    assert page.buttons["open"].isEnabled() and not page.buttons["compare"].isEnabled()


def test_open_then_compare_another_run(qtbot, page, window, session):
    choose(qtbot, page, "paper")
    qtbot.mouseClick(page.buttons["open"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.folder is not None and session.folder.name == "paper", timeout=20_000)
    choose(qtbot, page, "whole")
    qtbot.mouseClick(page.buttons["compare"], Qt.MouseButton.LeftButton)
    curves = window.workspace.panels["curves"]
    qtbot.waitUntil(lambda: curves.other_name == "whole", timeout=20_000)
    assert curves.other.names() == ("loss/augmentor",)
    assert not window.library.isVisible() and "whole is drawn" in window.banner.text.text()
    curves.refresh()
    legend = curves.legend
    assert (legend.entries[-1].name, legend.entries[-1].label) == ("", "whole")
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton, pos=legend._rect(len(legend.entries) - 1).center().toPoint())
    assert curves.other_name == "" and all(entry.name for entry in legend.entries)


def test_a_comparison_ends_when_another_run_is_opened(qtbot, page, window, session):
    choose(qtbot, page, "paper")
    qtbot.mouseClick(page.buttons["open"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.folder is not None and session.folder.name == "paper", timeout=20_000)
    assert not window.library.isVisible()
    window.open_library()
    curves = window.workspace.panels["curves"]
    curves.compare("whole", series_of([{"step": 5, "kind": "scalars", "values": {"loss/augmentor": 1.0}}]))
    qtbot.waitUntil(lambda: len(page.known) == len(KINDS), timeout=20_000)
    choose(qtbot, page, "plain")
    qtbot.mouseClick(page.buttons["open"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.folder.name == "plain", timeout=20_000)
    assert curves.other_name == ""


def test_a_run_is_made_again_with_its_own_settings(qtbot, page, window):
    choose(qtbot, page, "whole")
    qtbot.mouseClick(page.buttons["again"], Qt.MouseButton.LeftButton)
    dialog = window.library.findChild(NewRunDialog)
    config = dialog.config()
    assert config.discriminator3d == "whole_body" and not config.discriminator2d
    assert config.controls == KINDS["whole"].controls and config.cross == ("/data/wild.npz",)


def test_a_run_is_deleted_unless_it_is_shown_or_trained(qtbot, page, session, training, tmp_path):
    known = {run.folder.name: run for run in page.known}
    training.runs[str(known["plain"].folder)].written = True
    page.delete(known["plain"])
    qtbot.waitUntil(lambda: "being trained" in page.words.text(), timeout=20_000)
    session.folder = known["paper"].folder
    page.delete(known["paper"])
    assert "in the window" in page.words.text()
    page.delete(known["whole"])
    qtbot.waitUntil(lambda: "whole" not in shown(page), timeout=20_000)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["evolution", "paper", "plain"]
    session.folder = None


def test_what_became_of_a_run_is_told(tmp_path):
    from poseaug_core.runs import Run

    config = make_config(pretrain_epochs=1, epochs=4, warmup_epochs=0, batch_size=100)
    run = Run.create(tmp_path / "a", config, {"sets": {"source": {"poses": 1000}}})
    assert library.state_of(tmp_path / "a") == "training"
    end = phases(config, 1000)[-1].stop
    position = {"phase": "poseaug", "epoch": 0}
    run.save_checkpoint("latest", {}, {"step": end // 2, "position": position})
    run.close()
    assert library.state_of(tmp_path / "a") == f"stopped at {100 * (end // 2) / end:.0f} %"
    assert library.entry(tmp_path / "a").words.startswith("stopped at")
    run.save_failure("It broke.")
    assert library.known_run(tmp_path / "a").state.startswith("failed at")
    run.save_checkpoint("latest", {}, {"step": end, "position": {"phase": "done", "epoch": 4}})
    assert library.state_of(tmp_path / "a") == "finished"
    assert library.state_of(tmp_path / "missing") == ""
