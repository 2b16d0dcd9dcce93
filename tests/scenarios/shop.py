"""A host for the scenarios: its billing, its gateway and its time, and an audit of its books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

from attrs import frozen

from subscriptions import Billing, Interval, Money, Seller, TaxRates
from subscriptions.balance import BalanceEntry
from subscriptions.billing_cycles import Period
from subscriptions.catalog import Price
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import Customer
from subscriptions.discounts import DiscountShare
from subscriptions.disputes import DEFAULT_POLICY as DEFAULT_DISPUTES
from subscriptions.disputes import Dispute, DisputePolicy
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.fake import FakeGateway
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice, Open, Paid
from subscriptions.lifecycle import Ended, Subscription
from subscriptions.payments import Outcome, Payment, Succeeded
from subscriptions.proration import DEFAULT as DEFAULT_PRORATION
from subscriptions.proration import Proration
from subscriptions.refunds import Refund, RefundOutcome
from subscriptions.storage import Storage
from subscriptions.tax_ids import DEFAULT_POLICY, TaxIdPolicy
from subscriptions.tax_quotes import DEFAULT_QUOTES, TaxQuotePolicy
from subscriptions.tax_services import TaxIdValidator, TaxProvider
from subscriptions.taxes import NO_TAX, TaxBehavior, TaxPolicy
from subscriptions.testing import TestClock, Timeline, counting_ids
from subscriptions.usecases.flows import DEFAULT_SAFETY, Safety

GOOD = "tok_visa"
MONTHLY = Interval.months(1)
YEARLY = Interval.years(1)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


@frozen
class Shop:
    """One seller with a scripted gateway, on logical time."""

    storage: Storage
    gateway: FakeGateway
    clock: TestClock
    billing: Billing
    time: Timeline

    def price(
        self,
        amount: Money | None = None,
        *,
        every: Interval | None = MONTHLY,
        name: str = "Pro",
        tax_behavior: TaxBehavior = TaxBehavior.EXCLUSIVE,
    ) -> Price:
        given = eur("29.00") if amount is None else amount
        return self.billing.catalog.add_price(name, given, every=every, tax_behavior=tax_behavior)

    def customer(
        self,
        token: str | None = GOOD,
        *,
        name: str = "Ada Lovelace",
        country: str = "DE",
        zone: str | None = None,
    ) -> Customer:
        """Return a customer; without a token one who pays by transfer."""
        customer = self.billing.customers.create(name=name, country=country, zone=zone)
        if token is not None:
            self.billing.payment_methods.attach(customer.id, token)
        return self.billing.customers.get(customer.id)

    def subscribe(
        self,
        customer: Customer,
        price: Price | None = None,
        *,
        quantity: int | Decimal = 1,
        start: date | None = None,
        trial_until: date | None = None,
    ) -> Subscription:
        """Subscribe a customer to a price, by default 29.00 EUR each month."""
        chosen = price or self.price()
        return self.billing.subscriptions.create(
            customer.id, [(chosen.id, quantity)], start=start, trial_until=trial_until
        )

    def subscription(self, subscription: Subscription) -> Subscription:
        """Return a subscription as it is now."""
        return self.billing.subscriptions.get(subscription.id)

    def invoices(self, customer: Customer | None = None) -> list[Invoice]:
        """Return the invoices of a customer, or all, in the order they were made."""
        found = self.billing.invoices.list(customer=None if customer is None else customer.id)
        return list(found)

    def only_invoice(self, customer: Customer | None = None) -> Invoice:
        """Return the one invoice that there is."""
        (invoice,) = self.invoices(customer)
        return invoice

    def payments(self, invoice: Invoice | None = None) -> list[Payment]:
        """Return the payments and attempts on an invoice, or all, in the order they were made."""
        found = self.billing.payments.list(invoice=None if invoice is None else invoice.id)
        return list(found)

    def lines(self, invoice: Invoice) -> list[str]:
        """Return the lines of an invoice: what for, of what, and how much after discounts."""
        return [
            f"{line.kind} {line.description} {line.amount - line.discount}"
            for line in invoice.lines
        ]

    def totals(self, customer: Customer | None = None) -> list[str]:
        """Return the totals of the invoices in the order they were made."""
        return [str(invoice.total) for invoice in self.invoices(customer)]

    def pending(self, subscription: Subscription) -> list[str]:
        """Return what waits for the next invoice: what for, of what, and how much."""
        now = self.subscription(subscription)
        return [
            f"{charge.kind} {charge.description} "
            f"{Money(charge.amount_minor - _taken_off(charge.discounts), now.currency)}"
            for charge in now.pending
        ]

    def periods(self, customer: Customer | None = None) -> list[str]:
        """Return what was billed, as `start/end`, line by line."""
        invoices = self.invoices(customer)
        return [str(line.period) for invoice in invoices for line in invoice.lines]

    def statuses(self, customer: Customer | None = None) -> list[str]:
        """Return the states of the invoices in the order they were made."""
        return [invoice.status.value for invoice in self.invoices(customer)]

    def deliver_webhooks(self) -> list[bool]:
        """Deliver what the gateway has to tell; returns whether each message had its effect."""
        receive = self.billing.webhooks.receive
        receipts = [receive("card", each.raw, each.headers) for each in self.gateway.webhooks()]
        return [receipt.status == "processed" for receipt in receipts]

    def events(self, subject: str | None = None) -> list[str]:
        """Return the stored names of all events, or of one record's, in order."""
        return [event.type for event in self.billing.events.list(subject=subject)]


