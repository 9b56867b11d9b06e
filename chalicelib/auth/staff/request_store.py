"""Rows of role requests: one small partition of the accounts table, since operators are few and requests rare."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import UnicodeAttribute

from chalicelib.auth.domain import RoleRequest
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_ALL = "role_requests"


class RoleRequestRow(Row):
    """Key: ``role_requests``, the request's id. Stays for ever: it says who let whom in."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    request = DocumentAttribute[RoleRequest](RoleRequest)


def load(request_id: str) -> RoleRequest | None:
    """Read one request as it is now."""
    row = reads.get(RoleRequestRow, _ALL, request_id, consistent=True)
    return _request(row) if row is not None else None


def save(work: UnitOfWork, request: RoleRequest) -> None:
    """Write a request in the caller's work; a rival's write is a lost race."""
    row = RoleRequestRow(account_id=_ALL, id=request.request_id, request=request, version=request.version)
    work.save(row, refuse=lost, label="role request")


def list_all(window: Window) -> Page[RoleRequest]:
    """Return one page of requests, of any state."""
    page = reads.windowed(RoleRequestRow, _ALL, window, consistent=True)
    return Page([_request(RoleRequestRow.from_raw_data(item)) for item in page.items], page.after)


def _request(row: RoleRequestRow) -> RoleRequest:
    return replace(row.request, version=int(row.version))
