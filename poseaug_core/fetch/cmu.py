"""The CMU Graphics Lab Motion Capture Database: chosen subjects' ASF/AMC from its own site into the user's cache.

The site asks not to be crawled: one file at a time with a pause between, nothing that is there already, and only so
many trials at once; all of it is one archive on its FAQ page.
"""

from __future__ import annotations

import html
import re
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pooch
import requests
import tomli_w

from poseaug_core.errors import UserError
from poseaug_core.fetch.catalog import ACKNOWLEDGEMENT, SECURE, SITE, base_url, cache_folder
from poseaug_core.fetch.download import Missing, ResumingDownload, answers, broken, page_text, session
from poseaug_core.locks import Lock
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.asfamc import TRIALS
from poseaug_core.storage import explained, make_folder, replacing

#: Seconds between two requests, and trials in one go.
PAUSE, MOST = 0.5, 300
REGISTRY, NOTICE = "registry.txt", "ACKNOWLEDGEMENT.txt"
_TERMS = (
    "Motion capture of the CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu.\n\n"
    "It is free for use in research and in products that are sold; it may not be resold as such, even in converted "
    f"form.\nIts authors ask for this acknowledgement:\n\n{ACKNOWLEDGEMENT}\n"
)


@dataclass(frozen=True)
class Fetched:
    """files: the .amc files asked for that are there, in order. new: how many came now, and bytes that did.

    notes: what was found or left out, one sentence each.
    """

    folder: Path
    files: tuple[Path, ...]
    new: int
    new_bytes: int
    notes: tuple[str, ...]


