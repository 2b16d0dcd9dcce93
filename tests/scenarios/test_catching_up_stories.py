"""Random stories of a shop: whenever somebody ran the machine, the documents are the same.

Prices of all kinds in three currencies, trials, stubs, phases, coupons, usage on time and late,
pauses, changes, migrations, customers with one invoice a day, and cards that are declined. A story
is drawn from its seed alone, so each telling of it meets the same host and the same customers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

from attrs import define, field

from subscriptions import Billing, Interval, MemoryStorage, Money, OneOff, PerUnit
from subscriptions.alignment import Calendar, DayOfMonth
from subscriptions.catalog import Price
from subscriptions.coupons import Duration, Forever, Once, Periods
from subscriptions.errors import SubscriptionsError
from subscriptions.grants import Rollover
from subscriptions.ids import CouponId, CustomerId, SubscriptionId
from subscriptions.lifecycle import Phase
from subscriptions.pricing import FreeUnits, Graduated, Package, PriceModel, Tier, Volume
from subscriptions.proration import Proration
from subscriptions.usecases.flows import Safety
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, audit, open_shop

OPENED = datetime(2027, 1, 1, tzinfo=UTC)
DAYS, COMMANDS = 400, 60
QUARTERLY, WEEKLY = Interval.months(3), Interval.weeks(1)
INTERVALS = [MONTHLY, MONTHLY, WEEKLY, QUARTERLY, YEARLY, Interval.days(10), Interval.weeks(2)]
METERS = {
    "calls": "sum",
    "seats": "time_weighted",
    "top": "max",
    "users": "unique",
    "last": "last",
    "hits": "count",
}
MODELS: list[PriceModel] = [
    PerUnit("1.10"),
    Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]),
    FreeUnits(5, PerUnit("0.77")),
    Package(size=10, price="3.00"),
    Volume([Tier(up_to=20, unit="2"), Tier(unit="1")]),
]
ZONES = [None, None, "Asia/Tokyo", "America/Los_Angeles", "Africa/Cairo", "Pacific/Auckland"]
CARDS = ["tok_visa", "tok_visa", "tok_insufficient_funds_twice", "tok_card_declined"]
POLICIES = [
    None,
    Proration(mode="invoice_now"),
    Proration(unit="second"),
    Proration(mode="none"),
    Proration(unit="thirtieths"),
]

Does: TypeAlias = Callable[[Billing], object]


@define
class Story:
    """What a host sells, and what he does at which time: both follow from the seed."""

    seed: int
    shop: Shop = field(init=False)
    prices: dict[str, list[Price]] = field(init=False, factory=dict[str, list[Price]])
    coupons: list[CouponId] = field(init=False, factory=list[CouponId])
    customers: list[CustomerId] = field(init=False, factory=list[CustomerId])
    subs: list[SubscriptionId] = field(init=False, factory=list[SubscriptionId])
    done: list[tuple[str, str]] = field(init=False, factory=list[tuple[str, str]])

    def __attrs_post_init__(self) -> None:
        random = Random(self.seed)
        proration = random.choice(POLICIES) or Proration()
        # What is far off the usual is parked, however it is run, and a parked story is short.
        safety = Safety(lines_max=10**6, times_usual=None)
        self.shop = open_shop(MemoryStorage(), proration=proration, safety=safety)
        billing = self.shop.billing
        for meter, aggregation in METERS.items():
            counted = "user" if aggregation == "unique" else None
            billing.usage.add_meter(meter, aggregation=aggregation, property=counted)
        for code in ("EUR", "JPY", "BHD"):
            self.prices[code] = self._price_list(random, code)
        off = [Money.of("5", code) for code in self.prices]
        durations: list[Duration] = [Once(), Periods(2), Periods(5), Forever()]
        for number, duration in enumerate(durations):
            worth: dict[str, Any] = random.choice([{"percent_off": 30}, {"amount_off": off}])
            made = billing.coupons.create(f"C{number}", duration=duration, **worth)
            self.coupons.append(made.id)
        for number in range(4):
            card, zone = random.choice(CARDS), random.choice(ZONES)
            customer = self.shop.customer(card, name=f"customer {number}", zone=zone)
            if random.random() < 0.4:
                billing.customers.update(customer.id, grouping="day")
            self.customers.append(customer.id)
        while len(self.subs) < 5:
            self.do("create", self._create(random, OPENED.date()))

    def _price_list(self, random: Random, code: str) -> list[Price]:
        add = self.shop.billing.catalog.add_price

        def money(most: int) -> Money:
            return Money(random.randint(1, most), Money.of("1", code).currency)

        prices: list[Price] = []
        for number in range(5):
            more: dict[str, Any] = {"arrears": random.random() < 0.2}
            if random.random() < 0.2:
                more["setup"] = money(5000)
            if random.random() < 0.2:
                more["trial"] = Interval.days(random.randint(1, 40))
            if random.random() < 0.2:
                more["term_periods"] = random.randint(2, 7)
            if random.random() < 0.2:
                more["introductory"] = [(random.randint(1, 2), money(3000))]
            every = random.choice(INTERVALS)
            prices.append(add(f"{code} {number}", money(9999), every=every, **more))
        for meter in METERS:
            least = money(777) if random.random() < 0.3 else None
            every = random.choice([MONTHLY, MONTHLY, WEEKLY, QUARTERLY])
            model, name = random.choice(MODELS), f"{code} {meter}"
            given: dict[str, Any] = {"meter": meter, "minimum": least, "every": every}
            prices.append(add(name, model, currency=code, **given))
        return prices

    def do(self, name: str, does: Does) -> None:
        """Do something; what is refused changes nothing, and is refused in every telling."""
        try:
            does(self.shop.billing)
        except SubscriptionsError as error:
            self.done.append((name, type(error).__name__))
        else:
            self.done.append((name, "done"))

    def _create(self, random: Random, on: date) -> Does:
        code = random.choice(["EUR", "EUR", "JPY", "BHD"])
        customer, prices = random.choice(self.customers), self.prices[code]
        start = on + timedelta(days=random.randint(-60, 40))
        items = [
            (price.id, 1 if price.meter else random.choice([1, 1, 2, 7]))
            for price in random.sample(prices, random.choice([1, 1, 2, 3]))
        ]
        more: dict[str, Any] = {"start": random.choice([None, start]), "catch_up_max": 1000}
        align = random.choice([None, None, Calendar(), "customer", DayOfMonth(31), DayOfMonth(15)])
        if align is not None:
            more |= {"align": align, "first_stub": random.choice(["prorated", "free", "full"])}
            more["long_stub"] = random.random() < 0.3
        if random.random() < 0.25:
            more["trial_until"] = (more["start"] or on) + timedelta(days=random.randint(1, 40))
            more["trial_end"] = random.choice(["bill", "pause", "cancel"])
        if random.random() < 0.4:
            more["coupons"] = random.sample(self.coupons, 2)
        more["collection_method"] = random.choice([None] * 9 + ["send_invoice"])
        more["require_payment"] = random.random() < 0.1
        if random.random() < 0.15:
            more["threshold"] = Money.of("30", code)
        if random.random() < 0.12:
            first, second = random.choice(prices[:5]), random.choice(prices[:5])
            lasts = random.choice([None, QUARTERLY])
            more["phases"] = [Phase((first.id,), QUARTERLY), Phase((second.id,), lasts)]
            items = []

        def create(billing: Billing) -> None:
            self.subs.append(billing.subscriptions.create(customer, items, **more).id)

        return create

    def command(self, random: Random, at: datetime) -> tuple[str, Does]:
        """Return what the host does next; it follows from the draw, and not from what there is."""
        sub, customer = random.choice(self.subs), random.choice(self.customers)
        code = self.shop.billing.subscriptions.get(sub).currency.code
        prices, policy = self.prices[code], random.choice(POLICIES)
        other, coupon = random.choice(self.customers), random.choice(self.coupons)
        old, new, *_ = random.sample(prices, 4)
        items = [(old.id, 1), (new.id, 1)][: random.choice([1, 2])]
        seats: dict[str, int | Decimal] = {random.choice(prices[:5]).id: random.randint(1, 9)}
        later = at.date() + timedelta(days=random.randint(1, 60))
        given: dict[str, Any] = {
            "when": random.choice(["now", "now", "period_end", "auto", later]),
            "proration": policy,
        }
        leaves: dict[str, Any] = {
            "when": random.choice(["now", "period_end", later]),
            "settlement": random.choice(["none", "credit", "refund"]),
        }
        switch = random.choice(["collect", "invoice", "serve"])
        pause: dict[str, Any] = {switch: False, "resume_on": random.choice([None, later])}
        meter, late = random.choice([*METERS]), timedelta(days=random.choice([0, 0, 3, 12, 40]))
        used = 1 if meter in {"users", "hits"} else Decimal(random.randint(0, 60)) / 2
        props = {"user": str(random.randint(0, 3))} if meter == "users" else None
        money = Money(random.randint(1, 4000), Money.of("1", code).currency)
        credit: dict[str, Any] = {
            "expires": at + timedelta(days=random.randint(1, 60)),
            "rollover": random.choice([None, Rollover(50, days=20, times=2)]),
        }
        use: dict[str, Any] = {"quantity": used, "occurred_at": at - late, "properties": props}
        keep, grouping = random.random() < 0.5, random.choice(["day", "each"])
        event = f"{at} {random.random()}"
        does: dict[str, Does] = {
            "change": lambda b: b.subscriptions.change(sub, items, **given),
            "seats": lambda b: b.subscriptions.change(sub, quantities=seats, proration=policy),
            "schedule": lambda b: b.subscriptions.schedule(sub, items, on=later, proration=policy),
            "cancel": lambda b: b.subscriptions.cancel(sub, **leaves),
            "set an end": lambda b: b.subscriptions.set_end(sub, on=later),
            "undo": lambda b: b.subscriptions.undo_cancel(sub),
            "pause": lambda b: b.subscriptions.pause(sub, **pause),
            "resume": lambda b: b.subscriptions.resume(sub),
            "reactivate": lambda b: b.subscriptions.reactivate(sub, keep_anchor=keep),
            "move": lambda b: b.subscriptions.set_next_billing(sub, on=later, proration=policy),
            "extend the trial": lambda b: b.subscriptions.extend_trial(sub, until=later),
            "end the trial": lambda b: b.subscriptions.end_trial(sub),
            "transfer": lambda b: b.subscriptions.transfer(sub, to=other),
            "use": lambda b: b.usage.record(sub, meter, event_id=event, **use),
            "redeem": lambda b: b.coupons.redeem(coupon, subscription=sub),
            "adjust": lambda b: b.balance.adjust(customer, money, reason="goodwill"),
            "grant": lambda b: b.balance.grant(customer, money, **credit),
            "invoice": lambda b: b.invoices.create_one_off(customer, [OneOff("Work", money)]),
            "add": lambda b: b.invoices.add_pending_item(customer, OneOff("Extra", money)),
            "group": lambda b: b.customers.update(customer, grouping=grouping),
            # With a notice it would be put off where nobody ran the machine on its day.
            "migrate": lambda b: b.catalog.migrate(old.id, new.id, on=later),
            "attach": lambda b: b.payment_methods.attach(customer, "tok_visa", default=True),
            "create": self._create(random, at.date()),
        }
        often = ["change", "cancel", "undo", "pause", "resume", "use", "use", "use", "use"]
        name = random.choice([*does, *often])
        return name, does[name]

    def tell(self, *, daily: bool, on_time: bool = True) -> None:
        """Live through the story, with a run a day, or only where the host does something.

        Not `on_time` the clock is ahead of the work: nothing ran in between.
        """
        random = Random(f"story {self.seed}")
        hours = sorted(random.randrange(1, DAYS * 24) for _ in range(COMMANDS))
        for hour in hours:
            at = OPENED + timedelta(hours=hour)
            self._run(at, daily=daily, on_time=on_time)
            self.do(*self.command(random, at))
        self._run(OPENED + timedelta(days=DAYS), daily=daily, on_time=on_time)

    def _run(self, until: datetime, *, daily: bool, on_time: bool) -> None:
        time = self.shop.time
        if not on_time:
            self.shop.clock.now = until
            self.shop.gateway.at(until)
            self.shop.billing.run()
            return
        while daily and time.now + timedelta(days=1) < until:
            time.advance(days=1)
        time.advance(to=until)

    def documents(self) -> list[object]:
        """Return all invoices with what is printed on them, and what paid them."""
        return [
            (
                each.number,
                each.issued_on,
                each.finalized_at,
                each.customer,
                each.total,
                each.status,
                each.balance_minor,
                each.granted_minor,
                each.paid_minor,
                [
                    (
                        *(line.kind, line.description, line.period, line.quantity, line.item),
                        *(line.amount_minor, line.discount_minor, line.subscription),
                    )
                    for line in each.lines
                ],
            )
            for each in self.shop.invoices()
        ]


def test_whenever_the_machine_ran_the_documents_are_the_same() -> None:
    done: Counter[tuple[str, str]] = Counter()
    lines: Counter[str] = Counter()
    for seed in range(12):
        daily, sparse, late = Story(seed), Story(seed), Story(seed)
        daily.tell(daily=True)
        sparse.tell(daily=False)
        late.tell(daily=False, on_time=False)
        for other in (sparse, late):
            assert other.done == daily.done, seed
            assert other.documents() == daily.documents(), seed
            assert audit(other.shop) == [], seed
        subs = list(daily.shop.billing.subscriptions.list(limit=1000))
        assert [each.parked for each in subs] == [None] * len(subs), seed
        done.update(daily.done)
        lines.update(str(line.kind) for each in daily.shop.invoices() for line in each.lines)
    # A story in which little happens proves little.
    assert len({name for (name, how) in done if how == "done"}) >= 20
    assert {"period", "usage", "late_usage", "true_up", "credit", "debit", "setup"} < {*lines}
