"""One key for a command of many transactions: the same again says the same and does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from subscriptions import (
    Address,
    AsyncBilling,
    Billing,
    Conflict,
    MemoryStorage,
    OneOff,
    PerUnit,
    SqlStorage,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.engine import commit
from subscriptions.errors import IdempotencyMismatch
from subscriptions.events import KINDS
from subscriptions.gateways.fake import FakeGateway
from subscriptions.idempotency import COMMAND
from subscriptions.records import Record
from subscriptions.statements import StatementLine
from subscriptions.storage import Query, Storage
from subscriptions.testing import TestClock, counting_ids
from subscriptions.usage import Usage
from tests.scenarios.shop import MONTHLY, eur

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
KEY = "file-7"
HEAD = "external_id,name,country,gateway,payment_token\n"

Shop: TypeAlias = tuple[Billing, str]
Call: TypeAlias = Callable[[Shop, str | None], object]


def usage(*quantities: int, **more: Any) -> list[Usage]:  # noqa: ANN401 - its fields
    return [Usage("sub", "calls", f"event-{n}", n, **more) for n in quantities]


def record(shop: Shop, key: str | None, events: list[Usage]) -> object:
    """Record events of the one subscription that there is, read as they come."""
    billing, sub = shop
    given = (Usage(sub, e.meter, e.event_id, e.quantity, properties=e.properties) for e in events)
    return billing.usage.record_many(given, idempotency_key=key)


def book(shop: Shop, key: str | None, text: str, *, gateway: str = "transfer") -> object:
    lines = [StatementLine(date(2027, 1, 30), eur("10.00"), text=text)]
    return shop[0].payments.import_statement(iter(lines), gateway=gateway, idempotency_key=key)


def enroll(shop: Shop, key: str | None, rows: str, *, dry_run: bool = False) -> object:
    return shop[0].customers.import_(HEAD + rows, dry_run=dry_run, idempotency_key=key)


def prune(shop: Shop, key: str | None, days: int) -> object:
    return shop[0].webhooks.prune(older_than=timedelta(days=days), idempotency_key=key)


# What is asked first, what is the same in another form, and what is something else.
COMMANDS: dict[str, tuple[Call, Call, list[Call]]] = {
    "usage.record_many": (
        lambda s, key: record(s, key, usage(3, 4, -5, properties={"a": "1", "b": "2"})),
        lambda s, key: record(s, key, usage(3, 4, -5, properties={"b": "2", "a": "1"})),
        [
            lambda s, key: record(s, key, []),
            lambda s, key: record(s, key, usage(3, 4)),
            lambda s, key: record(s, key, usage(3, 4, 6)),
            lambda s, key: record(s, key, usage(4, 3, -5, properties={"a": "1", "b": "2"})),
            lambda s, key: record(s, key, usage(3, 4, -5, properties={"a": "1", "b": "3"})),
            lambda s, key: s[0].usage.record_many(
                ["no event"],  # type: ignore[list-item]  # a mistake
                idempotency_key=key,
            ),
        ],
    ),
    "payments.import_statement": (
        lambda s, key: book(s, key, "INV-2027-00001"),
        lambda s, key: s[0].payments.import_statement(
            "booked_on,amount,text\n2027-01-30,10.00,INV-2027-00001\n", idempotency_key=key
        ),
        [
            lambda s, key: book(s, key, "INV-2027-00002"),
            lambda s, key: book(s, key, "INV-2027-00001", gateway="card"),
            lambda s, key: s[0].payments.import_statement([], idempotency_key=key),
        ],
    ),
    "customers.import_": (
        lambda s, key: enroll(s, key, "c1,Mary,DE,card,tok_visa\nc2,,DE,,\n"),
        lambda s, key: s[0].customers.import_(
            f"{HEAD}c1,Mary,DE,card,tok_visa\nc2,,DE,,\n".encode(), idempotency_key=key
        ),
        [
            lambda s, key: enroll(s, key, "c1,Mary,DE,card,tok_mastercard\nc2,,DE,,\n"),
            lambda s, key: enroll(s, key, "c1,Mary,DE,card,tok_visa\n"),
            lambda s, key: enroll(s, key, "c3,Joan,DE,,\n"),
        ],
    ),
    "webhooks.prune": (
        lambda s, key: prune(s, key, 30),
        lambda s, key: s[0].webhooks.prune(older_than=timedelta(hours=720), idempotency_key=key),
        [lambda s, key: prune(s, key, 29)],
    ),
}
OTHERS = [
    (name, place) for name, (_, _, others) in COMMANDS.items() for place in range(len(others))
]


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    made = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield made
    made.close()


@pytest.fixture
def shop(storage: Storage) -> Shop:
    """A billing with a subscription by usage, an open invoice, and a message that is over."""
    clock = TestClock(NOW - timedelta(days=60))
    gateway = FakeGateway(clock=clock)
    billing = Billing(
        storage=storage,
        clock=clock,
        gateways={"card": gateway},
        webhook_secrets={"card": [gateway.webhook_secret]},
    )
    ada = billing.customers.create(name="Ada", country="DE")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    gateway.time_out_next(executed=True)
    billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    (message,) = gateway.webhooks()
    assert billing.webhooks.receive("card", message.raw, message.headers).status == "processed"
    clock.now = NOW
    billing.usage.add_meter("calls")
    price = billing.catalog.add_price(
        "Calls", PerUnit("0.10"), currency="EUR", every=MONTHLY, meter="calls"
    )
    sub = billing.subscriptions.create(ada.id, [price.id], start=NOW.date())
    grace = billing.customers.create(name="Grace", country="DE")
    billing.invoices.create_one_off(grace.id, [OneOff("Work", eur("10.00"))])
    return billing, sub.id


def books(billing: Billing) -> list[Record]:
    """Return all that is stored."""
    engine = billing.engine
    found: list[Record] = []
    for kind in KINDS:
        found += engine.storage.find(Query(kind, engine.tenant)).items
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_request_with_its_key_says_the_same_and_does_nothing(
    shop: Shop, name: str
) -> None:
    first, alike, _ = COMMANDS[name]
    report = first(shop, KEY)
    before = books(shop[0])
    assert first(shop, KEY) == report
    assert alike(shop, KEY) == report
    assert books(shop[0]) == before
    # The key counts, and not what is known anyway.
    first(shop, "another")
    assert len(books(shop[0])) == len(before) + 1


@pytest.mark.parametrize(("name", "place"), OTHERS)
def test_another_request_with_the_key_is_refused_and_changes_nothing(
    shop: Shop, name: str, place: int
) -> None:
    first, _, others = COMMANDS[name]
    first(shop, KEY)
    before = books(shop[0])
    with pytest.raises(IdempotencyMismatch) as refused:
        others[place](shop, KEY)
    assert (refused.value.key, refused.value.command) == (KEY, name)
    assert books(shop[0]) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_key_of_one_command_is_none_of_another(shop: Shop, name: str) -> None:
    shop[0].customers.create(name="Joan", idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch):
        COMMANDS[name][0](shop, KEY)
    COMMANDS[name][0](shop, "other")
    with pytest.raises(IdempotencyMismatch):
        shop[0].customers.create(name="Joan", idempotency_key="other")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("key", ["", 7])
def test_a_key_is_a_text(shop: Shop, name: str, key: Any) -> None:  # noqa: ANN401 - a mistake
    before = books(shop[0])
    with pytest.raises(ValidationError, match="idempotency_key"):
        COMMANDS[name][0](shop, key)
    assert books(shop[0]) == before


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"webhooks.prune"}))
def test_a_key_is_lost_with_the_transaction_that_it_came_in(shop: Shop, name: str) -> None:
    before = books(shop[0])
    first = COMMANDS[name][0]
    with suppress(ZeroDivisionError), shop[0].transaction():
        first(shop, KEY)
        _ = 1 / 0
    assert books(shop[0]) == before
    with shop[0].transaction():
        report = first(shop, KEY)
        assert first(shop, KEY) == report
    assert first(shop, KEY) == report


def test_what_broke_off_is_not_known_and_goes_on(shop: Shop) -> None:
    billing, sub = shop

    def stream(*, breaks: bool) -> Iterator[Usage]:
        for count in range(1500):
            yield Usage(sub, "calls", f"event-{count}", 1)
            if breaks and count == 1200:
                raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        billing.usage.record_many(stream(breaks=True), idempotency_key=KEY)
    report = billing.usage.record_many(stream(breaks=False), idempotency_key=KEY)
    assert (report.rows, report.recorded, report.known) == (1500, 500, 1000)
    assert billing.usage.record_many(stream(breaks=False), idempotency_key=KEY) == report
    assert billing.usage.summary(sub)[0].quantity == Decimal(1500)


def test_a_dry_run_neither_uses_up_a_key_nor_is_answered_by_it(shop: Shop) -> None:
    rows = "c1,Mary,DE,card,tok_visa\n"
    assert enroll(shop, KEY, rows, dry_run=True) == enroll(shop, None, rows, dry_run=True)
    done = enroll(shop, KEY, rows)
    assert enroll(shop, KEY, rows) == done
    again = shop[0].customers.import_(HEAD + rows, dry_run=True, idempotency_key=KEY)
    assert (again.created, again.unchanged, again.dry_run) == (0, 1, True)


def test_who_was_faster_with_the_same_key_is_believed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = commit.within
    raced: list[object] = []

    def slower(storage: Storage, body: Any) -> Any:  # noqa: ANN401 - passed on
        if body.__qualname__.startswith("remember.") and not raced:
            raced.append(None)
            raced[0] = prune(shop, KEY, 30)
            raise Conflict(COMMAND.name, "cmd", 0)
        return within(storage, body)

    monkeypatch.setattr(commit, "within", slower)
    assert prune(shop, KEY, 30) == raced[0]
    assert prune(shop, KEY, 30) == raced[0]


def test_a_parked_record_is_released_once_by_one_key(storage: Storage) -> None:
    billing = Billing(
        storage=storage,
        clock=lambda: NOW,
        taxes=TaxRates({"DE": TaxRate("19")}),
        ids=counting_ids(),
    )
    price = billing.catalog.add_price("Pro", eur("10.00"), every=MONTHLY)
    ada = billing.customers.create(name="Ada", country="FR")
    first, other = [
        billing.subscriptions.create(ada.id, [price.id], start=date(2027, 2, 1)) for _ in range(2)
    ]
    with pytest.raises(ValidationError, match="parked"):
        billing.unpark("subscription", first.id, idempotency_key=KEY)
    assert len(billing.run(until=date(2027, 2, 1)).parked) == 2
    billing.customers.update(ada.id, address=Address(country="DE"))
    assert billing.unpark("subscription", first.id, idempotency_key=KEY).status == "active"
    before = books(billing)
    with pytest.raises(IdempotencyMismatch):
        billing.unpark("subscription", other.id, idempotency_key=KEY)
    # Nor does it do what fell due since: that is for a run, which looks how much it is.
    later = datetime(2027, 6, 1, tzinfo=UTC)
    again = billing.unpark("subscription", first.id, at=later, idempotency_key=KEY)
    assert again.status == "active"
    assert books(billing) == before
    billing.customers.update(ada.id, address=Address(country="FR"))
    assert [each.id for each in billing.run(until=date(2027, 3, 1)).parked] == [first.id]
    billing.customers.update(ada.id, address=Address(country="DE"))
    before = books(billing)
    assert billing.unpark("subscription", first.id, idempotency_key=KEY).parked
    assert books(billing) == before


def test_with_await_a_key_does_the_same() -> None:
    async def story() -> None:
        billing = AsyncBilling(clock=lambda: NOW)
        rows = f"{HEAD}c1,Mary,DE,,\n"
        report = await billing.customers.import_(rows, idempotency_key=KEY)
        assert report.created == 1
        assert await billing.customers.import_(rows, idempotency_key=KEY) == report
        with pytest.raises(IdempotencyMismatch):
            await billing.payments.import_statement([], idempotency_key=KEY)
        with pytest.raises(IdempotencyMismatch):
            await billing.usage.record_many([], idempotency_key=KEY)
        with pytest.raises(IdempotencyMismatch):
            await billing.webhooks.prune(older_than=timedelta(days=30), idempotency_key=KEY)
        with pytest.raises(IdempotencyMismatch):
            await billing.unpark("customer", "cus", idempotency_key=KEY)

    asyncio.run(story())
