"""A stand-in for Google on this machine: the calls of Sheets v4 and Drive v3 that are in use.

    with google_stand_in() as google:
        google.write_key(path)                   # a service account's key, as Google hands it out
        os.environ["WAKEFUL_GOOGLE_ENDPOINT"] = google.address

The real client libraries (gspread, google-api-python-client, google-auth) talk to it by HTTP. It
holds what a person would see (`google.sheets`, `google.drive`), counts what was called
(`google.calls`), and fails when told to (`google.faults`).
"""

from __future__ import annotations

from tests.google_stand_in.server import Answer, Asked, Fault, GoogleStandIn, google_stand_in

__all__ = ["Answer", "Asked", "Fault", "GoogleStandIn", "google_stand_in"]
