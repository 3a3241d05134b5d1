"""Commands: everything the window can do, once, for menus, shortcuts, the palette and the list of shortcuts."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)

from poseaug_studio.labels import Label
from poseaug_studio.style import font

KEYS = Qt.ItemDataRole.UserRole + 1


class Commands(QObject):
    """Actions by name, in order. The window owns them, so that their shortcuts work everywhere in it."""

    def __init__(self, window: QWidget):
        super().__init__(window)
        self.window = window
        self.actions: dict[str, QAction] = {}
        self.groups: dict[str, list[str]] = {}

    def add(
        self, group: str, name: str, text: str, act: Callable[[], object], keys: str = "", checkable: bool = False
    ) -> QAction:
        action = QAction(text, self.window, checkable=checkable)
        if keys:
            action.setShortcuts([QKeySequence(key) for key in keys.split("|")])
        action.triggered.connect(lambda _=False: act())
        self.window.addAction(action)
        self.actions[name] = action
        self.groups.setdefault(group, []).append(name)
        return action

    def __getitem__(self, name: str) -> QAction:
        return self.actions[name]

    def shortcuts(self) -> list[tuple[str, str, str]]:
        """(group, text, keys) of every command with a shortcut."""
        return [
            (group, self.actions[name].text().replace("\u2026", ""), shown(self.actions[name]))
            for group, names in self.groups.items()
            for name in names
            if self.actions[name].shortcuts()
        ]


def shown(action: QAction) -> str:
    return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)


def score(query: str, text: str) -> int | None:
    """How well the letters of query, in order, fit text; higher is better, None is not at all."""
    query, text = query.lower().replace(" ", ""), text.lower()
    if not query:
        return 0
    at, total, last = 0, 0, -2
    for letter in query:
        at = text.find(letter, at)
        if at < 0:
            return None
        total += 3 if at == last + 1 else 2 if at == 0 or text[at - 1] in " :\u2026" else 0
        last, at = at, at + 1
    return total


class KeysDelegate(QStyledItemDelegate):
    """Writes the shortcut of a command at the right end of its line."""

    def paint(self, painter, option, index) -> None:
        super().paint(painter, option, index)
        painter.setPen(option.palette.color(QPalette.ColorRole.PlaceholderText))
        painter.setFont(font(12))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(option.rect.adjusted(0, 0, -10, 0), right, index.data(KEYS) or "")


class CommandPalette(QFrame):
    """Type a few letters of a command, Enter runs it."""

    def __init__(self, commands: Commands):
        super().__init__(commands.window, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint, objectName="palette")
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground, False)
        self.commands = commands
        self.line = QLineEdit(placeholderText="Type a command")
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(KeysDelegate(self.list))
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.line.textChanged.connect(self._fill)
        self.line.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._run())

    def open(self) -> None:
        window = self.commands.window
        self.resize(520, 380)
        self.move(window.mapToGlobal(window.rect().center()) - self.rect().center() - self.rect().bottomLeft() / 5)
        self.line.clear()
        self._fill("")
        self.show()
        self.line.setFocus()

    def _fill(self, query: str) -> None:
        found = []
        for group, names in self.commands.groups.items():
            for name in names:
                action = self.commands.actions[name]
                text = f"{group}: {action.text()}"
                points = score(query, text)
                if points is not None and action.isEnabled():
                    found.append((-points, len(found), name, text, shown(action)))
        self.list.clear()
        for _, _, name, text, keys in sorted(found):
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setData(KEYS, keys)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            moves = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
            if event.key() in moves and self.list.count():
                self.list.setCurrentRow((self.list.currentRow() + moves[event.key()]) % self.list.count())
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)

    def _run(self) -> None:
        item = self.list.currentItem()
        self.hide()
        if item is not None:
            self.commands.actions[item.data(Qt.ItemDataRole.UserRole)].trigger()


class ShortcutList(QFrame):
    """Every shortcut, in two columns."""

    def __init__(self, commands: Commands):
        super().__init__(commands.window, Qt.WindowType.Popup, objectName="palette")
        grid = QGridLayout(self, horizontalSpacing=24, verticalSpacing=4)
        grid.setContentsMargins(24, 20, 24, 20)
        groups: dict[str, list[tuple[str, str]]] = {}
        for group, text, keys in commands.shortcuts():
            groups.setdefault(group, []).append((text, keys))
        rows = [0, 0]
        for group, entries in groups.items():
            side = 0 if rows[0] <= rows[1] else 1
            grid.addWidget(Label(group, objectName="group"), rows[side], 3 * side)
            for i, (text, keys) in enumerate(entries, rows[side] + 1):
                key = Label(keys, objectName="muted", alignment=Qt.AlignmentFlag.AlignRight)
                key.setFont(font(12, 500, tabular=True))
                grid.addWidget(Label(text), i, 3 * side)
                grid.addWidget(key, i, 3 * side + 1)
            rows[side] += len(entries) + 2
        grid.setColumnMinimumWidth(2, 16)

    def open(self) -> None:
        window = self.parentWidget()
        self.adjustSize()
        self.move(window.mapToGlobal(window.rect().center()) - self.rect().center())
        self.show()