def open_shop(
    storage: Storage,
    *,
    start: date | datetime = date(2027, 1, 1),
    seller: Seller | None = None,
    sellers: Sequence[Seller] = (),
    taxes: TaxRates | TaxPolicy = NO_TAX,
    gateways: Mapping[str, PaymentGateway] | None = None,
    tenant: str = "default",
    process: str = "",
    proration: Proration = DEFAULT_PRORATION,
    safety: Safety = DEFAULT_SAFETY,
    tax_ids: TaxIdValidator | None = None,
    tax_id_policy: TaxIdPolicy = DEFAULT_POLICY,
    tax_provider: TaxProvider | None = None,
    tax_quote_policy: TaxQuotePolicy = DEFAULT_QUOTES,
    disputes: DisputePolicy = DEFAULT_DISPUTES,
) -> Shop:
    """Open a shop on a storage; those that share one need a tenant or a `process` each."""
    gateway = FakeGateway()
    clock = TestClock(start)
    billing = Billing(
        storage=storage,
        gateways={"card": gateway, **(gateways or {})},
        seller=seller or Seller("Acme GmbH"),
        sellers=sellers,
        taxes=taxes,
        clock=clock,
        ids=counting_ids(process),
        tenant=tenant,
        webhook_secrets={"card": [gateway.webhook_secret]},
        proration=proration,
        safety=safety,
        tax_ids=tax_ids,
        tax_id_policy=tax_id_policy,
        tax_provider=tax_provider,
        tax_quote_policy=tax_quote_policy,
        disputes=disputes,
    )
    return Shop(storage, gateway, clock, billing, Timeline(billing, start))


def _taken_off(discounts: Iterable[DiscountShare]) -> int:
    return sum(share.amount_minor for share in discounts)


Findings: TypeAlias = list[str]
_OTHER_PERIODS = {"subscription.changed", "subscription.periods_skipped"}
_INTERRUPTIONS = {"subscription.resumed", "subscription.reactivated"}


