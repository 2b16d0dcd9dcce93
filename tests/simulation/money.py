"""What else moves money in a story: disputes, grants, credit notes, captures, lines, sweeps.

Each function is one step of a story, like the commands of `simulator`: it chooses what it is about
at random, and may be refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from subscriptions import Money, OneOff
from subscriptions.disputes import DisputeKind, DisputeStatus
from subscriptions.gateways.fake import FakeGateway, LedgerCharge
from subscriptions.grants import Category, Rollover
from subscriptions.invoices import Invoice
from subscriptions.payments import ChargeIntent, Outcome, Payment, payment_id
from subscriptions.statements import StatementLine

if TYPE_CHECKING:
    from tests.simulation.simulator import Simulation

RETURNS = ("AM04", "MD06", "AC04", "ZZ99")
ORPHANS = ("tok_visa", "tok_insufficient_funds", "tok_sepa_debit")


# ---- disputes --------------------------------------------------------------------------------


def dispute(story: Simulation) -> None:
    """Let a bank dispute a charge, a part or all of it, or let a debit come back."""
    taken = [each for each in story.gateway.charges if _left(story, each) > 0]
    if not taken:
        return
    chosen = story.random.choice(taken)
    left = _left(story, chosen)
    amount = Money(story.random.choice([left, left, max(1, left // 2), 1]), chosen.amount.currency)
    match story.random.randrange(4):
        case 0:
            story.gateway.return_debit(chosen.attempt, story.random.choice(RETURNS), amount)
        case 1:
            story.gateway.open_dispute(chosen.attempt, amount, kind=DisputeKind.INQUIRY)
        case _:
            story.gateway.open_dispute(chosen.attempt, amount)


def decide_dispute(story: Simulation) -> None:
    """Let a dispute be won, lost, withdrawn, or an inquiry become a chargeback.

    One that is over may be taken up again by being decided otherwise, if the money is there.
    """
    disputes = story.gateway.disputes
    if not disputes:
        return
    chosen = story.random.choice(disputes)
    way = story.random.choice(["win", "win", "lose", "withdraw", "escalate"])
    takes = way in ("lose", "escalate") and not chosen.taken_minor
    if chosen.changed_at == story.clock.now:
        return  # of two words of one instant nobody could tell which came last
    charge = next(each for each in story.gateway.charges if each.attempt == chosen.attempt)
    if takes and _left(story, charge) < chosen.amount.minor:
        return
    over = chosen.status is not DisputeStatus.OPENED
    if chosen.kind is DisputeKind.RETURN or (way == "escalate" and over):
        return
    match way:
        case "win":
            story.gateway.win_dispute(chosen.reference)
        case "lose":
            story.gateway.lose_dispute(chosen.reference)
        case "withdraw":
            story.gateway.withdraw_dispute(chosen.reference)
        case _:
            story.gateway.escalate_dispute(chosen.reference)


def _left(story: Simulation, charge: LedgerCharge) -> int:
    """Return what nobody has of a charge yet: not given back, nor disputed, nor asked for."""
    if charge.outcome is not Outcome.SUCCEEDED:
        return 0
    wanted = sum(
        [
            each.amount_minor
            for each in story.refunds()
            if each.payment == charge.attempt and each.status != "failed"
        ]
    )
    taken = sum(
        [each.taken_minor for each in story.gateway.disputes if each.attempt == charge.attempt]
    )
    return charge.amount.minor - wanted - taken


# ---- grants and credit notes -----------------------------------------------------------------


def grant(story: Simulation) -> None:
    """Grant some customer credit, perhaps from later on, until soon, or with a roll-over."""
    random, now = story.random, story.clock.now
    days = random.choice([None, 2, 20])
    expires = None if days is None else now + timedelta(days=days)
    rollover = None if days is None else random.choice([None, Rollover(percent=50, days=10)])
    story.billing.balance.grant(
        story.a_customer(),
        Money.of(random.choice(["1.00", "10.00", "60.00"]), "EUR"),
        category=random.choice([*Category]),
        priority=random.choice([1, 50]),
        effective=random.choice([None, None, now + timedelta(days=1)]),
        expires=expires,
        rollover=rollover,
    )


def void_grant(story: Simulation) -> None:
    """Take back what is left of some grant."""
    if found := story.some(story.billing.balance.grants(story.a_customer())):
        story.billing.balance.void_grant(found.id, reason="a mistake")


def void_granted(story: Simulation) -> None:
    """Declare an invoice void of which grants paid a part; if there is none, let there be one."""
    for invoice in story.billing.invoices.list(status="open"):
        if invoice.granted_minor:
            story.billing.invoices.void(invoice.id, reason="a mistake")
            return
    customer = story.a_customer()
    story.billing.balance.grant(customer, Money.of("10.00", "EUR"))
    work = [OneOff("Work", Money.of("90.00", "EUR"))]
    story.billing.invoices.create_one_off(customer, work, collection_method="send_invoice")


def credit(story: Simulation) -> None:
    """Credit some invoice, all of it or a little, and divide that as it comes."""
    status = story.random.choice(["open", "paid", "paid"])
    if found := story.some(story.billing.invoices.list(status=status)):
        left = found.total_minor - found.credited_minor
        minor = story.random.choice([left, left // 2, 1])
        amount = None if minor == left else Money(minor, found.currency)
        part = Money(story.random.choice([0, minor // 2, minor]), found.currency)
        where = story.random.choice(["refund", "balance", "outside", "anyhow"])
        create = story.billing.credit_notes.create
        if where == "refund":
            create(found.id, amount=amount, reason="a mistake", refund=part)
        elif where == "balance":
            create(found.id, amount=amount, reason="a mistake", balance=part)
        elif where == "outside":
            create(found.id, amount=amount, reason="a mistake", outside=part)
        else:
            create(found.id, amount=amount, reason="a mistake")


# ---- held and taken --------------------------------------------------------------------------


def authorize(story: Simulation) -> None:
    """Hold an amount, perhaps for some open invoice of that customer."""
    method = story.some(story.billing.payment_methods.list())
    customer, invoice = story.a_customer() if method is None else method.customer, None
    if story.random.random() < 0.5 and (
        found := story.some(story.billing.invoices.list(customer=customer, status="open"))
    ):
        invoice = found.id
    amount = Money.of(story.random.choice(["3.33", "29.00", "80.00"]), "EUR")
    story.billing.payments.authorize(customer, amount, invoice=invoice)


def capture(story: Simulation) -> None:
    """Take what is held, a part of it or more, perhaps with an answer that gets lost."""
    if found := _held(story):
        random, gateway = story.random, story.gateway
        match random.randrange(6):
            case 0:
                gateway.time_out_capture_next(executed=True, times=random.choice([1, 3]))
            case 1:
                gateway.time_out_capture_next(executed=False, times=random.choice([1, 3]))
            case 2:
                gateway.decline_capture_next()
            case 3:
                gateway.refuse_capture_connection_next()
            case _:
                pass
        minor = found.authorized.minor
        part = Money(random.choice([minor, minor // 2, 1, minor + 1]), found.currency)
        story.billing.payments.capture(found.id, part)


def let_go(story: Simulation) -> None:
    """Release what is held."""
    if found := _held(story):
        story.billing.payments.release(found.id)


def _held(story: Simulation) -> Payment | None:
    return story.some(story.billing.payments.list(status="authorized"))


# ---- what a bank and a person say ------------------------------------------------------------


def statement(story: Simulation) -> None:
    """Import a statement: some lines are new, some were on an earlier one."""
    lines = story.random.sample(story.lines, min(len(story.lines), 2))
    for _ in range(story.random.choice([1, 2])):
        line = _line(story)
        story.lines.append(line)
        lines.append(line)
    story.random.shuffle(lines)
    story.billing.payments.import_statement(lines)


def _line(story: Simulation) -> StatementLine:
    """Make a line that the bank never wrote before."""
    random = story.random
    found = story.some(story.billing.invoices.list(status="open"))
    number = f"B{len(story.lines) + 1}"
    today = story.clock.now.date()
    if found is None or random.random() < 0.2:
        amount = Money.of(random.choice(["12.00", "29.00", "-9.00"]), "EUR")
        return StatementLine(today, amount, "Somebody", text="thanks", bank_reference=number)
    due = found.due_minor
    amount = Money(random.choice([due, due, due, max(1, due // 2), due + 100]), found.currency)
    text, reference = random.choice([(f"for {found.number}", ""), ("", _reference(found))])
    return StatementLine(
        today, amount, "Ada", text=text, reference=reference, bank_reference=number
    )


def _reference(invoice: Invoice) -> str:
    return invoice.payment_reference or ""


def assign(story: Simulation) -> None:
    """Say whose money a line is, or that it is none of a customer's."""
    if found := story.some(story.billing.payments.bank_lines(status="waiting")):
        if story.random.random() < 0.2:
            story.billing.payments.dismiss(found.id, reason="not ours")
        else:
            story.billing.payments.assign(found.id, story.a_customer())


