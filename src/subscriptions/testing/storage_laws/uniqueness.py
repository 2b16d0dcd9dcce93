"""Laws of unique keys and of number series: enforced by the storage, undone with a rollback."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, created
from subscriptions.errors import Duplicate
from subscriptions.ids import SeriesId
from subscriptions.invoice_numbering import Series, audit
from subscriptions.number_series import NUMBER_SERIES, NumberSeries, advanced
from subscriptions.payments import PAYMENT
from subscriptions.storage import Query, Storage, UnitOfWork
from subscriptions.testing.builders import a_payment
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    AT,
    OTHER,
    TENANT,
    Interrupted,
    added,
    after,
    commit,
    customer,
    edited,
    ids,
    loaded,
    refused,
    retried,
    rows,
    stored_customer,
    stored_payments,
    the_customer,
    together,
    won,
    write,
)

RACERS = 8
THREADS = 4
TURNS = 50
ROLLBACKS = 0.05
OPENING = Series("INV-{counter:05}")


class UniquenessLaws(Laws, kit=True):
    """Unique keys of a kind hold per tenant and are enforced by the storage."""

    def test_a_unique_key_is_taken_once(self, storage: Storage) -> None:
        """Refuse the second record, and all that came with it."""
        stored_customer(storage, external_id="crm-1")
        with refused(Duplicate), storage.begin() as unit:
            write(unit, added(customer("cus_with")))
            write(unit, added(customer("cus_twin", external_id="crm-1")))
        assert ids(storage.find(Query(CUSTOMER, TENANT)).items) == ["cus_ada"]
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1

    def test_a_unique_key_is_taken_once_within_a_unit_of_work(self, storage: Storage) -> None:
        """Refuse two new records with one key."""
        with refused(Duplicate), storage.begin() as unit:
            write(
                unit,
                added(customer("cus_1", external_id="crm-1")),
                added(customer("cus_2", external_id="crm-1")),
            )
        assert not storage.find(Query(CUSTOMER, TENANT)).items

    def test_a_duplicate_names_its_key(self, storage: Storage) -> None:
        """Say which key is taken, so that the host can tell its user."""
        stored_customer(storage, external_id="crm-1")
        with refused(Duplicate) as caught, storage.begin() as unit:
            write(unit, added(customer("cus_twin", external_id="crm-1")))
        error = caught.value
        assert isinstance(error, Duplicate)
        assert "external_id" in error.key

    def test_a_unique_key_may_be_taken_in_two_tenants(self, storage: Storage) -> None:
        """Know nothing of other tenants: one id, one number, one token in both."""
        mine = stored_customer(storage, external_id="crm-1")
        theirs = stored_customer(storage, tenant=OTHER, external_id="crm-1", name="Grace")
        assert the_customer(storage) == mine
        assert the_customer(storage, tenant=OTHER) == theirs

    def test_a_unique_key_that_is_none_never_clashes(self, storage: Storage) -> None:
        """Keep any number of records without a value."""
        for n in range(3):
            stored_customer(storage, f"cus_{n}", external_id=None, number=None)
        stored_payments(
            storage, *[a_payment(f"pay_{n}", tenant=TENANT, reference=None) for n in range(3)]
        )
        assert len(rows(storage, Query(CUSTOMER, TENANT))) == 3  # noqa: PLR2004 - all
        assert len(rows(storage, Query(PAYMENT, TENANT))) == 3  # noqa: PLR2004 - all

    def test_a_unique_key_of_two_columns_clashes_only_in_both(self, storage: Storage) -> None:
        """Let one reference exist at two gateways, and once at each."""
        first = a_payment("pay_1", tenant=TENANT, gateway="card", reference="ch-1")
        second = a_payment("pay_2", tenant=TENANT, gateway="transfer", reference="ch-1")
        stored_payments(storage, first, second)
        twin = a_payment("pay_3", tenant=TENANT, gateway="card", reference="ch-1")
        with refused(Duplicate), storage.begin() as unit:
            write(unit, created(PAYMENT, twin))
        assert ids(rows(storage, Query(PAYMENT, TENANT))) == ["pay_1", "pay_2"]

    def test_a_change_keeps_its_own_unique_key(self, storage: Storage) -> None:
        """Find no clash of a record with itself."""
        ada = stored_customer(storage, external_id="crm-1")
        commit(storage, edited(ada, name="Grace"))
        assert the_customer(storage).external_id == "crm-1"

    def test_a_change_cannot_take_the_key_of_another(self, storage: Storage) -> None:
        """Refuse an update as an insert is refused."""
        stored_customer(storage, external_id="crm-1")
        other = stored_customer(storage, "cus_other")
        with refused(Duplicate), storage.begin() as unit:
            write(unit, edited(other, external_id="crm-1"))
        assert the_customer(storage, "cus_other") == other

    def test_a_unique_key_that_was_given_up_may_be_taken(self, storage: Storage) -> None:
        """Free the key of a record that has another one now."""
        ada = stored_customer(storage, external_id="crm-1")
        commit(storage, edited(ada, external_id="crm-2"))
        stored_customer(storage, "cus_next", external_id="crm-1")
        with refused(Duplicate), storage.begin() as unit:
            write(unit, added(customer("cus_twin", external_id="crm-2")))

    def test_unique_keys_tell_case_and_accents_apart(self, storage: Storage) -> None:
        """Compare texts by their characters, not as a reader would."""
        texts = ["straße", "strasse", "STRASSE", "e\u0301", "\u00e9", "e", "crm-1", "crm-1 "]
        for place, text in enumerate(texts):
            stored_customer(storage, f"cus_{place}", external_id=text)
        for text in texts:
            found = storage.find(Query(CUSTOMER, TENANT, where={"external_id": [text]}))
            assert [each.external_id for each in found] == [text]

    def test_of_8_that_insert_one_key_one_wins(self, storage: Storage) -> None:
        """Let one of them write, and refuse the others."""

        def insert(racer: int) -> Callable[[], bool]:
            new = customer(f"cus_{racer}", external_id="crm-1")
            return lambda: won(lambda: commit(storage, added(new)))

        wins = together([insert(racer) for racer in range(RACERS)])
        assert wins.count(True) == 1
        assert ids(rows(storage, Query(CUSTOMER, TENANT))) == [f"cus_{wins.index(True)}"]
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1


class NumberSeriesLaws(Laws, kit=True):
    """A number is taken in the transaction that uses it, and given back with its rollback."""

    def test_a_series_that_is_not_there_yet_can_be_locked(self, storage: Storage) -> None:
        """Lock the series of the first number ever."""
        with storage.begin() as unit:
            unit.lock(TENANT, ["seller/invoice/first"])
            assert not unit.load(TENANT, NUMBER_SERIES, ["seller/invoice/first"])

    def test_a_rollback_gives_the_number_back(self, storage: Storage) -> None:
        """Give the number of what was rolled back to the next document."""
        with storage.begin() as unit:
            assert _number_next(unit, "cus_1") == "INV-00001"

        def fail() -> None:
            with storage.begin() as unit:
                assert _number_next(unit, "cus_2") == "INV-00002"
                raise Interrupted

        with pytest.raises(Interrupted):
            fail()
        with storage.begin() as unit:
            assert _number_next(unit, "cus_3") == "INV-00002"
        stands = loaded(storage, NUMBER_SERIES, "seller")
        assert stands is not None
        assert stands.series.last_counter == stands.version == 2  # noqa: PLR2004 - two numbers

    def test_a_rollback_of_the_first_number_leaves_no_series(self, storage: Storage) -> None:
        """Begin the series again after the first number was given back."""
        unit = storage.begin()
        _number_next(unit, "cus_1")
        unit.rollback()
        assert loaded(storage, NUMBER_SERIES, "seller") is None
        with storage.begin() as unit:
            assert _number_next(unit, "cus_1") == "INV-00001"

    def test_series_are_counted_apart(self, storage: Storage) -> None:
        """Lock several series of two tenants at once, and count each by itself."""
        with storage.begin() as unit:
            unit.lock(TENANT, ["a", "b"])
            changes = [_taken(None, id)[1] for id in ("a", "b")]
            write(unit, *changes)
        with storage.begin() as unit:
            unit.lock(TENANT, ["a"])
            before = unit.load(TENANT, NUMBER_SERIES, ["a"])["a"]
            number, change = _taken(before, "a")
            write(unit, change)
        assert number == "INV-00002"
        assert loaded(storage, NUMBER_SERIES, "b") == after(changes[1], NUMBER_SERIES)
        assert loaded(storage, NUMBER_SERIES, "a", tenant=OTHER) is None

    def test_numbers_have_no_gap_and_no_double_under_4_threads(self, storage: Storage) -> None:
        """Take numbers from 4 threads, of which one in twenty is rolled back."""

        def take_many(thread: int) -> Callable[[], int]:
            random = Random(thread)  # noqa: S311 - it chooses what is rolled back

            def take(turn: int, *, fail: bool) -> None:
                with storage.begin() as unit:
                    _number_next(unit, f"cus_{thread}_{turn}")
                    if fail:
                        raise Interrupted

            def run() -> int:
                taken = 0
                for turn in range(TURNS):
                    fail = random.random() < ROLLBACKS
                    try:
                        retried(partial(take, turn, fail=fail))
                        taken += 1
                    except Interrupted:
                        continue
                return taken

            return run

        taken = sum(together([take_many(thread) for thread in range(THREADS)]))
        stands = loaded(storage, NUMBER_SERIES, "seller")
        assert stands is not None
        assert stands.series.last_counter == stands.version == taken
        numbers = [each.number or "" for each in rows(storage, Query(CUSTOMER, TENANT))]
        assert len(numbers) == taken
        assert audit(stands.series, sorted(numbers)) == ()


def _taken(before: NumberSeries | None, id: str) -> tuple[str, Change]:
    """Return the next number of a series, and the change that takes it."""
    series = OPENING if before is None else before.series
    number, rest = series.next(on=AT.date())
    stands = advanced(before, id=SeriesId(id), tenant=TENANT, series=rest, last_hash="", last_at=AT)
    return number, Change(NUMBER_SERIES, before, stands)


def _number_next(unit: UnitOfWork, id: str) -> str:
    """Give a new customer the next number, as the engine numbers documents."""
    unit.lock(TENANT, ["seller"])
    before = unit.load(TENANT, NUMBER_SERIES, ["seller"]).get("seller")
    number, change = _taken(before, "seller")
    write(unit, change, added(customer(id, number=number)))
    return number
