"""Where the window meets the page for lifting: made when it is first wanted, shown, fed with what was dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poseaug_studio import library, lift_work

if TYPE_CHECKING:
    from poseaug_studio.lift import LiftPage
    from poseaug_studio.window import StudioWindow


def show_lifting(window: StudioWindow, spec: str = "") -> LiftPage:
    """The page for lifting, in front; with a spec, its keypoints are opened, else a file is asked for."""
    page = _page(window)
    page.offer_runs(library.recent(window.settings))
    window.pages.setCurrentWidget(page)
    if spec:
        window.banner.clear_error()
        page.open_spec(spec)
    return page


def ask_for_keypoints(window: StudioWindow) -> None:
    """The page for lifting; where it is empty, a file is asked for."""
    page = show_lifting(window)
    if page.source is None:
        page.choose_keypoints()


def lifts(window: StudioWindow, paths: list[Path]) -> bool:
    """Open what was chosen or dropped for lifting, if it is keypoints, or poses dropped on the page itself."""
    dropped_here = type(window.pages.currentWidget()).__name__ == "LiftPage" and len(paths) == 1
    arrays = paths[0].suffix.lower() in (".npz", ".h5", ".hdf5") if paths else False
    if not (lift_work.is_keypoints(paths) or dropped_here and arrays):
        return False
    show_lifting(window, str(paths[0]))
    return True


def _page(window: StudioWindow) -> LiftPage:
    from poseaug_studio.lift import LiftPage

    for number in range(window.pages.count()):
        if isinstance(window.pages.widget(number), LiftPage):
            return window.pages.widget(number)
    page = LiftPage(window.theme, window.session.background)
    page.told.connect(window.banner.tell)
    page.asks.connect(window.banner.clear_error)
    page.closed.connect(window.show_start)
    window.pages.addWidget(page)
    return page
