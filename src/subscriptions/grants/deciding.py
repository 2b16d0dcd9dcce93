"""What may happen to a grant: commands, the table of what is allowed, and what they change.

A grant and its entries move together: each event that moves what is left has one entry.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.grants.grant import (
    GRANT,
    GRANT_ENTRY,
    Active,
    Category,
    Cause,
    Expired,
    Grant,
    GrantEntry,
    GrantState,
    Pending,
    Rollover,
    UsedUp,
    Voided,
)
from subscriptions.ids import (
    CreditNoteId,
    CustomerId,
    GrantEntryId,
    GrantId,
    InvoiceId,
    derived_id,
)
from subscriptions.money import Money
from subscriptions.records import evolve, plain_text

# ---- events ------------------------------------------------------------------------------------


@frozen
class GrantCreated:
    """A customer has a grant; `origin` is the grant that it goes on from."""

    grant: GrantId
    customer: CustomerId
    amount: Money
    category: str
    origin: GrantId | None = None


@frozen
class GrantBegan:
    """A grant is effective from now on."""

    grant: GrantId
    customer: CustomerId


@frozen
class GrantApplied:
    """A grant paid for an invoice, or for a part of it."""

    grant: GrantId
    customer: CustomerId
    invoice: InvoiceId
    amount: Money
    left: Money


@frozen
class GrantReturned:
    """What a grant had paid of an invoice returned to it."""

    grant: GrantId
    customer: CustomerId
    invoice: InvoiceId
    amount: Money
    left: Money


@frozen
class GrantExpired:
    """The time of a grant is over; `amount` was left and is gone."""

    grant: GrantId
    customer: CustomerId
    amount: Money


@frozen
class GrantRolledOver:
    """An amount of a grant goes on in another one."""

    grant: GrantId
    customer: CustomerId
    into: GrantId
    amount: Money


@frozen
class GrantVoided:
    """The seller took back what was left of a grant."""

    grant: GrantId
    customer: CustomerId
    amount: Money
    reason: str


Event: TypeAlias = (
    GrantCreated
    | GrantBegan
    | GrantApplied
    | GrantReturned
    | GrantExpired
    | GrantRolledOver
    | GrantVoided
)


# ---- commands ----------------------------------------------------------------------------------


@frozen
class Begin:
    """Its time has come."""


@frozen
class Apply:
    """It pays for an invoice."""

    invoice: InvoiceId
    amount_minor: int
    at: datetime


@frozen
class Return:
    """An invoice that it paid for is void, or is credited.

    `into` is the id that a new grant would have, should it go on there.
    """

    invoice: InvoiceId
    amount_minor: int
    at: datetime
    into: GrantId
    credit_note: CreditNoteId | None = None


@frozen
class Expire:
    """Its time is over; `into` is the id that a new grant would have, should it roll over.

    `zone` is that of the seller, in which the days of the new grant are counted.
    """

    at: datetime
    into: GrantId
    zone: str


@frozen
class Void:
    """The seller takes back what is left."""

    reason: str
    at: datetime


Command: TypeAlias = Begin | Apply | Return | Expire | Void

ALLOWED: dict[type[GrantState], frozenset[type[Command]]] = {
    Pending: frozenset({Begin, Void}),
    Active: frozenset({Apply, Return, Expire, Void}),
    # What an ended grant paid may return to it; where that goes on, `_returned` says.
    UsedUp: frozenset({Return}),
    Expired: frozenset({Return}),
    Voided: frozenset({Return}),
}


@frozen
class Moved:
    """A grant after commands: its change, and the entries that tell what moved."""

    grant: Grant
    change: Change
    entries: tuple[GrantEntry, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """What to commit."""
        return (self.change, *[created(GRANT_ENTRY, entry) for entry in self.entries])


def create(grant: Grant) -> Moved:
    """Decide that a customer has a grant; version 1, all of it left."""
    event = GrantCreated(grant.id, grant.customer, grant.amount, grant.category.value, grant.origin)
    after = evolve(grant, version=1, left_minor=grant.amount_minor)
    entry = _entry(after, Cause.GRANTED, grant.amount_minor, grant.created_at)
    return Moved(after, created(GRANT, after, event), (entry,))


def successor(moved: Moved, *, at: datetime, zone: str) -> Moved | None:
    """Decide on the new grant in which an amount of one goes on; None if none does.

    What rolls over lasts as the rule says. What returned to bought credit whose time was over never
    expires: the customer had used it in time, and the seller took the invoice back.
    """
    grant = moved.grant
    for entry in moved.entries:
        if entry.into is not None:
            rule = None if entry.invoice is not None else grant.rollover
            expires_at = _expiry(grant, rule, zone)
            return create(
                evolve(
                    grant,
                    id=entry.into,
                    version=0,
                    amount_minor=-entry.amount_minor,
                    left_minor=-entry.amount_minor,
                    created_at=at,
                    effective_at=at,
                    expires_at=expires_at,
                    rollover=None if rule is None or expires_at is None else rule.next(),
                    state=Active(),
                    origin=grant.id,
                    parked=None,
                )
            )
    return None


def _expiry(grant: Grant, rule: Rollover | None, zone: str) -> datetime | None:
    if rule is None or grant.expires_at is None:
        return None
    return rule.expiry(grant.expires_at, zone)


def decide(grant: Grant, *commands: Command) -> Moved:
    """Decide what commands, in order, make of a grant.

    Raises `InvalidTransition` if the state does not allow one of them, `ValidationError` for an
    amount that is not positive or more than there is; then nothing happens.
    """
    after = grant
    events: list[Event] = []
    entries: list[GrantEntry] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.state)]:
            name = f"grant {grant.id}"
            raise InvalidTransition(name, after.status, type(command).__name__)
        for event, cause, minor, state in _steps(after, command):
            after = evolve(
                after,
                version=after.version + 1,
                left_minor=after.left_minor + minor,
                state=state,
            )
            events.append(event)
            if minor:
                assert cause is not None
                entries.append(_told(after, cause, minor, command, event))
    return Moved(after, changed(GRANT, grant, after, *events), tuple(entries))


_Step: TypeAlias = tuple[Event, Cause | None, int, GrantState]


def _steps(grant: Grant, command: Command) -> tuple[_Step, ...]:
    id, customer = grant.id, grant.customer
    match command:
        case Begin():
            return ((GrantBegan(id, customer), None, 0, Active()),)
        case Apply(invoice=invoice, amount_minor=minor, at=at):
            amount = Money(minor, grant.currency)
            if not 0 < minor <= grant.left_minor:
                raise ValidationError("amount", amount, f"more than zero, at most {grant.left}")
            left = grant.left - amount
            state = Active() if left else UsedUp(at)
            applied = GrantApplied(id, customer, invoice, amount, left)
            return ((applied, Cause.APPLIED, -minor, state),)
        case Return():
            return _returned(grant, command)
        case Expire():
            return _expired(grant, command)
        case Void(reason=reason, at=at):
            voided = GrantVoided(id, customer, grant.left, plain_text("reason", reason))
            return ((voided, Cause.VOIDED, -grant.left_minor, Voided(at, reason)),)
        case other:
            assert_never(other)


def _returned(grant: Grant, command: Return) -> tuple[_Step, ...]:
    """Return what becomes of what returns: to the same grant, if it may live.

    What was given away ends as the grant did: at once if that was voided, and by its expiry, which
    is due now, if its time is over. What was bought goes on in a new grant.
    """
    id, customer, minor, state = grant.id, grant.customer, command.amount_minor, grant.state
    amount = Money(minor, grant.currency)
    if not 0 < minor <= grant.amount_minor - grant.left_minor:
        most = grant.amount - grant.left
        raise ValidationError("amount", amount, f"more than zero, at most {most}")
    event = GrantReturned(id, customer, command.invoice, amount, grant.left + amount)
    ended = isinstance(state, Voided) or grant.over(command.at)
    if ended and grant.category is Category.PAID:
        rolled = GrantRolledOver(id, customer, command.into, amount)
        return (
            (event, Cause.RETURNED, minor, state),
            (rolled, Cause.ROLLED_OVER, -minor, state),
        )
    if isinstance(state, Voided):
        voided = GrantVoided(id, customer, amount, state.reason)
        return ((event, Cause.RETURNED, minor, state), (voided, Cause.VOIDED, -minor, state))
    return ((event, Cause.RETURNED, minor, Active()),)


def _expired(grant: Grant, command: Expire) -> tuple[_Step, ...]:
    id, customer, left = grant.id, grant.customer, grant.left
    if not grant.over(command.at):
        raise ValidationError("at", command.at, f"{grant.expires_at} or later")
    steps: tuple[_Step, ...] = ()
    until = _expiry(grant, grant.rollover, command.zone)
    # What returned so late that the new grant would be over as well has nowhere to go on.
    if grant.rollover is not None and (until is None or until > command.at):
        rolled = grant.rollover.of(left)
        if rolled:
            event = GrantRolledOver(id, customer, command.into, rolled)
            steps = ((event, Cause.ROLLED_OVER, -rolled.minor, grant.state),)
            left -= rolled
    expired = GrantExpired(id, customer, left)
    return (*steps, (expired, Cause.EXPIRED, -left.minor, Expired(command.at)))


def _told(grant: Grant, cause: Cause, minor: int, command: Command, event: Event) -> GrantEntry:
    assert not isinstance(command, Begin)
    entry = _entry(grant, cause, minor, command.at)
    if isinstance(event, GrantRolledOver):
        entry = evolve(entry, into=event.into)
    if isinstance(command, Return):
        return evolve(entry, invoice=command.invoice, credit_note=command.credit_note)
    return evolve(entry, invoice=command.invoice) if isinstance(command, Apply) else entry


def _entry(grant: Grant, cause: Cause, minor: int, at: datetime) -> GrantEntry:
    id = derived_id("gre", grant.tenant, grant.id, str(grant.version))
    return GrantEntry(
        GrantEntryId(id),
        grant.tenant,
        1,
        grant.id,
        grant.customer,
        grant.version,
        minor,
        grant.left_minor,
        grant.currency,
        cause,
        at,
    )
