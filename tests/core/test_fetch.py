"""Fetching motion capture: politely, resumed after an interruption, checked, refused in sentences."""

from __future__ import annotations

import fcntl
import json
import socket
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from poseaug_core import storage
from poseaug_core.cli import main
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.fetch import catalog, download
from poseaug_core.fetch import cmu as cmu_module
from poseaug_core.fetch.catalog import cache_folder, estimate, subject_numbers, trial_numbers
from poseaug_core.fetch.cmu import fetch_cmu
from poseaug_core.readers.arrays import read_arrays
from poseaug_core.readers.asfamc import read_asfamc
from tests.core.acclaim_people import write_person
from tests.core.mocap_server import MocapServer


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(cmu_module, "PAUSE", 0.0)
    monkeypatch.setattr(download, "WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def site(tmp_path):
    """Subjects 07, of three trials, and 09."""
    write_person(tmp_path / "site", "07", trials=3, frames=40)
    write_person(tmp_path / "site", "09", frames=40)
    with MocapServer(tmp_path / "site") as server:
        yield server


def same(folder: Path, site: MocapServer, *names: str) -> bool:
    return all((folder / name).read_bytes() == (site.root / name).read_bytes() for name in names)


def leftovers(folder: Path) -> list[str]:
    """Parts, and files that pooch did not take away."""
    kept = (".amc", ".asf", ".txt", ".toml")
    return sorted(f.name for f in folder.rglob("*") if f.is_file() and f.suffix not in kept and f.name != ".lock")


def test_subjects_are_fetched_one_file_at_a_time_and_never_twice(site, tmp_path):
    told = []
    fetched = fetch_cmu([7, 9], into=tmp_path / "a", site=site.url, progress=lambda share, text: told.append(share))
    assert [file.name for file in fetched.files] == ["07_01.amc", "07_02.amc", "07_03.amc", "09_01.amc"]
    assert same(tmp_path / "a", site, "07/07.asf", "07/07_03.amc", "09/09.asf", "09/09_01.amc")
    assert fetched.new == 6 and fetched.new_bytes == sum(f.stat().st_size for f in site.root.rglob("*.a??"))
    assert leftovers(tmp_path / "a") == [] and told == sorted(told) and told[-1] == 1
    assert len(site.requests) == 8 and all("poseaug-studio/" in agent for agent in site.agents)
    assert "NSF EIA-0196217" in (tmp_path / "a" / "ACKNOWLEDGEMENT.txt").read_text()
    assert (tmp_path / "a" / "registry.txt").read_text().count("sha256:") == 6
    again = fetch_cmu([7, 9], into=tmp_path / "a", site=site.url)
    assert again.files == fetched.files and again.new == again.new_bytes == 0 and again.notes == ()
    assert len(site.requests) == 8, "asked for what is there"


def test_an_interrupted_file_goes_on_where_it_stopped(mocap, tmp_path, monkeypatch):
    """The database's own files; the connection is closed in mid-file, twice, then for good, then there again."""
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    monkeypatch.setattr(download, "CHUNK", 1000)
    with MocapServer(mocap / "cmu_asfamc") as site:
        path, size = "/subjects/02/02_01.amc", (mocap / "cmu_asfamc/02/02_01.amc").stat().st_size
        site.breaks[path] = [100_000, 50_000, 30_000, 0, 0]
        with pytest.raises(UserError, match="broke off after 180,000 bytes .*server closed it.*are kept, run it again"):
            fetch_cmu([2], [1], tmp_path, site.url)
        assert site.asked("02_01.amc") == [None, "bytes=100000-", "bytes=150000-", "bytes=180000-"]
        assert (tmp_path / "02" / "02_01.amc.part").stat().st_size == 180_000
        assert not (tmp_path / "02" / "02_01.amc").exists()
        site.breaks[path] = []
        fetched = fetch_cmu([2], [1], tmp_path, site.url)
        assert site.asked("02_01.amc")[4:] == ["bytes=180000-"] and size > 200_000
        assert fetched.files[0].read_bytes() == (mocap / "cmu_asfamc/02/02_01.amc").read_bytes()
        assert leftovers(tmp_path) == [] and len(read_asfamc(fetched.files[0], fps=None)) == 343


def test_cancelling_leaves_a_part_that_goes_on(site, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    with pytest.raises(Cancelled):
        fetch_cmu([7], into=tmp_path / "a", site=site.url, progress=lambda share, text: "07_02.amc, " not in text)
    part = tmp_path / "a" / "07" / "07_02.amc.part"
    assert part.stat().st_size == 1000 and not (tmp_path / "a" / "07" / "07_02.amc").exists()
    assert same(tmp_path / "a", site, "07/07_01.amc")
    fetch_cmu([7], into=tmp_path / "a", site=site.url)
    assert site.asked("07_02.amc") == [None, "bytes=1000-"] and site.asked("07_01.amc") == [None]
    assert same(tmp_path / "a", site, "07/07_02.amc", "07/07_03.amc") and leftovers(tmp_path / "a") == []


@pytest.mark.parametrize(
    "change", ["file and mark", "no ranges", "no marks, another size", "another site", "part too long"]
)
def test_a_part_of_another_file_begins_anew(site, tmp_path, monkeypatch, change):
    monkeypatch.setattr(download, "CHUNK", 1000)
    site.etag = None if change.startswith("no marks") else "v1"
    with pytest.raises(Cancelled):
        fetch_cmu([7], [1], tmp_path / "a", site.url, progress=lambda share, text: "07_01.amc, " not in text)
    file, part = site.root / "07" / "07_01.amc", tmp_path / "a" / "07" / "07_01.amc.part"
    assert part.stat().st_size == 1000
    file.write_bytes(b"# changed\n" + file.read_bytes())
    if change == "file and mark":
        site.etag = "v2"
    elif change == "no ranges":
        site.ranges = False
    elif change == "part too long":
        site.answers["/subjects/07/07_01.amc"] = (416, "text/plain", b"")
        with pytest.raises(UserError, match="416"):
            fetch_cmu([7], [1], tmp_path / "a", site.url)
        site.answers.clear()
    url = site.url.replace("127.0.0.1", "localhost") if change == "another site" else site.url
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    fetch_cmu([7], [1], tmp_path / "a", url)
    assert same(tmp_path / "a", site, "07/07_01.amc") and leftovers(tmp_path / "a") == []


def test_what_changed_on_disk_is_fetched_again_and_said(site, tmp_path):
    files = fetch_cmu([7], into=tmp_path / "a", site=site.url).files
    files[1].write_text("spoilt")
    again = fetch_cmu([7], into=tmp_path / "a", site=site.url)
    assert again.new == 1 and "07_02.amc was no longer what had been downloaded" in again.notes[0]
    assert same(tmp_path / "a", site, "07/07_02.amc") and site.asked("07_02.amc") == [None, None]


def test_what_changed_on_the_site_is_refused_by_its_checksum(site, tmp_path):
    files = fetch_cmu([7], into=tmp_path / "a", site=site.url).files
    files[1].unlink()
    source = site.root / "07" / "07_02.amc"
    source.write_bytes(source.read_bytes() + b"\r\n")
    with pytest.raises(UserError, match=r"07_02.amc is not what was recorded .*delete its line in .*registry.txt"):
        fetch_cmu([7], into=tmp_path / "a", site=site.url)
    assert not files[1].exists() and leftovers(tmp_path / "a") == []
    registry = tmp_path / "a" / "registry.txt"
    registry.write_text("".join(line for line in registry.open() if "07_02" not in line))
    assert fetch_cmu([7], into=tmp_path / "a", site=site.url).new == 1


def test_trials_are_listed_by_page_or_folder_and_told_where_they_lack(site, tmp_path):
    site.fps = 60
    fetched = fetch_cmu([7], [2, 5], tmp_path / "page", site.url)
    assert [file.name for file in fetched.files] == ["07_02.amc"]
    assert fetched.notes == ("Subject 07 has no trials 07_05; it has 3, to 07_03.",)
    listed = tomllib.loads((tmp_path / "page" / "07" / "trials.toml").read_text())
    assert listed["07_01"] == {"does": "walk & turn", "fps": 60}
    assert read_asfamc(fetched.files[0], fps=None).fps == 60
    site.pages = False
    assert len(fetch_cmu([7], into=tmp_path / "folder", site=site.url).files) == 3
    site.listings = False
    with pytest.raises(UserError, match="lists no trials of subject 07; name them"):
        fetch_cmu([7], into=tmp_path / "neither", site=site.url)
    named = fetch_cmu([7, 9], [1, 4], tmp_path / "named", site.url)
    assert [file.name for file in named.files] == ["07_01.amc", "09_01.amc"]
    assert len(named.notes) == 2 and "07_04.amc is not there (404)" in named.notes[0]


def test_without_its_skeleton_a_subject_is_left_out(site, tmp_path):
    site.answers["/subjects/07/07.asf"] = (200, "text/html", b"<html>Sign in</html>")
    fetched = fetch_cmu([7, 9], into=tmp_path / "a", site=site.url)
    assert [file.name for file in fetched.files] == ["09_01.amc"] and site.asked("07_01.amc") == []
    assert "answered with a web page" in fetched.notes[0] and not (tmp_path / "a" / "07" / "07.asf").exists()


def test_refusals_are_sentences(site, tmp_path, monkeypatch):
    def refused(words: str, subjects=(7,), trials=None, into=tmp_path / "a", site_url=site.url) -> None:
        with pytest.raises(UserError, match=words) as error:
            fetch_cmu(subjects, trials, into, site_url)
        assert "\n" not in str(error.value) and "object at" not in str(error.value)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    refused(r"cannot be reached \(.*refused\); check the network", site_url=closed)
    refused(r"cannot be reached .*no-such-host", site_url="http://no-such-host.invalid")
    refused("is no address of a site", site_url="ftp://somewhere")
    refused("is a file; name a folder", into=site.root / "07" / "07.asf")
    refused("more than 300 at once.*one archive", trials=range(1, 303), site_url=site.url + "/mirror")
    site.answers["/subjects/07/07_02.amc"] = (503, "text/html", b"")
    refused("07_02.amc was refused by the server .503 Service Unavailable.; try again later")
    site.answers.clear()
    with open(tmp_path / "a" / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused("Another fetch is writing")
    (tmp_path / "a" / "registry.txt").write_text("one two three four\n")
    refused("registry.txt cannot be read; delete it")
    monkeypatch.setattr(storage, "free_bytes", lambda path: 1000)
    refused("its disk has 1,000 bytes free", into=tmp_path / "full")
    assert leftovers(tmp_path / "full") == []


class Endless:
    """A server whose answer to everything has no end and no length. sent: bytes that went out before it was left."""

    def __init__(self, kind: str):
        self.sent, endless = 0, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                try:
                    while endless.sent < 64 << 20:
                        endless.sent += self.wfile.write(b"07_01.amc " * 1000)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def take(url: str, final: Path, told=lambda there, size: True) -> None:
    with download.session() as line:
        download.ResumingDownload(final, line, told)(url, str(final), None)


def test_a_file_without_end_is_left_and_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 100_000)
    with Endless("text/plain") as site, pytest.raises(UserError, match="more than 100,000 bytes, the most that is"):
        take(site.url, tmp_path / "a.amc")
    assert list(tmp_path.iterdir()) == [] and site.sent < 32 << 20


def test_a_file_that_says_it_is_too_large_is_not_begun(site, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1000)
    told = []
    with pytest.raises(UserError, match="07_01.amc has more than 1,000 bytes"):
        take(f"{site.url}/subjects/07/07_01.amc", tmp_path / "a.amc", lambda there, size: told.append(there))
    assert told == [] and [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_disk_is_looked_at_while_a_file_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "OFTEN", 50_000)
    free = iter([10**9, 10**9, 10_000, 10_000])
    monkeypatch.setattr(storage, "free_bytes", lambda path: next(free))
    with Endless("text/plain") as site, pytest.raises(UserError, match="its disk has 10,000 bytes free"):
        take(site.url, tmp_path / "a.amc")
    assert 50_000 <= (tmp_path / "a.amc.part").stat().st_size < 200_000 and site.sent < 32 << 20


def test_a_page_without_end_is_read_to_a_limit(monkeypatch):
    monkeypatch.setattr(download, "LARGEST_PAGE", 50_000)
    with Endless("text/html") as site, download.session() as line:
        assert len(download.page_text(line, site.url)) == 50_000 and site.sent < 32 << 20


def test_a_server_that_does_not_answer_is_not_waited_for_forever(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(UserError, match=r"cannot be reached \(no answer within 0.2 seconds\)"):
            fetch_cmu([7], into=tmp_path, site=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert leftovers(tmp_path) == []


class Drip(Endless):
    """Each piece comes long before the connection is given up, and the last one never."""

    def __init__(self, kind: str):
        super().__init__(kind)
        site = self
        site.ended = threading.Event()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("ETag", "v1")
            self.end_headers()
            try:
                while not site.ended.wait(0.005):
                    site.sent += self.wfile.write(b"x")
                    self.wfile.flush()
            except OSError:
                pass

        self.server.RequestHandlerClass.do_GET = do_GET

    def __exit__(self, *error):
        self.ended.set()
        super().__exit__(*error)


def test_a_file_that_comes_ever_so_slowly_is_left_for_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LONGEST", 0.2)
    with Drip("text/plain") as site, pytest.raises(UserError, match="did not come within .* seconds, .* they are kept"):
        take(site.url, tmp_path / "a.amc")
    assert 0 < (tmp_path / "a.amc.part").stat().st_size <= site.sent < download.CHUNK


def test_a_page_that_comes_ever_so_slowly_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LONGEST_PAGE", 0.2)
    with Drip("text/html") as site, pytest.raises(UserError, match="not all of the page came within"):
        fetch_cmu([7], into=tmp_path, site=site.url)
    assert site.sent < download.CHUNK


@pytest.mark.parametrize("secure", [True, False])
def test_the_databases_own_site_is_asked_by_https_first(site, tmp_path, monkeypatch, secure):
    """Where it speaks no https that is said; what is there needs neither."""
    if secure:
        site.answers["/search.php"] = (200, "text/html", b"07_01.amc")
    monkeypatch.setattr(cmu_module, "SECURE", site.url if secure else "https://127.0.0.1:1")
    monkeypatch.setattr(cmu_module, "SITE", "http://127.0.0.1:1" if secure else site.url)
    monkeypatch.setattr(catalog, "SITE", cmu_module.SITE)
    fetched = fetch_cmu([7], [1], into=tmp_path / "a")
    assert fetched.new == 2 and same(tmp_path / "a", site, "07/07_01.amc")
    said = [note for note in fetched.notes if "does not answer, so" in note]
    assert bool(said) is not secure
    count = len(site.requests)
    assert fetch_cmu([7], [1], into=tmp_path / "a").notes == () and len(site.requests) == count


def test_an_https_address_that_leads_to_http_is_refused():
    answer = requests.Response()
    answer.status_code, answer.url = 200, "http://other/07_01.amc"
    with pytest.raises(UserError, match="leads to http://other/07_01.amc, which anybody on the way may change"):
        download.require_file(answer, "https://site/07_01.amc")


def test_numbers_of_subjects_and_trials():
    assert subject_numbers("02, 07-09,7") == [2, 7, 8, 9] and trial_numbers("1 3") == [1, 3]
    for text in ("", "0", "145", "9-7", "walk", "1-", "-3"):
        with pytest.raises(UserError, match="is no subject; give numbers from 1 to 144"):
            subject_numbers(text)
    assert estimate([7, 8])[0] == 23 and estimate([7, 99]) is None


def test_the_command_fetches_and_films(site, tmp_path, monkeypatch):
    def poseaug(*words):
        return CliRunner().invoke(main, ["fetch", "cmu", *map(str, words)])

    monkeypatch.setenv("POSEAUG_CMU_URL", site.url)
    out = tmp_path / "walks.h5"
    done = poseaug("--subjects", "07,9", "--trials", "1-2", "--out", out, "--rig", "lab", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["clips"] == 3 and found["subjects"] == [7, 9] and found["poses"] == len(read_arrays(out)) > 0
    assert "Subject 09 has no trials 09_02" in done.stderr and "NSF EIA-0196217" in done.stderr
    assert (cache_folder() / "07" / "07_02.amc").is_file() and cache_folder().is_relative_to(tmp_path)
    plain = poseaug("--subjects", "07", "--into", tmp_path / "mine")
    assert f"Fetched: 3 trials in {tmp_path / 'mine'} (4 files new" in plain.stdout
    only = json.loads(poseaug("--subjects", "07", "--into", tmp_path / "mine", "--json").stdout)
    assert len(only["files"]) == 3 and only["new"] == 0
    assert "everyday" in poseaug("--list").stdout
    for words, sentence in (
        (("--subjects", "seven"), "'seven' is no subject"),
        ((), "No subjects are named"),
        (("--subjects", "7", "--out", tmp_path / "a.txt"), "end the name in"),
        (("--subjects", "7", "--base-url", "nowhere"), "is no address"),
    ):
        failed = poseaug(*words)
        assert failed.exit_code == 2 and sentence in failed.stderr and failed.stderr.count("\n") == 1
