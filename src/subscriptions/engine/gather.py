"""The bulk driver: many flows side by side, all that wait for one kind answered with one query.

A flow that fails gives its exception and disturbs no other. What a flow reads is remembered, so
that two decisions of one batch which touch the same record are not committed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias, TypeVar, cast

from attrs import define, evolve, field

from subscriptions.decisions import Change, Decision, Issue
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import NotFound
from subscriptions.frozen import frozen
from subscriptions.records import AnyKind, Record
from subscriptions.storage import PAGE_LIMIT_MAX, Query, Reader
from subscriptions.usecases.flows import Flow, Fold, Get, GetMany, Having, Maybe, Read

T = TypeVar("T")
# Of so many values the records are folded with one query, page by page. Each page passes over all
# that earlier ones held, which for all values of a large batch would come to a multiple of it.
FOLDED_TOGETHER = 100

_UNREAD: Final = object()

Versions: TypeAlias = tuple[tuple[str, int], ...]


@frozen
class Seen:
    """Something that was read: one record, or all records whose column has a value.

    Of records that were folded, in the order of `order_by`, the versions are one digest of all, and
    how many there are.
    """

    kind: AnyKind
    what: str
    versions: Versions
    column: tuple[str, Any] | None = None
    order_by: str | None = None


@define
class _Folding:
    """The records of one value that are read for folds: who takes them, and what they were."""

    folds: list[Fold[Any, Any]] = field(factory=list[Fold[Any, Any]])
    states: list[Any] = field(factory=list[Any])
    rows: int = 0
    digest: Any = field(factory=sha256)

    def take(self, record: Record) -> None:
        self.rows += 1
        self.digest.update(f"{record.id}\x1f{record.version}\x1e".encode())
        for place, fold in enumerate(self.folds):
            state = self.states[place]
            if not isinstance(state, _Raised):
                try:
                    self.states[place] = fold.step(state, record)
                except Exception as error:  # noqa: BLE001 - one flow's failure is that flow's result
                    self.states[place] = _Raised(error)

    @property
    def versions(self) -> Versions:
        return ((self.digest.hexdigest(), self.rows),)


@frozen
class _Raised:
    """What became of a fold whose step raised."""

    error: Exception


class Batch:
    """Flows that run side by side over one reader. `seed` are records that were read already."""

    def __init__(
        self, reader: Reader, tenant: str, seed: Iterable[tuple[AnyKind, Record]] = ()
    ) -> None:
        self._reader = reader
        self._tenant = tenant
        self._records: dict[AnyKind, dict[str, Record | None]] = {}
        self._having: dict[tuple[AnyKind, str], dict[object, tuple[Record, ...]]] = {}
        self._folded: dict[Fold[Any, Any], object] = {}
        self._foldings: dict[tuple[AnyKind, str, str], dict[object, Versions]] = {}
        for kind, record in seed:
            self._records.setdefault(kind, {})[record.id] = record
        self.reads: list[list[Read]] = []

    def run(self, flows: Sequence[Flow[Any]]) -> Procedure[list[Any]]:
        """Run the flows to their ends; each gives its result, or the exception it ended with."""
        results: list[Any] = [None] * len(flows)
        self.reads = [[] for _ in flows]
        waiting: list[tuple[int, Flow[Any], Read]] = []
        for index, flow in enumerate(flows):
            self._step(index, flow, None, results, waiting)
        while waiting:
            yield from self._answer([read for _, _, read in waiting])
            asked, waiting = waiting, []
            for index, flow, read in asked:
                self._step(index, flow, read, results, waiting)
        return results

    def one(self, flow: Flow[T]) -> Procedure[T]:
        """Run one flow by itself: returns its result, or raises what it raised."""
        (result,) = yield from self.run([flow])
        if isinstance(result, Exception):
            raise result
        answer: T = result
        return answer

    def _step(
        self,
        index: int,
        flow: Flow[Any],
        read: Read | None,
        results: list[Any],
        waiting: list[tuple[int, Flow[Any], Read]],
    ) -> None:
        """Drive one flow until it waits for something that was not read yet, or ends."""
        reads = self.reads[index]
        try:
            wanted = next(flow) if read is None else self._resume(flow, self._lookup(read))
            reads.append(wanted)
            while (answer := self._lookup(wanted)) is not _UNREAD:
                wanted = self._resume(flow, answer)
                reads.append(wanted)
        except StopIteration as stop:
            results[index] = stop.value
        except Exception as error:  # noqa: BLE001 - one flow's failure is that flow's result
            results[index] = error
        else:
            waiting.append((index, flow, wanted))

    def _resume(self, flow: Flow[Any], answer: object) -> Read:
        if type(answer) is NotFound:
            return flow.throw(answer)
        return flow.send(answer)

    def _lookup(self, read: Read) -> object:
        """Return the answer to a read: `NotFound` to be raised in the flow, `_UNREAD` if unknown.

        Every read of a run passes here, most of them for one record: so that comes first.
        """
        if type(read) is Get or type(read) is Maybe:
            there = self._records.get(read.kind)
            record: object = _UNREAD if there is None else there.get(read.id, _UNREAD)
            missing = record is None and type(read) is Get
            return NotFound(read.kind.name, read.id) if missing else record
        if type(read) is GetMany:
            there = self._records.get(read.kind, {})
            found: list[object] = []
            absent: str | None = None
            for id in read.ids:
                record = there.get(id, _UNREAD)
                if record is _UNREAD:
                    return _UNREAD
                if record is None and absent is None:
                    absent = id
                found.append(record)
            return tuple(found) if absent is None else NotFound(read.kind.name, absent)
        if type(read) is Having:
            lists = self._having.get((read.kind, read.column))
            return _UNREAD if lists is None else lists.get(read.value, _UNREAD)
        fold = cast("Fold[Any, Any]", read)
        return self._state(fold) if fold in self._folded else _UNREAD

    def _state(self, fold: Fold[Any, Any]) -> object:
        state = self._folded[fold]
        if isinstance(state, _Raised):
            raise state.error
        return state

    def _answer(self, reads: Sequence[Read]) -> Procedure[None]:
        ids: dict[AnyKind, set[str]] = {}
        values: dict[tuple[AnyKind, str], set[Any]] = {}
        folds: dict[tuple[AnyKind, str, str], list[Fold[Any, Any]]] = {}
        for read in reads:
            if type(read) is Having:
                values.setdefault((read.kind, read.column), set()).add(read.value)
            elif type(read) is GetMany:
                ids.setdefault(read.kind, set()).update(read.ids)
            elif type(read) is Fold:
                folds.setdefault((read.kind, read.column, read.order_by), []).append(read)
            else:
                ids.setdefault(read.kind, set()).add(cast("Get[Any]", read).id)
        for kind, wanted in ids.items():
            known = self._records.setdefault(kind, {})
            missing = sorted(wanted.difference(known))
            found = yield from call(self._reader.load, self._tenant, kind, missing)
            for id in missing:
                known[id] = found.get(id)
        for (kind, column), sought in values.items():
            yield from self._find(kind, column, sought)
        for (kind, column, order_by), waiting in folds.items():
            yield from self._fold(kind, column, order_by, waiting)

    def _find(self, kind: AnyKind, column: str, values: set[Any]) -> Procedure[None]:
        get = kind.by_name[column].get
        rows: dict[object, list[Record]] = {value: [] for value in values}

        def take(record: Record) -> None:
            rows[get(record)].append(record)
            self._records.setdefault(kind, {}).setdefault(record.id, record)

        yield from self._pages(kind, column, values, None, take)
        known = self._having.setdefault((kind, column), {})
        known.update({value: tuple(found) for value, found in rows.items()})

    def _fold(
        self, kind: AnyKind, column: str, order_by: str, folds: Sequence[Fold[Any, Any]]
    ) -> Procedure[None]:
        """Fold the records of many values while they are read: no more than a page is held."""
        get = kind.by_name[column].get
        by_value: dict[Any, _Folding] = {}
        for fold in folds:
            folding = by_value.setdefault(fold.value, _Folding())
            folding.folds.append(fold)
            folding.states.append(fold.start())

        def take(record: Record) -> None:
            by_value[get(record)].take(record)

        values = sorted(by_value)
        for first in range(0, len(values), FOLDED_TOGETHER):
            some = set(values[first : first + FOLDED_TOGETHER])
            yield from self._pages(kind, column, some, order_by, take)
        known = self._foldings.setdefault((kind, column, order_by), {})
        for value, folding in by_value.items():
            known[value] = folding.versions
            self._folded.update(zip(folding.folds, folding.states, strict=True))

    def _pages(
        self,
        kind: AnyKind,
        column: str,
        values: set[Any],
        order_by: str | None,
        take: Callable[[Record], None],
    ) -> Procedure[None]:
        """Read all records whose column has one of these values."""
        cursor: str | None = None
        while True:
            query = Query(
                kind,
                self._tenant,
                {column: tuple(sorted(values))},
                order_by=order_by,
                after=cursor,
                limit=PAGE_LIMIT_MAX,
            )
            page = yield from call(self._reader.find, query)
            for record in page.items:
                take(record)
            cursor = page.next_cursor
            if cursor is None:
                return

    def seen(self) -> tuple[Seen, ...]:
        """Return what the flows read, and in which versions."""
        records = [
            Seen(kind, id, ((id, _version(record)),))
            for kind, found in self._records.items()
            for id, record in found.items()
        ]
        lists = [
            Seen(kind, f"{column}={value}", _versions(rows), (column, value))
            for (kind, column), found in self._having.items()
            for value, rows in found.items()
        ]
        folded = [
            Seen(kind, f"{column}={value}", versions, (column, value), order_by)
            for (kind, column, order_by), found in self._foldings.items()
            for value, versions in found.items()
        ]
        return (*records, *lists, *folded)

    def see_again(self, seen: Sequence[Seen]) -> Procedure[tuple[Seen, ...]]:
        """Read the same things once more; returns them in the same order."""
        reads = [_read_again(each) for each in seen]
        yield from self._answer(reads)
        again: list[Seen] = []
        for each, read in zip(seen, reads, strict=True):
            found = self._lookup(read)
            versions: Versions
            if each.column is None:
                versions = ((each.what, _version(cast("Record | None", found))),)
            elif each.order_by is None:
                versions = _versions(cast("tuple[Record, ...]", found))
            else:
                versions = self._foldings[each.kind, each.column[0], each.order_by][each.column[1]]
            again.append(evolve(each, versions=versions))
        return tuple(again)


def _read_again(seen: Seen) -> Read:
    if seen.column is None:
        return Maybe(seen.kind, seen.what)
    if seen.order_by is None:
        return Having(seen.kind, *seen.column)
    return Fold(seen.kind, *seen.column, seen.order_by, step=_only_look, start=lambda: None)


def _only_look(state: object, _: object) -> object:
    return state


def _version(record: Record | None) -> int:
    return 0 if record is None else record.version


def _versions(rows: Iterable[Record]) -> Versions:
    return tuple((row.id, row.version) for row in rows)


def together(
    decisions: Sequence[Any], reads: Sequence[Sequence[Read]]
) -> tuple[list[int], list[int]]:
    """Return which decisions can be committed together, and which must be decided again.

    A decision that writes or has read a record that an earlier one of the batch writes was made on
    a state that will be gone: it waits for the next batch. So does one that asked for all records
    with a value, if an earlier one writes such a record.
    """
    written: dict[AnyKind, dict[str, Record]] = {}
    accepted: list[int] = []
    deferred: list[int] = []
    for index, decision in enumerate(decisions):
        if not isinstance(decision, Decision):
            continue
        moves: list[Change | Issue] = [*decision.changes, *decision.issues]
        if _meets(moves, reads[index], written):
            deferred.append(index)
            continue
        accepted.append(index)
        for each in moves:
            written.setdefault(each.kind, {})[each.after.id] = each.after
    return accepted, deferred


def _meets(
    moves: Sequence[Change | Issue],
    reads: Sequence[Read],
    written: dict[AnyKind, dict[str, Record]],
) -> bool:
    """Return whether something that is moved or was read is written already."""
    for each in moves:
        there = written.get(each.kind)
        if there is not None and each.after.id in there:
            return True
    stale = [read for read in reads if read.kind in written and _is_stale(read, written)]
    return bool(stale)


def _is_stale(read: Read, written: dict[AnyKind, dict[str, Record]]) -> bool:
    there = written.get(read.kind)
    if there is None:
        return False
    if type(read) is Having or type(read) is Fold:
        get = read.kind.by_name[read.column].get
        return any(get(record) == read.value for record in there.values())
    if type(read) is GetMany:
        return any(id in there for id in read.ids)
    return cast("Get[Any]", read).id in there
