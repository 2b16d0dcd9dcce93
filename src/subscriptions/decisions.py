"""What to commit, as a value: the decision, its changes, and the documents that take a number.

These containers know no particular record. A decision is made by pure functions, committed by the
engine in one transaction, and never changed in between.
"""

from __future__ import annotations

from typing import TypeVar

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoice_numbering import Series
from subscriptions.records import AnyKind, Kind, Record, Ref, evolve

R = TypeVar("R", bound=Record)


@frozen
class Change:
    """One record's move from `before` (None: it is new) to `after`, with the events that say why.

    Law: the version goes up by the number of events (by one where there are none), so event *i*
    of the record has the sequence number `before.version + i`.
    """

    kind: AnyKind
    before: Record | None
    after: Record
    events: tuple[object, ...] = ()

    def __attrs_post_init__(self) -> None:
        version = self.before.version if self.before is not None else 0
        if self.after.version != version + (len(self.events) or 1):
            raise ValidationError(
                f"{self.kind.name}.version",
                self.after.version,
                f"{version} + one for each of {len(self.events)} events",
            )


@frozen
class Issue:
    """A document that takes the next number of its series when it is committed.

    `opening` is the series as it starts, should this be its first number, and `zone` that in which
    its numbers are dated (None: the engine's). The engine locks the
    series last, numbers all documents of the batch and lets the record's module seal each.
    """

    kind: AnyKind
    before: Record | None
    after: Record
    series: str
    opening: Series
    zone: str | None = None


@frozen
class Decision:
    """What to commit, all or nothing; `about` is the record that the host asked about."""

    changes: tuple[Change, ...] = ()
    issues: tuple[Issue, ...] = ()
    about: Ref | None = None

    @property
    def events(self) -> tuple[object, ...]:
        """The events of all changes, in order. Issued documents get theirs when sealed."""
        return tuple(event for change in self.changes for event in change.events)


def created(kind: Kind[R], record: R, *events: object) -> Change:
    """Say that `record` is new."""
    return Change(kind, None, record, events)


def changed(kind: Kind[R], before: R, after: R, *events: object) -> Change:
    """Say that `before` becomes `after`; both are of one kind and one id."""
    return Change(kind, before, after, events)


def join(*decisions: Decision, about: Ref | None = None) -> Decision:
    """Join decisions that are to be committed together; no record may change in two of them."""
    changes = tuple(change for decision in decisions for change in decision.changes)
    issues = tuple(issue for decision in decisions for issue in decision.issues)
    touched = [(change.kind.name, change.after.tenant, change.after.id) for change in changes]
    touched += [(issue.kind.name, issue.after.tenant, issue.after.id) for issue in issues]
    if len(set(touched)) != len(touched):
        raise ValidationError("decisions", touched, "each record at most once")
    return Decision(changes, issues, about)


def in_turn(first: Decision, second: Decision) -> Decision:
    """Join decisions of which the second was made on what the first leaves, as `left_by` says.

    A record that both change has one change, with the events of both in their order; `about` is
    that of the first. Raises `ValidationError` where the second was made on something else.
    """
    if not first.changes and not first.issues:
        return Decision(second.changes, second.issues, first.about)
    earlier = {(each.kind.name, each.after.id): each for each in first.changes}
    later: list[Change] = []
    for change in second.changes:
        before = earlier.pop((change.kind.name, change.after.id), None)
        if before is not None:
            events = (*before.events, *change.events)
            later.append(Change(change.kind, before.before, change.after, events))
        else:
            later.append(change)
    kept = Decision(tuple(earlier.values()), first.issues)
    return join(kept, Decision(tuple(later), second.issues), about=first.about)


def left_by(decision: Decision, record: R) -> R:
    """Return a record as a decision leaves it: what is decided of it next starts from there."""
    for change in decision.changes:
        if change.after.id == record.id and isinstance(change.after, type(record)):
            return change.after
    return record


@frozen
class RecordParked:
    """A record was set aside: its due work failed, and a person must look at it."""

    kind: str
    id: str
    reason: str


@frozen
class RecordUnparked:
    """A parked record was released and is due again."""

    kind: str
    id: str


def park(kind: AnyKind, record: Record, *, reason: str) -> Change:
    """Set a time-driven record aside, so that the others go on; nothing else about it changes."""
    after = evolve(record, parked=reason, version=record.version + 1)  # type: ignore[misc]  # any record that can be parked
    return Change(kind, record, after, (RecordParked(kind.name, record.id, reason),))


def unpark(kind: AnyKind, record: Record) -> Change:
    """Release a parked record: it is due again as its state says."""
    if getattr(record, "parked", None) is None:
        raise ValidationError("id", record.id, "must be a parked record")
    after = evolve(record, parked=None, version=record.version + 1)  # type: ignore[misc]  # any record that can be parked
    return Change(kind, record, after, (RecordUnparked(kind.name, record.id),))
