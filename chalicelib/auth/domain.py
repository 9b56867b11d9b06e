"""Identities, passwords' rules, accounts and roles, address books. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from chalicelib.auth.employment import Employment, Employments, hired, post_at, without
from chalicelib.auth.mailboxes import mailbox, narrow
from chalicelib.auth.phones import CHINA, is_chinese_mobile, phone, phone_at
from chalicelib.kernel import second_person
from chalicelib.kernel.errors import Conflict, Invalid, NotFound, Throttled, Unauthenticated
from chalicelib.kernel.roles import Desk, Post, Role

# --- refusals ---------------------------------------------------------------------------------------------------


class BadCredentials(Unauthenticated):
    """Unknown identity or wrong password: nobody is told which."""

    code = "bad_credentials"
    en, zh = "The identity or the password is wrong.", "账号或密码错误。"


class ChallengeNeeded(Throttled):
    """This name is being attacked: solve the challenge and send it along, or wait."""

    code = "challenge_needed"
    en = "Too many attempts: solve the challenge and send it along, or wait {wait_s} seconds."
    zh = "尝试次数过多：请完成安全验证后重试，或等待 {wait_s} 秒。"
    shown = ("wait_s", "challenge", "bits")


class BadIdentity(Invalid):
    """Neither an e-mail address nor a phone number."""

    code = "bad_identity"
    en, zh = "Give an e-mail address or a phone number.", "请提供有效的邮箱或手机号。"


class WeakPassword(Invalid):
    """Too short, too long, or one of the first an attacker tries."""

    code = "weak_password"
    en = "Choose a password of 10 to 128 characters that is hard to guess, or a sentence of some words."
    zh = "请使用 10 到 128 个字符且不易被猜到的密码，例如几个不相关的词。"


class IdentityTaken(Conflict):
    """Somebody registered this identity before."""

    code = "identity_taken"
    en, zh = "There is an account with this identity already.", "该邮箱或手机号已被注册。"


class ContactHeld(Conflict):
    """An account was changed away from this contact a short while ago, and may be taken back by it."""

    code = "contact_held"
    en = (
        "An account had this contact a short while ago: take that back (POST /v1/auth/contacts/take-back) "
        "or wait until {until}."
    )
    zh = "不久前有账号更换掉此联系方式：您可取回该账号（POST /v1/auth/contacts/take-back），或等到 {until}。"
    shown = ("until",)


class BadGrant(Invalid):
    """Staff needs a merchant, other roles have none, and everybody stays a buyer."""

    code = "bad_grant"
    en, zh = "This role cannot be changed like that.", "无法这样变更该角色。"


class OperatorNotStaff(Conflict):
    """Nobody judges for the platform and sells on it."""

    code = "operator_not_staff"
    en = "An operator cannot be a merchant's staff, nor staff an operator: take the other role away first."
    zh = "运营人员不能兼任商家员工：请先撤销另一角色。"


class BadAddress(Invalid):
    """The address cannot be delivered to as it is."""

    code = "bad_address"
    en, zh = "The address is not valid: look at {field}.", "地址不正确，请检查{field}。"
    shown = ("field",)
    texts_of = {  # noqa: RUF012
        "field": {
            "phone": ("the phone number", "手机号"),
            "province": ("the province", "省份"),
            "postcode": ("the postcode", "邮编"),
            "": ("what was filled in", "所填内容"),
        }
    }


class GuardianNeeded(Conflict):
    """A child's account does this only once their guardian agreed."""

    code = "guardian_needed"
    en = "Your guardian has to agree first: ask for a code to their e-mail address or phone."
    zh = "您未满十四周岁，须先经监护人同意：请获取发送至监护人的验证码。"


class AddressBookFull(Conflict):
    """The address book holds as many as it can."""

    code = "address_book_full"
    en, zh = "The address book holds {cap} addresses at most.", "最多可保存 {cap} 个地址。"
    shown = ("cap",)


# --- identities -------------------------------------------------------------------------------------------------


