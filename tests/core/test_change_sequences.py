"""Whatever is changed within a period, and however often: it costs what each span of it costs.

The oracle counts days by their ordinals, prices tiers by itself and adds up fractions; it shares no
code with what it judges.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import copy
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import Interval
from subscriptions.coupons import AppliedCoupon
from subscriptions.discounts import AmountOff, PercentOff
from subscriptions.ids import PriceId
from subscriptions.invoices import LineKind, LineRef
from subscriptions.lifecycle import PaidShare, WantedItem
from subscriptions.money import EUR, Money
from subscriptions.pricing import Flat, Graduated, PerUnit, Stairstep, Tier
from subscriptions.pricing import Step as PriceStep
from subscriptions.proration import Proration
from subscriptions.taxes import TaxBehavior
from subscriptions.testing.builders import a_coupon, a_price
from tests.core.ledger import Ledger, charged_minor, noon

quick = settings(derandomize=True, max_examples=150, deadline=None, database=None)

START, END = date(2027, 1, 31), date(2027, 2, 28)
DAYS = END.toordinal() - START.toordinal()
PRICES = [
    a_price("flat", model=Flat("31.00")),
    a_price("unit", model=PerUnit("7.77"), tax_behavior=TaxBehavior.INCLUSIVE),
    a_price(
        "tiers",
        model=Graduated(
            (
                Tier(up_to=3, unit="10.00", flat="1.00"),
                Tier(up_to=10, unit="5.00"),
                Tier(unit="2.50", flat="3.00"),
            )
        ),
    ),
    a_price("least", model=PerUnit("9.99"), minimum_minor=4444),
]


def cost(price: str, quantity: int) -> Fraction:
    """Return what a period of a price costs, in minor units."""
    match price:
        case "flat":
            return Fraction(3100)
        case "unit":
            return Fraction(777) * quantity
        case "least":
            return max(Fraction(999) * quantity, Fraction(4444))
        case _:
            tiers = 100 + 1000 * min(quantity, 3)
            if quantity > 3:
                tiers += 500 * (min(quantity, 10) - 3)
            if quantity > 10:
                tiers += 300 + 250 * (quantity - 10)
            return Fraction(tiers)


@frozen
class Step:
    """One change: on which day and at which hour, of what, and whether it is invoiced at once."""

    day: int
    hour: int
    kind: str
    place: int
    quantity: int
    price: str
    now: bool

    @property
    def at(self) -> datetime:
        """The instant of it."""
        return noon(START + timedelta(days=self.day), self.hour)


IDS = st.sampled_from(["flat", "unit", "tiers", "least"])
UNITS = st.sampled_from(["day", "second", "thirtieths"])
CONFIGURATION = st.tuples(IDS, st.integers(1, 15))
STEPS = st.lists(
    st.builds(
        Step,
        st.integers(0, DAYS - 1),
        st.integers(0, 23),
        st.sampled_from(["quantity", "swap", "add", "remove"]),
        st.integers(0, 5),
        st.integers(1, 15),
        IDS,
        st.booleans(),
    ),
    max_size=14,
).map(lambda steps: sorted(steps, key=lambda step: step.at))


def subscribed(*items: tuple[str, int], coupons: Sequence[AppliedCoupon] = ()) -> Ledger:
    """Return the ledger of a subscription of which the first period is billed."""
    ledger = Ledger(PRICES, start=START, coupons=tuple(coupons))
    made = tuple(
        ledger.item(ledger.prices[price], quantity, start=START, number=place)
        for place, (price, quantity) in enumerate(items, 1)
    )
    ledger.sub = evolve(ledger.sub, items=made, last_item=len(made))
    ledger.bill()
    return ledger


def take(ledger: Ledger, step: Step, policy: Proration) -> None:
    """Change one item as a step says; the last one is not removed."""
    wanted = {
        each.number: WantedItem(each.price, each.quantity, each.number) for each in ledger.sub.items
    }
    number = sorted(wanted)[step.place % len(wanted)]
    extra: list[WantedItem] = []
    match step.kind:
        case "quantity":
            wanted[number] = evolve(wanted[number], quantity=step.quantity)
        case "swap":
            wanted[number] = evolve(wanted[number], price=ledger.prices[step.price].id)
        case "remove" if len(wanted) > 1:
            del wanted[number]
        case _:
            extra = [WantedItem(ledger.prices[step.price].id, step.quantity)]
    mode = "invoice_now" if step.now else "next_invoice"
    ledger.change([*wanted.values(), *extra], step.at, evolve(policy, mode=mode))
    ledger.check()


def items(ledger: Ledger) -> list[WantedItem]:
    """Return what the subscription has."""
    return [WantedItem(each.price, each.quantity, each.number) for each in ledger.sub.items]


class Oracle:
    """What was had from when to when, and what that comes to."""

    def __init__(self, ledger: Ledger, *, seconds: bool) -> None:
        self.seconds = seconds
        self.spans: list[tuple[Fraction, Fraction]] = []
        self.note(ledger, noon(START, 0))

    def note(self, ledger: Ledger, at: datetime) -> None:
        """Note what a period costs from an instant on."""
        days = Fraction(at.date().toordinal() - START.toordinal())
        if self.seconds:
            days += Fraction(at.hour, 24)
        period = sum((cost(e.price, int(e.quantity)) for e in ledger.sub.items), Fraction())
        self.spans.append((days, period))

    def until(self, days: Fraction) -> Fraction:
        """Return the sum until so many days have gone by."""
        ends = [*self.spans, (days, Fraction())]
        return sum(
            (period * (next_ - begin) / DAYS for (begin, period), (next_, _) in pairwise(ends)),
            Fraction(),
        )


@quick
@given(first=st.lists(CONFIGURATION, min_size=1, max_size=3), steps=STEPS, seconds=st.booleans())
def test_a_period_costs_what_each_span_of_it_costs(
    *, first: list[tuple[str, int]], steps: list[Step], seconds: bool
) -> None:
    ledger = subscribed(*first)
    oracle = Oracle(ledger, seconds=seconds)
    for step in steps:
        take(ledger, step, Proration(unit="second" if seconds else "day"))
        oracle.note(ledger, step.at)
    # Each item is rounded where it is cut: half a cent for each end of each span of each.
    cuts = (len(steps) + 1) * (len(first) + len(steps))
    assert abs(ledger.charged - oracle.until(Fraction(DAYS))) <= cuts


@quick
@given(st.lists(CONFIGURATION, min_size=1, max_size=3), STEPS, st.integers(0, DAYS - 1))
def test_an_end_with_a_credit_leaves_what_was_used(
    first: list[tuple[str, int]], steps: list[Step], last: int
) -> None:
    ledger = subscribed(*first)
    oracle = Oracle(ledger, seconds=False)
    for step in steps:
        if step.day <= last:
            take(ledger, step, Proration())
            oracle.note(ledger, step.at)
    outcome = ledger.settled(noon(START + timedelta(days=last), 23))
    invoiced = [line for lines in ledger.invoices.values() for line in lines]
    left = charged_minor([*invoiced, *outcome.pending])
    cuts = (len(steps) + 1) * (len(first) + len(steps))
    assert abs(left - oracle.until(Fraction(last))) <= cuts
    assert left >= 0, "no more is given back than was charged"


def coupons_of(kind: str) -> list[AppliedCoupon]:
    """Return coupons that count for ever, by a word."""
    terms = {"percent": PercentOff("33.3"), "amount": AmountOff(Money(1234, EUR))}
    return [
        evolve(a_coupon(f"cpn_{name}", terms=terms[name]).applied(), periods_left=None)
        for name in kind.split()
    ]


COUPONS = st.sampled_from(["", "percent", "amount", "percent amount", "amount percent"])


@quick
@given(
    both=st.lists(st.tuples(CONFIGURATION, CONFIGURATION), min_size=1, max_size=3),
    day=st.integers(0, DAYS - 1),
    hour=st.integers(0, 23),
    unit=UNITS,
    coupons=COUPONS,
    now=st.tuples(st.booleans(), st.booleans()),
    change_day=st.sampled_from(["new", "old"]),
)
def test_a_change_and_a_change_back_at_one_instant_cost_nothing(
    *,
    both: list[tuple[tuple[str, int], tuple[str, int]]],
    day: int,
    hour: int,
    unit: str,
    coupons: str,
    now: tuple[bool, bool],
    change_day: str,
) -> None:
    ledger = subscribed(*[before for before, _ in both], coupons=coupons_of(coupons))
    before, charged = items(ledger), ledger.charged
    at = noon(START + timedelta(days=day), hour)
    policies = [
        Proration(mode="invoice_now" if each else "next_invoice", unit=unit, change_day=change_day)
        for each in now
    ]
    after = [
        WantedItem(ledger.prices[price].id, quantity, number)
        for number, (_, (price, quantity)) in enumerate(both, 1)
    ]
    ledger.change(after, at, policies[0])
    ledger.check()
    ledger.change(before, at, policies[1])
    ledger.check()
    assert ledger.charged == charged


@quick
@given(
    first=st.lists(CONFIGURATION, min_size=1, max_size=2),
    extra=CONFIGURATION,
    day=st.integers(0, DAYS - 2),
    hour=st.integers(0, 23),
    unit=UNITS,
    now=st.booleans(),
    change_day=st.sampled_from(["new", "old"]),
)
def test_what_is_added_and_removed_at_one_instant_costs_nothing(
    *,
    first: list[tuple[str, int]],
    extra: tuple[str, int],
    day: int,
    hour: int,
    unit: str,
    now: bool,
    change_day: str,
) -> None:
    ledger = subscribed(*first, extra)
    before, charged = items(ledger), ledger.charged
    at = noon(START + timedelta(days=day), hour)
    mode = "invoice_now" if now else "next_invoice"
    policy = Proration(mode=mode, unit=unit, change_day=change_day)
    again = WantedItem(ledger.prices[extra[0]].id, extra[1])
    ledger.change([*before, again], at, policy)
    ledger.change(before, at, policy)
    assert ledger.charged == charged
    ledger.change(before[:-1], at, policy)
    ledger.change([*before[:-1], again], at, policy)
    ledger.check()
    assert ledger.charged == charged, "and what is removed and added again"


@quick
@given(
    st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, 23), st.booleans()), max_size=20),
    UNITS,
    COUPONS,
)
def test_a_period_of_prices_that_cost_the_same_costs_exactly_that(
    moments: list[tuple[int, int, bool]], unit: str, coupons: str
) -> None:
    same = [("flat", 1), ("unit", 1), ("half", 2), ("flat", 7)]
    ledger = Ledger(
        [
            PRICES[0],
            a_price("unit", model=PerUnit("31.00")),
            a_price("half", model=PerUnit("15.50")),
        ],
        start=START,
        coupons=tuple(coupons_of(coupons)),
    )
    ledger.bill()
    once = ledger.charged
    for place, (day, hour, now) in enumerate(sorted(moments)):
        price, quantity = same[place % len(same)]
        policy = Proration(mode="invoice_now" if now else "next_invoice", unit=unit)
        ledger.change(
            [WantedItem(ledger.prices[price].id, quantity, 1)],
            noon(START + timedelta(days=day), hour),
            policy,
        )
        ledger.check()
        assert ledger.charged == once


@quick
@given(STEPS, st.sampled_from([0, 1, 50, 99, 100]))
def test_no_more_is_credited_of_a_line_than_was_paid_of_it(steps: list[Step], paid: int) -> None:
    ledger = subscribed(("tiers", 12), ("unit", 5))
    for step in steps:
        shares = {invoice: PaidShare(paid, 100) for invoice in ledger.invoices}
        wanted = [evolve(each, quantity=step.quantity) for each in items(ledger)]
        mode = "invoice_now" if step.now else "next_invoice"
        ledger.change(wanted, step.at, Proration(mode=mode, cap="paid"), paid=shares)
        ledger.check()
    credited: dict[LineRef, int] = {}
    for line in ledger.lines:
        if line.kind is LineKind.CREDIT and line.credits is not None:
            credited[line.credits] = credited.get(line.credits, 0) - line.amount_minor
    for ref, amount_minor in credited.items():
        line = ledger.invoices[ref.invoice][ref.line]
        assert amount_minor * 100 <= charged_minor([line]) * paid


@quick
@given(STEPS)
def test_where_all_is_paid_a_cap_by_what_is_paid_changes_nothing(steps: list[Step]) -> None:
    free, capped = subscribed(("tiers", 12)), subscribed(("tiers", 12))
    for step in steps:
        for ledger, cap in ((free, "debited"), (capped, "paid")):
            shares = {
                invoice: PaidShare(charged_minor(lines), charged_minor(lines))
                for invoice, lines in ledger.invoices.items()
            }
            wanted = [evolve(each, quantity=step.quantity) for each in items(ledger)]
            mode = "invoice_now" if step.now else "next_invoice"
            ledger.change(wanted, step.at, Proration(mode=mode, cap=cap), paid=shares)
    assert capped.charged == free.charged


@quick
@given(STEPS)
def test_where_nothing_is_given_back_there_are_debits_only(steps: list[Step]) -> None:
    ledger = subscribed(("tiers", 12), ("unit", 5))
    for step in steps:
        take(ledger, step, Proration(credit="none"))
    kinds = {line.kind for line in ledger.lines}
    assert kinds <= {LineKind.PERIOD, LineKind.DEBIT}


@quick
@given(STEPS)
def test_changes_without_proration_cost_nothing_and_spoil_no_credit(steps: list[Step]) -> None:
    ledger = subscribed(("tiers", 12))
    once = ledger.charged
    for step in steps:
        wanted = [evolve(each, quantity=step.quantity) for each in items(ledger)]
        ledger.change(wanted, step.at, Proration(mode="none"))
        assert ledger.charged == once
    # What is given back is what was charged, of whatever the customer has by now.
    outcome = ledger.settled(noon(END - timedelta(days=1), 23))
    (credit,) = outcome.pending
    assert -credit.amount_minor == once - round(Fraction(once * (DAYS - 1), DAYS))


@pytest.mark.parametrize("unit", ["day", "second"])
def test_a_thousand_changes_in_a_year_add_up(unit: str) -> None:
    # Enough to find a place that moves by one; the seed says which thousand.
    chosen = random.Random(20270131)
    yearly = [evolve(price, every=Interval.years(1)) for price in PRICES]
    ledger = Ledger(yearly, start=START)
    ledger.bill()
    year_end = date(2028, 1, 31)
    days = year_end.toordinal() - START.toordinal()
    hours = sorted(chosen.randrange(days * 24) for _ in range(1000))
    had, since = Fraction(3100), Fraction()
    expected = Fraction()
    for hour in hours:
        price, quantity = chosen.choice(PRICES).id, chosen.randint(1, 20)
        mode = chosen.choice(["invoice_now", "next_invoice"])
        at = noon(START, 0) + timedelta(hours=hour)
        wanted = [WantedItem(ledger.prices[price].id, quantity, 1)]
        ledger.change(wanted, at, Proration(mode=mode, unit=unit))
        moment = Fraction(hour, 24) if unit == "second" else Fraction(hour // 24)
        expected += had * (moment - since) / days
        had, since = cost(price, quantity), moment
    expected += had * (days - since) / days
    ledger.check()
    assert abs(ledger.charged - expected) <= 1000
    assert len(ledger.sub.debits) <= 1001


LIFE = [
    a_price("month", model=PerUnit("31.00")),
    a_price("tier", model=Graduated((Tier(up_to=3, unit="10.00"), Tier(unit="2.50")))),
    a_price("year", model=PerUnit("365.00"), every=Interval.years(1)),
    a_price("week", model=PerUnit("7.00"), every=Interval.weeks(1)),
    a_price("late", model=PerUnit("31.00"), arrears=True),
    a_price("quarter", model=PerUnit("90.00"), every=Interval.months(3), arrears=True),
]


def bill_due(ledger: Ledger, now: datetime) -> None:
    """Bill every period that is due by an instant, one after the other."""
    while min(item.due_day for item in ledger.sub.items) <= now.date():
        ledger.bill()


def forth_and_back(ledger: Ledger, chosen: random.Random, now: datetime, policy: Proration) -> int:
    """Return what a change of monthly prices in advance and back costs, on a copy."""
    tried = copy(ledger)
    tried.invoices = dict(ledger.invoices)
    before = items(tried)
    after = [
        evolve(
            each,
            price=tried.prices[chosen.choice(["month", "tier"])].id,
            quantity=chosen.randint(1, 9),
        )
        if each.price in {"month", "tier"}
        else each
        for each in before
    ]
    for wanted in (after, before):
        tried.change(wanted, now, policy)
        tried.check()
    return tried.charged - ledger.charged


@pytest.mark.parametrize("seed", range(40))
def test_in_any_life_a_change_and_a_change_back_cost_nothing(seed: int) -> None:
    chosen = random.Random(seed)
    ledger = Ledger(LIFE, start=START)
    now = noon(START, 0)
    bill_due(ledger, now)
    for _ in range(25):
        now += timedelta(hours=chosen.choice([0, 0, 1, 5, 24, 100, 300, 800]))
        bill_due(ledger, now)
        policy = Proration(
            mode=chosen.choice(["next_invoice", "invoice_now"]),
            unit=chosen.choice(["day", "second", "thirtieths"]),
            change_day=chosen.choice(["new", "new", "old"]),
        )
        assert forth_and_back(ledger, chosen, now, policy) == 0
        wanted = {each.item: each for each in items(ledger)}
        one = chosen.choice(items(ledger))
        price = ledger.prices[chosen.choice(LIFE).id].id
        match chosen.choice(["quantity", "swap", "add", "remove", "move"]):
            case "move":
                ledger.move(now.date() + timedelta(days=chosen.randint(1, 60)), now, policy)
                continue
            case "quantity":
                wanted[one.item] = evolve(one, quantity=chosen.randint(1, 9))
            case "swap":
                wanted[one.item] = evolve(one, price=price)
            case "remove" if len(wanted) > 1:
                del wanted[one.item]
            case _:
                wanted[None] = WantedItem(price, chosen.randint(1, 3))
        ledger.change(list(wanted.values()), now, policy)
        ledger.check()
        # What is left is never below zero: no more is given back than was charged.
        outcome = ledger.settled(now, policy)
        invoiced = [line for lines in ledger.invoices.values() for line in lines]
        assert charged_minor([*invoiced, *outcome.pending]) >= 0


LEAST = a_price("least", model=PerUnit("10.00"), minimum_minor=4500)
# What 10.00 for each of up to nine units comes to, and 45.00 at least, amount by amount.
LISTED = a_price(
    "least",
    model=Stairstep(
        [PriceStep(up_to=count, price=max(45, 10 * count)) for count in range(1, 9)]
        + [PriceStep(price=90)]
    ),
)


@pytest.mark.parametrize("seed", range(60))
def test_in_any_life_a_minimum_costs_what_a_list_of_its_amounts_costs(seed: int) -> None:
    chosen = random.Random(seed)
    # The one is cut, credited and charged as a price that has no minimum: so must the other be.
    both = [
        Ledger([price, evolve(price, id=PriceId("least late"), arrears=True), *LIFE], start=START)
        for price in (LEAST, LISTED)
    ]
    now = noon(START, 0)
    for _ in range(25):
        now += timedelta(hours=chosen.choice([0, 1, 5, 24, 100, 300, 800]))
        policy = Proration(
            mode=chosen.choice(["next_invoice", "invoice_now"]),
            unit=chosen.choice(["day", "second", "thirtieths"]),
        )
        had = items(both[0])
        one, price = chosen.choice(had), chosen.choice(["least", "least late", "month", "year"])
        edited = {
            "quantity": evolve(one, quantity=chosen.randint(1, 9)),
            "swap": evolve(one, price=PriceId(price)),
            "add": WantedItem(PriceId(price), chosen.randint(1, 9)),
        }[chosen.choice(["quantity", "swap", "add"])]
        wanted = [each for each in had if each.item != edited.item] + [edited]
        on = now.date() + timedelta(days=chosen.randint(1, 60)) if chosen.random() < 0.1 else None
        for ledger in both:
            bill_due(ledger, now)
            if on is not None:
                ledger.move(on, now, policy)
            else:
                ledger.change(wanted[-3:], now, policy)
            ledger.check()
        bounded, listed = (
            # Only what is printed of them differs: a list of amounts has no unit price.
            [evolve(line, unit_price=None) for line in each.lines]
            + [evolve(line, unit_price=None) for line in each.settled(now, policy).pending]
            for each in both
        )
        assert bounded == listed
