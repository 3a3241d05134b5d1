"""The curves panel, its series and its legend."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from poseaug_core.palette import DARK, LIGHT
from poseaug_studio.curve_styles import ACCURACY, HARDNESS, HISTOGRAMS, LOSSES, MPJPE, styles_of
from poseaug_studio.curves import POINTS, CurvesPanel
from poseaug_studio.histograms import RATIO_SIZES, fitting
from poseaug_studio.legend import number
from poseaug_studio.metric_series import MetricSeries, smooth, thin
from poseaug_studio.selection import Selection
from tests.studio.fakes import feed, make_snapshot, series_of
from tests.studio.pictures import assert_like_picture, pixels, typeface  # noqa: F401


def metric_rows(count: int = 300, seed: int = 0) -> list[dict]:
    """Rows as a run keeps them: pre-training, then augmenting, an evaluation now and then."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        falling = np.exp(-3 * i / count)
        noisy = lambda mean: float(mean * (0.4 + falling) * (1 + 0.1 * rng.normal()))  # noqa: B023, E731
        if i < count / 5:
            values = {"loss/pretrain": noisy(0.1)}
        else:
            values = {
                f"loss/{name}": noisy(mean) for name, mean in (("augmentor", 3), ("d3d", 0.2), ("feedback_ba", 0.6))
            }
            values |= {"hardness/ba": 5 - 2 * falling + 0.3 * rng.normal(), "hardness/rt": 14 - 4 * falling}
            values |= {"accuracy/d3d_real": 0.8, "accuracy/d3d_fake": 0.7}
        rows.append({"step": 10 * i, "kind": "scalars", "values": values})
        if i % 50 == 49:
            errors = {"source_test/poseaug16/mpjpe": noisy(60), "wild/poseaug16/mpjpe": noisy(110)}
            rows.append({"step": 10 * i, "kind": "evaluation", "values": errors | {"wild/3dhp14/auc": 50.0}})
    return rows


@pytest.fixture
def panel(qtbot, typeface):  # noqa: F811
    panel = CurvesPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.resize(640, 260)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_reference_picture_of_losses(panel, theme):
    feed(panel, metric_rows())
    panel.present(make_snapshot(2000), 0)
    panel.set_theme(theme)
    assert_like_picture(panel, f"curves_{theme.name}")


@pytest.mark.parametrize(("view", "name"), [(HARDNESS, "hardness"), (HISTOGRAMS, "histograms")])
def test_reference_picture_of_a_view(panel, view, name):
    feed(panel, metric_rows())
    panel.present(make_snapshot(2000), 0)
    panel.tabs.choose(view)
    assert_like_picture(panel, f"curves_{name}")


def test_curves_follow_the_rows(panel):
    rows = metric_rows()
    feed(panel, rows[:100])
    feed(panel, rows[100:])
    steps, values = panel.curve("hardness/ba")
    kept = [(row["step"], row["values"]["hardness/ba"]) for row in rows if "hardness/ba" in row["values"]]
    assert np.allclose(np.stack((steps, values), 1), kept)
    panel.clear()
    assert len(panel.curve("hardness/ba")[0]) == 0


def test_rows_are_drawn_soon_without_being_asked(panel, qtbot):
    feed(panel, metric_rows())
    assert panel.pages.currentWidget() is panel.empty
    qtbot.waitUntil(lambda: panel.pages.currentIndex() == 0)
    shown = {entry.label for entry in panel.legend.entries}
    assert shown == {"augmentor", "feedback BA", "D3d", "pre-training"}


def test_smoothing_flattens_the_curve(panel):
    feed(panel, metric_rows())
    rough = panel.curve("loss/augmentor")[1]
    panel.smoothing.setValue(90)
    flat = panel.curve("loss/augmentor")[1]
    assert np.abs(np.diff(flat)).mean() < 0.3 * np.abs(np.diff(rough)).mean()
    assert flat[0] == rough[0]


