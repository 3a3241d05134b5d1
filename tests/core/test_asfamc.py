"""ASF/AMC: kinematics against a naive reading, units, frame rates, damaged files, and BVH of the same clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from poseaug_core.errors import UserError
from poseaug_core.readers import read_poses
from poseaug_core.readers.amc import read_amc
from poseaug_core.readers.asf import ends, read_asf
from poseaug_core.readers.asfamc import JOINTS, read_asfamc, skeleton_of
from poseaug_core.readers.bvh import read_bvh
from poseaug_core.readers.mocap import convert_motion
from poseaug_core.readers.motion_files import Reading
from poseaug_core.skeleton import HUMAN16
from tests.core.acclaim_people import AXES, BONES, NO_AXIS, amc_text, asf_text, random_angles, write_person
from tests.core.bvh_people import write_bvh

JOINT = HUMAN16.names.index
INCH = 0.0254


def turned(point: list[float], angle: float, letter: str) -> list[float]:
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[letter.lower()]
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    point = list(point)
    point[i], point[j] = c * point[i] - s * point[j], s * point[i] + c * point[j]
    return point


def naive_end(bone: str, frame: int, angles: dict) -> list[float]:
    """World position of one bone's end at one frame in inches, scalar by scalar, up the chain."""
    point = list(BONES[bone][1])
    while bone != "root":
        parent, _, dof = BONES[bone]
        *axis, order = AXES.get(bone, NO_AXIS).split()
        axis = dict(zip("XYZ", map(float, axis), strict=True))
        for letter in reversed(order):  # C^-1
            point = turned(point, -axis[letter], letter)
        for word, value in zip(dof.split(), angles[bone][frame] if dof else (), strict=True):
            point = turned(point, value, word[1])
        for letter in order:  # C
            point = turned(point, axis[letter], letter)
        if parent != "root":
            point = [p + o for p, o in zip(point, BONES[parent][1], strict=True)]
        bone = parent
    for letter, value in zip("xyz", angles["root"][frame, 3:], strict=True):
        point = turned(point, value, letter)
    return [p + t for p, t in zip(point, angles["root"][frame, :3], strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_forward_kinematics_equals_naive(tmp_path, seed):
    angles = random_angles(3, seed, degrees=120)
    (tmp_path / "a.asf").write_text(asf_text())
    (tmp_path / "a.amc").write_text(amc_text(angles))
    body = read_asf(tmp_path / "a.asf")
    found = ends(body, read_amc(tmp_path / "a.amc", body, "a.asf", 120, None).angles, list(BONES))
    for bone in BONES:
        for frame in range(3):
            expected = [0.45 * value for value in naive_end(bone, frame, angles)]
            np.testing.assert_allclose(found[bone][frame], expected, atol=1e-6, err_msg=bone)


def test_joints_lie_where_the_skeleton_puts_them(tmp_path):
    home = write_person(tmp_path)[0].parent
    angles = {name: 0 * values for name, values in random_angles(1, 0).items()}
    (home / "still.amc").write_text(amc_text(angles))
    xyz = read_asfamc(home / "still.amc").xyz[0]
    x, z = xyz[:, 0], xyz[:, 2]
    assert x[JOINT("left wrist")] > x[JOINT("left elbow")] > x[JOINT("left shoulder")] > x[JOINT("thorax")]
    assert x[JOINT("right wrist")] < x[JOINT("right elbow")] < x[JOINT("right shoulder")] < x[JOINT("thorax")]
    assert z[JOINT("head")] > z[JOINT("thorax")] > z[JOINT("spine")] > z[JOINT("pelvis")] > z[JOINT("left knee")]
    # Facing z in the file is facing -y in the world: the hips lie an inch before the root.
    assert xyz[JOINT("left hip"), 1] - xyz[JOINT("spine"), 1] == pytest.approx(-1.2 * INCH, abs=1e-5)
    lengths = dict(zip(HUMAN16.bone_names, HUMAN16.lengths(xyz.astype(float)), strict=True))
    assert lengths["left hip-left knee"] == pytest.approx(np.linalg.norm(BONES["lfemur"][1]) * INCH, abs=1e-6)
    assert lengths["right elbow-right wrist"] == pytest.approx(9.5 * INCH, abs=1e-6)


def test_units_of_length_and_angle_change_nothing(tmp_path):
    angles = random_angles(6, 2)
    reference = None
    for length in (0.45, 1.0, 2.54):
        for angle, unit in (("deg", "DEGREES"), ("rad", "RADIANS"), ("deg", "RADIANS"), ("rad", "DEGREES")):
            (tmp_path / "a.asf").write_text(asf_text(length, angle))
            (tmp_path / "a.amc").write_text(amc_text(angles, length, unit))
            clip = read_asfamc(tmp_path / "a.amc")
            reference = clip.xyz if reference is None else reference
            np.testing.assert_allclose(clip.xyz, reference, atol=2e-5)
            assert clip.notes[1].startswith(f"unit: 1/{length:g} inch")


def test_a_unit_that_fits_no_person_is_found_from_the_stature(tmp_path):
    (tmp_path / "a.asf").write_text(asf_text(2.54).replace("length 2.54\r", "length 1.0\r"))
    (tmp_path / "a.amc").write_text(amc_text(random_angles(4, 1), 2.54))
    assert read_asfamc(tmp_path / "a.amc").notes[1].startswith("unit: centimetres")


def test_frames_are_thinned_and_the_rate_is_said(tmp_path):
    file = write_person(tmp_path, frames=41)[0]
    every, thin = read_asfamc(file, fps=None), read_asfamc(file, fps=30)
    assert (every.fps, len(every), thin.fps, len(thin)) == (120, 41, 30, 11)
    np.testing.assert_allclose(thin.xyz - thin.xyz[:, :1], (every.xyz - every.xyz[:, :1])[::4], atol=1e-6)
    assert "no frame rate in it, 120 assumed" in thin.notes and "every fourth frame kept, 30 a second" in thin.notes
    (file.parent / "trials.toml").write_text('[07_01]\nfps = 60\ndoes = "walk"\n')
    known = read_asfamc(file, fps=30)
    assert (known.fps, len(known)) == (30, 21) and "recorded at 60 frames a second" in known.notes
    # Numbers that rise by four are of a file thinned before.
    file.write_text(amc_text(random_angles(41, 0), first=9, gap=4))
    (file.parent / "trials.toml").unlink()
    assert (read_asfamc(file, fps=None).fps, len(read_asfamc(file, fps=30))) == (30, 41)


def test_each_motion_finds_its_skeleton(tmp_path):
    for name in ("07.asf", "07_01.asf", "other.asf"):
        (tmp_path / name).write_text(asf_text())
    for name in ("07_01.amc", "07_02.amc", "OTHER.AMC", "walk.amc"):
        (tmp_path / name).write_text(amc_text(random_angles(2, 0)))
    assert skeleton_of(tmp_path / "07_01.amc").name == "07_01.asf"
    assert skeleton_of(tmp_path / "07_02.amc").name == "07.asf"
    assert skeleton_of(tmp_path / "OTHER.AMC").name == "other.asf"
    with pytest.raises(UserError, match=r"needs its skeleton beside it, walk.asf, but there are 3: 07.asf"):
        skeleton_of(tmp_path / "walk.amc")
    (tmp_path / "alone").mkdir()
    (tmp_path / "walk.amc").rename(tmp_path / "alone" / "walk.amc")
    with pytest.raises(UserError, match="there is none"):
        read_asfamc(tmp_path / "alone" / "walk.amc")
    (tmp_path / "alone" / "any.asf").write_text(asf_text())
    assert read_asfamc(tmp_path / "alone" / "walk.amc").notes[0] == "skeleton: any.asf"
    assert [clip.name for clip in Reading(tmp_path / "07.asf")] == ["07_02"]
    assert [clip.name for clip in Reading([tmp_path / "07.asf", tmp_path / "07_01.amc"])] == ["07_01"]


def test_folders_mix_formats_and_bad_clips_are_left_out_and_said(tmp_path):
    good, bad = write_person(tmp_path, "07", trials=2)
    bad.write_bytes(bad.read_bytes()[:-40])
    write_person(tmp_path / "deep", "13")
    write_bvh(tmp_path / "08" / "08_01.bvh")
    reading = Reading(tmp_path)
    clips, left_out = list(reading), reading.left_out
    assert [(clip.name, clip.subject) for clip in clips] == [("07_01", 7), ("08_01", 8), ("13_01", 13)]
    assert len(left_out) == 1 and "07_02.amc" in left_out[0]
    found = convert_motion(tmp_path, "lab", tmp_path / "out.h5", seed=1)
    assert found["clips"] == 3 and found["subjects"] == [7, 8, 13] and len(found["left_out"]) >= 1
    assert len(read_poses(good)) > 0 and len(read_poses(good.with_name("07.asf"))) > 0


def break_amc(text: str, how: str) -> str:
    lines = text.split("\r\n")
    at = {number: i for i, number in enumerate(lines)}
    match how:
        case "cut in a frame":
            return "\r\n".join(lines[:-8])
        case "cut in a line":
            return text[: text.rindex("rclavicle") + 12]
        case "unknown bone":
            return text.replace("lradius", "tentacle")
        case "bone gone":
            return "\r\n".join(line for line in lines if not line.startswith("lradius"))
        case "frames gone":
            return "\r\n".join([*lines[: at["3"]], *lines[at["5"] :]])
        case "joined":
            return text + text[text.index("\r\n1\r\n") + 2 :]
        case "NaN":
            return "\r\n".join(
                "lradius nan" if i > at["4"] and "lradius" in line else line for i, line in enumerate(lines)
            )
        case "words":
            return "\r\n".join(
                "lradius much" if i > at["4"] and "lradius" in line else line for i, line in enumerate(lines)
            )
        case "numbers gone":
            return "\r\n".join(
                "lfemur 1 2" if i > at["4"] and "lfemur" in line else line for i, line in enumerate(lines)
            )
        case "other order":
            swap = {"lfemur": "rfemur", "rfemur": "lfemur"}
            return "\r\n".join(
                swap[line.split()[0]] + line[6:] if i > at["4"] and line[1:6] == "femur" else line
                for i, line in enumerate(lines)
            )
        case "a skeleton":
            return asf_text()
        case "empty":
            return ""
        case "far":
            return text.replace("root ", "root 1e9", 1)
    raise ValueError(how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut in a frame", r"ends in the middle of frame 6"),
        ("cut in a line", r"frame 6|middle of frame 6"),
        ("unknown bone", r"a bone 'tentacle' that 07.asf does not have"),
        ("bone gone", r"lacks lradius"),
        ("frames gone", r"frame 5 follows frame 2"),
        ("joined", r"frame 1 follows frame 6"),
        ("NaN", r"3 of 6 frames have NaN .*'lradius' \(first: frame 4\)"),
        ("words", r"'lradius' has something that is not a number"),
        ("numbers gone", r"frame 4 has 'lfemur 1 2' where 'lfemur' with 3 numbers"),
        ("other order", r"frame 4 has .* where 'lfemur' with 3"),
        ("a skeleton", r"not an AMC file"),
        ("empty", r"not an AMC file"),
        ("far", r"positions that cannot be"),
    ],
)
def test_damaged_motion_is_refused_in_a_sentence(tmp_path, how, words):
    file = write_person(tmp_path, frames=6)[0]
    file.write_bytes(break_amc(file.read_bytes().decode(), how).encode())
    with pytest.raises(UserError, match=words) as refused:
        read_asfamc(file, fps=None)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (":bonedata", ":boredata", "not an ASF file"),
        ("  length 0.45", "  length 0", "'length 0' is no length"),
        ("dof rx ry rz", "dof rx ry rx", "'lowerback' cannot be understood"),
        ("dof rx ry rz", "dof rx ry l", "'lowerback' cannot be understood"),
        ("length 2.0", "lengthy 2.0", "'lowerback' cannot be understood"),
        ("axis XYZ", "axis XYW", "'root' cannot be understood"),
        ("lclavicle lhumerus", "lclavicle lelbow", "'lelbow' is not known there"),
        ("thorax lowerneck", "thorax lowerback lowerneck", "'lowerback' is not known there or has its place already"),
        (None, {"lfemur": "LeftUpLeg", "rfemur": "RightUpLeg"}, "2 of 15 bones that are read are missing: lfemur"),
    ],
)
def test_damaged_skeletons_are_refused_in_a_sentence(tmp_path, old, new, words):
    text = asf_text() if old else asf_text(names=new)
    (tmp_path / "07.asf").write_text(text.replace(old, new, 1) if old else text)
    (tmp_path / "07_01.amc").write_text(amc_text(random_angles(2, 0)))
    assert not old or old in text
    with pytest.raises(UserError, match=words) as refused:
        read_asfamc(tmp_path / "07_01.amc")
    assert "07.asf" in str(refused.value)


