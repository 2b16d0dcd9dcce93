"""What must hold of grants, disputes, credit notes, what is held, bank lines and messages."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from subscriptions.disputes import DisputeKind, DisputeStatus
from subscriptions.grants import Cause, sums_of
from subscriptions.invoices import Void
from subscriptions.payments import PaymentRestored, PaymentWithheld, Succeeded
from subscriptions.review import Matter
from subscriptions.statements import Booked
from tests.simulation.view import TAKEN_TWICE, Findings, View


def i23_grants_are_the_sum_of_their_entries(view: View) -> Findings:
    """What is left of a grant is what came and went, and what grants paid is on the invoices."""
    findings: Findings = []
    held = {each.id: each.left_minor for owner in view.customers for each in owner.grants}
    for grant in view.grants:
        entries = [each for each in view.grant_entries if each.grant == grant.id]
        running = 0
        for entry in entries:
            running += entry.amount_minor
            if not 0 <= running == entry.left_minor <= grant.amount_minor:
                findings.append(f"{entry.id}: {entry.left_minor}, not {running}")
        if not grant.left_minor == running == sums_of(entries).left_minor:
            findings.append(f"{grant.id} has {grant.left_minor}, not {running}")
        if held.pop(grant.id, None) != (grant.left_minor if grant.live else None):
            findings.append(f"{grant.id} is {grant.status}, its customer knows another state")
    paid = Counter[str]()
    for entry in view.grant_entries:
        if entry.cause in (Cause.APPLIED, Cause.RETURNED) and entry.credit_note is None:
            paid[str(entry.invoice)] -= entry.amount_minor
    return [
        *findings,
        *[f"customers know {id}, which is nowhere" for id in held],
        *[
            f"{invoice.id}: {invoice.granted_minor} granted, {paid[invoice.id]} in entries"
            for invoice in view.invoices
            if paid[invoice.id] != (0 if isinstance(invoice.state, Void) else invoice.granted_minor)
        ],
    ]


def i24_disputes_take_what_they_say_and_no_more(view: View) -> Findings:
    """Once they took effect, disputes have taken what they say of each payment, no part twice."""
    findings: Findings = []
    moved = Counter[str]()
    for event in view.events:
        match event.body:
            case PaymentWithheld(payment=id, amount=amount):
                moved[id] += amount.minor
            case PaymentRestored(payment=id, amount=amount):
                moved[id] -= amount.minor
            case _:
                pass
    for payment in view.payments:
        mine = [each for each in view.disputes if each.payment == payment.id]
        waits = any(each.apply_at is not None for each in mine)
        there = payment.amount_minor - payment.refunding_minor - payment.refunded_minor
        taken = min(there, sum([each.taken_minor for each in mine]))
        settled = isinstance(payment.state, Succeeded) and not waits and payment.parked is None
        if settled and payment.disputed_minor != taken:
            findings.append(f"{payment.id} is short of {payment.disputed_minor}, not of {taken}")
        if moved[payment.id] != payment.disputed_minor:
            findings.append(f"{payment.id}: {moved[payment.id]} in events")
        withheld = payment.unbalanced_minor + sum([p.amount_minor for p in payment.withheld])
        if withheld > payment.disputed_minor:
            findings.append(f"{payment.id} withholds {withheld} of {payment.disputed_minor}")
    return findings


def i25_a_bank_line_is_one_payment(view: View) -> Findings:
    """What the bank wrote once is kept once, and is booked as one payment of that amount."""
    lines = Counter([each.line.bank_reference for each in view.bank_lines])
    payments = {each.id: each for each in view.payments}
    findings = [f"{reference} is kept {n} times" for reference, n in lines.items() if n > 1]
    booked = [each for each in view.bank_lines if isinstance(each.state, Booked)]
    findings += [
        f"{each.id} is booked as {each.payment}"
        for each in booked
        if each.payment is None
        or each.payment not in payments
        or payments[each.payment].amount != each.line.amount
    ]
    named = Counter(each.payment for each in booked)
    return findings + [f"{id} is {n} lines" for id, n in named.items() if n > 1]


def i26_credit_notes_are_divided_in_full(view: View) -> Findings:
    """The parts of a credit note are its total, and notes take no more off than was invoiced."""
    findings: Findings = []
    total, taken_off = Counter[str](), Counter[str]()
    for note in view.notes:
        parts = note.division
        given = parts.refund_minor + parts.balance_minor + parts.outside_minor + parts.granted_minor
        if parts.open_minor + given != note.total_minor:
            findings.append(f"{note.id} comes to {note.total_minor}, divided are {parts}")
        total[note.invoice] += note.total_minor
        taken_off[note.invoice] += parts.open_minor
    return findings + [
        f"{invoice.id}: {total[invoice.id]} credited of {invoice.total_minor}, "
        f"{taken_off[invoice.id]} off what was owed, it says {invoice.credited_minor}"
        for invoice in view.invoices
        if total[invoice.id] > max(0, invoice.total_minor)
        or taken_off[invoice.id] != invoice.credited_minor
    ]


def i27_what_is_held_is_taken_once(view: View) -> Findings:
    """No authorisation is captured twice or beyond what is held, and no key has two meanings."""
    taken = Counter(each.intent.attempt_id for each in view.captures)
    return [
        *[f"{id} was captured {n} times" for id, n in taken.items() if n > 1],
        *[
            f"{each.reference}: {each.captured_minor} taken of {each.intent.amount}"
            for each in view.charges
            if each.captured_minor > each.intent.amount.minor
        ],
        *[str(each) for each in view.alerts],
    ]


def i28_a_message_counts_once(view: View) -> Findings:
    """What a gateway tells is kept once, and looked at no more when it has had its effect."""
    kept = Counter((each.gateway, each.event) for each in view.messages)
    now = {each.id: each for each in view.messages}
    return [
        *[
            f"{event} of {gateway} is kept {n} times"
            for (gateway, event), n in kept.items()
            if n > 1
        ],
        *[
            f"{each.event} was processed, and then again"
            for each in view.processed_before
            if now.get(each.id) != each
        ],
    ]


# ---- in the end ------------------------------------------------------------------------------


def i33_we_and_the_gateway_agree_on_disputes(view: View) -> Findings:
    """In the end a dispute stands here as there, and a payment has what the gateway left of it."""
    ours = {each.reference: each.status.value for each in view.disputes}
    findings = [
        f"{each.reference} is {ours.get(each.reference)}, the gateway says {each.status.value}"
        for each in view.disputed
        if ours.get(each.reference) != each.status.value
    ]
    taken = Counter[str]()
    for each in view.disputed:
        taken[each.attempt] += each.taken_minor
    return findings + [
        f"{payment.id} is short of {payment.disputed_minor}, the gateway took {taken[payment.id]}"
        for payment in view.payments
        if payment.disputed_minor != taken[payment.id]
    ]


def i34_nothing_is_held_for_ever(view: View) -> Findings:
    """In the end the gateway holds nothing of what nobody captured."""
    return [
        f"{charge.attempt} is held still"
        for charge in view.charges
        if charge.capturable_minor and charge.created_at < view.now - timedelta(days=12)
    ]


def i35_no_message_waits_for_ever(view: View) -> Findings:
    """In the end every message had its effect."""
    return [
        f"{each.id} is {each.status}: {each.event}"
        for each in view.messages
        if each.status in ("waiting", "unmatched")
    ]


def i36_nobody_must_look_at_what_came_right(view: View) -> Findings:
    """In the end a person must look at disputes that ask for evidence, and at no more than those.

    And at debits that came back for a reason after which nothing is charged by itself, and where
    disputes took what had been given back or spent.
    """
    asking = {
        each.id
        for each in view.disputes
        if each.status is DisputeStatus.OPENED or each.kind is DisputeKind.RETURN
    }
    return [
        f"{each.matter} of {each.subject}: {each.facts}"
        for each in view.review
        if each.status == "open"
        and not (each.matter is Matter.DISPUTE and each.subject in asking)
        and not (each.matter is Matter.PARKED and each.facts.startswith(TAKEN_TWICE))
    ]
