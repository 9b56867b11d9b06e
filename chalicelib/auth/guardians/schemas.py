"""Wire models of children's accounts."""

from __future__ import annotations

from pydantic import Field

from chalicelib.auth.codes.schemas import ShowCode
from chalicelib.auth.domain import Account
from chalicelib.auth.guardians import domain
from chalicelib.auth.guardians.domain import Age
from chalicelib.kernel.texts import said
from chalicelib.runtime.schema import Id, Schema, Timestamp


class RulesView(Schema):
    """The rules for children's data, apart from the privacy notice."""

    version: int
    title: str
    rules: list[str]
    digest: str

    @classmethod
    def now(cls, language: str) -> RulesView:
        """Return those in force."""
        return cls(
            version=domain.RULES_VERSION,
            title=said(domain.RULES_TITLE, language),
            rules=[said(rule, language) for rule in domain.RULES],
            digest=domain.RULES_DIGEST,
        )


class SayAge(Schema):
    """Of which age somebody says they are: a class, and no more."""

    age: Age


class AgeView(Schema):
    """What follows of it."""

    age: Age | None = None
    guardian_needed: bool
    """Nothing can be bought, and neither a nickname nor an address kept, until a guardian agrees."""
    guardian_agreed_at: Timestamp | None = None
    rules_version: int | None = None

    @classmethod
    def of(cls, account: Account) -> AgeView:
        """Return the wire form."""
        return cls(
            age=Age(account.age) if account.age else None,
            guardian_needed=domain.is_held_back(account),
            guardian_agreed_at=account.guarded_at,
            rules_version=account.guardian_rules or None,
        )


class GuardianAgrees(ShowCode):
    """A guardian's contact, the code that was read there (purpose ``guardian``), and the rules that were shown."""

    rules_version: int = Field(ge=1, le=9999, strict=True)


class GuardianSays(ShowCode):
    """A guardian's contact and code, and the child's account, which the child's app shows."""

    account_id: Id


class GuardianSaysAge(GuardianSays):
    """The age that a guardian says the child is of by now."""

    age: Age