def move_money(story: Simulation) -> None:
    """Let a payment pay something else, or go to the balance."""
    paid = [each for each in story.billing.payments.list(limit=1000) if each.status == "succeeded"]
    if not paid:
        return
    found = story.random.choice(paid)
    if found.allocations and story.random.random() < 0.4:
        part = story.random.choice(found.allocations)
        minor = story.random.choice([part.amount_minor, 1])
        story.billing.payments.deallocate(found.id, part.invoice, Money(minor, found.currency))
    elif story.random.random() < 0.7:
        story.billing.payments.allocate(found.id)
    else:
        story.billing.payments.put_on_balance(found.id)


def resolve(story: Simulation) -> None:
    """Let a person look at the gateway, and say what became of an attempt that nobody knew.

    He says what is so, and only when nothing is under way there any more.
    """
    found = story.some(story.billing.payments.list(status="unknown"))
    if found is None or story.clock.now - found.intended_at < timedelta(hours=6):
        return
    charge = next((each for each in story.gateway.charges if each.attempt == found.id), None)
    if charge is None:
        story.billing.payments.resolve(found.id, outcome="never_happened", reason="looked")
    elif charge.outcome is Outcome.SUCCEEDED:
        story.billing.payments.resolve(
            found.id, outcome="succeeded", reference=charge.reference, reason="looked"
        )


# ---- what was lost ---------------------------------------------------------------------------


def orphan(story: Simulation) -> None:
    """Let the gateway have a charge that the books lost, and go through its list at once.

    That is what a host does who restored a backup.
    """
    found = story.some(story.billing.invoices.list(status="open"))
    if found is None or found.collecting is not None:
        return
    ordinal = found.attempts + story.random.choice([1, 1, 2])
    id = payment_id(found.tenant, found.id, ordinal)
    intent = ChargeIntent(
        id,
        f"v1:{id}",
        found.amount_due,
        story.random.choice(ORPHANS),
        found.customer,
        {"tenant": found.tenant, "attempt": id, "invoice": found.id},
        story.clock.now,
    )
    # Nobody of ours sends it: it is not among the calls that were watched.
    try:
        FakeGateway.charge(story.gateway, intent)
    except ConnectionError:
        return
    # What a list does not have yet, no sweep can find.
    story.clock.now += timedelta(minutes=2)
    story.billing.sweep()


def sweep(story: Simulation) -> None:
    """Go through the gateway's books."""
    story.billing.sweep()
