"""The kit finds what is wrong: each storage here breaks one law, and fails on that law.

Each one does what a real adapter did, or could do and still look right in a short test. All are
wrapped around the storage in memory, which keeps every law.
"""

# ruff: noqa: ARG002 - what is broken often ignores what it is given

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, cast
from unicodedata import normalize

import pytest
from attrs import evolve

from subscriptions.decisions import Change
from subscriptions.errors import Duplicate
from subscriptions.events import EVENT, Recorded
from subscriptions.invoices import Invoice
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.records import AnyKind, Kind, Metadata, Record
from subscriptions.serialization import dump, load
from subscriptions.storage import PAGE_LIMIT_MAX, Delivery, Found, Query, Storage, UnitOfWork
from subscriptions.storage.memory import MemoryStorage
from subscriptions.testing import StorageLaws

R = TypeVar("R", bound=Record)
W = TypeVar("W", bound="Wrapped")

BROKEN: list[tuple[str, type[Wrapped]]] = []


class WrappedUnit:
    def __init__(self, storage: Wrapped, inner: UnitOfWork) -> None:
        self.storage, self.inner = storage, inner

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        return self.inner.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        return self.inner.find(query)

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        self.inner.write(changes, events)

    def lock(self, tenant: str, series: Collection[str], /) -> None:
        self.inner.lock(tenant, series)

    def commit(self) -> None:
        self.inner.commit()

    def rollback(self) -> None:
        self.inner.rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        if error is None:
            self.commit()
        else:
            self.rollback()


class Wrapped:
    """Passes everything on, and so keeps every law that the storage in memory keeps."""

    unit: type[WrappedUnit] = WrappedUnit

    def __init__(self) -> None:
        self.inner = MemoryStorage()

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        return self.inner.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        return self.inner.find(query)

    def begin(self) -> UnitOfWork:
        return self.unit(self, self.inner.begin())

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        return self.inner.undelivered(tenant, consumer, limit)

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        self.inner.acknowledge(tenant, consumer, position)


def breaks(law: str) -> Callable[[type[W]], type[W]]:
    def note(storage: type[W]) -> type[W]:
        BROKEN.append((law, storage))
        return storage

    return note


# ---- the unit of work -----------------------------------------------------------------------


@breaks("test_a_failed_write_undoes_the_writes_before_it")
class CommitsEachWrite(Wrapped):
    """Runs in autocommit, as a connection does that nobody told otherwise."""

    class unit(WrappedUnit):  # noqa: N801 - it stands where the attribute stands
        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            self.inner.rollback()
            self.inner = self.storage.inner.begin()
            with self.inner:
                self.inner.write(changes, events)
            self.inner = self.storage.inner.begin()


@breaks("test_nobody_sees_what_is_not_committed_yet")
class ShowsWhatIsNotCommitted(Wrapped):
    """Reads uncommitted: a shared connection, or the lowest isolation level."""

    open: UnitOfWork | None = None

    class unit(WrappedUnit):  # noqa: N801
        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            super().write(changes, events)
            cast("ShowsWhatIsNotCommitted", self.storage).open = self.inner

        def commit(self) -> None:
            cast("ShowsWhatIsNotCommitted", self.storage).open = None
            super().commit()

        def rollback(self) -> None:
            cast("ShowsWhatIsNotCommitted", self.storage).open = None
            super().rollback()

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        return (self.open or self.inner).load(tenant, kind, ids)


@breaks("test_a_unit_of_work_sees_its_own_writes")
class ReadsPastItsOwnWrites(Wrapped):
    """Buffers writes and reads from the database."""

    class unit(WrappedUnit):  # noqa: N801
        def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
            return self.storage.inner.load(tenant, kind, ids)


@breaks("test_a_unit_of_work_is_unusable_after_commit")
class OpensAgain(Wrapped):
    """Begins another transaction when a finished one is used."""

    class unit(WrappedUnit):  # noqa: N801
        def commit(self) -> None:
            super().commit()
            self.inner = self.storage.inner.begin()


# ---- versions and keys ----------------------------------------------------------------------


@breaks("test_a_stale_change_is_a_conflict_and_writes_nothing")
class AcceptsStaleVersions(Wrapped):
    """Updates by id alone: the last writer wins."""

    class unit(WrappedUnit):  # noqa: N801
        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            current = [
                self.load(each.after.tenant, each.kind, [each.after.id]).get(each.after.id)
                for each in changes
            ]
            forced = [
                change if change.before is None or now is None else _from(now, change)
                for now, change in zip(current, changes, strict=True)
            ]
            super().write(forced, [])


def _from(now: Record, change: Change) -> Change:
    version = now.version + (len(change.events) or 1)
    after = evolve(change.after, version=version)  # type: ignore[misc]
    return Change(change.kind, now, after, change.events)


