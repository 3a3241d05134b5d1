"""The paper's tables and figures: definitions that hold together, figures computed once, files that agree."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from dataclasses import replace
from statistics import fmean, stdev

import pytest
from click.testing import CliRunner

from poseaug_core.checkpoints import read_checkpoint, write_checkpoint
from poseaug_core.cli import main
from poseaug_core.errors import UserError
from poseaug_core.estimators import own
from poseaug_core.figures import comparison, draw_picture, picture_plan
from poseaug_core.figures.comparisons import subsets
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.sweep import run_plan
from poseaug_core.sweep.state import Log, write_log
from poseaug_core.tables import TABLES, DataSets, Setup, data_sets, experiment, parse_settings, table_state
from poseaug_core.tables.files import write_table
from poseaug_core.tables.result import result_of
from poseaug_core.tables.texts import latex, markdown, plain
from tests.core.small import SMALL, small_poses

EVERYTHING = DataSets(
    {name: f"demo:source?seed={k}" for k, name in enumerate(("det", "cpn", "hr", "gt"))},
    {name: f"demo:source_test?seed={k}" for k, name in enumerate(("det", "cpn", "hr", "gt"))},
    "demo:cross", "demo:cross?seed=1", ("demo:cross?seed=2",),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data of three subjects and, in runs, Table 6's PoseAug row by two seeds."""
    folder = tmp_path_factory.mktemp("tables")
    for number, (name, count) in enumerate({"source": 40, "source_test": 20, "cross": 20}.items()):
        poses = small_poses(count, number + 1)
        poses.tag[:, 0] = poses.tag[:, 2] % 3
        write_arrays(poses, folder / f"{name}.npz")
    run_plan(asked_of(folder).plan, folder / "runs")
    return folder


def asked_of(folder, **setup):
    ours = Setup(data_sets(str(folder)), estimator="simple_baseline", seeds=(0, 1), settings=SMALL)
    return experiment(6, replace(ours, **setup), rows=["poseaug"])


# definitions


@pytest.mark.parametrize("number", TABLES)
def test_every_table_runs_whole_where_the_data_are_whole(number):
    found = experiment(number, Setup(EVERYTHING))
    assert found.table.rows == TABLES[number].rows and found.table.columns == TABLES[number].columns
    assert not found.left_out and found.plan.jobs
    keys = [row.key for row in found.table.rows]
    assert len(set(keys)) == len(keys) and {row.versus for row in found.table.rows} <= {"", *keys}


@pytest.mark.parametrize("number", TABLES)
def test_printed_differences_are_those_to_the_printed_baseline(number):
    rows = {row.key: row for row in TABLES[number].rows}
    for row in rows.values():
        for key, (value, delta) in row.published.items():
            if delta is not None:  # the paper subtracts before it rounds
                assert delta == pytest.approx(value - rows[row.versus].expected[key][0], abs=0.151), (row.label, key)


def test_marks_say_what_the_settings_do():
    names = {"BA": "apply_ba", "RT": "apply_rt", "BL": "apply_bl", "Feedback": "feedback"}
    for row in TABLES[5].rows:
        if row.kind == "trained" and row.settings.get("augmentation") != "none":
            assert {mark for mark, name in names.items() if row.settings.get(name, True)} == set(row.marks)
    without = {row.marks: dict(row.settings) for row in TABLES[6].rows if row.marks}
    assert without[("D2D",)] == {"discriminator3d": "none"} and without[("D3D",)] == {"discriminator2d": False}
    assert TABLES[7].rows[2].settings == {"discriminator3d": "whole_body"}


def test_tables_share_their_runs():
    setup = Setup(EVERYTHING, seeds=(0, 1))
    five, six = experiment(5, setup).plan, experiment(6, setup).plan
    assert len(five.jobs.keys() & six.jobs.keys()) == 2 * 3  # pre-training, baseline and PoseAug
    assert five.job("poseaug, gt, seed 1").name == six.job("poseaug, gt, seed 1").name


def test_keypoints_choose_the_source_of_training_and_test():
    found = experiment(4, Setup(EVERYTHING), estimators=["vpose"], keypoints=["hr"])
    job = found.job(found.table.rows[-1], found.table.columns[0], 0)
    assert (job.config.source, job.config.source_test) == ("demo:source?seed=2", "demo:source_test?seed=2")
    assert {job.config.estimator for job in found.plan.jobs.values()} == {"vpose"}


