"""The lab's Google account: credentials, calls that are tried again, errors in plain words."""
