"""A message of a gateway counts once, waits for what it is about, and says nothing for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from subscriptions import inbox
from subscriptions.decisions import Change
from subscriptions.errors import InvalidTransition
from subscriptions.ids import PaymentId
from subscriptions.inbox import (
    GIVE_UP_AFTER,
    STATUS,
    Ignored,
    Inbound,
    Processed,
    Pruned,
    Unmatched,
    Waiting,
    inbound_id,
)
from subscriptions.money import EUR, Money
from subscriptions.payments import Outcome, PaymentSnapshot
from subscriptions.records import evolve

AT = datetime(2027, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(days=1)
SAID = PaymentSnapshot(Outcome.SUCCEEDED, Money(2900, EUR), AT, PaymentId("pay_1"), "ch_1")
STATES = (Waiting(AT), Processed(AT), Ignored(AT, "not ours"), Unmatched(AT), Pruned(AT))


def a_message(state: inbox.InboundState = STATES[0], *, empty: bool = False) -> Inbound:
    id = inbound_id("acme", "card", "evt_1")
    said = None if empty else SAID
    return Inbound(id, "acme", 1, "card", "evt_1", "charge.succeeded", AT, state, said)


def after(change: Change) -> Inbound:
    assert isinstance(change.after, Inbound)
    return change.after


def test_the_id_is_that_of_the_gateways_message() -> None:
    assert inbound_id("acme", "card", "evt_1") == inbound_id("acme", "card", "evt_1")
    others = [("acme", "card", "evt_2"), ("acme", "bank", "evt_1"), ("other", "card", "evt_1")]
    assert len({inbound_id(*each) for each in others} | {a_message().id}) == 4


@pytest.mark.parametrize("state", STATES)
def test_only_what_waits_is_due(state: inbox.InboundState) -> None:
    message = a_message(state)
    assert message.due_at == (AT if isinstance(state, Waiting) else None)
    assert message.status == STATUS[type(state)]
    assert evolve(message, parked="bug").due_at is None


def test_what_says_something_waits_and_what_says_nothing_is_ignored() -> None:
    assert after(inbox.received(a_message(), at=AT)).state == Waiting(AT)
    assert after(inbox.received(a_message(empty=True), at=AT)).status == "ignored"


def test_it_waits_longer_each_time_and_is_given_up_after_days() -> None:
    message, at = a_message(), AT
    waits: list[timedelta] = []
    while True:
        message = after(inbox.waits(message, at=at))
        if not isinstance(message.state, Waiting):
            break
        waits.append(message.state.process_at - at)
        assert message.state.tries == len(waits)
        at = message.state.process_at
    assert waits == sorted(waits)
    assert waits[:4] == list(inbox.WAITS)
    assert message.state == Unmatched(at)
    assert GIVE_UP_AFTER <= at - AT < GIVE_UP_AFTER + inbox.WAITS[-1]


def test_what_is_processed_or_ignored_says_when() -> None:
    assert after(inbox.processed(a_message(), at=LATER)).state == Processed(LATER)
    ignored = after(inbox.ignored(a_message(), reason="of another tenant", at=LATER))
    assert ignored.state == Ignored(LATER, "of another tenant")


def test_what_was_given_up_begins_to_wait_anew() -> None:
    again = after(inbox.waits(a_message(Unmatched(AT)), at=AT + timedelta(minutes=1)))
    assert again.state == Waiting(AT + timedelta(minutes=6), 1)


@pytest.mark.parametrize("state", [Waiting(AT, 3), *STATES[1:4]])
def test_what_says_something_can_be_looked_at_again(state: inbox.InboundState) -> None:
    message = evolve(a_message(state), parked="bug")
    again = after(inbox.again(message, at=LATER))
    assert again.state == Waiting(LATER, 3 if isinstance(state, Waiting) else 0)
    assert again.due_at == LATER


def test_what_says_nothing_any_more_cannot_be_looked_at_again() -> None:
    pruned = after(inbox.pruned(a_message(Processed(AT)), at=LATER))
    assert (pruned.state, pruned.payment, pruned.empty) == (Pruned(LATER), None, True)
    with pytest.raises(InvalidTransition) as refused:
        inbox.again(pruned, at=LATER)
    assert refused.value.state == "pruned"
