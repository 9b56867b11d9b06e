"""``make web``: build every face that is there, again only where something changed that it is made of.

Each folder under ``web/`` has its own packages and lock file. They are installed as the lock says, without running
anything of theirs; what is built lies in ``web/<face>/dist``, and beside it stands of which sources.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
STAMPS = ROOT / ".build" / "web"
NODE = (20, 19)
MADE = {"node_modules", "dist", ".vite", "unpackage"}
"""Folders that are made here and so no source."""
SHARED = ("client",)
"""What faces are built from beside their own folder."""
Say = Callable[[str], None]


class Missing(Exception):
    """What a machine lacks to build faces; the text says what to do."""


def say(text: str) -> None:
    """Print at once, for whoever waits."""
    print(text, flush=True)


def npm() -> str:
    """Return npm.

    Raises:
        Missing: without Node, or with one that is too old.
    """
    found, node = shutil.which("npm"), shutil.which("node")
    if found is None or node is None:
        raise Missing("Node is not here: install Node 20.19 or newer, with npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = re.match(r"v(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < NODE:
        raise Missing(f"Node {version} is too old: install 20.19 or newer")
    return found


def folders() -> list[Path]:
    """Return what under ``web/`` has packages, what others are built from first."""
    found = {path.parent for path in WEB.glob("*/package.json")}
    return sorted(found, key=lambda folder: (folder.name not in SHARED, folder.name))


def scripts(folder: Path) -> dict[str, str]:
    """Return what can be run there."""
    found: dict[str, str] = json.loads((folder / "package.json").read_text("utf-8")).get("scripts", {})
    return found


def install(folder: Path, tell: Say = say) -> None:
    """Have a folder's packages as its lock file says; what is there already is left alone.

    Raises:
        Missing: if there is no Node, or the registry does not give them.
    """
    wanted = _digest([folder / "package-lock.json", folder / "package.json"])
    stamp = folder / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    tell(f"  {folder.name}: installing its packages ...")
    began = time.monotonic()
    _run([npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder, "its packages")
    stamp.write_text(wanted, "utf-8")
    tell(f"  {folder.name}: packages are there after {time.monotonic() - began:.0f} s")


def build(folder: Path, tell: Say = say) -> bool:
    """Build one face, unless what is there was made of these very sources; says whether it did.

    Raises:
        Missing: as ``install``, or if its build fails.
    """
    stamp = STAMPS / f"{folder.name}.sources"
    wanted = sources(folder)
    if (folder / "dist").is_dir() and stamp.is_file() and stamp.read_text("utf-8") == wanted:
        tell(f"  {folder.name}: built already")
        return False
    runner = npm()
    install(folder, tell)
    stamp.unlink(missing_ok=True)
    tell(f"  {folder.name}: building ...")
    began = time.monotonic()
    _run([runner, "run", "--silent", "build"], folder, "its build")
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted, "utf-8")
    tell(f"  {folder.name}: built in {time.monotonic() - began:.0f} s")
    return True


def build_all(tell: Say = say) -> None:
    """Build every face that is there.

    Raises:
        Missing: as ``build``.
    """
    for folder in folders():
        if "build" in scripts(folder):
            build(folder, tell)


def sources(folder: Path) -> str:
    """Return a digest of all that a face is made of: its own files, what it shares, and by which address it asks."""
    roots = [folder, *(WEB / name for name in SHARED if name != folder.name)]
    paths = sorted(path for root in roots if root.is_dir() for path in _files(root))
    return _digest(paths, os.environ.get("BIANDAN_API", ""))


def _files(folder: Path) -> Iterator[Path]:
    for here, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in MADE and name != "tests")
        yield from (Path(here, name) for name in names)


def _digest(paths: list[Path], more: str = "") -> str:
    found = hashlib.sha256(more.encode())
    for path in paths:
        found.update(f"{path.relative_to(ROOT)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _run(command: list[str], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Missing(f"{folder.name}: {what} failed\n{done.stdout[-4000:]}")


def main(arguments: list[str] | None = None) -> int:
    """Build, test or check what is there."""
    parser = argparse.ArgumentParser(prog="python -m tools.web.build", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="FACE", help="these alone")
    parser.add_argument(
        "--run", action="append", default=[], metavar="SCRIPT", help="and run this of each (test, check)"
    )
    parser.add_argument("--dev", metavar="FACE", help="let its own dev server run, which reloads on change")
    options = parser.parse_args(arguments)
    chosen = [folder for folder in folders() if not options.only or folder.name in options.only]
    try:
        if options.dev:
            install(WEB / options.dev)
            return subprocess.run([npm(), "run", "dev"], cwd=WEB / options.dev, check=False).returncode
        for folder in chosen:
            if options.run:
                install(folder)
            elif "build" in scripts(folder):
                build(folder)
            for script in options.run:
                if script in scripts(folder):
                    began = time.monotonic()
                    _run([npm(), "run", "--silent", script], folder, f"`npm run {script}`")
                    say(f"  {folder.name}: {script} passed after {time.monotonic() - began:.0f} s")
    except Missing as missing:
        print(f"web: {missing}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
