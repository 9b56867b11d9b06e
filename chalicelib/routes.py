"""Every route by method, path, declaring module and content types. Written by ``make generate``; do not edit."""

ROUTES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = ()
