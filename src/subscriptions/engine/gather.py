"""The bulk driver: many flows side by side, all that wait for one kind answered with one query.

A flow that fails gives its exception and disturbs no other. What a flow reads is remembered, so
that two decisions of one batch which touch the same record are not committed together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from attrs import frozen

from subscriptions.decisions import Change, Decision, Issue
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import NotFound
from subscriptions.records import AnyKind, Record
from subscriptions.storage import PAGE_LIMIT_MAX, Query, Reader
from subscriptions.usecases.flows import Flow, Get, GetMany, Having, Maybe, Read

T = TypeVar("T")
Versions: TypeAlias = tuple[tuple[str, int], ...]


@frozen
class Seen:
    """Something that was read: one record, or all records whose column has a value."""

    kind: AnyKind
    what: str
    versions: Versions
    column: tuple[str, Any] | None = None


class Batch:
    """Flows that run side by side over one reader. `seed` are records that were read already."""

    def __init__(
        self, reader: Reader, tenant: str, seed: Iterable[tuple[AnyKind, Record]] = ()
    ) -> None:
        self._reader = reader
        self._tenant = tenant
        self._records: dict[AnyKind, dict[str, Record | None]] = {}
        self._having: dict[tuple[AnyKind, str], dict[object, tuple[Record, ...]]] = {}
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
            wanted = next(flow) if read is None else self._resume(flow, read)
            reads.append(wanted)
            while self._has(wanted):
                wanted = self._resume(flow, wanted)
                reads.append(wanted)
        except StopIteration as stop:
            results[index] = stop.value
        except Exception as error:  # noqa: BLE001 - one flow's failure is that flow's result
            results[index] = error
        else:
            waiting.append((index, flow, wanted))

    def _resume(self, flow: Flow[Any], read: Read) -> Read:
        try:
            answer = self._lookup(read)
        except NotFound as error:
            return flow.throw(error)
        return flow.send(answer)

    def _lookup(self, read: Read) -> object:
        if type(read) is Having:
            return self._having[read.kind, read.column][read.value]
        records = self._records.get(read.kind, {})
        if type(read) is GetMany:
            return tuple([_present(read.kind, id, records[id]) for id in read.ids])
        if type(read) is Get:
            return _present(read.kind, read.id, records[read.id])
        return records[cast("Maybe[Any]", read).id]

    def _has(self, read: Read) -> bool:
        if type(read) is Having:
            return read.value in self._having.get((read.kind, read.column), ())
        records = self._records.get(read.kind, {})
        if type(read) is GetMany:
            return all(id in records for id in read.ids)
        return cast("Get[Any]", read).id in records

    def _answer(self, reads: Sequence[Read]) -> Procedure[None]:
        ids: dict[AnyKind, set[str]] = {}
        values: dict[tuple[AnyKind, str], set[Any]] = {}
        for read in reads:
            if type(read) is Having:
                values.setdefault((read.kind, read.column), set()).add(read.value)
            elif type(read) is GetMany:
                ids.setdefault(read.kind, set()).update(read.ids)
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

    def _find(self, kind: AnyKind, column: str, values: set[Any]) -> Procedure[None]:
        get = kind.by_name[column].get
        rows: dict[object, list[Record]] = {value: [] for value in values}
        cursor: str | None = None
        while True:
            query = Query(
                kind,
                self._tenant,
                {column: tuple(sorted(values))},
                after=cursor,
                limit=PAGE_LIMIT_MAX,
            )
            page = yield from call(self._reader.find, query)
            for record in page.items:
                rows[get(record)].append(record)
                self._records.setdefault(kind, {}).setdefault(record.id, record)
            cursor = page.next_cursor
            if cursor is None:
                break
        known = self._having.setdefault((kind, column), {})
        known.update({value: tuple(found) for value, found in rows.items()})

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
        return (*records, *lists)

    def see_again(self, seen: Sequence[Seen]) -> Procedure[tuple[Seen, ...]]:
        """Read the same things once more; returns them in the same order."""
        reads: list[Read] = [
            Maybe(each.kind, each.what) if each.column is None else Having(each.kind, *each.column)
            for each in seen
        ]
        yield from self._answer(reads)
        again: list[Seen] = []
        for each, read in zip(seen, reads, strict=True):
            found = self._lookup(read)
            if each.column is None:
                versions: Versions = ((each.what, _version(cast("Record | None", found))),)
            else:
                versions = _versions(cast("tuple[Record, ...]", found))
            again.append(Seen(each.kind, each.what, versions, each.column))
        return tuple(again)


def _version(record: Record | None) -> int:
    return 0 if record is None else record.version


def _versions(rows: Iterable[Record]) -> Versions:
    return tuple((row.id, row.version) for row in rows)


def _present(kind: AnyKind, id: str, record: Record | None) -> Record:
    if record is None:
        raise NotFound(kind.name, id)
    return record


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
        if any(each.after.id in written.get(each.kind, ()) for each in moves) or any(
            _is_stale(read, written) for read in reads[index]
        ):
            deferred.append(index)
            continue
        accepted.append(index)
        for each in moves:
            written.setdefault(each.kind, {})[each.after.id] = each.after
    return accepted, deferred


def _is_stale(read: Read, written: dict[AnyKind, dict[str, Record]]) -> bool:
    there = written.get(read.kind)
    if there is None:
        return False
    if type(read) is Having:
        get = read.kind.by_name[read.column].get
        return any(get(record) == read.value for record in there.values())
    if type(read) is GetMany:
        return any(id in there for id in read.ids)
    return cast("Get[Any]", read).id in there
