"""The invoice as a record: its parties, lines and states, and what follows from them.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias, assert_never

from attrs import field, frozen

from subscriptions.billing_cycles import Period, first_instant, zone_info
from subscriptions.customers import Address, CollectionMethod
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PriceId, ProductId, SubscriptionId
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.money import Currency, Money, Rounding
from subscriptions.payment_references import creditor_reference
from subscriptions.proration import ProrationUnit
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_text
from subscriptions.taxes import TaxBehavior, TaxFlag, TaxGroup, TaxRate, TaxTreatment


@frozen(cache_hash=True)
class SellerSnapshot:
    """The seller as printed; later changes of the seller do not reach it."""

    name: str
    address: Address
    tax_id: str
    email: str
    iban: str


@frozen
class Seller:
    """Who sells: what is printed on invoices, the zone of its days, its number series.

    `terms_days` is how many days a customer has who pays by himself. Each series is kept for ever
    under (seller, kind, pattern); another pattern begins another series. A pattern of invoices or
    credit notes with `{customer}` in it gives each customer a series of his own, by his number.

    What is billed for a period stays a draft for `draft_window_hours`, and then becomes final by
    itself. Pro-forma invoices have numbers only if there are `pro_forma_numbers`.
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
    credit_note_numbers: Series = Series("CN-{year}-{counter:05}", reset=Reset.YEARLY)
    pro_forma_numbers: Series | None = None
    draft_window_hours: int = 0
    snapshot: SellerSnapshot = field(init=False, eq=False, repr=False)
    """What is printed of it on an invoice of now."""
    _invoices: tuple[str, Series] = field(init=False, eq=False, repr=False)
    _of_all: bool = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        printed = SellerSnapshot(self.name, self.address, self.tax_id, self.email, self.iban)
        object.__setattr__(self, "snapshot", printed)
        # Each invoice of a run asks for it.
        object.__setattr__(self, "_invoices", (self.invoice_series, self.invoice_numbers))
        object.__setattr__(self, "_of_all", not self.invoice_numbers.per_customer)
        plain_text("seller.name", self.name, length_max=200)
        if "/" in plain_text("seller.id", self.id, length_max=40):
            raise ValidationError("seller.id", self.id, "a name without slashes")
        zone_info(self.zone)
        if not 0 <= self.terms_days <= 365:  # noqa: PLR2004 - a year
            raise ValidationError("seller.terms_days", self.terms_days, "0 to 365 days")
        if (
            type(self.draft_window_hours) is not int
            or not 0 <= self.draft_window_hours <= _DRAFT_WINDOW_MAX
        ):
            expected = f"0 to {_DRAFT_WINDOW_MAX} hours"
            raise ValidationError("seller.draft_window_hours", self.draft_window_hours, expected)
        if self.customer_numbers.per_customer:
            pattern = self.customer_numbers.pattern
            raise ValidationError("seller.customer_numbers", pattern, "no {customer}: it is one")
        for name in ("invoice_numbers", "credit_note_numbers", "pro_forma_numbers"):
            series: Series | None = getattr(self, name)
            if series is not None and _RUNS_TOGETHER.search(series.pattern):
                # Number 1 of customer 11 would be number 11 of customer 1.
                expected = "something other than digits between {customer} and {counter}"
                raise ValidationError(f"seller.{name}", series.pattern, expected)

    @property
    def invoice_series(self) -> str:
        """The id of the series of its invoices."""
        return f"{self.id}/invoice/{self.invoice_numbers.pattern}"

    @property
    def customer_series(self) -> str:
        """The id of the series of its customers' numbers."""
        return f"{self.id}/customer/{self.customer_numbers.pattern}"

    @property
    def credit_note_series(self) -> str:
        """The id of the series of its credit notes."""
        return f"{self.id}/credit_note/{self.credit_note_numbers.pattern}"

    def invoices_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for invoices of a customer's number, and how it starts.

        Raises `ValidationError` for a series for each customer without such a number.
        """
        return self._invoices if self._of_all else _of(*self._invoices, customer)

    def credit_notes_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for credit notes of a customer's number, and its start."""
        return _of(self.credit_note_series, self.credit_note_numbers, customer)

    def pro_formas_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for pro-forma invoices of a customer's number, and its start.

        Raises `ValidationError` if they have no numbers.
        """
        numbers = self.pro_forma_numbers
        if numbers is None:
            raise ValidationError("seller.pro_forma_numbers", None, "a series")
        return _of(f"{self.id}/pro_forma/{numbers.pattern}", numbers, customer)


def _of(id: str, numbers: Series, customer: str | None) -> tuple[str, Series]:
    if not numbers.per_customer:
        return id, numbers
    return f"{id}/{customer}", numbers.of_customer(customer or "")


# The day belongs to a fixed number of digits, and so does the month.
_RUNS_TOGETHER = re.compile(
    r"\{customer\}([0-9]|\{year\}|\{month\})*\{counter|"
    r"\{counter[^}]*\}([0-9]|\{year\}|\{month\})*\{customer"
)
_DRAFT_WINDOW_MAX = 24 * 31


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


class LineKind(StrEnum):
    """What a line is for."""

    PERIOD = "period"
    """A whole period, or a stub of one."""
    CREDIT = "credit"
    """The unused part of what was charged earlier; `credits` names it."""
    DEBIT = "debit"
    """The rest of a period after a change."""
    USAGE = "usage"
    LATE_USAGE = "late_usage"
    """Usage of a period that was billed before it was reported."""
    TRUE_UP = "true_up"
    """What is missing to a minimum commitment."""
    SETUP = "setup"
    ONE_OFF = "one_off"


@frozen
class Part:
    """Which part of a whole amount a line is: the cut at `end` less the cut at `begin`.

    Both are fractions of the whole period, from 0 to 1, counted in `unit`; a long stub ends beyond
    1, in a later period. `units` is how many of the unit the period has that is cut; None where no
    one number says it, as in a stub that cuts two periods.
    """

    whole_minor: int
    begin: Fraction
    end: Fraction
    unit: ProrationUnit = ProrationUnit.DAY
    units: int | None = None

    @property
    def fraction(self) -> Fraction:
        """How much of the whole it is; the amount is rounded at the two cuts, not from this."""
        return self.end - self.begin


@frozen
class LineRef:
    """Names one line of one invoice, by its place from 0."""

    invoice: InvoiceId
    line: int


@frozen
class Measured:
    """The usage behind a line: what was counted, by which meter, in how many events.

    `before` is the quantity of that period that was charged earlier: the line is for the rest.
    `before_minor` is what was charged for that period earlier and is taken off. `taken_back` is how
    many of the events took something back; a price for each event does not count them.
    """

    meter: str
    quantity: Decimal
    events: int
    before: Decimal = Decimal(0)
    before_minor: int = 0
    taken_back: int = 0


@frozen
class Charge:
    """Something to put on an invoice, before tax is split off: one line to be.

    `amount_minor` is what the price says: net or gross as `behavior` says, before `discounts`.
    `unit_price` in major units is what is printed; None where a quantity times a price would
    mislead. `product` is what coupons ask for. `phase` is the place of the price's introductory
    phase that counted; None for what lasts. `more_rates` are taxes on the same net besides `rate`,
    `tax_flag` says what was missing where tax is charged for lack of evidence. `tax_category` says
    what is sold where no price does; it is empty where the rates were given with the item.
    """

    description: str
    amount_minor: int
    rate: TaxRate
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    quantity: int | Decimal = 1
    unit_price: Decimal | None = None
    period: Period | None = None
    price: PriceId | None = None
    kind: LineKind = LineKind.PERIOD
    product: ProductId | None = None
    subscription: SubscriptionId | None = None
    item: int | None = None
    discounts: tuple[DiscountShare, ...] = ()
    part: Part | None = None
    credits: LineRef | None = None
    usage: Measured | None = None
    phase: int | None = None
    more_rates: tuple[TaxRate, ...] = ()
    tax_flag: TaxFlag | None = None
    tax_category: str = "standard"

    def taxed(self, treatment: TaxTreatment) -> Charge:
        """Return the charge as a treatment taxes it; itself if it is so already."""
        if treatment.rate is self.rate and len(treatment.rates) == 1 and treatment.flag is None:
            return self
        return evolve(
            self,
            rate=treatment.rate,
            more_rates=treatment.more_rates,
            tax_flag=treatment.flag,
        )


@frozen
class Line:
    """One line of an invoice; `net_minor` is rounded once and never again.

    `amount_minor` is before `discounts`, the shares of the document's discounts that it bears.
    `subscription` and `item` say whose line it is, `part` which part of a whole it is, `phase`
    which introductory phase of the price counted; None for what lasts. `more_rates` are taxes on
    the same net besides `rate`. `tax_flag` says that tax was charged for lack of evidence, and of
    which, so that a person may look.
    """

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
    kind: LineKind = LineKind.PERIOD
    subscription: SubscriptionId | None = None
    item: int | None = None
    discounts: tuple[DiscountShare, ...] = ()
    part: Part | None = None
    credits: LineRef | None = None
    usage: Measured | None = None
    phase: int | None = None
    product: ProductId | None = None
    """What scopes of grants ask for; it follows from the price."""
    more_rates: tuple[TaxRate, ...] = ()
    tax_flag: TaxFlag | None = None
    tax_category: str = "standard"
    """What is sold, where no price says so; empty where its rates were given with the item."""

    @property
    def rates(self) -> tuple[TaxRate, ...]:
        """All taxes on the line's net."""
        return (self.rate, *self.more_rates) if self.more_rates else (self.rate,)

    @property
    def amount(self) -> Money:
        """The amount as priced: net or gross as `behavior` says, before discounts."""
        return Money(self.amount_minor, self.currency)

    @property
    def discount_minor(self) -> int:
        """The sum of its shares of the discounts, in minor units."""
        return sum([share.amount_minor for share in self.discounts])

    @property
    def discount(self) -> Money:
        """The sum of its shares of the discounts."""
        return Money(self.discount_minor, self.currency)

    @property
    def net(self) -> Money:
        """The amount less discounts, without tax."""
        return Money(self.net_minor, self.currency)


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


