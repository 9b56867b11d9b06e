from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.auth import domain, employment
from chalicelib.auth.domain import Account, Address, AddressBook, IdentityKind, RoleChange
from chalicelib.auth.employment import Employment
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.roles import Desk, Post, Role

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (" Ada@Example.COM ", IdentityKind.EMAIL, "ada@example.com"),
        ("ａｄａ@example.com", IdentityKind.EMAIL, "ada@example.com"),
        ("o'hara+shop@mail.example.cn", IdentityKind.EMAIL, "o'hara+shop@mail.example.cn"),
        ("wang@例子.公司", IdentityKind.EMAIL, "wang@xn--fsqu00a.xn--55qx5d"),
        ("13800138000", IdentityKind.PHONE, "+8613800138000"),
        ("138 0013 8000", IdentityKind.PHONE, "+8613800138000"),
        ("138-0013-8000", IdentityKind.PHONE, "+8613800138000"),
        ("１３８００１３８０００", IdentityKind.PHONE, "+8613800138000"),
        ("8613800138000", IdentityKind.PHONE, "+8613800138000"),
        ("+86 138 0013 8000", IdentityKind.PHONE, "+8613800138000"),
        ("0086 13800138000", IdentityKind.PHONE, "+8613800138000"),
        ("+1 (415) 555-2671", IdentityKind.PHONE, "+14155552671"),
    ],
)
def test_spellings_of_one_identity_are_equal(text: str, kind: IdentityKind, value: str) -> None:
    assert domain.identity(text) == domain.Identity(kind, value)
    assert value not in repr(domain.identity(text))


@pytest.mark.parametrize(
    "text",
    ["", "@", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "a b@example.com", "ada@-x.com",
     "ada@x..com", ".ada@example.com", "ada.@example.com", "ada@exa_mple.com", "a" * 65 + "@example.com",
     "ada@" + "x" * 64 + ".com", "a\x00@example.com", "12800138000", "1380013800", "138001380000", "+0123456789",
     "075512345678", "+1234567890123456", "+86", "1３8oo138000", "٠١٢٣٤٥٦٧٨٩"],
)  # fmt: skip
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(domain.BadIdentity):
        domain.identity(text)


@given(st.text(max_size=60))
def test_any_text_is_an_identity_or_refused_and_reading_twice_changes_nothing(text: str) -> None:
    try:
        read = domain.identity(text)
    except domain.BadIdentity:
        return
    assert domain.identity(read.value) == read


def test_weak_passwords_are_refused_and_strong_ones_folded() -> None:
    of = domain.identity("longname@example.com")
    weak = ["Short-1", "x" * 129, "Password123", "QWERTYUIOP", "1234567890", "9876543210", "abcdefghijkl",
            "aaaaaaaaaaaa", "abababababab", "longname@example.com", "ｐａｓｓｗｏｒｄ１２３"]  # fmt: skip
    for text in weak:
        with pytest.raises(domain.WeakPassword):
            domain.password(text, of=of)
    with pytest.raises(domain.WeakPassword):
        domain.password("+8613800138000", of=domain.identity("13800138000"))
    assert domain.password("correct horse", of=of) == "correct horse"
    assert domain.password(" two blanks ", of=of) == " two blanks "
    assert domain.password("我的密码是很长的一句话", of=of) == "我的密码是很长的一句话"
    assert domain.password("cafe\u0301 au lait", of=of) == domain.spelled("caf\u00e9 au lait")
    assert len(domain.password("z" * 60 + "y" * 60 + "wvutsrqp", of=of)) == 128


# --- roles ------------------------------------------------------------------------------------------------------


def change(role: Role, *, gives: bool = True, merchant_id: str | None = None, number: int = 1) -> RoleChange:
    return RoleChange(number=number, at=NOW, by="op", gives=gives, role=role, merchant_id=merchant_id)


