"""What shipping and correcting refuse, in both languages. Pure."""

from __future__ import annotations

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.logistics.carriers import CARRIERS


class WrongDelivery(ShopError):
    """A parcel for what is delivered digitally, or the other way round."""

    code, status = "wrong_delivery", 422
    en = "Line {line_id} is {kind}: physical goods need a carrier, other goods are delivered digitally."
    zh = "订单行 {line_id} 类型为 {kind}：实物商品须填写快递，其他商品以数字方式交付。"
    shown = ("line_id", "kind")
    texts_of = {  # noqa: RUF012
        "kind": {
            "physical": ("a physical item", "实物商品"),
            "virtual": ("a virtual item", "虚拟商品"),
            "service": ("a service", "服务"),
        }
    }


class UnknownCarrier(ShopError):
    """No carrier of ours has this code."""

    code, status = "unknown_carrier", 422
    en, zh = "There is no carrier {carrier}; see /v1/carriers.", "没有快递公司 {carrier}，可用列表见 /v1/carriers。"
    shown = ("carrier",)


class PhoneNeeded(ShopError):
    """The carrier tells nothing without four digits of a phone number, and we know none."""

    code, status = "phone_needed", 422
    en = "{carrier} needs the last four digits of the sender's or the recipient's phone."
    zh = "{carrier} 需要寄件人或收件人手机号后四位。"
    shown = ("carrier",)
    texts_of = {  # noqa: RUF012
        "carrier": {
            **{code: (carrier.en, carrier.zh) for code, carrier in CARRIERS.items()},
            "": ("This carrier", "该快递公司"),
        }
    }


class TrackingNumberUsed(Conflict):
    """The same parcel twice. ``shipment_id`` is told where the other shipment is of the same order."""

    code = "tracking_number_used"
    en = "Another shipment has that tracking number; if the carrier gave it out again, the platform can release it."
    zh = "该运单号已被其他发货单使用；如系快递公司重复使用单号，请联系平台核实释放。"
    shown = ("shipment_id",)


class NumberSettled(Conflict):
    """A number is corrected only before its parcel was seen, and not for ever."""

    code = "number_settled"
    en = "The tracking number of this shipment can no longer be changed."
    zh = "该发货单的运单号已不能修改。"


class TooManyShipments(Conflict):
    """An order takes only so many parcels."""

    code = "too_many_shipments"
    en, zh = "An order takes at most {most} shipments.", "一个订单最多 {most} 个发货单。"
    shown = ("most",)


class CodeAlreadyGiven(Conflict):
    """A digital code belongs to one order line only."""

    code = "code_already_given"
    en, zh = "This code was given to another order.", "该兑换码已发给其他订单。"
