"""Conversations: what a buyer, a merchant and the platform's service say to each other about one thing.

Owns the table conversations: threads with their words, figures of who answered how soon, canned answers. Emits
``conversation.unread``, ``conversation.called`` and ``conversation.solved``. Consumes the deadlines of its own records.
Asks ``orders``, ``catalog`` and ``complaints`` whose the thing is that is talked about; pictures are uploaded and kept
as those of complaints are.
"""