def test_roles_come_and_go() -> None:
    account = Account(account_id="acc_1", created_at=NOW)
    staff = domain.change_role(account, change(Role.MERCHANT_STAFF, merchant_id="mer_1"))
    assert (staff.roles, staff.merchant_id) == ((Role.BUYER, Role.MERCHANT_STAFF), "mer_1")
    assert domain.change_role(staff, change(Role.MERCHANT_STAFF, merchant_id="mer_1")) is staff
    with pytest.raises(domain.OperatorNotStaff):
        domain.change_role(staff, change(Role.OPERATOR, number=2))
    left = domain.change_role(staff, change(Role.MERCHANT_STAFF, gives=False, number=2))
    assert (left.roles, left.merchant_id, left.history[-1].merchant_id) == ((Role.BUYER,), None, "mer_1")
    assert domain.change_role(left, change(Role.MERCHANT_STAFF, gives=False)) is left
    operator = domain.change_role(left, change(Role.OPERATOR, number=3))
    assert operator.roles == (Role.BUYER, Role.OPERATOR)
    with pytest.raises(domain.OperatorNotStaff):
        domain.change_role(operator, change(Role.MERCHANT_STAFF, merchant_id="mer_1", number=4))
    assert (len(operator.history), domain.next_change(operator)) == (3, 4)
    for wrong in (change(Role.BUYER), change(Role.BUYER, gives=False), change(Role.MERCHANT_STAFF),
                  change(Role.OPERATOR, merchant_id="mer_1")):  # fmt: skip
        with pytest.raises(domain.BadGrant):
            domain.change_role(account, wrong)


def test_a_post_is_kept_for_each_merchant() -> None:
    account = Account(account_id="acc_1", created_at=NOW)
    two = domain.change_role(account, replace(change(Role.MERCHANT_STAFF, merchant_id="mer_1"), post=Post.CLERK))
    assert (two.merchant_id, two.history[-1].post) == (None, Post.CLERK)
    two = domain.change_role(two, change(Role.MERCHANT_STAFF, merchant_id="mer_2", number=2))
    assert two.employments == (Employment("mer_1", Post.CLERK), Employment("mer_2", Post.OWNER))
    assert two.merchant_id == "mer_2"
    same = replace(change(Role.MERCHANT_STAFF, merchant_id="mer_1", number=3), post=Post.CLERK)
    assert domain.change_role(two, same) is two
    moved = domain.change_role(two, replace(same, post=Post.FINANCE))
    assert moved.employments == (Employment("mer_1", Post.FINANCE), Employment("mer_2", Post.OWNER))
    one = domain.change_role(moved, change(Role.MERCHANT_STAFF, gives=False, merchant_id="mer_2", number=4))
    assert (one.employments, one.roles) == (
        (Employment("mer_1", Post.FINANCE),),
        (Role.BUYER, Role.MERCHANT_STAFF),
    )
    left = domain.change_role(moved, change(Role.MERCHANT_STAFF, gives=False, number=4))
    assert [(entry.number, entry.merchant_id, entry.post) for entry in left.history[-2:]] == [
        (4, "mer_1", Post.FINANCE),
        (5, "mer_2", Post.OWNER),
    ]
    assert (left.employments, left.roles, domain.next_change(left)) == ((), (Role.BUYER,), 6)


def test_an_account_works_for_so_many_merchants() -> None:
    account = Account(account_id="acc_1", created_at=NOW)
    for number in range(employment.MOST):
        account = domain.change_role(account, change(Role.MERCHANT_STAFF, merchant_id=f"mer_{number}", number=number))
    with pytest.raises(employment.StaffElsewhere):
        domain.change_role(account, change(Role.MERCHANT_STAFF, merchant_id="mer_more", number=99))
    moved = replace(change(Role.MERCHANT_STAFF, merchant_id="mer_0", number=99), post=Post.CLERK)
    assert domain.change_role(account, moved).employments[0] == Employment("mer_0", Post.CLERK)


def test_desks_come_and_go() -> None:
    account = Account(account_id="acc_1", created_at=NOW)
    support = domain.change_role(account, replace(change(Role.OPERATOR), desk=Desk.SUPPORT))
    assert support.roles == (Role.BUYER, Role.OPERATOR)
    assert support.at_desks == {Desk.SUPPORT}
    both = domain.change_role(support, replace(change(Role.OPERATOR, number=2), desk=Desk.FINANCE))
    assert both.desks == (Desk.SUPPORT, Desk.FINANCE)
    assert domain.change_role(both, change(Role.OPERATOR, number=3)) is both
    one = domain.change_role(both, replace(change(Role.OPERATOR, gives=False, number=3), desk=Desk.SUPPORT))
    assert one.at_desks == {Desk.FINANCE}
    assert domain.change_role(one, replace(change(Role.OPERATOR, gives=False, number=4), desk=Desk.SUPPORT)) is one
    none = domain.change_role(one, change(Role.OPERATOR, gives=False, number=4))
    assert none.roles == (Role.BUYER,)
    assert not none.at_desks
    for wrong in (
        replace(change(Role.OPERATOR), post=Post.CLERK),
        replace(change(Role.MERCHANT_STAFF, merchant_id="mer_1"), desk=Desk.ADMIN),
    ):
        with pytest.raises(domain.BadGrant):
            domain.change_role(account, wrong)


