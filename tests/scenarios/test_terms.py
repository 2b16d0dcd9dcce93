"""Contracts that bind for a while: minimum terms, notice, renewal, and what consumers' law says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import Interval, InvalidTransition, ValidationError
from subscriptions.contract_terms import TermPart, Terms
from subscriptions.lifecycle import EndReason, Subscription, SubscriptionEnded
from subscriptions.lifecycle.subscription import Ended
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]

GYM = Terms(minimum=Interval.years(1), notice=Interval.months(1), consumer=True, country="DE")
"""The German gym: a year first, then for as long as one likes; a month's notice."""
OFFICE = Terms(minimum=Interval.years(1), notice=Interval.months(3), renewal=Interval.years(1))
"""The office lease: it renews by a year, unless notice is given three months before."""


def join(shop: Shop, terms: Terms | None = GYM) -> Subscription:
    price = shop.price(eur("30.00"), name="Gym")
    return shop.billing.subscriptions.create(shop.customer().id, [price.id], terms=terms)


def end_of(shop: Shop, sub: Subscription) -> date:
    cancellation = shop.subscription(sub).cancellation
    assert cancellation is not None
    return cancellation.on


def test_in_the_first_year_a_member_leaves_at_its_end(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2027, 3, 10))
    found = shop.billing.subscriptions.cancellation_terms(sub.id)
    assert (found.first_end, found.notice_by) == (date(2028, 1, 1), date(2027, 11, 30))
    assert (found.in_first_term, found.renews_on) == (True, None)
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2028, 1, 1)
    shop.time.expect(SubscriptionEnded).advance(to=date(2028, 3, 1))
    assert len(shop.invoices()) == 12
    assert set(shop.totals()) == {"30.00 EUR"}


def test_notice_on_the_last_day_still_reaches_the_end_of_the_year(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=datetime(2027, 11, 30, 23, 59, tzinfo=UTC))
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2028, 1, 1)


def test_a_day_too_late_a_month_follows_and_not_a_year(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2027, 12, 1))
    shop.billing.subscriptions.cancel(sub.id)
    # Notice on 1 December is over with 1 January, so it may end with that day.
    assert end_of(shop, sub) == date(2028, 1, 2)
    shop.time.expect(SubscriptionEnded).advance(to=date(2028, 3, 1))
    assert shop.periods()[-1] == "2028-01-01/2028-02-01"
    assert shop.subscription(sub).status == "canceled"


def test_after_the_first_year_a_months_notice_on_any_day_is_enough(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2028, 5, 10))
    with pytest.raises(ValidationError) as refused:
        shop.billing.subscriptions.cancel(sub.id, when=date(2028, 6, 10))
    assert refused.value.field == "when"
    assert "2028-06-11" in refused.value.expected
    shop.billing.subscriptions.cancel(sub.id, when=date(2028, 6, 11), settlement="credit")
    shop.time.expect(SubscriptionEnded).advance(to=date(2028, 8, 1))
    # The last period is billed for the ten days from 1 to 10 June: 10/30 of 30.00.
    assert (shop.periods()[-1], shop.totals()[-1]) == ("2028-06-01/2028-06-11", "10.00 EUR")


@pytest.mark.parametrize("when", ["now", date(2027, 6, 1)])
def test_before_the_terms_permit_it_an_end_is_refused_and_nothing_changes(
    shop: Shop, when: str | date
) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2027, 3, 10))
    before = shop.events()
    with pytest.raises(ValidationError) as refused:
        shop.billing.subscriptions.cancel(sub.id, when=when)  # type: ignore[arg-type]
    assert (refused.value.field, "2028-01-01" in refused.value.expected) == ("when", True)
    assert shop.events() == before


def test_for_cause_it_ends_at_once_whatever_the_terms_say(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2027, 3, 10))
    shop.billing.subscriptions.cancel(sub.id, when="now", extraordinary=True, reason="moved abroad")
    assert shop.subscription(sub).contract == Ended(
        datetime(2027, 3, 10, tzinfo=UTC), EndReason.CANCELED
    )


def test_for_cause_it_ends_at_the_end_of_the_month_without_notice(shop: Shop) -> None:
    sub = join(shop)
    shop.time.advance(to=date(2027, 3, 10))
    shop.billing.subscriptions.cancel(sub.id, extraordinary=True)
    assert end_of(shop, sub) == date(2027, 4, 1)


def test_a_lease_renews_by_a_year_when_notice_is_too_late(shop: Shop) -> None:
    sub = join(shop, OFFICE)
    shop.time.advance(to=date(2027, 10, 15))
    found = shop.billing.subscriptions.cancellation_terms(sub.id)
    assert found.first_end == date(2029, 1, 1)
    assert found.renews_on == date(2028, 1, 1)
    shop.billing.subscriptions.cancel(sub.id)
    shop.time.expect(SubscriptionEnded).advance(to=date(2029, 2, 1))
    assert len(shop.invoices()) == 24


def test_a_lease_ends_on_a_renewal_and_not_between(shop: Shop) -> None:
    sub = join(shop, OFFICE)
    shop.time.advance(to=date(2027, 9, 1))
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2028, 1, 1)