def test_hiding_a_legend_entry_takes_its_curve_away(panel, qtbot):
    feed(panel, metric_rows())
    panel.refresh()
    before = pixels(panel.plot)
    where = panel.legend._rect(0).center().toPoint()
    qtbot.mouseClick(panel.legend, Qt.MouseButton.LeftButton, pos=where)
    assert panel.hidden == {"loss/augmentor"}
    assert not panel.legend.entries[0].shown
    assert np.abs(pixels(panel.plot) - before).mean() > 0.1
    qtbot.mouseClick(panel.legend, Qt.MouseButton.LeftButton, pos=where)
    assert panel.hidden == set()


def test_the_legend_reads_the_curve_at_the_shown_step(panel):
    feed(panel, metric_rows())
    panel.present(make_snapshot(2005), 0)
    panel.refresh()
    steps, values = panel.curve("loss/augmentor")
    assert panel.legend.entries[0].value == pytest.approx(values[steps == 2000][0])
    assert panel.legend.heading == "step 2,005"


def test_a_click_in_the_plot_chooses_its_step(panel, qtbot):
    feed(panel, metric_rows())
    panel.refresh()
    view = panel.plot.getPlotItem().vb
    point = panel.plot.mapFromScene(view.mapViewToScene(view.viewRect().center()))
    with qtbot.waitSignal(panel.step_chosen) as chosen:
        qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert chosen.args[0] == pytest.approx(view.viewRange()[0][1] / 2, rel=0.02)


def test_the_band_is_beta_and_tolerance_of_each_step_seen(panel):
    feed(panel, metric_rows())
    for step in (1000, 2000):
        panel.present(make_snapshot(step), 0)
    controls = make_snapshot(2000).controls
    panel.tabs.choose(HARDNESS)
    band = panel._bands()[0]
    assert list(band.x) == [1000, 2000]
    assert band.high[1] == controls["beta_ba"] + controls["tolerance_ba"]
    low, high = panel.plot.viewRange()[1]
    assert (
        low <= controls["beta_ba"] - controls["tolerance_ba"] and high >= controls["beta_rt"] + controls["tolerance_rt"]
    )


def test_scrubbing_moves_the_cursor_and_draws_no_curve_again(panel, monkeypatch):
    feed(panel, metric_rows())
    panel.present(make_snapshot(2000), 0)
    panel.refresh()
    drawn = []
    monkeypatch.setattr(panel.plot, "draw", lambda *given: drawn.append(given))
    panel.present(make_snapshot(1500), 0)
    panel.refresh()
    assert panel.legend.heading == "step 1,500"
    assert panel.plot._cursor.value() == 1500
    assert not drawn
    feed(panel, [{"step": 3010, "kind": "scalars", "values": {"loss/d3d": 0.1}}])
    panel.refresh()
    assert len(drawn) == 1


def test_the_log_scale_spans_decades(panel):
    feed(panel, metric_rows())
    panel.refresh()
    low, high = panel.plot.viewRange()[1]
    values = np.concatenate([panel.curve(name)[1] for name in styles_of(panel.series.names(), LOSSES)])
    assert low < np.log10(values.min()) and np.log10(values.max()) < high < 2


def test_each_view_remembers_its_scale(panel, qtbot):
    feed(panel, metric_rows())
    panel.tabs.choose(MPJPE)
    assert panel.plot.viewRange()[1][1] > 50
    qtbot.mouseClick(panel.log, Qt.MouseButton.LeftButton)
    assert panel.plot.viewRange()[1][1] < 3
    panel.tabs.choose(LOSSES)
    qtbot.mouseClick(panel.log, Qt.MouseButton.LeftButton)
    assert panel.logarithmic == {MPJPE}
    assert panel.plot.viewRange()[1][0] == 0


