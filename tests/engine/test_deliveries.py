"""Subscribers get every event in order, from whatever thread or task it was committed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Barrier, Thread

from attrs import define, field

from subscriptions import AsyncBilling, Billing
from subscriptions.events import Recorded
from subscriptions.testing import TestClock
from tests.engine.worker import START


class ChangeOfMind(Exception):
    """The host gives up in the middle of a transaction."""


@define
class Inbox:
    """Takes every event except those that it is told to fail on."""

    fails_on: Callable[[Recorded], bool] = lambda _: False
    taken: list[str] = field(factory=list[str])

    def __call__(self, event: Recorded) -> None:
        if self.fails_on(event):
            raise RuntimeError(event.subject)
        self.taken.append(event.id)


def _stored(billing: Billing) -> list[str]:
    return [event.id for event in billing.events.list(limit=1000)]


def test_threads_that_commit_at_once_hand_events_out_once_and_in_order() -> None:
    billing = Billing(clock=TestClock(START))
    inbox = Inbox()
    billing.events.subscribe(inbox)
    together = Barrier(4)

    def sign_up() -> None:
        together.wait()
        for _ in range(25):
            billing.customers.create(name="Ada")

    threads = [Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inbox.taken) == 100
    assert inbox.taken == _stored(billing)


def test_tasks_that_commit_at_once_hand_events_out_once_and_in_order() -> None:
    async def story() -> None:
        billing = AsyncBilling(clock=TestClock(START))
        taken: list[str] = []

        async def subscriber(event: Recorded) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            taken.append(event.id)

        billing.events.subscribe(subscriber)
        await asyncio.gather(*[billing.customers.create(name=str(n)) for n in range(20)])
        stored = [event.id async for event in await billing.events.list(limit=1000)]
        assert taken == stored
        assert len(taken) == 20

    asyncio.run(story())


def test_what_succeeded_before_a_failure_is_not_handed_out_again() -> None:
    billing = Billing(clock=TestClock(START))
    poison: list[str] = []
    inbox = Inbox(lambda event: event.subject in poison)
    billing.events.subscribe(inbox)
    with billing.transaction():
        for _ in range(5):
            billing.customers.create(name="before")
        poison.append(billing.customers.create(name="poison").id)
    for _ in range(20):
        billing.customers.create(name="behind")
    assert Counter(inbox.taken) == Counter(_stored(billing)[:5])
    poison.clear()
    billing.run()
    assert inbox.taken == _stored(billing)


def test_a_subscriber_that_fails_holds_up_no_other_subscriber() -> None:
    billing = Billing(clock=TestClock(START))
    failing, working = Inbox(lambda _: True), Inbox()
    billing.events.subscribe(failing, name="failing")
    billing.events.subscribe(working, name="working")
    billing.customers.create(name="Ada")
    assert failing.taken == []
    assert working.taken == _stored(billing)


def test_what_a_subscriber_commits_itself_comes_after_what_it_is_being_given() -> None:
    billing = Billing(clock=TestClock(START))
    taken: list[str] = []

    def subscriber(event: Recorded) -> None:
        if len(taken) < 3:
            billing.customers.create(name="by the subscriber")
        taken.append(event.id)

    billing.events.subscribe(subscriber)
    billing.customers.create(name="Ada")
    assert taken == _stored(billing)
    assert len(taken) == 4


def test_a_rolled_back_transaction_hands_out_nothing() -> None:
    billing = Billing(clock=TestClock(START))
    inbox = Inbox()
    billing.events.subscribe(inbox)
    with suppress(ChangeOfMind), billing.transaction():
        billing.customers.create(name="Ada")
        raise ChangeOfMind
    billing.run()
    assert inbox.taken == []
