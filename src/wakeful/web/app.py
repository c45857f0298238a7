"""The application: the page, the rows, what people change, the files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Scope

from wakeful.ledger import EditConflict, UnknownRecord
from wakeful.logs import get_log
from wakeful.model.errors import WakefulError
from wakeful.sheet.interface import COLUMNS, Status
from wakeful.sheet.local import LocalSheet
from wakeful.sheet.row_files import BadLines
from wakeful.sheet.validate import NO_TICKS, TICKS
from wakeful.web.board import Board
from wakeful.web.bodies import ChangeBody, RowsBody
from wakeful.web.guard import Guard
from wakeful.web.published import Published
from wakeful.web.site import Site
from wakeful.web.transfer import Export, export_rows, import_rows, receive_file

_HERE: Final = Path(__file__).parent
_STATIC: Final = _HERE / "static"
_KEEP_ALIVE_S: Final = 15.0
"""A proxy closes what is silent for long."""

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def make_app(site: Site) -> FastAPI:
    """The application of one library's page; `app.state.desk.end()` ends its streams."""
    desk = Desk(site)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.end()
        desk.board.close()

    app = FastAPI(
        title="wakeful",
        # The pages that FastAPI makes of itself load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[Middleware(Guard, site=site), Middleware(GZipMiddleware, minimum_size=2048)],
    )
    app.state.desk = desk
    app.mount("/static", _Static(directory=_STATIC), name="static")
    add = app.add_api_route
    add("/", desk.page, methods=["GET"], response_class=HTMLResponse)
    add("/api/rows", desk.rows, methods=["GET"])
    add("/api/events", desk.events, methods=["GET"])
    add("/api/change", desk.change, methods=["POST"])
    add("/api/delete", desk.delete, methods=["POST"])
    add("/api/restore", desk.restore, methods=["POST"])
    add("/api/import", desk.take_file, methods=["POST"])
    add("/api/export/{name}", desk.give_file, methods=["GET"])
    add("/published/{name:path}", desk.give_published, methods=["GET"])
    app.add_exception_handler(WakefulError, desk.explain)
    app.add_exception_handler(HTTPException, desk.explain)
    app.add_exception_handler(RequestValidationError, desk.explain)
    app.add_exception_handler(Exception, desk.explain)
    return app


