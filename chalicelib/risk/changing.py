"""Rules change by two persons: one asks for a version, another one puts it in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.auth import service as auth
from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_s
from chalicelib.kernel.errors import NotFound
from chalicelib.risk import domain, rule_store
from chalicelib.risk.domain import Proposal, Rule
from chalicelib.risk.rule_store import InForce
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def in_force() -> InForce:
    """Return the rules as they are now, and what is asked for."""
    return rule_store.load()


def ask(rule_id: str, changes: dict[str, Any], reason: str, *, by: str, intent: Intent) -> tuple[Proposal, bool]:
    """Ask for another version of a rule; it takes the place of one that was asked for. Says whether this intent had.

    Raises:
        NotFound: if there is no such rule.
        BadRule: if it cannot be, or changes nothing.
        NotInShadow: if it would be put before people too early.
        IdempotencyKeyReused: if the key asked for something else.
    """

    def attempt() -> tuple[Proposal, bool]:
        found = rule_store.load()
        for known in found.proposals:
            if known.intent == intent.token:
                intent.check(known.fingerprint)
                return known, True
        wanted = _next(found, replace(found.rule(rule_id), **changes), clock.now())
        proposal = Proposal(wanted, reason, by, epoch_s(clock.now()), intent.token, intent.fingerprint)
        with UnitOfWork() as work:
            rule_store.save(work, replace(found, proposals=(*_others(found, rule_id), proposal)))
        return proposal, False

    return racing(attempt)


def approve(rule_id: str, version: int, *, by: str) -> Rule:
    """Put a version in force that another operator asked for. Again changes nothing.

    Raises:
        NotFound: if this version is not asked for.
        OwnApproval, AskerGone, KinApproval: if the caller is no second person.
        NotInShadow: if it would be put before people too early.
    """

    def attempt() -> Rule:
        found = rule_store.load()
        if found.rule(rule_id).version == version and version > 1:
            return found.rule(rule_id)
        proposal = _asked(found, rule_id, version)
        auth.check_second_person(asked_by=proposal.asked_by, by=by)
        now = clock.now()
        wanted = _next(found, replace(proposal.rule, version=found.rule(rule_id).version), now)
        rules = tuple(wanted if rule.rule_id == rule_id else rule for rule in found.rules)
        with UnitOfWork() as work:
            rule_store.save(
                work,
                replace(found, rules=rules, since={**found.since, rule_id: now}, proposals=_others(found, rule_id)),
            )
        log.info("rule put in force", rule=rule_id, version=wanted.version, mode=wanted.mode.value, by=by)
        return wanted

    return racing(attempt)


def reject(rule_id: str, version: int, *, by: str) -> None:
    """Drop what was asked for: another one refuses it, or who asked takes it back. Again changes nothing.

    Raises:
        NotFound: if there is no such rule.
    """

    def attempt() -> None:
        found = rule_store.load()
        found.rule(rule_id)
        if any(one.rule.rule_id == rule_id and one.rule.version == version for one in found.proposals):
            with UnitOfWork() as work:
                rule_store.save(work, replace(found, proposals=_others(found, rule_id)))
            log.info("rule rejected", rule=rule_id, version=version, by=by)

    racing(attempt)


def _next(found: InForce, wanted: Rule, now: datetime) -> Rule:
    return domain.succeeds(found.rule(wanted.rule_id), found.since.get(wanted.rule_id), wanted, now)


def _asked(found: InForce, rule_id: str, version: int) -> Proposal:
    for one in found.proposals:
        if one.rule.rule_id == rule_id and one.rule.version == version:
            return one
    raise NotFound(what="rule")


def _others(found: InForce, rule_id: str) -> tuple[Proposal, ...]:
    return tuple(one for one in found.proposals if one.rule.rule_id != rule_id)
