"""Style: the theme as Qt palette and style sheet, the typeface, and which theme the system asks for."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from poseaug_studio import icons
from poseaug_studio.theme import DARK, LIGHT, Theme

FAMILIES = ["Inter", "SF Pro Text", "Segoe UI Variable Text", "Segoe UI", "Cantarell", "Noto Sans", "DejaVu Sans"]
#: Where the typeface lies: in a checkout, and in an installed package.
FONT_FOLDERS = (
    Path(__file__).parents[1] / "assets" / "fonts",
    Path(__file__).parents[1] / "poseaug_core" / "_assets" / "fonts",
)
#: Digits that keep their width: numbers change while we look at them.
TABULAR = QFont.Tag("tnum")


def load_fonts() -> None:
    """Make Inter known to Qt; without it, the system's own sans serif is used."""
    for folder in FONT_FOLDERS:
        for path in sorted(folder.glob("*.ttf")):
            QFontDatabase.addApplicationFont(str(path))


def font(size: float = 13, weight: int = 400, tabular: bool = False) -> QFont:
    """The interface typeface; size in logical pixels."""
    made = QFont(FAMILIES)
    made.setPixelSize(round(size))
    made.setWeight(QFont.Weight(weight))
    made.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    if tabular:
        made.setFeature(TABULAR, 1)
    return made


def system_theme() -> Theme:
    """What the desktop asks for; dark where it says nothing."""
    scheme = QGuiApplication.styleHints().colorScheme()
    return LIGHT if scheme == Qt.ColorScheme.Light else DARK


def mix(a: str, b: str, share: float) -> str:
    """``share`` of colour b in colour a."""
    x, y = QColor(a), QColor(b)
    return QColor(*(round(p + (q - p) * share) for p, q in zip(x.getRgb()[:3], y.getRgb()[:3], strict=True))).name()


def alpha(color: str, opacity: float) -> QColor:
    made = QColor(color)
    made.setAlphaF(opacity)
    return made


def apply(app: QApplication, theme: Theme) -> None:
    """Dress the whole application in a theme."""
    app.setStyle("Fusion")
    app.setFont(font())
    app.setPalette(palette(theme))
    app.setStyleSheet(sheet(theme))


def palette(theme: Theme) -> QPalette:
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.background, QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface, QPalette.ColorRole.AlternateBase: theme.raised,
        QPalette.ColorRole.Text: theme.text, QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text, QPalette.ColorRole.BrightText: theme.bad,
        QPalette.ColorRole.Highlight: theme.accent, QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.ToolTipBase: theme.raised, QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.muted, QPalette.ColorRole.Link: theme.accent,
    }  # fmt: skip
    for role, color in roles.items():
        made.setColor(role, QColor(color))
        if role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
            made.setColor(QPalette.ColorGroup.Disabled, role, QColor(mix(theme.muted, theme.surface, 0.4)))
    return made


@cache
def _images() -> tempfile.TemporaryDirectory:
    """Of this process alone: a name that others know could be theirs already."""
    return tempfile.TemporaryDirectory(prefix="poseaug-studio-")


def image(name: str, color: str) -> str:
    """A path that a style sheet can name: the icon written once to a temporary folder."""
    path = Path(_images().name) / f"{name}-{color.lstrip('#')}.svg"
    if not path.exists():
        path.write_bytes(icons.svg(name, color, 1.6))
    return path.as_posix()


def rgba(color: str, opacity: float) -> str:
    """'#rrggbb' with an opacity, 0..1, as a style sheet says it."""
    red, green, blue, _ = QColor(color).getRgb()
    return f"rgba({red}, {green}, {blue}, {round(255 * opacity)})"


