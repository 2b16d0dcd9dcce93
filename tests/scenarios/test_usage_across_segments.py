"""Usage where a period is cut: by changes, pauses, trials, moved dates, an end and a new beginning.

Law: whatever comes when, all invoices together bill what was used, each segment as its meter counts
it and nothing twice. The oracle is a table of all events and cuts, which knows nothing of invoices.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions import MemoryStorage, PerUnit, ValidationError
from subscriptions.alignment import Calendar
from subscriptions.lifecycle import Subscription
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, audit, eur, open_shop

Opened = Callable[..., Shop]
START = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGGREGATIONS = ["count", "sum", "max", "unique", "last", "time_weighted"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@define
class Story:
    """One customer who uses something, and a table of what he did."""

    shop: Shop
    aggregation: str = "sum"
    events: list[tuple[datetime, int, str]] = field(factory=list[tuple[datetime, int, str]])
    prices: dict[str, str] = field(factory=dict[str, str])

    def price(self, unit: str = "1.00", *, trial_usage_billed: bool = False) -> str:
        """Offer what the meter counts at a price for each unit; returns the price's id."""
        if not self.shop.billing.usage.meters().items:
            by = "user" if self.aggregation == "unique" else None
            self.shop.billing.usage.add_meter("used", aggregation=self.aggregation, property=by)
        return self.shop.billing.catalog.add_price(
            f"Used at {unit}",
            PerUnit(unit),
            currency="EUR",
            every=MONTHLY,
            meter="used",
            arrears=True,
            trial_usage_billed=trial_usage_billed,
        ).id

    def sell(self, price: str, **more: object) -> Subscription:
        customer = self.shop.customer()
        return self.shop.billing.subscriptions.create(customer.id, [price], **more)  # type: ignore[arg-type]  # passed on

    def use(
        self, sub: Subscription, quantity: int, when: datetime | None = None, user: str = "a"
    ) -> None:
        self.shop.billing.usage.record(
            sub.id,
            "used",
            event_id=f"e{len(self.events)}",
            quantity=quantity,
            occurred_at=when,
            properties={"user": user},
        )
        self.events.append((when or self.shop.clock(), quantity, user))

    def billed(self) -> list[tuple[str, str, str]]:
        """Return what each line bills: its kind, its period, its amount."""
        return [
            (line.kind.value, str(line.period), f"{line.amount_minor / 100:.2f}")
            for invoice in self.shop.invoices()
            for line in invoice.lines
        ]


# ---- the law ------------------------------------------------------------------------------------


