"""Give an account a role from the command line: how the first two operators come to be.

From then on it takes two of them to let a third one in (``POST /v1/operator/accounts/{account_id}/role-requests``), so
an installation needs two to begin with. What is given from here is in the audit too.

On AWS, with credentials that may write the accounts and audit tables and read the auth secret::

    BIANDAN_STAGE=prod AWS_REGION=... python -m tools.operate.grant boss@example.com operator

On a laptop, against the running development server's engine::

    python -m tools.operate.grant boss@example.com operator --engine http://127.0.0.1:4566

It signs with the secret of that engine's run, which the server keeps beside its data (``--key``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.kernel import context
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.roles import Desk, Post, Role
from tools.fakes import engine
from tools.shared import place


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="grant", description="Give an account a role, or take it.")
    parser.add_argument("account", help="account id (acc_...), e-mail address or phone number")
    parser.add_argument("role", choices=[Role.OPERATOR.value, Role.MERCHANT_STAFF.value])
    parser.add_argument("--merchant", help="merchant id (mer_...), for merchant_staff")
    parser.add_argument("--post", choices=[post.value for post in Post], help="for merchant_staff; owner without it")
    parser.add_argument("--desk", choices=[desk.value for desk in Desk], help="for operator; admin without it")
    parser.add_argument("--revoke", action="store_true", help="take the role instead")
    parser.add_argument("--engine", help="address of an embedded engine; without it, AWS as the environment says")
    parser.add_argument("--key", type=Path, default=Path(".biandan/engine.key"), help="file with the engine's secret")
    given = parser.parse_args(arguments)
    if given.engine:
        if given.key.exists():
            os.environ[engine.SECRET_VARIABLE] = given.key.read_text().strip()
        os.environ.update(engine.environment(given.engine))

    else:
        try:
            print(place.settle(), file=sys.stderr)
        except place.Nowhere as error:
            print(f"grant: {error}", file=sys.stderr)
            return 1
    from chalicelib.auth import service
    from chalicelib.oversight import service as oversight
    from chalicelib.runtime.config import config

    role, desk = Role(given.role), Desk(given.desk) if given.desk else None
    try:
        with context.use(context.Context(request_id="grant", cause_id="tool#grant", actor="tools/grant")):
            account_id = given.account
            if not account_id.startswith("acc_"):
                account_id = service.account_with(account_id).account_id
            act, records = ("revoke_role" if given.revoke else "grant_role"), {"account_id": account_id}
            with oversight.witnessed("tools/grant", act, records=records, said={"role": role.value}):
                if given.revoke:
                    account = service.revoke(
                        account_id,
                        role,
                        given.merchant,
                        desk=desk,
                        by="tools/grant",
                    )
                else:
                    account = service.grant(
                        account_id,
                        role,
                        given.merchant,
                        post=Post(given.post) if given.post else None,
                        desk=desk,
                        by="tools/grant",
                    )
    except ShopError as error:
        print(f"Nothing was changed: {error.detail()}", file=sys.stderr)
        return 1
    where = f" at {given.engine}" if given.engine else ""
    merchant = "".join(f", {one.post} of {one.merchant_id}" for one in account.employments)
    print(f"Stage {config().stage}{where}: {account.account_id} now is {', '.join(account.roles)}{merchant}.")
    print("It counts within half a minute; an operator's token names the role after the next refresh.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