class IdentityKind(StrEnum):
    """By what a person is known."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Identity:
    """A normalised e-mail address or phone number: two spellings of one are equal."""

    kind: IdentityKind
    value: str = field(repr=False)


def identity(text: str) -> Identity:
    """Read an identity: what holds an ``@`` is an e-mail address, the rest a phone number.

    Raises:
        BadIdentity: if it is neither.
    """
    if "@" in narrow(text):
        address = mailbox(text)
        if address is None:
            raise BadIdentity
        return Identity(IdentityKind.EMAIL, address)
    number = phone(text)
    if number is None or (number.startswith("+86") and not is_chinese_mobile(number)):
        raise BadIdentity
    return Identity(IdentityKind.PHONE, number)


# --- passwords --------------------------------------------------------------------------------------------------

MIN_PASSWORD, MAX_PASSWORD = 10, 128

_COMMON_WORDS = """
    0123456789 1234567890 1234567891 12345678910 123456789a a123456789 a1234567890 1q2w3e4r5t 1qaz2wsx3edc
    1qazxsw23edc abc1234567 abcd123456 abcd1234567 abcde12345 abcdef1234 admin12345 admin123456 administrator
    asdfghjkl1 asdfghjkl123 baseball123 changeme123 dearbook123 football123 helloworld hello12345 iloveyou12
    iloveyou123 jiushiaini1314 letmein1234 mima123456 mypassword mypassword1 p@ssw0rd123 p@ssword123 pa$$word123
    passw0rd123 password01 password12 password123 password1234 password12345 password123456 q1w2e3r4t5
    q1w2e3r4t5y6 qazwsxedc1 qazwsxedc123 qq123456789 qwer123456 qwert12345 qwerty1234 qwerty12345 qwerty123456
    qwertyuiop qwertyuiop1 qwertyuiop123 superman123 taobao123456 test123456 test1234567 trustno1234 wang123456
    welcome123 welcome1234 woaini1314 woaini1314520 woaini520 woaini5201314 woaiwojia1 woaiwojia123 zhang123456
    zxcvbnm123 zxcvbnm1234 zxcvbnm123456 zxcvbnm,./ 5201314520 1314520520 5201314woaini 1314woaini 7758521123
    asd123456789 aini1314520 woshishui123 weixin123456 zhifubao123 alipay123456
"""
"""Those of the most used passwords that are long enough to pass otherwise."""
_COMMON = frozenset(_COMMON_WORDS.split())


def password(text: str, *, of: Identity | None) -> str:
    """Return the password in the one form that is hashed (NFKC, as NIST SP 800-63B wants).

    Raises:
        WeakPassword: if it is too short, too long or too easily guessed.
    """
    folded = spelled(text)
    plain = folded.casefold()
    own = (of.value, of.value.lstrip("+")) if of is not None else ()
    guessable = plain in _COMMON or len(set(plain)) < 4 or _is_run(plain) or plain in own
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD or guessable:
        raise WeakPassword
    return folded


def spelled(text: str) -> str:
    """Return the password as it is hashed, without judging it: for signing in."""
    return unicodedata.normalize("NFKC", text)


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps <= {1} or steps <= {-1}


# --- accounts and roles -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoleChange:
    """One line of an account's history: who changed what, and by which intent, so that a repeat is known."""

    number: int
    at: datetime
    by: str
    gives: bool
    role: Role
    merchant_id: str | None = None
    token: str = ""
    fingerprint: str = ""
    approved_by: str = ""
    """The second person, where it took one."""
    sponsors: tuple[str, ...] = ()
    """Who asked, and those to whom who asked owed the role at that time."""
    post: Post | None = None
    """Of a merchant's staff: which post. None in changes of before there were posts: the owner's."""
    desk: Desk | None = None
    """Of an operator: which desk; None for all of them, and in changes of before there were desks."""


@dataclass(frozen=True, slots=True)
class Link:
    """An identity elsewhere (QQ, WeChat) that opens an account: digests, not what the person is called there."""

    link_id: str
    provider: str
    appid: str
    identity_id: str
    """Of the person in this app."""
    union_id: str
    """Of the person in all apps of its developer, where this account holds it; else empty."""
    linked_at: datetime
    key: str = ""
    """The digest of the state or code that added it; empty where it made the account."""