def truth(
    story: Story, segments: list[tuple[datetime, datetime, bool]], boundaries: list[datetime]
) -> Fraction:
    """Return what all segments come to; the free ones count nothing, but levels go on in them."""
    total, level = Fraction(0), 0
    ordered = sorted(story.events, key=lambda event: event[0])
    for begin, end, free in segments:
        inside = [event for event in ordered if begin <= event[0] < end]
        numbers = [quantity for _, quantity, _ in inside]
        held, now = Fraction(0), begin
        for when, quantity, _ in [*inside, (end, 0, "")]:
            held += level * Fraction((when - now) // timedelta(seconds=1))
            now = when
            if when != end:
                level = quantity
        month = bisect_right(boundaries, begin) - 1
        length = (boundaries[month + 1] - boundaries[month]) // timedelta(seconds=1)
        comes_to = {
            "count": Fraction(len(inside)),
            "sum": Fraction(sum(numbers)),
            "max": Fraction(max(numbers, default=0)),
            "unique": Fraction(len({user for _, _, user in inside})),
            "last": Fraction(numbers[-1] if numbers else 0),
            "time_weighted": held / length,
        }
        if not free:
            total += comes_to[story.aggregation]
    return total


steps = st.lists(
    st.tuples(
        st.integers(1, 24 * 25),  # so many hours later
        st.sampled_from(["use", "use", "use", "change", "pause", "resume"]),
        st.floats(0, 1),  # where in the time until then it occurred
        st.integers(0, 20),
        st.sampled_from("abc"),
    ),
    max_size=14,
)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("trial", ["none", "free", "billed"])
@given(steps=steps)
@settings(deadline=None, max_examples=12)
def test_all_invoices_together_bill_what_was_used(
    aggregation: str, trial: str, steps: list[tuple[int, str, float, int, str]]
) -> None:
    story = Story(open_shop(MemoryStorage(), start=START.date()), aggregation)
    shop = story.shop
    first, other = (story.price(trial_usage_billed=trial == "billed") for _ in range(2))
    months = [at(f"2027-{month:02}-01") for month in range(1, 13)] + [at("2028-01-01")]
    ends = date(2027, 3, 1)
    sub = story.sell(first, **({} if trial == "none" else {"trial_until": ends}))
    cuts: dict[datetime, bool] = dict.fromkeys(months, False)
    if trial == "free":
        cuts = {START: True, **dict.fromkeys(months[2:], False)}
    now, paused_at = START, None
    for hours, what, where, quantity, user in steps:
        now += hours * HOUR
        if now >= at("2027-10-01"):
            break
        shop.time.advance(to=now)
        running = trial == "none" or now > at("2027-03-01")
        if what == "use":
            # On half seconds, so never at the instant of a cut.
            seconds = int(where * ((now - START) // timedelta(seconds=1) - 1))
            when = START + timedelta(seconds=seconds, milliseconds=500)
            number = 1 if aggregation in {"count", "unique"} else quantity
            story.use(sub, number, when, user)
        elif what == "change" and running and paused_at is None:
            present = shop.subscription(sub).items[0].price
            swap = {first: other} if present == first else {other: first}
            shop.billing.subscriptions.change(sub.id, swap=swap)
            cuts[now] = False
        elif what == "pause" and running and paused_at is None:
            shop.billing.subscriptions.pause(sub.id, invoice=False)
            paused_at = now
            cuts[now] = True
        elif what == "resume" and paused_at is not None:
            shop.billing.subscriptions.resume(sub.id)
            cuts = {cut: free for cut, free in cuts.items() if not paused_at < cut <= now}
            cuts[now] = False
            paused_at = None
    if paused_at is not None:
        now += HOUR
        shop.time.advance(to=now)
        shop.billing.subscriptions.resume(sub.id)
        cuts = {cut: free for cut, free in cuts.items() if not paused_at < cut <= now}
        cuts[now] = False
    shop.time.advance(to=date(2028, 1, 1))
    begins = sorted(cuts)
    segments = [(a, b, cuts[a]) for a, b in pairwise(begins)]
    due = truth(story, segments, months) * 100
    billed = sum(invoice.total_minor for invoice in shop.invoices())
    lines = sum(len(invoice.lines) for invoice in shop.invoices())
    # Levels make fractions of cents, which each segment rounds, and late usage as it corrects it.
    slack = 0 if aggregation != "time_weighted" else Fraction(lines + len(segments), 2)
    assert abs(billed - due) <= slack
    assert audit(shop) == []


# ---- changes -----------------------------------------------------------------------------------


@pytest.fixture
def story(shop: Shop) -> Story:
    return Story(shop)


def counting(shop: Shop, aggregation: str) -> Story:
    return Story(shop, aggregation)


def test_late_usage_counts_in_the_part_of_the_month_in_which_it_was_used(shop: Shop) -> None:
    story = counting(shop, "max")
    one, two, three = (story.price(unit) for unit in ("1.00", "2.00", "3.00"))
    sub = story.sell(one)
    story.use(sub, 5)
    shop.time.advance(to=at("2027-01-10T12:00"))
    shop.billing.subscriptions.change(sub.id, swap={one: two})
    story.use(sub, 10)
    shop.time.advance(to=at("2027-01-20T12:00"))
    shop.billing.subscriptions.change(sub.id, swap={two: three})
    story.use(sub, 7, at("2027-01-15"))  # less than the ten of that part
    story.use(sub, 6, at("2027-01-05"))  # one more than the five of that one
    shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-10", "5.00"),
        ("usage", "2027-01-10/2027-01-20", "20.00"),
        ("late_usage", "2027-01-01/2027-02-01", "3.00"),
    ]


@pytest.mark.parametrize(("aggregation", "amount"), [("max", 9), ("last", 2), ("unique", 3)])
def test_parts_of_a_month_count_for_themselves(shop: Shop, aggregation: str, amount: int) -> None:
    story = counting(shop, aggregation)
    old, new = story.price(), story.price()
    sub = story.sell(old)
    quantities = (1, 1) if aggregation == "unique" else (7, 1)
    story.use(sub, quantities[0], user="a")
    shop.time.advance(to=at("2027-01-16T00:00"))
    story.use(sub, quantities[1], at("2027-01-10"), user="b")
    shop.billing.subscriptions.change(sub.id, swap={old: new})
    shop.time.advance(to=at("2027-01-20T00:00"))
    story.use(sub, 1 if aggregation != "max" else 2, user="a")
    shop.time.advance(to=date(2027, 2, 1))
    # Seven and two; one and one; two people and one of them again.
    assert sum(invoice.total_minor for invoice in shop.invoices()) == amount * 100


def test_a_change_at_the_instant_of_the_start_bills_all_at_the_new_price_once(
    story: Story,
) -> None:
    old, new = story.price("1.00"), story.price("2.00")
    sub = story.sell(old)
    story.use(sub, 10)
    story.shop.billing.subscriptions.change(sub.id, swap={old: new})
    story.shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [("usage", "2027-01-01/2027-02-01", "20.00")]


def test_what_was_used_after_a_change_that_counts_from_the_past_costs_the_new_price(
    story: Story,
) -> None:
    old, new = story.price("1.00"), story.price("2.00")
    sub = story.sell(old)
    story.use(sub, 5)
    story.shop.time.advance(to=at("2027-01-20T00:00"))
    story.use(sub, 9, at("2027-01-18"))
    story.shop.billing.subscriptions.change(sub.id, swap={old: new}, at=at("2027-01-16"))
    story.use(sub, 1, at("2027-01-17"))
    story.use(sub, 1, at("2027-01-15"))
    story.shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-16", "5.00"),
        ("usage", "2027-01-16/2027-02-01", "20.00"),
        ("late_usage", "2027-01-01/2027-02-01", "2.00"),
    ]


def test_a_change_from_before_another_change_counts_from_that_one(story: Story) -> None:
    old, new = story.price("1.00"), story.price("2.00")
    sub = story.sell(old)
    story.shop.time.advance(to=at("2027-01-20T00:00"))
    story.shop.billing.subscriptions.change(sub.id, swap={old: new})
    story.use(sub, 3)
    story.shop.time.advance(to=at("2027-01-25T00:00"))
    story.shop.billing.subscriptions.change(sub.id, swap={new: old}, at=at("2027-01-10"))
    story.shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [("usage", "2027-01-20/2027-02-01", "3.00")]


def test_nothing_is_taken_for_a_time_in_which_the_meter_was_not_sold(story: Story) -> None:
    fee = story.shop.price(eur("5.00"))
    sub = story.sell(fee.id)
    story.shop.time.advance(to=date(2027, 3, 5))
    story.shop.billing.subscriptions.change(sub.id, add=[story.price()])
    with pytest.raises(ValidationError, match="when the subscription had a price with meter used"):
        story.use(sub, 5, at("2027-01-10"))
    story.use(sub, 5)
    story.shop.time.advance(to=date(2027, 4, 1))
    assert story.billed()[-1] == ("usage", "2027-03-05/2027-04-01", "5.00")


def test_usage_before_the_billing_date_was_moved_stays_in_its_own_month(shop: Shop) -> None:
    story = counting(shop, "max")
    sub = story.sell(story.price())
    story.use(sub, 10)
    shop.time.advance(to=date(2027, 2, 5))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 2, 15))
    story.use(sub, 7, at("2027-01-20"))
    story.use(sub, 12, at("2027-01-21"))
    shop.time.advance(to=date(2027, 2, 15))
    assert story.billed() == [
        ("usage", "2027-01-01/2027-02-01", "10.00"),
        ("late_usage", "2027-01-01/2027-02-01", "2.00"),
    ]


