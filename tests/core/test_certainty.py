"""What is done where nobody is sure about a payment, and how often a declined card may be tried."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from subscriptions.decisions import Change
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PaymentMethodId
from subscriptions.money import EUR, Money
from subscriptions.payments import (
    LIMITS,
    REVIEW_AFTER,
    ActionRequired,
    AttemptLimit,
    Decline,
    Declined,
    Intended,
    Outcome,
    Payment,
    PaymentAdopted,
    PaymentQuarantined,
    PaymentResolved,
    PaymentSnapshot,
    PaymentState,
    PaymentSucceeded,
    Processing,
    Succeeded,
    Unknown,
    Voided,
    adopt,
    asked_first,
    charged_twice,
    contradicts,
    leaves_no_gap,
    may_attempt,
    open_too_long,
    ordinal_of,
    payment_id,
    quarantine,
    resolve,
)
from subscriptions.records import evolve

AT = datetime(2027, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(days=9)
INVOICE = InvoiceId("inv_1")
DUE = Money(2900, EUR)
CARD = PaymentMethodId("pm_1")
DECLINE = Decline("insufficient_funds")


def a_payment(state: PaymentState, *, at: datetime = AT, ordinal: int = 1) -> Payment:
    return Payment(
        payment_id("acme", INVOICE, ordinal),
        "acme",
        1,
        CustomerId("cus_1"),
        "card",
        DUE.minor,
        EUR,
        state,
        at,
        INVOICE,
        ordinal,
        CARD,
        "pm_1",
    )


def after(change: Change | None) -> Payment:
    assert change is not None
    assert isinstance(change.after, Payment)
    return change.after


def said(outcome: Outcome, amount: Money = DUE) -> PaymentSnapshot:
    declined = outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
    attempt = payment_id("acme", INVOICE, 1)
    return PaymentSnapshot(
        outcome, amount, AT, attempt, "ch_1", DECLINE if declined else None, invoice=INVOICE
    )


# ---- how long is too long ------------------------------------------------------------------------


@pytest.mark.parametrize("state", [Unknown(AT, LATER), Intended(LATER, tries=1)])
def test_an_outcome_that_nobody_knows_for_three_days_is_a_matter_for_a_person(
    state: PaymentState,
) -> None:
    payment = a_payment(state)
    assert open_too_long(payment, at=AT + REVIEW_AFTER)
    assert not open_too_long(payment, at=AT + REVIEW_AFTER - timedelta(microseconds=1))


@pytest.mark.parametrize(
    "state",
    [
        Intended(LATER),
        Processing(AT, LATER),
        ActionRequired("url", LATER),
        Succeeded(AT),
        Declined(AT, DECLINE, hard=False),
        Voided(AT, "never"),
    ],
)
def test_an_outcome_that_is_known_or_on_its_way_is_not(state: PaymentState) -> None:
    assert not open_too_long(a_payment(state), at=AT + 9 * REVIEW_AFTER)


DAY = timedelta(days=1)


def test_what_is_intended_anew_long_after_its_time_is_asked_about_first() -> None:
    payment = a_payment(Intended(AT))
    assert not asked_first(payment, now=AT + timedelta(hours=22, minutes=59), window=DAY)
    assert asked_first(payment, now=AT + timedelta(hours=23), window=DAY)
    assert not asked_first(payment, now=AT - timedelta(days=400), window=DAY)


def test_a_list_proves_an_absence_where_the_memory_of_keys_does_not_reach() -> None:
    assert leaves_no_gap(LATER - timedelta(hours=23), now=LATER, window=DAY)
    assert not leaves_no_gap(LATER - timedelta(hours=23, seconds=1), now=LATER, window=DAY)


# ---- set aside -----------------------------------------------------------------------------------


def test_another_amount_sets_a_payment_aside_once_and_changes_nothing_else() -> None:
    payment = a_payment(Unknown(AT, LATER))
    change = quarantine(payment, said(Outcome.SUCCEEDED, Money(9200, EUR)))
    aside = after(change)
    assert change is not None
    assert change.events == (
        PaymentQuarantined(
            payment.id, payment.customer, INVOICE, DUE, Money(9200, EUR), "succeeded", "ch_1"
        ),
    )
    assert aside.parked is not None
    assert evolve(aside, parked=None, version=1) == payment
    assert aside.due_at is None
    assert quarantine(aside, said(Outcome.SUCCEEDED, Money(9300, EUR))) is None
    other = quarantine(payment, said(Outcome.SUCCEEDED), asked=Money(1, EUR))
    assert (
        after(other).parked == "the gateway says succeeded 29.00 EUR where 0.01 EUR was asked for"
    )


def test_a_second_charge_is_one_of_another_reference_after_the_first_took_its_money() -> None:
    paid = evolve(a_payment(Succeeded(AT)), reference="ch_1")
    other = evolve(said(Outcome.SUCCEEDED), gateway_ref="ch_2")
    assert charged_twice(paid, other)
    assert not charged_twice(paid, said(Outcome.SUCCEEDED))
    assert not charged_twice(paid, evolve(other, gateway_ref=None))
    assert not charged_twice(evolve(paid, reference=None), other)
    assert not charged_twice(paid, evolve(said(Outcome.DECLINED_SOFT), gateway_ref="ch_2"))
    assert not charged_twice(evolve(paid, state=Declined(AT, DECLINE, hard=False)), other)


# ---- a person's word -----------------------------------------------------------------------------

OPEN = (Intended(AT), Unknown(AT, LATER), ActionRequired("url", LATER), Processing(AT, LATER))


@pytest.mark.parametrize("state", OPEN)
def test_what_a_person_found_is_taken(state: PaymentState) -> None:
    payment = a_payment(state)
    change = resolve(payment, "succeeded", reference="ch_9", reason="seen", at=LATER)
    word = PaymentResolved(payment.id, payment.customer, INVOICE, "succeeded", "seen")
    assert change.events == (
        word,
        PaymentSucceeded(payment.id, payment.customer, INVOICE, DUE),
    )
    assert (after(change).state, after(change).reference) == (Succeeded(LATER), "ch_9")


@pytest.mark.parametrize("state", OPEN)
def test_what_a_person_did_not_find_is_over(state: PaymentState) -> None:
    change = resolve(a_payment(state), "never_happened", reference=None, reason="no", at=LATER)
    expected = "declined" if isinstance(state, Processing) else "void"
    assert after(change).status == expected
    assert len(change.events) == 2


@pytest.mark.parametrize("state", [Declined(AT, DECLINE, hard=False), Voided(AT, "never")])
def test_what_was_set_aside_after_it_was_over_is_released_or_succeeds(state: PaymentState) -> None:
    aside = evolve(a_payment(state), parked="another amount")
    released = after(resolve(aside, "never_happened", reference=None, reason="no", at=LATER))
    assert (released.state, released.parked) == (state, None)
    taken = after(resolve(aside, "succeeded", reference="ch_9", reason="seen", at=LATER))
    assert (taken.status, taken.parked) == ("succeeded", None)


def test_what_was_set_aside_after_it_succeeded_is_released() -> None:
    aside = evolve(a_payment(Succeeded(AT)), parked="another amount")
    released = resolve(aside, "succeeded", reference=None, reason="29.00 it was", at=LATER)
    assert (after(released).state, after(released).parked) == (Succeeded(AT), None)
    with pytest.raises(InvalidTransition):
        resolve(aside, "never_happened", reference=None, reason="no", at=LATER)


@pytest.mark.parametrize("state", [Succeeded(AT), Declined(AT, DECLINE, hard=True), Voided(AT, "")])
@pytest.mark.parametrize("outcome", ["succeeded", "never_happened"])
def test_what_is_known_is_not_for_a_person_to_say(state: PaymentState, outcome: str) -> None:
    with pytest.raises(InvalidTransition):
        resolve(a_payment(state), outcome, reference="ch_9", reason="seen", at=LATER)


def test_a_word_needs_an_outcome_a_reference_and_a_reason() -> None:
    payment = a_payment(Unknown(AT, LATER))
    for outcome, reference, reason, field in (
        ("perhaps", "ch_9", "seen", "outcome"),
        ("succeeded", None, "seen", "reference"),
        ("never_happened", None, "", "reason"),
    ):
        with pytest.raises(ValidationError) as refused:
            resolve(payment, outcome, reference=reference, reason=reason, at=LATER)
        assert refused.value.field == field


# ---- charges that the books lack -----------------------------------------------------------------


def test_the_id_of_an_attempt_says_which_it_was() -> None:
    for ordinal in (1, 2, 40):
        attempt = payment_id("acme", INVOICE, ordinal)
        assert ordinal_of(attempt, tenant="acme", invoice=INVOICE, attempts=1) == ordinal
        assert ordinal_of(attempt, tenant="other", invoice=INVOICE, attempts=1) is None
    assert ordinal_of(PaymentId("pay_9"), tenant="acme", invoice=INVOICE, attempts=1) is None


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SUCCEEDED, "succeeded"),
        (Outcome.DECLINED_SOFT, "declined"),
        (Outcome.PROCESSING, "processing"),
        (Outcome.REQUIRES_ACTION, "requires_action"),
    ],
)
def test_a_lost_charge_is_the_attempt_that_it_was(outcome: Outcome, status: str) -> None:
    change = _adopted(said(outcome))
    adopted = after(change)
    assert change is not None
    assert (adopted.id, adopted.status) == (payment_id("acme", INVOICE, 1), status)
    assert (adopted.reference, adopted.method, adopted.intended_at) == ("ch_1", None, AT)
    assert adopted.version == len(change.events) == 2
    assert isinstance(change.events[0], PaymentAdopted)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_EXECUTED])
def test_what_says_nothing_is_not_adopted(outcome: Outcome) -> None:
    assert _adopted(said(outcome)) is None


def _adopted(snapshot: PaymentSnapshot) -> Change | None:
    return adopt(
        snapshot,
        tenant="acme",
        customer=CustomerId("cus_1"),
        invoice=INVOICE,
        ordinal=1,
        gateway="card",
        at=LATER,
    )


# ---- how often -----------------------------------------------------------------------------------

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)


def declines(*ago: timedelta) -> list[Payment]:
    state = Declined(NOW, DECLINE, hard=False)
    return [a_payment(state, at=NOW - each, ordinal=place) for place, each in enumerate(ago, 1)]


def blocked(history: list[Payment], brand: str = "", at: datetime = NOW) -> timedelta | None:
    found = may_attempt(history, CARD, brand=brand, at=at)
    return None if found is None else found.until - at


def test_ten_declines_in_a_day_are_enough_until_the_first_is_a_day_old() -> None:
    hours = [timedelta(hours=hour) for hour in range(1, 11)]
    assert blocked(declines(*hours[:9])) is None
    assert blocked(declines(*hours)) == timedelta(hours=14)
    assert blocked(declines(*hours), at=NOW + timedelta(hours=14)) is None


def test_twenty_declines_in_a_month_are_enough() -> None:
    days = [timedelta(days=day) for day in range(1, 21)]
    assert blocked(declines(*days[:19])) is None
    assert blocked(declines(*days)) == timedelta(days=10)
    assert blocked(declines(*days, timedelta(days=29))) == timedelta(days=10)


def test_the_strictest_of_the_limits_counts() -> None:
    close = [timedelta(hours=hour) for hour in range(1, 21)]
    assert blocked(declines(*close)) == timedelta(days=30) - timedelta(hours=20)


def test_what_succeeded_or_never_happened_counts_for_nothing_and_what_is_open_counts() -> None:
    many = declines(*[timedelta(hours=1)] * 12)
    for state in (Succeeded(NOW), Voided(NOW, "never")):
        assert blocked([evolve(each, state=state) for each in many]) is None
    assert blocked([evolve(each, state=Unknown(NOW, NOW)) for each in many]) is not None
    other = [evolve(each, method=PaymentMethodId("pm_2")) for each in many]
    assert blocked(other) is None


LIMIT = AttemptLimit("visa", 1, DAY, date(2027, 3, 30), date(2027, 3, 31), "a test")


def _limited(brand: str, day: int) -> bool:
    at = datetime(2027, 3, day, 12, tzinfo=UTC)
    history = [evolve(declines(DAY)[0], intended_at=at - timedelta(hours=1))]
    return may_attempt(history, CARD, brand=brand, at=at, limits=[LIMIT]) is not None


@pytest.mark.parametrize(("brand", "day"), [("visa", 30), ("VISA", 31)])
def test_a_limit_applies_to_its_network_on_its_days(brand: str, day: int) -> None:
    assert _limited(brand, day)


@pytest.mark.parametrize(("brand", "day"), [("visa", 29), ("mastercard", 31), ("", 31)])
def test_a_limit_applies_to_no_other_network_and_on_no_other_day(brand: str, day: int) -> None:
    assert not _limited(brand, day)


def test_after_its_last_day_a_limit_applies_no_more() -> None:
    at = datetime(2027, 4, 1, tzinfo=UTC)
    history = [evolve(declines(DAY)[0], intended_at=at - timedelta(hours=1))]
    assert may_attempt(history, CARD, brand="visa", at=at, limits=[LIMIT]) is None


def test_the_limits_of_a_network_follow_one_another_without_a_gap() -> None:
    visa = [limit for limit in LIMITS if limit.network == "visa"]
    for earlier, later in pairwise(visa):
        assert earlier.valid_until is not None
        assert later.valid_from == earlier.valid_until + DAY
    assert all(limit.source for limit in LIMITS)


# ---- who contradicts whom -----------------------------------------------------------------------


def test_a_gateway_contradicts_only_a_person_who_said_that_it_succeeded() -> None:
    by_hand = after(
        resolve(a_payment(Unknown(AT, AT)), "succeeded", reference="ch_1", reason="seen", at=LATER)
    )
    assert by_hand.resolved
    contradictions = [each for each in Outcome if contradicts(by_hand, said(each))]
    assert contradictions == [Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD]
    by_the_gateway = a_payment(Succeeded(AT))
    assert not any(contradicts(by_the_gateway, said(each)) for each in Outcome)
    never = after(
        resolve(a_payment(Unknown(AT, AT)), "never_happened", reference=None, reason="no", at=LATER)
    )
    assert not any(contradicts(never, said(each)) for each in Outcome)
