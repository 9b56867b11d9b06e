"""The row of the rules in force. While there is none, the ones that come with the code are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_s, from_epoch_s
from chalicelib.kernel.errors import NotFound
from chalicelib.risk.default_rules import DEFAULTS
from chalicelib.risk.domain import Proposal, Rule
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
    since = DocumentAttribute[dict[str, int]](dict[str, int])
    proposals = DocumentAttribute[tuple[Proposal, ...]](tuple[Proposal, ...])


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules, since when each that operators changed is so, and what is asked for."""

    rules: tuple[Rule, ...]
    since: Mapping[str, datetime] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()
    version: int = 0

    def rule(self, rule_id: str) -> Rule:
        """Return one rule.

        Raises:
            NotFound: if there is none.
        """
        for rule in self.rules:
            if rule.rule_id == rule_id:
                return rule
        raise NotFound(what="rule")


def load() -> InForce:
    """Read the rules as they are now."""
    row = reads.get(RulesRow, _IN_FORCE, consistent=True)
    if row is None:
        return InForce(DEFAULTS)
    changed = {rule.rule_id: rule for rule in row.rules}
    rules = tuple(changed.get(rule.rule_id, rule) for rule in DEFAULTS)
    since = {rule_id: from_epoch_s(moment) for rule_id, moment in row.since.items()}
    return InForce(rules, since, row.proposals, int(row.version))


def in_force() -> tuple[Rule, ...]:
    """Return the rules as they were within the last minute."""
    if _held and time.monotonic() - _held[0][0] < KEEP_S:
        return _held[0][1]
    rules = load().rules
    _held[:] = [(time.monotonic(), rules)]
    return rules


def save(work: UnitOfWork, wanted: InForce) -> None:
    """Write all rules in the caller's work; a rival's write is a lost race."""
    row = RulesRow(
        key_of=_IN_FORCE,
        rules=tuple(rule for rule in wanted.rules if rule not in DEFAULTS),
        since={rule_id: epoch_s(moment) for rule_id, moment in wanted.since.items()},
        proposals=wanted.proposals,
        version=wanted.version,
    )
    work.save(row, refuse=lost, label="rules")
    work.after_commit(_held.clear)