def test_late_usage_of_a_long_first_period_counts_in_all_of_it(open_a_shop: Opened) -> None:
    story = counting(open_a_shop(start=date(2027, 1, 10)), "max")
    sub = story.sell(story.price(), align=Calendar(), long_stub=True)
    story.use(sub, 10)
    story.shop.time.advance(to=date(2027, 3, 2))
    story.use(sub, 7, at("2027-02-20"))
    story.shop.time.advance(to=date(2027, 4, 1))
    assert story.billed() == [("usage", "2027-01-10/2027-03-01", "10.00")]


# ---- levels ------------------------------------------------------------------------------------


def test_a_level_of_months_ago_is_billed_for_every_month_since(shop: Shop) -> None:
    story = counting(shop, "time_weighted")
    sub = story.sell(story.price("31.00"))
    story.use(sub, 1)
    shop.time.advance(to=date(2027, 4, 2))
    story.use(sub, 2, at("2027-01-11"))
    shop.time.advance(to=date(2027, 5, 1))
    assert story.billed()[3:] == [
        ("usage", "2027-04-01/2027-05-01", "62.00"),
        ("late_usage", "2027-01-01/2027-02-01", "21.00"),
        ("late_usage", "2027-02-01/2027-03-01", "31.00"),
        ("late_usage", "2027-03-01/2027-04-01", "31.00"),
    ]
    shop.time.advance(to=date(2027, 6, 1))
    assert story.billed()[7:] == [("usage", "2027-05-01/2027-06-01", "62.00")]