@frozen
class Taxing:
    """A draft waits for a tax engine: how often that was asked in vain, and why it said nothing.

    `gives_back` says that what the invoice credits is given back as money once it is final.
    """

    tries: int = 0
    reason: str = ""
    gives_back: bool = False


@frozen
class Sending:
    """An invoice was to be sent to an address, by the host."""

    at: datetime
    recipient: str


@frozen
class Invoice:
    """One invoice. `collecting` is the one attempt whose outcome is open, if there is one.

    `balance_minor` is what the customer's balance paid of it; where the total is negative, so is
    it: the customer got that. `credited_minor` is what credit notes took off what was owed;
    what they gave back of what was paid is on them alone. `granted_minor` is what credit grants
    paid after the balance. `activates` says that a subscription
    waits for it to be paid. `finalize_at` is when a draft becomes final by itself. `dunning` says
    that a dunning case looks after it; then the invoice itself is due no more.

    Once it is final, `seller_id` says whose it is (empty: the main seller's) and `series` in which
    series its number is. `replaces` names the void invoice that it was made instead of, which names
    it in `replaced_by`. `sendings` are the times when it was asked to be sent again.

    `disputed` are the payments that it is short of because they are disputed: while there are any
    it is not charged by itself. `reopened` counts how often money that had paid it was taken back.

    `collection_method` says whether it is charged or sent. A `small` one comes to less than the
    gateway charges: it waits for the customer's next charge, and is not dunned. At `charge_at` it
    is charged together with the small ones that wait.

    A draft with `taxing` waits for a tax engine; `tax_quote` is whose quote it has, and which.
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
    commitment: str = ""
    previous_hash: str = ""
    hash: str = ""
    parked: str | None = None
    balance_minor: int = 0
    activates: bool = False
    finalize_at: datetime | None = None
    credited_minor: int = 0
    granted_minor: int = 0
    seller_id: str = ""
    series: str = ""
    replaces: InvoiceId | None = None
    replaced_by: InvoiceId | None = None
    sendings: tuple[Sending, ...] = ()
    disputed: tuple[PaymentId, ...] = ()
    reopened: int = 0
    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    small: bool = False
    charge_at: datetime | None = None
    taxing: Taxing | None = None
    tax_quote: str = ""

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
    def balance_applied(self) -> Money:
        """What the customer's balance paid; negative where the customer got a credit by it."""
        return Money(self.balance_minor, self.currency)

    @property
    def granted(self) -> Money:
        """What credit grants paid; `balance.grant_entries` says which."""
        return Money(self.granted_minor, self.currency)

    @property
    def credited(self) -> Money:
        """What credit notes took off what was owed; not what they gave back of what was paid."""
        return Money(self.credited_minor, self.currency)

    @property
    def sent(self) -> bool:
        """Whether the customer pays it by himself, though there may be something to charge."""
        return self.collection_method is CollectionMethod.SEND_INVOICE

    @property
    def payment_reference(self) -> str | None:
        """The RF creditor reference to write on a transfer; None while it has no number."""
        return None if self.number is None else creditor_reference(self.number)

    @property
    def subscriptions(self) -> tuple[SubscriptionId, ...]:
        """The subscriptions that it bills: several where a customer's invoices are grouped."""
        if self.subscription is not None:
            return (self.subscription,)
        return tuple(
            dict.fromkeys([x.subscription for x in self.lines if x.subscription is not None])
        )

    @property
    def due_minor(self) -> int:
        """What is still owed, in minor units; never negative."""
        match self.state:
            case Draft() | Void() | Paid():
                return 0
            case Open() | Uncollectible():
                settled = self.balance_minor + self.granted_minor + self.paid_minor
                return self.total_minor - settled - self.credited_minor
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
        """The first instant after the due day, unless dunning looks after it or it is settled.

        Of a draft: when it becomes final by itself, if it does.
        """
        if self.finalize_at is not None and isinstance(self.state, Draft) and self.parked is None:
            return self.finalize_at
        if (
            self.due_on is None
            or self.dunning
            or self.small
            or self.collecting is not None
            or self.parked is not None
            or not isinstance(self.state, Open)
        ):
            return None
        if self.charge_at is not None:
            return self.charge_at
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
        Column("due_minor", ColumnType.INTEGER, lambda i: i.due_minor, indexed=False),
        Column("seller", ColumnType.TEXT, lambda i: i.seller_id, indexed=False),
        Column("series", ColumnType.TEXT, lambda i: i.series, indexed=False),
    ),
    # No seller gives a number twice, not even in two series of his.
    unique=(("number", "seller"),),
)