def test_a_loss_near_zero_does_not_flatten_the_others(panel):
    values = {"loss/augmentor": 2.0, "loss/limit_bl": 1e-5}
    feed(panel, [{"step": step, "kind": "scalars", "values": values} for step in range(50)])
    panel.refresh()
    low, high = panel.plot.viewRange()[1]
    assert high - low < 6


def test_a_single_evaluation_is_seen_as_a_dot(panel):
    feed(panel, [{"step": 100, "kind": "evaluation", "values": {"source_test/poseaug16/mpjpe": 60.0}}])
    panel.tabs.choose(MPJPE)
    item = panel.plot.getPlotItem().vb
    spot = panel.plot.mapFromScene(item.mapViewToScene(QPointF(100, 60)))
    shown = panel.plot.grab().toImage().pixelColor(spot)
    assert shown.blue() - shown.red() > 60  # the accent's blue


def test_the_range_holds_still_while_the_curves_fit(panel):
    rows = metric_rows()
    feed(panel, rows[:-20])
    panel.refresh()
    before = panel.plot.viewRange()
    feed(panel, rows[-20:])
    panel.refresh()
    assert panel.plot.viewRange() == before


def test_a_range_of_the_users_own_is_kept_until_fit_is_pressed(panel, qtbot):
    feed(panel, metric_rows())
    panel.refresh()
    panel.plot.setXRange(500, 700, padding=0)
    panel.plot.getPlotItem().vb.sigRangeChangedManually.emit([True, True])
    panel.refresh()
    assert panel.plot.viewRange()[0] == [500, 700]
    assert panel.fit.isVisible()
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    assert panel.plot.viewRange()[0][0] <= 0
    assert not panel.fit.isVisible()


def test_a_second_run_is_drawn_under_the_first_and_named(panel):
    feed(panel, metric_rows())
    panel.refresh()
    alone = pixels(panel.plot)
    panel.compare("no feedback", series_of(metric_rows(seed=1)))
    assert panel.legend.entries[-1].label == "no feedback"
    assert np.abs(pixels(panel.plot) - alone).mean() > 0.1
    panel.compare("", None)
    assert np.array_equal(pixels(panel.plot), alone)


def test_marks_of_one_step_are_told_together_and_cleared(panel):
    panel.mark(300, "beta BA: 3 → 5")
    panel.mark(300, "BL limit: 0.1 → 0.2")
    assert panel.plot.marks == {300: "beta BA: 3 → 5\nBL limit: 0.1 → 0.2"}
    panel.clear()
    assert panel.plot.marks == {}


@pytest.mark.parametrize("view", [LOSSES, HARDNESS, MPJPE, ACCURACY, HISTOGRAMS])
def test_every_view_says_a_sentence_before_it_has_numbers(panel, view):
    panel.present(make_snapshot(10, phase="pretrain"), 0)
    panel.tabs.choose(view)
    panel.refresh()
    assert panel.pages.currentWidget() is panel.empty
    assert panel.empty.text.endswith(".")


def test_errors_name_their_protocol():
    names = ("wild/3dhp14/mpjpe", "wild/poseaug16/mpjpe", "source_test/poseaug16/mpjpe", "wild/3dhp14/auc")
    labels = [style.label for style in styles_of(names, MPJPE).values()]
    assert labels == ["source", "wild", "wild · 3dhp14"]


def test_what_is_not_a_number_is_left_out():
    series = MetricSeries()
    series.extend(
        [{"step": 1, "kind": "scalars", "values": {"loss/d3d": None}}, {"step": 2, "values": {"loss/d3d": 0.5}}]
    )
    assert [list(v) for v in series.get("loss/d3d")] == [[2.0], [0.5]]


