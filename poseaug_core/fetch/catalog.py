"""What is known of the CMU Graphics Lab Motion Capture Database without asking it: where it is, who is in it, how much.

Quick to import, so that a window may ask it at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from poseaug_core.errors import UserError

#: Where it is; asked by SECURE first.
SITE, SECURE = "http://mocap.cs.cmu.edu", "https://mocap.cs.cmu.edu"
LAST_SUBJECT = 144
#: What a trial's file measures in the mean, for estimates before the server has said it.
MEAN_BYTES = 900_000
#: Subjects to begin with: what they do, and how many trials there are of them.
SUBJECTS = {
    1: ("climbs, swings and hangs on a playground", 14),
    2: ("various expressions: walks, runs, jumps, punches, fences", 10),
    3: ("walks on uneven ground", 4),
    5: ("dances, modern", 20),
    7: ("walks", 12),
    8: ("walks", 11),
    9: ("runs", 12),
    10: ("kicks a ball", 6),
    13: ("everyday: sits, drinks, climbs, jumps, boxes, sweeps", 42),
    14: ("everyday: boxes, laughs, directs traffic, eats, washes", 37),
    15: ("everyday and dance moves, long takes", 14),
    16: ("runs, jumps and walks, turning and stopping", 58),
    35: ("walks and runs", 34),
    86: ("sports and various activities, long takes", 15),
    135: ("martial arts", 11),
}
ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)


def cache_folder() -> Path:
    """Where files go if no other folder is named."""
    return platformdirs.user_cache_path("poseaug-studio") / "cmu"


def base_url(given: str | None = None) -> str:
    """The site: as given, else POSEAUG_CMU_URL, else SITE. Raises UserError for no address."""
    url = (given or os.environ.get("POSEAUG_CMU_URL") or SITE).rstrip("/")
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
        raise UserError(f"'{url}' is no address of a site; it must begin with http:// or https://, as {SITE} does.")
    return url


def subject_numbers(text: str) -> list[int]:
    """Subjects of a list such as '2,7-9'. Raises UserError."""
    return _numbers_in(text, "subject", LAST_SUBJECT)


def trial_numbers(text: str) -> list[int]:
    """Trials of a list such as '1-5,7'. Raises UserError."""
    return _numbers_in(text, "trial", 999)


def _numbers_in(text: str, what: str, most: int) -> list[int]:
    found: list[int] = []
    for word in re.split(r"[,\s]+", text.strip(", \t")):
        match = re.fullmatch(r"0*(\d{1,4})(?:-0*(\d{1,4}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= most:
            raise UserError(f"'{word}' is no {what}; give numbers from 1 to {most} and ranges, as in 2,7-9.")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def estimate(subjects: Sequence[int], trials: Sequence[int] | None = None) -> tuple[int, int] | None:
    """About how many trials and bytes it is, None where a subject's number of trials is not known."""
    if not all(number in SUBJECTS for number in subjects):
        return None
    every = (range(1, SUBJECTS[number][1] + 1) for number in subjects)
    count = sum(len(set(trials) & set(own)) if trials else len(own) for own in every)
    return count, count * MEAN_BYTES