class Desk:
    """What is done when somebody asks.

    Parameters
    ----------
    site : whose sheet
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._published = Published(site.published)
        self.board = Board(site.ledger, site.make_context, self._published.find_link)
        self._ending = False
        # A page that was loaded from an earlier process must load its rows anew.
        self._epoch = secrets.token_hex(6)
        files = [path for path in sorted(_STATIC.rglob("*")) if path.is_file()]
        sums = hashlib.sha256(b"".join(path.read_bytes() for path in files))
        self._release = sums.hexdigest()[:12]
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
        )

    def end(self) -> None:
        """Let streams end: the server waits for them."""
        self._ending = True

    def page(self, request: Request) -> HTMLResponse:
        """The page itself; what it shows it asks for."""
        site = self._site
        setup = {
            "title": site.title,
            "person": _actor(request),
            "start": site.start_command,
            "columns": [
                {"name": c.name, "title": c.title, "help": c.help, "typed": c.filled_by == "person"}
                for c in COLUMNS
            ],
            "statuses": {str(status): status.help for status in Status},
            "ticks": sorted(TICKS),
            "noTicks": sorted(NO_TICKS),
        }
        text = self._templates.get_template("sheet.html.j2").render(
            site=site, setup=setup, release=self._release, prefix=_prefix(request)
        )
        headers = {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(text, headers=headers)

    def rows(self) -> Response:
        """All rows, and what can be chosen."""
        context = self.board.context()
        tree = {
            "epoch": self._epoch,
            **self.board.since(0).tree(),
            "service": self._site.service_process(),
            "analyses": dict(context.analyses),
            "params": list(context.params),
        }
        return _json(tree)

    async def events(self, request: Request, epoch: str = "", version: int = 0) -> Response:
        """What changes from now on, as it changes (server-sent events)."""
        came_again = request.headers.get("last-event-id", "")
        if came_again:
            epoch, _, number = came_again.partition(":")
            version = int(number) if number.isdecimal() else 0
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = self._stream(version if epoch == self._epoch else -1)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _stream(self, version: int) -> AsyncIterator[str]:
        if version < 0:
            yield "event: reload\ndata: {}\n\n"
            return
        yield "retry: 2000\n\n"
        service: int | None = -1
        silent_s = 0.0
        while not self._ending:
            parts = []
            found, process = await run_in_threadpool(self._news, version)
            if found is not None:
                version, data = found
                parts.append(f"id: {self._epoch}:{version}\nevent: rows\ndata: {data}\n\n")
            if process != service:
                service = process
                parts.append(f"event: service\ndata: {json.dumps({'process': process})}\n\n")
            if not parts and silent_s >= _KEEP_ALIVE_S:
                parts.append(": still here\n\n")
            if parts:
                silent_s = 0.0
                yield "".join(parts)
            await asyncio.sleep(self._site.poll_s)
            silent_s += self._site.poll_s

    def _news(self, version: int) -> tuple[tuple[int, str] | None, int | None]:
        process = self._site.service_process()
        try:
            if self.board.look() == version:
                return None, process
            changes = self.board.since(version)
        except WakefulError:
            # A database that is busy just now is looked at again; the stream goes on.
            get_log().warning("the rows could not be read for the page", exc_info=True)
            return None, process
        return (changes.version, _dump(changes.tree())), process

    def change(self, body: ChangeBody, request: Request) -> Response:
        """Edit cells and add rows: all of it, or nothing."""
        edits = [edit.edit() for edit in body.edits]
        try:
            done = self._sheet(request).change_many(edits, body.additions())
        except EditConflict as error:
            # With what the cells now hold, for the page to show it.
            rows = [row.tree() for row in self.board.rows({edit.row_id for edit in edits})]
            return JSONResponse({"error": str(error), "kind": "conflict", "rows": rows}, 409)
        return self._answer({row.number for row in done}, [r.number for r in done])

    def delete(self, body: RowsBody, request: Request) -> Response:
        """Take rows out of the sheet; rows that are gone already are no error."""
        sheet = self._sheet(request)
        deleted = []
        for number in body.rows:
            try:
                sheet.delete(number)
            except UnknownRecord:
                continue
            deleted.append(number)
        return self._answer(set(), deleted)

    def restore(self, body: RowsBody, request: Request) -> Response:
        """Bring deleted rows back."""
        sheet = self._sheet(request)
        numbers = [sheet.restore(number).number for number in body.rows]
        return self._answer(set(numbers), numbers)

    async def take_file(self, request: Request, name: str, judge: bool = True) -> Response:
        """Add the rows of a CSV or Excel file, which is the request's body."""
        content = await receive_file(request.stream())
        context = self.board.context() if judge else None
        sheet = self._sheet(request)
        done = await run_in_threadpool(import_rows, name, content, sheet, context)
        return _json(
            {
                "numbers": [row.number for row in done.added],
                "unknown_columns": list(done.unknown_columns),
                "notices": list(done.notices),
            }
        )

    def give_file(self, name: Export, request: Request) -> Response:
        """All rows with their statuses, as a file."""
        return export_rows(name, self._sheet(request).read_rows())

    def give_published(self, name: str) -> Response:
        """A file of the published folder."""
        return self._published.answer(name)

    async def explain(self, request: Request, error: Exception) -> Response:
        """Every error as plain text that the page can show."""
        if isinstance(error, HTTPException):
            return JSONResponse({"error": str(error.detail)}, error.status_code)
        if isinstance(error, RequestValidationError):
            said = " | ".join(
                f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5]
            )
            return JSONResponse({"error": f"the page asked for what is not known: {said}"}, 422)
        if isinstance(error, UnknownRecord):
            return JSONResponse({"error": str(error), "kind": "gone"}, 404)
        if isinstance(error, BadLines):
            return JSONResponse({"error": str(error), "kind": "lines"}, 400)
        if isinstance(error, WakefulError):
            return JSONResponse({"error": str(error)}, 400)
        get_log().error("a fault of the page", path=request.url.path, exc_info=error)
        said = (
            f"a fault of Wakeful itself ({type(error).__name__}: {error}); the terminal of "
            "`wakeful serve` says more"
        )
        return JSONResponse({"error": said}, 500)

    def _sheet(self, request: Request) -> LocalSheet:
        return LocalSheet(self._site.ledger, actor=_actor(request), outside=self._site.outside)

    def _answer(self, changed: set[int], numbers: list[int]) -> Response:
        """The rows as they now are, judged: the page need not wait for the stream."""
        rows = [row.tree() for row in self.board.rows(changed)]
        return _json({"rows": rows, "numbers": numbers})


class _Static(StaticFiles):
    """Files of the page; the browser asks each time whether they are still the same."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """As it is, without being taken for good: else new and old modules would meet."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _actor(request: Request) -> str:
    return str(request.state.actor)


def _prefix(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _dump(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _json(tree: Any) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(_dump(tree), media_type="application/json", headers=headers)
