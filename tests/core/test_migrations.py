"""Going over to another price: which day, which plan, what stays, and how far a migration is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, first_instant
from subscriptions.catalog import Introductory, Price
from subscriptions.decisions import Change
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PriceId
from subscriptions.lifecycle import (
    Active,
    AnnounceChange,
    ChangeItems,
    Incomplete,
    Item,
    Planned,
    PlannedChangeAnnounced,
    PlannedItem,
    ScheduleChange,
    Subscription,
    Trialing,
    WithdrawChanges,
    cost_of_period,
    costs_around,
    decide,
    earlier,
    go_over,
    is_move,
    later,
    moved_item,
    renewal_day,
    waits_for_bill,
)
from subscriptions.migrations import (
    MIGRATION,
    InPlace,
    Migration,
    MigrationPlanned,
    MigrationProgressed,
    MigrationStarted,
    MigrationUndone,
    MigrationUndoStarted,
    Planning,
    Undoing,
    Undone,
    begin,
    begin_undoing,
    count_planned,
    count_withdrawn,
    finish,
    finish_undoing,
    migration_id,
    plan_for,
)
from subscriptions.money import EUR, Money
from subscriptions.pricing import PerUnit, Tier, Volume
from subscriptions.proration import Proration
from subscriptions.records import evolve
from subscriptions.testing.builders import (
    a_migration,
    a_move,
    a_plan,
    a_price,
    a_subscription,
    an_item,
)

OLD, NEW = PriceId("price_pro"), PriceId("price_pro_2")
JUNE = date(2027, 6, 1)
MONTHLY = Interval.months(1)
NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)


def monthly(anchor: date, **changes: object) -> Item:
    cycle = BillingCycle(anchor, MONTHLY)
    return an_item(cycle=cycle, through=anchor, **changes)


def after(sub: Subscription, *commands: object) -> Subscription:
    found = decide(sub, *commands).after  # type: ignore[arg-type]  # commands of several types
    assert isinstance(found, Subscription)
    return found


class TestRenewalDays:
    @given(
        anchor=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
        every=st.sampled_from([Interval.days(10), Interval.weeks(1), MONTHLY, Interval.years(1)]),
        billed=st.integers(0, 12),
        ahead=st.integers(-40, 800),
    )
    def test_it_is_the_first_day_that_begins_a_period_which_is_not_billed(
        self, anchor: date, every: Interval, billed: int, ahead: int
    ) -> None:
        cycle = BillingCycle(anchor, every)
        item = an_item(cycle=cycle, through=cycle.start(billed))
        day = item.through + timedelta(days=ahead)
        # Whoever bills it period by period comes to that day, and to no earlier one that is enough.
        starts = [cycle.start(billed + n) for n in range(130)]
        assert renewal_day(item, day) == next(start for start in starts if start >= day)

    def test_a_stub_is_renewed_when_it_ends(self) -> None:
        item = monthly(date(2027, 2, 1))
        stub = evolve(item, through=date(2027, 1, 20), next_end=date(2027, 2, 1))
        assert renewal_day(stub, date(2027, 1, 1)) == date(2027, 1, 20)
        assert renewal_day(stub, date(2027, 1, 21)) == date(2027, 2, 1)
        assert renewal_day(stub, date(2027, 2, 2)) == date(2027, 3, 1)

    @given(
        day=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
        notice=st.sampled_from([Interval.days(30), Interval.weeks(6), MONTHLY, Interval.months(6)]),
    )
    def test_what_is_told_the_notice_before_is_told_early_enough(
        self, day: date, notice: Interval
    ) -> None:
        told = earlier(day, notice)
        assert told < day
        assert later(told, notice) <= day


class TestWhatAPeriodCosts:
    def test_it_is_the_price_of_all_of_them_before_anything_else(self) -> None:
        tiers = Volume([Tier(up_to=10, unit="2.00"), Tier(unit="1.00")])
        price = a_price(model=tiers, minimum_minor=1500)
        cost = [cost_of_period(price, quantity, billed=None) for quantity in (1, 10, 11, 30)]
        assert cost == [Money(minor, EUR) for minor in (1500, 2000, 1500, 3000)]

    def test_what_usage_comes_to_is_not_known(self) -> None:
        metered = a_price(arrears=True, meter="calls")
        assert cost_of_period(metered, 1, billed=3) is None
        assert costs_around(an_item(), metered, a_price(), on=JUNE) == (None, Money(2900, EUR))

    def test_introductory_phases_count_the_periods_until_the_day(self) -> None:
        old = a_price(introductory=(Introductory(2, PerUnit("1.00")),))
        new = a_price(introductory=(Introductory(4, PerUnit("2.00")),))
        item = monthly(date(2027, 1, 1))
        costs = [
            costs_around(item, old, new, on=date(2027, month, 1)) for month in (1, 2, 3, 4, 5, 12)
        ]
        assert [(cost and cost.minor, other and other.minor) for cost, other in costs] == [
            (100, 200),
            (100, 200),
            (2900, 200),
            (2900, 200),
            (2900, 2900),
            (2900, 2900),
        ]


class TestGoingOver:
    def test_quantity_days_and_count_stay(self) -> None:
        item = monthly(date(2027, 1, 1), quantity=7, billed=5, last_minor=700)
        other = an_item(number=2)
        sub = a_subscription(items=(item, other))
        moved, untouched = go_over(sub, 1, a_price("price_pro_2"))
        assert moved == evolve(item, price=NEW)
        assert untouched is other
        with pytest.raises(ValidationError):
            go_over(sub, 3, a_price("price_pro_2"))

    def test_usage_is_counted_on_for_the_same_meter_and_anew_for_another(self) -> None:
        since = datetime(2027, 3, 1, tzinfo=UTC)
        item = monthly(
            date(2027, 4, 1), arrears=True, meter="calls", since=since, usage_billed_minor=5
        )
        sub = a_subscription(items=(item,))

        def usage(price: Price) -> tuple[bool, str | None, datetime | None, int]:
            (moved,) = go_over(sub, 1, price)
            return moved.arrears, moved.meter, moved.since, moved.usage_billed_minor

        begins = first_instant(date(2027, 4, 1), sub.zone)
        assert usage(a_price(arrears=True, meter="calls")) == (True, "calls", since, 0)
        assert usage(a_price(arrears=True, meter="bytes")) == (True, "bytes", begins, 0)
        assert usage(a_price()) == (False, None, None, 0)

    def test_a_plan_fits_while_the_item_has_the_price(self) -> None:
        item = an_item()
        assert moved_item(a_subscription(items=(item,)), a_move()) is item
        assert moved_item(a_subscription(items=(an_item(price=NEW),)), a_move()) is None
        assert moved_item(a_subscription(items=(an_item(number=2),)), a_move()) is None
        assert (is_move(a_move()), is_move(a_plan())) == (True, False)

    def test_what_is_billed_in_arrears_waits_for_its_bill(self) -> None:
        arrears = a_subscription(items=(an_item(arrears=True),))
        assert waits_for_bill(arrears, a_move())
        assert not waits_for_bill(arrears, a_plan())
        assert not waits_for_bill(evolve(arrears, contract=Trialing(JUNE)), a_move())
        assert not waits_for_bill(a_subscription(), a_move())
        assert not waits_for_bill(a_subscription(items=(an_item(number=2),)), a_move())


class TestAnnouncing:
    def test_it_is_due_on_the_day_on_which_a_plan_is_to_be_announced(self) -> None:
        sub = a_subscription(items=(monthly(date(2027, 5, 20)),), zone="UTC")
        early = a_move(announce_on=date(2027, 4, 2))
        planned = after(sub, ScheduleChange(a_plan()), ScheduleChange(early))
        assert planned.due_day == date(2027, 4, 2)
        announced = decide(planned, AnnounceChange(early, Money(1, EUR), None))
        assert announced.events == (
            PlannedChangeAnnounced(sub.id, sub.customer, early, Money(1, EUR), None),
        )
        told = after(planned, AnnounceChange(early, None, None))
        assert told.schedule == (a_plan(), evolve(early, announce_on=None))
        assert told.due_day == date(2027, 5, 20)

    def test_only_what_is_planned_is_announced(self) -> None:
        with pytest.raises(InvalidTransition):
            decide(a_subscription(), AnnounceChange(a_move(), None, None))

    def test_before_the_first_payment_plans_are_made_and_withdrawn(self) -> None:
        waiting = a_subscription(contract=Incomplete(JUNE, InvoiceId("inv"), NOON))
        planned = after(waiting, ScheduleChange(a_move()), AnnounceChange(a_move(), None, None))
        assert len(planned.schedule) == 1
        assert planned.due_at == NOON
        assert after(planned, WithdrawChanges(a_move().cause)).schedule == ()

    def test_a_change_that_was_planned_takes_the_first_plan_of_its_cause(self) -> None:
        second = a_move(on=date(2027, 7, 1))
        sub = a_subscription(schedule=(a_move(), a_plan(), second))

        def left(cause: str) -> tuple[Planned, ...]:
            command = ChangeItems(sub.items, (), (), NOON, cause, None, planned=True)
            return after(sub, command).schedule

        assert left("seats") == (a_move(), second)
        assert left(a_move().cause) == (a_plan(), second)
        assert left("another") == sub.schedule


class TestAPlan:
    @given(
        anchor=st.integers(1, 31),
        on=st.dates(date(2027, 1, 1), date(2028, 12, 31)),
        today=st.dates(date(2027, 2, 1), date(2027, 12, 31)),
        notice=st.sampled_from([None, Interval.days(14), MONTHLY, Interval.months(3)]),
    )
    def test_it_is_a_renewal_late_enough_and_told_in_time(
        self, anchor: int, on: date, today: date, notice: Interval | None
    ) -> None:
        cycle = BillingCycle(date(2027, 1, anchor), MONTHLY)
        item = an_item(cycle=cycle, through=cycle.start(cycle.index_of(today) + 1))
        plan = plan_for(
            item, a_price("price_pro_2"), migration=a_migration(on=on, notice=notice), today=today
        )
        assert plan.on in {cycle.start(n) for n in range(100)}
        assert plan.on >= max(on, today, item.through)
        assert plan.announce_on is not None
        assert plan.announce_on >= today
        if notice is None:
            assert plan.announce_on == today
        else:
            assert later(today, notice) <= plan.on
            assert plan.announce_on == today or later(plan.announce_on, notice) <= plan.on

    @pytest.mark.parametrize(("today", "told"), [(1, 10), (10, 10), (25, 25)])
    def test_on_a_day_of_notice_it_is_told_then_or_at_once(self, today: int, told: int) -> None:
        item = monthly(date(2027, 5, 20))
        migration = a_migration(notice_on=date(2027, 5, 10))
        plan = plan_for(
            item, a_price("price_pro_2"), migration=migration, today=date(2027, 5, today)
        )
        assert (plan.on, plan.announce_on) == (date(2027, 6, 20), date(2027, 5, told))

    def test_it_names_the_item_both_prices_and_the_migration(self) -> None:
        plan = plan_for(
            an_item(number=3), a_price("price_pro_2"), migration=a_migration(), today=JUNE
        )
        assert plan.items == (PlannedItem(NEW, None, 3, instead_of=OLD),)
        assert (plan.cause, plan.proration) == (a_migration().id, Proration(mode="none"))


class TestAMigration:
    def moved(self, change: Change | None) -> Migration:
        assert change is not None
        assert isinstance(change.after, Migration)
        return change.after

    def test_it_is_the_same_for_the_same_prices_and_day(self) -> None:
        assert migration_id("t", "a", "b", JUNE) == migration_id("t", "a", "b", JUNE)
        others = {
            migration_id(*identity)
            for identity in (
                ("t", "a", "b", JUNE),
                ("u", "a", "b", JUNE),
                ("t", "b", "a", JUNE),
                ("t", "a", "b", date(2027, 6, 2)),
            )
        }
        assert len(others) == 4

    def test_it_is_planned_count_by_count_and_undone(self) -> None:
        wanted = a_migration()
        started = MigrationStarted(wanted.id, OLD, NEW, JUNE)
        first = begin(None, wanted)
        assert first is not None
        assert (first.before, first.after, first.events) == (None, wanted, (started,))
        assert (wanted.status, wanted.state) == ("planning", Planning())
        assert begin(wanted, wanted) is None, "a call that did not come to its end goes on"
        counted = count_planned(self.moved(count_planned(wanted, 2)), 3)
        assert counted.events == (MigrationProgressed(wanted.id, planned=3),)
        done = finish(self.moved(counted))
        planned = self.moved(done)
        assert done.events == (MigrationPlanned(wanted.id, OLD, NEW, JUNE, 5),)
        assert (planned.state, planned.status, planned.left) == (InPlace(), "planned", 5)

        more = begin(planned, wanted)
        assert more is not None
        assert (self.moved(more).state, self.moved(more).planned) == (Planning(), 5)

        undoing = begin_undoing(planned)
        assert undoing is not None
        assert undoing.events == (MigrationUndoStarted(wanted.id),)
        assert begin_undoing(self.moved(undoing)) is None
        assert (self.moved(undoing).state, self.moved(undoing).status) == (Undoing(), "undoing")
        withdrawn = count_withdrawn(self.moved(undoing), 2)
        assert withdrawn.events == (MigrationProgressed(wanted.id, withdrawn=2),)
        over = finish_undoing(self.moved(withdrawn))
        assert over.events == (MigrationUndone(wanted.id, OLD, NEW, 2, 3),)
        undone = self.moved(over)
        assert (undone.state, undone.withdrawn, undone.left) == (Undone(), 2, 3)

        anew = self.moved(begin(undone, evolve(wanted, notice=MONTHLY)))
        assert (anew.planned, anew.withdrawn, anew.notice) == (0, 0, MONTHLY)
        assert anew.version == undone.version + 1

    def test_what_is_undone_is_not_undone_again_nor_planned_meanwhile(self) -> None:
        with pytest.raises(InvalidTransition, match="undo_migration"):
            begin_undoing(a_migration(state=Undone()))
        with pytest.raises(InvalidTransition, match="undoing"):
            begin(a_migration(state=Undoing()), a_migration())

    def test_the_notice_is_that_of_the_plans_there_are(self) -> None:
        for state in (Planning(), InPlace()):
            on_a_day = a_migration(notice_on=date(2027, 5, 1))
            with pytest.raises(ValidationError, match="notice"):
                begin(a_migration(state=state), a_migration(notice=MONTHLY))
            with pytest.raises(ValidationError, match="notice"):
                begin(a_migration(state=state), on_a_day)
            begin(evolve(on_a_day, state=state), on_a_day)

    def test_wrong_values_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="on"):
            a_migration(on=NOON)
        with pytest.raises(ValidationError, match="notice"):
            a_migration(notice=30)
        with pytest.raises(ValidationError, match="notice"):
            a_migration(notice_on=date(2027, 6, 2))
        with pytest.raises(ValidationError, match="notice"):
            a_migration(notice_on=NOON)

    def test_it_can_be_asked_for_by_price_and_status(self) -> None:
        values = {column.name: column.get(a_migration()) for column in MIGRATION.columns}
        assert values == {"price": OLD, "status": "planning"}


def test_a_plan_of_another_customer_is_no_matter_of_the_plan() -> None:
    sub = a_subscription(customer=CustomerId("cus_bob"), contract=Active(JUNE))
    assert moved_item(sub, a_move()) is sub.items[0]