@dataclass(frozen=True, slots=True)
class Former:
    """A contact that the account had until a short while ago: whoever reads it can take the account back."""

    kind: str
    identity_id: str
    verified_at: datetime
    """When it was shown to be the account's: it is so again once it is taken back."""
    changed_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A person who signs in."""

    account_id: str
    created_at: datetime
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    phone_verified_at: datetime | None = None
    """When its person last showed that the phone number is theirs."""
    nickname: str | None = field(default=None, repr=False)
    email_verified_at: datetime | None = None
    language: str = "zh"
    roles: tuple[Role, ...] = (Role.BUYER,)
    merchant_id: str | None = None
    """The first merchant that the account is owner at: all that code from before there were posts may believe."""
    posts: Employments = ()
    """As they are kept; :attr:`employments` knows what rows of before there were posts mean."""
    desks: tuple[Desk, ...] = ()
    epoch: int = 1
    """Grows when the person signs out everywhere: sessions of an earlier epoch are over."""
    ended: dict[str, int] = field(default_factory=dict)
    """Of operators and merchants' staff: sessions that ended while their access tokens live, and when, in seconds."""
    history: tuple[RoleChange, ...] = ()
    links: tuple[Link, ...] = ()
    former: tuple[Former, ...] = ()
    """Contacts of before; those whose time is over mean nothing any more."""
    passkeys: tuple[str, ...] = ()
    """The ids of its passkeys: with the account, so that the last way to sign in is judged in one transaction."""
    age: str = ""
    """Of which age its person says they are (``guardians.domain.Age``); empty if they never said."""
    guardian: str = field(default="", repr=False)
    """Of a child: by which contact their guardian agreed last."""
    guarded_at: datetime | None = None
    """When; None while nobody agrees."""
    guardian_rules: int = 0
    """To which version of the rules."""
    second_factor: str = ""
    """What a sign-in takes beside its first way; empty: nothing."""
    password_hash: str = field(default="", repr=False)
    fingerprint: str = ""
    version: int = 0

    @property
    def employments(self) -> Employments:
        """Return for whom the account works, and at which post; staff of before there were posts are owners."""
        if Role.MERCHANT_STAFF not in self.roles:
            return ()
        return self.posts or ((Employment(self.merchant_id, Post.OWNER),) if self.merchant_id else ())

    @property
    def at_desks(self) -> frozenset[Desk]:
        """Return an operator's desks; operators of before there were desks are admins."""
        if Role.OPERATOR not in self.roles:
            return frozenset()
        return frozenset(self.desks or (Desk.ADMIN,))


KEPT_CHANGES = 20
"""Role changes kept on the account beside those that :func:`_trimmed` needs; older ones live in the event log."""


def change_role(account: Account, change: RoleChange) -> Account:
    """Give or take a role. Giving what is there, or taking what is not, returns the account itself.

    Without a merchant a merchant's staff leaves all of them; without a desk an operator leaves all desks.

    Raises:
        BadGrant: if the role, the merchant and the post or desk do not go together, or the role cannot be taken.
        StaffElsewhere: if the account is staff of as many merchants as it can be.
        OperatorNotStaff: if it would be an operator and a merchant's staff at once.
    """
    staff = change.role is Role.MERCHANT_STAFF
    if change.role is Role.BUYER or (change.gives and staff is not (change.merchant_id is not None)):
        raise BadGrant
    if (change.post and not staff) or (change.desk and staff) or (change.merchant_id and not staff):
        raise BadGrant
    return _change_post(account, change) if staff else _change_desks(account, change)


