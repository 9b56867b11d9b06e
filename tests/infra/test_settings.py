"""What a stage's functions are told: each setting of the code, checked, to those that read it and nobody else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra import functions, policies, settings_of, shift
from infra.settings_of import LAPTOP_ONLY, SETTINGS, SettingsError
from tools.release import package

ROOT = Path(__file__).parents[2]


def test_every_setting_the_code_reads_is_known_and_none_beside() -> None:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "chalicelib").rglob("*.py"))
    read = {name for text in texts for name in re.findall(r"[\"'`](BIANDAN_[A-Z0-9_]+)[\"'`]", text)}
    unread = {shift.VARIABLE}  # It is there for its change alone.
    assert read == (settings_of.given() - unread) | LAPTOP_ONLY | set(SETTINGS)


@pytest.mark.parametrize("stage", policies.STAGES)
def test_the_files_of_the_repository_are_in_order(stage: str) -> None:
    settings_of.read(stage)


GOOD: dict[str, Any] = {
    "BIANDAN_ALIPAY_URL": "https://openapi-sandbox.dl.alipaydev.com/gateway.do",
    "BIANDAN_ALIYUN_SMS_URL": "https://dysmsapi.aliyuncs.com",
    "BIANDAN_CARRIER_HUB": "kuaidi100,kdniao",
    "BIANDAN_CARRIER_HUB_OF": "yuantong:kdniao,jd:kuaidi100",
    "BIANDAN_COMPLAINTS": "line:2,day:10",
    "BIANDAN_CONVERSATIONS_A_DAY": 20,
    "BIANDAN_EMAIL": "ses",
    "BIANDAN_EMAIL_FROM": "shop@example.com",
    "BIANDAN_KDNIAO_PLAN": "premium",
    "BIANDAN_KDNIAO_QUESTIONS": 500,
    "BIANDAN_KDNIAO_URL": "https://api.kdniao.com",
    "BIANDAN_KUAIDI100_URL": "https://poll.kuaidi100.com",
    "BIANDAN_MESSAGE_PRICES": "sms:CNY:45000,email:CNY:700",
    "BIANDAN_OUTBOUND_TIMEOUT_S": 3,
    "BIANDAN_PASSKEY_DOMAIN": "shop.example.org",
    "BIANDAN_PASSKEY_ORIGINS": "https://shop.example.org,https://m.shop.example.org",
    "BIANDAN_PAYMENT_ASKING_S": 5,
    "BIANDAN_PAYMENT_ATTEMPTS": "4",
    "BIANDAN_PAYMENT_EARLIER_ASKED": 4,
    "BIANDAN_PAYMENT_QUESTIONS_PER_MINUTE": 6,
    "BIANDAN_PAYMENT_TRIES": 5,
    "BIANDAN_QQWALLET": "on",
    "BIANDAN_QQWALLET_REFUND_URL": "https://qq.example.org",
    "BIANDAN_QQWALLET_URL": "https://qq.example.org",
    "BIANDAN_QQ_GRAPH_URL": "https://graph.qq.com",
    "BIANDAN_QQ_MESSAGES_URL": "https://api.q.qq.com",
    "BIANDAN_QQ_MINI_URL": "https://api.q.qq.com",
    "BIANDAN_QQ_TEMPLATES": "shipped:9f0/keyword1=order/keyword2=shop",
    "BIANDAN_REFUND_ALONE": "CNY:100000,USD:15000",
    "BIANDAN_REFUND_ALONE_A_DAY": "CNY:0",
    "BIANDAN_REGISTRATION": "codes",
    "BIANDAN_SANDBOX_URL": "http://127.0.0.1:9100",
    "BIANDAN_SEALING": "off",
    "BIANDAN_SHIP_WITHIN_HOURS": 48,
    "BIANDAN_SECOND_FACTOR": "operator,merchant_staff",
    "BIANDAN_SIGN_IN": "qq,wechat_mini",
    "BIANDAN_SIGN_IN_RETURNS": "https://shop.example.org/signed-in,https://m.example.org/qq",
    "BIANDAN_SMS": "tencent",
    "BIANDAN_SMS_SIGN": "便单",
    "BIANDAN_SMS_TEMPLATES": "code.zh:1110,code.en:SMS_1111",
    "BIANDAN_STRIPE_URL": "https://stripe.example.org",
    "BIANDAN_TENCENT_SMS_URL": "https://sms.tencentcloudapi.com",
    "BIANDAN_UNPAID_LIMITS": "fresh:5/200/10,network:100/1000",
    "BIANDAN_VERIFIED_PHONE": "on",
    "BIANDAN_WAYBILLS": "kdniao",
    "BIANDAN_WECHAT_MESSAGES_URL": "https://api.weixin.qq.com",
    "BIANDAN_WECHAT_MINI_URL": "https://api.weixin.qq.com",
    "BIANDAN_WECHAT_TEMPLATES": "shipped:TMPL-1_x/character_string1=order/thing2=shop",
    "BIANDAN_WECHATPAY_URL": "https://wx.example.org",
}


def test_every_setting_has_a_good_value() -> None:
    assert set(GOOD) == set(SETTINGS)
    assert settings_of.checked("dev", GOOD) == {name: str(value) for name, value in GOOD.items()}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("BIANDAN_QQWALET", "on", "is no setting"),
        ("BIANDAN_STAGE", "prod", "is said by the stack itself"),
        ("BIANDAN_SECRETS", "auth", "is said by the stack itself"),
        ("BIANDAN_THROTTLE_FACTOR", 100, "is for laptops only"),
        ("AWS_SECRET_ACCESS_KEY", "x", "is no setting"),
        ("BIANDAN_QQWALLET", "yes", "is none of on, off"),
        ("BIANDAN_QQWALLET", True, "is neither a text nor a whole number"),
        ("BIANDAN_PAYMENT_TRIES", 0, "is no whole number"),
        ("BIANDAN_PAYMENT_TRIES", "-1", "is no whole number"),
        ("BIANDAN_PAYMENT_TRIES", 51, "is no whole number"),
        ("BIANDAN_OUTBOUND_TIMEOUT_S", 29, "is no whole number"),
        ("BIANDAN_OUTBOUND_TIMEOUT_S", 1.5, "is neither a text nor a whole number"),
        ("BIANDAN_REFUND_ALONE", "CNY=100000", "does not look like"),
        ("BIANDAN_REFUND_ALONE", "CNY:100000,", "does not look like"),
        ("BIANDAN_REFUND_ALONE", "", "does not look like"),
        ("BIANDAN_UNPAID_LIMITS", "fresh:5/200", "does not look like"),
        ("BIANDAN_COMPLAINTS", "week:3", "does not look like"),
        ("BIANDAN_CARRIER_HUB", "other", "is none of"),
        ("BIANDAN_CARRIER_HUB", "kuaidi100,", "is none of"),
        ("BIANDAN_CARRIER_HUB", "kdniao,kdniao", "names one twice"),
        ("BIANDAN_CARRIER_HUB_OF", "yuantong:other", "does not look like"),
        ("BIANDAN_KDNIAO_QUESTIONS", 0, "is no whole number"),
        ("BIANDAN_SHIP_WITHIN_HOURS", 361, "is no whole number"),
        ("BIANDAN_VERIFIED_PHONE", "yes", "is none of on, off"),
        ("BIANDAN_PASSKEY_DOMAIN", "https://shop.example.org", "is no domain"),
        ("BIANDAN_PASSKEY_DOMAIN", "org", "is no domain"),
        ("BIANDAN_PASSKEY_DOMAIN", "203.0.113.7", "is no domain"),
        ("BIANDAN_PASSKEY_ORIGINS", "https://shop.example.org/", "is no plain origin"),
        ("BIANDAN_PASSKEY_ORIGINS", "http://shop.example.org", "is not https"),
        ("BIANDAN_SECOND_FACTOR", "king", "does not look like"),
        ("BIANDAN_SIGN_IN", "qq,weibo", "does not look like"),
        ("BIANDAN_SIGN_IN_RETURNS", "https://shop.example.org/a,http://evil.example.org/a", "is not https"),
        ("BIANDAN_SIGN_IN_RETURNS", "https://shop.example.org/a?x=1", "is no plain address"),
        ("BIANDAN_SMS", "mailbox", "is none of"),
        ("BIANDAN_SMS_TEMPLATES", "code:1110", "does not look like"),
        ("BIANDAN_WECHAT_TEMPLATES", "shipped:TMPL1", "does not look like"),
        ("BIANDAN_MESSAGE_PRICES", "sms:0.045", "does not look like"),
        ("BIANDAN_EMAIL_FROM", "shop@example.com\r\nBcc: x@example.com", "does not look like"),
        ("BIANDAN_SMS_SIGN", "a sign that is far too long for one", "is no name"),
        ("BIANDAN_STRIPE_URL", "http://stripe.example.org", "is not https"),
        ("BIANDAN_STRIPE_URL", "https://sk_live_1@stripe.example.org", "is no plain address"),
        ("BIANDAN_STRIPE_URL", "https://stripe.example.org/?key=1", "is no plain address"),
        ("BIANDAN_STRIPE_URL", "https://", "is no plain address"),
        ("BIANDAN_STRIPE_URL", "https://[", "is no address"),
        ("BIANDAN_STRIPE_URL", "https://a:99999", "is no address"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_built(name: str, value: Any, why: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"{name} = {json.dumps(value)}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"{name} {why}"):
        settings_of.read("dev", file)


@pytest.mark.parametrize("name", [name for name, value in GOOD.items() if "://" in str(value)])
def test_prod_sends_nothing_in_the_clear(name: str) -> None:
    with pytest.raises(SettingsError, match="is not https"):
        settings_of.checked("prod", {name: "http://127.0.0.1:9100"})


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("BIANDAN_QQWALLET on", encoding="utf-8")
    for name in ("bad.toml", "none.toml"):
        with pytest.raises(SettingsError, match=f"{name} cannot be read"):
            settings_of.read("dev", tmp_path / name)


def test_a_setting_reaches_the_functions_that_read_it_alone() -> None:
    found = package.sam_template("dev", settings_of.checked("dev", GOOD))["Resources"]
    told = {
        properties["FunctionName"].removeprefix("biandan-dev-"): set(properties["Environment"]["Variables"])
        for properties in (part["Properties"] for part in found.values() if part["Type"] == "AWS::Serverless::Function")
        if "Environment" in properties
    }
    everybody = {functions.lambda_name(name) for name in functions.FUNCTIONS}
    paying = {functions.lambda_name(name) for name, f in functions.FUNCTIONS.items() if "payments-*" in f.secrets}
    readers = {name: {who for who in everybody if name in told.get(who, set())} for name in SETTINGS}

    assert readers["BIANDAN_QQWALLET"] == readers["BIANDAN_STRIPE_URL"] == paying
    assert readers["BIANDAN_REFUND_ALONE"] == readers["BIANDAN_COMPLAINTS"] == {"api"}
    assert readers["BIANDAN_CARRIER_HUB"] == {"api", "logistics"}
    assert readers["BIANDAN_SMS"] == readers["BIANDAN_EMAIL"] == {"api", "telling", "notifications"}
    assert readers["BIANDAN_SMS_TEMPLATES"] == readers["BIANDAN_WECHAT_TEMPLATES"] == readers["BIANDAN_SMS"]
    assert readers["BIANDAN_TENCENT_SMS_URL"] == {"notifications"}
    assert not any("relay" in who or "ledger" in who for who in readers.values())
    assert all(readers.values())
    assert not told.get("relay", set()) & set(SETTINGS)