def test_a_lease_is_not_left_on_a_day_between_two_renewals(shop: Shop) -> None:
    sub = join(shop, OFFICE)
    shop.time.advance(to=date(2027, 9, 1))
    with pytest.raises(ValidationError) as refused:
        shop.billing.subscriptions.cancel(sub.id, when=date(2028, 6, 15))
    assert "2029-01-01" in refused.value.expected
    shop.billing.subscriptions.cancel(sub.id, when=date(2029, 1, 1))
    assert end_of(shop, sub) == date(2029, 1, 1)


def test_a_yearly_plan_under_monthly_notice_ends_with_what_is_paid(shop: Shop) -> None:
    price = shop.price(eur("290.00"), every=YEARLY)
    sub = shop.billing.subscriptions.create(shop.customer().id, [price.id], terms=GYM)
    shop.time.advance(to=date(2028, 2, 10))
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2029, 1, 1)


def test_a_cancellation_may_be_undone_and_the_terms_count_anew(shop: Shop) -> None:
    sub = join(shop)
    shop.billing.subscriptions.cancel(sub.id)
    shop.time.advance(to=date(2027, 12, 15))
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.billing.subscriptions.cancel(sub.id)
    # A month's notice from 15 December is over with 15 January; that month is begun then.
    assert end_of(shop, sub) == date(2028, 1, 16)


def test_the_term_begins_with_the_contract_and_not_with_the_first_bill(shop: Shop) -> None:
    price = shop.price(eur("30.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [price.id], terms=GYM, trial_until=date(2027, 2, 1)
    )
    shop.time.advance(to=date(2027, 1, 10))
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2028, 1, 1), "terms bind during a trial too"


def test_without_terms_it_may_end_today(shop: Shop) -> None:
    sub = join(shop, None)
    found = shop.billing.subscriptions.cancellation_terms(sub.id)
    assert (found.first_end, found.warnings) == (date(2027, 1, 2), ())
    shop.billing.subscriptions.cancel(sub.id, when="now")
    with pytest.raises(InvalidTransition):
        shop.billing.subscriptions.cancellation_terms(sub.id)


def test_a_consumer_is_not_bound_for_as_long_as_a_business(shop: Shop) -> None:
    harsh = Terms(
        minimum=Interval.years(3),
        notice=Interval.months(3),
        renewal=Interval.years(1),
        consumer=True,
        country="DE",
    )
    warned = shop.billing.subscriptions.term_warnings(harsh)
    assert [each.part for each in warned] == [
        TermPart.FIRST_TERM,
        TermPart.RENEWAL,
        TermPart.FIRST_NOTICE,
    ]
    assert shop.billing.subscriptions.term_warnings(GYM) == ()
    assert shop.billing.subscriptions.term_warnings(OFFICE) == ()
    # It is warned of, and not refused: who knows what was agreed with whom.
    sub = join(shop, harsh)
    assert shop.billing.subscriptions.cancellation_terms(sub.id).warnings == warned


def test_terms_are_judged_by_the_law_of_their_day(shop: Shop) -> None:
    old = Terms(
        minimum=Interval.years(1),
        notice=Interval.months(3),
        renewal=Interval.years(1),
        consumer=True,
        country="DE",
    )
    before = datetime(2022, 2, 28, 12, tzinfo=UTC)
    assert shop.billing.subscriptions.term_warnings(old, at=before) == ()
    assert len(shop.billing.subscriptions.term_warnings(old)) == 2
    with pytest.raises(ValidationError):
        shop.billing.subscriptions.term_warnings("a year")  # type: ignore[arg-type]


def test_why_somebody_left_is_kept_with_the_contract(shop: Shop) -> None:
    sub = join(shop, None)
    shop.billing.subscriptions.cancel(sub.id, reason="by portal")
    shop.billing.subscriptions.answer_survey(sub.id, "too_expensive", comment="Sorry!")
    shop.time.advance(months=2)
    after = shop.subscription(sub)
    assert after.survey is not None
    assert (after.status, after.survey.answer, after.survey.comment) == (
        "canceled",
        "too_expensive",
        "Sorry!",
    )
    # Some answer the mail after it is over, or think again.
    shop.billing.subscriptions.answer_survey(sub.id, "missing_features")
    again = shop.subscription(sub).survey
    assert again is not None
    assert again.answer == "missing_features"
    with pytest.raises(ValidationError):
        shop.billing.subscriptions.answer_survey(sub.id, "")


def test_monthly_terms_of_half_a_year_end_on_the_day_of_the_month(shop: Shop) -> None:
    terms = Terms(minimum=Interval.months(6), notice=Interval.days(14))
    price = shop.price(eur("30.00"), every=MONTHLY)
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [price.id], terms=terms, start=date(2027, 1, 31)
    )
    shop.time.advance(to=date(2027, 2, 1))
    shop.billing.subscriptions.cancel(sub.id)
    assert end_of(shop, sub) == date(2027, 7, 31)
    shop.time.advance(to=date(2027, 9, 1))
    assert shop.periods()[-1] == "2027-06-30/2027-07-31"