def test_a_late_level_changes_no_month_after_the_one_in_which_another_was_set(shop: Shop) -> None:
    story = counting(shop, "time_weighted")
    sub = story.sell(story.price("28.00"))
    story.use(sub, 1)
    shop.time.advance(to=date(2027, 2, 15))
    story.use(sub, 3)
    shop.time.advance(to=date(2027, 4, 2))
    story.use(sub, 2, at("2027-02-01"))
    shop.time.advance(to=date(2027, 5, 1))
    assert [line for line in story.billed() if line[0] == "late_usage"] == [
        ("late_usage", "2027-02-01/2027-03-01", "14.00")
    ]


@pytest.mark.parametrize("kind", ["usage", "late_usage"])
def test_who_starts_in_the_past_reports_his_seats_of_then(open_a_shop: Opened, kind: str) -> None:
    story = counting(open_a_shop(start=date(2027, 3, 10)), "time_weighted")
    sub = story.sell(story.price("31.00"), start=date(2027, 1, 1))
    if kind == "late_usage":
        # The months that are over are billed, before anybody has told what was used in them.
        story.shop.time.advance(to=date(2027, 3, 11))
    story.use(sub, 3, at("2027-01-01"))
    story.use(sub, 1, at("2027-02-01"))
    story.shop.time.advance(to=date(2027, 4, 1))
    assert sorted(story.billed()) == [
        (kind, "2027-01-01/2027-02-01", "93.00"),
        (kind, "2027-02-01/2027-03-01", "31.00"),
        ("usage", "2027-03-01/2027-04-01", "31.00"),
    ]


def test_seats_of_a_pause_are_free_and_go_on_after_it_however_late_they_are_reported(
    shop: Shop,
) -> None:
    story = counting(shop, "time_weighted")
    sub = story.sell(story.price("31.00"))
    story.use(sub, 1)
    shop.time.advance(to=at("2027-01-11T00:00"))
    shop.billing.subscriptions.pause(sub.id, invoice=False)
    shop.time.advance(to=date(2027, 1, 21))
    shop.billing.subscriptions.resume(sub.id)
    shop.time.advance(to=date(2027, 1, 25))
    story.use(sub, 11, at("2027-01-16"))
    shop.time.advance(to=date(2027, 2, 1))
    # Ten days of one seat, and eleven of eleven.
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-11", "10.00"),
        ("usage", "2027-01-21/2027-02-01", "121.00"),
    ]


def test_seats_of_a_trial_that_ends_in_a_pause_are_there_when_it_is_over(shop: Shop) -> None:
    story = counting(shop, "time_weighted")
    customer = shop.customer(token=None)
    sub = shop.billing.subscriptions.create(
        customer.id,
        [story.price("31.00")],
        trial_until=date(2027, 1, 15),
        trial_end="pause",
    )
    story.use(sub, 3)
    shop.time.advance(to=date(2027, 1, 20))
    assert shop.subscription(sub).status == "paused"
    shop.billing.payment_methods.attach(customer.id, "tok_visa")
    shop.billing.subscriptions.resume(sub.id)
    shop.time.advance(to=date(2027, 2, 15))
    # Of the month from the fifteenth on, 26 of 31 days.
    assert story.billed() == [("usage", "2027-01-20/2027-02-15", "78.00")]


