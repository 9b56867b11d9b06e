"""Takes ways to reach somebody elsewhere out of words that are said before anything is paid. Pure.

Whoever is led away from the shop loses what it protects: a payment that can be given back, a complaint, a record. Once
an order is paid, a phone number may be what a delivery needs: nothing is taken out.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
_WIDE: Final = (
    {0xFF10 + digit: 0x30 + digit for digit in range(10)}
    | {0xFF21 + letter: 0x41 + letter for letter in range(26)}
    | {0xFF41 + letter: 0x61 + letter for letter in range(26)}
    | {0xFF20: 0x40, 0xFF0E: 0x2E}
)
"""Full-width digits, letters and signs, to their plain ones: of the same length, so that places stay what they are."""
_WAYS: Final = re.compile(
    r"""
    [a-z0-9._%+-]{1,64} \s? @ \s? [a-z0-9-]+ (?:\.[a-z0-9-]+)+              # an e-mail address
    | (?:https?://|www\.) [^\s\u3000-\u303f\uff00-\uffef]+             # an address on the web
    | (?: 微\s?信 | 威\s?信 | 薇\s?信 | 加\s?[vV]\b | wechat | weixin | \b[vw]x\b | \bqq\b | 扣扣 | 企鹅号 )
      [^a-z0-9\n]{0,8} [a-z0-9_-]{5,24}                                # a name at WeChat or QQ
    | (?<![a-z0-9_]) (?!20\d\d-\d\d-\d\d(?!\d)) \+? \d (?: [\s().\-]? \d ){6,18} (?![a-z0-9_])    # a number to call
    """,
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return the words without numbers to call, e-mail and web addresses, and names at WeChat or QQ."""
    plain = text.translate(_WIDE)
    pieces, at = [], 0
    for found in _WAYS.finditer(plain):
        pieces += [text[at : found.start()], MASK]
        at = found.end()
    return "".join([*pieces, text[at:]])
