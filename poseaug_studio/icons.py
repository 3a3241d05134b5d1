"""Icons, drawn as 16 x 16 line paths so that they take the theme's colours and stay sharp at any scale."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

#: SVG bodies; 'S' stands for stroked, 'F' for filled in the colour asked for.
SHAPES = {
    "train": "<path F d='M4.5 2.8v10.4a.6.6 0 0 0 .92.5l8-5.2a.6.6 0 0 0 0-1l-8-5.2a.6.6 0 0 0-.92.5z'/>",
    "pause": "<rect F x='3.6' y='2.8' width='3.2' height='10.4' rx='.9'/>"
    "<rect F x='9.2' y='2.8' width='3.2' height='10.4' rx='.9'/>",
    "step": "<path F d='M3 3.2v9.6a.5.5 0 0 0 .78.42l6.9-4.8a.5.5 0 0 0 0-.84l-6.9-4.8A.5.5 0 0 0 3 3.2z'/>"
    "<rect F x='11.4' y='2.8' width='2' height='10.4' rx='.8'/>",
    "stop": "<rect F x='3.2' y='3.2' width='9.6' height='9.6' rx='1.6'/>",
    "previous": "<path S d='M10 3.5 5.5 8l4.5 4.5'/>",
    "next": "<path S d='M6 3.5 10.5 8 6 12.5'/>",
    "down": "<path S d='M4 6.2 8 10.2l4-4'/>",
    "right": "<path S d='M6.2 4 10.2 8l-4 4'/>",
    "live": "<circle F cx='8' cy='8' r='2.2'/><path S d='M4.2 4.2a5.4 5.4 0 0 0 0 7.6M11.8 4.2a5.4 5.4 0 0 1 0 7.6'/>",
    "loop": "<path S d='M3 9V7.5A2.5 2.5 0 0 1 5.5 5H13M11 3l2 2-2 2M13 7v1.5A2.5 2.5 0 0 1 10.5 11H3M5 13l-2-2 2-2'/>",
    "undo": "<path S d='M6 3 3 6l3 3M3.4 6H9.500a3.500 3.500 0 0 1 0 7H6.500'/>",
    "redo": "<path S d='M10 3l3 3-3 3M12.6 6H6.500a3.500 3.500 0 0 0 0 7H9.500'/>",
    "reset": "<path S d='M3.2 8a4.8 4.8 0 1 0 1.600-3.600L3.200 5.800M3.200 2.800v3h3'/>",
    "close": "<path S d='M4.500 4.500l7 7M11.500 4.500l-7 7'/>",
    "float": "<rect S x='2.8' y='5.2' width='8' height='8' rx='1.4'/><path S d='M6 2.8h5.8a1.4 1.4 0 0 1 1.4 1.4V10'/>",
    "schedule": "<path S d='M2.500 12.500c3 0 3-9 5.500-9s2.500 9 5.500 9'/>",
    "hold": "<path S d='M2.500 8h11M8 5.500v5'/>",
    "open": "<path S d='M2.5 12V4.5A1 1 0 0 1 3.5 3.5h3l1.5 2h4.5a1 1 0 0 1 1 1V12a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1z'/>",
    "motion": "<circle S cx='9' cy='3.2' r='1.5'/><path S d='M8.5 5.8 7 9l2.5 2-.5 3M7 9l-1 2.5-2.5 1.5"
    "M5 7.5l3-1.5 2 2 2.5-.5'/>",
    "run": "<path S d='M2.500 13.500h11M3.500 10.500l3-4 2.500 2 4-5.500'/>",
    "export": "<path S d='M8 9.5V2.5M5.2 5.2 8 2.5l2.8 2.7"
    "M3 9.5v2.5a1.5 1.5 0 0 0 1.5 1.5h7a1.5 1.5 0 0 0 1.5-1.5V9.5'/>",
    "fetch": "<path S d='M8 2.5v7M5.2 6.8 8 9.6l2.8-2.8"
    "M3 9.5v2.5a1.5 1.5 0 0 0 1.5 1.5h7a1.5 1.5 0 0 0 1.5-1.5V9.5'/>",
    "warning": "<path S d='M8 2.800 14 13H2L8 2.800zM8 6.500v3M8 11.300v.2'/>",
    "check": "<path S d='M3.500 8.500l3 3 6-7'/>",
    "search": "<circle S cx='7' cy='7' r='4'/><path S d='M10 10l3.500 3.500'/>",
    "spark": "<path S d='M8 2v3.5M8 10.5V14M2 8h3.5M10.5 8H14M4 4l1.8 1.8M10.2 10.2 12 12M12 4l-1.8 1.8"
    "M5.8 10.2 4 12'/>",
}


def svg(name: str, color: str, width: float = 1.4) -> bytes:
    """The icon as an SVG document."""
    body = SHAPES[name].replace(
        " S ", f" fill='none' stroke='{color}' stroke-width='{width}' stroke-linecap='round' stroke-linejoin='round' "
    )
    body = body.replace(" F ", f" fill='{color}' ")
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{body}</svg>".encode()


def pixmap(name: str, color: str, size: int = 16, scale: float = 2.0) -> QPixmap:
    """The icon as a pixmap of ``size`` logical pixels, drawn at ``scale`` device pixels each."""
    picture = QPixmap(round(size * scale), round(size * scale))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(svg(name, color))).render(painter, QRectF(picture.rect()))
    painter.end()
    picture.setDevicePixelRatio(scale)
    return picture


@lru_cache(256)
def icon(name: str, color: str, disabled: str = "", size: int = 16) -> QIcon:
    """The icon in ``color``, and in ``disabled`` where its button is."""
    made = QIcon(pixmap(name, color, size))
    made.addPixmap(pixmap(name, disabled or color, size), QIcon.Mode.Disabled)
    return made
