"""What must hold after every step: each invariant is a pure function of a view of the world.

An invariant returns what breaks it, in words; an empty list is the only good answer. The gateway's
side is read from its own books, never from ours. Those in `WHEN_QUIET` hold once the faults are
over and time has passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from subscriptions.dunning import DunningCase
from subscriptions.invoices import Draft, Invoice, Open, Paid, Void
from subscriptions.lifecycle import Current, Ended, Subscription
from subscriptions.payments import (
    Capturing,
    Outcome,
    Payment,
    PaymentDeallocated,
    Succeeded,
)
from subscriptions.pending_items import Invoiced
from subscriptions.refunds import Refund, RefundOutcome
from subscriptions.reports.ledger import ledger_of
from tests.simulation.money_invariants import (
    i23_grants_are_the_sum_of_their_entries,
    i24_disputes_take_what_they_say_and_no_more,
    i25_a_bank_line_is_one_payment,
    i26_credit_notes_are_divided_in_full,
    i27_what_is_held_is_taken_once,
    i28_a_message_counts_once,
    i33_we_and_the_gateway_agree_on_disputes,
    i34_nothing_is_held_for_ever,
    i35_no_message_waits_for_ever,
    i36_nobody_must_look_at_what_came_right,
)
from tests.simulation.view import REPLAY, TAKEN_TWICE, WAITED, Findings, Invariant, View


def i1_totals_are_sums(view: View) -> Findings:
    """The net of an invoice is the sum of its lines, its total is net plus tax."""
    return [
        invoice.id
        for invoice in view.invoices
        if invoice.net_minor != sum(line.net_minor for line in invoice.lines)
        or invoice.total_minor != invoice.net_minor + invoice.tax_minor
    ]


def i2_paid_is_what_was_allocated(view: View) -> Findings:
    """What an invoice says was paid is what succeeded payments were allocated to it."""
    allocated = Counter[str]()
    findings: Findings = []
    for payment in view.payments:
        if payment.allocations and not isinstance(payment.state, Succeeded):
            findings.append(f"{payment.id} pays, but is {payment.status}")
        if payment.unallocated.minor < 0:
            findings.append(f"{payment.id} pays more than it brought")
        for part in payment.allocations:
            allocated[part.invoice] += part.amount_minor
    return findings + [
        f"{invoice.id}: {invoice.paid_minor} paid, {allocated[invoice.id]} allocated"
        for invoice in view.invoices
        if invoice.paid_minor != allocated[invoice.id]
    ]


def i3_paid_means_nothing_is_due(view: View) -> Findings:
    """An open invoice still needs money, a paid one was paid in full, none more than that."""
    return [
        f"{invoice.id} is {invoice.status.value} with {invoice.due_minor} due"
        for invoice in view.invoices
        if (isinstance(invoice.state, Open) and invoice.due_minor <= 0)
        or (
            isinstance(invoice.state, Paid)
            and invoice.paid_minor
            + invoice.balance_minor
            + invoice.granted_minor
            + invoice.credited_minor
            != invoice.total_minor
        )
        or not 0 <= invoice.paid_minor <= max(0, invoice.total_minor)
    ]


def i4_every_final_invoice_has_a_number(view: View) -> Findings:
    """A draft has no number, every other invoice has one, and the audit of numbers is clean.

    What was dropped as a draft never had one.
    """
    odd = [
        i.id
        for i in view.invoices
        if (i.number is None) != isinstance(i.state, Draft)
        and not (isinstance(i.state, Void) and i.finalized_at is None)
    ]
    return odd + [str(finding) for finding in view.numbers]


def i5_one_attempt_at_a_time(view: View) -> Findings:
    """An invoice names the one attempt whose outcome is open, and there is no other."""
    live: dict[str, list[str]] = {}
    for payment in view.payments:
        # What is held for an invoice keeps nobody from paying it otherwise; a capture does.
        about = payment.invoice if payment.authorization is None else None
        if isinstance(payment.state, Capturing):
            about = payment.state.invoice
        if payment.live and about is not None:
            live.setdefault(about, []).append(payment.id)
    return [
        f"{invoice.id} collects {invoice.collecting}, open are {live.get(invoice.id)}"
        for invoice in view.invoices
        if live.get(invoice.id, []) != ([invoice.collecting] if invoice.collecting else [])
    ]


def i6_the_gateway_never_takes_more_than_the_total(view: View) -> Findings:
    """Over all charges that name an invoice, the gateway took at most what it ever came to.

    That is its total, and again what was taken back of what had paid it. A capture takes what was
    held, whatever is owed by then.
    """
    taken = Counter[str]()
    for charge in view.charges:
        if charge.outcome is Outcome.SUCCEEDED and not charge.captured_minor:
            taken[charge.invoice] += charge.amount.minor
    again = Counter[str]()
    for event in view.events:
        if isinstance(event.body, PaymentDeallocated):
            again[event.body.invoice] += event.body.amount.minor
    return [
        f"{invoice.id}: {taken[invoice.id]} taken of {invoice.total_minor}"
        for invoice in view.invoices
        if taken[invoice.id] > max(0, invoice.total_minor) + again[invoice.id]
    ]


def i7_only_what_is_owed_is_sent(view: View) -> Findings:
    """A charge is sent only for an open invoice, and for no more than is due on it."""
    return [
        f"{sent.intent.attempt_id} was sent for an invoice that is {sent.invoice.status.value}"
        for sent in view.sent
        if sent.invoice is not None
        and not (
            isinstance(sent.invoice.state, Open)
            and sent.intent.amount.minor <= sent.invoice.due_minor
        )
    ]


def i8_a_key_is_sent_again_only_in_its_window(view: View) -> Findings:
    """No key is sent when it is so old that the gateway may have forgotten it."""
    first: dict[str, datetime] = {}
    return [
        f"{sent.intent.attempt_id} was sent {sent.at - first[sent.intent.key]} after the first time"
        for sent in view.sent
        if sent.at - first.setdefault(sent.intent.key, sent.at) >= REPLAY
    ]


def i9_the_intent_is_committed_before_the_call(view: View) -> Findings:
    """When a charge is sent, its payment is stored with that amount; each one has one key."""
    keys: dict[str, set[str]] = {}
    for sent in view.sent:
        keys.setdefault(sent.intent.attempt_id, set()).add(sent.intent.key)
    unknown = [
        sent.intent.attempt_id
        for sent in view.sent
        if sent.payment is None or sent.payment.amount != sent.intent.amount
    ]
    return unknown + [f"{id} has {len(each)} keys" for id, each in keys.items() if len(each) > 1]


def i10_every_charge_is_known_here(view: View) -> Findings:
    """Each line of the gateway's books belongs to a payment of ours."""
    known = {payment.id for payment in view.payments}
    return [charge.reference for charge in view.charges if charge.attempt not in known]


