"""Whether everything is in place to deliver to Google Drive, and what to do where it is not."""

from __future__ import annotations

from typing import Any

from wakeful.config import Library
from wakeful.delivery.drive import check_folder
from wakeful.delivery.drive_calls import AlreadyThere, Drive, NotThere
from wakeful.front_config import folder_key
from wakeful.google.account import Account, read_account
from wakeful.model.errors import BadConfig, WakefulError
from wakeful.model.findings import Finding

_PATIENCE_S = 5.0
_PROBE = "wakeful-doctor.txt"


def check_drive(library: Library) -> tuple[Finding, ...]:
    """Look at all that a delivery to Google Drive needs, in the order in which it needs it.

    A small file is made in the folder and deleted again. What comes after the first thing that is
    bad is not looked at. Nothing is looked at where figures do not go to Drive.
    """
    delivery = library.config.delivery
    if delivery.to != "drive":
        return (Finding("delivery to Google Drive", "note", f"off: figures go to {delivery.to!r}"),)
    try:
        account = read_account(library)
    except BadConfig as error:
        return (_bad("Google account's key", error),)
    findings = [Finding("Google account's key", "good", f"it is that of the {account.shown}")]
    with Drive(account, patience_s=_PATIENCE_S) as drive:
        _look(drive, account, folder_key(delivery.drive_folder), findings)
    return tuple(findings)


def _look(drive: Drive, account: Account, folder: str, findings: list[Finding]) -> None:
    about = _ask_about(drive, findings)
    if about is None:
        return
    try:
        found = check_folder(drive, folder)
    except WakefulError as error:
        findings.append(_bad("folder to deliver into", error))
        return
    drive.shared_drive = str(found.get("driveId", ""))
    findings.append(Finding("folder to deliver into", "good", f"{found['name']!r} is there"))
    findings.append(_kind_of_place(drive, account))
    findings.append(_try_to_write(drive, folder, str(found["name"])))
    if not drive.shared_drive:
        findings.append(_room(about))


def _ask_about(drive: Drive, findings: list[Finding]) -> dict[str, Any] | None:
    """A first call: it needs a token, and Drive's API."""
    fields = "user(emailAddress),storageQuota"
    try:
        about: dict[str, Any] = drive.run(drive.service.about().get(fields=fields), "Google Drive")
    except NotThere:
        findings.append(
            Finding(
                "Google Drive",
                "bad",
                "what answers is not Google Drive",
                "check the network's gateway (WAKEFUL_GOOGLE_ENDPOINT)",
            )
        )
        return None
    except WakefulError as error:
        # Where a token was had, it is Drive that says no.
        has_token = bool(getattr(drive.http.credentials, "token", None))
        if has_token:
            findings.append(Finding("token", "good", "Google accepts the account"))
        findings.append(_bad("Drive API" if has_token else "token", error))
        return None
    email = str(about.get("user", {}).get("emailAddress", ""))
    findings.append(Finding("token", "good", f"Google knows the account as {email}"))
    findings.append(Finding("Drive API", "good", "it answers"))
    return about


def _kind_of_place(drive: Drive, account: Account) -> Finding:
    if drive.shared_drive:
        return Finding("kind of place", "good", "a Shared Drive: what is there belongs to the lab")
    if account.kind == "service account":
        return Finding(
            "kind of place",
            "bad",
            "somebody's My Drive, in which a service account can't own files",
            f"name a folder in a Shared Drive of which {account.email} is a Content manager, or "
            "log in as a person (`wakeful google login`)",
        )
    return Finding("kind of place", "note", "My Drive: what is there belongs to who logged in")


def _try_to_write(drive: Drive, folder: str, name: str) -> Finding:
    """Make a small file and put it away again."""
    what = "writing there"
    where = f"folder {name!r} in Google Drive"
    try:
        identifier = drive.new_identifiers(1, where)[0]
        request = drive.files.create(
            body={"id": identifier, "name": _PROBE, "parents": [folder]},
            media_body=_probe(),
            fields="id",
            supportsAllDrives=True,
        )
        try:
            drive.run(request, where)
        except AlreadyThere:
            pass  # the answer to a try before was lost
        except NotThere:
            return Finding(what, "bad", "the folder is gone", "restore it, or name another")
        is_gone = _delete(drive, identifier, where)
    except WakefulError as error:
        return _bad(what, error)
    if not is_gone:
        return Finding(
            what,
            "bad",
            f"a file can be made and not removed again ({_PROBE} is left there)",
            f"make {drive.account} a Content manager of the Shared Drive, so that figures that are "
            "no longer part of a report can be put into the trash",
        )
    return Finding(what, "good", "a small file was made and removed")


def _delete(drive: Drive, identifier: str, where: str) -> bool:
    """Delete for good where that is allowed, else put into the trash."""
    try:
        drive.run(drive.files.delete(fileId=identifier, supportsAllDrives=True), where)
    except NotThere:
        return True
    except WakefulError:
        return drive.trash(identifier, where)
    return True


def _room(about: dict[str, Any]) -> Finding:
    quota = about.get("storageQuota", {})
    if "limit" not in quota:
        return Finding("room", "good", "as much as is needed")
    free = int(quota["limit"]) - int(quota.get("usage", 0))
    if free < 1_000_000_000:
        return Finding(
            "room",
            "bad" if free <= 0 else "note",
            f"{max(free, 0) / 1e9:.1f} GB are left",
            "empty the trash, buy room, or deliver into a Shared Drive",
        )
    return Finding("room", "good", f"{free / 1e9:.0f} GB are left")


def _probe() -> Any:
    import io

    from googleapiclient.http import MediaIoBaseUpload

    text = b"Wakeful looks whether it may write here. This file can be deleted.\n"
    return MediaIoBaseUpload(io.BytesIO(text), "text/plain")


def _bad(what: str, error: WakefulError) -> Finding:
    found = f"{error.where}: {error.what}" if error.where else error.what
    return Finding(what, "bad", found, error.remedy)
