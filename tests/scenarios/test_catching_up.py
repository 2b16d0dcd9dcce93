"""What was not run in time is made up for: the documents are those of daily runs, one for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from subscriptions import Graduated, Interval, MemoryStorage, PerUnit, Tier
from subscriptions.alignment import Calendar, DayOfMonth
from subscriptions.catalog import Price
from subscriptions.contract_terms import Terms
from subscriptions.coupons import Forever, Periods
from subscriptions.customers import Customer
from subscriptions.ids import CustomerId
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Phase, Subscription
from subscriptions.pricing import FreeUnits, Package
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, audit, eur, open_shop

OPENED = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 400
QUARTERLY, WEEKLY = Interval.months(3), Interval.weeks(1)

Host = Callable[[Shop, dict[str, Subscription]], object]
"""Something that a host does."""


def _sell(shop: Shop) -> dict[str, Subscription]:  # noqa: PLR0915 - a price list
    """Sell to a customer each all kinds of things; returns the subscriptions by what they are."""
    billing = shop.billing
    subs: dict[str, Subscription] = {}

    def price(name: str, amount: str = "31.00", **more: object) -> Price:
        given: dict[str, object] = {"every": MONTHLY, **more}
        return billing.catalog.add_price(name, eur(amount), **given)  # type: ignore[arg-type]

    def meter(name: str, model: object, aggregation: str = "sum", **more: object) -> Price:
        counted = "user" if aggregation == "unique" else None
        billing.usage.add_meter(name, aggregation=aggregation, property=counted)
        return billing.catalog.add_price(
            name,
            model,  # type: ignore[arg-type]
            currency="EUR",
            every=MONTHLY,
            meter=name,
            **more,  # type: ignore[arg-type]
        )

    def sold(
        name: str,
        *prices: Price,
        quantity: int = 1,
        customer: Customer | None = None,
        zone: str | None = None,
        **more: object,
    ) -> None:
        buyer = customer or shop.customer(name=name, zone=zone)
        items = [(each.id, quantity) for each in prices]
        subs[name] = billing.subscriptions.create(
            buyer.id,
            items,
            catch_up_max=1000,
            **more,  # type: ignore[arg-type]
        )

    pro, big, year = price("Pro"), price("Big", "62.00"), price("Year", "365.00", every=YEARLY)
    week, quarter = price("Week", "7.00", every=WEEKLY), price("Quarter", "90.00", every=QUARTERLY)
    later = price("Later", "31.00", arrears=True)
    yearly_later = price("Year later", "365.00", every=YEARLY, arrears=True)
    intro = price("Intro", introductory=[(2, eur("9.00")), (1, eur("19.00"))], setup=eur("50.00"))
    tried = price("Tried", trial=Interval.days(14))
    tiers = Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")])
    calls, packs = meter("calls", tiers), meter("packs", Package(size=10, price="3.00"))
    seats = meter("seats", PerUnit("31.00"), "time_weighted")
    least = meter("least", FreeUnits(5, PerUnit("0.77")), minimum=eur("12.34"))
    top, users = meter("top", PerUnit("1.10"), "max"), meter("users", PerUnit("2.20"), "unique")
    hits, last = meter("hits", PerUnit("0.333"), "count"), meter("last", PerUnit("0.50"), "last")

    sold("monthly", pro)
    sold("month ends", pro, start=date(2027, 1, 31))
    sold("tokyo", pro, zone="Asia/Tokyo", start=date(2027, 1, 30))
    sold("california", pro, zone="America/Los_Angeles", start=date(2027, 1, 29))
    sold("weekly", week)
    sold("yearly and weekly", year, week)
    sold("quarterly on the 15th", quarter, align=DayOfMonth(15), start=date(2027, 1, 20))
    sold("calendar", pro, later, align=Calendar(), start=date(2027, 1, 12))
    sold("free stub", pro, align=Calendar(), first_stub="free", start=date(2027, 1, 12))
    sold("long stub", pro, align=Calendar(), long_stub=True, start=date(2027, 1, 12))
    sold("later", later, quantity=3)
    sold("year later", yearly_later)
    sold("introductory", intro)
    sold("tried", tried)
    sold("trial", pro, trial_until=date(2027, 2, 10))
    nobody = shop.customer(None, name="no method")
    sold("trial to pause", pro, customer=nobody, trial_until=date(2027, 2, 10), trial_end="pause")
    sold("trial to cancel", pro, customer=nobody, trial_until=date(2027, 2, 9), trial_end="cancel")
    sold("transfer", pro, customer=shop.customer(None, name="transfer"))
    sold("to come", pro, start=date(2027, 6, 30))
    sold("backdated", pro, later, start=date(2026, 10, 5))
    sold("term", price("Term", term_periods=5))
    half = billing.coupons.create("half", percent_off=50, duration=Periods(3))
    five = billing.coupons.create("five", amount_off=eur("5.00"), duration=Forever())
    sold("half price", pro, later, coupons=[half.id])
    sold("five off", pro, week, coupons=[five.id])
    subs["phases"] = billing.subscriptions.create(
        shop.customer(name="phases").id,
        phases=[Phase((pro.id,), Interval.months(4)), Phase((big.id, week.id))],
        catch_up_max=1000,
    )
    gym = Terms(minimum=Interval.years(1), notice=Interval.months(1))
    sold("gym", pro, terms=gym)
    sold("declined", pro, customer=shop.customer("tok_insufficient_funds", name="declined"))
    for each in (calls, packs, seats, least, top, users, hits, last):
        sold(each.name, each)
    sold("fee and calls", pro, calls)
    sold("threshold", calls, threshold=eur("20.00"))
    grouped = shop.customer(name="grouped")
    billing.customers.update(grouped.id, grouping="day")
    sold("grouped 1", pro, customer=grouped)
    sold("grouped 2", week, calls, customer=grouped)
    sold("changed", pro, quantity=2)
    sold("changed now", pro)
    sold("planned", pro)
    sold("paused", pro, seats)
    sold("drafts", pro)
    sold("cancelled", pro, later)
    sold("moved", pro)
    return subs


def _commands(subs: dict[str, Subscription]) -> list[tuple[datetime, Host]]:
    """Return what the host does in those days, and when."""

    def price_of(name: str) -> str:
        return subs[name].items[0].price

    commands: list[tuple[float, Host]] = [
        (10.5, lambda s, x: s.billing.subscriptions.cancel(x["gym"].id)),
        (
            20.5,
            lambda s, x: s.billing.subscriptions.change(
                x["changed"].id, quantities={price_of("changed"): 5}
            ),
        ),
        (
            40.25,
            lambda s, x: s.billing.subscriptions.schedule(
                x["planned"].id, swap={price_of("planned"): price_of("weekly")}, on=date(2027, 5, 9)
            ),
        ),
        (
            45.5,
            lambda s, x: s.billing.subscriptions.change(
                x["changed now"].id, swap={price_of("changed now"): price_of("yearly and weekly")}
            ),
        ),
        (
            50.5,
            lambda s, x: s.billing.subscriptions.pause(
                x["paused"].id, invoice=False, resume_on=date(2027, 6, 17)
            ),
        ),
        (60.5, lambda s, x: s.billing.subscriptions.pause(x["drafts"].id)),
        (
            70.5,
            lambda s, x: s.billing.subscriptions.cancel(
                x["cancelled"].id, when=date(2027, 7, 11), settlement="credit"
            ),
        ),
        (
            75.5,
            lambda s, x: s.billing.subscriptions.set_next_billing(
                x["moved"].id, on=date(2027, 4, 20)
            ),
        ),
        (99.5, lambda s, x: s.billing.payment_methods.attach(x["declined"].customer, "tok_visa")),
        (130.5, lambda s, x: s.billing.subscriptions.resume(x["drafts"].id)),
        (140.5, lambda s, x: s.billing.subscriptions.cancel(x["tokyo"].id, when="now")),
        (160.5, lambda s, x: s.billing.subscriptions.reactivate(x["tokyo"].id)),
    ]
    meters = ["calls", "packs", "seats", "least", "top", "users", "hits", "last"]
    for number in range(120):
        name = meters[number % len(meters)]
        commands.append((3.7 * number + 1.3, _use(name, name, number)))
        commands.append((3.1 * number + 0.6, _use("threshold", "calls", number)))
        if number % 5 == 0:
            commands.append((7.7 * number / 5 + 2, _use("grouped 2", "calls", number)))
            commands.append((6.1 * number / 5 + 2, _use("fee and calls", "calls", number)))
            commands.append((2.3 * number / 5 + 2, _use("paused", "seats", number)))
    within = [each for each in commands if each[0] < DAYS]
    return [(OPENED + timedelta(days=days), do) for days, do in sorted(within, key=_when)]


def _when(command: tuple[float, Host]) -> float:
    return command[0]


def _use(name: str, meter: str, number: int) -> Host:
    def record(shop: Shop, subs: dict[str, Subscription]) -> object:
        one = meter in {"users", "hits"}
        # Every seventh is reported days late: often when its period is over.
        late = timedelta(days=6) if number % 7 == 3 and meter != "seats" else timedelta()
        return shop.billing.usage.record(
            subs[name].id,
            meter,
            event_id=f"{name} {meter} {number}",
            quantity=1 if one else Decimal(number * 37 % 23) / 2,
            occurred_at=max(shop.clock.now - late, OPENED + timedelta(hours=1)),
            properties={"user": str(number % 3)} if meter == "users" else None,
        )

    return record


Document = tuple[object, ...]


def _document(invoice: Invoice, names: dict[CustomerId, str]) -> Document:
    lines = [
        (
            str(line.kind),
            line.description,
            str(line.period),
            str(line.quantity),
            line.amount_minor,
            line.discount_minor,
            line.subscription,
        )
        for line in invoice.lines
    ]
    return (
        invoice.number,
        str(invoice.issued_on),
        str(invoice.finalized_at),
        names[invoice.customer],
        str(invoice.total),
        str(invoice.status),
        invoice.balance_minor,
        invoice.paid_minor,
        *lines,
    )


def _documents(shop: Shop) -> list[Document]:
    names = {each.id: each.name for each in shop.billing.customers.list()}
    return [_document(invoice, names) for invoice in shop.invoices()]


def _live(step: timedelta | None) -> Shop:
    """Live through 400 days with a run every `step`, or none but before what the host does."""
    shop = open_shop(MemoryStorage())
    subs = _sell(shop)
    for instant, do in _commands(subs):
        while step is not None and shop.time.now + step < instant:
            shop.time.advance(to=shop.time.now + step)
        shop.time.advance(to=instant)
        do(shop, subs)
    end = OPENED + timedelta(days=DAYS)
    while step is not None and shop.time.now + step < end:
        shop.time.advance(to=shop.time.now + step)
    shop.time.advance(to=end)
    return shop


def test_a_year_of_daily_runs_and_runs_now_and_then_make_the_same_documents() -> None:
    daily, sparse = _live(timedelta(days=1)), _live(None)
    documents = _documents(daily)
    assert len(documents) > 500
    assert {each.status for each in daily.invoices()} == {"paid", "uncollectible"}
    assert {each.status for each in daily.billing.subscriptions.list()} == {
        "active",
        "paused",
        "canceled",
        "expired",
    }
    assert all(each.parked is None for each in daily.billing.subscriptions.list())
    assert _documents(sparse) == documents
    assert [str(each) for each in sparse.billing.subscriptions.list()] == [
        str(each) for each in daily.billing.subscriptions.list()
    ]
    assert audit(daily) == []
    assert audit(sparse) == []


def _sleep(shop: Shop) -> None:
    """Let 400 days pass in which nothing runs, and then do all of it in one run."""
    end = OPENED + timedelta(days=DAYS)
    shop.clock.now = end
    shop.gateway.at(end)
    report = shop.billing.run()
    assert report.parked == []


def test_one_run_after_400_days_of_downtime_makes_the_documents_of_400_runs() -> None:
    daily, down = open_shop(MemoryStorage()), open_shop(MemoryStorage())
    for shop in (daily, down):
        subs = _sell(shop)
        subscriptions = shop.billing.subscriptions
        # What is arranged before the machines stop.
        subscriptions.cancel(subs["cancelled"].id, when=date(2027, 7, 11), settlement="credit")
        subscriptions.cancel(subs["weekly"].id, when=date(2027, 8, 3))
        subscriptions.pause(subs["paused"].id, invoice=False, resume_on=date(2027, 6, 17))
        subscriptions.pause(subs["drafts"].id, resume_on=date(2027, 3, 17))
        pro = subs["planned"].items[0].price
        week = subs["weekly"].items[0].price
        subscriptions.schedule(subs["planned"].id, swap={pro: week}, on=date(2027, 5, 9))
        subscriptions.schedule(subs["changed"].id, quantities={pro: 7}, on=date(2027, 9, 9))
        for number, meter in enumerate(("calls", "seats", "least", "top")):
            shop.billing.usage.record(subs[meter].id, meter, event_id=meter, quantity=number + 3)
    for _ in range(DAYS):
        daily.time.advance(days=1)
    _sleep(down)
    assert _documents(down) == _documents(daily)
    assert audit(daily) == []
    assert audit(down) == []


@pytest.mark.parametrize("hours", [1, 36])
def test_a_command_that_comes_first_after_a_downtime_costs_what_it_would_have(hours: int) -> None:
    """Nothing runs for months, and then the host changes, pauses or cancels before any run."""
    totals: list[list[object]] = []
    for ran in (True, False):
        shop = open_shop(MemoryStorage())
        subs = _sell(shop)
        moment = datetime(2027, 5, 10, tzinfo=UTC) + timedelta(hours=hours)
        if ran:
            shop.time.advance(to=moment)
        else:
            shop.clock.now = moment
            shop.gateway.at(moment)
        subscriptions = shop.billing.subscriptions
        pro = subs["monthly"].items[0].price
        week = subs["weekly"].items[0].price
        subscriptions.cancel(subs["monthly"].id, when="now", settlement="credit")
        subscriptions.cancel(subs["later"].id, when="now")
        subscriptions.pause(subs["weekly"].id, invoice=False)
        subscriptions.change(subs["month ends"].id, swap={pro: week})
        subscriptions.set_next_billing(subs["calendar"].id, on=date(2027, 5, 20))
        shop.time.advance(to=datetime(2027, 8, 1, tzinfo=UTC))
        totals.append(
            [
                [(str(line.period), str(line.kind), line.amount_minor) for line in each.lines]
                for customer in shop.billing.customers.list()
                for each in shop.invoices(customer)
            ]
        )
        assert audit(shop) == []
    assert totals[0] == totals[1]


def test_a_card_that_pays_an_old_debt_bills_no_new_period_with_todays_date() -> None:
    """Nothing runs for weeks; what is behind since is billed by the run, each period on its day."""
    documents: list[list[str]] = []
    for ran in (True, False):
        shop = open_shop(MemoryStorage())
        ada = shop.customer()
        shop.gateway.decline_next("do_not_honor")
        shop.subscribe(ada, shop.price(every=WEEKLY))
        assert shop.statuses() == ["open"]
        moment = datetime(2027, 1, 10, 12, tzinfo=UTC)
        if ran:
            shop.time.advance(to=moment)
        else:
            shop.clock.now = moment
            shop.gateway.at(moment)
        shop.billing.payment_methods.attach(ada.id, "tok_mastercard", default=True)
        shop.time.advance(to=moment + timedelta(hours=1))
        documents.append([f"{each.issued_on} {each.period}" for each in shop.invoices()])
    assert documents[0] == documents[1]
    assert documents[0] == ["2027-01-01 2027-01-01/2027-01-08", "2027-01-08 2027-01-08/2027-01-15"]