def i11_dunning_is_about_open_invoices(view: View) -> Findings:
    """A case that is not over belongs to an open invoice in dunning, which has no other."""
    running = [case for case in view.cases if case.status in ("running", "held")]
    dunned = {i.id for i in view.invoices if i.dunning and isinstance(i.state, Open)}
    findings = [f"{case.id} runs" for case in running if case.invoice not in dunned]
    findings += [
        f"{id} has {n} cases" for id, n in Counter(c.invoice for c in running).items() if n > 1
    ]
    return findings + [
        f"{i.id} is {i.status.value} and in dunning"
        for i in view.invoices
        if i.dunning and not isinstance(i.state, Open)
    ]


def i12_past_due_names_what_is_dunned(view: View) -> Findings:
    """A running subscription is past due for exactly those of its invoices that are in dunning."""
    dunned: dict[str, set[str]] = {}
    for invoice in view.invoices:
        for subscription in invoice.subscriptions if invoice.dunning else ():
            dunned.setdefault(subscription, set()).add(invoice.id)
    findings: Findings = []
    for each in view.subscriptions:
        if isinstance(each.contract, Ended):
            continue
        named: set[str] = set()
        if not isinstance(each.collection, Current):
            named.update(each.collection.invoices)
        if named != dunned.get(each.id, set()):
            findings.append(f"{each.id} is {each.status} for {named}, not {dunned.get(each.id)}")
    return findings


def i13_every_period_is_billed_once(view: View) -> Findings:
    """The periods that were billed for an item are its first ones: none missing, none twice."""
    billed: dict[tuple[str, str], list[object]] = {}
    for invoice in view.invoices:
        # What was made again has the lines of the void one.
        for line in invoice.lines if invoice.replaced_by is None else ():
            if line.subscription is not None and line.price is not None:
                billed.setdefault((line.subscription, line.price), []).append(line.period)
    return [
        f"{each.id} was billed {billed.get((each.id, item.price))}"
        for each in view.subscriptions
        for item in each.items
        if sorted(map(str, billed.get((each.id, item.price), [])))
        != sorted(map(str, item.cycle.periods(until=item.through)))
    ]


