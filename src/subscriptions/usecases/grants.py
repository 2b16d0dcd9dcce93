"""Credit grants: give, list, void, let them pay an invoice, take back what they paid, and expire.

A grant moves together with its customer, who holds the grants that can still pay something: what
two invoices would spend twice meets in his version.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions import customers, grants
from subscriptions.catalog import PRICE, PRODUCT
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, in_turn, left_by
from subscriptions.errors import DomainError, UnknownReference, ValidationError
from subscriptions.grants import (
    EVERYTHING,
    GRANT,
    GRANT_ENTRY,
    Apply,
    Begin,
    Category,
    Cause,
    Expire,
    Grant,
    GrantEntry,
    Moved,
    Payable,
    Pending,
    Return,
    Rollover,
    Scope,
    Status,
    Void,
    burn,
)
from subscriptions.ids import CreditNoteId, GrantId, derived_id
from subscriptions.invoices import Invoice, LineKind, grosses_of
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.money import Money
from subscriptions.records import AnyKind, Ref, aware, evolve, plain_text
from subscriptions.usecases import balance, flows
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    GetMany,
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)

HELD_MAX = 100
"""How many grants of a customer can be alive at once: all of them are read with him."""

_METERED = frozenset({LineKind.USAGE, LineKind.LATE_USAGE})


def grant(
    customer: str,
    amount: Money,
    *,
    category: Category | str = Category.PROMOTIONAL,
    priority: int = 50,
    scope: Scope = EVERYTHING,
    effective: datetime | None = None,
    expires: datetime | None = None,
    rollover: Rollover | None = None,
    name: str = "",
    reason: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Grant]:
    """Grant a customer credit that pays his invoices after his balance; returns the grant.

    It pays what becomes final from `effective` (default, and at the earliest: now) on and before
    `expires` (default: never), as far as `scope` covers the lines. Of several grants those of a
    lower `priority` (0 to 100) pay first, then what expires earlier, then what was granted earlier.
    With `rollover`, a part of what is left when it expires goes on in a new grant.

    `category` is "promotional" for what was given away, "paid" for what the customer bought. Both
    are means of payment: no tax is taken off by them, and neither is ever paid out as money.

    Raises `UnknownReference` for an unknown customer, and for an unknown product, price or
    subscription in the scope; `ValidationError` for an amount that is not positive, for an expiry
    that is not after the beginning, and for more than 100 live grants.
    """
    if not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
    if amount.minor <= 0:
        raise ValidationError("amount", amount, "more than zero")
    if effective is not None:
        aware("effective", effective)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        begins = context.at if effective is None else max(effective, context.at)
        wanted = Grant(
            GrantId(context.ids.fresh("grn")),
            context.tenant,
            0,
            owner.id,
            amount.minor,
            amount.minor,
            amount.currency,
            grants.read_category(category),
            context.at,
            begins,
            expires,
            priority,
            scope,
            rollover,
            name,
            reason,
            grants.Active() if begins <= context.at else Pending(),
        )
        if len(owner.grants) >= HELD_MAX:
            raise ValidationError("customer", owner.id, f"at most {HELD_MAX} live grants")
        yield from _known(wanted.scope, owner)
        return _moved(Decision(about=Ref(GRANT, wanted.id)), owner, grants.create(wanted))

    return Command(GRANT, flow, at, idempotency_key)


def _known(scope: Scope, owner: Customer) -> Flow[None]:
    """Raise `UnknownReference` for what a scope names and is not there."""
    named: list[tuple[AnyKind, str]] = [(PRODUCT, id) for id in scope.products]
    named += [(PRICE, id) for id in scope.prices]
    for kind, id in named:
        if (yield from Maybe(kind, id)) is None:
            raise UnknownReference(kind.name, id)
    for id in scope.subscriptions:
        found = yield from Maybe(SUBSCRIPTION, id)
        if found is None or found.customer != owner.id:
            raise UnknownReference("subscription", id)


def void_grant(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Grant]:
    """Take back what is left of a grant; what it paid stays paid. Returns the grant.

    Raises `UnknownReference` for an unknown grant, `InvalidTransition` for one that is used up,
    expired or void, `ValidationError` for an empty reason.
    """
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Maybe(GRANT, id)
        if found is None:
            raise UnknownReference("grant", id)
        owner = yield from Get(CUSTOMER, found.customer)
        moved = grants.decide(found, Void(reason, context.at))
        return _moved(Decision(about=Ref(GRANT, found.id)), owner, moved)

    return Command(GRANT, flow, at, idempotency_key)


def get_grant(id: str) -> Question[Grant]:
    """Return a grant; raises `NotFound` if there is none with this id."""
    return flows.get(GRANT, id)


def list_grants(
    customer: str | None = None,
    *,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Grant]:
    """List grants in the order they were made; `status` is an exact match.

    They are those of a customer, or of all.
    """
    status = one_of("status", status, Status)
    return Listing(GRANT, only(customer=customer, status=status), limit=limit, after=after)


def grant_entries(
    *,
    customer: str | None = None,
    grant: str | None = None,
    invoice: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[GrantEntry]:
    """List every movement of grants, oldest first: of a customer, of a grant, or for an invoice.

    Of each grant, at every step, granted = applied − returned + expired + voided + rolled over +
    left; `subscriptions.grants.sums_of` adds them up.
    """
    where = only(customer=customer, grant_id=grant, invoice=invoice)
    return Listing(GRANT_ENTRY, where, limit=limit, after=after)


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one grant: it becomes effective, or it expires and may roll over."""
    grant = yield from Get(GRANT, id)
    due_at = grant.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    owner = yield from Get(CUSTOMER, grant.customer)
    if isinstance(grant.state, Pending):
        return _moved(Decision(), owner, grants.decide(grant, Begin()))
    zone = context.seller_of(owner).zone
    expired = grants.decide(grant, Expire(context.at, _next_id(grant), zone))
    more = grants.successor(expired, at=context.at, zone=zone)
    return _moved(Decision(), owner, *([expired] if more is None else [expired, more]))


