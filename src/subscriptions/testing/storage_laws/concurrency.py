"""Laws of optimistic concurrency: no lost update, and one winner of every race."""

from __future__ import annotations

from collections.abc import Callable

from subscriptions.catalog import PRODUCT, add_product
from subscriptions.customers import CUSTOMER
from subscriptions.errors import Conflict
from subscriptions.records import Metadata
from subscriptions.storage import Storage
from subscriptions.testing.builders import a_product
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    TENANT,
    added,
    after,
    background,
    commit,
    customer,
    edited,
    finished,
    loaded,
    refused,
    result,
    retried,
    stored_customer,
    the_customer,
    together,
    won,
    write,
)

UPDATES = 200
RACERS = 8


class ConcurrencyLaws(Laws, kit=True):
    """A change is written only if the record is at the version that it started from."""

    def test_a_stale_change_is_a_conflict_and_writes_nothing(self, storage: Storage) -> None:
        """Refuse the second of two changes that started from one version."""
        ada = stored_customer(storage)
        commit(storage, edited(ada, name="Grace"))
        with refused(Conflict), storage.begin() as unit:
            write(unit, edited(ada, name="stale"))
        assert the_customer(storage).name == "Grace"
        names = [e.sequence for e in storage.undelivered(TENANT, "laws", 10).events]
        assert names == [1, 2]

    def test_a_change_of_a_record_from_the_future_is_a_conflict(self, storage: Storage) -> None:
        """Refuse a change that starts from a version that is not stored yet."""
        ada = stored_customer(storage)
        ahead = after(edited(ada, name="not stored"), CUSTOMER)
        with refused(Conflict), storage.begin() as unit:
            write(unit, edited(ahead, name="Grace"))
        assert the_customer(storage) == ada

    def test_a_change_of_a_record_that_is_not_there_is_a_conflict(self, storage: Storage) -> None:
        """Refuse to change what does not exist."""
        with refused(Conflict), storage.begin() as unit:
            write(unit, edited(customer("cus_ada"), name="Grace"))
        assert loaded(storage, CUSTOMER, "cus_ada") is None

    def test_an_id_can_be_new_once(self, storage: Storage) -> None:
        """Refuse a second new record of one id, in the same unit of work and in a later one."""
        ada = stored_customer(storage)
        other_keys = {"token": "another", "number": "another"}
        again = customer("cus_ada", **other_keys)
        with refused(Conflict), storage.begin() as unit:
            write(unit, added(again))
        with refused(Conflict), storage.begin() as unit:
            write(unit, added(customer("cus_new")))
            write(unit, added(customer("cus_new", **other_keys)))
        assert the_customer(storage) == ada
        assert loaded(storage, CUSTOMER, "cus_new") is None

    def test_a_conflict_tells_which_record(self, storage: Storage) -> None:
        """Carry kind, id and the version that was expected."""
        ada = stored_customer(storage)
        commit(storage, edited(ada, name="Grace"))
        with refused(Conflict) as caught, storage.begin() as unit:
            write(unit, edited(ada, name="stale"))
        error = caught.value
        assert isinstance(error, Conflict)
        assert (error.kind, error.id, error.expected) == ("customer", "cus_ada", 1)

    def test_the_storage_works_on_after_a_conflict(self, storage: Storage) -> None:
        """Reload and retry."""
        ada = stored_customer(storage)
        commit(storage, edited(ada, name="Grace"))
        for _ in range(3):
            with refused(Conflict), storage.begin() as unit:
                write(unit, edited(ada, name="stale"))
        commit(storage, edited(the_customer(storage), name="Barbara"))
        assert the_customer(storage).name == "Barbara"

    def test_two_threads_of_200_updates_each_make_400(self, storage: Storage) -> None:
        """Lose no update: read, add one, write, and try again on a conflict."""
        stored_customer(storage, metadata=Metadata({"count": "0"}))

        def count() -> None:
            with storage.begin() as unit:
                current = unit.load(TENANT, CUSTOMER, ["cus_ada"])["cus_ada"]
                more = Metadata({"count": str(int(current.metadata["count"]) + 1)})
                write(unit, edited(current, metadata=more))

        def count_on() -> None:
            for _ in range(UPDATES):
                retried(count)

        together([count_on, count_on])
        final = the_customer(storage)
        assert (final.metadata["count"], final.version) == ("400", 401)

    def test_of_8_that_insert_one_id_one_wins(self, storage: Storage) -> None:
        """Let one of them write, and refuse the others."""

        def insert(racer: int) -> Callable[[], bool]:
            new = customer("cus_ada", token=f"token-{racer}", number=f"{racer}")
            return lambda: won(lambda: commit(storage, added(new)))

        wins = together([insert(racer) for racer in range(RACERS)])
        assert wins.count(True) == 1
        assert the_customer(storage).token == f"token-{wins.index(True)}"
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1

    def test_the_version_of_a_parent_guards_what_its_children_add_up_to(
        self, storage: Storage
    ) -> None:
        """Refuse one of two refunds of 60 that each see that 100 are left."""
        parent = stored_customer(storage, metadata=Metadata({"left": "100"}))

        def refund(id: str) -> bool:
            with storage.begin() as unit:
                current = unit.load(TENANT, CUSTOMER, [parent.id])[parent.id]
                left = int(current.metadata["left"])
                if left < 60:  # noqa: PLR2004 - the refund
                    return False
                write(unit, edited(current, metadata=Metadata({"left": str(left - 60)})))
                write(unit, added(customer(id)))
            return True

        def refund_one(id: str) -> Callable[[], bool]:
            return lambda: retried(lambda: refund(id))

        for turn in range(10):
            done = together([refund_one(f"a_{turn}"), refund_one(f"b_{turn}")])
            assert done.count(True) == 1
            children = storage.load(TENANT, CUSTOMER, [f"a_{turn}", f"b_{turn}"])
            assert len(children) == 1
            reset = edited(the_customer(storage), metadata=Metadata({"left": "100"}))
            commit(storage, reset)

    def test_of_two_overlapping_changes_of_a_record_one_wins(self, storage: Storage) -> None:
        """Refuse the change of a unit of work that read before another one committed."""
        ada = stored_customer(storage)
        unit = storage.begin()
        mine = unit.load(TENANT, CUSTOMER, [ada.id])[ada.id]

        def change_it() -> bool:
            return won(lambda: commit(storage, edited(ada, name="theirs")))

        other = background(change_it)
        finished(other)

        def write_mine() -> None:
            try:
                write(unit, edited(mine, name="mine"))
                unit.commit()
            finally:
                unit.rollback()

        wins = [won(write_mine), result(other)]
        assert wins.count(True) == 1
        assert the_customer(storage).name == ("mine" if wins[0] else "theirs")

    def test_records_of_two_kinds_may_have_one_id(self, storage: Storage) -> None:
        """Keep both, with the events of both."""
        commit(storage, added(customer("pro")))
        commit(storage, add_product(a_product("pro", tenant=TENANT)))
        assert loaded(storage, CUSTOMER, "pro") is not None
        assert loaded(storage, PRODUCT, "pro") is not None
        delivered = storage.undelivered(TENANT, "laws", 10).events
        assert [(e.kind, e.subject, e.sequence) for e in delivered] == [
            ("customer", "pro", 1),
            ("product", "pro", 1),
        ]
