"""What a customer owes: the invoice, its states, and the seal that makes it final.

draft → open → paid · void · uncollectible; uncollectible → paid · void. Only drafts change. Sealing
freezes seller, customer, lines and tax, gives the number and the hash that chains the document to
its predecessor in the series; after that only what was paid and the state move.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`. The
arithmetic of tax is in `taxes`, that of prices in `pricing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias, assert_never

from attrs import frozen

from subscriptions.billing_cycles import Period, first_instant, local_date, zone_info
from subscriptions.customers import Address, Customer
from subscriptions.decisions import Change, Issue, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PriceId, SubscriptionId
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.money import Currency, Money, Rounding
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_text
from subscriptions.taxes import TaxableLine, TaxBehavior, TaxGroup, TaxRate, tax_totals

# ---- the two parties ------------------------------------------------------------------------


@frozen
class Seller:
    """Who sells: what is printed on invoices, the zone of its days, its number series.

    `terms_days` is how many days a customer has who pays by himself. Each series is kept for ever
    under (seller, kind, pattern); another pattern begins another series.
    """

    name: str = "Seller"
    id: str = "seller"
    address: Address = Address()
    tax_id: str = ""
    email: str = ""
    iban: str = ""
    zone: str = "UTC"
    terms_days: int = 14
    invoice_numbers: Series = Series("INV-{year}-{counter:05}", reset=Reset.YEARLY)
    customer_numbers: Series = Series("{counter:06}")

    def __attrs_post_init__(self) -> None:
        plain_text("seller.name", self.name, length_max=200)
        plain_text("seller.id", self.id, length_max=40)
        zone_info(self.zone)
        if not 0 <= self.terms_days <= 365:  # noqa: PLR2004 - a year
            raise ValidationError("seller.terms_days", self.terms_days, "0 to 365 days")

    @property
    def invoice_series(self) -> str:
        """The id of the series of its invoices."""
        return f"{self.id}/invoice/{self.invoice_numbers.pattern}"

    @property
    def customer_series(self) -> str:
        """The id of the series of its customers' numbers."""
        return f"{self.id}/customer/{self.customer_numbers.pattern}"


@frozen
class SellerSnapshot:
    """The seller as printed; later changes of the seller do not reach it."""

    name: str
    address: Address
    tax_id: str
    email: str
    iban: str


@frozen
class Party:
    """The customer as printed; later changes of the customer do not reach it."""

    name: str
    company: str
    address: Address
    tax_id: str
    email: str | None
    number: str | None
    language: str


# ---- lines ----------------------------------------------------------------------------------


@frozen
class Charge:
    """Something to put on an invoice, before tax is split off: one line to be.

    `amount_minor` is what the price says: net or gross as `behavior` says. `unit_price` in major
    units is what is printed; None where a quantity times a price would mislead.
    """

    description: str
    amount_minor: int
    rate: TaxRate
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    quantity: int | Decimal = 1
    unit_price: Decimal | None = None
    period: Period | None = None
    price: PriceId | None = None


@frozen
class Line:
    """One line of an invoice; `net_minor` is rounded once and never again."""

    description: str
    quantity: int | Decimal
    unit_price: Decimal | None
    amount_minor: int
    net_minor: int
    currency: Currency
    rate: TaxRate
    behavior: TaxBehavior
    period: Period | None
    price: PriceId | None

    @property
    def amount(self) -> Money:
        """The amount as priced: net or gross as `behavior` says."""
        return Money(self.amount_minor, self.currency)

    @property
    def net(self) -> Money:
        """The amount without tax."""
        return Money(self.net_minor, self.currency)


# ---- states ---------------------------------------------------------------------------------


@frozen
class Draft:
    """Not yet a document: it has no number and may change."""


@frozen
class Open:
    """Final and owed."""


@frozen
class Paid:
    """Nothing is owed any more."""

    at: datetime


@frozen
class Void:
    """It should not have been; the number stays taken."""

    at: datetime
    reason: str


@frozen
class Uncollectible:
    """Owed, but given up; it can still be paid."""

    at: datetime
    reason: str


InvoiceState: TypeAlias = Draft | Open | Paid | Void | Uncollectible


