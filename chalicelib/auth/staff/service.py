"""What routes and others ask of a merchant's people."""

from __future__ import annotations

from chalicelib.auth.employment import Employment, StaffElsewhere
from chalicelib.auth.staff.domain import (
    BadInvitation,
    DeskNeeded,
    Invitation,
    InvitedElsewhere,
    LastOwner,
    Member,
    MerchantNotChosen,
    Offer,
    PostNeeded,
    Roster,
    StaffFull,
    TooManyInvitations,
)
from chalicelib.auth.staff.inviting import Invited, accept, invite, take_back
from chalicelib.auth.staff.people import Person, dismiss, members, move, roster

__all__ = [
    "BadInvitation",
    "DeskNeeded",
    "Employment",
    "Invitation",
    "Invited",
    "InvitedElsewhere",
    "LastOwner",
    "Member",
    "MerchantNotChosen",
    "Offer",
    "Person",
    "PostNeeded",
    "Roster",
    "StaffElsewhere",
    "StaffFull",
    "TooManyInvitations",
    "accept",
    "dismiss",
    "invite",
    "members",
    "move",
    "roster",
    "take_back",
]
