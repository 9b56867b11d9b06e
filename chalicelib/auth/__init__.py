"""Accounts, sign-in, sessions, roles and address books.

Owns the tables accounts, identities and sessions. Emits ``account.registered``, ``account.role_granted``,
``account.role_revoked``, ``device.shared`` and ``session.reused``. Consumes nothing. Asks ``merchants`` whether a
merchant exists when somebody becomes its staff.
"""
