"""What a stranger's machine relies on: pinned versions, a whole wheel, and set-up scripts that speak plainly."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from poseaug_core.assets import asset
from poseaug_core.geometry import project

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")


def pins(python: str) -> dict[str, str]:
    """name -> version that constraints.txt gives on Linux with this Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    found = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                name = canonicalize_name(requirement.name)
                assert name not in found, f"{name} is pinned twice for Python {python}"
                found[name] = re.fullmatch(r"==([^*]+)", str(requirement.specifier))[1]
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_within_its_range(python):
    versions = pins(python)
    for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), line


def test_dependencies_are_those_that_are_imported():
    imported = set()
    for path in [*ROOT.glob("poseaug_core/**/*.py"), *ROOT.glob("poseaug_studio/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            imported |= {name.split(".")[0] for name in names}
    imported -= sys.stdlib_module_names | {"poseaug_core", "poseaug_studio"}
    optional = [line for extra, lines in PROJECT["optional-dependencies"].items() if extra != "test" for line in lines]
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"] + optional}
    assert {
        canonicalize_name({"PIL": "pillow", "PySide6": "PySide6-Essentials"}.get(name, name)) for name in imported
    } == declared


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


def test_wheel_holds_what_runs_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"poseaug_core", "poseaug_studio", f"poseaug_studio-{PROJECT['version']}.dist-info"}
    assert not [name for name in names if "screenshots" in name or "__pycache__" in name]
    in_checkout = {path.relative_to(ROOT / "assets").as_posix() for path in (ROOT / "assets").rglob("*")
                   if path.is_file() and "screenshots" not in path.parts}  # fmt: skip
    in_wheel = {name.removeprefix("poseaug_core/_assets/") for name in names if "/_assets/" in name}
    assert in_wheel == in_checkout


def test_installed_wheel_finds_its_assets(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    found = run(
        sys.executable, "-c", "from poseaug_core.assets import asset; print(asset('fonts'))",
        cwd=tmp_path, PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert found.stdout.strip() == str(tmp_path / "poseaug_core" / "_assets" / "fonts"), found.stderr


def test_shapes_in_signatures_are_checked_while_testing():
    with pytest.raises(TypeCheckError, match="camera"):
        project(torch.ones(2, 16, 3), torch.ones(3, 9))


def test_missing_asset_is_named():
    with pytest.raises(FileNotFoundError, match=r"no-such-file\.bin"):
        asset("no-such-file.bin")


def test_commands_name_functions():
    for target in PROJECT["scripts"].values():
        module, function = target.split(":")
        tried = run(sys.executable, "-c", f"from {module} import {function}; assert callable({function})")
        assert tried.returncode == 0, tried.stderr


def test_command_line_loads_no_gui_library():
    code = (
        "import sys, poseaug_core.cli; "
        "print(*{'PySide6', 'vispy', 'pyqtgraph', 'poseaug_studio'} & {name.split('.')[0] for name in sys.modules})"
    )
    loaded = run(sys.executable, "-c", code)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.strip() == ""


# The set-up scripts


@pytest.fixture
def poor_machine(tmp_path) -> Path:
    """A PATH with a shell's own tools and neither Python nor apt-get, sudo or Xvfb."""
    tools = "bash sh dirname env id tr cat sha256sum uname make sed"
    for name in tools.split():
        (tmp_path / name).symlink_to(run("which", name).stdout.strip())
    return tmp_path


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_no_python_and_no_apt_is_one_sentence(poor_machine):
    tried = run("make", "studio", PATH=str(poor_machine))
    assert tried.returncode != 0
    assert "python3 python3-venv" in tried.stderr and "there is no apt-get here" in tried.stderr


def test_plain_user_is_told_the_one_apt_line_and_nothing_is_installed(poor_machine):
    fake(poor_machine, "id", "echo 1000")
    fake(poor_machine, "apt-get", f"touch {poor_machine}/ran")
    tried = run("bash", "setup/system.sh", "--xvfb", PATH=str(poor_machine))
    assert tried.returncode == 2
    assert tried.stderr.count("\n") == 1
    assert "sudo apt-get install --no-install-recommends python3 python3-venv" in tried.stderr
    assert "libxcb-cursor0" in tried.stderr and "xvfb" in tried.stderr
    assert not (poor_machine / "ran").exists()


def test_root_has_the_missing_packages_installed(poor_machine):
    fake(poor_machine, "id", "echo 0")
    fake(poor_machine, "apt-get", f'echo "$@" >> {poor_machine}/ran')
    tried = run("bash", "setup/system.sh", PATH=str(poor_machine))
    update, install = (poor_machine / "ran").read_text().splitlines()
    assert update.startswith("update")
    assert "install" in install and "libegl1" in install and "xvfb" not in install
    # The stand-in installed no Python, and that is said.
    assert tried.returncode == 2 and "There is no Python 3.11, 3.12 or 3.13" in tried.stderr


def test_unfit_python_is_refused_by_name(poor_machine):
    fake(poor_machine, "python2", "exit 1")
    tried = run("bash", "setup/system.sh", PATH=str(poor_machine), PYTHON="python2")
    assert tried.returncode == 2
    assert "PYTHON=python2 is not a Python 3.11, 3.12 or 3.13" in tried.stderr
