"""Fills an installation with the demonstration marketplace of ``tools/dev/goods.py``, once.

Everything is made through the services, under intents named after the goods: running it again, or after it was
interrupted, creates nothing twice. What consumers would do one event at a time (sold-out flags, search) is done here
at once; where streams are pumped, they start after it.
"""

from __future__ import annotations

import json
import secrets as random
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from chalicelib.auth import service as auth
from chalicelib.catalog import domain as catalog_domain
from chalicelib.catalog import search
from chalicelib.catalog import service as catalog
from chalicelib.catalog import store as catalog_store
from chalicelib.inventory import service as inventory
from chalicelib.kernel import context
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.merchants import service as merchants
from chalicelib.runtime.config import setting
from chalicelib.runtime.intents import system_intent
from tools.dev import goods, pictures
from tools.shared import place, private

KNOWN_ELSEWHERE = "mei@biandan.example"
Accounts = list[dict[str, str]]
THREADS = 4
VERSION = "1"
"""Part of every intent: raise it when the goods change, so that a kept installation gets the new ones beside."""


def ensure(*, remembered: Path | None = None, say: Callable[[str], None] = print) -> Accounts:
    """Seed what is not there yet; return the demonstration accounts with their passwords.

    ``remembered`` keeps the passwords (drawn anew for each installation) and whether all is done.
    """
    kept = json.loads(remembered.read_text()) if remembered is not None and remembered.exists() else {}
    if kept.get("done"):
        found: Accounts = kept["accounts"]
        return found
    passwords = {email: f"demo-{random.token_hex(6)}" for _, email, _ in _wanted()} | kept.get("passwords", {})
    if remembered is not None:  # Before they are used: a seeding that is interrupted can then go on.
        private.write(remembered, json.dumps({"passwords": passwords}))
    with context.use(context.Context(request_id="seed", cause_id="tool#seed", actor="tool:seed")):
        accounts = _everything(passwords, say)
    if remembered is not None:
        private.write(remembered, json.dumps({"done": True, "accounts": accounts}))
    return accounts


def _everything(passwords: dict[str, str], say: Callable[[str], None]) -> Accounts:
    started = time.monotonic()
    say("  seeding: categories, merchants and people ...")
    _categories()
    merchant_ids = {shop.key: _merchant(shop) for shop in goods.SHOPS}
    accounts = _people(merchant_ids, passwords)
    wanted = [(merchant_ids[shop.key], shop, line) for shop in goods.SHOPS for line in shop.lines]
    say(f"  seeding: {len(wanted)} products ...")
    skus = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for number, job in enumerate([pool.submit(_product, *each) for each in wanted], 1):
            skus += job.result()
            if number % 50 == 0:
                say(f"  seeding: {number} of {len(wanted)} ...")
    took_s = time.monotonic() - started
    say(f"  seeded {len(goods.SHOPS)} merchants, {len(wanted)} products, {skus} SKUs in {took_s:.1f} s")
    return accounts


def _categories() -> None:
    tree = catalog_store.tree(consistent=True)
    if tree.categories:
        return
    wanted = [
        catalog_domain.Category(category_id, {"zh": name[1], "en": name[0]}, parent_id=parent)
        for category_id, parent, name in goods.CATEGORIES
    ]
    catalog.set_categories(wanted, version=tree.version)


def _merchant(shop: goods.Shop) -> str:
    created, _ = merchants.create(
        merchants.NewMerchant(
            name=f"{shop.name[1]} {shop.name[0]}",
            contact=merchants.Contact(person="Demo"),
            freight=Money(shop.freight_minor),
            free_freight_from=Money(shop.free_from_minor) if shop.free_from_minor is not None else None,
            commission_bps=shop.commission_bps,
            description=f"{shop.about[1]} {shop.about[0]}",
        ),
        intent=system_intent(f"seed#{VERSION}#merchant#{shop.key}"),
    )
    return created.merchant_id


def _wanted() -> list[tuple[str, str, str | None]]:
    """Return role, address and shop of everybody: two admins, one for support, the owner of each merchant and the
    clerk of the first, two buyers.

    One operator alone can neither let a third one in nor give back a large sum.
    """
    return [
        ("operator", "operator@biandan.example", None),
        ("operator", "colleague@biandan.example", None),
        *((shop.name[0], f"{shop.key}@biandan.example", shop.key) for shop in goods.SHOPS),
        ("support", "support@biandan.example", None),
        ("clerk", "clerk@biandan.example", goods.SHOPS[0].key),
        ("buyer", "mei@biandan.example", None),
        ("buyer", "li@biandan.example", None),
    ]


