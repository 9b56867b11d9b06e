"""Write or compare the client's types (``web/client/src/generated``), where Node and its packages are there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "web" / "client"


def main(arguments: list[str]) -> int:
    """Do it, or say why not: a machine without Node still checks all the rest."""
    npm = shutil.which("npm")
    if npm is None or not (CLIENT / "node_modules").is_dir():
        print("web/client: types not compared with docs/openapi.json (that takes Node, and `npm ci` in web/client)")
        return 0
    done = subprocess.run([npm, "run", "--silent", "generate", "--", *arguments], cwd=CLIENT, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