class Status(StrEnum):
    """The state in one word."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


STATUS: dict[type[InvoiceState], Status] = {
    Draft: Status.DRAFT,
    Open: Status.OPEN,
    Paid: Status.PAID,
    Void: Status.VOID,
    Uncollectible: Status.UNCOLLECTIBLE,
}

# ---- the record -----------------------------------------------------------------------------


@frozen
class Invoice:
    """One invoice. `collecting` is the one attempt whose outcome is open, if there is one.

    `dunning` says that a dunning case looks after it; then the invoice itself is due no more.
    """

    id: InvoiceId
    tenant: str
    version: int
    customer: CustomerId
    subscription: SubscriptionId | None
    currency: Currency
    lines: tuple[Line, ...]
    taxes: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    rounding: Rounding
    zone: str
    terms_days: int
    state: InvoiceState = Draft()
    paid_minor: int = 0
    attempts: int = 0
    collecting: PaymentId | None = None
    dunning: bool = False
    number: str | None = None
    finalized_at: datetime | None = None
    issued_on: date | None = None
    due_on: date | None = None
    seller: SellerSnapshot | None = None
    party: Party | None = None
    salt: str = ""
    previous_hash: str = ""
    hash: str = ""
    parked: str | None = None

    @property
    def status(self) -> Status:
        """One word: draft, open, paid, void or uncollectible."""
        return STATUS[type(self.state)]

    @property
    def net(self) -> Money:
        """The sum of the lines' nets."""
        return Money(self.net_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The sum of the taxes, one for each category and rate."""
        return Money(self.tax_minor, self.currency)

    @property
    def total(self) -> Money:
        """Net plus tax."""
        return Money(self.total_minor, self.currency)

    @property
    def paid(self) -> Money:
        """What payments have been allocated to it."""
        return Money(self.paid_minor, self.currency)

    @property
    def due_minor(self) -> int:
        """What is still owed, in minor units; never negative."""
        match self.state:
            case Draft() | Void() | Paid():
                return 0
            case Open() | Uncollectible():
                return self.total_minor - self.paid_minor
            case other:
                assert_never(other)

    @property
    def amount_due(self) -> Money:
        """What is still owed; zero for drafts and void invoices."""
        return Money(self.due_minor, self.currency)

    @property
    def period(self) -> Period | None:
        """From the first day to the last that any line is for; None if no line has a period."""
        periods = [line.period for line in self.lines if line.period is not None]
        if not periods:
            return None
        if len(periods) == 1:
            return periods[0]
        return Period(min(p.start for p in periods), max(p.end for p in periods))

    @property
    def due_at(self) -> datetime | None:
        """The first instant after the due day, unless dunning looks after it or it is settled."""
        if (
            self.due_on is None
            or self.dunning
            or self.collecting is not None
            or self.parked is not None
            or not isinstance(self.state, Open)
        ):
            return None
        return first_instant(self.due_on + timedelta(days=1), self.zone)


INVOICE = Kind(
    "invoice",
    Invoice,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda i: i.due_at),
        Column("customer", ColumnType.TEXT, lambda i: i.customer),
        Column("subscription", ColumnType.TEXT, lambda i: i.subscription),
        Column("status", ColumnType.TEXT, lambda i: i.status.value),
        Column("number", ColumnType.TEXT, lambda i: i.number),
        Column("issued_on", ColumnType.DAY, lambda i: i.issued_on),
        Column("due_on", ColumnType.DAY, lambda i: i.due_on, indexed=False),
        Column("currency", ColumnType.TEXT, lambda i: i.currency.code, indexed=False),
        Column("net_minor", ColumnType.INTEGER, lambda i: i.net_minor, indexed=False),
        Column("tax_minor", ColumnType.INTEGER, lambda i: i.tax_minor, indexed=False),
        Column("total_minor", ColumnType.INTEGER, lambda i: i.total_minor, indexed=False),
        Column("paid_minor", ColumnType.INTEGER, lambda i: i.paid_minor, indexed=False),
    ),
    unique=(("number",),),
)

# ---- commands, and what is allowed ----------------------------------------------------------


@frozen
class StartCollection:
    """An attempt to charge it begins."""

    payment: PaymentId


@frozen
class EndCollection:
    """The attempt is over and brought no money."""

    payment: PaymentId


@frozen
class ApplyPayment:
    """Money is allocated to it."""

    payment: PaymentId
    amount_minor: int
    at: datetime


@frozen
class StartDunning:
    """It could not be collected, or its due day has passed."""


@frozen
class EndDunning:
    """Its dunning case is closed."""


@frozen
class MarkVoid:
    """It should not have been."""

    reason: str
    at: datetime


@frozen
class MarkUncollectible:
    """Give it up; it can still be paid."""

    reason: str
    at: datetime


Command: TypeAlias = (
    StartCollection
    | EndCollection
    | ApplyPayment
    | StartDunning
    | EndDunning
    | MarkVoid
    | MarkUncollectible
)

ALLOWED: dict[type[InvoiceState], frozenset[type[Command]]] = {
    Draft: frozenset(),
    Open: frozenset(
        {
            StartCollection,
            EndCollection,
            ApplyPayment,
            StartDunning,
            EndDunning,
            MarkVoid,
            MarkUncollectible,
        }
    ),
    # An attempt may still be under way when the invoice is paid otherwise or given up.
    Paid: frozenset({EndCollection, EndDunning}),
    Void: frozenset({EndDunning}),
    Uncollectible: frozenset({EndCollection, ApplyPayment, EndDunning, MarkVoid}),
}

# ---- events ---------------------------------------------------------------------------------


@frozen
class InvoiceDrafted:
    """An invoice was drafted; it has no number and is not owed."""

    invoice: InvoiceId
    customer: CustomerId
    total: Money


@frozen
class InvoiceFinalized:
    """An invoice was numbered and is owed from now on; it never changes again."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    number: str
    total: Money
    due_on: date


@frozen
class InvoicePaid:
    """Nothing is owed on the invoice any more."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    number: str
    total: Money


@frozen
class InvoicePartlyPaid:
    """Money was allocated to the invoice; some is still owed."""

    invoice: InvoiceId
    customer: CustomerId
    amount: Money
    amount_due: Money


@frozen
class CollectionStarted:
    """A further attempt to charge the invoice began."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId


@frozen
class CollectionEnded:
    """An attempt to charge the invoice is over and paid nothing of it."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId


@frozen
class InvoiceOverdue:
    """The invoice could not be collected, or its due day has passed; dunning looks after it."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    amount_due: Money


@frozen
class InvoiceDunningEnded:
    """Dunning does not look after the invoice any more."""

    invoice: InvoiceId
    customer: CustomerId


@frozen
class InvoiceVoided:
    """The invoice should not have been; its number stays taken."""

    invoice: InvoiceId
    customer: CustomerId
    reason: str


@frozen
class InvoiceMarkedUncollectible:
    """The invoice was given up; it can still be paid."""

    invoice: InvoiceId
    customer: CustomerId
    amount_due: Money
    reason: str


Event: TypeAlias = (
    InvoicePaid
    | InvoicePartlyPaid
    | CollectionStarted
    | CollectionEnded
    | InvoiceOverdue
    | InvoiceDunningEnded
    | InvoiceVoided
    | InvoiceMarkedUncollectible
)

# ---- composing and sealing ------------------------------------------------------------------


def compose(
    id: InvoiceId,
    customer: Customer,
    charges: Sequence[Charge],
    *,
    currency: Currency,
    seller: Seller,
    automatic: bool,
    subscription: SubscriptionId | None = None,
    rounding: Rounding = Rounding.HALF_UP,
) -> Invoice:
    """Compose a draft from charges: lines, tax by EN 16931, totals; version 0, not yet stored.

    `automatic` says that it is charged at once, so that it is due on the day it is issued.
    Raises `ValidationError` for no charges and for a negative total.
    """
    if not charges:
        raise ValidationError("lines", (), "at least one line")
    totals = tax_totals(
        [TaxableLine(each.amount_minor, each.rate, each.behavior) for each in charges],
        rounding=rounding,
    )
    if totals.gross_minor < 0:
        raise ValidationError(
            "lines", Money(totals.gross_minor, currency), "lines whose total is not negative"
        )
    lines = tuple(
        [
            Line(
                each.description,
                each.quantity,
                each.unit_price,
                each.amount_minor,
                net_minor,
                currency,
                each.rate,
                each.behavior,
                each.period,
                each.price,
            )
            for each, net_minor in zip(charges, totals.line_nets_minor, strict=True)
        ]
    )
    return Invoice(
        id,
        customer.tenant,
        0,
        customer.id,
        subscription,
        currency,
        lines,
        totals.groups,
        totals.net_minor,
        totals.tax_minor,
        totals.gross_minor,
        rounding,
        seller.zone,
        0 if automatic else seller.terms_days,
    )


def draft(invoice: Invoice) -> Change:
    """Decide to keep a composed invoice as a draft."""
    after = evolve(invoice, version=1)
    return created(INVOICE, after, InvoiceDrafted(invoice.id, invoice.customer, invoice.total))


def finalize(
    invoice: Invoice,
    customer: Customer,
    *,
    seller: Seller,
    salt: str,
    collecting: PaymentId | None = None,
) -> Issue:
    """Decide to make an invoice final: it takes its number when it is committed.

    Freezes seller and customer as they are now. `collecting` names the attempt that is intended
    with it. Raises `InvalidTransition` unless it is a draft.
    """
    if not isinstance(invoice.state, Draft):
        raise InvalidTransition(f"invoice {invoice.id}", invoice.status, "finalize")
    after = evolve(
        invoice,
        seller=SellerSnapshot(
            seller.name, seller.address, seller.tax_id, seller.email, seller.iban
        ),
        party=Party(
            customer.name,
            customer.company,
            customer.address,
            customer.tax_id,
            customer.email,
            customer.number,
            customer.language,
        ),
        salt=salt,
        attempts=0 if collecting is None else 1,
        collecting=collecting,
    )
    before = invoice if invoice.version else None
    return Issue(INVOICE, before, after, seller.invoice_series, seller.invoice_numbers)


def seal(
    invoice: Invoice, *, before: Invoice | None, number: str, previous_hash: str, at: datetime
) -> Change:
    """Give an invoice its number, its dates and its hash; called with the series locked.

    The hash covers all that is frozen and the hash of the predecessor; of the customer only a
    salted commitment, so that the chain still verifies when the customer's data are erased.
    An invoice of zero is paid at once.
    """
    issued_on = local_date(at, invoice.zone)
    due_on = issued_on + timedelta(days=invoice.terms_days)
    events: tuple[object, ...] = (
        InvoiceFinalized(
            invoice.id,
            invoice.customer,
            invoice.subscription,
            number,
            invoice.total,
            due_on,
        ),
    )
    if invoice.total_minor == 0:
        paid = InvoicePaid(
            invoice.id, invoice.customer, invoice.subscription, number, invoice.total
        )
        events = (*events, paid)
    after = evolve(
        invoice,
        version=invoice.version + len(events),
        state=Open() if invoice.total_minor else Paid(at),
        number=number,
        finalized_at=at,
        issued_on=issued_on,
        due_on=due_on,
        previous_hash=previous_hash,
        hash=_hash(
            invoice,
            number=number,
            finalized_at=at,
            issued_on=issued_on,
            due_on=due_on,
            previous_hash=previous_hash,
        ),
    )
    return Change(INVOICE, before, after, events)


def content_hash(invoice: Invoice) -> str:
    """Return the SHA-256 of what is frozen in a final invoice, as hexadecimal digits."""
    return _hash(
        invoice,
        number=invoice.number,
        finalized_at=invoice.finalized_at,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        previous_hash=invoice.previous_hash,
    )


def _hash(
    invoice: Invoice,
    *,
    number: str | None,
    finalized_at: datetime | None,
    issued_on: date | None,
    due_on: date | None,
    previous_hash: str,
) -> str:
    seller, party = invoice.seller, invoice.party
    commitment = "" if party is None else _digest([invoice.salt, *_party_texts(party)])
    return _digest(
        [
            "1",
            previous_hash,
            invoice.tenant,
            invoice.id,
            number,
            str(finalized_at),
            str(issued_on),
            str(due_on),
            invoice.customer,
            commitment,
            [] if seller is None else [seller.name, *_address(seller.address), seller.tax_id],
            invoice.currency.code,
            [
                [
                    line.description,
                    str(line.quantity),
                    str(line.unit_price),
                    line.amount_minor,
                    line.net_minor,
                    str(line.period),
                    line.rate.category,
                    str(line.rate.percent),
                ]
                for line in invoice.lines
            ],
            [
                [group.category, str(group.percent), group.base_minor, group.tax_minor]
                for group in invoice.taxes
            ],
            invoice.net_minor,
            invoice.tax_minor,
            invoice.total_minor,
        ]
    )


def _address(address: Address) -> list[str]:
    return [
        address.line1,
        address.line2,
        address.postal_code,
        address.city,
        address.region,
        address.country,
    ]


def _party_texts(party: Party) -> list[str]:
    return [
        party.name,
        party.company,
        *_address(party.address),
        party.tax_id,
        party.email or "",
        party.number or "",
        party.language,
    ]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _digest(content: object) -> str:
    return sha256(_encode(content).encode()).hexdigest()


@frozen
class ChainBreak:
    """A document that does not fit: its content was changed, or its predecessor is another."""

    number: str
    finding: str


def verify_chain(invoices: Iterable[Invoice]) -> Iterator[ChainBreak]:
    """Check final invoices of one series, in the order of their finalisation.

    Yields a finding for each document whose content does not give its hash, and for each whose
    predecessor's hash is not the one it was sealed with.
    """
    previous: str | None = None
    for invoice in invoices:
        number = invoice.number or invoice.id
        if content_hash(invoice) != invoice.hash:
            yield ChainBreak(number, "its content was changed after it was sealed")
        if previous is not None and invoice.previous_hash != previous:
            yield ChainBreak(number, "it was not sealed after the document before it")
        previous = invoice.hash


# ---- deciding -------------------------------------------------------------------------------


def decide(invoice: Invoice, *commands: Command) -> Change:
    """Decide what the commands, in order, make of the invoice.

    Raises `InvalidTransition` if the state does not allow one of them; then nothing happens.
    """
    after = invoice
    events: list[object] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.state)]:
            raise _refused(after, command)
        for event in _events(after, command):
            after = apply(after, command, event)
            events.append(event)
    return changed(INVOICE, invoice, after, *events)


