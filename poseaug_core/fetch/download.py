"""A downloader for pooch that goes on where an interrupted download stopped, and what went wrong in one sentence."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import requests
import urllib3

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.storage import explained, require_space

#: Seconds to wait for a connection and for the next bytes.
TIMEOUT = (10, 10)
#: Seconds for all of a file, and for all of a page: a server may send a byte now and then for ever.
LONGEST, LONGEST_PAGE = 1200, 60
#: Seconds to wait for a first answer where there is another way.
PROBE = (5, 5)
#: How often a connection that broke off is taken up again, and seconds before that.
ATTEMPTS, WAIT = 4, 1.0
CHUNK = 1 << 14
#: Bytes of a file and of a page at most; minutes of motion are some megabytes.
LARGEST, LARGEST_PAGE = 200_000_000, 4_000_000
#: Bytes between two looks at the space left on the disk.
OFTEN = 4 << 20
MIRROR = "name a mirror with --base-url or POSEAUG_CMU_URL"


def user_agent() -> str:
    """The program's name, so that a site's keepers see who asks."""
    try:
        number = version("poseaug-studio")
    except PackageNotFoundError:
        number = "source"
    return f"poseaug-studio/{number} (one file at a time; python-requests/{requests.__version__})"


def session() -> requests.Session:
    made = requests.Session()
    # Bytes as they are stored, so that a range of them can be asked for.
    made.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "identity"})
    return made


class Missing(UserError):
    """The server has no such file, or something else in its place; others may be there."""


class ResumingDownload:
    """Called by pooch as ``download(url, output_file, pooch)``; keeps what came in ``final.part`` until it is whole.

    final: where the file will lie. told: called with (bytes there, bytes in all or None); False cancels.
    A part goes on by an HTTP range if the server still has the same version of the file, else it begins anew.
    Raises UserError where the server cannot be reached, breaks off ATTEMPTS times in a row, takes more than LONGEST
    seconds in all or has no such file (Missing), where the disk is full, and Cancelled; the part stays in all of these
    cases.
    """

    def __init__(self, final: Path, session: requests.Session, told: Callable[[int, int | None], bool]):
        self.part = final.with_name(final.name + ".part")
        self.about = final.with_name(final.name + ".part.json")
        self.session, self.told = session, told

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        failed, there = 0, -1
        self.end = time.monotonic() + LONGEST
        while True:
            try:
                self._take(url)
                break
            except Late:
                raise UserError(
                    f"{url} did not come within {LONGEST:,} seconds, {self._there():,} bytes of it did; they are kept, "
                    "run it again to go on."
                ) from None
            except requests.RequestException as error:
                # Attempts that brought something do not count: a long file over a bad line gets there.
                failed = 1 if self._there() > there else failed + 1
                there = self._there()
                late = isinstance(error, requests.Timeout)
                if failed >= ATTEMPTS or not (there or late):
                    raise broken(url, error, there) from None
                time.sleep(WAIT)
                if self.told(there, None) is False:
                    raise Cancelled(url) from None
            except OSError as error:
                raise explained(self.part, error) from error
        os.replace(self.part, output_file)
        self.about.unlink(missing_ok=True)

    def _there(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _take(self, url: str) -> None:
        """Ask for what is missing and append it; returns when the part is whole."""
        about = self._about(url)
        there = self._there() if about else 0
        headers = {}
        if there:
            headers = {"Range": f"bytes={there}-"} | ({"If-Range": about["mark"]} if about["mark"] else {})
        with self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if there and (
                answer.status_code == 416 or answer.status_code == 206 and not _goes_on(answer, there, about)
            ):
                # Not the file that was begun: the next attempt asks for all of it.
                self.about.unlink(missing_ok=True)
                self.part.unlink(missing_ok=True)
                self._take(url)
                return
            require_file(answer, url)
            resumed = there > 0 and answer.status_code == 206
            length = answer.headers.get("Content-Length", "")
            known = re.fullmatch("[0-9]{1,18}", length)
            size = (there if resumed else 0) + int(length) if known else None
            self._require_sane(url, size or 0)
            require_space(self.part, (size or 0) - (there if resumed else 0))
            if not resumed:
                there = 0
                mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
                # A weak mark cannot vouch for single bytes.
                self.about.write_text(json.dumps({"url": url, "size": size, "mark": "" if mark[:2] == "W/" else mark}))
            with open(self.part, "ab" if resumed else "wb") as file:
                looked = there
                for piece in _pieces(answer, self.end):
                    self._require_sane(url, there + len(piece))
                    if there - looked >= OFTEN:
                        looked = there
                        require_space(self.part, OFTEN)
                    file.write(piece)
                    there += len(piece)
                    if self.told(there, size) is False:
                        raise Cancelled(url)
                file.flush()
                os.fsync(file.fileno())
        if size is not None and there != size:
            raise requests.ConnectionError(f"{there} of {size} bytes came")

    def _require_sane(self, url: str, size: int) -> None:
        """UserError for a file larger than any that is meant; what came of it is taken away."""
        if size > LARGEST:
            self.about.unlink(missing_ok=True)
            self.part.unlink(missing_ok=True)
            raise UserError(
                f"{url} has more than {LARGEST:,} bytes, the most that is fetched as one file; check the address, or "
                f"{MIRROR}."
            )

    def _about(self, url: str) -> dict[str, Any] | None:
        """What was noted when the part was begun; None where it is no part of this file."""
        try:
            about = json.loads(self.about.read_text())
            known = about["url"] == url and isinstance(about["mark"], str) and (about["mark"] or about["size"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return about if known else None


def page_text(session: requests.Session, url: str) -> str:
    """The text of a page, its first LARGEST_PAGE bytes; '' where the server has none. Raises RequestException, also
    for a page that takes more than LONGEST_PAGE seconds."""
    with session.get(url, stream=True, timeout=TIMEOUT) as answer:
        if not answer.ok:
            return ""
        data = bytearray()
        for piece in _pieces(answer, time.monotonic() + LONGEST_PAGE):
            data += piece
            if len(data) >= LARGEST_PAGE:
                break
        return data[:LARGEST_PAGE].decode("utf-8", "replace")


class Late(requests.Timeout):
    """Bytes came, but not all of them in time."""


def _pieces(answer: requests.Response, end: float) -> Iterator[bytes]:
    """What comes, as it comes; raises Late once the clock is past the end, and RequestException."""
    try:
        # Not iter_content: it waits for whole pieces, however slowly their bytes come.
        while piece := answer.raw.read1(CHUNK, decode_content=True):
            yield piece
            if time.monotonic() > end:
                raise Late("more time was taken than there was")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise requests.ConnectionError(error) from error


def answers(session: requests.Session, url: str) -> bool:
    """Whether there is a page at url itself, within seconds and, of https, with a certificate that is believed."""
    try:
        with session.get(url, stream=True, timeout=PROBE, allow_redirects=False) as answer:
            return answer.ok and not answer.is_redirect
    except requests.RequestException:
        return False


def _goes_on(answer: requests.Response, there: int, about: dict[str, Any] | None) -> bool:
    """Whether a partial answer is the rest of the file that was begun."""
    unit, _, span = answer.headers.get("Content-Range", "").partition(" ")
    start, _, _ = span.partition("-")
    size = span.rpartition("/")[2]
    same = about is not None and (about["size"] is None or size in ("*", str(about["size"])))
    return unit == "bytes" and start == str(there) and same


def require_file(answer: requests.Response, url: str) -> None:
    """UserError unless the answer is a file: Missing where there is none, else what the server has said."""
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise UserError(f"{url} leads to {answer.url}, which anybody on the way may change; {MIRROR}.")
    if answer.status_code in (404, 410):
        raise Missing(f"{url} is not there ({answer.status_code}); check the subject and the trial.")
    if answer.status_code not in (200, 206):
        raise UserError(
            f"{url} was refused by the server ({answer.status_code} {answer.reason}); try again later, or {MIRROR}."
        )
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise Missing(f"{url} is answered with a web page and not with a file; check the subject and the trial.")


def broken(url: str, error: requests.RequestException, there: int = 0) -> UserError:
    """A connection that failed, as a sentence."""
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return UserError(f"{url} is no address that can be fetched; it must begin with http:// or https://.")
    if isinstance(error, Late):
        reason = f"not all of the page came within {LONGEST_PAGE} seconds"
    elif isinstance(error, requests.Timeout):
        reason = f"no answer within {TIMEOUT[1]} seconds"
    elif "IncompleteRead" in str(error) or "bytes came" in str(error):
        reason = "the server closed it"
    else:
        # The innermost of the errors that libraries have wrapped around each other.
        text = str(getattr(error.args[0] if error.args else error, "reason", error)).rpartition(": ")[2]
        reason = re.sub(r"\[Errno -?\d+\] ", "", text)[:90]
    if there:
        return UserError(
            f"The connection broke off after {there:,} bytes of {url} ({reason}); they are kept, run it again to go on."
        )
    site = "/".join(url.split("/")[:3])
    return UserError(f"{site} cannot be reached ({reason}); check the network, or {MIRROR}.")
