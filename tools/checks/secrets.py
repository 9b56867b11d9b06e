"""Looks for secrets in what is committed: ``make check``. Keys of a known form anywhere, random-looking text in code.

What is found and belongs there stands in ``secrets.toml`` with its reason: published vectors, the stand-ins' own keys.
An entry that finds nothing any more is refused, so that the list stays as short as it can be.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]
ALLOWED = Path(__file__).with_suffix(".toml")
CODE = ("chalicelib/", "infra/", "tools/", "app.py", ".chalice/")
GENERATED = (
    "docs/openapi.json",
    "chalicelib/site/openapi.json",
    "docs/releases/",
    "infra/constraints.txt",
    "infra/dev.json",
    "infra/prod.json",
)
"""Written from what is looked at anyway, and long."""
OF_KNOWN_FORM = (
    "AWSKeyDetector",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "NpmDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
    "StripeDetector",
)
"""What somebody who works here may have: of the library's 24 the others are services that nobody uses."""
RANDOM = ("Base64HighEntropyString", "HexHighEntropyString")
LIMITS = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
"""Shannon bits a character, as detect-secrets sets them."""
Found = tuple[str, str]
"""A file and the kind of what was found in it."""


def main() -> int:
    """Say what was found; 1 if anything."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    files = [name for name in listed.stdout.split("\0") if name and not name.startswith(GENERATED)]
    reasons = {(one["file"], one["kind"]): one["why"] for one in tomllib.loads(ALLOWED.read_text())["allowed"]}
    found = dict(look(files))
    for (file, kind), line in sorted(found.items()):
        if (file, kind) not in reasons:
            print(f"{file}:{line}: looks like a secret ({kind}); take it out, or give the reason in {ALLOWED.name}")
    for file, kind in sorted(reasons.keys() - found.keys()):
        print(f"{ALLOWED.name}: {file} has no {kind} any more; take the entry out")
    return int(found.keys() != reasons.keys())


def look(files: list[str]) -> Iterator[tuple[Found, int]]:
    """Yield each kind of secret of each file with the line of its first."""
    code = [file for file in files if file.startswith(CODE)]
    yield from _scan(files, [{"name": name} for name in OF_KNOWN_FORM])
    yield from _scan(code, [{"name": name, "limit": LIMITS[name]} for name in RANDOM])


def _scan(files: list[str], plugins: list[dict[str, object]]) -> Iterator[tuple[Found, int]]:
    with transient_settings({"plugins_used": plugins}):
        for file in files:
            first: dict[str, int] = {}
            for secret in scan_file(str(ROOT / file)):
                first.setdefault(secret.type, secret.line_number)
            yield from (((file, kind), line) for kind, line in first.items())


if __name__ == "__main__":
    sys.exit(main())
