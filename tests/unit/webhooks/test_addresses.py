"""Which addresses a merchant may name, and which addresses of the network are called."""

from __future__ import annotations

import pytest

from chalicelib.runtime import outside
from chalicelib.webhooks import addresses


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://hooks.example.com/biandan?shop=1", ""),
        ("https://hooks.example.com:443/", ""),
        ("https://xn--fiqs8s.example.xn--fiqs8s/", ""),
        ("http://hooks.example.com/", "not_https"),
        ("ftp://hooks.example.com/", "not_https"),
        ("https://hooks.example.com:8443/", "not_the_usual_port"),
        ("https://hooks.example.com:0/", "not_the_usual_port"),
        ("https://hooks.example.com:99999/", "not_an_address"),
        ("https://user:word@hooks.example.com/", "holds_a_password"),
        ("https://@hooks.example.com/", "holds_a_password"),
        ("https://hooks.example.com/#part", "holds_a_fragment"),
        ("https://hooks.example.com\\@10.0.0.1/", "not_an_address"),
        ("https://hooks.example.com/ ", "not_an_address"),
        ("https://hooks.example.com/\r\nx: y", "not_an_address"),
        ("https://钩子.example.com/", "not_an_address"),
        ("https://" + "a" * 500 + ".example.com/", "not_an_address"),
        ("https://203.0.113.7/", "not_a_public_name"),
        ("https://2130706433/", "not_a_public_name"),
        ("https://0x7f.1/", "not_a_public_name"),
        ("https://127.1/", "not_a_public_name"),
        ("https://[::1]/", "not_a_public_name"),
        ("https://localhost/", "not_a_public_name"),
        ("https://hooks/", "not_a_public_name"),
        ("https://hooks.example.com./", "not_a_public_name"),
        ("https://metadata.google.internal/", "not_a_public_name"),
        ("https://shop.local/", "not_a_public_name"),
        ("https://-a.example.com/", "not_a_public_name"),
        ("http://127.0.0.1:9999/", "not_https"),
    ],
)
def test_what_is_wrong_with_an_address(url: str, fault: str) -> None:
    assert addresses.fault(url, on_a_laptop=False) == fault


def test_a_laptop_tells_itself_and_nobody_else_without_tls() -> None:
    assert not addresses.fault("http://127.0.0.1:9999/hooks", on_a_laptop=True)
    assert addresses.fault("http://user@127.0.0.1:9999/", on_a_laptop=True) == "holds_a_password"
    assert addresses.fault("http://10.0.0.1/", on_a_laptop=True) == "not_https"


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"])
def test_what_the_whole_world_reaches(text: str) -> None:
    assert outside.is_public(text)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "no address",
    ],
)
def test_what_it_does_not_reach(text: str) -> None:
    assert not outside.is_public(text)