def i14_nothing_is_parked(view: View) -> Findings:
    """No fault of a gateway and no crash is a matter for a person.

    What is: that disputes take money which was given back, or which the balance has spent.
    """
    return [
        f"{each.id}: {each.parked}"
        for each in _records(view)
        if each.parked is not None
        and not (isinstance(each, Payment) and each.parked.startswith(TAKEN_TWICE))
    ]


def i15_events_are_numbered_without_a_gap(view: View) -> Findings:
    """The events of a record count from 1, and its version is how many there are."""
    sequences: dict[str, list[int]] = {}
    for event in view.events:
        sequences.setdefault(event.subject, []).append(event.sequence)
    findings = [
        f"{subject}: {numbers}"
        for subject, numbers in sequences.items()
        if numbers != list(range(1, len(numbers) + 1))
    ]
    return findings + [
        f"{each.id} is at version {each.version} of {len(sequences.get(each.id, ()))} events"
        for each in _records(view)
        if len(sequences.get(each.id, ())) != each.version
    ]


def i16_events_are_handed_out_in_order(view: View) -> Findings:
    """A subscriber first sees events in the order in which they were stored; twice after a crash.

    A process may die after the subscriber had an event and before that was remembered.
    """
    ids = [event.id for event in view.handed_out]
    first = [*dict.fromkeys(ids)]
    findings: Findings = []
    if first != [event.id for event in view.events][: len(first)]:
        findings.append("events came in another order than they were stored")
    if len(ids) != len(first) and not view.crashes:
        findings.append("an event came twice")
    return findings


def i17_only_known_errors_are_raised(view: View) -> Findings:
    """A command is refused with a `DomainError`, or it works; a rollback leaves nothing behind."""
    return [*view.surprises]


def i18_a_balance_is_the_sum_of_its_entries(view: View) -> Findings:
    """What a customer has is what came and went, and it was never less than nothing."""
    running: dict[str, int] = {}
    findings: Findings = []
    for entry in view.entries:
        running[entry.customer] = running.get(entry.customer, 0) + entry.amount_minor
        if not 0 <= running[entry.customer] == entry.balance_minor:
            findings.append(f"{entry.id}: {entry.balance_minor}, not {running[entry.customer]}")
    return findings + [
        f"{customer.id} has {customer.balance}, not {running.get(customer.id, 0)}"
        for customer in view.customers
        if sum(amount.minor for amount in customer.balance) != running.get(customer.id, 0)
    ]


def i19_no_more_is_given_back_than_was_taken(view: View) -> Findings:
    """The refunds of a payment that did not fail are reserved on it, and are at most its amount."""
    wanted = Counter[str]()
    for refund in view.refunds:
        if refund.status != "failed":
            wanted[refund.payment] += refund.amount_minor
    return [
        f"{payment.id}: {wanted[payment.id]} of {payment.amount_minor}, known {known}"
        for payment in view.payments
        if (known := payment.refunding_minor + payment.refunded_minor) != wanted[payment.id]
        or known + payment.disputed_minor > payment.amount_minor
    ]


def i20_a_refund_is_made_once(view: View) -> Findings:
    """Each line of the gateway's books of refunds is one refund of ours, and none is made twice."""
    known = {refund.id: refund.amount for refund in view.refunds}
    odd = [made.reference for made in view.given_back if known.get(made.refund) != made.amount]
    made = Counter(
        made.refund for made in view.given_back if made.outcome is not RefundOutcome.FAILED
    )
    return odd + [f"{id} was made {times} times" for id, times in made.items() if times > 1]


def i21_the_ledger_holds(view: View) -> Findings:
    """What is booked adds up to zero, and is what every record says of itself."""
    ledger = ledger_of(
        [
            *view.invoices,
            *view.notes,
            *view.payments,
            *view.refunds,
            *view.entries,
            *view.grant_entries,
            *view.customers,
        ]
    )
    off = sum(amount.minor for amount in ledger.sums.values())
    return [f"the ledger is off by {off}"] * bool(off) + [str(each) for each in ledger.differences]