def _refused(invoice: Invoice, command: Command) -> InvalidTransition:
    name = f"invoice {invoice.number or invoice.id}"
    return InvalidTransition(name, invoice.status, type(command).__name__)


def _events(invoice: Invoice, command: Command) -> tuple[Event, ...]:
    id, customer = invoice.id, invoice.customer
    match command:
        case StartCollection(payment=payment):
            if invoice.collecting is not None:
                raise _refused(invoice, command)
            return (CollectionStarted(id, customer, payment),)
        case EndCollection(payment=payment):
            if invoice.collecting != payment:
                raise _refused(invoice, command)
            return (CollectionEnded(id, customer, payment),)
        case ApplyPayment():
            return _apply_payment(invoice, command)
        case StartDunning():
            if invoice.dunning:
                raise _refused(invoice, command)
            return (InvoiceOverdue(id, customer, invoice.subscription, invoice.amount_due),)
        case EndDunning():
            if not invoice.dunning:
                raise _refused(invoice, command)
            return (InvoiceDunningEnded(id, customer),)
        case MarkVoid(reason=reason):
            # What was paid must be given back by a credit note, and money under way may arrive.
            if invoice.paid_minor or invoice.collecting is not None:
                raise _refused(invoice, command)
            return (InvoiceVoided(id, customer, plain_text("reason", reason)),)
        case MarkUncollectible(reason=reason):
            reason = plain_text("reason", reason)
            return (InvoiceMarkedUncollectible(id, customer, invoice.amount_due, reason),)
        case other:
            assert_never(other)


