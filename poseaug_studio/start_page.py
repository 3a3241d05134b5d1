"""Start page: the demo, motion capture, a run, and the runs seen lately."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from poseaug_core.skeleton import HUMAN16
from poseaug_studio import icons
from poseaug_studio.labels import Label, tip
from poseaug_studio.library import Entry
from poseaug_studio.style import alpha, font, mix
from poseaug_studio.theme import Theme

#: A walking figure in a unit square, for the four stages of the header: joints and bones.
JOINTS = (
    (0.50, 0.55), (0.44, 0.56), (0.38, 0.75), (0.27, 0.93), (0.56, 0.56), (0.63, 0.74), (0.66, 0.95), (0.50, 0.40),
    (0.50, 0.26), (0.52, 0.11), (0.58, 0.28), (0.66, 0.42), (0.76, 0.50), (0.42, 0.28), (0.34, 0.42), (0.36, 0.58),
)  # fmt: skip
BONES = HUMAN16.edges.tolist()
#: How each stage differs from the one before: joints moved, stature, turn.
MOVED = {"ba": {3: (-0.09, -0.06), 2: (-0.04, -0.03), 12: (0.03, -0.30), 11: (0.04, -0.14), 15: (-0.14, -0.06)}}


class Header(QWidget):
    """One pose through the four stages, in the stages' colours."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.setFixedHeight(150)
        self.setMinimumWidth(560)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = 112, 128
        gap = (self.width() - 4 * width) / 3
        pose = list(JOINTS)
        for i, stage in enumerate(("original", "ba", "bl", "rt")):
            before = list(pose)
            pose = stage_pose(pose, stage)
            corner = QPointF(i * (width + gap), 8)
            if i:
                self._figure(painter, before, corner, width, height, alpha(self.theme.muted, 0.28), 2.0)
                arrow = QPointF(corner.x() - gap / 2, 8 + height * 0.52)
                painter.setPen(
                    QPen(QColor(mix(self.theme.background, self.theme.muted, 0.6)), 1.5, c=Qt.PenCapStyle.RoundCap)
                )
                painter.drawLine(arrow - QPointF(12, 0), arrow + QPointF(12, 0))
                painter.drawLine(arrow + QPointF(12, 0), arrow + QPointF(7, -5))
                painter.drawLine(arrow + QPointF(12, 0), arrow + QPointF(7, 5))
            self._figure(painter, pose, corner, width, height, QColor(self.theme.stage(stage)), 4.0)

    def _figure(
        self, painter: QPainter, pose, corner: QPointF, width: int, height: int, color: QColor, line: float
    ) -> None:
        at = [corner + QPointF(x * width, y * height) for x, y in pose]
        painter.setPen(QPen(color, line, c=Qt.PenCapStyle.RoundCap))
        for a, b in BONES:
            painter.drawLine(at[a], at[b])
        painter.setBrush(color)
        painter.drawEllipse(at[9], line * 1.9, line * 1.9)


def stage_pose(pose: list[tuple[float, float]], stage: str) -> list[tuple[float, float]]:
    """The pose of the stage before, changed as this stage does."""
    if stage == "ba":
        return [(x + MOVED["ba"].get(i, (0, 0))[0], y + MOVED["ba"].get(i, (0, 0))[1]) for i, (x, y) in enumerate(pose)]
    if stage == "bl":
        return [(0.5 + (x - 0.5) * 1.1, 0.95 + (y - 0.95) * 1.08) for x, y in pose]
    if stage == "rt":
        return [
            (0.5 + (x - 0.5) * 0.62 + (y - 0.6) * -0.22, 0.55 + (y - 0.55) * 0.9 + (x - 0.5) * 0.16) for x, y in pose
        ]
    return list(pose)


class Signed(QFrame):
    """A frame with a sign that is clicked, or pressed by Return and Space, as one button."""

    clicked = Signal()

    def __init__(self, sign: str, size: int):
        super().__init__(objectName="card")
        self.sign, self.size_of_sign = sign, size
        self.picture = Label()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_theme(self, theme: Theme) -> None:
        self.picture.setPixmap(icons.pixmap(self.sign, theme.accent, self.size_of_sign))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)


class Card(Signed):
    """A large button: a sign, what it does, and a line about it."""

    def __init__(self, sign: str, title: str, words: str, theme: Theme, buttons: dict[str, Signal] | None = None):
        super().__init__(sign, 22)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(152)
        head = Label(title)
        head.setFont(font(14, 600))
        self.layout_ = QVBoxLayout(self, spacing=6)
        self.layout_.setContentsMargins(18, 16, 18, 14)
        self.layout_.addWidget(self.picture)
        self.layout_.addSpacing(4)
        self.layout_.addWidget(head)
        self.layout_.addWidget(Label(words, objectName="muted", wordWrap=True))
        self.layout_.addStretch(1)
        self.set_theme(theme)


