"""What routes and others ask of a merchant's people."""

from __future__ import annotations

from chalicelib.auth.employment import Employment, StaffElsewhere
from chalicelib.auth.staff.domain import (
    BadInvitation,
    DeskNeeded,
    Invitation,
    LastOwner,
    Member,
    MerchantNotChosen,
    PostNeeded,
    Roster,
    StaffFull,
    TooManyInvitations,
)
from chalicelib.auth.staff.people import Person, accept, dismiss, invite, move, roster, take_back

__all__ = [
    "BadInvitation",
    "DeskNeeded",
    "Employment",
    "Invitation",
    "LastOwner",
    "Member",
    "MerchantNotChosen",
    "Person",
    "PostNeeded",
    "Roster",
    "StaffElsewhere",
    "StaffFull",
    "TooManyInvitations",
    "accept",
    "dismiss",
    "invite",
    "move",
    "roster",
    "take_back",
]