# The database's own files


def rigid_lengths(body) -> dict[str, float]:
    """Our bones that are one bone of the skeleton, with its length in metres."""
    found = {}
    for bone, (parent, child) in zip(HUMAN16.bone_names, HUMAN16.edges, strict=True):
        name = JOINTS.get(HUMAN16.names[child])
        if HUMAN16.names[parent] in (*JOINTS, "thorax") and HUMAN16.names[child] != "head":
            found[bone] = float(np.linalg.norm(body.bones[name].offset)) * body.inches * INCH
    return found


def test_bone_lengths_of_a_subject_are_those_of_its_skeleton(mocap):
    """Limbs and shoulders are one bone of the file; trunk and neck are chains of several, which bend."""
    files = sorted(mocap.glob("cmu_asfamc/*/*.amc"))
    assert len(files) >= 6
    for file in files:
        lengths = HUMAN16.lengths(read_asfamc(file).xyz.astype(np.float64))
        expected = rigid_lengths(read_asf(skeleton_of(file)))
        assert len(expected) == 10
        for bone, length in expected.items():
            found = lengths[:, HUMAN16.bone_names.index(bone)]
            np.testing.assert_allclose(found, length, atol=1e-5, err_msg=f"{file.name} {bone}")
        hips = lengths[:, [JOINT("right hip") - 1, JOINT("left hip") - 1]]
        np.testing.assert_allclose(hips, hips[0, 0], atol=1e-5)
        assert lengths.std(0).max() < 0.02, "trunk and neck"