def i22_what_waited_is_invoiced_once(view: View) -> Findings:
    """Of what waited, each item is a line of the one invoice that it names; the rest is counted."""
    named = Counter(item.state.invoice for item in view.items if isinstance(item.state, Invoiced))
    waiting = Counter(item.waits_for for item in view.items if item.waits_for is not None)
    findings = [
        f"{invoice.id} has other lines than what it took"
        for invoice in view.invoices
        # What was made again repeats them.
        if invoice.replaces is None
        and sum(line.description == WAITED for line in invoice.lines) != named[invoice.id]
    ]
    return findings + [
        f"{each.id} says that {each.pending_items} wait, {waiting[each.id]} do"
        for each in view.customers
        if each.pending_items != waiting[each.id]
    ]


def i29_we_and_the_gateway_agree(view: View) -> Findings:
    """In the end an attempt succeeded here if, and only if, the gateway took its money.

    One that has just been made may have an answer that got lost.
    """
    taken = Counter[str]()
    for charge in view.charges:
        if charge.outcome is Outcome.SUCCEEDED:
            taken[charge.attempt] += charge.amount.minor
    return [
        f"{payment.id} is {payment.status}, the gateway took {taken[payment.id]}"
        for payment in view.payments
        if payment.gateway == "card"
        and not (payment.live and payment.intended_at >= view.now - timedelta(days=2))
        and taken[payment.id]
        != (payment.amount_minor if isinstance(payment.state, Succeeded) else 0)
    ]


def i30_no_outcome_stays_open(view: View) -> Findings:
    """In the end every attempt that is not quite new has an outcome."""
    return [
        f"{payment.id} stays {payment.status}"
        for payment in view.payments
        if payment.live and payment.intended_at < view.now - timedelta(days=12)
    ]


def i31_every_event_is_handed_out(view: View) -> Findings:
    """In the end the subscriber has had every event there is."""
    missing = {event.id for event in view.events} - {event.id for event in view.handed_out}
    return sorted(missing)


def i32_we_and_the_gateway_agree_on_refunds(view: View) -> Findings:
    """In the end every refund that is not quite new is known, as the gateway knows it."""
    outcomes = {made.refund: made.outcome.value for made in view.given_back}
    return [
        f"{refund.id} is {refund.status}, the gateway says {outcomes.get(refund.id)}"
        for refund in view.refunds
        if refund.status != outcomes.get(refund.id)
        and refund.intended_at < view.now - timedelta(days=12)
    ]


def _records(view: View) -> list[Invoice | Payment | Subscription | DunningCase | Refund]:
    return [*view.invoices, *view.payments, *view.subscriptions, *view.cases, *view.refunds]


ALWAYS: tuple[Invariant, ...] = (
    i1_totals_are_sums,
    i2_paid_is_what_was_allocated,
    i3_paid_means_nothing_is_due,
    i4_every_final_invoice_has_a_number,
    i5_one_attempt_at_a_time,
    i6_the_gateway_never_takes_more_than_the_total,
    i7_only_what_is_owed_is_sent,
    i8_a_key_is_sent_again_only_in_its_window,
    i9_the_intent_is_committed_before_the_call,
    i10_every_charge_is_known_here,
    i11_dunning_is_about_open_invoices,
    i12_past_due_names_what_is_dunned,
    i13_every_period_is_billed_once,
    i14_nothing_is_parked,
    i15_events_are_numbered_without_a_gap,
    i16_events_are_handed_out_in_order,
    i17_only_known_errors_are_raised,
    i18_a_balance_is_the_sum_of_its_entries,
    i19_no_more_is_given_back_than_was_taken,
    i20_a_refund_is_made_once,
    i21_the_ledger_holds,
    i22_what_waited_is_invoiced_once,
    i23_grants_are_the_sum_of_their_entries,
    i24_disputes_take_what_they_say_and_no_more,
    i25_a_bank_line_is_one_payment,
    i26_credit_notes_are_divided_in_full,
    i27_what_is_held_is_taken_once,
    i28_a_message_counts_once,
)
WHEN_QUIET: tuple[Invariant, ...] = (
    *ALWAYS,
    i29_we_and_the_gateway_agree,
    i30_no_outcome_stays_open,
    i31_every_event_is_handed_out,
    i32_we_and_the_gateway_agree_on_refunds,
    i33_we_and_the_gateway_agree_on_disputes,
    i34_nothing_is_held_for_ever,
    i35_no_message_waits_for_ever,
    i36_nobody_must_look_at_what_came_right,
)


def broken(view: View, invariants: Iterable[Invariant] = ALWAYS) -> Findings:
    """Return what is broken, each with the name of its invariant."""
    return [f"{each.__name__}: {what}" for each in invariants for what in each(view)]
