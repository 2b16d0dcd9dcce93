"""Laws of the outbox: an event is committed with its change, and no consumer misses one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from subscriptions.customers import CUSTOMER
from subscriptions.events import EVENT, Recorded
from subscriptions.storage import Query, Storage
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    OTHER,
    TENANT,
    added,
    after,
    background,
    commit,
    customer,
    drain,
    edited,
    events_of,
    finished,
    result,
    retried,
    rows,
    stored_customer,
    together,
    write,
)

WRITERS = 4
TURNS = 25


class OutboxLaws(Laws, kit=True):
    """Events are committed with the changes that made them, and each consumer gets all."""

    def test_events_come_in_the_order_of_their_commits(self, storage: Storage) -> None:
        """Deliver all events of a commit, in their order, before those of the next."""
        first = [added(customer("cus_b")), added(customer("cus_a"))]
        commit(storage, *first)
        second = [edited(after(first[1], CUSTOMER), name="Grace"), added(customer("cus_0"))]
        commit(storage, *second)
        delivered = storage.undelivered(TENANT, "laws", 10).events
        assert list(delivered) == events_of([*first, *second])

    def test_an_event_is_there_exactly_if_its_change_is(self, storage: Storage) -> None:
        """Number the events of each record from 1 to its version, under four writers."""
        for n in range(WRITERS):
            stored_customer(storage, f"cus_{n}")

        def edit_all(writer: int) -> Callable[[], None]:
            def edit(turn: int) -> None:
                id = f"cus_{(writer + turn) % WRITERS}"
                with storage.begin() as unit:
                    current = unit.load(TENANT, CUSTOMER, [id])[id]
                    write(unit, edited(current, name=f"{writer} {turn}"))

            def run() -> None:
                for turn in range(TURNS):
                    retried(partial(edit, turn))

            return run

        together([edit_all(writer) for writer in range(WRITERS)])
        delivered = drain(storage, "laws")
        for record in rows(storage, Query(CUSTOMER, TENANT)):
            sequences = [e.sequence for e in delivered if e.subject == record.id]
            assert sequences == list(range(1, record.version + 1))
        assert len(delivered) == WRITERS + WRITERS * TURNS

    def test_a_late_committer_is_not_skipped(self, storage: Storage) -> None:
        """Deliver what began first and was committed last, although the later was drained before.

        A storage with one writer at a time lets the other wait, and keeps the law by that.
        """
        late = storage.begin()
        write(late, added(customer("cus_late")))
        early = background(lambda: stored_customer(storage, "cus_early"))
        finished(early)
        draining = background(lambda: drain(storage, "laws"))
        finished(draining)
        late.commit()
        result(early)
        seen = [*result(draining), *drain(storage, "laws")]
        assert {event.subject for event in seen} == {"cus_late", "cus_early"}

    def test_no_event_is_lost_while_a_consumer_drains(self, storage: Storage) -> None:
        """Drain while four writers commit, and then the rest."""

        def add_many(writer: int) -> Callable[[], None]:
            def run() -> None:
                for turn in range(TURNS):
                    new = customer(f"cus_{writer}_{turn}")
                    retried(partial(commit, storage, added(new)))

            return run

        writing = background(lambda: together([add_many(writer) for writer in range(WRITERS)]))
        seen: list[Recorded] = []
        while not writing.done():
            seen += drain(storage, "laws")
        result(writing)
        seen += drain(storage, "laws")
        assert len(seen) == WRITERS * TURNS
        assert {e.subject for e in seen} == {
            f"cus_{writer}_{turn}" for writer in range(WRITERS) for turn in range(TURNS)
        }

    def test_a_new_consumer_begins_with_the_first_event(self, storage: Storage) -> None:
        """Deliver all that ever happened to one who was never seen."""
        ada = stored_customer(storage)
        drain(storage, "old")
        commit(storage, edited(ada, name="Grace"))
        assert [e.sequence for e in drain(storage, "new")] == [1, 2]

    def test_consumers_are_independent(self, storage: Storage) -> None:
        """Take nothing from one consumer because another has it."""
        stored_customer(storage)
        assert len(drain(storage, "one")) == 1
        assert len(storage.undelivered(TENANT, "two", 10).events) == 1
        assert len(drain(storage, "two")) == 1
        assert not storage.undelivered(TENANT, "one", 10).events

    def test_events_come_again_until_they_are_acknowledged(self, storage: Storage) -> None:
        """Deliver the same events in the same order after a crash of the consumer."""
        commit(storage, *[added(customer(f"cus_{n}")) for n in range(3)])
        first = storage.undelivered(TENANT, "laws", 2)
        assert storage.undelivered(TENANT, "laws", 2) == first
        storage.acknowledge(TENANT, "laws", first.position)
        rest = storage.undelivered(TENANT, "laws", 2).events
        assert [e.subject for e in (*first.events, *rest)] == ["cus_0", "cus_1", "cus_2"]

    def test_an_acknowledged_event_does_not_come_again(self, storage: Storage) -> None:
        """Deliver nothing when all was acknowledged, and then only what is new."""
        ada = stored_customer(storage)
        assert len(drain(storage, "laws")) == 1
        assert not storage.undelivered(TENANT, "laws", 10).events
        commit(storage, edited(ada, name="Grace"))
        assert [e.sequence for e in storage.undelivered(TENANT, "laws", 10).events] == [2]

    def test_an_acknowledgement_covers_its_delivery_and_no_more(self, storage: Storage) -> None:
        """Keep for later what was committed after the delivery."""
        stored_customer(storage, "cus_1")
        delivery = storage.undelivered(TENANT, "laws", 10)
        stored_customer(storage, "cus_2")
        storage.acknowledge(TENANT, "laws", delivery.position)
        rest = storage.undelivered(TENANT, "laws", 10).events
        assert [event.subject for event in rest] == ["cus_2"]

    def test_an_acknowledgement_may_come_twice(self, storage: Storage) -> None:
        """Move on once, and never back."""
        stored_customer(storage, "cus_1")
        old = storage.undelivered(TENANT, "laws", 10)
        drain(storage, "laws")
        stored_customer(storage, "cus_2")
        drain(storage, "laws")
        storage.acknowledge(TENANT, "laws", old.position)
        assert not storage.undelivered(TENANT, "laws", 10).events

    def test_an_empty_delivery_can_be_acknowledged(self, storage: Storage) -> None:
        """Skip nothing by acknowledging nothing."""
        empty = storage.undelivered(TENANT, "laws", 10)
        assert empty.events == ()
        stored_customer(storage)
        storage.acknowledge(TENANT, "laws", empty.position)
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1

    def test_a_delivery_has_at_most_as_many_events_as_asked_for(self, storage: Storage) -> None:
        """Deliver the rest with the next one, also in the middle of a commit."""
        commit(storage, *[added(customer(f"cus_{n}")) for n in range(5)])
        sizes: list[int] = []
        while True:
            delivery = storage.undelivered(TENANT, "laws", 2)
            if not delivery.events:
                break
            sizes.append(len(delivery.events))
            storage.acknowledge(TENANT, "laws", delivery.position)
        assert sizes == [2, 2, 1]

    def test_each_tenant_has_its_own_outbox(self, storage: Storage) -> None:
        """Deliver no event of another tenant, and acknowledge none for it."""
        stored_customer(storage)
        stored_customer(storage, tenant=OTHER)
        for tenant in (TENANT, OTHER):
            assert [e.tenant for e in drain(storage, "laws", tenant=tenant)] == [tenant]
        assert not storage.undelivered("third", "laws", 10).events

    def test_events_are_found_like_other_records(self, storage: Storage) -> None:
        """List the events of a record in the order they were committed, delivered or not."""
        ada = stored_customer(storage)
        stored_customer(storage, "cus_other")
        drain(storage, "laws")
        commit(storage, edited(ada, name="Grace"))
        found = storage.find(Query(EVENT, TENANT, where={"subject": [ada.id]}))
        assert [(e.type, e.sequence) for e in found] == [
            ("customer.created", 1),
            ("customer.updated", 2),
        ]
        id = found.items[0].id
        assert storage.load(TENANT, EVENT, [id]) == {id: found.items[0]}