def _change_post(account: Account, change: RoleChange) -> Account:
    held = account.employments
    if not change.gives:
        left = [one for one in held if change.merchant_id in (None, one.merchant_id)]
        # The history says whose staff it was: it stays a party for a while.
        entries = [
            replace(change, number=change.number + at, merchant_id=one.merchant_id, post=one.post)
            for at, one in enumerate(left)
        ]
        return _with_posts(account, without(held, change.merchant_id), entries) if left else account
    merchant_id = change.merchant_id or ""
    post = change.post or post_at(held, merchant_id) or Post.OWNER
    if post_at(held, merchant_id) is post:
        return account
    if Role.OPERATOR in account.roles:
        raise OperatorNotStaff
    return _with_posts(account, hired(held, merchant_id, post), [replace(change, post=post)])


def _with_posts(account: Account, held: Employments, entries: list[RoleChange]) -> Account:
    return replace(
        account,
        roles=_roles(account, Role.MERCHANT_STAFF, holds=bool(held)),
        merchant_id=next((one.merchant_id for one in held if one.post is Post.OWNER), None),
        posts=held,
        history=_trimmed((*account.history, *entries)),
    )


def _change_desks(account: Account, change: RoleChange) -> Account:
    held = account.at_desks
    desk = change.desk or (Desk.ADMIN if change.gives and not held else None)
    named = frozenset({desk}) if desk else frozenset()
    after = held | named if change.gives else held - (named or held)
    if after == held:
        return account
    if change.gives and Role.MERCHANT_STAFF in account.roles:
        raise OperatorNotStaff
    return replace(
        account,
        roles=_roles(account, Role.OPERATOR, holds=bool(after)),
        desks=tuple(one for one in Desk if one in after),
        history=_trimmed((*account.history, replace(change, desk=desk))),
    )


def _roles(account: Account, role: Role, *, holds: bool) -> tuple[Role, ...]:
    roles = {*account.roles, role} if holds else {*account.roles} - {role}
    return tuple(one for one in Role if one in roles)


def _trimmed(history: tuple[RoleChange, ...]) -> tuple[RoleChange, ...]:
    """Return the latest changes, and of the older ones what nobody may make us forget by changing roles to and fro.

    That is for each merchant when the account last left it, and each time it was made an operator.
    """
    left = {change.merchant_id or "": change.number for change in history if not change.gives}
    kept = history[-KEPT_CHANGES:]
    older = (
        change
        for change in history[:-KEPT_CHANGES]
        if (change.gives and change.role is Role.OPERATOR)
        or (not change.gives and change.merchant_id and left[change.merchant_id] == change.number)
    )
    return (*older, *kept)


def next_change(account: Account) -> int:
    """Return the number of the account's next role change."""
    return account.history[-1].number + 1 if account.history else 1


PRIVILEGED = (Role.MERCHANT_STAFF, Role.OPERATOR)
"""Roles that no operator gives alone."""

ROLE_REQUEST = second_person.machine("role request")


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """A role that an operator wants somebody to have, and what a second person said to it."""

    request_id: str
    account_id: str
    role: Role
    reason: str
    status: second_person.Status
    asked_by: str
    asked_at: datetime
    fingerprint: str
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""
    intent: str = ""
    decided_fingerprint: str = ""
    merchant_id: str | None = None
    post: Post | None = None
    desk: Desk | None = None
    version: int = 0

    def status_at(self, now: datetime) -> second_person.Status:
        """Return the state; one that nobody answered in time has expired, whatever the row says."""
        over = self.due_at is not None and self.due_at <= now
        return ROLE_REQUEST.next(self.status, second_person.Cause.EXPIRE) if over else self.status

    @property
    def due_at(self) -> datetime | None:
        """Return when it expires."""
        return ROLE_REQUEST.due_at(self.status, self.asked_at)


# --- addresses --------------------------------------------------------------------------------------------------

ADDRESS_CAP = 20
_KEPT_DELETED = 20

