"""What a person may be asked to agree to, in words, edition by edition. Pure data.

One purpose is one question: nothing is bundled, and nothing that the contract needs stands here, for that needs no
consent and cannot be refused. Words change only by a new edition, which asks again; a test holds each edition to its
digest. A shop that processes something on consent adds its purpose here, and asks ``service.may`` where it does so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chalicelib.kernel.texts import Texts


@dataclass(frozen=True, slots=True)
class Edition:
    """The words of a purpose, as they were shown since a version."""

    title: Texts
    text: Texts

    @property
    def digest(self) -> str:
        """Return what tells these words from all others."""
        return hashlib.sha256("\n".join((*self.title, *self.text)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Purpose:
    """One question, and all the words it was ever asked in, oldest first: version 1 is the first."""

    name: str
    editions: tuple[Edition, ...]
    sensitive: bool = False
    """About sensitive personal information (PIP 28, 29): asked apart from everything, on a page of its own."""

    @property
    def version(self) -> int:
        """Return the version that is in force."""
        return len(self.editions)

    @property
    def edition(self) -> Edition:
        """Return the words that are in force."""
        return self.editions[-1]


MARKETING = "marketing_messages"
PERSONALISATION = "personalisation"

PURPOSES: dict[str, Purpose] = {
    purpose.name: purpose
    for purpose in (
        Purpose(
            MARKETING,
            (
                Edition(
                    ("Messages about offers", "接收营销信息"),
                    (
                        (
                            "The shop may write to you about offers and news, by e-mail or text message. You may "
                            "withdraw this at any time, as easily as you give it; messages about your orders come all "
                            "the same."
                        ),
                        "同意本店通过邮件或短信向您发送优惠与新品信息。您可随时撤回，撤回与同意同样便捷；订单相关通知不受影响。",
                    ),
                ),
            ),
        ),
        Purpose(
            PERSONALISATION,
            (
                Edition(
                    ("Goods picked for you", "个性化推荐"),
                    (
                        (
                            "What you bought and put into your cart may decide which goods a storefront shows you "
                            "first. Prices never depend on it. Without it you see what everybody sees."
                        ),
                        "同意根据您的购买与加购记录调整商品展示顺序；价格不受其影响。不同意则展示与其他人相同的内容。",
                    ),
                ),
            ),
        ),
    )
}