def fetch_cmu(
    subjects: Sequence[int],
    trials: Sequence[int] | None = None,
    into: str | Path | None = None,
    site: str | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """The skeletons and motion of these subjects, or these trials of theirs, as ``into/NN/NN.asf`` and ``NN_MM.amc``.

    into: ``cache_folder()`` where None. site: as in ``base_url``; the database's own is asked by https where it answers
    so, else by http, which a note says. Files that are there and are what came first are not
    asked for again; the checksums of what came first are in ``registry.txt``. progress(share, text) returns False to
    cancel. Raises UserError where the site cannot be reached or nothing is there, and Cancelled; parts are kept, and
    the next call goes on with them.
    """
    address = base_url(site)
    folder = make_folder(into or cache_folder())
    with _only_one(folder), session() as line:
        site = _Site(address, line)
        with replacing(folder / NOTICE) as file:
            file.write_text(_TERMS)
        names, notes = _names(line, site, folder, subjects, trials, progress)
        count = sum(name.endswith(".amc") for name in names)
        if count > MOST:
            raise UserError(
                f"{count} trials are more than {MOST} at once, and the site asks not to be crawled; choose fewer, or "
                f"take the one archive of all from {SITE}/faqs.php and convert its folder."
            )
        shelf = _Shelf(folder, site, line)
        files, new, new_bytes, lacking = [], 0, 0, set()
        for i, name in enumerate(names):
            if name.split("/")[0] in lacking:
                continue
            part = progress and (lambda share, text, i=i: progress((i + share) / len(names), text))
            try:
                came = shelf.bring(name, part)
            except Missing as error:
                notes.append(str(error))
                # Without its skeleton a subject's motion cannot be read.
                lacking |= {name.split("/")[0]} if name.endswith(".asf") else set()
                continue
            new, new_bytes = new + (came > 0), new_bytes + came
            files += [folder / name] if name.endswith(".amc") else []
    if not files:
        raise UserError(f"None of the {count} trials asked for came from {site.url}. The first: {notes[0]}")
    tell(progress, 1.0, f"{len(files)} trials are in {folder}")
    return Fetched(folder, tuple(files), new, new_bytes, (*notes, *shelf.notes, *site.notes))


class _Site:
    """The site, asked whether it speaks https when it is first needed: what is there already needs no network."""

    def __init__(self, address: str, line: requests.Session):
        self.address, self.line = address, line
        self.notes: list[str] = []

    @cached_property
    def url(self) -> str:
        if self.address != SITE:  # as the user has written it
            return self.address
        if answers(self.line, f"{SECURE}/search.php"):
            return SECURE
        self.notes.append(
            f"{SECURE} does not answer, so {SITE} was asked: nothing tells whether files were changed on their way; "
            f"their checksums, in {REGISTRY}, can be compared with those of another fetch."
        )
        return SITE


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two fetches into one folder would write the same parts."""
    lock = Lock(folder / ".lock")
    try:
        taken = lock.take()
    except OSError as error:
        raise explained(lock.path, error) from error
    if not taken:
        raise UserError(f"Another fetch is writing to {folder}; wait for it or choose another folder.")
    try:
        yield
    finally:
        lock.free()


def _names(
    line: requests.Session, site: _Site, folder: Path, subjects: Sequence[int], trials: Sequence[int] | None, progress
) -> tuple[list[str], list[str]]:
    """Files to bring, each subject's skeleton first, and what is not there, one sentence each."""
    names: list[str] = []
    notes: list[str] = []
    for number in subjects:
        subject = f"{number:02d}"
        tell(progress, 0.0, f"asking which trials there are of subject {subject}")
        there = _listed(line, site, make_folder(folder / subject), subject)
        wanted = [f"{subject}_{trial:02d}" for trial in trials] if trials else list(there)
        if not wanted:
            notes.append(f"{site.url} lists no trials of subject {subject}; name them with --trials if they are there.")
        if there:
            lost = [name for name in wanted if name not in there]
            if lost:
                notes.append(
                    f"Subject {subject} has no trials {', '.join(lost)}; it has {len(there)}, to {max(there)}."
                )
            wanted = [name for name in wanted if name in there]
        if wanted:
            names += [f"{subject}/{subject}.asf", *(f"{subject}/{name}.amc" for name in wanted)]
    if not names:
        raise UserError(notes[0])
    return names, notes


def _listed(line: requests.Session, site: _Site, home: Path, subject: str) -> dict[str, dict]:
    """Trial -> what is known of it, asked once and kept in the subject's folder; {} if the site does not say."""
    try:
        return tomllib.loads((home / TRIALS).read_text("utf-8"))
    except (OSError, ValueError):
        pass
    # The site's own page of a subject; on a mirror the folder's listing.
    at = site.url
    for page in (f"{at}/search.php?subjectnumber={int(subject)}&motion=%25", f"{at}/subjects/{subject}/"):
        try:
            text = page_text(line, page)
        except requests.RequestException as error:
            raise broken(page, error) from None
        time.sleep(PAUSE)
        found = trials_in(text, subject)
        if found:
            with replacing(home / TRIALS) as file:
                file.write_bytes(tomli_w.dumps(found).encode())
            return found
    return {}


def trials_in(page: str, subject: str) -> dict[str, dict]:
    """Trial -> {'does': description, 'fps': frames a second} of the rows of a subject's page, as far as they say."""
    found: dict[str, dict] = {}
    for row in re.split(r"<tr\b", page, flags=re.IGNORECASE):
        names = re.findall(rf"\b({subject}_\d{{2,3}})\.amc\b", row)
        for name in dict.fromkeys(names):
            trial = found.setdefault(name, {})
            before, _, after = row.partition(f"{name}.amc")
            cells = re.findall(r"<td>([^<]*)</td>", before, re.IGNORECASE)
            rate = re.search(r"<td>\s*(\d{2,3})\s*</td>", after, re.IGNORECASE)
            if len(cells) > 1 and cells[-1].strip():
                trial["does"] = html.unescape(cells[-1]).strip()
            if rate:
                trial["fps"] = int(rate[1])
    return dict(sorted(found.items()))


class _Shelf:
    """The folder of files and the record of their checksums, which pooch compares."""

    def __init__(self, folder: Path, site: _Site, line: requests.Session):
        self.folder, self.site, self.line = folder, site, line
        self.pooch = pooch.create(folder, "", registry={}, retry_if_failed=0)
        self.notes: list[str] = []
        self._asked = False
        pooch.get_logger().setLevel("WARNING")
        try:
            self.pooch.load_registry(folder / REGISTRY)
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            raise UserError(f"{folder / REGISTRY} cannot be read; delete it to record the checksums anew.") from None

    def bring(self, name: str, progress: Progress | None) -> int:
        """Have the file there as it was first recorded; gives the bytes that it took, 0 where it was there."""
        path, known = self.folder / name, self.pooch.registry.get(name)
        before = path.is_file()
        if before and known and f"sha256:{pooch.file_hash(path)}" == known:
            tell(progress, 1.0, f"{path.name} is there")
            return 0
        if before and known is None:
            self._record(name, path)
            return 0
        if self._asked:
            time.sleep(PAUSE)
        self._asked = True
        self.pooch.base_url = f"{self.site.url}/subjects/"
        tell(progress, 0.0, f"fetching {path.name}")
        download = ResumingDownload(path, self.line, lambda there, size: self._told(progress, path.name, there, size))
        self.pooch.registry[name] = known
        try:
            self.pooch.fetch(name, downloader=download)
        except UserError:
            raise
        except ValueError:
            raise UserError(
                f"{self.pooch.get_url(name)} is not what was recorded when it was first downloaded ({known[:19]}...): "
                f"it was changed there or on its way; to accept it, delete its line in {self.folder / REGISTRY}."
            ) from None
        if before:
            self.notes.append(f"{path} was no longer what had been downloaded and was fetched again.")
        if known is None:
            self._record(name, path)
        return path.stat().st_size

    def _told(self, progress: Progress | None, name: str, there: int, size: int | None) -> bool:
        if progress is None:
            return True
        share = there / max(size or 2 * there, 1)
        return progress(share, f"{name}, {there / 1e6:.1f} of {size / 1e6:.1f} MB" if size else name) is not False

    def _record(self, name: str, path: Path) -> None:
        self.pooch.registry[name] = f"sha256:{pooch.file_hash(path)}"
        rows = [f"{name} {known}\n" for name, known in sorted(self.pooch.registry.items()) if known]
        with replacing(self.folder / REGISTRY) as file:
            file.write_text("".join(rows))
