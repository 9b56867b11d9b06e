"""Whoever acts for the platform: checked at each call, never on their own affairs, and every act written down.

Owns the table audit. Emits and consumes nothing. Asks ``auth`` how an operator stands, and ``orders``, ``complaints``,
``logistics``, ``payments``, ``reconciliation`` and ``risk`` whose affair a record is.
"""
