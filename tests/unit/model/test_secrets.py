"""No secret is shown, and what is no secret still is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.model.secrets import HIDDEN, Redaction, hide_in_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://example.org/a/b?page=2", "https://example.org/a/b?page=2"),
        ("https://anna:s3cr3t@example.org/a", "https://***@example.org/a"),
        ("https://anna:p@ss@example.org/a", "https://***@example.org/a"),
        ("https://example.org/a?token=abc&page=2", "https://example.org/a?token=***&page=2"),
        ("https://example.org/x?X-Amz-Signature=abc", "https://example.org/x?X-Amz-Signature=***"),
        ("https://x.org/u?uploadType=a&upload_id=b", "https://x.org/u?uploadType=a&upload_id=***"),
        ("https://hooks.slack.com/services/T1/B2/abcdef", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/12/abc", "https://discord.com/***"),
        ("slack://TokenA/TokenB/TokenC", "slack://***"),
        ("tgram://123456789:abcdef/42", "tgram://***"),
        ("mailto://anna:s3cr3t@gmail.com", "mailto://***"),
        ("sftp://nas/raw/M014", "sftp://nas/raw/M014"),
    ],
)
def test_an_address_shows_where_it_leads_and_no_more(address, shown):
    assert hide_in_address(address) == shown
    assert Redaction().text(f"sent to {address} at last") == f"sent to {shown} at last"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef0123456789",
        "password=abcdef0123456789",
        '{"api_key": "abcdef0123456789"}',
        "the client_secret: 'abcdef0123456789' was refused",
        "-----BEGIN RSA PRIVATE KEY-----\nabcdef0123456789\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nabcdef0123456789",
        "ghp_abcdef0123456789abcdef0123456789 expired",
        "xoxb-abcdef0123456789 expired",
    ],
)
def test_secrets_in_the_middle_of_text_are_taken_out(text):
    assert "abcdef0123456789" not in Redaction().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "made 24 of 360 results in 12.5 s: block 3",
        "/data/M014/2026-03-02_09-15-00_baseline/CSC1.ncs",
        "job block3-0123456789ab.1, key 3f9a3f9a3f9a",
        "row 14: subject: 'M014': the 3rd character is a space; delete it",
        "copying 12 of 354000 MB",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Redaction().text(text) == text


def test_values_are_hidden_by_their_names_at_any_depth():
    clean = Redaction().clean
    assert clean("password", "x") == HIDDEN
    assert clean("key", "3f9a") == "3f9a"
    assert clean("settings", {"api_key": "x", "rate_hz": 1000.0, "more": [{"token": "y"}]}) == {
        "api_key": HIDDEN,
        "rate_hz": 1000.0,
        "more": [{"token": HIDDEN}],
    }
    assert clean("n", 3) == 3
    assert clean("flag", True) is True
    assert clean("nothing", None) is None


@given(
    st.text(alphabet="abcdefghjkmnpqrstuvwxyz0123456789", min_size=8, max_size=30),
    st.text(max_size=40),
    st.text(max_size=40),
)
def test_a_secret_that_was_told_is_never_shown(secret, before, after):
    redaction = Redaction([f"slack://{secret}/channel", f"json://anna:{secret}@localhost/notify"])
    assert secret not in redaction.text(f"{before}{secret}{after}")
