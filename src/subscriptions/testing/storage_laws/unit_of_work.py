"""Laws of the unit of work: all or nothing, and what others see meanwhile."""

from __future__ import annotations

from contextlib import suppress

import pytest

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import created
from subscriptions.errors import Conflict, Duplicate, StorageError
from subscriptions.events import EVENT
from subscriptions.payments import PAYMENT
from subscriptions.storage import Query, Storage, UnitOfWork
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    AT,
    TENANT,
    Interrupted,
    added,
    after,
    background,
    commit,
    customer,
    due_payment,
    edited,
    events_of,
    finished,
    ids,
    loaded,
    refused,
    result,
    retried,
    stored_customer,
    switching_often,
    the_customer,
    write,
)


class UnitOfWorkLaws(Laws, kit=True):
    """All or nothing; nobody sees half of it."""

    def test_what_was_committed_is_there(self, storage: Storage) -> None:
        """Find records and events of a commit."""
        ada, payment = customer("cus_ada"), due_payment("pay_1", AT)
        commit(storage, added(ada), created(PAYMENT, payment))
        assert the_customer(storage) == ada
        assert loaded(storage, PAYMENT, "pay_1") == payment
        assert list(storage.find(Query(CUSTOMER, TENANT))) == [ada]
        delivered = storage.undelivered(TENANT, "laws", 10).events
        assert list(delivered) == events_of([added(ada)])

    def test_what_was_rolled_back_is_not_there(self, storage: Storage) -> None:
        """Find nothing of what was rolled back: records, events, keys."""
        unit = storage.begin()
        write(unit, added(customer("cus_ada")), created(PAYMENT, due_payment("pay_1", AT)))
        unit.rollback()
        assert loaded(storage, CUSTOMER, "cus_ada") is None
        assert loaded(storage, PAYMENT, "pay_1") is None
        assert not storage.find(Query(CUSTOMER, TENANT)).items
        stored_customer(storage)

    def test_events_vanish_with_a_rollback(self, storage: Storage) -> None:
        """Deliver no event of what was rolled back."""
        unit = storage.begin()
        write(unit, added(customer("cus_ada")))
        unit.rollback()
        assert not storage.undelivered(TENANT, "laws", 10).events
        assert not storage.find(Query(EVENT, TENANT)).items

    def test_an_exception_in_the_block_rolls_back(self, storage: Storage) -> None:
        """Pass on an exception of the host, and keep nothing."""

        def fail() -> None:
            with storage.begin() as unit:
                write(unit, added(customer("cus_ada")))
                raise Interrupted

        with pytest.raises(Interrupted):
            fail()
        assert loaded(storage, CUSTOMER, "cus_ada") is None
        assert not storage.undelivered(TENANT, "laws", 10).events

    def test_a_unit_of_work_without_writes_commits(self, storage: Storage) -> None:
        """Commit nothing."""
        with storage.begin() as unit:
            unit.write([], [])
        storage.begin().commit()
        stored_customer(storage)

    def test_nobody_sees_what_is_not_committed_yet(self, storage: Storage) -> None:
        """Show a reader either nothing, or let him wait for the commit."""
        ada = stored_customer(storage)
        unit = storage.begin()
        write(unit, edited(ada, name="Grace"), added(customer("cus_new")))

        def look() -> tuple[str, list[str], int]:
            found = ids(storage.find(Query(CUSTOMER, TENANT)).items)
            return the_customer(storage).name, found, len(drained())

        def drained() -> tuple[object, ...]:
            return storage.undelivered(TENANT, "laws", 10).events

        reader = background(look)
        if finished(reader):
            assert result(reader) == (ada.name, ["cus_ada"], 1)
        unit.commit()
        result(reader)
        assert look() == ("Grace", ["cus_ada", "cus_new"], 3)

    def test_nobody_sees_half_of_a_unit_of_work(self, storage: Storage) -> None:
        """Load and list records that always change together: they have one version."""
        made = [customer(f"cus_{n:02}") for n in range(40)]
        commit(storage, *[added(each) for each in made])

        def change_all() -> None:
            current = made
            for turn in range(60):
                changes = [edited(each, name=f"turn {turn}") for each in current]
                commit(storage, *changes)
                current = [after(change, CUSTOMER) for change in changes]

        def load_all() -> None:
            while not writer.done():
                seen = storage.load(TENANT, CUSTOMER, ids(made))
                assert len({each.version for each in seen.values()}) == 1

        def list_all() -> None:
            while not writer.done():
                seen = storage.find(Query(CUSTOMER, TENANT))
                assert len({each.version for each in seen}) == 1

        with switching_often():
            writer = background(change_all)
            readers = [background(load_all), background(list_all)]
            for each in (writer, *readers):
                result(each)

    def test_a_unit_of_work_sees_its_own_writes(self, storage: Storage) -> None:
        """Load, find and count what was written and is not committed."""
        ada = stored_customer(storage)
        with storage.begin() as unit:
            write(unit, edited(ada, name="Grace"), added(customer("cus_new", name="Grace")))
            assert unit.load(TENANT, CUSTOMER, ["cus_ada"])["cus_ada"].name == "Grace"
            assert set(unit.load(TENANT, CUSTOMER, ["cus_ada", "cus_new"])) == {
                "cus_ada",
                "cus_new",
            }
            graces = unit.find(
                Query(CUSTOMER, TENANT, where={"name": ["Grace"]}, order_by="name", count=True)
            )
            assert ids(graces.items) == ["cus_ada", "cus_new"]
            assert graces.total == 2  # noqa: PLR2004 - both
            assert not unit.find(Query(CUSTOMER, TENANT, where={"name": [ada.name]})).items

    def test_a_record_may_change_twice_in_a_unit_of_work(self, storage: Storage) -> None:
        """Check the second change against the first."""
        ada = customer("cus_ada")
        with storage.begin() as unit:
            write(unit, added(ada))
            write(unit, edited(unit.load(TENANT, CUSTOMER, ["cus_ada"])["cus_ada"], name="Grace"))
        assert the_customer(storage).name == "Grace"
        assert [e.sequence for e in storage.undelivered(TENANT, "laws", 10).events] == [1, 2]

    def test_a_unit_of_work_sees_one_snapshot_of_what_others_write(self, storage: Storage) -> None:
        """Read twice, and read two records, with a commit of another in between."""
        one, two = stored_customer(storage, "cus_1"), stored_customer(storage, "cus_2")
        unit = storage.begin()
        assert unit.load(TENANT, CUSTOMER, ["cus_1"]) == {"cus_1": one}
        other = background(
            lambda: retried(
                lambda: commit(storage, edited(one, name="Grace"), edited(two, name="Grace"))
            )
        )
        finished(other)
        assert unit.load(TENANT, CUSTOMER, ["cus_1", "cus_2"]) == {"cus_1": one, "cus_2": two}
        assert not unit.find(Query(CUSTOMER, TENANT, where={"name": ["Grace"]})).items
        unit.rollback()
        result(other)
        assert the_customer(storage, "cus_1").name == the_customer(storage, "cus_2").name == "Grace"

    def test_a_failed_write_undoes_the_writes_before_it(self, storage: Storage) -> None:
        """Keep nothing of the unit of work, whichever kind was written first."""
        ada = stored_customer(storage)
        commit(storage, edited(ada, name="Grace"))
        with refused(Conflict), storage.begin() as unit:
            write(unit, created(PAYMENT, due_payment("pay_1", AT)), added(customer("cus_new")))
            write(unit, edited(ada, name="stale"))
        assert loaded(storage, PAYMENT, "pay_1") is None
        assert loaded(storage, CUSTOMER, "cus_new") is None
        assert the_customer(storage).name == "Grace"

    def test_a_unit_of_work_that_failed_can_only_be_rolled_back(self, storage: Storage) -> None:
        """Commit nothing after a refused write, not even if the host swallows the error."""
        ada = stored_customer(storage)
        with suppress(StorageError), storage.begin() as unit:
            write(unit, added(customer("cus_new")))
            with suppress(Conflict, Duplicate):
                write(unit, edited(ada, name="Grace"), added(customer("cus_ada")))
            with suppress(StorageError):
                write(unit, added(customer("cus_late")))
        assert list(storage.find(Query(CUSTOMER, TENANT))) == [ada]
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1

    def test_a_unit_of_work_is_unusable_after_commit(self, storage: Storage) -> None:
        """Refuse reads and writes after the commit."""
        unit = storage.begin()
        write(unit, added(customer("cus_ada")))
        unit.commit()
        _is_unusable(unit)
        assert ids(storage.find(Query(CUSTOMER, TENANT)).items) == ["cus_ada"]

    def test_a_unit_of_work_is_unusable_after_rollback(self, storage: Storage) -> None:
        """Refuse reads and writes after the rollback."""
        unit = storage.begin()
        unit.rollback()
        _is_unusable(unit)
        assert not storage.find(Query(CUSTOMER, TENANT)).items

    def test_a_second_rollback_does_nothing(self, storage: Storage) -> None:
        """Roll back twice; what was committed in between stays."""
        unit = storage.begin()
        write(unit, added(customer("cus_ada")))
        unit.rollback()
        stored_customer(storage)
        unit.rollback()
        the_customer(storage)

    def test_a_block_may_end_its_unit_of_work_itself(self, storage: Storage) -> None:
        """Leave a block quietly that has committed or rolled back."""
        with storage.begin() as unit:
            write(unit, added(customer("cus_ada")))
            unit.commit()
        with storage.begin() as unit:
            write(unit, added(customer("cus_no")))
            unit.rollback()
        assert ids(storage.find(Query(CUSTOMER, TENANT)).items) == ["cus_ada"]

    def test_a_unit_of_work_in_another_is_refused_or_independent(self, storage: Storage) -> None:
        """Never wait for oneself, and never commit the outer with the inner."""

        def nest() -> None:
            outer = storage.begin()
            write(outer, added(customer("cus_outer")))
            try:
                inner = storage.begin()
            except StorageError:
                pass
            else:
                assert not inner.load(TENANT, CUSTOMER, ["cus_outer"])
                inner.rollback()
            outer.commit()

        result(background(nest))
        the_customer(storage, "cus_outer")


def _is_unusable(unit: UnitOfWork) -> None:
    with pytest.raises(StorageError):
        unit.load(TENANT, CUSTOMER, ["cus_ada"])
    with pytest.raises(StorageError):
        unit.find(Query(CUSTOMER, TENANT))
    with pytest.raises(StorageError):
        write(unit, added(customer("cus_late")))
    with pytest.raises(StorageError):
        unit.commit()
