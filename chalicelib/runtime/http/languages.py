"""Which of our two languages a caller reads: ``Accept-Language`` with its weights (RFC 9110, section 12.5.4)."""

from __future__ import annotations

import re

from chalicelib.kernel import context

SERVED = {"zh": "zh-hans-cn", "en": "en"}
"""Our languages, and how the texts that we have are tagged in full."""
LONGEST_HEADER = 2000
"""What a browser sends has some fifty characters; the rest of a longer one is not read."""
_RANGE = re.compile(
    r"\s*(?P<range>\*|[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*(?P<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def language_of(accept_language: str | None) -> str:
    """Return ``zh`` or ``en``: the one with the higher weight, the first named among equals, else our default.

    A member that is not well-formed says nothing; a weight of 0 refuses. Who asks for what we do not have, or refuses
    both, gets the default: an answer in a language they did not ask for is better than none.
    """
    ranges = _ranges(accept_language or "")
    best, found = 0.0, ""
    for language in sorted(SERVED, key=lambda name: _first(name, ranges)):
        weight = _weight(language, ranges)
        if weight is not None and weight > best:
            best, found = weight, language
    if found:
        return found
    default = context.Context().language
    refused = {language for language in SERVED if _weight(language, ranges) == 0.0}
    left = [language for language in SERVED if language not in refused]
    return left[0] if default in refused and left else default


def _ranges(text: str) -> list[tuple[str, float]]:
    found = []
    for part in text[:LONGEST_HEADER].split(","):
        read = _RANGE.fullmatch(part)
        if read is not None:
            weight = read["q"]
            found.append((read["range"].lower().replace("_", "-"), 1.0 if weight is None else float(weight)))
    return found


def _weight(language: str, ranges: list[tuple[str, float]]) -> float | None:
    """Return what a language weighs, or None if nothing is said of it.

    The longest range that covers our texts decides (RFC 4647, section 3.4), so ``zh;q=0`` refuses them. Another variety
    of the language (``zh-TW``, ``en-GB``) is read by the same people: it asks for ours, but does not refuse it.
    """
    covering = [(name, weight) for name, weight in ranges if _covers(name, language)]
    varieties = [weight for name, weight in ranges if name.split("-")[0] == language and not _covers(name, language)]
    if covering:
        _, weight = max(covering, key=lambda entry: (len(entry[0]), entry[1]))
        return max([weight, *varieties]) if weight else 0.0
    if any(varieties):
        return max(varieties)
    others = [weight for name, weight in ranges if name == "*"]
    return max(others) if others else None


def _covers(name: str, language: str) -> bool:
    """Say whether a range means the texts that we have: ``zh``, ``zh-CN``, ``zh-Hans`` and ``zh-Hans-CN`` do."""
    full = SERVED[language]
    short = "-".join(part for part in full.split("-") if len(part) != 4)
    return any(tag == name or tag.startswith(f"{name}-") for tag in (full, short))


def _first(language: str, ranges: list[tuple[str, float]]) -> int:
    """Return where a language is named first; one that is only meant by ``*`` comes last, the default before others."""
    for at, (name, _) in enumerate(ranges):
        if name.split("-")[0] == language:
            return at
    return len(ranges) + (language != context.Context().language)