def audit(shop: Shop) -> Findings:
    """Return what is wrong with a shop's books; nothing ever should be."""
    billing = shop.billing
    invoices = list(billing.invoices.list(limit=1000))
    payments = list(billing.payments.list(limit=1000))
    refunds = list(billing.payments.refunds(limit=1000))
    subscriptions = list(billing.subscriptions.list(limit=1000))
    findings = [str(finding) for finding in billing.reports.numbers()]
    findings += _books(billing)
    for invoice in invoices:
        findings += _sums(invoice, payments)
        notes = list(billing.credit_notes.list(invoice=invoice.id, limit=1000))
        lost = [part for each in payments for part in each.withheld if part.invoice == invoice.id]
        findings += _corrections(invoice, notes, sum(part.amount_minor for part in lost))
    for payment in payments:
        findings += _at_the_gateway(payment, shop.gateway)
        if payment.gateway == "card":
            findings += _given_back(payment, refunds, shop.gateway)
    for customer in billing.customers.list(limit=1000):
        findings += _balance(customer, list(billing.balance.entries(customer.id, limit=1000)))
    findings += _grants(billing, invoices)
    findings += _disputes(payments, list(billing.payments.disputes(limit=1000)))
    live = Counter(payment.invoice for payment in payments if payment.live)
    findings += [f"{n} attempts at once on {id}" for id, n in live.items() if n > 1]
    findings += _credits(invoices)
    for subscription in subscriptions:
        events = {*shop.events(subscription.id)}
        if not events & _OTHER_PERIODS:
            # Only what was paused, skipped or over for a while has time that nobody paid for.
            interrupted = bool(events & _INTERRUPTIONS)
            findings += _periods(subscription, invoices, interrupted=interrupted)
    return findings + _sequences(billing)


def _books(billing: Billing) -> Findings:
    ledger = billing.reports.ledger()
    sums: Counter[str] = Counter()
    for (_, currency), amount in ledger.sums.items():
        sums[currency.code] += amount.minor
    odd = [f"the ledger is off by {off} {code}" for code, off in sums.items() if off]
    return odd + [str(difference) for difference in ledger.differences]


def _sums(invoice: Invoice, payments: list[Payment]) -> Findings:
    name = invoice.number or invoice.id
    net = sum(line.net_minor for line in invoice.lines)
    tax = sum(group.tax_minor for group in invoice.taxes)
    # Several taxes on one net have that net as their base each.
    stacked = any(line.more_rates for line in invoice.lines)
    bases = net if stacked else sum(group.base_minor for group in invoice.taxes)
    allocated = sum(
        part.amount_minor
        for payment in payments
        for part in payment.allocations
        if part.invoice == invoice.id
    )
    laws = {
        "net is the sum of lines and of bases": net == bases == invoice.net_minor,
        "tax is the sum of taxes": tax == invoice.tax_minor,
        "total is net plus tax": net + tax == invoice.total_minor,
        "paid is what was allocated": allocated == invoice.paid_minor,
        "no more is paid than owed": 0 <= invoice.paid_minor <= max(0, invoice.total_minor),
        "it is paid when nothing is left to pay": (
            not isinstance(invoice.state, Open | Paid)
            or isinstance(invoice.state, Paid)
            == (
                invoice.paid_minor
                + invoice.balance_minor
                + invoice.granted_minor
                + invoice.credited_minor
                == invoice.total_minor
            )
        ),
    }
    return [f"{name}: {law}" for law, holds in laws.items() if not holds]


def _corrections(invoice: Invoice, notes: list[CreditNote], disputed_minor: int = 0) -> Findings:
    """Find what credit notes took too much of, and money that they lost."""
    lines: Counter[int] = Counter()
    for note in notes:
        for line in note.lines:
            lines[line.line] += line.amount_minor
    total = sum(note.total_minor for note in notes)
    taken_off = sum(note.division.open_minor for note in notes)
    laws = {
        "no more is credited of a line than it charged": all(
            abs(credited) <= abs(line.amount_minor - line.discount_minor)
            for place, credited in lines.items()
            for line in (invoice.lines[place],)
        ),
        "no more is credited than was invoiced": total <= max(0, invoice.total_minor),
        "what was taken off the open amount is known": taken_off == invoice.credited_minor,
        "no more is given back than was paid": (
            total - taken_off
            <= invoice.paid_minor
            + disputed_minor
            + max(0, invoice.balance_minor)
            + invoice.granted_minor
        ),
        "each part of a total goes somewhere": all(
            note.total == note.taken_off + note.refund + note.balance + note.outside + note.granted
            for note in notes
        ),
        "they are counted": [note.ordinal for note in notes] == [*range(1, len(notes) + 1)],
    }
    return [f"{invoice.number or invoice.id}: {law}" for law, holds in laws.items() if not holds]


