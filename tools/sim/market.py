"""The market opens: merchants with products and stock, buyers with addresses, two operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.auth import store as auth_store
from chalicelib.auth.domain import Account
from chalicelib.auth.employment import Employment
from chalicelib.catalog import service as catalog
from chalicelib.catalog import store as catalog_store
from chalicelib.catalog.domain import Category, Cause, Draft, Kind, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Post, Role
from chalicelib.merchants import service as merchants
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tools.sim.people import Person

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Market:
    """Opens the market of one cast."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def open(self, merchants_: int, buyers: int, *, small: bool) -> None:
        """Let merchants list what they sell, and buyers and operators sign up."""
        tree = catalog_store.tree(consistent=True)
        catalog.set_categories((Category("tea", {"zh": "茶叶", "en": "Tea"}),), version=tree.version)
        for number in range(merchants_):
            self._merchant(number, small=small)
        self.cast.operator, self.cast.second = (self._person(Role.BUYER, Role.OPERATOR) for _ in range(2))
        for number in range(buyers):
            self._buyer(number)

    def _person(self, *roles: Role, merchant_id: str | None = None) -> Person:
        account_id = ids.new_id("acc")
        account = Account(
            account_id=account_id,
            created_at=self.world.clock.moment,
            roles=roles,
            merchant_id=merchant_id,
            posts=(Employment(merchant_id, Post.OWNER),) if merchant_id else (),
        )
        with UnitOfWork() as work:
            work.save(auth_store.account_row(account))
        return Person(account_id, roles, merchant_id)

    def _buyer(self, number: int) -> None:
        person = self._person(Role.BUYER)
        street = f"秘密街{number}{number}7号"
        phone = f"+861380013{number:04d}"
        answer = self.world.call(
            "POST",
            "/v1/me/addresses",
            None,
            {
                "recipient": f"收货人甲{number}乙",
                "phone": phone,
                "country": "CN",
                "province": "浙江省",
                "city": "杭州市",
                "district": "西湖区",
                "street": street,
            },
            token=person.token(self.world.now_s()),
            key=f"address-{number:04d}",
        )
        if answer is None or answer.status != 201:
            raise RuntimeError(f"no address: {answer}")
        person.address_id = answer.json["address_id"]
        self.world.unspeakable += [street, phone[1:], f"收货人甲{number}乙"]
        self.cast.buyers.append(person)

    def _merchant(self, number: int, *, small: bool) -> None:
        made, _ = merchants.create(
            merchants.NewMerchant(
                name=f"Tea House {number}",
                contact=merchants.Contact(person="Wang"),
                freight=Money(self.rng.choice((0, 600, 801))),
                free_freight_from=Money(9900),
                commission_bps=self.rng.choice((0, 333, 777, 1250)),
            ),
            intent=system_intent(f"merchant#{number}"),
        )
        person = self._person(Role.BUYER, Role.MERCHANT_STAFF, merchant_id=made.merchant_id)
        self.cast.staff.append(person)
        for product in range(1 if small else 2):
            self._product(person, made.merchant_id, f"{number}{product}", small=small)

    def _product(self, person: Person, merchant_id: str, number: str, *, small: bool) -> None:
        virtual = not small and self.rng.random() < 0.15
        price = 1999 if small else self.rng.choice((1, 333, 1999, 10001))
        draft = Draft(
            titles={"zh": f"茶{number}", "en": f"Tea {number}"},
            kind=Kind.VIRTUAL if virtual else Kind.PHYSICAL,
            category_id="tea",
            skus=(SkuDraft(options=(), price=Money(price), weight_g=0 if virtual else 100),),
        )
        product, _ = catalog.create(merchant_id, draft, intent=system_intent(f"product#{number}"))
        sku_id = product.skus[0].sku_id
        inventory.receive(sku_id, 5 if small else self.rng.randint(2, 9), intent=system_intent(f"stock#{number}"))
        if not small and self.rng.random() < 0.25:
            catalog.set_buckets(merchant_id, product.product_id, sku_id, self.rng.randint(2, 3))
        catalog.move(merchant_id, product.product_id, Cause.LIST, intent=system_intent(f"list#{number}"))
        self.cast.sku_ids.append(sku_id)
        self.cast.owners[sku_id] = person