def sheet(theme: Theme) -> str:
    """The style sheet. Colours come from the theme alone; everything sits on a grid of 8 (or 4) pixels."""
    t = theme
    hover, press = mix(t.raised, t.text, 0.07), mix(t.raised, t.text, 0.13)
    faint = mix(t.surface, t.line, 0.6)
    disabled = mix(t.muted, t.surface, 0.45)
    strong = mix(t.accent, "#000000", 0.12)
    on_accent = "#ffffff" if theme.name == "light" else "#06121f"
    return f"""
* {{ outline: none; }}
QWidget {{ color: {t.text}; selection-background-color: {t.accent}; selection-color: {on_accent}; }}
QMainWindow, QDialog, #page {{ background: {t.background}; }}
QMainWindow::separator {{ background: {t.background}; width: 6px; height: 6px; }}
QMainWindow::separator:hover {{ background: {mix(t.background, t.accent, 0.3)}; }}
QDialog {{ border: 1px solid {t.line}; }}
QSplitter::handle {{ background: {t.background}; }}
QSplitter::handle:hover {{ background: {mix(t.background, t.accent, 0.3)}; }}
#panel {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: 8px; }}
#bar {{ background: {t.surface}; border: none; border-bottom: 1px solid {t.line}; }}
#foot {{ background: {t.surface}; border: none; border-top: 1px solid {t.line}; }}
#title {{ color: {t.text}; font-weight: 600; font-size: 12px; }}
#muted, QLabel#muted {{ color: {t.muted}; }}
#group {{ color: {t.muted}; font-weight: 600; font-size: 11px; }}
#link {{ color: {t.accent}; }}
QLabel {{ background: transparent; }}

QPushButton, QToolButton {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 6px;
  padding: 4px 12px; min-height: 22px; font-weight: 500; }}
QPushButton:hover, QToolButton:hover {{ background: {hover}; border-color: {mix(t.line, t.text, 0.12)}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {press}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {t.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {disabled}; background: transparent; border-color: {faint}; }}
QPushButton#primary, QPushButton:default {{ background: {t.accent}; border-color: {t.accent}; color: {on_accent};
  font-weight: 600; }}
QPushButton#primary:hover, QPushButton:default:hover {{ background: {strong}; border-color: {strong}; }}
QPushButton#primary:disabled {{ background: {faint}; border-color: {faint}; color: {disabled}; }}
QToolButton#quiet, QPushButton#quiet {{ background: transparent; border: 1px solid transparent; padding: 2px;
  min-height: 18px; }}
QToolButton#quiet:hover, QPushButton#quiet:hover {{ background: {hover}; }}
QToolButton#quiet:checked {{ background: {mix(t.surface, t.accent, 0.22)}; }}
QToolButton#quiet[section="true"]:checked {{ background: transparent; }}
QToolButton#quiet[section="true"]:hover {{ background: {faint}; }}
QToolButton#quiet:focus, QPushButton#quiet:focus {{ border-color: {t.accent}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QToolButton::menu-button {{ border: none; border-left: 1px solid {t.line}; width: 20px;
  border-top-right-radius: 6px; border-bottom-right-radius: 6px; }}
QToolButton::menu-button:hover {{ background: {press}; }}
QToolButton::menu-arrow {{ image: url({image("down", t.muted)}); width: 12px; height: 12px; }}
QToolButton[popupMode="1"] {{ padding-right: 26px; }}
QFileDialog QToolButton {{ padding: 2px; min-height: 18px; }}

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit, QTextEdit {{ background: {t.background};
  border: 1px solid {t.line}; border-radius: 6px; padding: 3px 8px; min-height: 22px; }}
QLineEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover, QComboBox:hover {{ border-color: {mix(t.line, t.text, 0.18)}; }}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{ border-color: {t.accent}; }}
QLineEdit:disabled, QComboBox:disabled {{ color: {disabled}; border-color: {faint}; }}
QLineEdit#number {{ padding: 0 4px; min-height: 20px; border-color: transparent; background: transparent;
  border-radius: 4px; }}
QLineEdit#number:hover {{ background: {t.background}; border-color: {t.line}; }}
QLineEdit#number:focus {{ background: {t.background}; border-color: {t.accent}; }}
QComboBox::drop-down {{ border: none; width: 24px; }}
QComboBox::down-arrow {{ image: url({image("down", t.muted)}); width: 12px; height: 12px; }}
QComboBox {{ combobox-popup: 0; }}
QComboBoxPrivateContainer {{ background: {t.raised}; border: none; }}
QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 0; padding: 4px;
  selection-background-color: {mix(t.raised, t.accent, 0.28)}; selection-color: {t.text}; }}
QComboBox QAbstractItemView::item {{ min-height: 26px; border-radius: 5px; padding: 0 6px; }}
QComboBox QAbstractItemView::item:selected {{ background: {mix(t.raised, t.accent, 0.28)}; color: {t.text}; }}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{ width: 0;
  border: none; }}
QCheckBox {{ spacing: 8px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border-radius: 4px;
  border: 1px solid {mix(t.line, t.text, 0.2)}; background: {t.background}; }}
QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent};
  image: url({image("check", on_accent)}); }}

QMenuBar {{ background: {t.surface}; border-bottom: 1px solid {faint}; padding: 2px 4px; }}
QMenuBar::item {{ padding: 4px 10px; border-radius: 5px; background: transparent; color: {t.muted}; }}
QMenuBar::item:selected, QMenuBar::item:pressed {{ background: {hover}; color: {t.text}; }}
QMenu {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 8px; padding: 5px; }}
QMenu::item {{ padding: 6px 28px 6px 26px; border-radius: 5px; }}
QMenu::item:selected {{ background: {mix(t.raised, t.accent, 0.28)}; }}
QMenu::item:disabled {{ color: {disabled}; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: 5px 8px; }}
QMenu::indicator {{ width: 14px; height: 14px; left: 7px; }}
QMenu::indicator:checked {{ image: url({image("check", t.accent)}); }}
QMenu::right-arrow {{ image: url({image("right", t.muted)}); width: 12px; height: 12px; }}
QMenu::icon {{ left: 6px; }}

QScrollArea, QAbstractScrollArea, QScrollArea > QWidget > QWidget#scrolled {{ background: transparent;
  border: none; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {mix(t.surface, t.text, 0.16)}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 28px; }}
QScrollBar::handle:horizontal {{ min-width: 28px; }}
QScrollBar::handle:hover {{ background: {mix(t.surface, t.text, 0.30)}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ background: none;
  border: none; width: 0; height: 0; }}

QSlider {{ background: transparent; min-height: 16px; }}
QSlider::groove:horizontal {{ background: {mix(t.surface, t.text, 0.13)}; height: 4px; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t.accent}; height: 4px; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: #ffffff; border: 1px solid {t.accent}; width: 10px; height: 10px;
  margin: -4px 0; border-radius: 5px; }}
QTabBar {{ background: transparent; qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {t.muted}; padding: 5px 12px; margin: 2px 2px 3px 0;
  border-radius: 6px; font-weight: 500; }}
QTabBar::tab:hover {{ color: {t.text}; background: {faint}; }}
QTabBar::tab:selected {{ color: {t.text}; background: {t.raised}; }}
QTabWidget::pane {{ border: 1px solid {t.line}; border-radius: 8px; background: {t.surface}; }}
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; border-radius: 4px;
  padding: 6px 8px; }}
QProgressBar {{ background: {mix(t.surface, t.text, 0.09)}; border: none; border-radius: 3px; max-height: 6px;
  min-height: 6px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}

QListView, QTreeView, QTableView, QListWidget {{ background: {t.surface}; border: 1px solid {t.line};
  border-radius: 8px; padding: 4px; }}
QListView::item, QListWidget::item {{ padding: 6px 8px; border-radius: 5px; }}
QListView::item:hover, QListWidget::item:hover {{ background: {faint}; }}
QListView::item:selected, QListWidget::item:selected {{ background: {mix(t.surface, t.accent, 0.24)};
  color: {t.text}; }}
QHeaderView::section {{ background: {t.surface}; color: {t.muted}; border: none; border-bottom: 1px solid {t.line};
  padding: 6px 8px; }}

#card {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: 10px; }}
#card:hover {{ border-color: {mix(t.line, t.accent, 0.7)}; background: {mix(t.surface, t.accent, 0.04)}; }}
#card:focus {{ border-color: {t.accent}; }}
#banner {{ background: {mix(t.surface, t.bad, 0.16)}; border: none;
  border-bottom: 1px solid {mix(t.line, t.bad, 0.5)}; }}
#banner[kind="note"] {{ background: {mix(t.surface, t.accent, 0.14)};
  border-bottom: 1px solid {mix(t.line, t.accent, 0.5)}; }}
#drop {{ background: {rgba(t.background, 0.8)}; border: 2px dashed {t.accent}; border-radius: 10px; color: {t.text};
  font-size: 18px; font-weight: 600; }}
#waiting {{ background: {t.surface}; color: {t.muted}; font-size: 14px; border-radius: 7px; }}
#palette {{ background: {t.raised}; border: 1px solid {mix(t.line, t.text, 0.1)}; border-radius: 10px; }}
#palette QLineEdit {{ border: none; background: transparent; font-size: 15px; padding: 10px 12px; }}
#palette QListWidget {{ border: none; background: transparent; border-top: 1px solid {t.line}; border-radius: 0; }}
"""
