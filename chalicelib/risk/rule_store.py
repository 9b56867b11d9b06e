"""The row of the rules in force. While there is none, the ones that come with the code are."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.risk.default_rules import DEFAULTS
from chalicelib.risk.domain import Rule
from chalicelib.runtime import caches, names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

KEEP_S = 60
"""A rule that is put in force reaches every process within this time."""
_IN_FORCE = "rules#in-force"

_held: list[tuple[float, tuple[Rule, ...]]] = []
caches.register(_held.clear)


class RulesRow(Row):
    """Key: ``rules#in-force``: the newest version of each rule that operators changed, some 300 bytes each."""

    class Meta:
        table_name = names.table_name("risk")
        region = region()

    key_of = UnicodeAttribute(hash_key=True)
    rules = DocumentAttribute[tuple[Rule, ...]](tuple[Rule, ...])


def load() -> tuple[tuple[Rule, ...], int]:
    """Read the rules as they are now, and the version of their row."""
    row = reads.get(RulesRow, _IN_FORCE, consistent=True)
    changed = {rule.rule_id: rule for rule in row.rules} if row is not None else {}
    rules = [changed.pop(rule.rule_id, rule) for rule in DEFAULTS]
    return (*rules, *changed.values()), int(row.version) if row is not None else 0


def in_force() -> tuple[Rule, ...]:
    """Return the rules as they were within the last minute."""
    if _held and time.monotonic() - _held[0][0] < KEEP_S:
        return _held[0][1]
    rules, _ = load()
    _held[:] = [(time.monotonic(), rules)]
    return rules


def save(work: UnitOfWork, rules: Sequence[Rule], version: int) -> None:
    """Write all rules in the caller's work; a rival's write is a lost race."""
    row = RulesRow(key_of=_IN_FORCE, rules=tuple(rule for rule in rules if rule not in DEFAULTS), version=version)
    work.save(row, refuse=lost, label="rules")
    work.after_commit(_held.clear)