def _people(merchant_ids: dict[str, str], passwords: dict[str, str]) -> Accounts:
    accounts: Accounts = []
    for role, email, shop_key in _wanted():
        intent = system_intent(f"seed#{VERSION}#{email}")
        account, _ = auth.register(email, passwords[email], intent=intent, language="zh")
        grant = system_intent(f"seed#{VERSION}#grant#{email}")
        entry = {"role": role, "email": email, "password": passwords[email]}
        if email == KNOWN_ELSEWHERE:
            _known_elsewhere(account)
        if role == "operator":
            auth.grant(account.account_id, Role.OPERATOR, None, by="tool:seed", intent=grant)
        elif role == "support":
            auth.grant(account.account_id, Role.OPERATOR, desk=Desk.SUPPORT, by="tool:seed", intent=grant)
        elif shop_key is not None:
            entry["merchant_id"] = merchant_ids[shop_key]
            post = Post.CLERK if role == "clerk" else Post.OWNER
            shop_id = merchant_ids[shop_key]
            auth.grant(account.account_id, Role.MERCHANT_STAFF, shop_id, post=post, by="tool:seed", intent=grant)
        accounts.append(entry)
    return accounts


def _known_elsewhere(account: auth.Account) -> None:
    """Let a buyer sign in by the mini program too, as the person of that name at the stand-in, if there is one."""
    url = setting("BIANDAN_QQ_MINI_URL")
    if not url.startswith("http://127.0.0.1:") or "qq_mini" not in auth.external.offered():
        return
    person = KNOWN_ELSEWHERE.partition("@")[0]
    login = url.removesuffix("/qq-mini") + "/login/qq_mini"
    as_json = {"content-type": "application/json"}
    request = urllib.request.Request(login, json.dumps({"person": person}).encode(), as_json)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        code = json.loads(answer.read())["js_code"]
    auth.external.link_mini(account.account_id, "qq_mini", code)


def _product(merchant_id: str, shop: goods.Shop, line: goods.Line) -> int:
    name = f"seed#{VERSION}#{shop.key}#{line.handle}"
    picture = pictures.address(line.icon, line.title[0])
    compare = len(line.handle) % 5 == 0  # One in five is on sale.
    draft = catalog_domain.Draft(
        titles={"zh": line.title[1], "en": line.title[0]},
        kind=catalog_domain.Kind(line.kind),
        category_id=line.category,
        options=tuple(axis.name for axis in line.axes),
        skus=tuple(
            catalog_domain.SkuDraft(
                options=options,
                price=Money(minor),
                compare_at=Money(minor * 5 // 4) if compare else None,
                weight_g=line.weight_g,
                code=f"{line.handle}-{number}".upper(),
            )
            for number, (options, minor) in enumerate(line.variants(), 1)
        ),
        description={"zh": line.about[1], "en": line.about[0]},
        specifications=line.facts,
        pictures=(picture,),
    )
    product, _ = catalog.create(merchant_id, draft, intent=system_intent(name), handle=line.handle)
    sku_ids = [sku.sku_id for sku in product.skus]
    inventory.receive_many(dict.fromkeys(sku_ids, line.stock), intent=system_intent(f"{name}#stock"))
    catalog.edit(merchant_id, product.product_id, _in_stock)
    catalog.move(merchant_id, product.product_id, catalog_domain.Cause.LIST, intent=system_intent(f"{name}#list"))
    with suppress(ConcurrentUpdate):  # On a deployed stack the consumer does it at the same moment.
        search.reindex(product.product_id)
    return len(sku_ids)


def _in_stock(product: catalog_domain.Product) -> catalog_domain.Product:
    return replace(product, skus=tuple(replace(sku, sold_out=False) for sku in product.skus))


def main() -> int:
    """Seed the stage that the environment names (``BIANDAN_STAGE``); prints its accounts as JSON, at last."""
    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"seed: {error}", file=sys.stderr)
        return 1
    print(json.dumps(ensure(say=lambda text: print(text, file=sys.stderr))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
