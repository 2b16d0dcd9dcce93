"""How money moves: the intent, the attempt, its outcome, and what it pays.

A payment that a gateway is to make is *intended* first: its key and its parameters are frozen and
committed before anybody calls the gateway. Then the answer is recorded. A decline is an answer;
silence is `Unknown` and blocks every further attempt on the invoice until the gateway has been
asked. A payment that arrived by itself (a bank transfer) is recorded as received.

Money received is one thing, what it pays is another: `allocations` name the invoices, the rest is
unallocated and never lost. Nothing here calls a gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeAlias, assert_never

from attrs import frozen

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import (
    CustomerId,
    InvoiceId,
    PaymentId,
    PaymentMethodId,
    derived_id,
    gateway_key,
)
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, evolve

# ---- what crosses the gateway port ----------------------------------------------------------


class Outcome(Enum):
    """What became of an attempt, as far as the gateway says.

    The last two are not answers of a bank: `NOT_EXECUTED` is proof that nothing happened (the
    connection was refused), `UNKNOWN` is silence after the request was sent.
    """

    SUCCEEDED = "succeeded"
    DECLINED_SOFT = "declined_soft"
    DECLINED_HARD = "declined_hard"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Advice(Enum):
    """What the card network advises after a decline."""

    RETRY_AFTER = "retry_after"
    RETRY_NEVER = "retry_never"
    NEW_METHOD = "new_method"
    AUTHENTICATE = "authenticate"


@frozen
class Decline:
    """Why a charge was declined: the network's code, in words, and its advice."""

    code: str
    message: str = ""
    advice: Advice = Advice.RETRY_AFTER


@frozen
class ChargeIntent:
    """What a gateway is asked to charge; the same bytes every time it is asked."""

    attempt_id: PaymentId
    key: str
    amount: Money
    method_ref: str
    customer_ref: str
    metadata: Mapping[str, str]
    created_at: datetime


@frozen
class PaymentSnapshot:
    """What the gateway says of an attempt now; merging works in any order, any number of times."""

    outcome: Outcome
    amount: Money
    occurred_at: datetime
    attempt_id: PaymentId | None = None
    gateway_ref: str | None = None
    decline: Decline | None = None
    action_url: str | None = None

    def __attrs_post_init__(self) -> None:
        declined = self.outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
        if declined != (self.decline is not None):
            raise ValidationError("decline", self.decline, "given exactly when it was declined")


# ---- states ---------------------------------------------------------------------------------


@frozen
class Intended:
    """Committed; the gateway is to be asked at `send_at`. `tries` times nothing was executed."""

    send_at: datetime
    tries: int = 0


@frozen
class Unknown:
    """The gateway was asked and did not answer; it is asked again at `ask_at`."""

    since: datetime
    ask_at: datetime
    tries: int = 1


@frozen
class ActionRequired:
    """The customer must act (authenticate) at `url` until `expires_at`."""

    url: str
    expires_at: datetime


@frozen
class Processing:
    """The gateway works on it for days; it is asked again at `ask_at`."""

    since: datetime
    ask_at: datetime


@frozen
class Succeeded:
    """The money was taken or arrived."""

    at: datetime


@frozen
class Declined:
    """The gateway said no; `hard` means that this method is not to be tried again."""

    at: datetime
    decline: Decline
    hard: bool


@frozen
class Voided:
    """Proven never to have happened, or given up before anything was sent."""

    at: datetime
    reason: str


PaymentState: TypeAlias = (
    Intended | Unknown | ActionRequired | Processing | Succeeded | Declined | Voided
)
LIVE = (Intended, Unknown, ActionRequired, Processing)

STATUS: dict[type[PaymentState], str] = {
    Intended: "intended",
    Unknown: "unknown",
    ActionRequired: "requires_action",
    Processing: "processing",
    Succeeded: "succeeded",
    Declined: "declined",
    Voided: "void",
}

