"""What becomes of each metric that our code counts: it rings, or it is only drawn on the dashboard.

A test reads every ``metrics.count(...)`` of the code and wants each name here, once: whoever counts something new says
whether anybody must be woken by it. All of them are counted per installation, whichever function counts.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACE = "Biandan"


@dataclass(frozen=True, slots=True)
class Ringing:
    """A metric that rings: more than ``above`` of it within ``minutes``."""

    name: str
    """The alarm's."""
    means: str
    do: str
    above: int = 0
    minutes: int = 5


RINGING: dict[str, Ringing] = {
    "audit_broken": Ringing(
        "audit-broken",
        "A line of the audit is not what it was when it was sealed, or is gone: somebody changed the table.",
        "the log of the function `audit-seal` names the line; `make audit STAGE=...` finds all there is (audit.md)",
    ),
    "audit_lines_late": Ringing(
        "audit-lines-late",
        "Lines of the audit were found only when their day was closed: they came more than a minute after their act.",
        "`make audit STAGE=...` names them: a tool that worked long, a clock that is wrong, or lines put in by hand",
    ),
    "balances_behind": Ringing(
        "balances-late",
        "Balances are a quarter of an hour behind the ledger: what operators read of accounts is old.",
        "the log of the function `balances` says what stops it; nothing is lost: once it runs, it goes on where it was."
        " Each answer says up to when it is exact (`as_of`)",
    ),
    "ledger_entries_late": Ringing(
        "ledger-entries-late",
        "Entries became visible only when the balances' first reader had passed them. They are counted by now; "
        "balances that were read in between lacked them.",
        "once in a while: nothing. Often: transactions take long, or the index `written` of the ledger is late: see "
        "the dashboard and AWS's own status",
    ),
    "refunds_stuck": Ringing(
        "refund-stuck",
        "A provider refused a refund, or answered what no program may decide: the buyer waits for money.",
        "`GET /v1/operator/payments?status=refund_failed` (and `refund_abnormal`): ask again, try again, "
        "send it to another card, or pay it by hand",
    ),
    "refunds_owed": Ringing(
        "refund-owed",
        "A provider says for good that it will not pay a refund back: we owe it.",
        "`GET /v1/operator/payments?status=refund_owed`: pay it by hand; the ledger holds it as owed until then",
    ),
    "refunds_short": Ringing(
        "refund-short",
        "Our balance at a provider does not cover a refund; it is tried again by itself.",
        "put money into the balance there, or let captures fill it",
    ),
    "refunds_bounced": Ringing(
        "refund-came-back",
        "A refund that had succeeded came back: the buyer's card or account is closed.",
        "as for a refund that is stuck; ask the buyer where to send it",
    ),
    "payments_quarantined": Ringing(
        "payment-quarantined",
        "A provider says of a payment what cannot be (amount, currency, order): it was kept apart.",
        "`GET /v1/operator/payments?status=quarantined`: compare it with the provider's own page, then resolve it",
    ),
    "payments_unclear_at_expiry": Ringing(
        "payment-unclear-at-expiry",
        "The time of purchases is over and nobody knows whether they were paid: their stock stays held.",
        "see whether the provider is down; the question is asked again by itself",
        above=5,
        minutes=15,
    ),
    "providers_silent_at_expiry": Ringing(
        "provider-silent-at-expiry",
        "A provider does not say what became of payments whose time is over: their stock stays held.",
        "look at the provider's status page and at its secret; once it answers, all goes on by itself",
    ),
    "money_in_suspense": Ringing(
        "money-in-suspense",
        "Money came under a number that is none of ours: see the list of suspense.",
        "`GET /v1/operator/payments?status=suspense`: find whose it is, or send it back (payments.md)",
    ),
    "notices_unknown_key": Ringing(
        "payment-key-unknown",
        "Notices come under a key we do not hold: refresh the provider's keys, or configure the new one.",
        "keys that can be fetched are, every hour; put one that cannot into the provider's secret. "
        "Such notices are refused, and told again",
    ),
    "payment_keys_failed": Ringing(
        "payment-keys-failed",
        "A provider's keys could not be fetched or kept: what we hold will end.",
        "the function's log says why; its secret `biandan/<stage>/payments-<provider>-fetched` must exist",
    ),
    "notices_forged": Ringing(
        "notices-forged",
        "Many notices with a wrong signature: somebody forges, or the secret we hold is not the provider's.",
        "compare the secret with the provider's page; while it is wrong, payments are found by asking, later",
        above=10,
        minutes=15,
    ),
    "bills_missing": Ringing(
        "bill-missing",
        "A provider's bill of a day did not come, however often it was asked for: that day is not reconciled.",
        "download it there and give it to `tools.operate.reconcile` (reconciliation.md)",
    ),
    "cases_escalated": Ringing(
        "case-escalated",
        "Nobody acted on a case of reconciliation in its time.",
        "`GET /v1/operator/cases`: money of ours and of the provider's differ",
    ),
    "deadlines_parked": Ringing(
        "deadline-parked",
        "What is due was refused for good and taken off the clock: nothing happens to it by itself any more.",
        "its case and the log line say why; mend the cause, then resolve the case as corrected: it is tried again",
    ),
    "unknown_deadlines": Ringing(
        "deadline-unknown",
        "Something is due of a kind that this release does not know.",
        "for minutes during a release: nothing; else a newer release was taken back: deploy it again",
        above=20,
        minutes=30,
    ),
    "changes_laid_aside": Ringing(
        "changes-laid-aside",
        "The relay could not read a change and laid it aside in the bucket: mend the cause, then replay it.",
        "usually an event type of a release that was taken back: deploy the release that knows it, then "
        "`make replay STAGE=...`; nothing behind the change waits meanwhile",
    ),
    "complaints_missed_by_platform": Ringing(
        "complaint-refund-late",
        "The refund of a decided complaint is not done after days.",
        "look the complaint's refund up under `GET /v1/operator/payments`",
    ),
    "complaints_missed_by_operator": Ringing(
        "complaint-late",
        "An operator let the time for deciding a complaint go by.",
        "`GET /v1/operator/complaints`: decide it; the law names the days",
    ),
    "returns_missed_by_operator": Ringing(
        "return-late",
        "An operator let the time for deciding about a return go by.",
        "`GET /v1/operator/returns`: decide it; the buyer waits for goods or money",
    ),
    "returns_missed_by_platform": Ringing(
        "return-refund-late",
        "The refund of a return is not done after days.",
        "look the return's refund up under `GET /v1/operator/payments`",
    ),
    "conversations_overdue": Ringing(
        "conversation-unanswered",
        "A conversation waited for the service for a day: nobody took it.",
        "`GET /v1/operator/conversations?queue=...`: take it; it rings each day until somebody does",
    ),
    "feedback_overdue": Ringing(
        "feedback-unanswered",
        "Somebody told the platform something, and nobody sorted or answered it in time.",
        "`GET /v1/operator/feedback?status=new` (and `sorted`): answer it; it rings again until somebody does",
    ),
    "tracking_subscription_refused": Ringing(
        "tracking-refused",
        "A hub refuses for good to watch parcels: orders will not see their delivery.",
        "the log line has the hub's code: a wrong key, an empty account, or a carrier it does not know",
    ),
    "weak_secrets": Ringing(
        "secret-weak",
        "A function found a secret that is empty, a default, or known to all, and left its provider out.",
        "`make secrets ARGS=--check` says which; replace it",
    ),
    "sign_ins_refused": Ringing(
        "sign-ins-refused",
        "Very many wrong passwords: somebody tries them out.",
        "accounts and networks are limited by themselves; switch the firewall on (What bounds a flood)",
        above=500,
    ),
    "second_steps_refused": Ringing(
        "second-steps-refused",
        "Codes of authenticator apps are wrong by the dozen: somebody has passwords and guesses what comes after them.",
        "each challenge takes five tries, each account is throttled. Find in the log whose they are; end their "
        "sessions and have their passwords changed",
        above=60,
    ),
    "keys_refused": Ringing(
        "keys-refused",
        "Very many keys that open nothing: somebody guesses, or a merchant's system goes on with one that ran out.",
        "nobody guesses 160 bits, and a network's guesses are limited by themselves; the log's `request refused` with "
        "the code `bad_key` says how it looks. Tell the merchant whose key ran out or was revoked",
        above=500,
    ),
    "keys_elsewhere": Ringing(
        "keys-elsewhere",
        "A good key came from a network that its merchant did not name: it leaked, or their system moved.",
        "the log line `key from elsewhere` has key and merchant: ask them; an owner revokes it "
        "(`DELETE /v1/merchant/keys/{key_id}`) or makes another",
    ),
    "foreign_sign_in_tokens": Ringing(
        "sign-in-foreign",
        "A token of another app at QQ came where only ours can: the app's settings are mixed up, or somebody tries.",
        "nobody was signed in by it; compare `appid` in the secret `sign-in-qq` with the app at QQ",
    ),
    "external_sign_ins_refused": Ringing(
        "sign-ins-refused-elsewhere",
        "Very many codes that QQ or WeChat refuse: somebody tries codes out, or our app there is set up wrongly.",
        "the log line `sign-in refused` has the platform's number; networks and accounts are limited by themselves",
        above=500,
    ),
    "messages_failed": Ringing(
        "message-failed",
        "A carrier refuses messages for something that only we can mend: nobody gets codes by it.",
        "the log line `message told` has the carrier's code: an empty account, a template or a name that is not "
        "approved, a wrong key, or no channel set up (BIANDAN_EMAIL, BIANDAN_SMS)",
    ),
    "risk_reviews_lapsed": Ringing(
        "risk-review-late",
        "Nobody looked in time at what a rule found, or at a person's objection: it counts for nothing now.",
        "`GET /v1/operator/risk/reviews`: look at those that wait; a rule that finds too much goes back into shadow",
    ),
    "webhooks_ended": Ringing(
        "webhooks-ended",
        "Endpoints of several merchants took nothing for days: it may be us, not them.",
        "the log line `webhook told` has what came back; `unreachable` for all of them is our way out to the internet",
        above=5,
    ),
    "tokens_forged": Ringing(
        "tokens-forged",
        "Access tokens come whose signature is not ours: somebody makes tokens up, or a key went too early.",
        "after a change of keys: put the one before back until its tokens are over. Else nobody got in by them",
        above=50,
        minutes=15,
    ),
    "sessions_reused": Ringing(
        "refresh-tokens-reused",
        "Refresh tokens were used again after their time by the dozen: somebody copies sessions.",
        "each such session is over for everybody who holds it: find in the log whose they are and from where",
        above=20,
        minutes=15,
    ),
    "published_stale": Ringing(
        "published-stale",
        "The nightly check found published files that were not what the tables say, and mended those it looked at.",
        "it looks at a sample: `make republish STAGE=...` mends all; then look for dead letters of `publishing`",
    ),
}
"""Metric -> its alarm."""

