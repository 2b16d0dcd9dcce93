"""What is held first and taken later, with processes that die and gateways that are silent.

Judged by the gateway's own books of captures: nothing is taken twice, nothing beyond what was held,
and in the end nothing is held that nobody wants.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from attrs import define, field

from subscriptions import (
    Billing,
    Conflict,
    DomainError,
    MemoryStorage,
    Money,
    OneOff,
    Seller,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payments import Payment
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points

START = datetime(2027, 1, 1, 12, tzinfo=UTC)
HELD, TAKEN = Money.of("100.00", "EUR"), Money.of("40.00", "EUR")
SEEDS = 150
STEPS = 20
JUMPS = (
    timedelta(minutes=1),
    timedelta(minutes=6),
    timedelta(minutes=6),
    timedelta(hours=2),
    timedelta(hours=2),
    timedelta(hours=23),
    timedelta(hours=40),
    timedelta(days=4),
)
FAULTS = (
    "capture times out with effect",
    "capture times out without effect",
    "capture refused",
    "capture declined",
    "authorisation times out with effect",
    "authorisation times out without effect",
    "no answer to a question",
    "message lost",
    "message twice",
    "process dies",
)


@define
class World:
    """A storage that stays, a gateway that takes parts as often as it is asked, one customer."""

    gateway: FakeGateway = field(init=False)
    clock: TestClock = field(factory=lambda: TestClock(START))
    storage: MemoryStorage = field(factory=MemoryStorage)
    points: Points = field(factory=Points)
    processes: int = 0
    billing: Billing = field(init=False)

    def __attrs_post_init__(self) -> None:
        # It would capture a second part: only we keep ourselves from it.
        self.gateway = FakeGateway(self.clock, multi_capture=True)
        self.start()

    def start(self, crash_at: int | None = None) -> None:
        """Start a process; of the one before, only what is stored remains."""
        self.processes += 1
        self.points = Points(crash_at)
        self.billing = Billing(
            storage=CrashingStorage(self.storage, self.points),
            gateways={"card": CrashingGateway(self.gateway, self.points)},
            seller=Seller("Acme GmbH"),
            clock=self.clock,
            ids=counting_ids(str(self.processes)),
            webhook_secrets={"card": [self.gateway.webhook_secret]},
        )


def book(world: World) -> Payment:
    """Hold, take a part for an invoice: as a host does it, who repeats a command until it is done.

    The invoice is not charged by itself, for the customer's card is attached after it was made.
    """
    billing = world.billing
    (ada,) = list(billing.customers.list()) or [billing.customers.create(name="Ada Lovelace")]
    (invoice,) = list(billing.invoices.list()) or [
        billing.invoices.create_one_off(
            ada.id, [OneOff("Stay", Money.of("40.00", "EUR"))], idempotency_key="invoice"
        )
    ]
    methods = list(billing.payment_methods.list(customer=ada.id))
    method = methods[0] if methods else None
    if method is None:
        method = billing.payment_methods.attach(ada.id, "tok_visa", default=False)
    held = billing.payments.authorize(
        ada.id, HELD, method=method.id, invoice=invoice.id, idempotency_key="hold"
    )
    billing.payments.capture(held.id, TAKEN, idempotency_key="take")
    billing.run()
    return billing.payments.get(held.id)


def test_a_process_that_dies_at_any_point_captures_once_and_releases_the_rest() -> None:
    counted = World()
    book(counted)
    assert counted.points.passed > 20
    assert {"before a capture", "after a release"} <= {*counted.points.names}
    for point in range(counted.points.passed):
        world = World()
        world.start(crash_at=point)
        where = f"point {point}: {counted.points.names[point]}"
        with pytest.raises(Crash):
            book(world)
        world.start()
        world.clock.now += timedelta(minutes=10)
        world.billing.run()
        payment = book(world)
        assert (payment.status, payment.amount, payment.due_at) == ("succeeded", TAKEN, None), where
        assert [each.intent.amount for each in world.gateway.captures] == [TAKEN], where
        assert [each.capturable_minor for each in world.gateway.charges] == [0], where
        (invoice,) = world.billing.invoices.list()
        assert invoice.status.value == "paid", where
        assert world.gateway.alerts == (), where


@define
class Story:
    """One seed of captures and releases under faults."""

    seed: int
    happened: Counter[str]
    world: World = field(factory=World)
    random: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)
        customer = self.world.billing.customers.create(name="Ada Lovelace")
        self.world.billing.payment_methods.attach(customer.id, "tok_visa")

    def live(self) -> None:
        """Let things happen, then let every fault be over."""
        things = (self.hold, self.take, self.take, self.let_go, self.post, self.work)
        for _ in range(STEPS):
            self.break_something()
            self.world.clock.now += self.random.choice(JUMPS)
            self.dies_sometimes(self.random.choice(things))
            assert self.findings() == []
        self.world.gateway.forget_scripts()
        self.world.start()
        for _ in range(60):
            self.world.clock.now += timedelta(days=1)
            self.world.billing.run()
        assert [*self.findings(), *self.left_open()] == []

    def break_something(self) -> None:
        gateway = self.world.gateway
        breaks: dict[str, Callable[[], None]] = {
            FAULTS[0]: lambda: gateway.time_out_capture_next(executed=True),
            FAULTS[1]: lambda: gateway.time_out_capture_next(
                executed=False, times=self.random.randint(1, 4)
            ),
            FAULTS[2]: gateway.refuse_capture_connection_next,
            FAULTS[3]: gateway.decline_capture_next,
            FAULTS[4]: lambda: gateway.time_out_next(executed=True),
            FAULTS[5]: lambda: gateway.time_out_next(executed=False),
            FAULTS[6]: lambda: gateway.ignore_next(self.random.randint(1, 3)),
        }
        if self.random.random() < 0.5:
            name = self.random.choice(list(breaks))
            breaks[name]()
            self.happened[name] += 1

    def dies_sometimes(self, do: Callable[[], None]) -> None:
        if self.random.random() < 0.3:
            self.world.points.crash_at = self.world.points.passed + self.random.randrange(8)
        try:
            do()
        except Crash:
            self.happened["process dies"] += 1
            self.world.start()
        except (DomainError, Conflict):
            self.happened["refused"] += 1
        self.world.points.crash_at = None

    def hold(self) -> None:
        (customer,) = self.world.billing.customers.list()
        self.world.billing.payments.authorize(customer.id, HELD)

    def take(self) -> None:
        for payment in self.world.billing.payments.list(limit=100):
            if payment.status == "authorized":
                part = Money(self.random.choice([1, 4000, 10000]), HELD.currency)
                self.world.billing.payments.capture(payment.id, part)
                return

    def let_go(self) -> None:
        for payment in self.world.billing.payments.list(limit=100):
            if payment.status == "authorized":
                self.world.billing.payments.release(payment.id)
                return

    def work(self) -> None:
        self.world.billing.run()

    def post(self) -> None:
        for message in self.world.gateway.webhooks():
            times = self.random.choice([0, 1, 1, 2])
            self.happened["message lost"] += times == 0
            self.happened["message twice"] += times == 2
            for _ in range(times):
                self.world.billing.webhooks.receive("card", message.raw, message.headers)

    def findings(self) -> list[str]:
        """Find what was taken twice, or beyond what was held."""
        taken = Counter(each.intent.attempt_id for each in self.world.gateway.captures)
        return [
            *[f"{id} was captured {times} times" for id, times in taken.items() if times > 1],
            *[
                f"{each.attempt}: {each.captured_minor} taken of {each.intent.amount}"
                for each in self.world.gateway.charges
                if each.captured_minor > each.intent.amount.minor
            ],
            *[str(alert) for alert in self.world.gateway.alerts],
        ]

    def left_open(self) -> list[str]:
        """Find what is held or under way still, and where the two books differ."""
        payments = {each.id: each for each in self.world.billing.payments.list(limit=100)}
        taken = {each.intent.attempt_id: each.intent.amount for each in self.world.gateway.captures}
        believed = {id: each.amount for id, each in payments.items() if each.status == "succeeded"}
        return [
            *[f"{id} is {each.status}" for id, each in payments.items() if each.due_at is not None],
            *[f"{id} is parked: {each.parked}" for id, each in payments.items() if each.parked],
            *[
                f"{each.attempt} is held still"
                for each in self.world.gateway.charges
                if each.capturable_minor
            ],
            *([] if taken == believed else [f"{taken} was taken, {believed} is believed"]),
        ]


def test_whatever_happens_what_is_held_is_taken_once_or_released(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "subscriptions")
    happened = Counter[str]()
    captured = 0
    for seed in range(SEEDS):
        story = Story(seed, happened)
        try:
            story.live()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
        captured += len(story.world.gateway.captures)
    # Each fault has happened, and often; and there was something to take.
    assert {name: happened[name] for name in FAULTS if happened[name] < SEEDS // 10} == {}
    assert captured > SEEDS // 3