def test_accounts_of_before_are_owners_and_admins() -> None:
    staff = Account("acc_1", NOW, roles=(Role.BUYER, Role.MERCHANT_STAFF), merchant_id="mer_1")
    assert staff.employments == (Employment("mer_1", Post.OWNER),)
    assert Account("acc_2", NOW, roles=(Role.BUYER, Role.OPERATOR)).at_desks == {Desk.ADMIN}
    assert Account("acc_3", NOW, merchant_id="mer_1").employments == ()


# --- addresses --------------------------------------------------------------------------------------------------


def address(number: int = 1, **changes: Any) -> Address:
    base = Address(
        address_id=f"adr_{number}", recipient="王小明", phone="138 0013 8000", country="CN", province="广东",
        city="深圳市", district="南山区", street="科技园 1 号", postcode="518057",
    )  # fmt: skip
    return replace(base, **changes)


def test_chinese_addresses_take_their_normal_form() -> None:
    kept = domain.deliverable(address())
    assert (kept.phone, kept.province) == ("+8613800138000", "广东省")
    assert domain.deliverable(address(province="内蒙古自治区", district=None, postcode=None)).province == "内蒙古自治区"
    assert domain.deliverable(address(phone="0755-12345678")).phone == "+8675512345678"
    assert "王小明" not in repr(kept)
    assert "科技园" not in repr(kept)
    wrong: list[tuple[dict[str, Any], str]] = [
             ({"province": None}, "province"), ({"province": "California"}, "province"), ({"phone": "12345"}, "phone"),
             ({"postcode": "51805"}, "postcode")]  # fmt: skip
    for changes, name in wrong:
        with pytest.raises(domain.BadAddress) as caught:
            domain.deliverable(address(**changes))
        assert caught.value.members() == {"field": name}


def test_foreign_addresses_need_less() -> None:
    abroad = address(country="DE", province=None, district=None, postcode="10115", phone="+49 30 1234567")
    assert domain.deliverable(abroad).phone == "+49301234567"


def test_a_book_has_one_default_while_it_is_not_empty() -> None:
    book = AddressBook(account_id="acc_1")
    book = book.add(address(1), fingerprint="f1", as_default=False)
    book = book.add(address(2), fingerprint="f2", as_default=False)
    assert book.default_id == "adr_1"
    book = book.put(address(2, city="广州市"), as_default=True)
    assert (book.default_id, book.find("adr_2").city) == ("adr_2", "广州市")
    assert book.put(address(2), as_default=False).default_id == "adr_2"
    book = book.remove("adr_2")
    assert (book.default_id, book.fingerprints) == ("adr_1", {"adr_1": "f1"})
    with pytest.raises(NotFound):
        book.add(address(2), fingerprint="f2", as_default=True)
    with pytest.raises(NotFound):
        book.put(address(2), as_default=True)
    assert book.remove("adr_1").default_id is None


def test_a_book_holds_twenty() -> None:
    book = AddressBook(account_id="acc_1")
    for number in range(20):
        book = book.add(address(number), fingerprint="f", as_default=False)
    with pytest.raises(domain.AddressBookFull) as caught:
        book.add(address(20), fingerprint="f", as_default=False)
    assert caught.value.members() == {"cap": 20}


def test_throttle_windows_are_fixed() -> None:
    limit = domain.Limit("x", attempts=3, window_s=600)
    number, ends = limit.window(NOW)
    assert ends == NOW + timedelta(minutes=10)
    assert limit.window(ends - timedelta(milliseconds=1)) == (number, ends)
    assert limit.window(ends)[0] == number + 1