@breaks("test_an_id_can_be_new_once")
class Upserts(Wrapped):
    """Inserts or replaces."""

    class unit(WrappedUnit):  # noqa: N801
        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            fresh = [
                change
                for change in changes
                if change.before is not None
                or not self.load(change.after.tenant, change.kind, [change.after.id])
            ]
            super().write(fresh, [])


@breaks("test_a_unique_key_is_taken_once")
class ChecksNoUniqueKeys(Wrapped):
    """Has the columns and forgot the unique indexes."""

    class unit(WrappedUnit):  # noqa: N801
        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            bare = [evolve(each, kind=evolve(each.kind, unique=())) for each in changes]
            super().write(bare, events)


@breaks("test_of_8_that_insert_one_key_one_wins")
class LooksBeforeItInserts(Wrapped):
    """Checks unique keys by reading first, in a transaction of its own."""

    class unit(WrappedUnit):  # noqa: N801
        changes: list[Change]
        events: list[Recorded]

        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            for change in changes:
                wanted = change.kind.by_name["external_id"].get(change.after)
                taken = Query(change.kind, change.after.tenant, where={"external_id": [wanted]})
                if self.inner.find(taken).items:
                    raise Duplicate("external_id", str(wanted))
            # What another writer does between looking and writing; here it always comes in time.
            self.changes = [evolve(each, kind=evolve(each.kind, unique=())) for each in changes]
            self.events = list(events)

        def commit(self) -> None:
            self.inner.rollback()
            storage = cast("LooksBeforeItInserts", self.storage)
            storage.waiting.append((self.changes, self.events))
            if len(storage.waiting) < len("in eight"):
                return
            with storage.inner.begin() as unit:
                for changes, events in storage.waiting:
                    unit.write(changes, events)

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[list[Change], list[Recorded]]] = []


@breaks("test_a_rollback_gives_the_number_back")
class NumbersOutsideOfTheTransaction(Wrapped):
    """Takes numbers from a sequence of the database, which no rollback gives back."""

    class unit(WrappedUnit):  # noqa: N801
        taken: tuple[Change, ...] = ()

        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            super().write(changes, events)
            self.taken = tuple(each for each in changes if each.kind is NUMBER_SERIES)

        def rollback(self) -> None:
            super().rollback()
            with self.storage.inner.begin() as unit:
                unit.write(self.taken, [])


# ---- the outbox -----------------------------------------------------------------------------


@breaks("test_events_vanish_with_a_rollback")
class KeepsEventsOfARollback(Wrapped):
    """Sends events to a queue while the transaction is open."""

    class unit(WrappedUnit):  # noqa: N801
        sent: tuple[Recorded, ...] = ()

        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            super().write(changes, events)
            self.sent += tuple(events)

        def rollback(self) -> None:
            super().rollback()
            with self.storage.inner.begin() as unit:
                unit.write([], self.sent)


@breaks("test_consumers_are_independent")
class DeliversToTheFirstConsumer(Wrapped):
    """Has one mark per event instead of one for each consumer."""

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        return super().undelivered(tenant, "everybody", limit)

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        super().acknowledge(tenant, "everybody", position)


@breaks("test_events_come_again_until_they_are_acknowledged")
class DeliversOnce(Wrapped):
    """Marks events as delivered when they are handed out."""

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        delivery = super().undelivered(tenant, consumer, limit)
        self.acknowledge(tenant, consumer, delivery.position)
        return delivery


@breaks("test_a_late_committer_is_not_skipped")
class NumbersEventsWhenTheyAreWritten(Wrapped):
    """Lets many writers begin, and pages by an id that was taken before the commit."""

    class unit(WrappedUnit):  # noqa: N801
        def __init__(self, storage: Wrapped, inner: UnitOfWork) -> None:
            super().__init__(storage, inner)
            inner.rollback()  # so that others may begin
            self.written: list[tuple[Sequence[Change], Sequence[Recorded]]] = []

        def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
            storage = cast("NumbersEventsWhenTheyAreWritten", self.storage)
            for event in events:
                storage.places[event.id] = len(storage.places) + 1
            self.written.append((changes, events))

        def commit(self) -> None:
            with self.storage.inner.begin() as unit:
                for changes, events in self.written:
                    unit.write(changes, events)

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, int] = {}
        self.known: dict[str, int] = {}

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        known = self.known.get(consumer, 0)
        events = sorted(self.inner.find(Query(EVENT, tenant)), key=lambda e: self.places[e.id])
        rest = tuple(e for e in events if self.places[e.id] > known)[:limit]
        return Delivery(rest, str(self.places[rest[-1].id] if rest else known))

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        self.known[consumer] = int(position)


# ---- fidelity -------------------------------------------------------------------------------