def carried(owner: Customer, change: Change) -> Change:
    """Return the change of the customer who holds a grant that was parked, or released."""
    assert isinstance(change.after, Grant)
    return customers.hold(owner, change.after)


# ---- what grants pay ---------------------------------------------------------------------------


def with_grants(
    invoice: Invoice, customer: Customer, moves: tuple[Change, ...], context: Context
) -> tuple[Invoice, tuple[Change, ...]]:
    """Let a customer's grants pay what they can of an invoice, after what his balance paid.

    `moves` are the changes so far, of his balance. Each grant pays once at most.
    """
    owed_minor = invoice.total_minor - invoice.balance_minor
    if owed_minor <= 0:
        return invoice, moves
    grosses = grosses_of(invoice.lines, invoice.taxes)
    payables = [
        Payable(gross, line.product, line.price, line.subscription, line.kind in _METERED)
        for line, gross in zip(invoice.lines, grosses, strict=True)
    ]
    owner = left_by(Decision(moves), customer)
    paid = burn(owner.grants, payables, owed_minor, currency=invoice.currency, at=context.at)
    if not paid:
        return invoice, moves
    moved: list[Moved] = []
    for grant, minor in paid:
        apply = Apply(invoice.id, minor, context.at)
        # A run may not have come to its beginning yet: who pays now is asked for by time alone.
        commands = (Begin(), apply) if isinstance(grant.state, Pending) else (apply,)
        moved.append(grants.decide(grant, *commands))
    decision = _moved(Decision(moves), customer, *moved)
    granted_minor = sum([minor for _, minor in paid])
    return evolve(invoice, granted_minor=granted_minor), decision.changes


def returned(
    decision: Decision, owner: Customer, invoice: Invoice, context: Context
) -> Flow[Decision]:
    """Let what the balance and the grants paid of an invoice return in a decision that voids it."""
    if invoice.balance_minor:
        decision = balance.returned(decision, owner, invoice, context)
    if invoice.granted_minor:
        decision = yield from give_back(decision, owner, invoice, invoice.granted, context)
    return decision


def give_back(
    decision: Decision,
    owner: Customer,
    invoice: Invoice,
    amount: Money,
    context: Context,
    *,
    credit_note: CreditNoteId | None = None,
) -> Flow[Decision]:
    """Let what grants paid of an invoice return to them, after what a decision decides already.

    What paid last returns first. Where a grant is over, what the customer bought goes on in a new
    grant that never expires; what was given away ends as the grant did.
    """
    entries = yield from Having(GRANT_ENTRY, "invoice", invoice.id)
    paid: dict[GrantId, int] = {}
    for entry in entries:
        if entry.cause in {Cause.APPLIED, Cause.RETURNED}:
            paid[entry.grant] = paid.get(entry.grant, 0) - entry.amount_minor
    stored = yield from GetMany(GRANT, tuple(paid))
    left = amount.minor
    for each in reversed(stored):
        minor = min(left, paid[each.id])
        if not minor:
            continue
        left -= minor
        grant = _now(decision, owner, each)
        back = Return(invoice.id, minor, context.at, _next_id(grant), credit_note)
        moved = grants.decide(grant, back)
        more = grants.successor(moved, at=context.at, zone=context.seller_of(owner).zone)
        decision = _moved(decision, owner, *([moved] if more is None else [moved, more]))
    if left:
        # Nothing may be lost: an invoice that says more than its entries is for a person.
        raise DomainError(f"grants did not pay {amount} of invoice {invoice.id}")
    return decision


def _now(decision: Decision, owner: Customer, stored: Grant) -> Grant:
    """Return a grant as a decision leaves it, or as its customer holds it already."""
    for change in decision.changes:
        if isinstance(change.after, Grant) and change.after.id == stored.id:
            return change.after
    held = [each for each in owner.grants if each.id == stored.id]
    return held[0] if held else stored


def _next_id(grant: Grant) -> GrantId:
    """Return the id of the grant in which one would go on; the same one if it is asked again."""
    return GrantId(derived_id("grn", grant.tenant, grant.id, str(grant.version)))


def _moved(decision: Decision, owner: Customer, *moved: Moved) -> Decision:
    """Add what grants do to a decision, and the customer who holds them."""
    held = customers.hold(left_by(decision, owner), *[each.grant for each in moved])
    changes = [change for each in moved for change in each.changes]
    return in_turn(decision, Decision((*changes, held)))
