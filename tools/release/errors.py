"""Why a release is not made."""

from __future__ import annotations


class DeployError(Exception):
    """The stack could not be brought up, or would lose something; the message holds the reasons."""