class RewritingUnit(WrappedUnit):
    """Writes something else than it was given."""

    def rewritten(self, kind: AnyKind, record: Record) -> Record:
        raise NotImplementedError

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        super().write(
            [evolve(each, after=self.rewritten(each.kind, each.after)) for each in changes],
            events,
        )


@breaks("test_instants_come_back_to_the_microsecond")
class LosesMicroseconds(Wrapped):
    """Keeps instants in a column of seconds."""

    class unit(RewritingUnit):  # noqa: N801
        def rewritten(self, kind: AnyKind, record: Record) -> Record:
            text = re.sub(r"(T\d\d:\d\d:\d\d)\.\d{6}", r"\1", dump(record))
            return cast("Record", load(kind, text))


@breaks("test_amounts_of_63_bits_come_back_equal")
class KeepsAmountsAsFloats(Wrapped):
    """Keeps amounts in a column of doubles, exact up to 2⁵³."""

    class unit(RewritingUnit):  # noqa: N801
        def rewritten(self, kind: AnyKind, record: Record) -> Record:
            assert isinstance(record, Invoice)
            return evolve(record, net_minor=int(float(record.net_minor)))


@breaks("test_texts_come_back_unchanged")
class NormalizesTexts(Wrapped):
    """Composes characters, as some file systems and databases do."""

    class unit(RewritingUnit):  # noqa: N801
        def rewritten(self, kind: AnyKind, record: Record) -> Record:
            return cast("Record", load(kind, normalize("NFC", dump(record))))


@breaks("test_metadata_keep_their_order")
class SortsMetadata(Wrapped):
    """Keeps JSON in a type that orders the keys."""

    class unit(RewritingUnit):  # noqa: N801
        def rewritten(self, kind: AnyKind, record: Record) -> Record:
            metadata = Metadata(dict(sorted(getattr(record, "metadata", {}).items())))
            return evolve(record, metadata=metadata)  # type: ignore[misc]


# ---- queries --------------------------------------------------------------------------------


@breaks("test_no_query_shows_the_rows_of_another_tenant")
class ForgetsTheTenant(Wrapped):
    """Leaves the tenant out of one of its statements."""

    def find(self, query: Query[R], /) -> Found[R]:
        found = [self.inner.find(evolve(query, tenant=tenant)) for tenant in ("acme", "other")]
        items = (*found[0].items, *found[1].items)
        return Found(items, None, len(items) if query.count else None)


@breaks("test_what_is_due_at_exactly_now_is_due_once")
class IsDueAfterNow(Wrapped):
    """Writes `<` for `<=`."""

    def find(self, query: Query[R], /) -> Found[R]:
        found = self.inner.find(query)
        if query.until is None:
            return found
        name, until = query.until
        get = query.kind.by_name[name].get
        return evolve(found, items=tuple(each for each in found if get(each) != until))


@breaks("test_pages_are_complete_and_without_doubles")
class LosesTiesBetweenPages(Wrapped):
    """Goes on after the last value, although more rows have it."""

    def find(self, query: Query[R], /) -> Found[R]:
        whole = self.inner.find(evolve(query, after=None, limit=PAGE_LIMIT_MAX)).items
        if query.order_by is None:
            return self.inner.find(query)
        get = query.kind.by_name[query.order_by].get
        start = 0
        if query.after is not None:
            start = max(n for n, each in enumerate(whole, 1) if str(get(each)) == query.after)
        items = whole[start : start + query.limit]
        more = start + query.limit < len(whole)
        return Found(items, str(get(items[-1])) if more and items else None)


@breaks("test_pages_lose_nothing_while_rows_are_inserted")
class PagesByOffset(Wrapped):
    """Counts rows instead of remembering where it was."""

    def find(self, query: Query[R], /) -> Found[R]:
        whole = self.inner.find(evolve(query, after=None, limit=PAGE_LIMIT_MAX)).items
        end = int(query.after or 0) + query.limit
        return Found(whole[end - query.limit : end], str(end) if end < len(whole) else None)


@breaks("test_the_total_counts_what_matches_on_every_page")
class CountsThePage(Wrapped):
    """Counts what it returns."""

    def find(self, query: Query[R], /) -> Found[R]:
        found = self.inner.find(query)
        return evolve(found, total=len(found.items) if query.count else None)


@breaks("test_load_takes_however_many_ids")
class HasALimitOfValues(Wrapped):
    """Asks for as many ids as a statement may have placeholders."""

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        return super().load(tenant, kind, list(ids)[:32_766])


# ---- the tests ------------------------------------------------------------------------------


@pytest.mark.parametrize(("law", "broken"), BROKEN, ids=[broken.__name__ for _, broken in BROKEN])
def test_a_broken_storage_fails_on_its_law(law: str, broken: type[Wrapped]) -> None:
    check: Callable[[Storage], None] = getattr(StorageLaws(), law)
    check(Wrapped())
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(broken())