DRAWN: dict[str, tuple[str, ...]] = {
    # Title on the dashboard -> metrics. Why nobody is woken by them: they are what a shop does every day, or another
    # alarm rings when they matter (5xx, dead letters, a late relay, a late queue).
    "Sales": (
        "purchases_placed",
        "purchases_expired",
        "payments_captured",
        "payments_late_honoured",
        "payments_surplus",
        "orders_cancelled",
        "deadlines_put_off",
        "out_of_stock",
    ),
    "Personal data": ("archives_made", "archives_failed", "erasures_done", "erasures_held"),
    "Webhooks": ("webhooks_delivered", "webhooks_refused"),
    "Risk": ("risk_found_in_shadow", "risk_reviews_opened", "requests_limited"),
    "Refunds and disputes": (
        "refunds_succeeded",
        "refunds_paid_offline",
        "disputes_lost",
        "disputes_moved",
        "complaints_missed_by_merchant",
        "complaints_missed_by_buyer",
        "complaints_missed_by_nobody",
        "complaints_decided_by_clock",
        "returns_missed_by_buyer",
        "returns_missed_by_carrier",
        "returns_missed_by_merchant",
        "returns_missed_by_nobody",
        "returns_replacement_sold_out",
    ),
    "Notices and bills": (
        "payments_checked",
        "notices_foreign",
        "notices_refused",
        "notices_unknown_event",
        "cases_opened",
        "reconciliation_cases",
        "ledger_entries_counted",
    ),
    "People": (
        "accounts_registered",
        "challenges_asked",
        "codes_sent",
        "codes_refused",
        "contacts_changed",
        "contacts_taken_back",
        "second_factors_added",
        "passkeys_added",
        "passkeys_copied",
        "passkeys_removed",
        "second_factors_removed",
        "own_affairs",
        "refused",
    ),
    "Messages": (
        "messages_sent",
        "facts_told",
        "messages_passed_on",
        "messages_limited",
        "messages_refused",
        "messages_put_back",
        "messages_unclear",
    ),
    "Parcels": (
        "tracking_asked",
        "orders_due_to_ship",
        "orders_shipped_late",
        "parcels_lost",
        "tracking_aborted",
        "pushes_refused",
        "tracking_foreign_hubs",
        "tracking_foreign_numbers",
        "tracking_numbers_contested",
        "tracking_numbers_in_use_before",
        "tracking_questions_spent",
        "tracking_subscription_later",
        "tracking_subscription_unserved",
    ),
    "Times of services": ("bookings_redeemed", "bookings_missed"),
    "Virtual goods": ("pools_ran_low", "virtual_missed"),
    "Published files": ("files_published", "files_swept", "published_checked"),
    "Audit": ("audit_lines_sealed",),
    "Work that came again": (
        "lost_races",
        "dynamodb_retries",
        "aws_retries",
        "consumer_failures",
        "messages_put_off",
        "dead_letters",
        "unknown_events",
        "unhandled_errors",
        "api_faults",  # By version it rings (infra/alarms.py).
        "events_relayed",
        "relay_failures",
        "changes_not_understood",
    ),
}
"""What is only drawn, by the graph it stands in."""
