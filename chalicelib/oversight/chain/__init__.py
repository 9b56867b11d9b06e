"""The chain behind the audit: each line is linked to the line before it, on its day and on each of its subjects.

Lines are written by the acts themselves, in their transactions. A job follows a minute behind them, links what is new,
and writes each batch of links where no function can change it again.
"""