ALLOWED: dict[type[PaymentState], frozenset[type[PaymentState]]] = {
    Intended: frozenset(
        {Intended, Unknown, ActionRequired, Processing, Succeeded, Declined, Voided}
    ),
    Unknown: frozenset({Unknown, ActionRequired, Processing, Succeeded, Declined, Voided}),
    # To itself only when its time is over and it could not be voided.
    ActionRequired: frozenset({ActionRequired, Processing, Succeeded, Declined, Voided}),
    Processing: frozenset({Processing, Succeeded, Declined}),
    # A success that arrives after a decline is still money: it wins, and never the reverse.
    Declined: frozenset({Succeeded}),
    Voided: frozenset({Succeeded}),
    Succeeded: frozenset(),
}


# ---- the record -----------------------------------------------------------------------------


@frozen
class Allocation:
    """How much of a payment pays which invoice, in minor units of the payment's currency."""

    invoice: InvoiceId
    amount_minor: int


@frozen
class Payment:
    """One attempt to take money, or one sum that came in.

    `method`, `gateway_customer`, `method_ref` and `intended_at` are frozen when it is intended, so
    that the gateway is asked with the same parameters for ever.
    """

    id: PaymentId
    tenant: str
    version: int
    customer: CustomerId
    gateway: str
    amount_minor: int
    currency: Currency
    state: PaymentState
    intended_at: datetime
    invoice: InvoiceId | None = None
    ordinal: int = 1
    method: PaymentMethodId | None = None
    method_ref: str = ""
    reference: str | None = None
    allocations: tuple[Allocation, ...] = ()
    parked: str | None = None

    @property
    def amount(self) -> Money:
        """The amount asked for or received."""
        return Money(self.amount_minor, self.currency)

    @property
    def unallocated(self) -> Money:
        """What was received and pays no invoice yet; zero unless the payment succeeded."""
        if not isinstance(self.state, Succeeded):
            return Money(0, self.currency)
        return Money(
            self.amount_minor - sum(part.amount_minor for part in self.allocations), self.currency
        )

    @property
    def status(self) -> str:
        """One word: intended, unknown, requires_action, processing, succeeded, declined or void."""
        return STATUS[type(self.state)]

    @property
    def live(self) -> bool:
        """Whether the outcome is still open, so that no other attempt may start."""
        return isinstance(self.state, LIVE)

    @property
    def due_at(self) -> datetime | None:
        """When the gateway is to be asked (again), or when the customer's time to act is over."""
        if self.parked is not None:
            return None
        match self.state:
            case Intended(send_at=at) | Unknown(ask_at=at) | Processing(ask_at=at):
                return at
            case ActionRequired(expires_at=at):
                return at
            case Succeeded() | Declined() | Voided():
                return None
            case other:
                assert_never(other)


PAYMENT = Kind(
    "payment",
    Payment,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda p: p.due_at),
        Column("customer", ColumnType.TEXT, lambda p: p.customer),
        Column("invoice", ColumnType.TEXT, lambda p: p.invoice),
        Column("status", ColumnType.TEXT, lambda p: p.status, indexed=False),
        Column("gateway", ColumnType.TEXT, lambda p: p.gateway, indexed=False),
        Column("reference", ColumnType.TEXT, lambda p: p.reference),
        Column("amount_minor", ColumnType.INTEGER, lambda p: p.amount_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda p: p.currency.code, indexed=False),
        Column("intended_at", ColumnType.INSTANT, lambda p: p.intended_at, indexed=False),
    ),
    unique=(("gateway", "reference"),),
)


# ---- events ---------------------------------------------------------------------------------


@frozen
class PaymentIntended:
    """A charge was committed; the gateway is asked next."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentSucceeded:
    """The money was taken, or arrived."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentFailed:
    """The gateway declined; `hard` means that this method is not tried again."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money
    code: str
    hard: bool


@frozen
class PaymentActionRequired:
    """The customer must act at `url`, for example to authenticate with the bank."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    url: str


@frozen
class PaymentProcessing:
    """The gateway accepted and will know in some days."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None


@frozen
class PaymentOutcomeUnknown:
    """The gateway did not answer; nothing else is tried on the invoice until it has."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    tries: int
    ask_at: datetime


