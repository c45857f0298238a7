"""Who may know which group an animal is of: hidden until somebody says why it is to be known."""

from __future__ import annotations

from wakeful.config import Library
from wakeful.ledger import AuditEntry, Ledger
from wakeful.model.errors import BadParameters

_WHAT = "groups"
_SHORTEST_REASON = 8


def is_blinded(library: Library, ledger: Ledger) -> bool:
    """Whether genotype, drug, dose and notes of animals are hidden now."""
    return library.config.blinding.hide_groups and not _is_unblinded(ledger)


def is_hidden_now(library: Library) -> bool:
    """The same, for whoever has no database open."""
    if not library.config.blinding.hide_groups:
        return False
    with Ledger.open(library.database) as ledger:
        return is_blinded(library, ledger)


def unblind(library: Library, ledger: Ledger, *, actor: str, reason: str) -> None:
    """Show from now on what group each animal is of; logged with who asked for it, and why.

    Raises
    ------
    BadParameters
        Nothing is hidden, or no reason is given.
    """
    if not is_blinded(library, ledger):
        raise BadParameters(
            "nothing is hidden",
            where="unblind",
            remedy="see hide_groups under [blinding] in wakeful.toml",
        )
    if len(reason.strip()) < _SHORTEST_REASON:
        raise BadParameters(
            "no reason is given",
            where="unblind",
            remedy='say why with --reason, e.g. --reason "scoring of cohort 3 is complete"',
        )
    ledger.record_audit(actor, "unblind", _WHAT, None, {"reason": reason.strip()})


def hide_again(library: Library, ledger: Ledger, *, actor: str) -> None:
    """Hide them again, from now on; who has seen them has seen them.

    Raises
    ------
    BadParameters
        They are hidden, or shall not be.
    """
    if not library.config.blinding.hide_groups or is_blinded(library, ledger):
        raise BadParameters(
            "there is nothing to hide again",
            where="unblind",
            remedy="see hide_groups under [blinding] in wakeful.toml",
        )
    ledger.record_audit(actor, "hide again", _WHAT)


def history(ledger: Ledger) -> tuple[AuditEntry, ...]:
    """Who unblinded what, when and why; oldest first."""
    return ledger.audit(_WHAT)


def _is_unblinded(ledger: Ledger) -> bool:
    entries = history(ledger)
    return bool(entries) and entries[-1].action == "unblind"