class WideCard(Signed):
    """A card of one line, over the whole width."""

    def __init__(self, sign: str, title: str, words: str, theme: Theme):
        super().__init__(sign, 20)
        self.setFixedHeight(52)
        head = Label(title)
        head.setFont(font(14, 600))
        row = QHBoxLayout(self, spacing=12)
        row.setContentsMargins(18, 0, 18, 0)
        for part, share in ((self.picture, 0), (head, 0), (Label(words, objectName="muted"), 1)):
            row.addWidget(part, share)
        self.set_theme(theme)


class Recent(QFrame):
    """A recent run: its name, last error and age."""

    clicked = Signal(object)

    def __init__(self, entry: Entry, theme: Theme):
        super().__init__(objectName="card")
        self.entry = entry
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedHeight(40)
        self.setToolTip(tip(entry.folder))
        sign = Label()
        sign.setPixmap(icons.pixmap("run", theme.muted, 16))
        words = Label(entry.words, objectName="muted")
        words.setFont(font(12, tabular=True))
        row = QHBoxLayout(self, spacing=10)
        row.setContentsMargins(14, 0, 14, 0)
        row.addWidget(sign)
        row.addWidget(Label(entry.folder.name))
        row.addStretch(1)
        row.addWidget(words)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit(self.entry.folder)

    def keyPressEvent(self, event) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit(self.entry.folder)
        else:
            super().keyPressEvent(event)


class StartPage(QWidget):
    """See the module; each choice is a signal."""

    demo = Signal()
    files = Signal()
    folder = Signal()
    cmu = Signal()
    run = Signal()
    lift = Signal()
    recent = Signal(object)

    def __init__(self, theme: Theme):
        super().__init__(objectName="page")
        self.theme = theme
        self.entries: list[Entry] = []
        self.header = Header(theme)
        title = Label("PoseAug Studio", alignment=Qt.AlignmentFlag.AlignHCenter)
        title.setFont(font(28, 600))
        words = Label(
            "Train a 3D pose augmentor and watch what it does to every pose.",
            objectName="muted", alignment=Qt.AlignmentFlag.AlignHCenter,
        )  # fmt: skip
        words.setFont(font(15))
        self.cards = {
            "demo": Card("train", "Try the demo", "Parametric people, four cameras. Needs no data.", theme),
            "files": Card(
                "motion",
                "Open motion capture\u2026",
                "BVH, ASF/AMC, NPZ or HDF5. Drop files here, too.",
                theme,
            ),
            "cmu": Card("fetch", "Get CMU mocap\u2026", "Free motion capture of people, from its own site.", theme),
            "run": Card("open", "Open a run\u2026", "Scrub what was recorded, go on training, export figures.", theme),
        }
        for name, card in self.cards.items():
            card.clicked.connect(getattr(self, name))
        whole = QPushButton("or a whole folder\u2026", objectName="quiet")
        whole.setStyleSheet("text-align: left; padding: 0;")
        whole.clicked.connect(self.folder)
        self.whole = whole
        self.cards["files"].layout_.addWidget(whole)
        about = "2D joints that a detector found in your images, to 3D, beside a baseline. Drop them here, too."
        self.lifting = WideCard("spark", "Lift my keypoints\u2026", about, theme)
        self.lifting.clicked.connect(self.lift)
        cards = QHBoxLayout(spacing=16)
        for card in self.cards.values():
            cards.addWidget(card, 1)
        self.recents = QVBoxLayout(spacing=6)
        self.recent_title = Label("Recent runs", objectName="group")
        column = QVBoxLayout(spacing=0)
        for part, space in ((self.header, 20), (title, 6), (words, 32)):
            column.addWidget(part)
            column.addSpacing(space)
        column.addLayout(cards)
        column.addSpacing(16)
        column.addWidget(self.lifting)
        column.addSpacing(28)
        column.addWidget(self.recent_title)
        column.addSpacing(8)
        column.addLayout(self.recents)
        middle = QWidget()
        middle.setLayout(column)
        middle.setMaximumWidth(1080)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(middle, 8)
        across.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(32, 16, 32, 24)
        outer.addStretch(2)
        outer.addLayout(across)
        outer.addStretch(3)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = self.header.theme = theme
        self.header.update()
        for card in (*self.cards.values(), self.lifting):
            card.set_theme(theme)
        self.whole.setStyleSheet(
            f"text-align: left; padding: 0; border: none; background: transparent; color: {theme.accent};"
        )
        self.show_recent(self.entries)

    def show_recent(self, entries: list[Entry]) -> None:
        self.entries = entries
        while self.recents.count():
            self.recents.takeAt(0).widget().deleteLater()
        for entry in entries[:5]:
            line = Recent(entry, self.theme)
            line.clicked.connect(self.recent)
            self.recents.addWidget(line)
        self.recent_title.setVisible(bool(entries))
