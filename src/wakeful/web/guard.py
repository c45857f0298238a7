"""Who may ask for what: names of hosts, requests from other sites, who is logged in.

Three things are held off. Another site's page must not change the sheet through a visitor's
browser: what changes something needs a header that only our own page can send. A name that is
pointed at this machine (DNS rebinding) must not make another site's page ours: the host must be
one that is known. Where a proxy logs people in, who is not named by it is let nowhere.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wakeful.web.site import Site

OWN_HEADER: Final = "x-wakeful"
"""A page of another site can't send it without asking first, which is never allowed."""

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PREFIX: Final = re.compile(r"(/[\w.~-]+)+/?")
_LONGEST_NAME: Final = 100

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Stands before the application.

    Leaves who asks in the request's state, as `actor`.

    Parameters
    ----------
    app : what is guarded
    site : what it serves
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refuse(scope["method"], headers)
        if refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = self._actor(headers)
        _take_prefix(scope, headers)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    own.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely)

    def _actor(self, headers: Headers) -> str:
        if not self._site.trusted_user_header:
            return self._site.person
        name = headers.get(self._site.trusted_user_header, "").strip()
        try:
            # Headers are bytes; proxies send names as UTF-8.
            return name.encode("latin-1").decode()
        except UnicodeDecodeError:
            return name

    def _refuse(self, method: str, headers: Headers) -> str:
        """Why a request is not let through; "" where it is."""
        hosts = self._hosts(headers)
        if not hosts:
            return (
                f'"{headers.get("host", "")}" is not a name of this page; open it as '
                f"http://{self._site.address}, or let a proxy log people in "
                "(trusted_user_header in wakeful.toml)"
            )
        if self._site.trusted_user_header:
            actor = self._actor(headers)
            if not actor or len(actor) > _LONGEST_NAME or not actor.isprintable():
                return (
                    "nobody is logged in: the proxy before this page must name the person in "
                    f"{self._site.trusted_user_header}"
                )
        if method in _HARMLESS:
            return ""
        origin = headers.get("origin")
        is_ours = (
            headers.get(OWN_HEADER) == "1"
            and (origin is None or urlsplit(origin).netloc.lower() in hosts)
            and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        )
        return "" if is_ours else "this change was asked for by another site's page: refused"

    def _hosts(self, headers: Headers) -> set[str]:
        """The names by which the browser knows this page; empty where it is none of ours."""
        host = headers.get("host", "").lower()
        if self._site.trusted_user_header:
            # The proxy decides for which names it passes requests on.
            outer = headers.get("x-forwarded-host", "").split(",")[0].strip().lower()
            return {name for name in (host, outer) if name}
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return set()
        return {host} if is_loopback(name) or name == self._site.address.lower() else set()


def _take_prefix(scope: Scope, headers: Headers) -> None:
    """A proxy may show the page below a path of its own, and take that path off or not."""
    prefix = headers.get("x-forwarded-prefix", "").strip()
    if not _PREFIX.fullmatch(prefix):
        return
    prefix = prefix.rstrip("/")
    scope["root_path"] = prefix
    path: str = scope["path"]
    # Routes are found below the root path, so it stands in the path whatever the proxy did.
    if path != prefix and not path.startswith(f"{prefix}/"):
        scope["path"] = prefix + path
