"""The paper's tables in the studio: the grid as far as runs have come, training in a process of its own, files."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction

from poseaug_core.config import PRESETS, SETTINGS
from poseaug_core.errors import UserError
from poseaug_core.palette import DARK, LIGHT
from poseaug_core.runs import Run
from poseaug_core.tables import TABLES
from poseaug_studio.table_grid import TableGrid
from poseaug_studio.table_grid_run import TableRun
from poseaug_studio.table_grid_work import (
    SEVERAL,
    TITLES,
    Asked,
    experiment_of,
    read_grid,
    seeds_of,
    settings_of,
)
from poseaug_studio.table_page import DEMO, TablesPage
from tests.studio.fakes import make_snapshot
from tests.studio.pictures import pixels

#: Stands for the command line: notes what it is asked, says how it was ended, or fails.
TRAINER = """
import json, signal, sys, time
path, how, *words = sys.argv[1:]
open(path, "w").write(json.dumps(words))
if how == "fail":
    print("Error: There is no table 9; choose 1 to 7.", file=sys.stderr)
    sys.exit(2)
def stop(*_):
    open(path + ".stopped", "w").write("")
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
open(path + ".ready", "w").write("")
while True:
    time.sleep(0.02)
"""


@pytest.fixture
def asked(tmp_path) -> Asked:
    return Asked(6, "", DEMO, "small_data", "vpose", (0, 1), ("epochs=2",), str(tmp_path / "tables"))


@pytest.fixture
def command(tmp_path):
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER)
    return lambda how="": (sys.executable, str(script), str(tmp_path / "asked"), how)


def finish(job, folder: Path, errors: dict[str, float]) -> None:
    """What a finished training leaves, as far as a table reads it."""
    sets = {name: {"poses": 100} for name in ("source", "source_test", "demo cross")}
    run = Run.create(folder / job.name, job.placed(folder), {"sets": sets})
    run.append(make_snapshot(10, probe=2, crowd=4))
    run.log_metrics(10, {f"{name}/poseaug16/mpjpe": value for name, value in errors.items()}, kind="evaluation")
    run.save_checkpoint("latest", {}, {"step": 10, "position": {"phase": "done"}})
    run.close()


def test_titles_are_those_of_the_tables():
    assert TITLES == {number: table.title for number, table in TABLES.items()}
    several = [n for n, table in TABLES.items() if any("estimator" in row.settings for row in table.rows)]
    assert list(SEVERAL) == several


def test_a_table_is_asked_for_as_on_the_command_line(asked):
    words = asked.arguments()
    assert words[:2] == ["table", "6"] and words[-2:] == ["--runs", asked.runs]
    for name, value in (("--source", "demo:source"), ("--source-test", "demo:source_test"), ("--cross", "demo:cross"),
                        ("--seeds", "0,1"), ("--set", "epochs=2"), ("--estimator", "vpose")):  # fmt: skip
        assert words[words.index(name) + 1] == value
    assert "--estimators" in Asked(4, "/data", estimator="semgcn").arguments()


@pytest.mark.parametrize("text", ["", "a", "0, -1", "1.5"])
def test_seeds_that_are_none_are_refused_in_a_sentence(text):
    with pytest.raises(UserError, match="Seeds are"):
        seeds_of(text)
    assert seeds_of("0, 1,1") == (0, 1) and settings_of(" epochs=2,\nseed=3 ") == ("epochs=2", "seed=3")


def test_the_grid_tells_how_far_each_cell_is(asked):
    made = experiment_of(asked)
    grid = read_grid(made, asked.runs, "test")
    assert {cell.state for _, _, cells in grid.rows for cell in cells} == {"missing"}
    assert (grid.done, grid.jobs, grid.seconds) == (0, 10, None)
    row, column = made.table.rows[2], made.table.columns[0]
    for seed, error in ((0, 50.0), (1, 60.0)):
        finish(made.job(row, column, seed), Path(asked.runs), {"source_test": error, "demo cross": 90.0 + seed})
    grid = read_grid(made, asked.runs, "test")
    label, ticks, cells = grid.rows[2]
    assert label == "Variant A" and grid.marks[ticks.index(True)] == "D2D"
    assert cells[0].state == "done" and cells[0].main == "55.0 \u00b1 7.1" and cells[1].main == "90.5 \u00b1 0.7"
    assert cells[0].paper == "39.6 (\u22122.2)" and all((Path(run) / "config.toml").is_file() for run in cells[0].runs)
    assert grid.done == 2 and not grid.complete


@pytest.fixture
def grid(asked):
    made = experiment_of(asked)
    row, column = made.table.rows[2], made.table.columns[0]
    finish(made.job(row, column, 0), Path(asked.runs), {"source_test": 50.0, "demo cross": 90.0})
    return read_grid(made, asked.runs, "test")


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_cells_show_their_state_and_open_their_runs(qtbot, grid, theme):
    table = TableGrid(theme)
    qtbot.addWidget(table)
    table.resize(900, 400)
    table.show()
    table.show_grid(grid, False)
    idle = pixels(table)
    table.show_grid(grid, True)
    assert table.state_of(grid.rows[3][2][0]) == "queued" and (pixels(table) != idle).any()
    opened = []
    table.opened.connect(opened.append)
    where = table.visualItemRect(table.item(2, 3)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert opened == [grid.rows[2][2][0].runs[0]]
    table._menu(where)
    assert len(table.menu.actions()) == 2
    table.menu.actions()[0].trigger()
    assert len(opened) == 2
    table._menu(QPoint(5, where.y()))  # the label: no run
    table.menu.close()


def test_a_process_is_stopped_so_that_it_can_go_on(qtbot, asked, command, tmp_path):
    run = TableRun(command=command())
    run.start(asked)
    qtbot.waitUntil(lambda: (tmp_path / "asked.ready").exists(), timeout=20_000)
    assert json.loads((tmp_path / "asked").read_text()) == asked.arguments()
    with qtbot.waitSignal(run.ended, timeout=20_000) as ended:
        run.stop()
    assert ended.args == [""] and (tmp_path / "asked.stopped").exists() and not run.running


def test_a_process_that_fails_says_its_sentence(qtbot, asked, command):
    run = TableRun(command=command("fail"))
    with qtbot.waitSignal(run.ended, timeout=20_000) as ended:
        run.start(asked)
    assert ended.args == ["There is no table 9; choose 1 to 7."]
    missing = TableRun(command=("/no/such/program",))
    with qtbot.waitSignal(missing.ended, timeout=20_000) as ended:
        missing.start(asked)
    assert "/no/such/program" in ended.args[0] and not missing.running


@pytest.fixture
def page(qtbot, session, settings, command, tmp_path, monkeypatch):
    monkeypatch.setenv("POSEAUG_RUNS", str(tmp_path))
    made = TablesPage(session, TableRun(command=command()), settings, DARK)
    qtbot.addWidget(made)
    made.resize(1100, 640)
    made.show()
    made.number.setCurrentIndex(made.number.findData(6))
    qtbot.waitUntil(lambda: made.grid.grid is not None and "Table 6" in made.grid.grid.title, timeout=60_000)
    yield made
    if made.run.running:
        with qtbot.waitSignal(made.run.ended, timeout=20_000):
            made.run.stop()


def test_run_and_pause_by_one_button(qtbot, page, tmp_path):
    assert page.train.text() == "Run" and "0 of" in page.words.text()
    qtbot.mouseClick(page.train, Qt.MouseButton.LeftButton)
    assert page.train.text() == "Pause" and page.grid.training
    qtbot.waitUntil(lambda: (tmp_path / "asked.ready").exists(), timeout=20_000)
    qtbot.mouseClick(page.train, Qt.MouseButton.LeftButton)
    assert page.train.text() == "Pausing\u2026" and not page.train.isEnabled()
    qtbot.waitUntil(lambda: not page.run.running, timeout=20_000)
    assert "kept" in page.message.text() and not page.grid.training


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [("seeds", "x", "Seeds are 'x'"), ("changes", "epochs", "epochs has no '='"), ("changes", "epoks=2", "epochs"),
     ("changes", "epochs=-1", "epochs is -1"), ("changes", "pretrain=1", "did you mean 'pretrain_epochs' or"),
     ("changes", "zzz=1", "the button beside Settings")],
)  # fmt: skip
def test_what_cannot_be_run_is_said_before_it_is_run(qtbot, page, field, text, words):
    getattr(page, field).setText(text)
    qtbot.waitUntil(lambda: words in page.message.text(), timeout=20_000)
    assert not page.train.isEnabled() and page.grid.grid is None


def test_the_table_is_written_in_four_kinds_of_file(qtbot, page, tmp_path):
    page.export_to(tmp_path / "out" / "table.md")
    qtbot.waitUntil(lambda: page.message.text().startswith("Written:"), timeout=60_000)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".md", ".csv", ".tex", ".pdf"}


def test_data_of_a_folder_without_any_is_refused(qtbot, page, tmp_path, settings):
    (tmp_path / "empty").mkdir()
    page.add_folder(tmp_path / "empty")
    qtbot.waitUntil(lambda: str(tmp_path / "empty") in page.message.text(), timeout=20_000)


def test_a_window_with_a_table_in_training_stops_it_before_it_closes(qtbot, window, asked, command, tmp_path):
    window.table_run.command = command()
    window.table_run.start(asked)
    qtbot.waitUntil(lambda: (tmp_path / "asked.ready").exists(), timeout=20_000)
    window.open_library("tables")
    assert window.library.tables.train.text() == "Pause table 6"
    window.close()
    assert window.isVisible()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    assert (tmp_path / "asked.stopped").exists()


def test_sets_beside_the_source_are_named_on_the_page(qtbot, page):
    page.sets["cross"].setText("demo:cross")
    page.data.setCurrentIndex(page.data.findText("The demo's people"))
    page.number.setCurrentIndex(page.number.findData(3))
    qtbot.waitUntil(lambda: "Nothing is left of table 3" in page.message.text(), timeout=60_000)
    assert "a Wild set" in page.message.text() and "--" not in page.message.text()
    page.sets["wild"].setText("demo:source_test")
    qtbot.waitUntil(lambda: page.grid.grid is not None and "Table 3" in page.grid.grid.title, timeout=60_000)
    words = page.asked().arguments()
    assert words[words.index("--wild") + 1] == "demo:source_test"


def test_settings_are_listed_with_their_help_and_written_by_a_click(qtbot, page):
    menu = page.changes.listed()
    epochs = next(action for action in menu.findChildren(QAction) if action.text().endswith("\tpretrain_epochs"))
    assert epochs.toolTip() == SETTINGS["pretrain_epochs"].help
    page.changes.setText("batch_size=8")
    epochs.trigger()
    value = PRESETS["small_data"].get("pretrain_epochs", SETTINGS["pretrain_epochs"].default)
    assert page.changes.text() == f"batch_size=8, pretrain_epochs={value}"
    assert page.changes.line.selectedText() == str(value)


def test_what_is_asked_stays_while_it_trains(qtbot, page, tmp_path):
    fields = (page.data, page.preset, page.estimator, page.seeds, page.changes, page.runs, page.sets["wild"])
    qtbot.mouseClick(page.train, Qt.MouseButton.LeftButton)
    assert not any(field.isEnabled() for field in fields) and page.number.isEnabled()
    qtbot.waitUntil(lambda: (tmp_path / "asked.ready").exists(), timeout=20_000)
    page.number.setCurrentIndex(page.number.findData(4))  # another is looked at meanwhile
    page.number.setCurrentIndex(page.number.findData(6))
    assert page.asked() == page.run.asked
    qtbot.mouseClick(page.train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.run.running, timeout=20_000)
    assert all(field.isEnabled() for field in fields)


def test_a_finished_table_offers_nothing_to_run(qtbot, page):
    page.grid.show_grid(replace(page.grid.grid, done=page.grid.grid.jobs), False)
    page._show_buttons()
    assert page.train.isHidden() and page.export.isEnabled()
