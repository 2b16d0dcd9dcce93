"""The lines of an invoice: what is charged, before tax and with it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from subscriptions.billing_cycles import Period
from subscriptions.discounts import DiscountShare
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, PriceId, ProductId, SubscriptionId
from subscriptions.money import Currency, Money
from subscriptions.pricing import EventTotals
from subscriptions.proration import ProrationUnit
from subscriptions.records import evolve
from subscriptions.taxes import TaxBehavior, TaxFlag, TaxRate, TaxTreatment


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
    """What is missing to the minimum of a metered price."""
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
    many of the events took something back; a price for each event does not count them. `totals` is
    what the events come to where the price asks for the amount of each; None elsewhere.
    """

    meter: str
    quantity: Decimal
    events: int
    before: Decimal = Decimal(0)
    before_minor: int = 0
    taken_back: int = 0
    totals: EventTotals | None = None


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
