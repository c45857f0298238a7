"""A person's login: Google asks in the browser, and its answer comes back to this machine."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any

from wakeful.google.account import SCOPES
from wakeful.io.atomic import write_json
from wakeful.model.errors import BadConfig, WakefulError

_WAIT_S = 600
_PROMPT = "Open this address in a browser on this machine and log in:\n\n{url}\n"
_AGAIN = "run `wakeful google login` again"


class NotLoggedIn(WakefulError):
    """Nobody logged in, or Google did not let them."""


def log_in(client: Path, target: Path, *, browser: bool = True, port: int = 0) -> None:
    """Have a person log in, and keep what Google gives; prints the address that they open.

    Parameters
    ----------
    client : JSON file of the application ("OAuth client ID" of the type Desktop app)
    target : where the login is kept, readable by its owner alone
    browser : open it here, where there is a browser
    port : of this machine, at which the answer comes back; any that is free where 0

    Raises
    ------
    BadConfig
        `client` is something else.
    NotLoggedIn
        Nobody logged in within ten minutes, or Google said no.
    """
    from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
    from oauthlib.oauth2 import OAuth2Error

    flow = InstalledAppFlow.from_client_config(_read_client(client), scopes=list(SCOPES))
    try:
        given = flow.run_local_server(
            host="127.0.0.1",
            port=port,
            open_browser=browser and _has_browser(),
            authorization_prompt_message=_PROMPT,
            success_message="You are logged in. This window can be closed.",
            timeout_seconds=_WAIT_S,
            access_type="offline",
            prompt="consent",
        )
    except WSGITimeoutError:
        raise NotLoggedIn(
            f"nobody logged in within {_WAIT_S // 60} minutes", remedy=_AGAIN
        ) from None
    except OAuth2Error as error:
        # Not its own text: the answer's address with the code may stand in it.
        raise NotLoggedIn(f"Google did not let you in ({error.error})", remedy=_AGAIN) from None
    except (OSError, ValueError) as error:
        raise NotLoggedIn(
            f"the login did not come about ({type(error).__name__})",
            remedy=f"check the network and that the port is free, then {_AGAIN}",
        ) from None
    if not given.refresh_token:
        raise NotLoggedIn(
            "Google gave no lasting login",
            remedy="remove Wakeful at myaccount.google.com/connections, then " + _AGAIN,
        )
    login = {
        "type": "authorized_user",
        "client_id": given.client_id,
        "client_secret": given.client_secret,
        "refresh_token": given.refresh_token,
        "token_uri": given.token_uri,
    }
    write_json(target, login, private=True)


def _read_client(path: Path) -> dict[str, Any]:
    remedy = (
        'make an "OAuth client ID" of the type "Desktop app" (console.cloud.google.com, APIs & '
        "Services, Credentials) and download its JSON"
    )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(
            f"can't be read: {error.strerror}", where=str(path), remedy=remedy
        ) from None
    except ValueError:
        raise BadConfig("is not JSON", where=str(path), remedy=remedy) from None
    kind = values.get("type") if isinstance(values, dict) else None
    if kind == "service_account":
        raise BadConfig(
            "is the key of a service account, with which nobody logs in",
            where=str(path),
            remedy="name it under google.credentials in wakeful.toml as it is",
        )
    client = values.get("installed") if isinstance(values, dict) else None
    needed = {"client_id", "client_secret", "auth_uri", "token_uri"}
    if not isinstance(client, dict) or not needed <= client.keys():
        raise BadConfig(
            "is not the client of an application on a person's machine",
            where=str(path),
            remedy=remedy,
        )
    return {"installed": client}


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
