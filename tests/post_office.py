"""A server on this machine that takes notices: what apprise's `json://` addresses speak to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class PostOffice:
    """What came, and whether more is taken."""

    port: int
    taken: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = True
    n_refused: int = 0

    def address(self, key: str = "secret-key-of-the-lab") -> str:
        return f"json://127.0.0.1:{self.port}/{key}"


@contextmanager
def post_office() -> Iterator[PostOffice]:
    """A post office, as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if office.is_open:
                office.taken.append({"path": self.path, **json.loads(body)})
            else:
                office.n_refused += 1
            self.send_response(200 if office.is_open else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        office = PostOffice(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield office
        finally:
            server.shutdown()
            thread.join()
