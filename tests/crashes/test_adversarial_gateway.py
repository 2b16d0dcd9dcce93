"""However a gateway behaves, nobody is charged twice: many seeds, judged by its own ledger."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest
from attrs import define, evolve, field

from subscriptions import (
    Billing,
    Conflict,
    DomainError,
    DunningPolicy,
    Interval,
    MarkUncollectible,
    MarkUnpaid,
    MemoryStorage,
    Money,
    Retries,
    Seller,
    SqlStorage,
)
from subscriptions import payments as deciding
from subscriptions.decisions import Change
from subscriptions.payments import PAYMENT, ChargeIntent, Decline, Outcome, Payment, PaymentSnapshot
from subscriptions.storage import Storage
from subscriptions.testing import TestClock
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from tests.crashes.adversary import ALL_FAULTS, WINDOW, Adversary

START = datetime(2027, 1, 1, 12, tzinfo=UTC)
TENANT = "default"
SEEDS = 800
SEEDS_ON_SQLITE = 6
STEPS = 24
PLANTED_SEEDS = 60
CRASHES = ("died at a commit", "died in a call")
JUMPS: tuple[tuple[str, timedelta, int], ...] = (
    ("a moment", timedelta(seconds=10), 2),
    ("minutes", timedelta(minutes=7), 4),
    ("hours", timedelta(hours=5), 4),
    ("a day", timedelta(hours=23), 3),
    ("beyond the window", timedelta(hours=40), 3),
    ("a week", timedelta(days=7), 1),
)
POLICIES = (
    DunningPolicy(retries=Retries.after_days(1, 3, 5), final=MarkUnpaid()),
    DunningPolicy(retries=Retries.after_days(0, 1), final=MarkUncollectible(), final_after_days=9),
)


@define
class Ids:
    """Counts; a later process counts elsewhere, as random ids would."""

    process: int
    count: int = 0

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.process}_{self.count}"

    def secret(self) -> str:
        return self.fresh("secret")


@define
class World:
    """One seed: a storage that stays, a gateway with its ledger, and one process after another."""

    seed: int
    happened: Counter[str]
    storage: Storage
    clock: TestClock = field(factory=lambda: TestClock(START))
    points: Points = field(factory=Points)
    findings: list[str] = field(factory=list[str])
    random: Random = field(init=False)
    gateway: Adversary = field(init=False)
    billing: Billing = field(init=False)
    read: int = 0
    _sent: dict[str, ChargeIntent] = field(init=False, factory=dict[str, ChargeIntent])
    _processes: count[int] = field(init=False, factory=count)

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)
        self.gateway = Adversary(self.random, self.clock, self.happened, self.watch)
        self.start()
        self.billing.dunning.set_policy(self.random.choice(POLICIES))
        for number in range(self.random.randint(1, 3)):
            every = self.random.choice([Interval.months(1), Interval.weeks(1)])
            price = self.billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=every)
            customer = self.billing.customers.create(name=f"Customer {number}")
            self.billing.payment_methods.attach(customer.id, token=f"tok_{number}")
            # The first invoice is made by a run: nobody's sign-up fails with the gateway.
            first = date(2027, 1, 2)
            self.billing.subscriptions.create(customer.id, [price.id], start=first)

    def start(self) -> None:
        """Start a process; of the one before, only what is stored remains."""
        self.points = Points()
        self.billing = Billing(
            storage=CrashingStorage(self.storage, self.points),
            gateways={"card": self.gateway},
            seller=Seller("Acme GmbH"),
            clock=self.clock,
            ids=Ids(next(self._processes)),
        )

    # ---- the story --------------------------------------------------------------------------

    def live(self, steps: int) -> None:
        """Let things happen."""
        things: tuple[tuple[Callable[[], None], int], ...] = (
            (self.work, 6),
            (self.post, 3),
            (self.gateway.customers_act, 2),
            (self.pay, 2),
            (self.transfer, 1),
            (self.new_card, 2),
        )
        for _ in range(steps):
            self.later()
            do = self.random.choices([do for do, _ in things], [weight for _, weight in things])[0]
            self.dies_sometimes(do)
            self.judge()

    def heal(self) -> None:
        """Let every fault be over; two months later nothing may be open any more."""
        self.gateway.healed = True
        self.start()
        for subscription in self.billing.subscriptions.list(limit=1000):
            if subscription.status != "ended":
                self.billing.subscriptions.cancel(subscription.id, when="now", settlement="none")
        for _ in range(60):
            self.clock.now += timedelta(days=1)
            self.gateway.customers_act()
            self.billing.run()
        self.judge()
        self.judge_the_end()

    def later(self) -> None:
        """Let time pass while nobody works."""
        names = [name for name, _, _ in JUMPS]
        (name,) = self.random.choices(names, [weight for _, _, weight in JUMPS])
        self.happened[name] += 1
        self.clock.now += next(jump for each, jump, _ in JUMPS if each == name)

    def dies_sometimes(self, do: Callable[[], None]) -> None:
        """Do something in a process that may die, and start another then."""
        doomed = self.random.random() < 0.3
        self.points.crash_at = self.points.passed + self.random.randrange(12) if doomed else None
        try:
            do()
        except Crash as crash:
            self.happened[CRASHES["caller" in str(crash)]] += 1
            self.start()
        except (DomainError, Conflict):
            self.happened["refused"] += 1
        self.points.crash_at = None

    def work(self) -> None:
        """Let the worker come by."""
        self.billing.run()

    def post(self) -> None:
        """Let the post bring messages: late, twice, in any order, or not at all."""
        brought = self.gateway.post(self.read)
        self.read = len(self.gateway.messages)
        for raw in brought:
            self.billing.webhooks.receive("card", raw, {})

    def pay(self) -> None:
        """Let the host try to collect what is open."""
        for invoice in self.billing.invoices.list(limit=1000):
            if invoice.status.value == "open":
                self.billing.invoices.pay(invoice.id)

    def transfer(self) -> None:
        """Let a customer pay by transfer what is perhaps just being charged."""
        for invoice in self.billing.invoices.list(limit=1000):
            if invoice.status.value == "open":
                due = invoice.amount_due
                self.billing.payments.record(invoice.customer, due, invoice=invoice.id)
                self.happened["paid by transfer"] += 1
                return

    def new_card(self) -> None:
        """Let a customer come with another card."""
        for customer in self.billing.customers.list(limit=1000):
            token = f"tok_{self.random.randrange(10**6)}"
            self.billing.payment_methods.attach(customer.id, token, default=True)

    # ---- judging by the gateway's ledger ----------------------------------------------------

    def watch(self, intent: ChargeIntent) -> None:
        """Judge a call as it is made: the intent is committed, and it is what it always was."""
        stored = self.storage.load(TENANT, PAYMENT, [intent.attempt_id]).get(intent.attempt_id)
        if stored is None or stored.amount != intent.amount:
            self.findings.append(f"{intent.attempt_id} was sent before it was committed")
        if self._sent.setdefault(intent.attempt_id, intent) != intent:
            self.findings.append(f"{intent.attempt_id} was sent with other facts")

    def judge(self) -> None:
        """Find who was charged twice or too much, whatever our own books say."""
        found = self.billing.invoices.list(limit=1000)
        totals: dict[str, int] = {each.id: each.total_minor for each in found}
        invoices, attempts = Counter[str](), Counter[str]()
        for entry in self.gateway.ledger:
            if entry.outcome is Outcome.SUCCEEDED:
                invoices[entry.invoice] += entry.intent.amount.minor
                attempts[entry.intent.attempt_id] += 1
        self.findings += [
            f"{id}: {taken} taken of {totals[id]}"
            for id, taken in invoices.items()
            if taken > totals[id]
        ]
        self.findings += [f"{id} took money twice" for id, times in attempts.items() if times > 1]
        if self.gateway.forgotten:
            self.findings.append("a key was sent that the gateway had forgotten")

    def judge_the_end(self) -> None:
        """Find what is not settled, and where the two books differ."""
        payments = list(self.billing.payments.list(limit=1000))
        taken = {
            entry.intent.attempt_id: entry.intent.amount
            for entry in self.gateway.ledger
            if entry.outcome is Outcome.SUCCEEDED
        }
        believed = {
            payment.id: payment.amount
            for payment in payments
            if payment.gateway == "card" and payment.status == "succeeded"
        }
        if taken != believed:
            self.findings.append(f"the gateway took {taken}, we believe {believed}")
        self.findings += [
            f"{payment.id} is {payment.status}, parked: {payment.parked}"
            for payment in payments
            if payment.live or payment.parked
        ]
        allocated = Counter[str]()
        for payment in payments:
            parts = sum(part.amount_minor for part in payment.allocations)
            if parts + payment.unallocated.minor != (
                payment.amount_minor if payment.status == "succeeded" else 0
            ):
                self.findings.append(f"{payment.id} lost money")
            for part in payment.allocations:
                allocated[part.invoice] += part.amount_minor
        for invoice in self.billing.invoices.list(limit=1000):
            status, paid = invoice.status.value, allocated[invoice.id]
            once = paid == invoice.total_minor if status == "paid" else paid < invoice.total_minor
            if not once or invoice.collecting is not None:
                self.findings.append(f"{invoice.id} is {status} with {paid} paid")


def lived(seed: int, happened: Counter[str], storage: Storage | None = None) -> World:
    world = World(seed, happened, storage or MemoryStorage())
    world.live(STEPS)
    world.heal()
    return world


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the thousands of faults out of the log."""
    caplog.set_level(logging.CRITICAL + 1, "subscriptions")