PROVINCES = {
    "北京": "北京市", "天津": "天津市", "上海": "上海市", "重庆": "重庆市", "河北": "河北省", "山西": "山西省",
    "辽宁": "辽宁省", "吉林": "吉林省", "黑龙江": "黑龙江省", "江苏": "江苏省", "浙江": "浙江省", "安徽": "安徽省",
    "福建": "福建省", "江西": "江西省", "山东": "山东省", "河南": "河南省", "湖北": "湖北省", "湖南": "湖南省",
    "广东": "广东省", "海南": "海南省", "四川": "四川省", "贵州": "贵州省", "云南": "云南省", "陕西": "陕西省",
    "甘肃": "甘肃省", "青海": "青海省", "台湾": "台湾省", "内蒙古": "内蒙古自治区", "广西": "广西壮族自治区",
    "西藏": "西藏自治区", "宁夏": "宁夏回族自治区", "新疆": "新疆维吾尔自治区", "香港": "香港特别行政区",
    "澳门": "澳门特别行政区",
}  # fmt: skip
"""Provinces by their short names (GB/T 2260)."""
_FULL_NAMES = {**{full: full for full in PROVINCES.values()}, **PROVINCES}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes. In China: province, city, district, street; elsewhere what the country needs."""

    address_id: str
    recipient: str = field(repr=False)
    phone: str = field(repr=False)
    country: str
    province: str | None = field(repr=False)
    city: str = field(repr=False)
    district: str | None = field(repr=False)
    street: str = field(repr=False)
    postcode: str | None = field(repr=False)


def deliverable(address: Address) -> Address:
    """Return the address in its normal form.

    Raises:
        BadAddress: if a field is missing or wrong; names the field, never its value.
    """
    province = _FULL_NAMES.get(address.province or "") if address.country == CHINA else address.province
    number = phone_at(address.phone, address.country, province)
    if number is None:
        raise BadAddress(field="phone")
    if address.country != CHINA:
        return replace(address, phone=number)
    if province is None:
        raise BadAddress(field="province")
    if address.postcode is not None and not re.fullmatch(r"[0-9]{6}", address.postcode):
        raise BadAddress(field="postcode")
    return replace(address, phone=number, province=province)


@dataclass(frozen=True, slots=True)
class AddressBook:
    """All addresses of one account: one small record, so that cap and default hold under any concurrency.

    A book that is not empty has exactly one default. ``fingerprints`` are those of the requests that added them;
    ``deleted`` remembers the last ids that went, so that a late repeat does not bring an address back.
    """

    account_id: str
    addresses: tuple[Address, ...] = ()
    default_id: str | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    held_back: bool = False
    """It is a child's whose guardian has not agreed: nothing is written into it."""
    version: int = 0

    def find(self, address_id: str) -> Address:
        """Return one address.

        Raises:
            NotFound: if it is not in this book.
        """
        for address in self.addresses:
            if address.address_id == address_id:
                return address
        raise NotFound(what="address")

    def to_deliver_to(self, address_id: str) -> Address:
        """Return the address that something is to be sent to.

        Raises:
            NotFound: if it is not in this book.
            GuardianNeeded: if the book is a child's whose guardian has not agreed: it holds none.
        """
        if self.held_back:
            raise GuardianNeeded
        return self.find(address_id)

    def add(self, address: Address, *, fingerprint: str, as_default: bool) -> AddressBook:
        """Add an address; the first one becomes the default.

        Raises:
            AddressBookFull: if the book is full.
            GuardianNeeded: if it is a child's whose guardian has not agreed.
            NotFound: if an address of this id was deleted.
            BadAddress: as :func:`deliverable`.
        """
        if self.held_back:
            raise GuardianNeeded
        if address.address_id in self.deleted:
            raise NotFound(what="address")
        if len(self.addresses) >= ADDRESS_CAP:
            raise AddressBookFull(cap=ADDRESS_CAP)
        return replace(
            self,
            addresses=(*self.addresses, deliverable(address)),
            default_id=address.address_id if as_default or self.default_id is None else self.default_id,
            fingerprints={**self.fingerprints, address.address_id: fingerprint},
        )

    def put(self, address: Address, *, as_default: bool) -> AddressBook:
        """Replace an address. The default stays the default until another becomes it.

        Raises:
            NotFound: if it is not in this book.
            BadAddress: as :func:`deliverable`.
        """
        self.find(address.address_id)
        changed = deliverable(address)
        return replace(
            self,
            addresses=tuple(changed if one.address_id == address.address_id else one for one in self.addresses),
            default_id=address.address_id if as_default else self.default_id,
        )

    def remove(self, address_id: str) -> AddressBook:
        """Take an address out; if it was the default, the oldest one left becomes it.

        Raises:
            NotFound: if it is not in this book.
        """
        self.find(address_id)
        left = tuple(one for one in self.addresses if one.address_id != address_id)
        default_id = self.default_id
        if default_id == address_id:
            default_id = left[0].address_id if left else None
        return replace(
            self,
            addresses=left,
            default_id=default_id,
            fingerprints={key: value for key, value in self.fingerprints.items() if key != address_id},
            deleted=(*self.deleted, address_id)[-_KEPT_DELETED:],
        )


