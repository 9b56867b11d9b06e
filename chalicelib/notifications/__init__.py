"""Messages to people: one to each person and fact, from templates in Chinese and English.

They stand in an inbox, and are brought by e-mail or text message. Owns the tables messages and inboxes, and says what
is told to whom (``facts.FACTS``). Emits ``message.asked`` and consumes it: whoever wants something said writes the
message in the transaction of the fact, and the queue's function sends it. Other rooms call ``service.ask``; a fact that
has a row needs nothing of its room (``telling``).
"""