def test_what_the_data_lack_is_left_out_and_said():
    less = DataSets({"gt": "demo:source"}, {"gt": "demo:source_test"}, "demo:cross")
    seven, two, one = (experiment(number, Setup(less)) for number in (7, 2, 1))
    assert [column.role for column in seven.table.columns] == ["cross"] and "--wild" in seven.left_out[0]
    assert "extra2d" not in [row.key for row in two.table.rows] and "--extra-2d" in two.left_out[0]
    assert "from HR; here they are from GT" in one.left_out[0]
    four = experiment(4, Setup(less))
    assert [column.keypoints for column in four.table.columns] == ["gt", "gt"] and len(four.left_out) == 3
    with pytest.raises(UserError, match="Nothing is left of table 3.*Add --wild SPEC, or wild.h5 to"):
        experiment(3, Setup(less))


@pytest.mark.parametrize("wrong, sentence", [
    ({"rows": ["variant_z"]}, "no row 'variant_z' in table 5; there are: pretrained, baseline, variant_a"),
    ({"columns": ["h36m"]}, "no column 'h36m'"),
    ({"estimators": ["vpose"]}, "no estimator 'vpose' in table 5's rows; there are: none"),
])  # fmt: skip
def test_a_corner_that_is_not_there_is_refused(wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        experiment(5, Setup(EVERYTHING), **wrong)


def test_numbers_presets_and_seeds_that_are_not_there_are_refused():
    with pytest.raises(UserError, match="no table 8; choose 1 to 7"):
        experiment(8, Setup(EVERYTHING))
    with pytest.raises(UserError, match="no preset 'papers'"):
        experiment(5, Setup(EVERYTHING, preset="papers"))
    with pytest.raises(UserError, match="pre-trains its estimators itself"):
        experiment(5, Setup(EVERYTHING, settings={"pretrain_epochs": 0}))
    with pytest.raises(UserError, match="evaluate_epochs is 0; set it to 1 or more"):
        experiment(5, Setup(EVERYTHING, settings={"evaluate_epochs": 0, "evaluate_iterations": 7}))


def test_settings_of_all_runs_are_read_by_name():
    assert parse_settings(["epochs=8", "weight-range = 2"]) == {"epochs": "8", "weight_range": "2"}
    for text, sentence in {"epochs": "no '='", "epoch=8": "did you mean 'epochs'", "seed=1": "--seeds"}.items():
        with pytest.raises(UserError, match=sentence):
            parse_settings([text])


def test_sets_are_found_by_name_and_by_flag(tmp_path):
    for name in ("data_3d_h36m.npz", "data_2d_h36m_hr.npz", "test_3dhp.npz"):
        (tmp_path / name).touch()
    found = data_sets(str(tmp_path))
    assert list(found.source) == ["gt", "hr"] and found.source["hr"].endswith("?keypoints=hr")
    assert found.source_test["hr"].endswith("?keypoints=hr&split=test") and found.cross.endswith("test_3dhp.npz")
    named = data_sets("", ["a.npz", "hr=b.npz", "c.npz?keypoints=cpn"], ["a_test.npz"], cross="x.npz")
    assert named.source == {"gt": "a.npz", "hr": "b.npz", "cpn": "c.npz?keypoints=cpn"}
    assert named.source_test == {"gt": "a_test.npz"}
    with pytest.raises(UserError, match="no source to train on"):
        data_sets()
    with pytest.raises(UserError, match="twice for 2D poses from 'gt'"):
        data_sets("", ["a.npz", "b.npz"])


# figures of the table


def last(folder, run: str) -> dict[str, float]:
    return [row["values"] for row in Run.open(folder / "runs" / run).metrics()[0] if row["kind"] == "evaluation"][-1]


def test_figures_are_the_last_evaluations_of_the_runs(folder):
    asked = asked_of(folder)
    result = result_of(asked, folder / "runs", "this version")
    assert [row.key for row in result.table.rows] == ["baseline", "poseaug"]
    baseline, poseaug = (figures[1] for figures in result.figures)
    column = asked.table.columns[1]
    for seed in (0, 1):
        run = asked.job(asked.table.rows[1], column, seed).name
        assert poseaug.values[seed] == last(folder, run)["cross/poseaug16/mpjpe"]
    values = list(poseaug.values.values())
    assert poseaug.mean == fmean(values) and poseaug.sd == stdev(values)
    assert poseaug.delta == poseaug.mean - baseline.mean and baseline.delta is None
    assert poseaug.published == (73.0, -13.6) and (poseaug.best, baseline.best) == (
        poseaug.mean < baseline.mean, poseaug.mean > baseline.mean,
    )  # fmt: skip
    other = result_of(asked_of(folder, protocol="3dhp14"), folder / "runs", "this version").figures[1][1]
    assert other.values[1] == last(folder, run)["cross/3dhp14/mpjpe"] != poseaug.values[1]


def test_an_order_other_than_the_papers_is_told(folder):
    result = result_of(asked_of(folder), folder / "runs", "this version")
    for k, head in enumerate(result.heads):
        means = [figures[k].mean for figures in result.figures]
        told = [sentence for sentence in result.order if f"on {head[0]}:" in sentence]
        assert bool(told) == (means[0] < means[1])  # in the paper the baseline is the worst


def test_a_grid_fills_as_its_runs_do(folder, tmp_path):
    asked = asked_of(folder)
    assert {cell.state for line in table_state(asked, tmp_path) for cell in line} == {"missing"}
    grid = table_state(asked, folder / "runs")
    assert {cell.state for line in grid for cell in line} == {"done"} and set(grid[0][0].values) == {0, 1}
    more = table_state(asked_of(folder, seeds=(0, 2)), folder / "runs")
    assert more[0][0].state == "missing" and set(more[0][0].values) == {0} and more[0][0].progress == 0.5
    text = markdown(result_of(asked_of(folder, seeds=(0, 2)), folder / "runs", "this version"))
    assert "[1 of 2]" in text and "3 of 6 finished; not finished: " in text
    missing = [job.name for job in asked_of(folder, seeds=(0, 2)).plan.jobs.values() if job.name.split("-")[-2] == "s2"]
    assert len(missing) == 3 and all(f"{name} (missing)" in text for name in missing)


def test_a_failed_run_is_told_with_its_reason(folder, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "runs")
    asked = asked_of(folder)
    name = asked.job(asked.table.rows[1], asked.table.columns[0], 1).name
    stop_before_the_end(tmp_path / "runs" / name)
    write_log(tmp_path / "runs" / name, Log(failed="The training diverged: x is nan at step 7."))
    common = ["--data", folder, "--runs", tmp_path / "runs", "--estimator", "simple_baseline", *settings()]
    told = poseaug("table", 6, "--rows", "poseaug", "--seeds", "0,1", "--read-only", *common)
    assert told.exit_code == 0, told.output
    assert f"- {name} failed: The training diverged: x is nan at step 7." in told.stdout
    assert f"5 of 6 finished; not finished: {name} (failed)" in told.stdout and "[1 of 2]" in told.stdout


def stop_before_the_end(run) -> None:
    file = run / "checkpoints" / "latest.safetensors"
    tensors, meta = read_checkpoint(file)
    meta["position"]["phase"] = "poseaug"
    write_checkpoint(file, tensors, meta)


def test_devices_are_told_where_they_are_known(folder, tmp_path):
    assert dict(result_of(asked_of(folder), folder / "runs", "this version").facts)["trained on"] == "cpu"
    shutil.copytree(folder / "runs", tmp_path / "runs")
    names = sorted(asked_of(folder).plan.jobs)
    write_log(tmp_path / "runs" / names[0], Log(1.0, ("0.1.0",)))
    write_log(tmp_path / "runs" / names[1], Log(1.0, ("0.1.0",), ("cuda (NVIDIA H200)",)))
    told = dict(result_of(asked_of(folder), tmp_path / "runs", "this version").facts)["trained on"]
    assert told in (f"{a}, {b}; not noted for 1 run" for a, b in itertools.permutations(("cpu", "cuda (NVIDIA H200)")))


def test_all_files_tell_the_same(folder, tmp_path):
    result = result_of(asked_of(folder), folder / "runs", "this version")
    written = write_table(result, tmp_path / "new" / "table6.md")
    assert [path.name for path in written] == ["table6.md", "table6.csv", "table6.tex", "table6.pdf"]
    page = written[0].read_text()
    facts = "source.npz", "released", "epochs = 3", "simple_baseline", "poseaug16", "0, 1", "this version", "other data"
    assert all(fact in page for fact in facts) and "flatters PCK" in page
    rows = list(csv.DictReader(written[1].open()))
    assert len(rows) == 2 * 2 * 2 and {row["seed"] for row in rows} == {"0", "1"}
    for row in rows:
        assert f"{float(row['mean']):.1f}" in page and f"{float(row['mean']):.1f}" in written[2].read_text()
    assert rows[-1]["published"] == "73.0" and rows[-1]["published_delta"] == "-13.6"
    assert written[3].read_bytes().startswith(b"%PDF") and b"/Subtype /Image" not in written[3].read_bytes()


def test_latex_has_as_many_cells_in_every_line(folder):
    lines = latex(result_of(asked_of(folder), folder / "runs", "this version")).splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", "\n".join(lines))[1]
    assert {line.count(" & ") + 1 for line in body} == {len(columns)}
    assert "\n".join(body).count(r"\textbf") == 2 and not re.search(r"(?<!\\)[_%]", "\n".join(body))


UGLY = r"a_b%c&d#e$f$g{h}i~j^k\l|m*n`o<p>[q]"


def ugly_result(folder):
    result = result_of(asked_of(folder), folder / "runs", "this version")
    heads = tuple((f"{UGLY} MPJPE ↓", theirs) for _, theirs in result.heads)
    return replace(result, heads=heads, facts=(*result.facts, ("data", f"{UGLY}\nand more")))


def test_names_of_sets_do_not_break_latex(folder):
    lines = latex(ugly_result(folder)).splitlines()
    assert r"a\_b\%c\&d\#e\$f\$g\{h\}i\textasciitilde{}j\textasciicircum{}k\textbackslash{}l" in "\n".join(lines)
    begins = lines.index(r"\begin{table}")
    assert all(line.startswith("% ") for line in lines[:begins])
    body = re.sub(r"\\(?:textbackslash|text\w+|[a-z]+|[_%&#${}\\])(?:\{\})?", "", "\n".join(lines[begins:]))
    assert not re.search(r"[#%~^|<>\\]", body) and body.count("{") == body.count("}")


def test_names_of_sets_do_not_break_markdown(folder):
    text = markdown(ugly_result(folder))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"a_b%c&amp;d#e\$f\$g{h}i\~j^k\\l\|m\*n\`o\<p\>\[q\]" in table[0]
    assert "and more" in next(line for line in text.splitlines() if line.startswith("- **data**: a_b"))
    assert "simple_baseline" in text and plain("_draft_ x_y") == r"\_draft\_ x_y"


def test_names_of_sets_do_not_break_the_page(folder, tmp_path):
    written = write_table(ugly_result(folder), tmp_path / "t")
    assert written[-1].read_bytes().startswith(b"%PDF")
    bad = replace(ugly_result(folder), notes=(r"$\nothing{ costs $5",))
    assert write_table(bad, tmp_path / "u")[-1].exists()


# commands


def poseaug(*words: str):
    return CliRunner().invoke(main, list(map(str, words)))


def settings() -> list[str]:
    return [f"--set={name}={value}" for name, value in SMALL.items()]


def test_the_command_reads_finished_runs_and_lists_missing_ones(folder, tmp_path):
    common = ["--data", folder, "--runs", folder / "runs", "--estimator", "simple_baseline", *settings()]
    done = poseaug("table", 6, "--rows", "poseaug", "--seeds", "0,1", "--out", tmp_path / "t", "--json", *common)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["title"].startswith("Table 6") and len(found["figures"]) == 8 and len(found["written"]) == 4
    listed = json.loads(poseaug("table", 6, "--seeds", "0", "--dry-run", "--json", *common).stdout)["runs"]
    assert [run["state"] for run in listed].count("missing") == 2 and len(listed) == 5
    assert all(run["seconds_left"] > 0 for run in listed if run["state"] == "missing")
    partly = poseaug("table", 6, "--seeds", "0", "--read-only", *common)
    assert partly.exit_code == 0 and "not run" in partly.output


@pytest.mark.parametrize("words, sentence", [
    (("table", 9, "--data", "."), "no source_train.npz"),
    (("table", 5, "--source", "demo:source", "--seeds", "one"), "--seeds is 'one'"),
    (("table", 5, "--source", "demo:source", "--protocol", "mine"), "no protocol 'mine'"),
    (("table", 5, "--source", "nowhere.npz", "--dry-run"), "nowhere.npz does not exist"),
    (("figure", 2, "--source", "demo:source"), "Figure 2 is none that runs can draw"),
    (("figure", 1, "--source", "demo:source"), "no file to write"),
    (("figure", 5, "--run", "runs/a", "--out", "a.pdf"), "name its run with --baseline-run"),
    (("figure", 1, "--run", "runs/a", "--out", "a.pdf"), "Figure 1 is of many runs"),
    (("presets", "diff", "paper", "papers"), "no preset 'papers'"),
])  # fmt: skip
def test_commands_refuse_in_a_sentence(words, sentence):
    told = poseaug(*words)
    assert told.exit_code == 2 and sentence in told.stderr and told.stderr.count("Error") == 1


# figures


def test_limited_data_are_one_two_and_all_subjects(folder):
    spec = str(folder / "source.npz")
    assert subsets(spec) == {
        "subject 0": f"{spec}?subjects=0", "subject 0+1": f"{spec}?subjects=0,1", "all 3": spec,
    }  # fmt: skip
    assert list(subsets(f"{spec}?stride=2").values())[0] == f"{spec}?subjects=0&stride=2"
    with pytest.raises(UserError, match="has 2 subjects, Figure 6 needs 3"):
        subsets(f"{spec}?subjects=0,1")
    with pytest.raises(UserError, match="make arrays of it"):
        subsets("demo:source")


def test_comparisons_share_the_tables_runs_and_are_drawn(folder):
    setup = asked_of(folder).setup
    limited = comparison(6, setup)
    assert set(asked_of(folder).plan.jobs) <= set(limited.plan.jobs) and len(limited.plan.jobs) == 3 * 6
    estimators = comparison(1, setup)
    assert [group.plan.jobs.keys() for group in estimators.groups.values()][1] == asked_of(folder).plan.jobs.keys()
    drawn = limited.draw(folder / "runs")
    bars = [len(axes.patches) for axes in drawn.axes]
    assert bars == [3, 3]  # all subjects alone have been trained: three arms on each set


@pytest.mark.parametrize("number", [3, 5, 7])
def test_pictures_of_trained_runs_are_vectors(folder, tmp_path, number):
    plan = picture_plan(number, asked_of(folder).setup)
    assert set(plan.jobs) <= set(asked_of(folder).plan.jobs)
    runs = {label: Run.open(folder / "runs" / name) for label, name in plan.runs.items()}
    written = draw_picture(number, runs, tmp_path / "figure.pdf")
    assert written.read_bytes().startswith(b"%PDF") and b"/Subtype /Image" not in written.read_bytes()
    if number == 5:
        with pytest.raises(UserError, match="cross has no row 99; choose 0 to 19"):
            draw_picture(number, runs, tmp_path / "other.pdf", rows=[99])


LINEAR = """
import torch
from torch import nn


class Linear(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.inner, self.outer = nn.Linear(32, width), nn.Linear(width, 48)

    def forward(self, uv, generator=None):
        return self.outer(torch.relu(self.inner(uv.flatten(1)))).view(-1, 16, 3)
"""


def test_a_figure_of_runs_with_a_class_of_the_users(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(own, "_named", set())
    (tmp_path / "linear.py").write_text(LINEAR)
    name = f"{tmp_path / 'linear.py'}:Linear"
    setup = Setup(data_sets(str(folder)), estimator=own.name_own(name), settings=SMALL)
    run_plan(plan := picture_plan(5, setup), tmp_path / "runs")
    mine = tmp_path / "runs" / plan.runs["poseaug"]
    known = folder / "runs" / picture_plan(5, asked_of(folder).setup).runs["baseline"]
    monkeypatch.setattr(own, "_named", set())
    words = ["figure", 5, "--run", mine, "--baseline-run", known, "--out", tmp_path / "figure.pdf"]
    told = poseaug(*words)
    assert told.exit_code == 2 and f"add --estimator {name}" in told.stderr
    told = poseaug(*words, "--estimator", name)
    assert told.exit_code == 0 and (tmp_path / "figure.pdf").exists(), told.output
    # lifting takes the class by the same flag, whichever of the two is of it
    lift = ["lift", folder / "cross.npz", "--out", tmp_path / "lifted.npz", "--json"]
    for with_, beside in ((mine, known), (known, mine), (mine, mine)):
        told = poseaug(*lift, "--with", with_, "--beside", beside, "--estimator", name)
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)["errors"]["beside/poseaug16/mpjpe"] > 0
    told = poseaug(*lift, "--with", known, "--estimator", name)
    assert told.exit_code == 2 and "is for weights of a class of yours" in told.stderr
    monkeypatch.setattr(own, "_named", set())
    told = poseaug(*lift, "--with", known, "--beside", mine)
    assert told.exit_code == 2 and f"add --estimator {name}" in told.stderr


# presets


def test_presets_differ_where_they_say():
    found = {
        entry["name"]: entry for entry in json.loads(poseaug("presets", "diff", "paper", "released", "--json").stdout)
    }
    assert (found["feedback_form"]["first"], found["feedback_form"]["second"]) == ("exponential", "ratio")
    assert found["feedback_form"]["equation"] == "Eq. 9" and found["feedback_form"]["help"]
    assert (found["tolerance_ba"]["read_first"], found["tolerance_ba"]["read_second"]) == (False, True)
    assert "seed" not in found and json.loads(poseaug("presets", "diff", "paper", "paper", "--json").stdout) == []
    shown = json.loads(poseaug("presets", "show", "small_data", "--json").stdout)
    assert {entry["name"] for entry in shown if entry["named"]} >= {"epochs", "augmented_share"}
    assert "small_data" in poseaug("presets").stdout and "--seeds" not in poseaug("presets").stdout
