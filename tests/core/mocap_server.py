"""A motion capture site on this machine: serves ``root/NN/...`` as the CMU database does, with a test's faults."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROW = (
    '<TR BGCOLOR=#B0B0B0><TD></TD><TD>{number}</TD><TD>{does}</TD><TD><A HREF="http://x:80/subjects/{home}/{name}.c3d">c3d'
    '</A></TD><TD><A HREF="http://x:80/subjects/{home}/{name}.amc">amc</A></TD><TD></TD><TD>{fps}</TD><TD></TD></TR>'
)


class MocapServer:
    """requests: (path, Range or None) of each, agents: their User-Agents.

    pages: whether subjects' pages list trials. listings: whether folders do. breaks: path -> bytes after which the
    connection is closed, once for each entry. fps: what the pages say. ranges: whether parts are served.
    etag: whether files are marked. answers: path -> (status, content type, body) instead of the file.
    """

    def __init__(self, root: Path):
        self.root = root
        self.requests: list[tuple[str, str | None]] = []
        self.agents: set[str] = set()
        self.breaks: dict[str, list[int]] = {}
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.pages, self.listings, self.ranges, self.etag, self.fps = True, True, True, "v1", 120
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site._answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> MocapServer:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self, name: str) -> list[str | None]:
        """The ranges asked for of the files of this name."""
        return [span for path, span in self.requests if path.endswith(f"/{name}")]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.requests.append((parts.path, handler.headers.get("Range")))
        self.agents.add(handler.headers["User-Agent"])
        if parts.path in self.answers:
            self._send(handler, *self.answers[parts.path])
        elif parts.path == "/search.php" and self.pages:
            subject = int(parse_qs(parts.query)["subjectnumber"][0])
            self._send(handler, 200, "text/html", self._page(f"{subject:02d}").encode())
        elif (folder := re.fullmatch(r"/subjects/(\d+)/", parts.path)) and self.listings:
            names = sorted(file.name for file in (self.root / folder[1]).glob("*"))
            self._send(handler, 200, "text/html", "".join(f'<li><a href="{n}">{n}</a></li>' for n in names).encode())
        elif (file := re.fullmatch(r"/subjects/(\d+/[\w.]+)", parts.path)) and (self.root / file[1]).is_file():
            self._file(handler, parts.path, (self.root / file[1]).read_bytes())
        else:
            self._send(handler, 404, "text/html", b"<html>Not Found</html>")

    def _page(self, home: str) -> str:
        rows = [
            ROW.format(
                number=int(file.stem.split("_")[1]), does="walk &amp; turn", home=home, name=file.stem, fps=self.fps
            )
            for file in sorted((self.root / home).glob("*.amc"))
        ]
        return f"<html><TABLE>{''.join(rows)}</TABLE></html>"

    def _file(self, handler: BaseHTTPRequestHandler, path: str, data: bytes) -> None:
        span = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")) if self.ranges else None
        if span and self.etag and handler.headers.get("If-Range", f'"{self.etag}"') != f'"{self.etag}"':
            span = None
        start = int(span[1]) if span else 0
        handler.send_response(206 if span else 200)
        if span:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.etag:
            handler.send_header("ETag", f'"{self.etag}"')
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        stop = self.breaks[path].pop(0) if self.breaks.get(path) else None
        handler.wfile.write(data[start : None if stop is None else start + stop])
        if stop is not None:
            handler.close_connection = True

    def _send(self, handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
