"""Actions: the window's commands with their texts, shortcuts and menus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from poseaug_studio.runbar import ONLY

if TYPE_CHECKING:
    from poseaug_studio.window import StudioWindow


def add_commands(window: StudioWindow) -> None:
    """Declare every command of the window and hang them into its menus."""
    _declare(window)
    _menus(window)


def _declare(w: StudioWindow) -> None:
    add, bar, line = w.commands.add, w.workspace.runbar, w.workspace.timeline
    add("File", "demo", "New demo", w.new_demo, "Ctrl+N")
    add("File", "files", "Open motion capture or poses\u2026", w.choose_files, "Ctrl+O")
    add("File", "motion folder", "Open a folder of motion capture\u2026", w.choose_motion_folder)
    add("File", "cmu", "Get CMU mocap\u2026", lambda: _get_cmu(w))
    add("File", "run", "Open a run\u2026", w.choose_run, "Ctrl+Shift+O")
    add("File", "library", "Library: runs and tables\u2026", w.open_library, "Ctrl+Shift+L")
    add("File", "tables", "Tables of the paper\u2026", lambda: w.open_library("tables"))
    add("File", "lift", "Lift 2D keypoints\u2026", lambda: _lift(w), "Ctrl+L")
    add("File", "export", "Export figure\u2026", w.export_figure, "Ctrl+E")
    add("File", "copy", "Copy view", w.copy_view, "Ctrl+Shift+C")
    add("File", "start", "Start page", w.show_start, "Ctrl+Home")
    add("File", "quit", "Quit", w.close, "Ctrl+Q")
    add("Run", "toggle", "Train or pause", bar.train.click, "Ctrl+Return|F5")
    add("Run", "step", "Step one iteration", bar.step.click, "F10")
    for name, text in ONLY.items():
        add("Run", f"step {name}", f"Step: {text.lower()}", lambda name=name: bar.stepped.emit(name))
    add("Run", "stop", "Stop", bar.stop.click, "Shift+F5")
    add("Run", "undo", "Undo knob", w.session.undo, "Ctrl+Z")
    add("Run", "redo", "Redo knob", w.session.redo, "Ctrl+Shift+Z|Ctrl+Y")
    add("Timeline", "back", "One snapshot back", line.previous.click, ",")
    add("Timeline", "on", "One snapshot on", line.following.click, ".")
    add("Timeline", "play", "Play or pause the history", line.play.click, "P")
    add("Timeline", "live", "Jump to live", w.session.follow, "L")
    for name, text in {"system": "Theme of the system", "dark": "Dark theme", "light": "Light theme"}.items():
        add("View", f"theme {name}", text, lambda name=name: w.set_theme(name), checkable=True)
    add(
        "View",
        "swap theme",
        "Swap dark and light theme",
        lambda: w.set_theme("light" if w.theme.name == "dark" else "dark"),
        "Ctrl+T",
    )
    add("View", "presets", "Presets: what they change\u2026", lambda: _presets(w), "Ctrl+Shift+P")
    add("View", "reset layout", "Reset layout", w.reset_layout)
    add("Help", "palette", "Command palette\u2026", w.open_palette, "Ctrl+K")
    add("Help", "shortcuts", "Keyboard shortcuts", w.open_shortcuts, "?|F1")
    add("Help", "about", "About", w.about)


def _presets(w: StudioWindow) -> None:
    from poseaug_studio.presets_view import show_presets

    show_presets(w.theme, w)


def _get_cmu(w: StudioWindow) -> None:
    from poseaug_studio.fetch_cmu import get_cmu

    get_cmu(w)


def _lift(w: StudioWindow) -> None:
    from poseaug_studio.lift_opening import ask_for_keypoints

    ask_for_keypoints(w)


def _menus(w: StudioWindow) -> None:
    layout = {
        "File": (
            "demo",
            "files",
            "motion folder",
            "cmu",
            "run",
            "library",
            "tables",
            "recent",
            None,
            "lift",
            "export",
            "copy",
            None,
            "start",
            "quit",
        ),
        "Run": (
            "toggle",
            "step",
            *(f"step {name}" for name in ONLY),
            "stop",
            None,
            "undo",
            "redo",
            None,
            "back",
            "on",
            "play",
            "live",
        ),
        "View": (
            "theme system",
            "theme dark",
            "theme light",
            "swap theme",
            None,
            "presets",
            None,
            "docks",
            None,
            "reset layout",
        ),
        "Help": ("palette", "shortcuts", None, "about"),
    }
    for title, entries in layout.items():
        menu = w.menuBar().addMenu(title)
        for name in entries:
            if name is None:
                menu.addSeparator()
            elif name == "recent":
                recent = menu.addMenu("Open recent")
                recent.aboutToShow.connect(lambda recent=recent: w.fill_recent(recent))
            elif name == "docks":
                for dock in w.workspace.docks.values():
                    menu.addAction(dock.toggleViewAction())
            else:
                menu.addAction(w.commands[name])
    themes = QActionGroup(w)
    for name in ("system", "dark", "light"):
        themes.addAction(w.commands[f"theme {name}"])
    w.commands[f"theme {w.theme_choice}"].setChecked(True)
