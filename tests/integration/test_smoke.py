"""The smoke test of a release: it passes where the shop works, says what does not, and leaves nothing sold."""

from __future__ import annotations
