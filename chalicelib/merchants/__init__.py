"""Merchants: who sells here, and on what terms.

Owns the table merchants. Emits ``merchant.created``, ``merchant.changed``, ``merchant.suspended`` and
``merchant.reinstated``. Consumes nothing. Who works for a merchant is a role that ``auth`` keeps on the account.
"""
