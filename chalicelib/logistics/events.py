"""Facts about shipments."""

from __future__ import annotations

from datetime import datetime

from chalicelib.kernel.events import Event


class ShipmentCreated(Event, frozen=True, tag="shipment.created"):
    """A merchant handed units over: to a carrier, or digitally to the buyer."""

    order_id: str
    shipment_id: str

    @property
    def subject(self) -> str:
        """The shipment."""
        return self.shipment_id


class ShipmentProgressed(Event, frozen=True, tag="shipment.progressed"):
    """The parcel is in another state since ``at``, the carrier's time."""

    order_id: str
    shipment_id: str
    status: str
    at: datetime

    @property
    def subject(self) -> str:
        """The shipment, its state and since when: a parcel may come back to a state."""
        return f"{self.shipment_id}#{self.status}#{int(self.at.timestamp())}"


class ShipmentDelivered(Event, frozen=True, tag="shipment.delivered"):
    """The buyer has it: the parcel was signed for, or its goods were delivered digitally. Told once."""

    order_id: str
    shipment_id: str
    delivered_at: datetime

    @property
    def subject(self) -> str:
        """The shipment."""
        return self.shipment_id


class ShipmentReturned(Event, frozen=True, tag="shipment.returned"):
    """The parcel is back at its sender: the buyer does not have what was in it, or no longer has. Told once."""

    order_id: str
    shipment_id: str

    @property
    def subject(self) -> str:
        """The shipment."""
        return self.shipment_id


class ShipmentLost(Event, frozen=True, tag="shipment.lost"):
    """The parcel went missing after it was last seen, or shipped, ``last_seen_at``: its units are with nobody."""

    order_id: str
    shipment_id: str
    last_seen_at: datetime

    @property
    def subject(self) -> str:
        """The shipment and since when: it may be found, and lost again."""
        return f"{self.shipment_id}#{int(self.last_seen_at.timestamp())}"


class ShipmentCorrected(Event, frozen=True, tag="shipment.corrected"):
    """The merchant named another tracking number for a parcel that nobody had seen yet."""

    order_id: str
    shipment_id: str
    correction: int

    @property
    def subject(self) -> str:
        """The shipment and which correction it was."""
        return f"{self.shipment_id}#{self.correction}"


class ShipmentTurnedBack(Event, frozen=True, tag="shipment.turned_back"):
    """The parcel was refused, or is on its way back, or back, since ``at``, the carrier's time."""

    order_id: str
    shipment_id: str
    at: datetime

    @property
    def subject(self) -> str:
        """The shipment and since when: it may set out again."""
        return f"{self.shipment_id}#{int(self.at.timestamp())}"


class ReturnParcelSent(Event, frozen=True, tag="shipment.return_sent"):
    """A parcel of a return was handed to a carrier: what goes back, or what replaces it."""

    return_id: str
    order_id: str
    shipment_id: str

    @property
    def subject(self) -> str:
        """The shipment."""
        return self.shipment_id


class ReturnParcelMoved(Event, frozen=True, tag="shipment.return_moved"):
    """A parcel of a return arrived, or (not ``arrived``) turned back, ``at`` the carrier's time."""

    return_id: str
    order_id: str
    shipment_id: str
    arrived: bool
    at: datetime

    @property
    def subject(self) -> str:
        """The shipment, what happened and since when."""
        return f"{self.shipment_id}#{self.arrived:d}#{int(self.at.timestamp())}"


class TrackingPushed(Event, frozen=True, tag="tracking.pushed"):
    """A hub's genuine push on its way to be read: what was signed, as it came.

    The exception to "ids only": the push must be durable before it is acknowledged, and what a carrier wrote may name
    a courier. ``payload`` is cut off nowhere else than in the queue, whose messages live 14 days at most.
    """

    provider: str
    payload: str
    packed: bool = False
    """Whether the payload is compressed (zlib, base 64), because it was too long for a message."""
    shipment_id: str = ""
    """The shipment of the address it was pushed to, for hubs that push one at a time."""
    digest: str = ""

    @property
    def subject(self) -> str:
        """This very content for this shipment: the hub's repeats of a push have the same name."""
        return f"{self.provider}#{self.shipment_id}#{self.digest}"
