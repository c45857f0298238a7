"""The server: at which address, and how it ends."""

from __future__ import annotations

import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

from wakeful.model.errors import BadConfig
from wakeful.web.guard import is_loopback
from wakeful.web.site import Site

_ENDING_S: Final = 5


def check_address(site: Site) -> None:
    """Refuse to be reached from elsewhere without anybody being logged in.

    Raises
    ------
    BadConfig
        The address is not this machine's own, and no proxy logs people in.
    """
    if not site.trusted_user_header and not is_loopback(site.address):
        raise BadConfig(
            f"the page would be open to everybody who can reach {site.address}",
            where="[web] address",
            remedy="listen at 127.0.0.1, or put a proxy before it that logs people in, and name "
            "its header in trusted_user_header (wakeful.toml)",
        )


def bind(site: Site, port: int) -> socket.socket:
    """The socket that is listened at; port 0 takes a free one.

    Raises
    ------
    BadConfig
        The address is not one of this machine, or the port is taken.
    """
    check_address(site)
    address = site.address.strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unusable(site, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        # At once: who asks before the server has begun waits, instead of being turned away.
        listener.listen()
    except OSError as error:
        listener.close()
        raise _unusable(site, port, error) from error
    return listener


def _unusable(site: Site, port: int, error: OSError) -> BadConfig:
    return BadConfig(
        f"{site.address} port {port} can't be listened at ({error.strerror})",
        where="[web]",
        remedy="perhaps the page is being served already; else give another --port",
    )


class Server(uvicorn.Server):
    """Serves an application until it is told to stop.

    Parameters
    ----------
    app : of `make_app`
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_ENDING_S,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: pages keep them open for ever, and the server waits for them."""
        self._app.state.desk.end()
        await super().shutdown(sockets)
