"""Rows of what rules found in shadow: shown beside the rule for a month, and bound to nothing."""

from __future__ import annotations

from datetime import datetime

import msgspec
from pynamodb.attributes import TTLAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_s, from_epoch_s
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.kernel.pages import Page, Window
from chalicelib.risk.domain import KEPT, FactKind, Finding, Rule, Subject
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class FindingDoc(msgspec.Struct, omit_defaults=True):
    """A finding as it is kept: the whole rule, so that it explains itself when the rule is another one."""

    rule: Rule
    subject: str
    at_s: int
    worth: int
    compared_with: int
    evidence: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, finding: Finding) -> FindingDoc:
        """Return the document of a finding."""
        return cls(
            finding.rule,
            finding.subject.key,
            epoch_s(finding.at),
            finding.worth,
            finding.compared_with,
            tuple((kind.value, record, epoch_s(at)) for kind, record, at in finding.evidence),
        )

    def finding(self) -> Finding:
        """Return the finding again."""
        return Finding(
            self.rule,
            Subject.of(self.subject),
            from_epoch_s(self.at_s),
            self.worth,
            self.compared_with,
            tuple((FactKind(kind), record, from_epoch_s(at)) for kind, record, at in self.evidence),
        )


class ShelfIndex(GlobalSecondaryIndex["FindingRow"]):
    """Sparse: findings of a rule and reviews in a state, in the order of time."""

    class Meta:
        index_name = "shelf"
        projection = KeysOnlyProjection()

    shelf = UnicodeAttribute(hash_key=True)
    shelf_ms = NumberAttribute(range_key=True)


class FindingRow(Row):
    """Key: a digest of rule, version, subject and window: what is found again within it is the same."""

    class Meta:
        table_name = names.table_name("risk")
        region = region()

    key_of = UnicodeAttribute(hash_key=True)
    shelf = UnicodeAttribute()
    shelf_ms = NumberAttribute()
    doc = DocumentAttribute[FindingDoc](FindingDoc)
    ttl = TTLAttribute(null=True)
    on_shelf = ShelfIndex()


def add(finding: Finding) -> bool:
    """Keep a finding; says whether it is a new one."""
    rule = finding.rule
    key = ids.derived_id("fnd", rule.rule_id, str(rule.version), finding.subject.key, str(finding.period))
    try:
        with UnitOfWork() as work:
            work.save(
                FindingRow(
                    key_of=key,
                    shelf=_shelf(rule.rule_id),
                    shelf_ms=epoch_ms(finding.at),
                    doc=FindingDoc.of(finding),
                    ttl=finding.at + KEPT,
                ),
                label="finding",
            )
    except AlreadyExists:
        return False
    return True


def list_of(rule_id: str, window: Window) -> Page[Finding]:
    """Return one page of what a rule found in shadow, the latest first."""
    page = reads.windowed(FindingRow, _shelf(rule_id), window, index=FindingRow.on_shelf, descending=True)
    keys = [item["key_of"]["S"] for item in page.items]
    rows = reads.get_many((FindingRow, key, None) for key in keys)
    found = [rows[(key, None)] for key in keys if (key, None) in rows]
    return Page([row.doc.finding() for row in found if isinstance(row, FindingRow)], page.after)


def since(rule_id: str, moment: datetime) -> int:
    """Return how many findings of a rule there are since a moment, the first page of them."""
    items = reads.query_items(
        FindingRow,
        _shelf(rule_id),
        index=FindingRow.on_shelf,
        range_condition=FindingRow.shelf_ms >= epoch_ms(moment),
        limit=100,
    )
    return len(items)


def _shelf(rule_id: str) -> str:
    return f"shadow#{rule_id}"