def test_random_gateway_behaviour_never_leads_to_a_second_charge() -> None:
    happened = Counter[str]()
    for seed in range(SEEDS):
        world = lived(seed, happened)
        assert world.findings == [], f"seed {seed}: {world.findings[:3]}"
    # Each fault has really happened, and often; else this proves nothing.
    expected = {*ALL_FAULTS, *CRASHES, "paid by transfer", *(name for name, _, _ in JUMPS)}
    assert {word: happened[word] for word in expected if happened[word] < SEEDS // 4} == {}


def test_it_never_does_on_a_database_either(tmp_path: Path) -> None:
    for seed in range(SEEDS_ON_SQLITE):
        in_memory, on_disk = Counter[str](), Counter[str]()
        storage = SqlStorage(f"sqlite:///{tmp_path / f'{seed}.db'}")
        assert lived(seed, on_disk, storage).findings == []
        storage.close()
        # The story is the same one, step by step.
        assert lived(seed, in_memory).findings == []
        assert in_memory == on_disk


# ---- planted defects: each must be seen by the ledger -------------------------------------------

Plant = Callable[[pytest.MonkeyPatch], None]


def _always(*_: object, **__: object) -> bool:
    return True


def _never(*_: object, **__: object) -> bool:
    return False


def _a_new_key_for_each_call(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def fresh(*_: str) -> str:
        return f"key-{next(numbers)}"

    patch.setattr("subscriptions.payments.deciding.gateway_key", fresh)


def _silence_taken_for_a_decline(patch: pytest.MonkeyPatch) -> None:
    right = deciding.merge

    def wrong(payment: Payment, snapshot: PaymentSnapshot, *, at: datetime) -> Change | None:
        if snapshot.outcome is Outcome.UNKNOWN:
            declined = Outcome.DECLINED_SOFT
            snapshot = evolve(snapshot, outcome=declined, decline=Decline("time_out"))
        return right(payment, snapshot, at=at)

    patch.setattr(deciding, "merge", wrong)


def _keys_sent_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("subscriptions.engine.charging.replayable", _always)
    # A second line of defence asks before it sends what is old; both have to fall.
    patch.setattr("subscriptions.engine.charging.asked_first", _never)


def _any_absence_believed(patch: pytest.MonkeyPatch) -> None:
    def long_ago(*_: object, **__: object) -> datetime:
        return START - WINDOW

    patch.setattr("subscriptions.engine.charging.last_call", long_ago)


@pytest.mark.parametrize(
    "plant",
    [
        _a_new_key_for_each_call,
        _silence_taken_for_a_decline,
        _keys_sent_for_ever,
        _any_absence_believed,
    ],
)
def test_a_planted_defect_is_seen_in_the_ledger(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(PLANTED_SEEDS):
        if lived(seed, Counter()).findings:
            return
    raise AssertionError("no seed has seen the defect")
