"""``python -m tools.checks.coverage whole pure``: what the tests reached, and whether it is less than it was.

The floors stand in ``pyproject.toml`` and may rise. Lines and branches count together, as ``coverage`` adds them up.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tools.checks.pure import PURE
from tools.checks.version import ROOT

REACHES = {"whole": (), "pure": PURE, "fast": PURE}
"""Which files each floor is about, below ``chalicelib``; nothing: all of them."""


def floors() -> dict[str, float]:
    """Return the floors in per cent by name."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {name: float(percent) for name, percent in told["tool"]["biandan"]["coverage"].items()}


def report(name: str, floor: float) -> bool:
    """Print the files that are not reached as a whole; return whether the sum is above the floor."""
    command = [sys.executable, "-m", "coverage", "report", f"--fail-under={floor}"]
    included = ",".join(f"chalicelib/{pattern}" for pattern in REACHES[name])
    print(f"{name}: at least {floor} %")
    return subprocess.run([*command, *([f"--include={included}"] if included else [])], check=False).returncode == 0


def main() -> int:
    """Combine what the processes wrote, then hold each sum against its floor."""
    subprocess.run([sys.executable, "-m", "coverage", "combine", "--quiet"], check=True)
    low = [name for name in sys.argv[1:] if not report(name, floors()[name])]
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
