"""Messages to people: one to each person and fact, by e-mail or text message, from templates in Chinese and English.

Owns the table messages. Emits ``message.asked`` and consumes it: whoever wants something said writes the message in the
transaction of the fact, and the queue's function sends it. Other rooms call ``service.ask``.
"""