# ---- pauses, trials, ends ----------------------------------------------------------------------


def test_usage_of_before_a_pause_that_is_reported_in_it_is_billed_after_it(story: Story) -> None:
    shop = story.shop
    sub = story.sell(story.price())
    story.use(sub, 10)
    shop.time.advance(to=at("2027-01-10T12:00"))
    shop.billing.subscriptions.pause(sub.id, invoice=False)
    shop.time.advance(to=date(2027, 1, 12))
    story.use(sub, 4, at("2027-01-05"))
    story.use(sub, 100)
    shop.time.advance(to=at("2027-01-20T15:00"))
    story.use(sub, 200, at("2027-01-20T14:00"))
    shop.billing.subscriptions.resume(sub.id)
    story.use(sub, 300, at("2027-01-20T13:00"))
    story.use(sub, 1, at("2027-01-20T15:00"))
    shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-10", "10.00"),
        ("usage", "2027-01-20/2027-02-01", "1.00"),
        ("late_usage", "2027-01-01/2027-02-01", "4.00"),
    ]


@pytest.mark.parametrize("until", [None, date(2027, 2, 10)])
def test_billed_usage_of_a_trial_is_not_lost_when_the_trial_ends_on_another_day(
    story: Story, until: date | None
) -> None:
    shop = story.shop
    sub = story.sell(story.price(trial_usage_billed=True), trial_until=date(2027, 2, 1))
    story.use(sub, 10)
    shop.time.advance(to=date(2027, 1, 15))
    if until is None:
        shop.billing.subscriptions.end_trial(sub.id)
    else:
        shop.billing.subscriptions.extend_trial(sub.id, until=until)
    story.use(sub, 5, at("2027-01-14"))
    shop.time.advance(to=date(2027, 4, 1))
    assert {kind for kind, _, _ in story.billed()} == {"late_usage"}
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 1500


def test_usage_of_a_trial_stays_free_though_the_price_that_comes_after_it_bills_trials(
    story: Story,
) -> None:
    free, billing = story.price(), story.price(trial_usage_billed=True)
    sub = story.sell(free, trial_until=date(2027, 1, 15))
    story.shop.time.advance(to=date(2027, 1, 20))
    story.shop.billing.subscriptions.change(sub.id, swap={free: billing})
    story.use(sub, 10, at("2027-01-10"))
    story.shop.time.advance(to=date(2027, 3, 1))
    assert story.billed() == []


def test_usage_of_before_an_end_is_billed_once_it_is_brought_back_and_that_between_is_refused(
    story: Story,
) -> None:
    shop = story.shop
    sub = story.sell(story.price())
    story.use(sub, 10)
    shop.time.advance(to=at("2027-02-05T00:00"))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(to=date(2027, 2, 20))
    shop.billing.subscriptions.reactivate(sub.id)
    story.use(sub, 7, at("2027-01-20"))
    story.use(sub, 2, at("2027-02-04"))
    with pytest.raises(ValidationError, match="occurred_at"):
        story.use(sub, 3, at("2027-02-10"))
    story.use(sub, 1)
    shop.time.advance(to=date(2027, 3, 20))
    assert story.billed()[1:] == [
        ("usage", "2027-02-20/2027-03-20", "1.00"),
        ("late_usage", "2027-01-01/2027-02-01", "7.00"),
        ("late_usage", "2027-02-01/2027-03-01", "2.00"),
    ]


def test_billed_usage_of_a_trial_is_owed_though_the_stub_after_it_is_free(story: Story) -> None:
    price = story.price(trial_usage_billed=True)
    more = {"align": Calendar(), "first_stub": "free", "trial_until": date(2027, 1, 15)}
    sub = story.sell(price, **more)
    story.use(sub, 10)
    story.shop.time.advance(to=date(2027, 1, 20))
    story.use(sub, 100)
    story.shop.time.advance(to=date(2027, 2, 20))
    story.use(sub, 1)
    story.shop.time.advance(to=date(2027, 3, 1))
    assert [(kind, amount) for kind, _, amount in story.billed()] == [
        ("late_usage", "10.00"),
        ("usage", "1.00"),
    ]


