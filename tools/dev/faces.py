"""The shop and the console as browsers see them, from what ``make web`` built: paths and headers as on the CDN."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from infra import edge, faces
from tools.shared.httpd import Request, Response

ROOT = Path(__file__).resolve().parents[2]
_HEADERS = [
    (name, value)
    for name, value in edge.SECURITY_HEADERS.items()
    if name not in ("Strict-Transport-Security", "Content-Security-Policy")
]
_MISSING = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,">'
    "<title>Not built</title><h1>{name} is not built yet · 尚未构建</h1><p>{why}</p>"
    '<p>The API answers all the same: <a href="/docs">its description</a>. 接口不受影响。</p></html>'
)
UNBUILT = "Building it takes Node 20.19 or newer; then run: make web. 需要 Node 20.19 或更新版本，然后运行 make web。"


class Faces:
    """Answers requests for pages. ``note`` is what a page says that is not there yet."""

    def __init__(self, uploads: Callable[[], str], root: Path = ROOT / "web") -> None:
        self.note = UNBUILT
        self._uploads = uploads
        self._folders = {face.at: (face.name, root / face.name / face.built) for face in faces.FACES}

    def serves(self, target: str) -> bool:
        """Say whether a request is for a page."""
        path = target.split("?", 1)[0]
        return path == "/" or any(path.startswith(at) or path == at.rstrip("/") for at in self._folders)

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, [("Allow", "GET, HEAD"), *_HEADERS])
        path = request.target.split("?", 1)[0]
        key = faces.document_of(path)
        if key is None:  # `/`, or a face without its slash.
            to = faces.HOME if path == "/" else f"{path}/"
            return Response(302, [("Location", to), ("Cache-Control", faces.ASK), *_HEADERS])
        at, name, folder = next((at, *its) for at, its in self._folders.items() if key.startswith(at))
        headers = [*_HEADERS, ("Content-Security-Policy", faces.policy([self._uploads()]))]
        if not (folder / faces.DOCUMENT).is_file():
            return self._unbuilt(name, headers)
        return _file(folder, key.removeprefix(at), request, headers)

    def _unbuilt(self, name: str, headers: list[tuple[str, str]]) -> Response:
        page = _MISSING.format(name=name.capitalize(), why=self.note).encode()
        kept = [("Content-Type", faces.KINDS[".html"]), ("Cache-Control", "no-store"), ("Retry-After", "10")]
        return Response(503, [*kept, *headers], page)


def _file(folder: Path, name: str, request: Request, headers: list[tuple[str, str]]) -> Response:
    kind = faces.kind(name)
    found = (folder / name).resolve()
    if kind is None or not found.is_relative_to(folder.resolve()) or not found.is_file():
        plain = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "public, max-age=10")]
        return Response(404, [*plain, *headers], b"There is no such file here.\n")
    body = found.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = [("Content-Type", kind), ("Cache-Control", faces.kept(name)), ("ETag", tag), *headers]
    if request.header("if-none-match") == tag:
        return Response(304, headers[1:])
    return Response(200, headers, body)