def _at_the_gateway(payment: Payment, gateway: FakeGateway) -> Findings:
    taken = [
        charge
        for charge in gateway.charges
        if charge.attempt == payment.id and charge.outcome is Outcome.SUCCEEDED
    ]
    if len(taken) > 1:
        return [f"{payment.id} took money {len(taken)} times"]
    if payment.gateway == "card" and isinstance(payment.state, Succeeded) and not taken:
        return [f"{payment.id} took no money"]
    parts = sum(part.amount_minor for part in payment.allocations)
    # What was given back is taken from what pays no invoice first.
    gone = payment.refunding_minor + payment.refunded_minor + payment.disputed_minor
    free = max(0, payment.amount_minor - parts - payment.balanced_minor - gone)
    if isinstance(payment.state, Succeeded) and payment.unallocated.minor != free:
        return [f"{payment.id} lost money"]
    return []


def _given_back(payment: Payment, refunds: list[Refund], gateway: FakeGateway) -> Findings:
    """Find what was given back twice, too much, or only here or there."""
    at_the_gateway: Counter[str] = Counter()
    for made in gateway.refunds:
        if made.attempt == payment.id and made.outcome is not RefundOutcome.FAILED:
            at_the_gateway[made.refund] += made.amount.minor
    mine = [refund for refund in refunds if refund.payment == payment.id]
    done = sum(each.amount_minor for each in mine if each.status == "succeeded")
    held = sum(each.amount_minor for each in mine if each.open)
    laws = {
        "no more is given back than was taken": (
            at_the_gateway.total() <= payment.amount_minor
            and payment.refunding_minor + payment.refunded_minor <= payment.amount_minor
        ),
        "each refund is made once": all(
            at_the_gateway[each.id] in (0, each.amount_minor) for each in mine
        ),
        "each that succeeded was made": all(
            at_the_gateway[each.id] for each in mine if each.status == "succeeded"
        ),
        "the payment knows": (payment.refunded_minor, payment.refunding_minor) == (done, held),
    }
    return [f"{payment.id}: {law}" for law, holds in laws.items() if not holds]


def _balance(customer: Customer, entries: list[BalanceEntry]) -> Findings:
    """Find a balance that is not the sum of its entries, or that ever was negative."""
    running: Counter[str] = Counter()
    findings: Findings = []
    for entry in entries:
        running[entry.currency.code] += entry.amount_minor
        if not 0 <= running[entry.currency.code] == entry.balance_minor:
            findings.append(f"{entry.id} comes to {running}, says {entry.balance}")
    there = {amount.currency.code: amount.minor for amount in customer.balance}
    if there != {code: minor for code, minor in running.items() if minor}:
        findings.append(f"{customer.id} has {there}, the entries say {running}")
    return findings


def _grants(billing: Billing, invoices: list[Invoice]) -> Findings:
    """Judge every grant by its entries alone: what was granted is somewhere, and only once."""
    entries = list(billing.balance.grant_entries(limit=1000))
    of_invoice: Counter[str] = Counter()
    running: Counter[str] = Counter()
    findings: Findings = []
    for entry in entries:
        running[entry.grant] += entry.amount_minor
        if not 0 <= running[entry.grant] == entry.left_minor:
            findings.append(f"{entry.id} comes to {running[entry.grant]}, says {entry.left}")
        if entry.cause in {"applied", "returned"}:
            of_invoice[str(entry.invoice)] -= entry.amount_minor
    once = Counter((each.grant, each.invoice) for each in entries if each.cause == "applied")
    findings += [f"{place} was paid for {n} times" for place, n in once.items() if n > 1]
    for invoice in invoices:
        notes = billing.credit_notes.list(invoice=invoice.id) if invoice.granted_minor else ()
        returned = sum(note.division.granted_minor for note in notes)
        there = 0 if invoice.status == "void" else invoice.granted_minor - returned
        if of_invoice[invoice.id] != there:
            findings.append(f"{invoice.id} was paid {of_invoice[invoice.id]}, says {there}")
        if not 0 <= invoice.granted_minor <= max(0, invoice.total_minor):
            findings.append(f"{invoice.id} was paid {invoice.granted} of {invoice.total}")
    for customer in billing.customers.list(limit=1000) if entries else ():
        found = list(billing.balance.grants(customer.id, limit=1000))
        findings += [f"{g.id} has {g.left}" for g in found if g.left_minor != running[g.id]]
        live = {grant.id: grant for grant in found if grant.status in {"pending", "active"}}
        if live != {grant.id: grant for grant in customer.grants}:
            findings.append(f"{customer.id} holds {customer.grants}, there is {live}")
    return findings


