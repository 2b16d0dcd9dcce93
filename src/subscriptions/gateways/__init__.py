"""The gateway port: what the engine asks of whoever moves the money.

A gateway answers business questions with values. It never raises for a decline; it raises
`GatewayError` for nothing but a defect, which the engine treats as silence. The order of a charge
is fixed: the intent is committed, the gateway is called outside of every transaction, the answer is
committed. `subscriptions.testing.GatewayLaws` tells an author when an adapter is done.

The protocol does not grow. A new ability is a new small protocol beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import field

from subscriptions.disputes import DisputeSnapshot
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Currency, Money
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import CaptureIntent, ChargeIntent, PaymentSnapshot
from subscriptions.refunds import RefundIntent, RefundSnapshot

WINDOW_MIN = timedelta(hours=2)
"""A gateway that forgets keys sooner could not be asked again with safety."""


@frozen
class Capabilities:
    """What a gateway can do, as a value.

    `replay_window` is how long it remembers an idempotency key: inside it a replay is a question,
    past it a replay would be a second charge. `collects` is False for a gateway whose money the
    customer sends (a bank transfer): it is never asked to charge. `in_flight_max` is how many
    charges may be under way at once.

    The rest is for a gateway that `Authorizes`: whether a part of what is held may be captured,
    whether more than one capture is possible, and how long an authorisation is good at least.

    `minimums` are the least amounts that it charges, one for each currency that has one.
    """

    replay_window: timedelta = timedelta(hours=24)
    collects: bool = True
    in_flight_max: int = 1
    partial_capture: bool = False
    multi_capture: bool = False
    authorization_validity: timedelta | None = None
    minimums: tuple[Money, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.in_flight_max < 1:
            raise ValidationError("in_flight_max", self.in_flight_max, "at least 1")
        if self.collects and self.replay_window < WINDOW_MIN:
            raise ValidationError("replay_window", self.replay_window, f"at least {WINDOW_MIN}")

    def minimum_minor(self, currency: Currency) -> int:
        """Return the least amount that it charges in a currency, in minor units; at least one."""
        for amount in self.minimums:
            if amount.currency == currency:
                return amount.minor
        return 1


@frozen
class Found:
    """The gateway has the attempt; `snapshot` is what it says of it."""

    snapshot: PaymentSnapshot


@frozen
class AbsentForSure:
    """The gateway has never had the attempt, as of an instant that allows for its own delays."""

    as_of: datetime


@frozen
class CannotTell:
    """The gateway cannot say, or does not answer; the engine asks again later, without end."""

    reason: str = ""


@frozen
class FoundRefund:
    """The gateway has the refund; `snapshot` is what it says of it."""

    snapshot: RefundSnapshot


Reconciled: TypeAlias = Found | AbsentForSure | CannotTell
ReconciledRefund: TypeAlias = FoundRefund | AbsentForSure | CannotTell


class WebhookRefused(Exception):
    """A webhook is not genuine, too old or unreadable; it must have no effect (HTTP 400)."""


@frozen
class Secret:
    """A secret of a webhook endpoint; it does not show itself in a `repr`."""

    value: str = field(repr=False)


@frozen
class GatewayEvent:
    """A verified message of a gateway: a hint, which is merged and may come twice.

    `id` is the gateway's own id of the message. `snapshot` is None for messages that are not about
    a payment, `refund` for those that are not about a refund, `dispute` for those that are not
    about a dispute. That a debit fails after it had succeeded is told as a dispute, of kind
    `RETURN`: a decline would be an older word, and a success wins.
    """

    id: str
    type: str
    snapshot: PaymentSnapshot | None
    refund: RefundSnapshot | None = None
    dispute: DisputeSnapshot | None = None


class PaymentGateway(Protocol):
    """What an adapter implements; each docstring is a law of the kit."""

    @property
    def capabilities(self) -> Capabilities:
        """What the gateway can do; it never changes while the process runs."""
        ...

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Charge a method, at most once for each key within the replay window.

        The same intent again returns the first answer and moves no money. The answer carries the
        intent's amount and `attempt_id`. A refused connection is `NOT_EXECUTED`; any failure after
        the first byte was sent (time-out, 5xx, conflict in progress) is `UNKNOWN`, never a decline.
        """
        ...

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Make sure that an attempt which waits for the customer takes no money any more.

        Returns `DECLINED_SOFT` with code `voided` when that is sure, the real outcome if the money
        moved before, `UNKNOWN` in silence.
        """
        ...

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Say what became of an attempt, without moving money.

        `AbsentForSure` needs proof (a complete list that is newer than the call plus its time-out
        plus the gateway's own delay); a mere "not found" of a search is `CannotTell`.
        """
        ...

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        """Exchange a token for a method; raises `ValidationError` for an unknown token."""
        ...

    def detach(self, method_ref: str, /) -> None:
        """Forget a method; an unknown one is no error."""
        ...

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List every charge that carries our metadata and is not older than `instant`.

        Each with its `attempt_id`, and with the `tenant` and the `invoice` of its metadata, so that
        a sweep knows whose it is. It is read as it comes, and may be long.
        """
        ...

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        """Verify a message on its raw bytes, then read it; raises `WebhookRefused`.

        Constant-time comparison, every given secret is tried, at most 300 s of clock difference
        either way. Hostile headers are refused, never a crash.
        """
        ...


@runtime_checkable
class Refunds(Protocol):
    """A gateway that can give money back; one that cannot does not have these methods."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        """Give back a part of a charge, at most once for each key within the replay window.

        The same intent again returns the first answer and moves no money. The answer carries the
        intent's amount and `refund_id`. What the gateway refuses, such as more than was charged, is
        `FAILED`, never raised; silence is `UNKNOWN`, a refused connection `NOT_EXECUTED`.
        """
        ...

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        """Say what became of a refund, without moving money; `AbsentForSure` needs proof."""
        ...


@runtime_checkable
class Authorizes(Protocol):
    """A gateway that can hold an amount first and take it later.

    What is not certain of an authorisation is asked by `reconcile`, and what waits for the customer
    is stopped by `void`, as of a charge. Its snapshots say `expires_at` and `capturable`.
    """

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Hold an amount, at most once for each key within the replay window; take no money.

        `AUTHORIZED` says that it is held, until `expires_at`. All else is as of `charge`.
        """
        ...

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        """Take what is held or a part of it, at most once for each key within the replay window.

        The same intent again returns the first answer and moves no money. The answer carries the
        intent's amount and `attempt_id`. Never more than is held is taken: what the gateway refuses
        is declined, with code `authorization_expired` if it comes too late. Afterwards `reconcile`
        of the authorisation finds `SUCCEEDED` with what was captured.
        """
        ...

    def release(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Make sure that nothing more is held; what was captured stays captured.

        Returns `DECLINED_SOFT` with code `voided` if nothing was captured, `SUCCEEDED` with what
        was, and a `capturable` of zero; `UNKNOWN` in silence. Again it returns the same.
        """
        ...


@runtime_checkable
class ReportsDisputes(Protocol):
    """A gateway that can list disputes and debits that came back; a sweep asks it.

    One that cannot tells of them by its messages alone, and what gets lost stays lost.
    """

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        """List every dispute of our charges that changed at or after `instant`, as it stands now.

        Each names its payment by our `attempt_id`, or by the reference of its charge.
        """
        ...


@runtime_checkable
class FollowsTime(Protocol):
    """A gateway that models time, such as a scripted one: a run tells it how far it has come."""

    def at(self, instant: datetime, /) -> None:
        """Let the gateway's time go on to an instant; never back."""
        ...


@runtime_checkable
class ChecksTokens(Protocol):
    """A gateway that can say whether a token is good without taking it: a dry run asks it."""

    def check_token(self, token: str, /) -> None:
        """Raise `ValidationError` for what `attach` would refuse; nothing is changed."""
        ...