@pytest.mark.parametrize(("aggregation", "quantity"), [("sum", 5), ("max", 5), ("last", 5)])
def test_a_summary_of_an_instant_knows_nothing_of_what_came_after_it(
    shop: Shop, aggregation: str, quantity: int
) -> None:
    story = counting(shop, aggregation)
    sub = story.sell(story.price())
    shop.time.advance(to=date(2027, 1, 20))
    story.use(sub, 5, at("2027-01-05"))
    story.use(sub, 7, at("2027-01-15"))
    (then,) = shop.billing.usage.summary(sub.id, at=at("2027-01-10"))
    assert (int(then.quantity), then.count) == (quantity, 1)


def test_a_summary_of_an_instant_shows_the_period_that_it_is_in_with_what_came_late_for_it(
    story: Story,
) -> None:
    shop = story.shop
    sub = story.sell(story.price())
    story.use(sub, 1, at("2027-01-01"))
    shop.time.advance(to=date(2027, 1, 20))
    story.use(sub, 2, at("2027-01-10"))
    shop.time.advance(to=date(2027, 2, 20))
    story.use(sub, 4, at("2027-01-09"))
    story.use(sub, 8, at("2027-01-30"))
    story.use(sub, 16, at("2027-02-10"))

    def shown(moment: str) -> tuple[str, int, str, str, str]:
        (then,) = shop.billing.usage.summary(sub.id, at=at(moment))
        amount, billed, late = then.amount, then.billed_amount, then.late_amount
        return str(then.period), int(then.quantity), str(amount), str(billed), str(late)

    # What came late for January is shown there, though it is billed with February.
    february = ("2027-02-01/2027-03-01", 16, "16.00 EUR", "0.00 EUR", "12.00 EUR")
    assert shown("2027-02-15") == february
    january = "2027-01-01/2027-02-01"
    assert shown("2027-01-31T23:59:59") == (january, 15, "15.00 EUR", "3.00 EUR", "0.00 EUR")
    assert shown("2027-01-10") == (january, 7, "7.00 EUR", "3.00 EUR", "0.00 EUR")
    assert shown("2027-01-09") == (january, 5, "5.00 EUR", "1.00 EUR", "0.00 EUR")
    shop.time.advance(to=date(2027, 3, 2))
    assert shown("2027-01-31") == (january, 15, "15.00 EUR", "15.00 EUR", "0.00 EUR")
    assert shown("2027-02-20")[1:4] == (16, "16.00 EUR", "16.00 EUR")


def test_a_summary_of_an_instant_knows_parts_pauses_and_when_nothing_was_there(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2027, 1, 1))
    story = Story(shop)
    old, new = story.price("1.00"), story.price("2.00")
    fee = shop.price(eur("5.00"))
    sub = story.sell(fee.id)
    shop.time.advance(to=date(2027, 1, 5))
    shop.billing.subscriptions.change(sub.id, add=[old])
    story.use(sub, 1)
    shop.time.advance(to=at("2027-01-10T12:00"))
    shop.billing.subscriptions.change(sub.id, swap={old: new})
    shop.time.advance(to=date(2027, 1, 14))
    story.use(sub, 2)
    shop.time.advance(to=at("2027-01-15T12:00"))
    shop.billing.subscriptions.pause(sub.id, invoice=False)
    shop.time.advance(to=date(2027, 1, 18))
    story.use(sub, 4)
    shop.time.advance(to=at("2027-01-20T12:00"))
    shop.billing.subscriptions.resume(sub.id)
    story.use(sub, 8)

    def shown(moment: str) -> list[str]:
        found = shop.billing.usage.summary(sub.id, at=at(moment))
        return [f"{each.period} {each.quantity} {each.amount}" for each in found]

    assert shown("2027-01-04") == []
    # Amounts are those of the price that it has now.
    assert shown("2027-01-09") == ["2027-01-05/2027-01-10 1 2.00 EUR"]
    assert shown("2027-01-15T11:59") == ["2027-01-10/2027-01-15 2 4.00 EUR"]
    assert shown("2027-01-19") == ["2027-01-15/2027-01-20 4 0.00 EUR"]
    assert shown("2027-01-20T12:00") == ["2027-01-20/2027-02-01 8 16.00 EUR"]
    assert shown("2026-12-31") == []