@frozen
class PaymentNotExecuted:
    """The gateway was not reached; the same attempt is sent again at `send_at`."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    tries: int
    send_at: datetime


@frozen
class PaymentVoided:
    """The attempt is proven never to have happened, or was given up before it was sent."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    reason: str


@frozen
class PaymentAllocated:
    """Money that was received pays an invoice (or, with None, waits for one)."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


# ---- decisions ------------------------------------------------------------------------------

MARGIN = timedelta(hours=1)
TIMEOUT = timedelta(seconds=30)
ACTION_WINDOW = timedelta(days=7)
PROCESSING_POLL = timedelta(days=1)
VOID_AGAIN = timedelta(hours=1)
# Ask again after five minutes, an hour, six hours, then daily without end.
BACKOFF = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))


def backoff(tries: int) -> timedelta:
    """Return how long to wait after the `tries`-th silence: 5 min, 1 h, 6 h, then daily.

    >>> backoff(1), backoff(99)
    (datetime.timedelta(seconds=300), datetime.timedelta(days=1))
    """
    return BACKOFF[min(tries, len(BACKOFF)) - 1]


def payment_id(tenant: str, invoice: InvoiceId, ordinal: int) -> PaymentId:
    """Derive the id of the `ordinal`-th attempt on an invoice."""
    return PaymentId(derived_id("pay", tenant, invoice, str(ordinal)))


def intend(
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId,
    ordinal: int,
    amount_minor: int,
    currency: Currency,
    gateway: str,
    method: PaymentMethodId,
    method_ref: str,
    at: datetime,
) -> Change:
    """Decide to charge a method for an invoice: the intent that is committed before the call."""
    if amount_minor <= 0:
        raise ValidationError("amount", Money(amount_minor, currency), "more than zero")
    id = payment_id(tenant, invoice, ordinal)
    payment = Payment(
        id,
        tenant,
        1,
        customer,
        gateway,
        amount_minor,
        currency,
        Intended(at),
        at,
        invoice,
        ordinal,
        method,
        method_ref,
    )
    event = PaymentIntended(id, customer, invoice, Money(amount_minor, currency))
    return created(PAYMENT, payment, event)


def charge_intent(payment: Payment) -> ChargeIntent:
    """Return what the gateway is asked, from the frozen facts alone: equal bytes every time."""
    return ChargeIntent(
        payment.id,
        gateway_key(payment.tenant, "charge", payment.id),
        payment.amount,
        payment.method_ref,
        payment.customer,
        {"tenant": payment.tenant, "attempt": payment.id, "invoice": payment.invoice or ""},
        payment.intended_at,
    )


def replayable(payment: Payment, *, at: datetime, window: timedelta) -> bool:
    """Return whether sending the intent (again) is safe: its key is younger than the window.

    A gateway forgets keys after its replay window; an hour is kept as a margin. After that the
    gateway must be asked what happened instead, for a replay would be a second charge.
    """
    return at - payment.intended_at < window - MARGIN


def last_call(payment: Payment, *, window: timedelta) -> datetime:
    """Return the latest instant at which a call for this payment may still have been under way.

    The intent is sent only while it is `replayable`, and a call is given up after `TIMEOUT`.
    """
    return payment.intended_at + window - MARGIN + TIMEOUT


def merge(payment: Payment, snapshot: PaymentSnapshot, *, at: datetime) -> Change | None:
    """Decide what an answer of the gateway makes of the payment; None if it says nothing new.

    Answers may come late, twice and in any order: a state only moves as `ALLOWED` says, an older
    answer changes nothing, and a success always wins. Raises `CurrencyMismatch` or
    `ValidationError` if the gateway speaks of another amount than was asked for: such a payment is
    parked for a person.
    """
    if snapshot.amount.currency != payment.currency:
        raise CurrencyMismatch(payment.currency.code, snapshot.amount.currency.code)
    if snapshot.amount.minor != payment.amount_minor:
        raise ValidationError("amount", snapshot.amount, f"{payment.amount} as was asked for")
    state, event = _answer(payment, snapshot, at=at)
    if type(state) not in ALLOWED[type(payment.state)]:
        return None
    after = evolve(
        payment,
        state=state,
        reference=snapshot.gateway_ref or payment.reference,
        version=payment.version + 1,
    )
    return changed(PAYMENT, payment, after, event)


def _answer(
    payment: Payment, snapshot: PaymentSnapshot, *, at: datetime
) -> tuple[PaymentState, object]:
    id, customer, invoice = payment.id, payment.customer, payment.invoice
    match snapshot.outcome:
        case Outcome.SUCCEEDED:
            return Succeeded(at), PaymentSucceeded(id, customer, invoice, payment.amount)
        case Outcome.DECLINED_SOFT | Outcome.DECLINED_HARD:
            hard = snapshot.outcome is Outcome.DECLINED_HARD
            decline = snapshot.decline
            assert decline is not None
            event = PaymentFailed(id, customer, invoice, payment.amount, decline.code, hard)
            return Declined(at, decline, hard), event
        case Outcome.REQUIRES_ACTION if not isinstance(payment.state, ActionRequired):
            url = snapshot.action_url or ""
            return (
                ActionRequired(url, at + ACTION_WINDOW),
                PaymentActionRequired(id, customer, invoice, url),
            )
        case Outcome.PROCESSING:
            state = Processing(
                payment.state.since if isinstance(payment.state, Processing) else at,
                at + PROCESSING_POLL,
            )
            return state, PaymentProcessing(id, customer, invoice)
        case Outcome.NOT_EXECUTED if not isinstance(payment.state, Unknown | ActionRequired):
            tries = payment.state.tries + 1 if isinstance(payment.state, Intended) else 1
            send_at = at + backoff(tries)
            return (
                Intended(send_at, tries),
                PaymentNotExecuted(id, customer, invoice, tries, send_at),
            )
        # What was asked before and is not reached now is as unknown as before: it is asked again.
        case Outcome.UNKNOWN | Outcome.NOT_EXECUTED | Outcome.REQUIRES_ACTION:
            before = payment.state
            tries = before.tries + 1 if isinstance(before, Unknown) else 1
            ask_at = at + backoff(tries)
            if isinstance(before, ActionRequired) and before.expires_at <= at:
                # It could not be voided; until it is, the customer may still act.
                again_at = at + VOID_AGAIN
                silence = PaymentOutcomeUnknown(id, customer, invoice, tries, again_at)
                return ActionRequired(before.url, again_at), silence
            since = before.since if isinstance(before, Unknown) else at
            silence = PaymentOutcomeUnknown(id, customer, invoice, tries, ask_at)
            return Unknown(since, ask_at, tries), silence
        case other:
            assert_never(other)


def void(payment: Payment, *, reason: str, at: datetime) -> Change:
    """Decide that an attempt never happened; raises `InvalidTransition` if it may have."""
    if Voided not in ALLOWED[type(payment.state)]:
        raise InvalidTransition(f"payment {payment.id}", payment.status, "void")
    after = evolve(payment, state=Voided(at, reason), version=payment.version + 1)
    event = PaymentVoided(payment.id, payment.customer, payment.invoice, reason)
    return changed(PAYMENT, payment, after, event)


def receive(
    id: PaymentId,
    amount: Money,
    *,
    tenant: str,
    customer: CustomerId,
    gateway: str,
    reference: str | None,
    at: datetime,
) -> Payment:
    """Return the record of money that came in by itself; what it pays is decided by `allocate`."""
    if amount.minor <= 0:
        raise ValidationError("amount", amount, "more than zero")
    return Payment(
        id,
        tenant,
        1,
        customer,
        gateway,
        amount.minor,
        amount.currency,
        Succeeded(at),
        at,
        reference=reference,
    )


def allocated(payment: Payment, *parts: Allocation) -> Payment:
    """Return the payment with further allocations; they never exceed what was received."""
    if not isinstance(payment.state, Succeeded):
        raise InvalidTransition(f"payment {payment.id}", payment.status, "allocate")
    after = evolve(payment, allocations=(*payment.allocations, *parts))
    if after.unallocated.minor < 0 or any(part.amount_minor <= 0 for part in parts):
        expected = f"amounts above zero, together at most {payment.unallocated}"
        raise ValidationError("allocations", parts, expected)
    return after
