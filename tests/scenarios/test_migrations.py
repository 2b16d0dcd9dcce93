"""A dearer price for those who are there already: planned, announced, and undone in time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import (
    Interval,
    InvalidTransition,
    Money,
    NotFound,
    Tier,
    UnknownReference,
    ValidationError,
    Volume,
)
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.errors import CurrencyMismatch, IdempotencyMismatch
from subscriptions.lifecycle import (
    Phase,
    PlannedChangeAnnounced,
    ScheduledChangesWithdrawn,
    Subscription,
    SubscriptionChanged,
)
from subscriptions.migrations import MigrationPlanned, MigrationUndone
from subscriptions.usecases.migration_report import MigrationReport
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

MONTH = Interval.months(1)
MARCH, MAY, JUNE = date(2027, 3, 1), date(2027, 5, 1), date(2027, 6, 1)


def versions(shop: Shop, *, valid_from: date = MARCH) -> tuple[Price, Price]:
    """Return Pro at 30.00 EUR a month, and at 36.00 EUR for those who come from March on."""
    old = shop.price(eur("30.00"))
    return old, shop.billing.catalog.new_version(old.id, eur("36.00"), valid_from=valid_from)


def migrate(
    shop: Shop, old: Price, new: Price, *, on: date = MAY, preview: bool = False
) -> MigrationReport:
    return shop.billing.catalog.migrate(old.id, new.id, on=on, preview=preview)


def has(shop: Shop, sub: Subscription) -> list[str]:
    return [item.price for item in shop.subscription(sub).items]


def days(shop: Shop, sub: Subscription) -> list[str]:
    return [str(planned.on) for planned in shop.subscription(sub).schedule]


def monthly(shop: Shop, customer: Customer) -> list[str]:
    """Return what a customer was billed, month by month."""
    return [
        f"{invoice.lines[0].period} {invoice.total}"
        for invoice in shop.invoices(customer)
        if invoice.lines[0].period
    ]


# ---- what a migration does -----------------------------------------------------------------------


def test_who_is_there_keeps_his_price_until_he_is_migrated(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(ada, old)
    shop.time.advance(to=date(2027, 3, 15))
    shop.subscribe(bob, new)
    migrate(shop, old, new)
    shop.time.advance(to=date(2027, 6, 1))
    assert monthly(shop, ada) == [
        "2027-01-01/2027-02-01 30.00 EUR",
        "2027-02-01/2027-03-01 30.00 EUR",
        "2027-03-01/2027-04-01 30.00 EUR",
        "2027-04-01/2027-05-01 30.00 EUR",
        "2027-05-01/2027-06-01 36.00 EUR",
        "2027-06-01/2027-07-01 36.00 EUR",
    ]
    assert monthly(shop, bob)[0] == "2027-03-15/2027-04-15 36.00 EUR"
    assert shop.subscription(sub).schedule == ()


def test_each_goes_over_at_his_own_first_renewal_from_the_day_on(shop: Shop) -> None:
    old, new = versions(shop)
    ends = [1, 14, 31]
    subs = [shop.subscribe(shop.customer(), old, start=date(2027, 1, day)) for day in ends]
    shop.time.advance(to=date(2027, 4, 20))
    report = migrate(shop, old, new, on=date(2027, 4, 30))
    assert [str(row.on) for row in report.rows] == ["2027-05-01", "2027-05-14", "2027-04-30"]
    assert [days(shop, sub) for sub in subs] == [["2027-05-01"], ["2027-05-14"], ["2027-04-30"]]
    shop.time.advance(to=date(2027, 5, 14))
    assert [has(shop, sub) for sub in subs] == [[new.id]] * 3
    assert [shop.pending(sub) for sub in subs] == [[], [], []], "nothing is prorated"


def test_a_year_that_is_paid_for_is_given_to_its_end(shop: Shop) -> None:
    old = shop.price(eur("300.00"), every=YEARLY)
    new = shop.billing.catalog.new_version(old.id, eur("360.00"), valid_from=MARCH)
    ada = shop.customer()
    sub = shop.subscribe(ada, old)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    assert days(shop, sub) == ["2028-01-01"]
    shop.time.advance(to=date(2028, 1, 1))
    assert shop.totals(ada) == ["300.00 EUR", "360.00 EUR"]


def test_with_notice_each_is_told_that_long_before(shop: Shop) -> None:
    old, new = versions(shop)
    ada = shop.customer()
    sub = shop.subscribe(ada, old, start=date(2027, 1, 15))
    shop.time.advance(to=date(2027, 3, 20))
    report = shop.billing.catalog.migrate(
        old.id, new.id, on=date(2027, 4, 1), notice=Interval.months(2)
    )
    # Two months from 20 March are 20 May: the renewal after that is on 15 June, told on 15 April.
    (row,) = report.rows
    assert (str(row.on), str(row.announce_on)) == ("2027-06-15", "2027-04-15")
    shop.time.expect(MigrationPlanned).advance(to=date(2027, 4, 14))
    shop.time.expect(PlannedChangeAnnounced).advance(to=date(2027, 4, 15))
    (told,) = [
        event.body
        for event in shop.billing.events.list(subject=sub.id)
        if isinstance(event.body, PlannedChangeAnnounced)
    ]
    assert (told.before, told.after, str(told.planned.on)) == (
        eur("30.00"),
        eur("36.00"),
        "2027-06-15",
    )
    shop.time.expect(SubscriptionChanged).advance(to=date(2027, 6, 15))
    assert shop.totals(ada)[-2:] == ["30.00 EUR", "36.00 EUR"]


def test_without_notice_all_are_told_at_once(shop: Shop) -> None:
    old, new = versions(shop)
    shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.time.expect(PlannedChangeAnnounced, MigrationPlanned).advance()


def test_on_a_day_of_notice_all_are_told_at_once(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    for customer, day in ((ada, 1), (bob, 20)):
        shop.subscribe(customer, old, start=date(2027, 1, day))
    shop.time.advance(to=date(2027, 2, 1))
    told = date(2027, 3, 10)
    report = shop.billing.catalog.migrate(old.id, new.id, on=MAY, notice=told)
    assert [(str(row.announce_on), str(row.on)) for row in report.rows] == [
        ("2027-03-10", "2027-05-01"),
        ("2027-03-10", "2027-05-20"),
    ]
    migration = shop.billing.catalog.get_migration(report.migration)
    assert (migration.notice, migration.notice_on) == (None, told)
    shop.time.advance(to=date(2027, 3, 9))
    announced = "subscription.planned_change_announced"
    assert shop.billing.events.list(type=announced).total == 0
    shop.time.expect(PlannedChangeAnnounced, PlannedChangeAnnounced).advance(to=told)
    # Who is taken in later is told at once.
    cleo = shop.subscribe(shop.customer(name="Cleo"), old, start=date(2027, 2, 15))
    late = shop.billing.catalog.migrate(old.id, new.id, on=MAY, notice=told)
    assert [row.announce_on for row in late.rows if row.subscription == cleo.id] == [told]
    shop.time.advance(to=date(2027, 5, 20))
    assert (shop.totals(ada)[-1], shop.totals(bob)[-1]) == ("36.00 EUR", "36.00 EUR")


def test_a_day_of_notice_is_not_over_nor_after_the_change(shop: Shop) -> None:
    old, new = versions(shop)
    shop.time.advance(to=MARCH)
    call = shop.billing.catalog.migrate
    wrong: list[object] = [
        date(2027, 2, 28),
        date(2027, 5, 2),
        datetime(2027, 4, 1, tzinfo=UTC),
        [],
    ]
    for notice in wrong:
        with pytest.raises(ValidationError, match="notice"):
            call(old.id, new.id, on=MAY, notice=notice)  # type: ignore[arg-type]
    assert list(shop.billing.catalog.migrations()) == []
    call(old.id, new.id, on=MAY, notice=date(2027, 4, 1))
    for other in (date(2027, 4, 2), MONTH, None):
        with pytest.raises(ValidationError, match="notice"):
            call(old.id, new.id, on=MAY, notice=other)


def test_a_notice_that_nobody_sent_in_time_puts_the_change_off(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    shop.billing.catalog.migrate(old.id, new.id, on=MAY, notice=Interval.days(30))
    # Nothing runs from 1 March to 3 April, and the notice was for 1 April.
    shop.clock.now = datetime(2027, 4, 3, 12, tzinfo=UTC)
    shop.billing.run()
    # 30 days from 3 April are 3 May; he goes over with the renewal after that.
    assert days(shop, sub) == ["2027-06-01"]
    shop.time.advance(to=JUNE)
    assert shop.totals()[-2:] == ["30.00 EUR", "36.00 EUR"]


def test_late_runs_bill_each_period_at_the_price_of_its_time(shop: Shop) -> None:
    old, new = versions(shop)
    each, together, skipping = (shop.customer(name=name) for name in ("Each", "All", "Skip"))
    for customer, policy in ((each, "each"), (together, "together"), (skipping, "skip")):
        shop.billing.subscriptions.create(customer.id, [old.id], catch_up=policy)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.clock.now = datetime(2027, 6, 10, tzinfo=UTC)
    shop.billing.run()
    assert shop.totals(each)[3:] == ["30.00 EUR", "36.00 EUR", "36.00 EUR"]
    assert shop.totals(together)[3:] == ["30.00 EUR", "72.00 EUR"]
    assert monthly(shop, skipping)[3:] == ["2027-06-01/2027-07-01 36.00 EUR"]


# ---- the preview ---------------------------------------------------------------------------------


def test_a_preview_says_what_each_customer_and_all_together_will_bring(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    shop.subscribe(ada, old, quantity=3)
    shop.subscribe(bob, old)
    shop.subscribe(bob, old, quantity=2)
    shop.time.advance(to=MARCH)
    before = shop.events()
    report = migrate(shop, old, new, preview=True)
    assert shop.events() == before
    assert list(shop.billing.catalog.migrations()) == []
    assert [(row.customer, row.quantity, str(row.difference)) for row in report.rows] == [
        (ada.id, 3, "18.00 EUR"),
        (bob.id, 1, "6.00 EUR"),
        (bob.id, 2, "12.00 EUR"),
    ]
    # Six more a month and unit: 6 · 3 · 12 for Ada, and as much for Bob's three.
    assert report.by_customer == {ada.id: eur("216.00"), bob.id: eur("216.00")}
    assert (report.year_before, report.year_after) == (eur("2160.00"), eur("2592.00"))
    assert report.year_difference == eur("432.00")
    done = migrate(shop, old, new)
    assert (done.rows, done.year_difference) == (report.rows, report.year_difference)
    assert (report.preview, done.preview, done.planned) == (True, False, 3)


@pytest.mark.parametrize(
    ("every", "year_before", "year_after"),
    [
        (YEARLY, "30.00", "36.00"),
        (Interval.months(3), "120.00", "144.00"),
        # 365 days are 52 weeks and a day: 30.00 · 365 / 7 is 1564.2857…
        (Interval.weeks(1), "1564.29", "1877.14"),
        (Interval.days(30), "365.00", "438.00"),
    ],
)
def test_a_year_is_twelve_months_or_365_days(
    shop: Shop, every: Interval, year_before: str, year_after: str
) -> None:
    old = shop.price(eur("30.00"), every=every)
    new = shop.billing.catalog.new_version(old.id, eur("36.00"), valid_from=MARCH)
    shop.subscribe(shop.customer(), old)
    (row,) = migrate(shop, old, new, preview=True).rows
    assert (row.year_before, row.year_after) == (eur(year_before), eur(year_after))


def test_what_usage_will_come_to_is_not_guessed(shop: Shop) -> None:
    billing = shop.billing
    billing.usage.add_meter("calls")
    old = billing.catalog.add_price("API", eur("0.10"), every=MONTHLY, meter="calls")
    new = billing.catalog.new_version(old.id, eur("0.20"), valid_from=MARCH)
    ada = shop.customer()
    sub = shop.subscribe(ada, old)
    report = migrate(shop, old, new)
    for month in (1, 4, 5):
        shop.time.advance(to=date(2027, month, 10))
        billing.usage.record(sub.id, "calls", event_id=str(month), quantity=100)
    assert [(row.before, row.year_difference) for row in report.rows] == [(None, None)]
    assert (report.unknown, report.year_difference, report.by_customer) == (1, eur("0.00"), {})
    shop.time.advance(to=JUNE)
    # April is billed on 1 May at the old price, and on that day; what is used in May costs the new.
    assert [
        (str(invoice.issued_on), str(invoice.lines[0].period), str(invoice.total))
        for invoice in shop.invoices(ada)
    ] == [
        ("2027-02-01", "2027-01-01/2027-02-01", "10.00 EUR"),
        ("2027-05-01", "2027-04-01/2027-05-01", "10.00 EUR"),
        ("2027-06-01", "2027-05-01/2027-06-01", "20.00 EUR"),
    ]


def test_what_is_billed_in_arrears_goes_over_after_its_last_bill(shop: Shop) -> None:
    add = shop.billing.catalog.add_price
    old = add("Support", eur("10.00"), every=MONTHLY, arrears=True)
    new = shop.billing.catalog.new_version(old.id, eur("15.00"), valid_from=MARCH)
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(ada.id, [old.id, shop.price().id])
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.time.advance(to=JUNE)
    assert [shop.lines(invoice) for invoice in shop.invoices(ada)][-2:] == [
        ["period Support 10.00 EUR", "period Pro 29.00 EUR"],
        ["period Support 15.00 EUR", "period Pro 29.00 EUR"],
    ]
    assert has(shop, sub)[0] == new.id


def test_the_minimum_and_the_introductory_phase_are_in_the_preview(shop: Shop) -> None:
    catalog = shop.billing.catalog
    old = catalog.add_price("Pro", eur("30.00"), every=MONTHLY, introductory=[(6, eur("20.00"))])
    new = catalog.new_version(
        old.id, eur("36.00"), valid_from=MARCH, introductory=[(6, eur("5.00"))], minimum=eur("8.00")
    )
    ada = shop.customer()
    shop.subscribe(ada, old)
    shop.time.advance(to=date(2027, 4, 2))
    (row,) = migrate(shop, old, new).rows
    # Of May four are billed before: the fifth of the introductory ones, and no new six begin.
    assert (row.before, row.after) == (eur("20.00"), eur("8.00"))
    assert (row.year_before, row.year_after) == (eur("360.00"), eur("432.00"))
    shop.time.advance(to=date(2027, 7, 1))
    assert shop.totals(ada)[3:] == ["20.00 EUR", "8.00 EUR", "8.00 EUR", "36.00 EUR"]


# ---- who is in it --------------------------------------------------------------------------------


def test_a_cohort_is_of_some_customers_or_of_those_with_a_tag(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob, cleo = (shop.customer(name=name) for name in ("Ada", "Bob", "Cleo"))
    for customer in (ada, bob, cleo):
        shop.subscribe(customer, old)
    for customer, tag in ((ada, "early"), (bob, "reseller")):
        shop.billing.customers.tag(customer.id, tag)
    migrating = shop.billing.catalog.migrate

    def cohort(**given: object) -> list[str]:
        report = migrating(old.id, new.id, on=MAY, preview=True, **given)  # type: ignore[arg-type]  # passed on
        return [row.customer for row in report.rows]

    assert cohort(tags=["early", "reseller"]) == [ada.id, bob.id]
    assert cohort(customers=[cleo.id, ada.id, cleo.id]) == [ada.id, cleo.id]
    assert cohort(customers=[cleo.id, ada.id], tags=["early"]) == [ada.id]
    assert cohort(customers=[]) == []
    migrating(old.id, new.id, on=MAY, customers=[bob.id])
    # Later all of them: Bob is planned already.
    report = migrating(old.id, new.id, on=MAY)
    assert [(row.customer, row.known) for row in report.rows] == [
        (ada.id, False),
        (bob.id, True),
        (cleo.id, False),
    ]
    assert (report.planned, shop.billing.catalog.get_migration(report.migration).planned) == (2, 3)


def test_both_items_of_one_price_go_over_each_at_its_renewal(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.billing.subscriptions.create(shop.customer().id, [(old.id, 2), (old.id, 5)])
    shop.time.advance(to=MARCH)
    report = migrate(shop, old, new)
    assert [(row.item, row.quantity) for row in report.rows] == [(1, 2), (2, 5)]
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [new.id, new.id]
    assert shop.invoices()[-1].total == eur("252.00")


def test_a_price_of_one_customer_moves_only_if_it_is_asked_for(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    hers = shop.billing.catalog.override(old.id, ada.id, eur("20.00"))
    sub = shop.subscribe(ada, old)
    shop.subscribe(bob, old)
    shop.time.advance(to=MARCH)
    assert [row.customer for row in migrate(shop, old, new).rows] == [bob.id]
    assert [row.difference for row in migrate(shop, hers, new).rows] == [eur("16.00")]
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [new.id]


def test_a_customer_who_was_promised_a_price_of_his_own_gets_that(shop: Shop) -> None:
    old, new = versions(shop)
    ada = shop.customer()
    sub = shop.subscribe(ada, old)
    shop.time.advance(to=MARCH)
    hers = shop.billing.catalog.override(new.id, ada.id, eur("33.00"))
    (row,) = migrate(shop, old, new).rows
    assert (row.to, row.difference) == (hers.id, eur("3.00"))
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [hers.id]
    assert shop.invoices()[-1].total == eur("33.00")


def test_her_own_price_stays_hers_when_the_subscription_is_another_customers(shop: Shop) -> None:
    old, new = versions(shop)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(ada, old)
    shop.time.advance(to=MARCH)
    shop.billing.catalog.override(new.id, ada.id, eur("33.00"))
    migrate(shop, old, new)
    shop.billing.subscriptions.transfer(sub.id, to=bob.id)
    shop.time.advance(to=MAY)
    assert (has(shop, sub), days(shop, sub)) == ([old.id], [])


def test_one_customer_may_be_moved_to_a_price_of_his_own(shop: Shop) -> None:
    old = shop.price(eur("30.00"))
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(ada, old)
    shop.subscribe(bob, old)
    hers = shop.billing.catalog.override(old.id, ada.id, eur("25.00"))
    with pytest.raises(ValidationError, match="a price for all"):
        migrate(shop, old, hers)
    shop.billing.catalog.migrate(old.id, hers.id, on=MAY, customers=[ada.id])
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [hers.id]


def test_trials_and_what_begins_later_go_over_too_and_what_has_ended_does_not(shop: Shop) -> None:
    old, new = versions(shop)
    customers = [shop.customer(name=name) for name in ("Trial", "Later", "Gone")]
    trial = shop.subscribe(customers[0], old, trial_until=date(2027, 5, 20))
    start = date(2027, 2, 10)
    begins = shop.subscribe(customers[1], old, start=start)
    gone = shop.subscribe(customers[2], old)
    shop.billing.subscriptions.cancel(gone.id, when="now")
    report = migrate(shop, old, new)
    assert [(row.subscription, str(row.on)) for row in report.rows] == [
        (trial.id, "2027-05-20"),
        (begins.id, "2027-05-10"),
    ]
    # A longer trial: what is free goes over while it is free.
    shop.billing.subscriptions.extend_trial(trial.id, until=date(2027, 6, 3))
    shop.time.advance(to=date(2027, 6, 3))
    assert monthly(shop, customers[0]) == ["2027-06-03/2027-07-03 36.00 EUR"]
    assert monthly(shop, customers[1])[2:] == [
        "2027-04-10/2027-05-10 30.00 EUR",
        "2027-05-10/2027-06-10 36.00 EUR",
    ]


def test_what_waits_for_its_first_payment_is_in_the_cohort(shop: Shop) -> None:
    old, new = versions(shop)
    ada = shop.customer(None)
    sub = shop.billing.subscriptions.create(
        ada.id, [old.id], require_payment=True, payment_window_hours=48
    )
    assert shop.subscription(sub).status == "incomplete"
    migrate(shop, old, new)
    invoice = shop.only_invoice(ada)
    shop.billing.payments.record(ada.id, invoice.total, invoice=invoice.id)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [new.id]


@pytest.mark.parametrize("arrears", [False, True])
def test_while_nothing_is_billed_it_goes_over_and_owes_nothing_for_that(
    shop: Shop, *, arrears: bool
) -> None:
    add = shop.billing.catalog.add_price
    old = add("Pro", eur("30.00"), every=MONTHLY, arrears=arrears)
    new = shop.billing.catalog.new_version(old.id, eur("60.00"), valid_from=MARCH)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=date(2027, 3, 11))
    migrate(shop, old, new)
    shop.billing.subscriptions.pause(sub.id, invoice=False, resume_on=date(2027, 5, 17))
    billed = len(shop.invoices())
    shop.time.advance(to=JUNE)
    assert has(shop, sub) == [new.id]
    lines = [line for invoice in shop.invoices()[billed:] for line in shop.lines(invoice)]
    # From 17 May at 60.00: 15 of 31 days are 29.03. What was used in March before it, at 30.00.
    if arrears:
        assert lines == ["period Pro 9.68 EUR", "period Pro 29.03 EUR"]
    else:
        assert lines == ["period Pro 29.03 EUR", "period Pro 60.00 EUR"]


# ---- what happens in between ---------------------------------------------------------------------


def test_a_quantity_that_changes_before_stays_changed(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.billing.subscriptions.change(sub.id, quantities={old.id: 4})
    shop.time.advance(to=MAY)
    assert [(item.price, item.quantity) for item in shop.subscription(sub).items] == [(new.id, 4)]
    assert shop.invoices()[-1].total == eur("144.00")


def test_who_changed_to_another_price_keeps_that(shop: Shop) -> None:
    old, new = versions(shop)
    basic = shop.price(eur("10.00"), name="Basic")
    changed, removed = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(changed, old)
    two = shop.billing.subscriptions.create(removed.id, [old.id, basic.id])
    shop.time.advance(to=MARCH)
    shop.billing.catalog.migrate(old.id, new.id, on=MAY, notice=MONTH)
    shop.billing.subscriptions.change(sub.id, swap={old.id: basic.id}, when="period_end")
    shop.billing.subscriptions.change(two.id, remove=[old.id])
    # It does not concern them any more, so they are not even told.
    shop.time.expect(MigrationPlanned, SubscriptionChanged).advance()
    shop.time.expect(SubscriptionChanged).advance(to=JUNE)
    assert (has(shop, sub), has(shop, two)) == ([basic.id], [basic.id])
    assert (days(shop, sub), days(shop, two)) == ([], [])


def test_who_changed_after_he_was_told_keeps_that_too(shop: Shop) -> None:
    old, new = versions(shop)
    basic = shop.price(eur("10.00"), name="Basic")
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.billing.subscriptions.change(sub.id, swap={old.id: basic.id})
    shop.time.advance(to=JUNE)
    assert (has(shop, sub), days(shop, sub)) == ([basic.id], [])


def test_a_change_of_his_own_on_the_same_day_comes_beside_it(shop: Shop) -> None:
    meter = shop.billing.catalog.add_price("Support", eur("10.00"), every=MONTHLY, arrears=True)
    dearer = shop.billing.catalog.new_version(meter.id, eur("15.00"), valid_from=MARCH)
    pro = shop.price(eur("30.00"))
    sub = shop.billing.subscriptions.create(shop.customer().id, [meter.id, pro.id])
    shop.time.advance(to=MARCH)
    migrate(shop, meter, dearer)
    shop.billing.subscriptions.schedule(sub.id, quantities={pro.id: 2}, on=MAY)
    shop.time.advance(to=MAY)
    items = shop.subscription(sub).items
    assert [(item.price, item.quantity) for item in items] == [(dearer.id, 1), (pro.id, 2)]
    assert shop.lines(shop.invoices()[-1]) == ["period Support 10.00 EUR", "period Pro 60.00 EUR"]


def test_a_billing_day_that_was_moved_is_the_day_he_goes_over(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    migrate(shop, old, new)
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 3, 21))
    shop.time.advance(to=MAY)
    assert days(shop, sub) == ["2027-05-21"]
    shop.time.advance(to=date(2027, 5, 21))
    assert shop.invoices()[-1].total == eur("36.00")
    assert has(shop, sub) == [new.id]


def test_who_leaves_before_is_in_the_report_and_not_in_its_sums(shop: Shop) -> None:
    old, new = versions(shop)
    leaving, staying = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(leaving, old)
    other = shop.subscribe(staying, old)
    shop.time.advance(to=MARCH)
    shop.billing.subscriptions.cancel(sub.id, when="period_end")
    report = migrate(shop, old, new)
    assert [str(row.leaves_on) for row in report.rows] == ["2027-04-01", "None"]
    assert (report.leaving, report.year_difference) == (1, eur("72.00"))
    # He changes his mind, and so he goes over; the other one leaves after all.
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.billing.subscriptions.cancel(other.id, when="period_end")
    shop.time.advance(to=MAY)
    assert (has(shop, sub), shop.totals(leaving)[-1]) == ([new.id], "36.00 EUR")
    assert (has(shop, other), shop.subscription(other).status) == ([old.id], "canceled")


@pytest.mark.parametrize("leaves", ["term", "item's term", "removed", "swapped", "phase"])
def test_who_is_known_to_leave_the_price_before_is_not_in_the_sums(shop: Shop, leaves: str) -> None:
    catalog, subscriptions = shop.billing.catalog, shop.billing.subscriptions
    term = 3 if "term" in leaves else None
    old = catalog.add_price("Pro", eur("30.00"), every=MONTHLY, term_periods=term)
    new = catalog.new_version(old.id, eur("36.00"), valid_from=MARCH)
    other = shop.price(eur("1.00"), name="Other")
    ada, april = shop.customer(), date(2027, 4, 1)
    if leaves == "phase":
        phases = [Phase((old.id,), Interval.months(3)), Phase((other.id,))]
        subscriptions.create(ada.id, phases=phases)
    else:
        items = [old.id] if leaves == "term" else [old.id, other.id]
        sub = subscriptions.create(ada.id, items)
        if leaves == "removed":
            subscriptions.change(sub.id, remove=[old.id], when=april)
        if leaves == "swapped":
            price = shop.price(eur("2.00"), name="Third")
            subscriptions.change(sub.id, swap={old.id: price.id}, when=april)
    shop.time.advance(to=MARCH)
    report = migrate(shop, old, new, preview=True)
    assert [row.leaves_on for row in report.rows] == [april]
    assert (report.leaving, report.year_difference, report.by_customer) == (1, eur("0.00"), {})
    # Who goes over before that is in them.
    report = migrate(shop, old, new, on=date(2027, 3, 2), preview=True)
    assert [str(row.on) for row in report.rows] == ["2027-04-01"]
    report = migrate(shop, old, new, on=MARCH, preview=True)
    shop.time.advance(to=JUNE)
    assert "36.00 EUR" not in shop.totals()


def test_more_of_it_later_is_not_leaving(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.billing.subscriptions.change(sub.id, quantities={old.id: 2}, when=date(2027, 4, 1))
    shop.billing.subscriptions.change(sub.id, [(old.id, 3)], when=date(2027, 4, 15))
    (row,) = migrate(shop, old, new).rows
    assert row.leaves_on is None
    shop.time.advance(to=JUNE)
    assert shop.totals()[-1] == "108.00 EUR"


def test_a_second_migration_leaves_alone_what_the_first_will_move(shop: Shop) -> None:
    old, new = versions(shop)
    dearest = shop.billing.catalog.new_version(new.id, eur("50.00"), valid_from=date(2027, 4, 1))
    ada, bob = shop.customer(), shop.customer(name="Bob")
    first = shop.subscribe(ada, old)
    second = shop.subscribe(bob, old)
    shop.time.advance(to=MARCH)
    shop.billing.catalog.migrate(old.id, new.id, on=MARCH, customers=[ada.id])
    report = migrate(shop, old, dearest)
    assert (report.elsewhere, [row.customer for row in report.rows]) == (1, [bob.id])
    shop.time.advance(to=JUNE)
    assert (has(shop, first), has(shop, second)) == ([new.id], [dearest.id])


def test_products_that_do_not_go_together_are_refused_one_by_one(shop: Shop) -> None:
    catalog = shop.billing.catalog
    catalog.add_product("Add-on")
    old = shop.price(eur("30.00"), name="Basic")
    extra = catalog.add_price("Add-on", eur("5.00"), every=MONTHLY)
    catalog.add_product("All-in", excludes=["Add-on"])
    all_in = catalog.add_price("All-in", eur("35.00"), every=MONTHLY)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    shop.subscribe(ada, old)
    both = shop.billing.subscriptions.create(bob.id, [old.id, extra.id])
    report = migrate(shop, old, all_in)
    assert [row.customer for row in report.rows] == [ada.id]
    (refused,) = report.refused
    assert (refused.customer, refused.subscription) == (bob.id, both.id)
    assert "excludes" in refused.why


# ---- undoing -------------------------------------------------------------------------------------


def test_a_migration_is_undone_before_it_takes_effect(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    report = migrate(shop, old, new)
    undone = shop.billing.catalog.undo_migration(report.migration)
    assert (undone.status, undone.withdrawn, undone.left) == ("undone", 1, 0)
    shop.time.expect(MigrationPlanned, ScheduledChangesWithdrawn, MigrationUndone).advance()
    shop.time.advance(to=MAY)
    assert (has(shop, sub), shop.totals()[-1]) == ([old.id], "30.00 EUR")
    with pytest.raises(InvalidTransition, match="undo_migration"):
        shop.billing.catalog.undo_migration(report.migration)
    with pytest.raises(NotFound):
        shop.billing.catalog.undo_migration("mig_none")


def test_the_same_key_plans_and_undoes_once(shop: Shop) -> None:
    old, new = versions(shop)
    first = shop.subscribe(shop.customer(), old)
    catalog = shop.billing.catalog

    def planned() -> MigrationReport:
        return catalog.migrate(old.id, new.id, on=MAY, idempotency_key="plan")

    preview = catalog.migrate(old.id, new.id, on=MAY, preview=True, idempotency_key="plan")
    made = planned()
    assert (preview.rows, preview.preview) == (made.rows, True)
    later, before = shop.subscribe(shop.customer(name="Bob"), old), shop.events()
    again = planned()
    assert [(row.subscription, row.known) for row in again.rows] == [(first.id, True)]
    assert (again.preview, again.planned, days(shop, later)) == (False, 0, [])
    with pytest.raises(IdempotencyMismatch):
        catalog.migrate(old.id, new.id, on=JUNE, idempotency_key="plan")
    with pytest.raises(IdempotencyMismatch):
        catalog.undo_migration(made.migration, idempotency_key="plan")
    assert shop.events() == before
    undone = catalog.undo_migration(made.migration, idempotency_key="undo")
    after = shop.events()
    assert catalog.undo_migration(made.migration, idempotency_key="undo") == undone
    assert planned().rows == ()
    assert shop.events() == after
    # The answer is remembered, whatever has become of the price.
    catalog.archive(new.id)
    assert planned().planned == 0
    with pytest.raises(InvalidTransition, match="archived"):
        catalog.migrate(old.id, new.id, on=MAY)
    assert days(shop, first) == []


def test_when_half_have_moved_the_others_stay(shop: Shop) -> None:
    old, new = versions(shop)
    early = [shop.subscribe(shop.customer(), old, start=date(2027, 1, day)) for day in (2, 3)]
    late = [shop.subscribe(shop.customer(), old, start=date(2027, 1, day)) for day in (20, 21)]
    shop.time.advance(to=MARCH)
    report = migrate(shop, old, new)
    shop.time.advance(to=date(2027, 5, 10))
    undone = shop.billing.catalog.undo_migration(report.migration)
    assert (undone.planned, undone.withdrawn, undone.left) == (4, 2, 2)
    shop.time.advance(to=JUNE)
    assert [has(shop, sub) for sub in early] == [[new.id]] * 2
    assert [has(shop, sub) for sub in late] == [[old.id]] * 2


def test_what_was_undone_can_be_planned_anew(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    first = migrate(shop, old, new)
    shop.billing.catalog.undo_migration(first.migration)
    again = shop.billing.catalog.migrate(old.id, new.id, on=MAY, notice=MONTH)
    assert again.migration == first.migration
    stored = shop.billing.catalog.get_migration(first.migration)
    assert (stored.status, stored.planned, stored.withdrawn) == ("planned", 1, 0)
    shop.time.advance(to=MAY)
    assert has(shop, sub) == [new.id]


def test_another_plan_of_the_customer_is_not_undone_with_it(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    shop.billing.subscriptions.schedule(sub.id, quantities={old.id: 2}, on=date(2027, 4, 1))
    report = migrate(shop, old, new)
    shop.billing.catalog.undo_migration(report.migration)
    assert days(shop, sub) == ["2027-04-01"]


def test_migrations_are_listed(shop: Shop) -> None:
    old, new = versions(shop)

    def ids(**where: str) -> list[str]:
        return [each.id for each in shop.billing.catalog.migrations(**where)]  # type: ignore[arg-type]  # passed on

    report = migrate(shop, old, new)
    later = migrate(shop, old, new, on=JUNE)
    shop.billing.catalog.undo_migration(later.migration)
    assert ids() == [report.migration, later.migration]
    assert ids(price=old.id, status="undone") == [later.migration]
    assert ids(price=new.id) == []
    with pytest.raises(ValidationError, match="one of planning, planned"):
        ids(status="done")


# ---- what is refused -----------------------------------------------------------------------------


def test_the_new_price_recurs_like_the_old_one(shop: Shop) -> None:
    old = shop.price(eur("30.00"))
    yearly = shop.price(eur("300.00"), every=YEARLY)
    once = shop.price(eur("300.00"), every=None)
    dollars = shop.price(Money.of("30.00", "USD"))
    for wrong, expected in (
        (yearly, "recurs every 1 month; this one recurs every 1 year"),
        (once, "this one is charged once"),
        (old, "another price"),
    ):
        with pytest.raises(ValidationError, match=expected):
            migrate(shop, old, wrong, preview=True)
    with pytest.raises(ValidationError, match="a recurring price"):
        migrate(shop, once, old)
    with pytest.raises(CurrencyMismatch):
        migrate(shop, old, dollars)


def test_the_new_price_is_on_offer_on_the_day(shop: Shop) -> None:
    old, new = versions(shop)
    with pytest.raises(InvalidTransition, match="offered from 2027-03-01 on"):
        migrate(shop, old, new, on=date(2027, 2, 1))
    third = shop.billing.catalog.new_version(new.id, eur("40.00"), valid_from=MAY)
    with pytest.raises(InvalidTransition, match=f"superseded by {third.id}"):
        migrate(shop, old, new)
    shop.billing.catalog.archive(third.id)
    with pytest.raises(InvalidTransition, match="archived"):
        migrate(shop, old, third)


def test_wrong_values_are_named_and_nothing_is_planned(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    call = shop.billing.catalog.migrate
    shop.time.advance(to=date(2027, 3, 2))
    with pytest.raises(ValidationError, match="on: "):
        call(old.id, new.id, on=MARCH)
    with pytest.raises(ValidationError, match="notice"):
        call(old.id, new.id, on=MAY, notice=30)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="customers"):
        call(old.id, new.id, on=MAY, customers="cus_1")
    with pytest.raises(UnknownReference, match="customers"):
        call(old.id, new.id, on=MAY, customers=["cus_none"])
    with pytest.raises(UnknownReference, match="price"):
        call("price_none", new.id, on=MAY)
    with pytest.raises(UnknownReference, match="to"):
        call(old.id, "price_none", on=MAY)
    assert (days(shop, sub), list(shop.billing.catalog.migrations())) == ([], [])
    migrate(shop, old, new)
    with pytest.raises(ValidationError, match="notice"):
        call(old.id, new.id, on=MAY, notice=MONTH)


def test_a_repeated_call_needs_no_day_that_is_still_to_come(shop: Shop) -> None:
    old, new = versions(shop)
    shop.subscribe(shop.customer(), old)
    shop.time.advance(to=MARCH)
    report = migrate(shop, old, new, on=date(2027, 3, 2))
    shop.time.advance(to=date(2027, 3, 5))
    again = migrate(shop, old, new, on=date(2027, 3, 2))
    assert (again.migration, again.planned) == (report.migration, 0)


def test_usage_that_is_billed_ahead_refuses_a_price_by_volume(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    add = shop.billing.catalog.add_price
    old = add("API", eur("0.10"), every=MONTHLY, meter="calls")
    volume = Volume([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")])
    by_volume = add("API", volume, currency="EUR", every=MONTHLY, meter="calls")
    ada = shop.customer()
    shop.billing.subscriptions.create(ada.id, [old.id], threshold=eur("50.00"))
    report = migrate(shop, old, by_volume)
    assert (report.planned, [refused.customer for refused in report.refused]) == (0, [ada.id])


def test_a_migration_in_a_transaction_is_lost_with_it(shop: Shop) -> None:
    old, new = versions(shop)
    sub = shop.subscribe(shop.customer(), old)

    def fail() -> None:
        with shop.billing.transaction():
            assert migrate(shop, old, new).planned == 1
            assert migrate(shop, old, new).planned == 0, "what it wrote is seen in it"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (days(shop, sub), list(shop.billing.catalog.migrations())) == ([], [])
    with shop.billing.transaction():
        report = migrate(shop, old, new)
    assert days(shop, sub) == ["2027-05-01"]
    with shop.billing.transaction():
        shop.billing.catalog.undo_migration(report.migration)
    assert days(shop, sub) == []


def test_half_units_are_computed_as_they_are_billed(shop: Shop) -> None:
    old, new = versions(shop)
    shop.subscribe(shop.customer(), old, quantity=Decimal("0.25"))
    (row,) = migrate(shop, old, new).rows
    assert (row.before, row.after, row.difference) == (eur("7.50"), eur("9.00"), eur("1.50"))
    shop.time.advance(to=MAY)
    assert shop.invoices()[-1].total == eur("9.00")
