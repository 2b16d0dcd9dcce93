"""What the author of an adapter arranges, and what the laws of a gateway are told with.

The kit sees money only through `list_since`, as the engine does. A law whose circumstances the
author does not arrange fails, and says which method it wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NoReturn

import pytest

from subscriptions.frozen import frozen
from subscriptions.gateways import Found, GatewayEvent, PaymentGateway, Secret, WebhookRefused
from subscriptions.ids import PaymentId, derived_id, gateway_key
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.refunds import RefundIntent
from subscriptions.testing.kits import Laws, Need

# Lists are asked from well before the charge: the two clocks differ.
SKEW = timedelta(minutes=10)
DECLINES = (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)


@frozen
class SignedMessage:
    """A genuine webhook, as it would arrive, and the secret that it was signed with."""

    raw: bytes
    headers: Mapping[str, str]
    secret: Secret
    sent_at: datetime


@frozen
class Intents:
    """Makes the intents of one law: equal arguments make equal intents."""

    method_ref: str
    customer_ref: str
    unique: str
    at: datetime
    amount: Money

    def __call__(self, ordinal: int = 1, *, amount: Money | None = None) -> ChargeIntent:
        """Return the intent of the `ordinal`-th attempt on the law's only invoice."""
        attempt = PaymentId(derived_id("pay", self.unique, str(ordinal)))
        metadata = {"tenant": "laws", "attempt": attempt, "invoice": f"inv_{self.unique}"}
        return ChargeIntent(
            attempt,
            gateway_key("laws", "charge", attempt),
            amount if amount is not None else self.amount,
            self.method_ref,
            self.customer_ref,
            metadata,
            self.at,
        )


COLLECTS = Need(
    lambda gateway: gateway.capabilities.collects,
    "not applicable: the customer sends the money, and nothing is charged",
)
IS_SENT = Need(
    lambda gateway: not gateway.capabilities.collects, "not applicable: the gateway collects"
)