def _disputes(payments: list[Payment], disputes: list[Dispute]) -> Findings:
    """Judge what disputes took by what they say themselves: once each, never more than there is."""
    wanted: Counter[str] = Counter()
    heard = Counter(dispute.payment for dispute in disputes)
    for dispute in disputes:
        gone = dispute.status == "lost" or (dispute.status == "opened" and dispute.funds_withdrawn)
        wanted[dispute.payment] += dispute.amount_minor if gone else 0
    findings: Findings = []
    for payment in payments:
        given_back = payment.refunding_minor + payment.refunded_minor
        took_money = isinstance(payment.state, Succeeded)
        expected = min(wanted[payment.id], payment.amount_minor - given_back) if took_money else 0
        if payment.disputed_minor != expected:
            findings.append(f"{payment.id}: {payment.disputed} disputed, not {expected}")
        if payment.disputes != heard[payment.id]:
            findings.append(f"{payment.id} has {heard[payment.id]} disputes")
        parts = sum(part.amount_minor for part in (*payment.allocations, *payment.withheld))
        used = parts + payment.balanced_minor + payment.unbalanced_minor
        if used > payment.amount_minor:
            findings.append(f"{payment.id} is used for {used}")
    return findings


def _credits(invoices: list[Invoice]) -> Findings:
    """Find lines of which more was given back than they charged."""
    given: Counter[tuple[str, int]] = Counter()
    for invoice in invoices:
        for line in invoice.lines:
            if line.credits is not None:
                given[line.credits.invoice, line.credits.line] -= line.amount_minor
    findings: Findings = []
    charged = {invoice.id: invoice.lines for invoice in invoices}
    for (id, place), amount_minor in given.items():
        line = charged[InvoiceId(id)][place]
        if not 0 <= amount_minor <= line.amount_minor - line.discount_minor:
            findings.append(f"{amount_minor} was given back of {line}")
    return findings


def _periods(subscription: Subscription, invoices: list[Invoice], *, interrupted: bool) -> Findings:
    findings: Findings = []
    whole = not interrupted
    for item in subscription.items:
        billed: list[Period] = [
            line.period
            for invoice in invoices
            for line in invoice.lines
            if invoice.replaced_by is None
            and line.subscription == subscription.id
            and line.item == item.number
            and line.price == item.price
            and line.period is not None
            and line.kind == "period"
        ]
        # What was given back may be sold again.
        given_back = any(
            line.kind == "credit"
            and (line.subscription, line.item) == (subscription.id, item.number)
            for invoice in invoices
            for line in invoice.lines
        )
        if given_back and interrupted:
            continue
        gaps = [
            (a, b) for a, b in pairwise(billed) if a.end > b.start or (a.end < b.start and whole)
        ]
        # Of what ended, the last part was billed in arrears, or the rest may have been given back.
        ended = isinstance(subscription.contract, Ended)
        through = billed[-1].end if billed and ended else item.through
        if billed and (gaps or billed[-1].end != through):
            findings.append(f"{subscription.id} was billed {billed}, until {item.through}")
    return findings


def _sequences(billing: Billing) -> Findings:
    sequences: dict[tuple[str, str], list[int]] = {}
    for event in billing.events.list(limit=1000):
        sequences.setdefault((event.kind, event.subject), []).append(event.sequence)
    return [
        f"events of {kind} {subject}: {numbers}"
        for (kind, subject), numbers in sequences.items()
        if numbers != list(range(1, len(numbers) + 1))
    ]
