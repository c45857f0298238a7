"""`python -m wakeful` is the command line."""

from __future__ import annotations

from wakeful.cli import main

main()
