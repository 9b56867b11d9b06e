"""Who may do what, on one page: each operation (as the API's document names it) and its rule.

Every route reads its line when it is declared, and none can be declared without one; ``docs/policy.md`` shows them all.
What a line says is enforced in one place, ``runtime.http.app``, before the route is entered: who calls, at which post
or desk, with which proof, whether by a key. Whose record it is, the use case compares; who the second person may be,
``kernel.second_person``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.kernel.policy import Rule, Second, anybody, buyer, guest, operator, provider, signed_in, staff
from chalicelib.kernel.roles import Desk, Post

ANY_POST: Final = frozenset(Post)
OWNERS: Final = frozenset({Post.OWNER})
SELLERS: Final = frozenset({Post.OWNER, Post.MANAGER})
"""Who decides on goods, buyers and money that goes back."""
SHIPPERS: Final = frozenset({*SELLERS, Post.CLERK})
"""Who has goods in their hands."""

JUST_PROVED: Final = timedelta(minutes=10)
"""Long enough to go to another page and come back."""

PROVED: Final = timedelta(minutes=5)
"""What a thief of a session would do first takes a proof of a moment ago."""

ANY_DESK: Final = frozenset(Desk)
ADMINS: Final = frozenset({Desk.ADMIN})
SUPPORT: Final = frozenset({Desk.SUPPORT})
REVIEW: Final = frozenset({Desk.REVIEW})
FINANCE: Final = frozenset({Desk.FINANCE})

FRESH: Final = timedelta(minutes=5)
"""What changes how somebody proves who they are wants them to have just done so."""

TABLE: Final[dict[str, Rule]] = {
    # accounts, sign-in, sessions
    "add_address": signed_in(),
    "add_passkey": signed_in(fresh=JUST_PROVED),
    "begin_passkey": signed_in(fresh=JUST_PROVED),
    "begin_passkey_proof": signed_in(),
    "begin_passkey_sign_in": anybody(),
    "begin_totp": signed_in(fresh=FRESH),
    "change_me": signed_in(),
    "confirm_totp": signed_in(fresh=FRESH),
    "delete_address": signed_in(),
    "finish_sign_in": anybody(),
    "get_address": signed_in(),
    "get_factors": signed_in(),
    "get_me": signed_in(),
    "get_signing_keys": anybody(),
    "list_addresses": signed_in(),
    "list_passkeys": signed_in(),
    "list_sessions": signed_in(),
    "prove_by_passkey": signed_in(),
    "prove_by_password": signed_in(),
    "prove_by_totp": signed_in(),
    "put_address": signed_in(),
    "refresh_session": anybody(),
    "register": anybody(),
    "remove_passkey": signed_in(fresh=JUST_PROVED),
    "remove_totp": signed_in(fresh=FRESH),
    "rename_passkey": signed_in(),
    "renew_recovery_codes": signed_in(fresh=FRESH),
    "revoke_session": signed_in(),
    "sign_in": anybody(),
    "sign_in_by_passkey": anybody(),
    "sign_out": signed_in(),
    "sign_out_everywhere": signed_in(),
    # codes and passwords
    "change_contact": signed_in(fresh=JUST_PROVED),
    "change_password": signed_in(fresh=JUST_PROVED),
    "prove_by_code": signed_in(),
    "reset_password": anybody(),
    "send_code": anybody(),
    "sign_in_by_code": anybody(),
    "take_back_contact": anybody(),
    "verify_contact": signed_in(fresh=JUST_PROVED),
    # personal data
    "list_purposes": anybody(),
    "list_consents": signed_in(),
    "give_consent": signed_in(),
    "withdraw_consent": signed_in(),
    "drop_archive": signed_in(),
    "agree_as_guardian": signed_in(),
    "erase_as_guardian": anybody(),
    "get_age": signed_in(),
    "get_childrens_rules": anybody(),
    "say_age": signed_in(),
    "say_age_as_guardian": anybody(),
    "withdraw_as_guardian": anybody(),
    "get_archive": signed_in(),
    "get_erasure": signed_in(),
    "list_disclosures": signed_in(),
    "link_archive": signed_in(fresh=JUST_PROVED),
    "request_archive": signed_in(fresh=JUST_PROVED),
    "request_erasure": signed_in(fresh=JUST_PROVED),
    "withdraw_erasure": signed_in(),
    # messages
    "choose_message_preferences": signed_in(),
    "count_unread": signed_in(),
    "get_message_preferences": signed_in(),
    "list_inbox": signed_in(),
    "read_all_messages": signed_in(),
    "read_message": signed_in(),
    "list_subscribable": anybody(),
    "subscribe": signed_in(),
    # sign-in elsewhere
    "begin_proving": signed_in(),
    "begin_linking": signed_in(fresh=JUST_PROVED),
    "begin_web_sign_in": anybody(),
    "complete_web_sign_in": anybody(),
    "link_mini_identity": signed_in(fresh=JUST_PROVED),
    "link_proved_identity": signed_in(fresh=JUST_PROVED),
    "link_web_identity": signed_in(fresh=JUST_PROVED),
    "list_identities": signed_in(),
    "prove_elsewhere": signed_in(),
    "sign_in_apart": anybody(),
    "sign_in_by_mini_program": anybody(),
    "tell_mini_data": signed_in(),
    "unlink_identity": signed_in(fresh=JUST_PROVED),
    # roles
    "approve_role": operator(ADMINS, second=Second.DECIDES),
    "ask_role": operator(ADMINS, second=Second.ASKS),
    "get_role_request": operator(ADMINS),
    "grant_role": operator(ADMINS, second=Second.ABOVE_LIMIT),
    "list_role_requests": operator(ADMINS),
    "reject_role": operator(ADMINS, second=Second.TAKES_BACK),
    "revoke_role": operator(ADMINS),
    # a merchant's people and keys
    "accept_invitation": signed_in(),
    "dismiss_person": staff(OWNERS, while_suspended=True),  # Who should not be in must be let out at any time.
    "invite_person": staff(OWNERS, fresh=PROVED),
    "leave_post": signed_in(),
    "list_keys": staff(OWNERS),
    "list_staff": staff(OWNERS),
    "make_key": staff(OWNERS, fresh=PROVED),
    "move_person": staff(OWNERS, fresh=PROVED),
    "revoke_key": staff(OWNERS, while_suspended=True),  # What leaked must be closed at any time.
    "rotate_key": staff(OWNERS, fresh=PROVED),
    "take_back_invitation": staff(OWNERS, while_suspended=True),
    # webhooks to a merchant's own systems
    "list_deliveries": staff(OWNERS),
    "list_webhooks": staff(OWNERS),
    "make_webhook": staff(OWNERS, fresh=PROVED),
    "remove_webhook": staff(OWNERS, while_suspended=True),  # What leaks must be closed at any time.
    "replay_delivery": staff(OWNERS),
    "replay_failed": staff(OWNERS),
    "rotate_webhook": staff(OWNERS, fresh=PROVED),
    "set_webhook": staff(OWNERS, fresh=PROVED),
    "test_webhook": staff(OWNERS),
    # oversight
    "list_audit": operator(ADMINS),
    # explanations
    "explain_account": operator(SUPPORT | REVIEW),
    "explain_order": operator(ANY_DESK),
    # merchants
    "change_merchant": operator(REVIEW),
    "change_profile": staff(SELLERS),
    "create_merchant": operator(REVIEW),
    "get_merchant": anybody(),
    "get_merchant_as_operator": operator(ANY_DESK),
    "get_profile": staff(ANY_POST, scope="profile:read"),
    # catalog
    "change_product": staff(SELLERS, scope="products:write"),
    "create_product": staff(SELLERS, scope="products:write"),
    "get_own_product": staff(ANY_POST, scope="products:read"),
    "get_product": anybody(),
    "list_categories": anybody(),
    "list_own_products": staff(ANY_POST, scope="products:read"),
    "list_product": staff(SELLERS, scope="products:write"),
    "list_products": anybody(),
    "search_products": anybody(),
    "set_categories": operator(REVIEW),
    "unlist_product": staff(SELLERS, scope="products:write"),
    # stock
    "get_stock": staff(ANY_POST, scope="stock:read"),
    "list_movements": staff(ANY_POST, scope="stock:read"),
    "receive_stock": staff(SHIPPERS, scope="stock:write"),
    "set_buckets": staff(SELLERS, scope="stock:write"),
    "write_off_stock": staff(SHIPPERS, scope="stock:write"),
    # files of products
    "begin_export": staff(ANY_POST, scope="products:read", while_suspended=True),  # Reads its own goods into a file.
    "begin_import": staff(SELLERS, scope="products:write"),
    "get_export": staff(ANY_POST, scope="products:read"),
    "get_import": staff(SELLERS, scope="products:read"),
    "import_file": staff(SELLERS, scope="products:write"),
    "list_imports": staff(SELLERS, scope="products:read"),
    "list_refusals": staff(SELLERS, scope="products:read"),
    "start_import": staff(SELLERS, scope="products:write"),
    # carts, checkout
    "ask_quote": buyer(),
    "cancel_order": buyer(),
    "cancel_purchase": buyer(),
    "change_address": buyer(),
    "change_cart": guest(),
    "end_waiting": buyer(),
    "get_cart": guest(),
    "merge_cart": buyer(),
    "place_purchase": buyer(),
    "remove_cart_line": guest(),
    "set_cart_line": guest(),
    # orders
    "ask_address": staff(SHIPPERS, while_suspended=True),  # Buyers paid for these.
    "cancel_merchant_order": staff(SELLERS, while_suspended=True),  # What cannot be shipped is paid back.
    "confirm_receipt": buyer(),
    "get_merchant_order": staff(ANY_POST, scope="orders:read"),
    "get_operator_order": operator(ANY_DESK),
    "get_operator_purchase": operator(ANY_DESK),
    "get_order": buyer(),
    "get_purchase": buyer(),
    "get_purchase_status": buyer(),
    "list_merchant_orders": staff(ANY_POST, scope="orders:read"),
    "list_orders": buyer(),
    "reveal_contact": operator(SUPPORT | REVIEW),
    # payments
    "check_payment": buyer(),
    "get_payment": buyer(),
    "get_payment_records": operator(ANY_DESK),
    "get_story": operator(ANY_DESK),
    "list_booked": operator(FINANCE),
    "list_payment_methods": anybody(),
    "list_payments": buyer(),
    "list_waiting": operator(FINANCE | SUPPORT),
    "query_payment": operator(FINANCE | SUPPORT),
    "start_payment": buyer(),
    "take_notice": provider(),
    # refunds
    "approve_refund": operator(FINANCE, second=Second.DECIDES),
    "ask_paid_offline_approval": operator(FINANCE, second=Second.ASKS),
    "ask_refund_approval": operator(FINANCE, second=Second.ASKS),
    "ask_to_card_approval": operator(FINANCE, second=Second.ASKS),
    "note_paid_offline": operator(FINANCE, second=Second.ABOVE_LIMIT),
    "query_refund": operator(FINANCE | SUPPORT),
    "reject_refund": operator(FINANCE, second=Second.TAKES_BACK),
    "request_refund": operator(FINANCE, second=Second.ABOVE_LIMIT),
    "retry_refund": operator(FINANCE),
    "send_refund_to_card": operator(FINANCE, second=Second.ABOVE_LIMIT),
    "take_refund_offline": operator(FINANCE),
    # money that fits nothing
    "get_stray": operator(FINANCE),
    "resolve_quarantined": operator(FINANCE),
    "settle_stray": operator(FINANCE, second=Second.ABOVE_LIMIT),
    # the books
    "begin_reconciliation": operator(FINANCE),
    "get_account_days": operator(FINANCE),
    "get_balances": operator(FINANCE),
    "get_case": operator(FINANCE | SUPPORT),
    "get_ledger": operator(FINANCE),
    "get_reconciliation": operator(FINANCE),
    "get_reconciliation_report": operator(FINANCE),
    "list_cases": operator(FINANCE | SUPPORT),
    "list_reconciliation_lines": operator(FINANCE),
    "list_reconciliations": operator(FINANCE),
    "resolve_case": operator(FINANCE),
    # parcels
    "confirm_parcel": buyer(),
    "correct_number": staff(SHIPPERS, scope="orders:ship", while_suspended=True),  # Part of shipping.
    "follow_order": buyer(),
    "follow_parcel": anybody(),
    "kdniao_push": provider(),
    "kuaidi100_push": provider(),
    "link_parcel": buyer(),
    "list_carriers": anybody(),
    "list_merchant_shipments": staff(ANY_POST, scope="orders:read"),
    "draw_waybill": staff(SHIPPERS, scope="orders:ship", while_suspended=True),
    "recognise_carrier": staff(SHIPPERS, scope="orders:ship"),
    "read_number": operator(SUPPORT | REVIEW),
    "release_number": operator(SUPPORT | REVIEW),
    "report_lost": staff(SHIPPERS, scope="orders:ship", while_suspended=True),  # It only helps the buyer.
    "settle_parcel": operator(SUPPORT | REVIEW),
    "ship_order": staff(SHIPPERS, scope="orders:ship", while_suspended=True),  # Buyers paid for these.
    "weigh_shipments": operator(SUPPORT | REVIEW),
    # times of services
    "book_slot": buyer(),
    "cancel_booking": buyer(),
    "decline_booking": staff(SHIPPERS, while_suspended=True),  # Who cannot come must hear of it at any time.
    "list_bookings": buyer(),
    "list_merchant_bookings": staff(ANY_POST, scope="orders:read"),
    "list_own_slots": staff(ANY_POST, scope="products:read"),
    "list_slots": anybody(),
    "move_booking": buyer(),
    "offer_slots": staff(SELLERS, scope="products:write"),
    "redeem_code": staff(SHIPPERS, scope="orders:ship", while_suspended=True),  # Buyers paid for these.
    # virtual goods
    "confirm_virtual": buyer(),
    "deliver_virtual": staff(SHIPPERS, scope="orders:ship", while_suspended=True),  # Buyers paid for these.
    "get_merchant_virtual": staff(ANY_POST, scope="orders:read"),
    "get_pool": staff(ANY_POST, scope="stock:read"),
    "get_promise": anybody(),
    "get_virtual": buyer(),
    "list_owed": staff(ANY_POST, scope="orders:read"),
    "list_pools": staff(ANY_POST, scope="stock:read"),
    "look_at_virtual": buyer(),
    "put_pool": staff(SELLERS, scope="stock:write"),
    "upload_codes": staff(SHIPPERS, scope="stock:write", while_suspended=True),  # As above: some of them are owed.
    "upload_virtual_file": staff(SHIPPERS, scope="orders:ship", while_suspended=True),
    "withdraw_codes": staff(SELLERS, scope="stock:write"),
    # made to order
    "accept_offer": buyer(),
    "ask_for_something": buyer(),
    "decline_request": staff(SELLERS, while_suspended=True),  # Nobody waits for what will not be made.
    "get_merchant_request": staff(ANY_POST, scope="orders:read"),
    "get_merchant_request_file": staff(ANY_POST, scope="orders:read"),
    "get_request": buyer(),
    "get_request_file": buyer(),
    "list_merchant_requests": staff(ANY_POST, scope="orders:read"),
    "list_requests": buyer(),
    "make_offer": staff(SELLERS),
    "quote_request": buyer(),
    "say_in_merchant_request": staff(SELLERS, while_suspended=True),
    "say_in_request": buyer(),
    "withdraw_request": buyer(),
    # complaints
    "accept_answer": buyer(),
    # The buyer's complaint does not wait for the sanction's end.
    "appeal_as_merchant": staff(SELLERS, while_suspended=True),
    "appeal_complaint": buyer(),
    "ask_for_person": buyer(),
    "ask_for_person_as_merchant": staff(SELLERS, while_suspended=True),
    "ask_in_complaint": operator(REVIEW),
    "bundle_complaint": operator(REVIEW),
    "decide_complaint": operator(REVIEW, second=Second.ABOVE_LIMIT),
    "escalate_complaint": buyer(),
    "file_complaint": buyer(),
    "get_complaint": buyer(),
    "get_complaint_bundle": buyer(),
    "get_complaint_evidence": buyer(),
    "get_merchant_complaint": staff(ANY_POST, scope="complaints:read"),
    "get_merchant_complaint_evidence": staff(ANY_POST, scope="complaints:read"),
    "get_operator_complaint": operator(REVIEW | SUPPORT),
    "get_operator_complaint_evidence": operator(REVIEW | SUPPORT),
    "list_complaints": buyer(),
    "list_merchant_complaints": staff(ANY_POST, scope="complaints:read"),
    "list_operator_complaints": operator(REVIEW | SUPPORT),
    "reply_to_complaint": staff(SELLERS, while_suspended=True),
    "reopen_complaint": buyer(),
    "state_in_complaint": buyer(),
    "upload_evidence": signed_in(),
    "withdraw_complaint": buyer(),
    # goods that go back
    "accept_inspection": buyer(),
    "approve_return": staff(SELLERS, while_suspended=True),  # The buyer's goods do not wait for the sanction's end.
    "ask_return": buyer(),
    "decide_return": operator(REVIEW),
    "escalate_return": buyer(),
    "get_merchant_return": staff(ANY_POST, scope="returns:read"),
    "get_operator_return": operator(REVIEW | SUPPORT),
    "get_return": buyer(),
    "inspect_return": staff(SHIPPERS, while_suspended=True),
    "leave_return": staff(SELLERS, while_suspended=True),
    "list_merchant_returns": staff(ANY_POST, scope="returns:read"),
    "list_operator_returns": operator(REVIEW | SUPPORT),
    "list_returns": buyer(),
    "preview_return": buyer(),
    "refuse_return": staff(SELLERS, while_suspended=True),
    "send_replacement": staff(SHIPPERS, while_suspended=True),
    "send_return": buyer(),
    "withdraw_return": buyer(),
    # conversations
    "begin_conversation": buyer(),
    "begin_merchant_conversation": staff(SHIPPERS, while_suspended=True),  # Buyers wait for an answer.
    "call_service": buyer(),
    "call_service_as_merchant": staff(SHIPPERS, while_suspended=True),  # As above.
    "get_conversation": buyer(),
    "get_merchant_answers": staff(ANY_POST),
    "get_merchant_conversation": staff(ANY_POST),
    "get_merchant_figures": staff(ANY_POST),
    "get_merchant_picture": staff(ANY_POST),
    "get_operator_answers": operator(SUPPORT),
    "get_operator_conversation": operator(SUPPORT | REVIEW),
    "get_operator_figures": operator(SUPPORT | REVIEW),
    "get_operator_picture": operator(SUPPORT | REVIEW),
    "get_picture": buyer(),
    "list_conversations": buyer(),
    "list_merchant_conversations": staff(ANY_POST),
    "list_operator_conversations": operator(SUPPORT | REVIEW),
    "read_as_merchant": staff(SHIPPERS, while_suspended=True),  # As above.
    "read_as_service": operator(SUPPORT),
    "read_conversation": buyer(),
    "say_as_merchant": staff(SHIPPERS, while_suspended=True),  # As above.
    "say_as_service": operator(SUPPORT),
    "say_in_conversation": buyer(),
    "set_merchant_answers": staff(SELLERS),
    "set_operator_answers": operator(SUPPORT),
    "solve_as_merchant": staff(SHIPPERS, while_suspended=True),  # As above.
    "solve_as_service": operator(SUPPORT),
    "solve_conversation": buyer(),
    "take_conversation": operator(SUPPORT),
    "transfer_conversation": operator(SUPPORT),
    # feedback
    "answer_feedback": operator(SUPPORT),
    "answer_survey": signed_in(),
    "close_feedback": signed_in(),
    "get_feedback": operator(SUPPORT),
    "get_merchant_service_figures": anybody(),
    "get_my_feedback": signed_in(),
    "get_service_figures": anybody(),
    "list_feedback": operator(SUPPORT),
    "list_my_feedback": signed_in(),
    "list_surveys": signed_in(),
    "object_to_answer": signed_in(),
    "sort_feedback": operator(SUPPORT),
    "tell_platform": signed_in(),
    # personal data
    "get_privacy_notice": anybody(),
    "privacy_page": anybody(),
    # abuse and risk
    "appeal_review": signed_in(),
    "approve_rule": operator(ADMINS, second=Second.DECIDES),
    "ask_rule": operator(ADMINS, second=Second.ASKS),
    "claim_review": operator(REVIEW),
    "decide_review": operator(REVIEW),
    "get_review": operator(REVIEW),
    "list_my_reviews": signed_in(),
    "list_reviews": operator(REVIEW),
    "list_rules": operator(REVIEW),
    "reject_rule": operator(ADMINS, second=Second.TAKES_BACK),
    # documents
    "docs_page": anybody(),
    "openapi_document": anybody(),
}

WRITTEN_DOWN: Final = frozenset(
    {
        "accept_invitation",
        "cancel_merchant_order",
        "dismiss_person",
        "leave_post",
        "make_key",
        "move_person",
        "revoke_key",
        "rotate_key",
    }
)
"""What the audit has beside all that operators do: who may act for a merchant, and what its people call off. An
invitation gives nothing until it is accepted."""

SCOPES: Final = tuple(sorted({rule.scope for rule in TABLE.values() if rule.scope}))
"""What a merchant's key can be allowed."""
