"""What the program is, and whom it owes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

TEXT = (
    "<b>PoseAug Studio</b><br><br>Implements <i>PoseAug: A Differentiable Pose "
    "Augmentation Framework for 3D Human Pose Estimation</i>, "
    "Kehong Gong, Jianfeng Zhang and Jiashi Feng, CVPR 2021.<br><br>"
    "Motion capture by the CMU Graphics Lab, mocap.cs.cmu.edu (NSF EIA-0196217).<br>Typeface: Inter, OFL."
)


def show_about(parent: QWidget) -> None:
    """Open the box over a window; nothing waits for it."""
    box = QMessageBox(parent)
    box.setWindowTitle("About PoseAug Studio")
    box.setTextFormat(Qt.TextFormat.RichText)
    box.setText(TEXT)
    box.open()
