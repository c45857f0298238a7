"""The stand-in's Drive answers the real client library as Drive does."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from tests.google_stand_in import google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL

from wakeful.google.account import make_account

ADA = "ada@lab.org"


@pytest.fixture
def google():
    with google_stand_in() as standing:
        yield standing


@pytest.fixture
def connect(google, tmp_path):
    """Connects the real client as some account."""
    import google_auth_httplib2
    import httplib2
    from googleapiclient.discovery import build_from_document
    from googleapiclient.discovery_cache import get_static_doc

    opened = []

    def as_(email: str = SERVICE_EMAIL):
        path = tmp_path / "key.json"
        (google.write_key if email == SERVICE_EMAIL else google.write_login)(path, email)
        who = make_account(json.loads(path.read_text()), str(path)).credentials
        transport = httplib2.Http(timeout=10)
        transport.redirect_codes = transport.redirect_codes - {308}
        http = google_auth_httplib2.AuthorizedHttp(who, http=transport)
        opened.append(http)
        document = json.loads(get_static_doc("drive", "v3"))
        document["rootUrl"] = f"{google.address}/"
        return build_from_document(document, http=http).files()

    yield as_
    for http in opened:
        http.close()


def status_of(call) -> tuple[int, str]:
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as raised:
        call()
    reason = json.loads(raised.value.content)["error"]["errors"][0]["reason"]
    return int(raised.value.resp.status), reason


def media(content: bytes, chunk: int = 256 * 1024, resumable: bool = True):
    from googleapiclient.http import MediaIoBaseUpload

    return MediaIoBaseUpload(io.BytesIO(content), "image/png", chunk, resumable=resumable)


@pytest.fixture
def lab(google):
    """A folder in a Shared Drive."""
    drive = google.drive.make_shared_drive(
        "Lab", {SERVICE_EMAIL: "fileOrganizer", ADA: "organizer"}
    )
    return google.drive.make_folder("Figures", drive, by=ADA)


def test_a_resumable_upload_arrives_whole(google, connect, lab):
    content = bytes(range(256)) * 4000
    made = (
        connect()
        .create(
            body={"name": "day.png", "parents": [lab]},
            media_body=media(content),
            fields="id,md5Checksum,size,webViewLink",
            supportsAllDrives=True,
        )
        .execute()
    )
    assert made["md5Checksum"] == hashlib.md5(content).hexdigest()
    assert made["size"] == str(len(content))
    assert made["id"] in made["webViewLink"]
    assert google.drive.content(made["id"]) == content
    assert sum(call.status == 308 for call in google.calls) == 3


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_small_files_arrive_either_way(google, connect, lab, content):
    for resumable in (True, False) if content else (True,):
        made = (
            connect()
            .create(
                body={"name": "day.png", "parents": [lab]},
                media_body=media(content, resumable=resumable),
                supportsAllDrives=True,
            )
            .execute()
        )
        assert google.drive.content(made["id"]) == content
        assert google.drive.files[made["id"]].mime == "image/png"


def test_an_identifier_is_used_once(connect, lab):
    files = connect()
    identifier = files.generateIds(count=1).execute()["ids"][0]
    body = {"id": identifier, "name": "a", "parents": [lab]}
    files.create(body=body, supportsAllDrives=True).execute()
    again = files.create(body=body, supportsAllDrives=True)
    assert status_of(again.execute) == (409, "fileIdInUse")
    never = files.create(body={"id": "1chosen", "parents": [lab]}, supportsAllDrives=True)
    assert status_of(never.execute)[0] == 400


def test_who_may_do_what(google, connect, lab):
    google.drive.make_folder("Ada's own", by=ADA)
    other = google.drive.make_folder("Read this", by=ADA)
    google.drive.share(other, SERVICE_EMAIL, "reader")
    files = connect()
    unseen = files.get(fileId=lab)
    assert status_of(unseen.execute) == (404, "notFound"), "a Shared Drive, and not said so"
    assert files.get(fileId=lab, supportsAllDrives=True).execute()["name"] == "Figures"
    refused = files.create(body={"name": "x", "parents": [other]})
    assert status_of(refused.execute) == (403, "insufficientFilePermissions")
    names = [f["name"] for f in files.list(q="trashed = false").execute()["files"]]
    assert names == ["Read this"]


def test_a_service_account_owns_no_room(google, connect):
    mine = google.drive.make_folder("Figures", by=ADA)
    google.drive.share(mine, SERVICE_EMAIL, "writer")
    upload = connect().create(body={"name": "a", "parents": [mine]}, media_body=media(b"abc"))
    from googleapiclient.errors import ResumableUploadError

    with pytest.raises(ResumableUploadError) as raised:
        upload.execute()
    assert b"storageQuotaExceeded" in raised.value.content
    assert (
        connect(ADA)
        .create(body={"name": "a", "parents": [mine]}, media_body=media(b"abc"))
        .execute()
    )


def test_lists_come_in_pages_and_are_asked_by_what_is_meant(google, connect, lab):
    files = connect()
    for number in range(5):
        files.create(
            body={
                "name": f"it's \\ {number}",
                "parents": [lab],
                "appProperties": {"kind": "odd" if number % 2 else "even"},
            },
            supportsAllDrives=True,
        ).execute()
    google.drive.trash(google.drive.children(lab)[0].identifier)
    asked = {"supportsAllDrives": True, "includeItemsFromAllDrives": True, "pageSize": 3}
    query = f"'{lab}' in parents and trashed = false"
    first = files.list(q=query, fields="nextPageToken,files(name)", **asked).execute()
    assert [set(f) for f in first["files"]] == [{"name"}] * 3
    rest = files.list(q=query, pageToken=first["nextPageToken"], **asked).execute()
    assert [f["name"] for f in rest["files"]] == ["it's \\ 4"]
    assert "nextPageToken" not in rest
    odd = f"{query} and appProperties has {{ key='kind' and value='odd' }}"
    assert len(files.list(q=odd, **asked).execute()["files"]) == 2
    named = f"{query} and name = 'it\\'s \\\\ 2'"
    assert len(files.list(q=named, **asked).execute()["files"]) == 1
    bad = files.list(q="name sounds like 'x'", **asked)
    assert status_of(bad.execute) == (400, "invalid")


def test_an_upload_that_has_ended_says_so(google, connect, lab):
    request = connect().create(
        body={"name": "a", "parents": [lab]},
        media_body=media(bytes(600_000)),
        supportsAllDrives=True,
    )
    request.next_chunk()
    google.drive.end_uploads()
    assert status_of(request.next_chunk) == (410, "gone")
    assert google.drive.tree(lab) == {}


def test_what_people_do_is_seen(google, connect, lab):
    theirs = google.drive.add_file("notes.txt", lab, b"mine", by=ADA)
    google.drive.rename(theirs, "other.txt")
    google.drive.edit(theirs, b"changed")
    asked = connect().get(fileId=theirs, fields="name,md5Checksum,trashed", supportsAllDrives=True)
    assert asked.execute() == {
        "name": "other.txt",
        "md5Checksum": hashlib.md5(b"changed").hexdigest(),
        "trashed": False,
    }
    google.drive.trash(lab)
    assert asked.execute()["trashed"] is True