def test_rows_told_twice_are_kept_once_and_a_resumed_run_replaces_what_came_after(panel):
    rows = metric_rows()
    feed(panel, rows)
    once = panel.curve("loss/augmentor")
    feed(panel, rows)
    assert np.array_equal(panel.curve("loss/augmentor"), once)
    feed(panel, [{"step": 2000, "kind": "scalars", "values": {"loss/augmentor": 9.0}}])
    steps, values = panel.curve("loss/augmentor")
    assert steps[-1] == 2000 and values[-1] == 9.0
    assert np.array_equal(steps[:-1], once[0][once[0] < 2000])


def test_smoothing_is_the_average_with_fading_weights():
    values = np.random.default_rng(0).normal(size=700)
    out, past, weight = [], 0.0, 0.97
    for i, value in enumerate(values):
        past = weight * past + (1 - weight) * value
        out.append(past / (1 - weight ** (i + 1)))
    assert np.allclose(smooth(values, weight), out)


def test_thinning_keeps_the_peaks_and_the_end():
    x = np.arange(50_003.0)
    y = np.sin(x / 900)
    y[31_234], y[12_345] = 9, -9
    few_x, few_y = thin(x, y, POINTS)
    assert len(few_x) <= POINTS and few_x[-1] == x[-1]
    assert few_y.max() == 9 and few_y.min() == -9
    assert (np.diff(few_x) > 0).all()


@pytest.mark.parametrize(
    ("value", "text"), [(0.03124, "0.0312"), (4.206, "4.21"), (83.44, "83.4"), (1204.4, "1,204"), (-0.5, "−0.500")]
)
def test_numbers_have_as_many_digits_as_matter(value, text):
    assert number(value) == text


def test_the_bar_fits_where_there_is_little_room(panel, qtbot):
    for width in (panel.minimumSizeHint().width(), 427, 500, 640):
        panel.resize(width, 200)
        qtbot.wait(10)
        tools = [tool for tool in (panel.smoothing, panel.log) if tool.isVisible()]
        assert panel.tabs.width() >= panel.tabs.sizeHint().width()
        assert panel.tabs.geometry().right() < min(tool.geometry().left() for tool in tools)
        assert max(tool.geometry().right() for tool in tools) <= width


@pytest.mark.parametrize("last", [1, 6, 10, 33])
def test_the_ends_of_a_short_run_stand_clear_of_the_frame(panel, last):
    feed(panel, [{"step": i, "kind": "scalars", "values": {"loss/pretrain": 1.0 + i}} for i in range(last + 1)])
    panel.refresh()
    view = panel.plot.getPlotItem().vb
    (low, high), _ = view.viewRange()
    dot = 2.5 * view.viewPixelSize()[0]
    assert low <= -dot and high >= last + dot


def test_the_word_step_lies_under_the_curves_and_not_on_them(panel):
    feed(panel, metric_rows())
    panel.refresh()
    plot = panel.plot
    assert plot._steps.sceneBoundingRect().top() >= plot.getPlotItem().vb.sceneBoundingRect().bottom() - 1


def test_a_histograms_title_gets_shorter_before_it_is_cut(panel):
    metrics = panel.fontMetrics()
    assert fitting(RATIO_SIZES, metrics, 1000) == RATIO_SIZES[0]
    assert fitting(RATIO_SIZES, metrics, metrics.horizontalAdvance(RATIO_SIZES[0]) - 1) == RATIO_SIZES[1]


def test_what_only_the_second_run_has_is_named_as_it_is_drawn_with_its_value(panel):
    feed(panel, [{"step": i, "kind": "scalars", "values": {"loss/augmentor": 2.0}} for i in range(5)])
    other = [{"step": 100, "kind": "scalars", "values": {"loss/augmentor": 3.0, "loss/d3d": 0.5}}]
    panel.compare("parts", series_of(other))
    entries = {entry.label: (entry.dash, entry.value) for entry in panel.legend.entries}
    assert entries["augmentor"] == (Qt.PenStyle.SolidLine, 2.0)
    assert entries["D3d"] == (Qt.PenStyle.DotLine, 0.5)
