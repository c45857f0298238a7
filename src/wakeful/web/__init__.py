"""The page that shows and edits the local sheet."""

from __future__ import annotations

from wakeful.web.app import make_app
from wakeful.web.serving import Server, bind, check_address
from wakeful.web.site import Site

__all__ = ["Server", "Site", "bind", "check_address", "make_app"]