def directions(xyz: np.ndarray) -> np.ndarray:
    bones = HUMAN16.bones(xyz.astype(np.float64))
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True)


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between unit vectors."""
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


#: Median and 95th percentile, degrees, that ASF/AMC and the retargeted BVH may be apart. The retargeting gives all
#: subjects one skeleton, whose rest pose differs: by 20 degrees in the forearm, 36 in the collar, 25 in the neck.
APART = {
    "pelvis-right hip": (0.1, 0.1), "pelvis-left hip": (0.1, 0.1),
    "right hip-right knee": (12, 18), "left hip-left knee": (12, 20),
    "right knee-right ankle": (5, 12), "left knee-left ankle": (5, 15),
    "pelvis-spine": (13, 14), "spine-thorax": (9, 13), "thorax-head": (31, 41),
    "thorax-left shoulder": (39, 43), "thorax-right shoulder": (38, 43),
    "left shoulder-left elbow": (6, 10), "right shoulder-right elbow": (6, 10),
    "left elbow-left wrist": (21, 24), "right elbow-right wrist": (21, 24),
}  # fmt: skip
#: The same for angles at a joint, less their median difference, which is the rest poses'.
FLEXION = {"right knee": (2.5, 9), "left knee": (2.5, 13), "left elbow": (0.3, 1), "right elbow": (0.3, 1)}


@pytest.mark.parametrize("trial", ["01", "03", "04", "09"])
def test_asfamc_and_bvh_of_the_same_clip_agree(mocap, trial):
    """The BVH begins with a set pose that it leaves within ten frames; the rest is frame by frame the same motion."""
    ours = read_asfamc(mocap / f"cmu_asfamc/02/02_{trial}.amc", fps=None)
    theirs = read_bvh(mocap / f"cmu_bvh/02/02_{trial}.bvh", fps=None)
    a, b = directions(ours.xyz)[10:], directions(theirs.xyz)[len(theirs) - len(ours) :][10:]
    apart = between(a, b)
    for bone, (median, most) in APART.items():
        found = apart[:, HUMAN16.bone_names.index(bone)]
        assert np.median(found) < median and np.percentile(found, 95) < most, (bone, np.median(found))
    for joint, limits in FLEXION.items():
        above, below = JOINT(joint) - 1, JOINT(joint.replace("knee", "ankle").replace("elbow", "wrist")) - 1
        off = between(a[:, above], a[:, below]) - between(b[:, above], b[:, below])
        off = np.abs(off - np.median(off))
        assert np.median(off) < limits[0] and np.percentile(off, 95) < limits[1], (joint, np.percentile(off, 95))
    # Ten frames later the two disagree more: the frames are aligned.
    assert between(a[10:], b[:-10]).mean() > apart.mean()
