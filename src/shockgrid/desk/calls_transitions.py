"""What may happen to a margin call, in which state, and what state it leads to."""

from __future__ import annotations

from collections.abc import Mapping

PROPOSED = "proposed"  #: waits for a person to approve it; the customer has not been told
OPEN = ("issued", "funds_pending", "part_met", "extended")  #: the customer still has time
UNRESOLVED = (PROPOSED, *OPEN, "expired", "liquidation")
STATES = (*UNRESOLVED, "met", "waived", "closed")

#: What may happen to a call that is not overdue yet, in whichever of its states; see ``TRANSITIONS``.
WHILE_DUE: Mapping[str, tuple[str, str]] = {
    "promise": ("funds_pending", "funds_pending"),
    "cure": ("part_met", "met"),
    "correct": ("part_met", "met"),
    "extend": ("extended", "extended"),
    "waive": ("waived", "waived"),
    "expire": ("expired", "expired"),
}

#: state -> event -> the next state (while something is outstanding, when nothing is). All else is refused.
#: "" is no call yet. A call that is part_met by 0 is issued again.
TRANSITIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "": {"issue": ("issued", "issued"), "propose": (PROPOSED, PROPOSED)},
    PROPOSED: {
        "amend": (PROPOSED, "closed"),
        "approve": ("issued", "met"),
        "waive": ("waived", "waived"),
    },
    "issued": {
        "amend": ("issued", "met"),
        **WHILE_DUE,
    },
    "funds_pending": {
        "amend": ("funds_pending", "met"),
        "return": ("part_met", "met"),
        **WHILE_DUE,
    },
    "part_met": {
        "amend": ("part_met", "met"),
        **WHILE_DUE,
    },
    "extended": {
        "amend": ("extended", "met"),
        **WHILE_DUE,
    },
    "expired": {
        "amend": ("expired", "met"),
        "cure": ("expired", "met"),
        "correct": ("expired", "met"),
        "waive": ("waived", "waived"),
        "liquidate": ("liquidation", "liquidation"),
    },
    "liquidation": {
        "amend": ("liquidation", "closed"),
        "cure": ("liquidation", "closed"),
        "correct": ("liquidation", "closed"),
        "close": ("closed", "closed"),
    },
    "met": {
        "amend": ("part_met", "met"),
        "propose": (PROPOSED, "met"),
        "correct": ("part_met", "met"),
        "close": ("closed", "closed"),
    },
    "waived": {"close": ("closed", "closed")},
    "closed": {
        "amend": ("part_met", "closed"),
        "propose": (PROPOSED, "closed"),
        "correct": ("part_met", "closed"),
    },
}
EVENTS = tuple(dict.fromkeys(event for row in TRANSITIONS.values() for event in row))