# --- throttles --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``attempts`` in each window. Windows are fixed: across a border twice as many may pass, no more."""

    scope: str
    attempts: int
    window_s: int

    def window(self, now: datetime) -> tuple[int, datetime]:
        """Return the number of the running window and when it ends."""
        number = int(now.timestamp()) // self.window_s
        return number, datetime.fromtimestamp((number + 1) * self.window_s, now.tzinfo)


SIGN_IN_BY_PAIR = Limit("sign-in.pair", attempts=10, window_s=600)
"""Failures for one identity from one network."""
SIGN_IN_BY_PAIR_IN_A_CROWD = Limit("sign-in.pair", attempts=3, window_s=600)
"""The same from a network from which much fails: it may be a campus, so it is not closed."""
SIGN_IN_BY_IDENTITY = Limit("sign-in.identity", attempts=50, window_s=600)
"""Failures for one identity from anywhere; then only a device that it signed in from before gets further."""
SIGN_IN_BY_DEVICE = Limit("sign-in.device", attempts=10, window_s=600)
"""Failures on one known device from one network: who copied its token elsewhere does not stand in its owner's way."""
SIGN_IN_BY_DEVICE_ANYWHERE = Limit("sign-in.device-anywhere", attempts=50, window_s=600)
"""Failures on one known device from anywhere; beyond it counts as a stranger's."""
FAILED_BY_NETWORK = Limit("sign-in.network", attempts=100, window_s=600)
SECOND_STEP = Limit("second-step", attempts=10, window_s=600)
"""Wrong codes for one account from devices that it does not know."""
SECOND_STEP_A_DAY = Limit("second-step.day", attempts=100, window_s=86_400)
"""Of six digits, three of which count at a time: a chance of 0.03 % a day for who knows the password."""
SECOND_STEP_BY_DEVICE = Limit("second-step.device", attempts=10, window_s=600)
PROVE_BY_SESSION = Limit("prove.session", attempts=10, window_s=600)
"""Failures to prove anew who one is, in one session."""
PROVE_BY_ACCOUNT = Limit("prove.account", attempts=50, window_s=600)
SOLVED_IN_VAIN = Limit("sign-in.solved", attempts=0, window_s=600)
"""Wrong passwords for one identity behind a solved challenge: counted for what the next one costs, never refused."""
BITS: tuple[tuple[int, int], ...] = ((0, 18), (8, 20), (32, 22), (128, 23))
"""From so many solved in vain on, a challenge has so many bits: 2^18 digests are a second of a telephone, 2^23 half a
minute. It grows no further: the owner of a name must be able to pay it, too."""


def bits_after(failed: int) -> int:
    """Return how hard the next challenge is."""
    return max(bits for least, bits in BITS if failed >= least)


REGISTER_BY_IDENTITY = Limit("register.identity", attempts=10, window_s=600)
REGISTER_BY_SOURCE = Limit("register.source", attempts=200, window_s=600)
"""Each makes an account or a hash, so there is an end; but a campus registers from one address on the day of a sale."""
REFUSED_ELSEWHERE = Limit("sign-in.elsewhere", attempts=300, window_s=600)
"""Codes and states of QQ and WeChat that were refused, for a network or a known device: each asked somebody else."""
