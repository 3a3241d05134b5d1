"""BVH: kinematics against a naive reading, names, units, frame rates, and real motion capture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.readers.body import subject_of
from poseaug_core.readers.bvh import read_bvh
from poseaug_core.readers.bvh_file import parse, positions
from poseaug_core.readers.bvh_names import map_names
from poseaug_core.readers.motion_files import Reading
from poseaug_core.skeleton import HUMAN16
from tests.core.bvh_people import PERSON, SCHEMES, bvh_text, names_of, write_bvh

JOINT = HUMAN16.names.index


def naive(joint: str, frame: int, angles: dict, orders: dict, unit: float) -> list[float]:
    """World position of one joint at one frame, scalar by scalar, up the chain."""
    point = [0.0, 0.0, 0.0]
    while joint is not None:
        for letter in reversed(orders.get(joint, "zxy")):
            axis = "xyz".index(letter)
            angle = math.radians(angles[joint][frame, axis]) if joint in angles else 0.0
            i, j = (axis + 1) % 3, (axis + 2) % 3
            a, b = point[i], point[j]
            point[i], point[j] = math.cos(angle) * a - math.sin(angle) * b, math.sin(angle) * a + math.cos(angle) * b
        parent, offset = PERSON[joint]
        if parent is None:
            offset = (0.01 * frame, 0.95, 0.02 * frame)
        point = [p + unit * o for p, o in zip(point, offset, strict=True)]
        joint = parent
    return point


orders = st.dictionaries(
    st.sampled_from(list(names_of("daz"))), st.sampled_from(["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"])
)


@given(orders=orders, seed=st.integers(0, 1000))
def test_forward_kinematics_equals_naive(tmp_path_factory, orders, seed):
    text, angles = bvh_text("daz", frames=3, seed=seed, degrees=120, orders=orders)
    path = tmp_path_factory.mktemp("bvh") / "one.bvh"
    path.write_text(text)
    hierarchy, motion = parse(path, None)
    names = names_of("daz")
    for ours in ("root", "left wrist", "right ankle", "head"):
        found = positions(hierarchy, motion.values, [hierarchy.names.index(names[ours])])
        for frame in range(3):
            np.testing.assert_allclose(found[frame, 0], naive(ours, frame, angles, orders, 100.0), atol=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_naming_gives_the_same_person(tmp_path, scheme):
    other = read_bvh(write_bvh(tmp_path / "a.bvh", scheme="motionbuilder", seed=3)).xyz
    xyz = read_bvh(write_bvh(tmp_path / "b.bvh", scheme=scheme, seed=3)).xyz
    np.testing.assert_allclose(xyz, other, atol=2e-5)


def test_joints_lie_where_the_skeleton_puts_them(tmp_path):
    xyz = read_bvh(write_bvh(tmp_path / "still.bvh", degrees=0.0)).xyz[0]
    x, z = xyz[:, 0], xyz[:, 2]
    assert x[JOINT("left wrist")] > x[JOINT("left elbow")] > x[JOINT("left shoulder")] > x[JOINT("thorax")]
    assert x[JOINT("right wrist")] < x[JOINT("right elbow")] < x[JOINT("right shoulder")] < x[JOINT("thorax")]
    assert z[JOINT("head")] > z[JOINT("thorax")] > z[JOINT("spine")] > z[JOINT("pelvis")] > z[JOINT("left knee")]
    assert z[JOINT("pelvis")] == pytest.approx(z[JOINT("left hip")], abs=1e-6)
    # Facing z in the file is facing -y in the world: the ankle lies 1 cm behind the knee.
    assert xyz[JOINT("left ankle"), 1] - xyz[JOINT("left knee"), 1] == pytest.approx(0.01, abs=1e-5)


def test_exchanging_names_mirrors_the_joints(tmp_path):
    text, _ = bvh_text("motionbuilder", seed=5)
    (tmp_path / "a.bvh").write_text(text)
    swapped = text.replace("Left", "@").replace("Right", "Left").replace("@", "Right")
    (tmp_path / "b.bvh").write_text(swapped)
    xyz, other = read_bvh(tmp_path / "a.bvh").xyz, read_bvh(tmp_path / "b.bvh").xyz
    np.testing.assert_array_equal(other, xyz[:, list(HUMAN16.mirror)])


@pytest.mark.parametrize(
    ("unit", "word"), [(1.0, "metres"), (100.0, "centimetres"), (1000.0, "millimetres"), (1 / 0.0254, "inches"),
                       (0.45 / 0.0254, "CMU units"), (7.0, "the file's own")],
)  # fmt: skip
def test_units_are_found_and_said(tmp_path, unit, word):
    metres = read_bvh(write_bvh(tmp_path / "m.bvh", unit=1.0, seed=2))
    clip = read_bvh(write_bvh(tmp_path / "scaled.bvh", unit=unit, seed=2))
    assert clip.notes[1].startswith(f"unit: {word}") and "m" in clip.notes[1]
    np.testing.assert_allclose(clip.xyz, metres.xyz, atol=0.15 if word.startswith("the file") else 1e-3)


def test_z_up_files_stand_as_well(tmp_path):
    """The same motion with the axes of the file turned: x y z become x -z y."""
    hierarchy_text, _ = bvh_text(seed=4, degrees=0.0)
    turned = []
    for line in hierarchy_text.splitlines():
        words = line.split()
        if words[:1] == ["OFFSET"]:
            x, y, z = map(float, words[1:])
            line = f"OFFSET {x} {-z} {y}"
        elif len(words) > 20 and words[0][0] in "-0123456789":
            x, y, z = map(float, words[:3])
            line = " ".join((str(x), str(-z), str(y), *words[3:]))
        turned.append(line)
    (tmp_path / "y.bvh").write_text(hierarchy_text)
    (tmp_path / "z.bvh").write_text("\n".join(turned))
    y, z = read_bvh(tmp_path / "y.bvh"), read_bvh(tmp_path / "z.bvh")
    assert ("up: y" in y.notes, "up: z" in z.notes) == (True, True)
    np.testing.assert_allclose(z.xyz, y.xyz, atol=1e-5)


def test_position_channels_replace_offsets(tmp_path):
    """Bandai-Namco gives every joint positions; they say the same as the offsets, doubled ones double the thigh."""
    text, _ = bvh_text(frames=2, degrees=0.0)
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "JOINT LeftLeg")
    before = sum(int(line.split()[1]) for line in lines[:at] if "CHANNELS" in line)
    lines[at + 3] = "CHANNELS 4 Yposition Zrotation Xrotation Yrotation"
    for row in (-2, -1):
        words = lines[row].split()
        lines[row] = " ".join((*words[:before], "-84.0", *words[before:]))
    (tmp_path / "p.bvh").write_text("\n".join(lines))
    lengths = HUMAN16.lengths(read_bvh(tmp_path / "p.bvh").xyz.astype(np.float64))
    np.testing.assert_allclose(lengths[:, JOINT("left knee") - 1], 2 * lengths[:, JOINT("right knee") - 1], atol=1e-4)


def test_thinning_keeps_every_nth_frame(tmp_path):
    path = write_bvh(tmp_path / "fast.bvh", frames=41, fps=120.0)
    every, thin = read_bvh(path, fps=None), read_bvh(path, fps=30)
    assert (every.fps, len(every), thin.fps, len(thin)) == (pytest.approx(120, 1e-5), 41, pytest.approx(30, 1e-5), 11)
    # The ground is found from the frames kept, so only shapes are compared.
    np.testing.assert_allclose(thin.xyz - thin.xyz[:, :1], (every.xyz - every.xyz[:, :1])[::4], atol=1e-6)
    assert "every fourth frame kept, 30 a second" in thin.notes
    wrapped = path.read_text().splitlines()
    head = next(i for i, line in enumerate(wrapped) if line.startswith("Frame Time")) + 1
    broken = [part for row in wrapped[head:] for part in (row[: row.index(" ")], row[row.index(" ") :])]
    (tmp_path / "wrapped.bvh").write_text("\n".join([*wrapped[:head], *broken]))
    np.testing.assert_array_equal(read_bvh(tmp_path / "wrapped.bvh").xyz, thin.xyz)


def test_set_pose_before_the_motion_is_left_out(tmp_path):
    text, _ = bvh_text(frames=20, degrees=2.0)
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    words = lines[first].split()
    lines[first] = " ".join((*words[:3], *("70" for _ in words[3:])))
    (tmp_path / "t.bvh").write_text("\n".join(lines))
    clip = read_bvh(tmp_path / "t.bvh")
    assert len(clip) == 19 and any("set pose" in note for note in clip.notes)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("07/07_01.bvh", 7),
        ("other/35_02.bvh", 35),
        ("lafan/dance1_subject3.bvh", 3),
        ("S9/walk.bvh", 9),
        ("x/y.bvh", 0),
    ],
)
def test_subject_from_folder_or_name(tmp_path, name, subject):
    assert subject_of(tmp_path / "sub" / name) == subject


def test_folder_reads_recursively_reports_and_cancels(tmp_path):
    write_bvh(tmp_path / "01" / "01_01.bvh")
    write_bvh(tmp_path / "02" / "deep" / "02_01.BVH")
    (tmp_path / "02" / "bad.bvh").write_text("HIERARCHY\nnonsense\nMOTION\n")
    heard = []
    reading = Reading(tmp_path, progress=lambda share, text: heard.append((share, text)))
    clips, left_out = list(reading), reading.left_out
    assert [(clip.name, clip.subject) for clip in clips] == [("01_01", 1), ("02_01", 2)]
    assert len(left_out) == 1 and "bad.bvh" in left_out[0]
    assert [share for share, _ in heard] == [0, 1 / 3, 2 / 3]
    with pytest.raises(Cancelled):
        list(Reading(tmp_path, progress=lambda share, text: share < 0.5))
    with pytest.raises(UserError, match="0 .bvh or .amc files"):
        list(Reading(_empty(tmp_path)))


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def test_unknown_names_are_listed(tmp_path):
    text, _ = bvh_text("motionbuilder")
    (tmp_path / "a.bvh").write_text(text.replace("LeftLeg", "Bone7"))
    with pytest.raises(UserError, match=r"1 of 14 joints.*left knee \('LeftLeg'\).*Hips"):
        read_bvh(tmp_path / "a.bvh")


def test_real_motion_capture_is_an_upright_person(mocap):
    files = sorted(mocap.glob("cmu_bvh/*/*_01.bvh"))
    assert files, f"{mocap}/cmu_bvh holds no files"
    for path in files:
        clip = read_bvh(path)
        lengths = HUMAN16.lengths(clip.xyz.astype(np.float64))
        stature = lengths.mean(0)[[1, 2, 6, 7, 8]].sum() / 0.9
        assert 1.5 < stature < 1.9, path
        assert lengths[:, [bone for bone in range(15) if bone != 6]].std(0).max() < 2e-3, "rigid bones, but the waist"
        assert lengths[:, 6].std() < 0.03
        np.testing.assert_allclose(lengths, lengths[:, list(HUMAN16.mirror_bones)], atol=5e-3)
        z = np.median(clip.xyz[..., 2], axis=0)
        assert z[JOINT("head")] > z[JOINT("thorax")] > z[JOINT("spine")] > z[JOINT("pelvis")] > z[JOINT("left knee")]
        assert -0.05 < clip.xyz[..., 2].min() < 0.1
        assert map_names(parse(path, 1)[0], path).title == "Daz-friendly CMU"
