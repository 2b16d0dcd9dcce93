"""Messages that gateways sent by themselves: kept before anything is done about them.

Decided here: that a message counts once, when it is looked at (again), and when it is given up. It
is stored as the few facts that were read of it: ids, an outcome, an amount. The body as it came is
not kept: it may hold names and addresses that nobody here needs. Never here: what it means.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.disputes import DisputeSnapshot
from subscriptions.errors import InvalidTransition
from subscriptions.frozen import frozen
from subscriptions.ids import InboundId, derived_id
from subscriptions.payments import PaymentSnapshot
from subscriptions.records import Column, ColumnType, Kind, evolve
from subscriptions.refunds import RefundSnapshot

# A message may overtake what it is about; after that it is a matter of hours and days.
WAITS = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))

GIVE_UP_AFTER = timedelta(days=3)
"""For how long a message about something unknown is tried again, before a person must look."""


@frozen
class Waiting:
    """It is looked at at `process_at`; `tries` times what it is about was not known."""

    process_at: datetime
    tries: int = 0


@frozen
class Processed:
    """It had its effect, which may be none: a message is a hint, and others may have come first."""

    at: datetime


@frozen
class Ignored:
    """It is about nothing of ours, or of a type that nobody here reads."""

    at: datetime
    reason: str


@frozen
class Unmatched:
    """What it is about was not known for days; a person must look at it."""

    since: datetime


@frozen
class Pruned:
    """It was over long ago: what it said is not kept, only that it came."""

    at: datetime


InboundState: TypeAlias = Waiting | Processed | Ignored | Unmatched | Pruned

STATUS: dict[type[InboundState], str] = {
    Waiting: "waiting",
    Processed: "processed",
    Ignored: "ignored",
    Unmatched: "unmatched",
    Pruned: "pruned",
}


@frozen
class Inbound:
    """One message of a gateway: the gateway's own id of it, what it said, what became of it.

    `swept` says that it is not a message but a finding of a sweep through the gateway's list.
    """

    id: InboundId
    tenant: str
    version: int
    gateway: str
    event: str
    type: str
    received_at: datetime
    state: InboundState
    payment: PaymentSnapshot | None = None
    refund: RefundSnapshot | None = None
    swept: bool = False
    parked: str | None = None
    dispute: DisputeSnapshot | None = None

    @property
    def status(self) -> str:
        """One word: waiting, processed, ignored, unmatched or pruned."""
        return STATUS[type(self.state)]

    @property
    def due_at(self) -> datetime | None:
        """When it is to be looked at; None once it was, or was given up."""
        if self.parked is not None:
            return None
        match self.state:
            case Waiting(process_at=at):
                return at
            case Processed() | Ignored() | Unmatched() | Pruned():
                return None
            case other:
                assert_never(other)

    @property
    def empty(self) -> bool:
        """Whether it says nothing that could have an effect."""
        return self.payment is None and self.refund is None and self.dispute is None


def inbound_id(tenant: str, gateway: str, event: str) -> InboundId:
    """Derive the id of a message from the gateway's own: it comes again with the same."""
    return InboundId(derived_id("in", tenant, gateway, event))


def received(message: Inbound, *, at: datetime) -> Change:
    """Decide to keep a new message; what says nothing is ignored at once."""
    state: InboundState = Waiting(at)
    if message.empty:
        state = Ignored(at, "not about a payment, a refund or a dispute")
    return created(INBOUND, evolve(message, state=state))


def processed(message: Inbound, *, at: datetime) -> Change:
    """Decide that a message had its effect, in the same commit as that."""
    return _moved(message, Processed(at))


def ignored(message: Inbound, *, reason: str, at: datetime) -> Change:
    """Decide that a message is about nothing of ours."""
    return _moved(message, Ignored(at, reason))


def waits(message: Inbound, *, at: datetime) -> Change:
    """Decide to look again later, as what it is about is not known; or to give up after days."""
    tries = message.state.tries + 1 if isinstance(message.state, Waiting) else 1
    if at - message.received_at >= GIVE_UP_AFTER:
        return _moved(message, Unmatched(at))
    return _moved(message, Waiting(at + WAITS[min(tries, len(WAITS)) - 1], tries))


def again(message: Inbound, *, at: datetime) -> Change:
    """Decide to look at a message now, whatever became of it: to have it twice does no harm.

    Raises `InvalidTransition` for one that says nothing (any more).
    """
    if message.empty:
        raise InvalidTransition(f"inbound {message.id}", message.status, "replay")
    tries = message.state.tries if isinstance(message.state, Waiting) else 0
    after = evolve(message, state=Waiting(at, tries), parked=None, version=message.version + 1)
    return changed(INBOUND, message, after)


def pruned(message: Inbound, *, at: datetime) -> Change:
    """Decide to keep of a message only that it came, so that it still counts once."""
    after = evolve(
        message,
        payment=None,
        refund=None,
        dispute=None,
        state=Pruned(at),
        version=message.version + 1,
    )
    return changed(INBOUND, message, after)


def _moved(message: Inbound, state: InboundState) -> Change:
    return changed(INBOUND, message, evolve(message, state=state, version=message.version + 1))


INBOUND = Kind(
    "inbound",
    Inbound,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda m: m.due_at),
        Column("gateway", ColumnType.TEXT, lambda m: m.gateway),
        Column("event", ColumnType.TEXT, lambda m: m.event, indexed=False),
        Column("type", ColumnType.TEXT, lambda m: m.type, indexed=False),
        Column("status", ColumnType.TEXT, lambda m: m.status),
        Column("received_at", ColumnType.INSTANT, lambda m: m.received_at),
    ),
    unique=(("gateway", "event"),),
)
