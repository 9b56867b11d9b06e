"""Numbers and addresses of everywhere: one form each, or refused; never somebody else's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chalicelib.auth import domain
from chalicelib.auth.mailboxes import mailbox
from chalicelib.auth.phones import phone, phone_at


@pytest.mark.parametrize(
    ("country", "text", "number"),
    [
        ("US", "(415) 555-0100", "+14155550100"), ("US", "1 415 555 0100", "+14155550100"),
        ("US", "415.555.0100", "+14155550100"), ("US", "011 86 138 0013 8000", "+8613800138000"),
        ("CA", "(416) 555-0123", "+14165550123"), ("GB", "020 7946 0958", "+442079460958"),
        ("GB", "+44 (0)20 7946 0958", "+442079460958"), ("GB", "0044 20 7946 0958", "+442079460958"),
        ("DE", "030 1234567", "+49301234567"), ("DE", "030/1234567", "+49301234567"),
        ("DE", "0151 23456789", "+4915123456789"), ("JP", "090-1234-5678", "+819012345678"),
        ("JP", "03-1234-5678", "+81312345678"), ("JP", "０９０−１２３４−５６７８".replace("−", "-"), "+819012345678"),
        ("KR", "010-1234-5678", "+821012345678"), ("FR", "06 12 34 56 78", "+33612345678"),
        ("IT", "06 698 12345", "+390669812345"), ("HK", "9123 4567", "+85291234567"),
        ("MO", "6612 3456", "+85366123456"),
        ("TW", "0912 345 678", "+886912345678"), ("TW", "02-2345-6789", "+886223456789"),
        ("SG", "6123 4567", "+6561234567"), ("AU", "0412 345 678", "+61412345678"),
        ("AU", "0011 86 13800138000", "+8613800138000"), ("BR", "(11) 91234-5678", "+5511912345678"),
        ("US", "+86 138 0013 8000", "+8613800138000"), ("US", "0086 138 0013 8000", "+8613800138000"),
        ("CN", "138 0013 8000", "+8613800138000"), ("CN", "0755-1234 5678", "+8675512345678"),
        ("CN", "010-1234 5678", "+861012345678"), ("CN", "+86 010 1234 5678", "+861012345678"),
        ("CN", "00 1 415 555 0100", "+14155550100"), ("CN", "+852 9123 4567", "+85291234567"),
        ("XX", "+49 30 1234567", "+49301234567"),
        ("JP", "０９０−１２３４−５６７８", "+819012345678"), ("JP", "090ー1234ー5678", "+819012345678"),
        ("US", "\u202a+1 (415) 555-0100\u202c", "+14155550100"), ("US", "415\u2212555\u00b70100", "+14155550100"),
        ("CN", "\u202d138 0013 8000\u202c", "+8613800138000"), ("TW", "0912\u2011345\u200b678\ufeff", "+886912345678"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_its_country_reads_it(country: str, text: str, number: str) -> None:
    assert phone(text, country) == number
    assert phone(number, country) == number


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("US", "555-0100"), ("US", "123 456 7890"), ("US", "13800138000"), ("US", "1-800-FLOWERS"), ("US", "911"),
        ("GB", "0000 000 0000"), ("GB", "13800138000"), ("DE", "0000"), ("JP", "1234567"), ("HK", "13800138000"),
        ("HK", "1234 5678"), ("HK", "+86 9123 4567"), ("TW", "+86 912 345 678"), ("CN", "9123 4567"), ("CN", "12345"),
        ("CN", "12800138000"), ("CN", "+1 123 456 7890"), ("CN", "+999 1234567"), ("XX", "0301234567"),
        ("UK", "020 7946 0958"),
        ("US", ""), ("US", "+"), ("US", "phone"), ("JP", "٠٩٠١٢٣٤٥٦٧٨"), ("US", "415 555 0100 ext. 12"),
        ("US", "4155550100" * 9),
    ],
)  # fmt: skip
def test_a_number_that_nobody_has_there_is_refused(country: str, text: str) -> None:
    assert phone(text, country) is None


@pytest.mark.parametrize(
    ("province", "text", "number"),
    [
        ("香港特别行政区", "9123 4567", "+85291234567"), ("澳门特别行政区", "6612 3456", "+85366123456"),
        ("台湾省", "02-2345-6789", "+886223456789"), ("台湾省", "138 0013 8000", "+8613800138000"),
        ("香港特别行政区", "0755-12345678", None), ("广东省", "0755-12345678", "+8675512345678"),
        ("广东省", "9123 4567", None), (None, "138 0013 8000", "+8613800138000"),
    ],
)  # fmt: skip
def test_provinces_with_a_country_code_of_their_own(province: str | None, text: str, number: str | None) -> None:
    assert phone_at(text, "CN", province) == number


def test_numbers_of_the_mainland_need_no_library() -> None:
    code = "import sys; from chalicelib.auth.domain import identity; identity('13800138000'); identity('a@b.cn')"
    code += "; print('phonenumbers' in sys.modules, 'idna' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False False"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a@fa\u00df.example", "a@xn--fa-hia.example"), ("a@FA\u1e9e.example", "a@xn--fa-hia.example"),
        ("a@xn--fa-hia.example", "a@xn--fa-hia.example"), ("a@XN--FA-HIA.example", "a@xn--fa-hia.example"),
        ("a@fass.example", "a@fass.example"), ("a@\u03bf\u03b4\u03bf\u03c2.example", "a@xn--pxavbm.example"),
        ("a@\u039f\u0394\u039f\u03a3.example", "a@xn--pxavbq.example"),
        ("wang@例子.公司", "wang@xn--fsqu00a.xn--55qx5d"),
        ("wang@例子\u3002公司", "wang@xn--fsqu00a.xn--55qx5d"), ("a@B\u00dcCHER.example", "a@xn--bcher-kva.example"),
        ("a@bu\u0308cher.example", "a@xn--bcher-kva.example"),
        ("ａ＠ｂ．ｃｎ", "a@b.cn"), (" Ada@Example.COM ", "ada@example.com"), ("a@ab--cd.example", "a@ab--cd.example"),
    ],
)  # fmt: skip
def test_a_mailbox_has_its_own_form(text: str, form: str) -> None:
    assert domain.identity(text).value == form
    assert mailbox(form) == form


@pytest.mark.parametrize(
    "text",
    [
        "a@ma\u200dn.example", "a@ma\u200cn.example", "a@\u0915\u094d\u200d\u0937.example",
        "a@xn--11b2ezcw70k.example",
        "a@\ufb01sh.example", "a@\u212aelvin.example", "\u212aelvin@example.com", "\ufb01sh@example.com",
        "a@\u2460.example",
        "a@xn--zz.example", "a@xn--.example", "a@\u263a.example", "a@\u0301a.example", "\u00e4@example.com",
        "a@b\u00ad.example",
        "a@\u0130.example\u200b", "a@example.com.", "a@.example", "a@\u3002example", "a@fa\u00df",
        "a\u200d@example.com",
        "a@" + "\u00fc" * 64 + ".example", "a@a\u00df--b\u00df.example_", "a\ufe6bexample.com",
        "a@xn--a\u00df-x.example",
        "a@127.0.0.10", "a@example.12", "a@１０.０.０.１１", "a@127.0.0.0x10", "a@example.0x",
    ],
)  # fmt: skip
def test_what_could_be_taken_for_another_mailbox_is_refused(text: str) -> None:
    with pytest.raises(domain.BadIdentity):
        domain.identity(text)
