"""The tour ends well only if everything it says has happened."""

from __future__ import annotations

from poseaug_core.errors import UserError
from poseaug_studio.session import Session
from poseaug_studio.tour import Tour

PICTURES = (
    "start-dark",
    "training-dark",
    "scrubbing-dark",
    "training-light",
    "small-light",
    "small-dark",
    "export-dark",
)


def test_a_tour_leaves_pictures_a_figure_and_a_run(qapp, training, tmp_path, capsys):
    made = Tour(tmp_path, Session(training.train, training.open_run))
    assert made.run() == 0
    assert all((tmp_path / f"{name}.png").stat().st_size > 20_000 for name in PICTURES)
    assert (tmp_path / "augmentation.pdf").read_bytes().startswith(b"%PDF")
    run = training.runs[str(tmp_path / "run-1")]
    assert [row["field"] for row in run.log] == ["length_limit"]
    assert not made.session.running
    assert "Exported the figure augmentation.pdf" in capsys.readouterr().err


def test_a_tour_whose_training_fails_says_why_and_ends_with_1(qapp, training, tmp_path, capsys):
    def train(config, folder, live, resume=False):
        raise UserError("The disk is full; free some space.")

    made = Tour(tmp_path, Session(train, training.open_run))
    assert made.run() == 1
    assert "The disk is full" in capsys.readouterr().err
