"""One item for each thing that a person must look at: opened once, closed once, opened again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from subscriptions import review
from subscriptions.decisions import Change
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.money import EUR, Money
from subscriptions.review import TODO, Closed, Matter, ReviewClosed, ReviewItem, ReviewNeeded

AT = datetime(2027, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def needed(before: ReviewItem | None = None, facts: str = "nobody knows") -> Change | None:
    return review.needed(
        before,
        tenant="acme",
        matter=Matter.OUTCOME_UNKNOWN,
        kind="payment",
        subject="pay_1",
        since=AT,
        facts=facts,
        customer="cus_1",
        amount=Money(2900, EUR),
    )


def item(change: Change | None) -> ReviewItem:
    assert change is not None
    assert isinstance(change.after, ReviewItem)
    return change.after


def test_a_thing_is_listed_once_with_what_to_do() -> None:
    change = needed()
    listed = item(change)
    assert change is not None
    event = ReviewNeeded(listed.id, Matter.OUTCOME_UNKNOWN, "payment", "pay_1", "cus_1")
    assert change.events == (event,)
    assert (listed.status, listed.since, listed.amount) == ("open", AT, Money(2900, EUR))
    assert listed.todo == TODO[Matter.OUTCOME_UNKNOWN]
    assert needed(listed) is None
    assert len(item(needed(facts="x" * 900)).facts) == 500


@pytest.mark.parametrize("matter", Matter)
def test_every_matter_says_what_is_to_be_done(matter: Matter) -> None:
    assert TODO[matter].endswith(".")


def test_each_thing_has_an_item_of_its_own() -> None:
    ids = {review.item_id("acme", matter, kind, "x_1") for matter in Matter for kind in ("a", "b")}
    assert len(ids) == 2 * len(Matter)


def test_what_is_over_leaves_the_list_and_may_come_back() -> None:
    listed = item(needed())
    change = review.over(listed, reason="succeeded", at=LATER)
    closed = item(change)
    assert change is not None
    assert change.events == (ReviewClosed(listed.id, "cus_1", "succeeded"),)
    assert (closed.status, closed.closed) == ("closed", Closed(LATER, "succeeded"))
    assert review.over(closed, reason="succeeded", at=LATER) is None
    assert review.over(None, reason="succeeded", at=LATER) is None
    again = item(needed(closed))
    assert (again.id, again.status, again.version) == (listed.id, "open", 3)


def test_a_person_closes_what_is_open_and_says_why() -> None:
    listed = item(needed())
    closed = item(review.close(listed, reason="looked at", at=LATER))
    assert closed.closed == Closed(LATER, "looked at")
    with pytest.raises(InvalidTransition):
        review.close(closed, reason="looked at", at=LATER)
    with pytest.raises(ValidationError):
        review.close(listed, reason=" ", at=LATER)
