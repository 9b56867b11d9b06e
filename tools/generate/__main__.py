"""``python -m tools.generate`` writes every generated file; ``--check`` only compares."""

from __future__ import annotations

import sys

from tools.generate import pages

if __name__ == "__main__":
    sys.exit(pages.main())
