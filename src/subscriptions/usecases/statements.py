"""Bank statements: keep their lines, book what is exact, and let a person say what the rest is.

Lines are imported one after the other, each by what is owed at that moment: of two transfers for
one invoice the second finds it paid, and waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import field

from subscriptions import statements
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, join
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import BankLineId, CustomerId, PaymentId, derived_id
from subscriptions.invoices import INVOICE, Invoice, Open, Uncollectible
from subscriptions.money import Money
from subscriptions.payment_references import creditor_reference
from subscriptions.payments import PAYMENT, WAITS, AllocationRule, Payment
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.statements import (
    BANK_LINE,
    BankLine,
    Booked,
    Candidate,
    Candidates,
    Confidence,
    Proposal,
    StatementLine,
)
from subscriptions.usecases import flows, receiving
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Fold,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.receiving import Target


@frozen
class StatementReport:
    """What an import of a statement did: how many lines there were, and what became of them.

    `known` were imported before. `waiting` are for a person, `outgoing` is money that went out.
    """

    lines: int
    known: int = 0
    booked: tuple[BankLineId, ...] = ()
    waiting: tuple[BankLineId, ...] = ()
    outgoing: tuple[BankLineId, ...] = ()


@frozen
class Unmatched:
    """Money that waits for a person: a line of a statement, with whose it may be, or a payment."""

    amount: Money
    line: BankLine | None = None
    proposals: tuple[Proposal, ...] = ()
    payment: Payment | None = None


@frozen
class Imported:
    """A line to import: its id for ever, its ordinal, and what the bank says."""

    id: BankLineId
    ordinal: int
    line: StatementLine


@frozen
class Importing:
    """How lines are imported: of which account, by which gateway, and whether any is booked."""

    account: str
    gateway: str
    book: bool
    open_invoices: Candidates = field(repr=False)


def read_importing(
    *, account: str, gateway: str, book: bool, among: Candidates, context: Context
) -> Importing:
    """Return how lines are imported, or raise `ValidationError`."""
    if gateway not in context.gateways:
        raise ValidationError("gateway", gateway, f"one of {', '.join(context.gateways)}")
    account = plain_text("account", account, length_max=100)
    return Importing(account, gateway, read_flag("book", book), among)


def read_lines(
    lines: Iterable[StatementLine], account: str, context: Context
) -> tuple[Imported, ...]:
    """Give lines their ids; raises `ValidationError` for what is no line."""
    given: object = lines
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ValidationError("lines", given, "lines of a statement")
    known = tuple(lines)
    for each in known:
        checked: object = each
        if not isinstance(checked, StatementLine):
            raise ValidationError("lines", checked, "a StatementLine")
    found = statements.identified(known, tenant=context.tenant, account=account)
    return tuple([Imported(id, ordinal, line) for id, ordinal, line in found])


def open_invoices() -> Flow[Candidates]:
    """Read all that is owed, page by page, to be found by what a line says.

    What was given up is found by its number or its reference, and by nothing else.
    """

    def step(found: list[Candidate], invoice: Invoice) -> list[Candidate]:
        number = invoice.number
        if number is not None and isinstance(invoice.state, Open | Uncollectible):
            found.append(_candidate(invoice, number))
        return found

    every: list[Candidate] = []
    for status in ("open", "uncollectible"):
        every += yield from Fold(INVOICE, "status", status, "issued_on", step, list[Candidate])
    return statements.candidates(every)


def _candidate(invoice: Invoice, number: str) -> Candidate:
    party = invoice.party
    names = () if party is None else tuple([x for x in (party.name, party.company) if x])
    return Candidate(
        invoice.id,
        invoice.customer,
        number,
        creditor_reference(number),
        invoice.due_minor,
        invoice.currency,
        names,
        given_up=isinstance(invoice.state, Uncollectible),
    )


def take_in(wanted: Imported, how: Importing, context: Context) -> Flow[Decision]:
    """Decide to import one line: kept once, and booked if it is exact and still owed."""
    if (yield from Maybe(BANK_LINE, wanted.id)) is not None:
        return Decision()
    kept = statements.take_in(
        wanted.id,
        wanted.line,
        wanted.ordinal,
        tenant=context.tenant,
        account=how.account,
        at=context.at,
    )
    if not how.book:
        return Decision((kept,))
    first = next(iter(statements.propose(wanted.line, how.open_invoices)), None)
    if first is None or first.confidence is not Confidence.EXACT:
        return Decision((kept,))
    split: dict[str, Money] = {}
    for id in first.invoices:
        invoice = yield from Get(INVOICE, id)
        if isinstance(invoice.state, Open | Uncollectible):
            split[id] = invoice.amount_due
    if len(split) < len(first.invoices) or _sum(split, wanted.line) != wanted.line.amount:
        # Somebody was faster: it is paid already, or in part.
        return Decision((kept,))
    reference = wanted.line.bank_reference.strip() or None
    if reference is not None and (yield from _recorded(reference, how.gateway)) is not None:
        # It was recorded by hand; a person has to say that it is the same.
        return Decision((kept,))
    line = kept.after
    assert isinstance(line, BankLine)
    booked = yield from _book(line, first.customer, split, how.gateway, context, by_hand=False)
    change = next(each for each in booked.changes if each.kind is BANK_LINE)
    both = Change(BANK_LINE, None, change.after, (*kept.events, *change.events))
    others = tuple([each for each in booked.changes if each is not change])
    return Decision((both, *others), booked.issues)


def _sum(split: dict[str, Money], line: StatementLine) -> Money:
    return Money(sum([each.minor for each in split.values()]), line.amount.currency)


def _recorded(reference: str, gateway: str) -> Flow[Payment | None]:
    found = yield from Having(PAYMENT, "reference", reference)
    return next((each for each in found if each.gateway == gateway), None)


def _book(
    line: BankLine,
    customer: CustomerId,
    to: Target,
    gateway: str,
    context: Context,
    *,
    by_hand: bool,
) -> Flow[Decision]:
    owner = yield from Maybe(CUSTOMER, customer)
    if owner is None:
        raise UnknownReference("customer", customer)
    reference = line.line.bank_reference.strip() or None
    if reference is not None and (yield from _recorded(reference, gateway)) is not None:
        # Several bookings of one day may share it.
        reference = None if by_hand else reference
    # One line is one payment, whoever books it and however often.
    id = PaymentId(derived_id("pay", context.tenant, "bank_line", line.id))
    booked = statements.book(line, customer=owner.id, payment=id, at=context.at, by_hand=by_hand)
    received = yield from receiving.received(
        owner,
        line.line.amount,
        receiving.read_target(to),
        context,
        id=id,
        gateway=gateway,
        reference=reference,
        text=f"{line.line.reference}\n{line.line.text}",
    )
    return join(Decision((booked,)), received, about=Ref(BANK_LINE, line.id))


def assign(
    line: str,
    customer: str,
    to: Target = AllocationRule.OLDEST,
    *,
    gateway: str = "transfer",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[BankLine]:
    """Say whose money a line of a statement is; it is recorded, and pays what `to` says.

    `to` is a rule or amounts by invoice, as for `record`; what is more than the customer owes goes
    to his balance. A payment that somebody recorded by hand for the same booking is not looked for:
    dismiss the line then.

    Raises `NotFound` for an unknown line, `UnknownReference` for an unknown customer or invoice,
    `InvalidTransition` for a line that is booked and for money that went out, `ValidationError` for
    an unknown gateway and for what `record` refuses.
    """
    wanted = receiving.read_target(to)

    def flow(context: Context) -> Flow[Decision]:
        if gateway not in context.gateways:
            raise ValidationError("gateway", gateway, f"one of {', '.join(context.gateways)}")
        found = yield from Get(BANK_LINE, line)
        return (
            yield from _book(found, CustomerId(customer), wanted, gateway, context, by_hand=True)
        )

    return Command(BANK_LINE, flow, at, idempotency_key)


def dismiss(
    line: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[BankLine]:
    """Say that a line of a statement is none of a customer's; it can still be assigned later.

    Raises `NotFound` for an unknown line, `InvalidTransition` for one that is booked or dismissed,
    `ValidationError` for an empty reason.
    """

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Get(BANK_LINE, line)
        change = statements.dismiss(found, reason=reason, at=context.at)
        return Decision((change,), about=Ref(BANK_LINE, found.id))

    return Command(BANK_LINE, flow, at, idempotency_key)


def get_line(id: str) -> Question[BankLine]:
    """Return a line of a statement; raises `NotFound` if there is none with this id."""
    return flows.get(BANK_LINE, id)


def bank_lines(
    *,
    status: str | None = None,
    customer: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[BankLine]:
    """List the lines of statements in the order they were imported, in one state or in any."""
    status = one_of("status", status, statements.STATUS.values())
    return Listing(BANK_LINE, only(status=status, customer=customer), limit=limit, after=after)


def unmatched() -> Question[tuple[Unmatched, ...]]:
    """Return all money that waits for a person, lines of statements first, the oldest first.

    Each line comes with proposals of now; `assign` or `dismiss` it. A payment of which money pays
    nothing is one that was charged twice, or that was to be kept: `allocate` or `refund` it.
    """

    def flow(_: Context) -> Flow[tuple[Unmatched, ...]]:
        waiting = yield from Having(BANK_LINE, "status", "waiting")
        among = yield from open_invoices()
        found: list[Unmatched] = []
        for line in waiting:
            proposals = yield from _proposals(line, among)
            found.append(Unmatched(line.line.amount, line, proposals))
        kept = yield from Having(PAYMENT, "unallocated", WAITS)
        found += [Unmatched(each.unallocated, payment=each) for each in kept]
        return tuple(found)

    return Question(flow)


def proposals(line: str) -> Question[tuple[Proposal, ...]]:
    """Return whose money a line may be by what is owed now, the likeliest first.

    Raises `NotFound` if there is no line with this id.
    """

    def flow(_: Context) -> Flow[tuple[Proposal, ...]]:
        found = yield from Get(BANK_LINE, line)
        return (yield from _proposals(found, (yield from open_invoices())))

    return Question(flow)


def _proposals(line: BankLine, among: Candidates) -> Flow[tuple[Proposal, ...]]:
    before: Sequence[BankLine] = ()
    if line.line.iban:
        before = yield from Having(BANK_LINE, "iban", line.line.iban)
    paid = frozenset([x.customer for x in before if isinstance(x.state, Booked) and x.customer])
    return statements.propose(line.line, among, paid_before=paid)


def counted(lines: Sequence[Imported], changes: Sequence[Change]) -> StatementReport:
    """Return what an import of lines has done."""
    kept = [each.after for each in changes if each.kind is BANK_LINE]
    by_status: dict[str, list[BankLineId]] = {}
    for each in kept:
        assert isinstance(each, BankLine)
        by_status.setdefault(each.status, []).append(each.id)
    return StatementReport(
        len(lines),
        len(lines) - len(kept),
        tuple(by_status.get("booked", ())),
        tuple(by_status.get("waiting", ())),
        tuple(by_status.get("outgoing", ())),
    )


def joined(reports: Sequence[StatementReport]) -> StatementReport:
    """Return several reports as one."""
    total = StatementReport(0)
    for each in reports:
        total = evolve(
            total,
            lines=total.lines + each.lines,
            known=total.known + each.known,
            booked=(*total.booked, *each.booked),
            waiting=(*total.waiting, *each.waiting),
            outgoing=(*total.outgoing, *each.outgoing),
        )
    return total
