"""The stand-in over HTTP: tokens, faults; what a path means is in `sheets` and `drive`."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

SERVICE_EMAIL = "night-shift@wakeful-lab.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Asked:
    """One call as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    account: str
    """E-mail of who asks."""
    is_cut: bool = False
    """Whether the connection broke before the body had come whole."""

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: Any = None
    """Bytes as they are, anything else as JSON."""
    headers: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def refusal(status: int, message: str, reason: str, name: str = "") -> Answer:
    """An error as Google writes it."""
    error = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": reason}],
        "status": name or reason.upper(),
    }
    return Answer(status, {"error": error})


@dataclass
class Fault:
    """Something that goes wrong with the next calls that it matches."""

    kind: str
    """"status": answered so, nothing is done. "cut": the connection breaks when half of the body
    has come; what came is handed on. "lost": done, but the answer never arrives. "late": answered
    after `seconds`."""
    status: int = 503
    reason: str = "backendError"
    matches: Callable[[Asked], bool] = lambda asked: True
    times: int = 1
    seconds: float = 0.0
    retry_after: str = ""
    """Header of the same name, with "status"."""


class Service(Protocol):
    """One of Google's services."""

    def answer(self, asked: Asked) -> Answer | None:
        """None where the path is not this service's."""
        ...


@dataclass(frozen=True)
class Call:
    """What was called, for tests to count."""

    at: float
    method: str
    path: str
    status: int

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


class GoogleStandIn:
    """What stands for Google."""

    def __init__(self) -> None:
        from tests.google_stand_in.drive import DriveStandIn
        from tests.google_stand_in.sheets import SheetsStandIn

        self.port = 0
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, tuple[str, float]] = {}
        """Token -> whose it is, and when it ends."""
        self.token_s = 3600.0
        self.people: dict[str, str] = {}
        """Refresh token -> e-mail."""
        self.codes: dict[str, str] = {}
        """Code of a login that somebody agreed to -> e-mail; each is good for once."""
        self.is_shut_out: set[str] = set()
        """Accounts that get no token any more."""
        self.lock = threading.RLock()
        self.drive = DriveStandIn(self)
        self.sheets = SheetsStandIn(self)
        self._n_tokens = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write_key(self, path: Path, email: str = SERVICE_EMAIL) -> None:
        """A service account's JSON key, as Google hands it out, for this stand-in."""
        values = {
            "type": "service_account",
            "project_id": "wakeful-lab",
            "private_key_id": "0123456789abcdef",
            "private_key": _make_private_key(),
            "client_email": email,
            "client_id": "1",
            "token_uri": f"{self.address}/token",
        }
        path.write_text(json.dumps(values), encoding="utf-8")
        path.chmod(0o600)

    def write_login(self, path: Path, email: str) -> None:
        """What a person's login leaves, for this stand-in."""
        refresh = f"refresh-{len(self.people)}-{email}"
        self.people[refresh] = email
        values = {
            "type": "authorized_user",
            "client_id": "1.apps.googleusercontent.com",
            "client_secret": "client-secret-of-the-lab",
            "refresh_token": refresh,
            "token_uri": f"{self.address}/token",
        }
        path.write_text(json.dumps(values), encoding="utf-8")
        path.chmod(0o600)

    def expire_tokens(self) -> None:
        """All tokens end now."""
        with self.lock:
            self.tokens.clear()

    def answer(self, asked: Asked) -> Answer:
        """What a call gives, faults left aside."""
        if asked.path == "/token":
            return self._give_token(asked)
        if not asked.account:
            return refusal(401, "Invalid Credentials", "authError", "UNAUTHENTICATED")
        with self.lock:
            for service in (self.sheets, self.drive):
                answer = service.answer(asked)
                if answer is not None:
                    return answer
        return refusal(404, f"not known here: {asked.method} {asked.path}", "notFound")

    def who(self, authorization: str) -> str:
        account, ends = self.tokens.get(authorization.removeprefix("Bearer "), ("", 0.0))
        return account if time.monotonic() < ends else ""

    def next_fault(self, asked: Asked) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.matches(asked):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def _give_token(self, asked: Asked) -> Answer:
        fields = {k: v[0] for k, v in parse_qs(asked.body.decode()).items()}
        if "assertion" in fields:
            claims = fields["assertion"].split(".")[1]
            claims += "=" * (-len(claims) % 4)
            account = json.loads(base64.urlsafe_b64decode(claims))["iss"]
        elif "code" in fields:
            account = self.codes.pop(fields["code"], "")
        else:
            account = self.people.get(fields.get("refresh_token", ""), "")
        if not account or account in self.is_shut_out:
            return Answer(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        with self.lock:
            self._n_tokens += 1
            token = f"ya29.stand-in-{self._n_tokens}"
            self.tokens[token] = (account, time.monotonic() + self.token_s)
        given = {"access_token": token, "expires_in": self.token_s, "token_type": "Bearer"}
        if "code" in fields:
            given["refresh_token"] = f"refresh-{self._n_tokens}-{account}"
            self.people[given["refresh_token"]] = account
        return Answer(200, given)


@contextmanager
def google_stand_in() -> Iterator[GoogleStandIn]:
    """A stand-in, as long as this lasts."""
    google = GoogleStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            split = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            whose = google.who(headers.get("authorization", ""))
            query = parse_qs(split.query, keep_blank_values=True)
            head = Asked(self.command, split.path, query, headers, b"", whose)
            fault = google.next_fault(head)
            length = int(headers.get("content-length", 0))
            is_cut = fault is not None and fault.kind == "cut"
            body = self.rfile.read(length // 2 if is_cut else length)
            asked = Asked(self.command, split.path, query, headers, body, whose, is_cut)
            if fault is not None and fault.kind == "status":
                answer = refusal(fault.status, "the stand-in was told to fail", fault.reason)
                if fault.retry_after:
                    answer.headers["Retry-After"] = fault.retry_after
            else:
                answer = google.answer(asked)
            if fault is not None and fault.kind == "late":
                time.sleep(fault.seconds)
            status = 0 if is_cut or (fault and fault.kind == "lost") else answer.status
            google.calls.append(Call(time.monotonic(), self.command, split.path, status))
            if status == 0:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = answer.to_bytes()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Type" not in answer.headers:
                self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Silent about clients that were killed or that hung up."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    google.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        google.drive.close()


_KEYS: list[str] = []


def _make_private_key() -> str:
    """One key a process: making it takes a while."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if not _KEYS:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _KEYS.append(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode()
        )
    return _KEYS[0]


def endpoint_of(google: GoogleStandIn) -> dict[str, str]:
    """The environment of a process that talks to this stand-in."""
    return {**os.environ, "WAKEFUL_GOOGLE_ENDPOINT": google.address}
