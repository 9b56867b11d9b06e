"""Feedback: what people tell the platform, answered and closed; how they found each case; and the figures of both.

Owns the table feedback. Emits ``feedback.answered`` and ``satisfaction.asked``. Consumes ``complaint.closed`` and
``conversation.solved`` (to ask how it was, once a case), and the deadlines of its own records. Asks ``complaints`` and
``conversations`` whose a case is, and ``conversations`` for the figures that are public.
"""