class Circumstances(Laws, kit=True):
    """The circumstances of the laws, and the two that are about the kit itself.

    Which laws apply is what the gateway says of itself: by its `capabilities`, and by the small
    protocols that it implements. The author says how many there are, so that a law which no longer
    applies, for a method was renamed, is noticed.
    """

    # ---- what the author gives --------------------------------------------------------------

    applied: ClassVar[int] = 0
    """How many laws apply to the gateway."""
    token: ClassVar[str] = ""
    """A token whose method can be charged."""
    unknown_token: ClassVar[str] = "tok_that_nobody_issued"  # noqa: S105 - it opens nothing
    """A token that the gateway does not know."""
    customer_ref: ClassVar[str] = "cus_laws"
    """The customer to whom methods are attached."""
    amounts: ClassVar[tuple[Money, ...]] = (
        Money.of("19.99", "EUR"),
        Money.of("0.01", "EUR"),
        Money.of("123456.78", "USD"),
    )
    """Amounts that the gateway takes; the first is charged where the amount does not matter."""
    least: ClassVar[Money] = Money.of("0.01", "EUR")
    """The least amount that the gateway takes."""
    largest: ClassVar[Money] = Money.of("10000000000.01", "EUR")
    """The largest amount that the gateway takes; by default a trillion cents and one."""
    without_minor_units: ClassVar[Money] = Money.of("1999", "JPY")
    """An amount in a currency that has no minor units."""
    of_three_decimals: ClassVar[Money] = Money.of("19.999", "KWD")
    """An amount in a currency of three decimals."""
    unique: ClassVar[str] = ""
    """For a gateway that remembers earlier runs: a text that is new in each run."""
    other_secret: ClassVar[Secret] = Secret("whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIGxhd3M=")
    """A webhook secret of the right form that signed nothing."""

    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        """Return a fresh gateway; every author gives this fixture."""
        raise NotImplementedError("give a fixture named gateway")

    def now(self) -> datetime:
        """Return the present time, as the gateway sees it."""
        return datetime(2027, 1, 1, 12, tzinfo=UTC)

    def pass_time(self, gateway: PaymentGateway, time: timedelta) -> None:
        """Let time pass at the gateway."""
        del gateway, time
        self.missing("pass_time")

    def decline(self, gateway: PaymentGateway, *, hard: bool) -> None:
        """Let the next new charge be declined, softly or for good."""
        del gateway, hard
        self.missing("decline")

    def time_out(self, gateway: PaymentGateway, *, executed: bool) -> None:
        """Let the answer to the next charge get lost, with or without its effect."""
        del gateway, executed
        self.missing("time_out")

    def refuse_connection(self, gateway: PaymentGateway) -> None:
        """Let the next call of `charge` be refused before anything is sent."""
        del gateway
        self.missing("refuse_connection")

    def process(self, gateway: PaymentGateway) -> None:
        """Let the next new charge be one whose outcome takes days."""
        del gateway
        self.missing("process")

    def settle(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        """Let the days pass of a charge that is processing."""
        del gateway, intent, succeed
        self.missing("settle")

    def require_action(self, gateway: PaymentGateway) -> None:
        """Let the next new charge wait for the customer."""
        del gateway
        self.missing("require_action")

    def act(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        """Act as the customer whom a charge waits for."""
        del gateway, intent, succeed
        self.missing("act")

    def webhook(self, gateway: PaymentGateway, intent: ChargeIntent) -> SignedMessage:
        """Return a genuine message about a charge that was made."""
        del gateway, intent
        self.missing("webhook")

    def fail_refund(self, gateway: PaymentGateway) -> None:
        """Let the next new refund be refused."""
        del gateway
        self.missing("fail_refund")

    def time_out_refund(self, gateway: PaymentGateway, *, executed: bool) -> None:
        """Let the answer to the next refund get lost, with or without its effect."""
        del gateway, executed
        self.missing("time_out_refund")

    def refuse_refund_connection(self, gateway: PaymentGateway) -> None:
        """Let the next call of `refund` be refused before anything is sent."""
        del gateway
        self.missing("refuse_refund_connection")

    def pend_refund(self, gateway: PaymentGateway) -> None:
        """Let the next new refund be one whose outcome takes days."""
        del gateway
        self.missing("pend_refund")

    def settle_refund(
        self, gateway: PaymentGateway, intent: RefundIntent, *, succeed: bool
    ) -> None:
        """Let the days pass of a refund that is pending."""
        del gateway, intent, succeed
        self.missing("settle_refund")

    def refund_event(self, gateway: PaymentGateway, intent: RefundIntent) -> GatewayEvent:
        """Return what `parse_webhook` reads in a genuine message about a refund that was made."""
        del gateway, intent
        self.missing("refund_event")

    def time_out_capture(self, gateway: PaymentGateway, *, executed: bool) -> None:
        """Let the answer to the next capture get lost, with or without its effect."""
        del gateway, executed
        self.missing("time_out_capture")

    def refuse_capture_connection(self, gateway: PaymentGateway) -> None:
        """Let the next call of `capture` be refused before anything is sent."""
        del gateway
        self.missing("refuse_capture_connection")

    def open_dispute(self, gateway: PaymentGateway, intent: ChargeIntent) -> None:
        """Let all of a charge that succeeded be disputed, so that the money is gone."""
        del gateway, intent
        self.missing("open_dispute")

    def close_dispute(self, gateway: PaymentGateway, intent: ChargeIntent, *, won: bool) -> None:
        """Let the dispute of a charge be decided, for the seller or for the payer."""
        del gateway, intent, won
        self.missing("close_dispute")

    def dispute_event(self, gateway: PaymentGateway, intent: ChargeIntent) -> GatewayEvent:
        """Return what `parse_webhook` reads in a genuine message about a charge's dispute."""
        del gateway, intent
        self.missing("dispute_event")

    def catch_up(self, gateway: PaymentGateway) -> None:
        """Wait until the gateway's lists show what was written; by default they do at once."""

    def missing(self, method: str) -> NoReturn:
        """Fail a law for want of a method that arranges its circumstances."""
        raise NotImplementedError(f"give {method}(), or waive the law with a reason")

    # ---- the kit ----------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def only_what_applies(self, gateway: PaymentGateway, request: pytest.FixtureRequest) -> None:
        """Skip a law that is not for this gateway, with the reason."""
        reason = self.missed(request.function.__name__, gateway)
        if reason is not None:
            pytest.skip(reason)

    def test_as_many_laws_apply_as_the_author_says(self, gateway: PaymentGateway) -> None:
        """A law that does not apply is skipped: nobody may overlook that there are fewer."""
        applicable = len(self.applicable(gateway))
        assert applicable == self.applied, f"{applicable} laws apply: say applied = {applicable}"

    # ---- what laws are told with ------------------------------------------------------------

    @pytest.fixture
    def intend(self, gateway: PaymentGateway, request: pytest.FixtureRequest) -> Intents:
        """Return what makes the intents of one law, charged to a method that is good."""
        return self.intents(gateway, request.node.name)

    def intents(self, gateway: PaymentGateway, law: str) -> Intents:
        """Attach a good method and return what makes the intents of the law with this name."""
        method = gateway.attach(self.token, self.customer_ref)
        unique = derived_id("law", law, self.unique)
        return Intents(method.reference, self.customer_ref, unique, self.now(), self.amounts[0])

    def listed(self, gateway: PaymentGateway, intend: Intents) -> list[PaymentSnapshot]:
        """Return the law's own charges, once the list has caught up."""
        self.catch_up(gateway)
        return self.ours(gateway.list_since(intend.at - SKEW), intend)

    def ours(self, found: Iterable[PaymentSnapshot], intend: Intents) -> list[PaymentSnapshot]:
        """Return what belongs to the law: a test account may hold charges of others."""
        attempts = {intend(ordinal).attempt_id for ordinal in range(40)}
        return [snapshot for snapshot in found if snapshot.attempt_id in attempts]

    def found(
        self, gateway: PaymentGateway, intent: ChargeIntent, reference: str | None
    ) -> PaymentSnapshot:
        """Return what `reconcile` finds, once the list has caught up; fail if it finds nothing."""
        self.catch_up(gateway)
        answer = gateway.reconcile(intent, reference)
        assert isinstance(answer, Found), f"not found: {answer}"
        return answer.snapshot

    def sent(self, gateway: PaymentGateway, intend: Intents) -> SignedMessage:
        """Charge, and return the message about it."""
        gateway.charge(intend())
        return self.webhook(gateway, intend())

    def refused(
        self, gateway: PaymentGateway, message: SignedMessage, *, now: datetime | None = None
    ) -> None:
        """Assert that a message is refused, and that this is all that happens."""
        with pytest.raises(WebhookRefused):
            read(gateway, message, now=now)


def succeeded(found: Iterable[PaymentSnapshot]) -> list[PaymentId | None]:
    """Return whose money was taken, once for each time that it was."""
    return [snapshot.attempt_id for snapshot in found if snapshot.outcome is Outcome.SUCCEEDED]


def read(
    gateway: PaymentGateway, message: SignedMessage, *, now: datetime | None = None
) -> GatewayEvent:
    """Have the gateway read a message with its own secret, at the time that it was sent."""
    return gateway.parse_webhook(
        message.raw, message.headers, secrets=[message.secret], now=now or message.sent_at
    )