def _apply_payment(invoice: Invoice, command: ApplyPayment) -> tuple[Event, ...]:
    if not 0 < command.amount_minor <= invoice.due_minor:
        amount = Money(command.amount_minor, invoice.currency)
        raise ValidationError("amount", amount, f"more than zero, at most {invoice.amount_due}")
    if command.amount_minor == invoice.due_minor:
        number = invoice.number or ""
        return (
            InvoicePaid(invoice.id, invoice.customer, invoice.subscription, number, invoice.total),
        )
    amount = Money(command.amount_minor, invoice.currency)
    return (InvoicePartlyPaid(invoice.id, invoice.customer, amount, invoice.amount_due - amount),)


def apply(invoice: Invoice, command: Command, event: Event) -> Invoice:
    """Return the state after an event of a command: the only place where a final invoice moves."""
    version = invoice.version + 1
    match command:
        case StartCollection(payment=payment):
            return evolve(
                invoice, collecting=payment, attempts=invoice.attempts + 1, version=version
            )
        case EndCollection():
            return evolve(invoice, collecting=None, version=version)
        case ApplyPayment(payment=payment, amount_minor=amount_minor, at=at):
            return evolve(
                invoice,
                paid_minor=invoice.paid_minor + amount_minor,
                state=Paid(at) if isinstance(event, InvoicePaid) else invoice.state,
                collecting=None if invoice.collecting == payment else invoice.collecting,
                version=version,
            )
        case StartDunning():
            return evolve(invoice, dunning=True, version=version)
        case EndDunning():
            return evolve(invoice, dunning=False, version=version)
        case MarkVoid(reason=reason, at=at):
            return evolve(invoice, state=Void(at, reason), version=version)
        case MarkUncollectible(reason=reason, at=at):
            return evolve(invoice, state=Uncollectible(at, reason), version=version)
        case other:
            assert_never(other)
