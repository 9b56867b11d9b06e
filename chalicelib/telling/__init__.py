"""Facts become messages: each is told once to everybody it concerns.

Owns no table. Emits nothing. Consumes every fact of ``notifications.facts.FACTS``, and writes what it says into inboxes
and messages (``notifications``). Asks ``orders`` whose purchase it is, and ``auth`` who that is, who works for a
merchant, and how they are reached.
"""