def test_a_summary_of_an_instant_knows_the_level_that_was_reported_late(shop: Shop) -> None:
    story = counting(shop, "time_weighted")
    sub = story.sell(story.price("31.00"))
    story.use(sub, 1)
    shop.time.advance(to=date(2027, 4, 2))
    story.use(sub, 3, at("2027-01-16"))

    def shown(moment: str) -> tuple[str, str, str]:
        (then,) = shop.billing.usage.summary(sub.id, at=at(moment))
        return str(then.period), str(then.amount), str(then.billed_amount)

    # One seat for fifteen days and three for five; three for fifteen days of 31.
    assert shown("2027-01-21") == ("2027-01-01/2027-02-01", "30.00 EUR", "20.00 EUR")
    assert shown("2027-03-16") == ("2027-03-01/2027-04-01", "45.00 EUR", "15.00 EUR")
    shop.time.advance(to=date(2027, 5, 1))
    assert shown("2027-03-16") == ("2027-03-01/2027-04-01", "45.00 EUR", "45.00 EUR")


@pytest.mark.parametrize(("billed", "amount"), [(True, "3.00"), (False, "0.00")])
def test_a_summary_of_an_instant_in_a_trial_shows_the_trial(
    story: Story, amount: str, *, billed: bool
) -> None:
    price = story.price(trial_usage_billed=billed)
    sub = story.sell(price, trial_until=date(2027, 1, 15))
    story.use(sub, 3)
    story.shop.time.advance(to=date(2027, 1, 20))
    (then,) = story.shop.billing.usage.summary(sub.id, at=at("2027-01-10"))
    assert (str(then.period), then.amount) == ("2027-01-01/2027-01-15", eur(amount))
    # It is billed with the first period after it.
    assert then.billed_amount == eur("0.00")


def test_who_is_brought_back_begins_with_no_level_whatever_comes_late(shop: Shop) -> None:
    story = counting(shop, "time_weighted")
    sub = story.sell(story.price("31.00"))
    story.use(sub, 1)
    shop.time.advance(to=at("2027-01-21T00:00"))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(to=date(2027, 3, 1))
    shop.billing.subscriptions.reactivate(sub.id)
    story.use(sub, 3, at("2027-01-11"))
    shop.time.advance(to=date(2027, 4, 1))
    # Two more seats for ten of 31 days.
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-21", "20.00"),
        ("late_usage", "2027-01-01/2027-02-01", "20.00"),
    ]


def test_another_interval_from_the_start_on_bills_all_by_the_year(story: Story) -> None:
    shop = story.shop
    monthly = story.price()
    yearly = shop.billing.catalog.add_price(
        "Yearly", PerUnit("2.00"), currency="EUR", every=YEARLY, meter="used", arrears=True
    )
    sub = story.sell(monthly)
    story.use(sub, 10)
    shop.billing.subscriptions.change(sub.id, swap={monthly: yearly.id})
    shop.time.advance(to=date(2027, 6, 1))
    story.use(sub, 1)
    shop.time.advance(to=date(2028, 1, 1))
    assert story.billed() == [("usage", "2027-01-01/2028-01-01", "22.00")]


def test_an_item_that_goes_over_to_another_meter_takes_nothing_of_before(story: Story) -> None:
    shop = story.shop
    old = story.price()
    shop.billing.usage.add_meter("other")
    new = shop.billing.catalog.add_price(
        "Other", PerUnit("2.00"), currency="EUR", every=MONTHLY, meter="other", arrears=True
    )
    sub = story.sell(old)
    story.use(sub, 10)
    shop.time.advance(to=at("2027-01-16T00:00"))
    shop.billing.subscriptions.change(sub.id, swap={old: new.id})
    record = shop.billing.usage.record
    with pytest.raises(ValidationError, match="when the subscription had a price with meter other"):
        record(sub.id, "other", event_id="before", occurred_at=at("2027-01-10"))
    with pytest.raises(ValidationError, match="meter"):
        story.use(sub, 1, at("2027-01-10"))
    record(sub.id, "other", event_id="after")
    shop.time.advance(to=date(2027, 2, 1))
    assert story.billed() == [
        ("usage", "2027-01-01/2027-01-16", "10.00"),
        ("usage", "2027-01-16/2027-02-01", "2.00"),
    ]
