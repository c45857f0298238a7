"""A proxy that shows a page below a path of its own and names who is logged in, as nginx would."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def login_proxy(target: str, prefix: str, person: str) -> Iterator[str]:
    """The address of the page behind a proxy that takes the prefix off."""
    inner = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            length = int(self.headers.get("Content-Length", 0))
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")
            }
            headers |= {
                "X-Forwarded-User": person,
                "X-Forwarded-Host": self.headers["Host"],
                "X-Forwarded-Prefix": prefix,
                "Connection": "close",
            }
            way = http.client.HTTPConnection(str(inner.hostname), inner.port, timeout=30)
            path = self.path.removeprefix(prefix)
            try:
                way.request(self.command, path, self.rfile.read(length), headers)
                answer = way.getresponse()
                self.send_response(answer.status)
                for name, text in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "date"):
                        self.send_header(name, text)
                self.end_headers()
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                return  # the browser, or the page, has gone
            finally:
                way.close()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}/"
        finally:
            server.shutdown()
            thread.join()
