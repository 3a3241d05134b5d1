"""Spoiled files of every kind: the fuzzer counts what it should, and the readers take few inputs of it well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.mutations import spoiled_bytes, spoiled_text, spoiled_tree
from benchmarks.fuzz.targets import READ, TARGETS
from benchmarks.fuzz.watching import Verdicts, run, summary

ROOT = Path(__file__).parents[2]


def test_every_kind_of_file_that_is_read_has_its_fuzzer():
    covered = {suffix for target in TARGETS.values() for suffix in target.suffixes}
    assert READ <= covered, f"no fuzzer for {READ - covered}"


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_spoiled_files(name):
    found = run(name, inputs=40, seed=5)
    assert found.inputs == 40 == found.refused + found.accepted, found.found
    assert found.clean, found.found
    assert found.refused, "nothing was spoiled"


def test_an_input_comes_again_by_its_number():
    tree = {"a": np.arange(12.0).reshape(3, 4), "b": ["x", 1], "c": {"d": 2.5}}
    for spoil, good in (
        (spoiled_bytes, bytes(range(200))),
        (spoiled_text, b"OFFSET 1.5 2\nword 3\n"),
        (spoiled_tree, tree),
    ):
        once, again, other = (
            [repr(spoil(good, np.random.default_rng((seed, number)))) for number in range(30)] for seed in (0, 0, 1)
        )
        assert once == again != other
        assert sum(one != repr(good) for one in once) > 20
    np.testing.assert_array_equal(tree["a"], np.arange(12.0).reshape(3, 4), "what is good stays as it is")


READERS_OF_HARM = """
import os, sys, time
from benchmarks.fuzz import targets, worker

def read(name):
    read.count = getattr(read, "count", 0) + 1
    if read.count <= 2:  # the good ones
        return []
    number = read.count - 3 + int(sys.argv[3])
    if number == 1: os.abort()
    if number == 3: time.sleep(600)
    if number == 4: raise KeyError("x")
    if number == 5: bytearray(260 << 20)
    if number == 6: return ["weights of straw"]
    return []

targets.TARGETS["toml"] = targets.Target(targets.toml, read)
sys.modules["benchmarks.fuzz.targets"] = targets
worker.main()
"""


def test_crashes_hangs_greed_and_errors_are_counted_and_the_rest_goes_on(monkeypatch):
    start = subprocess.Popen

    def harmful(command, **how):
        assert command[1:3] == ["-m", "benchmarks.fuzz.worker"]
        return start([command[0], "-c", READERS_OF_HARM, *command[3:]], **how)

    monkeypatch.setattr("benchmarks.fuzz.watching.subprocess.Popen", harmful)
    monkeypatch.setattr("benchmarks.fuzz.watching.PATIENCE", 5.0)
    found = run("toml", inputs=9, seed=0)
    assert (found.inputs, found.crashes, found.hangs, found.bare, found.greedy, found.absurd) == (9, 1, 1, 1, 1, 1)
    assert found.accepted == 5 and not found.clean
    text = json.dumps(found.found)
    for word in ("crash by signal 6", "hang over 5 s", "KeyError", "memory of", "weights of straw"):
        assert word in text
    total = summary({"toml": found, "other": Verdicts(inputs=1)})["all"]
    assert total["inputs"] == 10 and total["crashes"] == 1


def test_the_command_writes_its_figures(tmp_path):
    out = tmp_path / "fuzz.json"
    command = [sys.executable, "-m", "benchmarks.fuzz", "--only", "toml", "--inputs", "8", "--seed", "3"]
    how = {"cwd": ROOT, "capture_output": True, "text": True}
    done = subprocess.run([*command, "--json", out, "--save", tmp_path / "kept"], **how)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())
    assert figures["toml"]["inputs"] == figures["all"]["inputs"] == 8 == len(list((tmp_path / "kept").iterdir()))
    wrong = subprocess.run([*command[:3], "--only", "tomml"], **how)
    assert wrong.returncode == 2 and "no reader 'tomml'" in wrong.stderr
