"""Random stories of money: whatever comes together, the books agree and nobody pays twice.

Where each feature is tried alone elsewhere, here they meet: credit notes, disputes, refunds,
grants, balances, statements, authorisations, small amounts and dunning, with a gateway and a bank
that fail. After each step all records are held against each other and against the gateway's own
books; then the faults end, time goes on, and everything must come to rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import pytest
from attrs import define, evolve, field

from subscriptions import Billing, DomainError, Money, OneOff, TaxRate, TaxRates
from subscriptions.decisions import RecordParked
from subscriptions.disputes import DisputeKind, DisputePolicy, Reopen
from subscriptions.dunning import DunningReminderDue, DunningStarted
from subscriptions.gateways.fake import FakeGateway
from subscriptions.grants import Category, Rollover
from subscriptions.invoices import (
    INVOICE,
    Invoice,
    InvoiceMarkedUncollectible,
    InvoicePaid,
    InvoiceReopened,
    InvoiceVoided,
    Open,
)
from subscriptions.payments import PAYMENT, ChargeIntent, Outcome, Payment, PaymentSnapshot
from subscriptions.statements import StatementLine
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, audit, eur, open_shop

T = TypeVar("T")

EVERYTHING = 1000
"""More than any story has of a kind: one page is all."""
TOKENS = (
    *["tok_visa"] * 3,
    "tok_sepa_debit",
    "tok_sepa_debit_returned",
    "tok_insufficient_funds_twice",
    "tok_lost_card",
    "tok_requires_action",
    "tok_timeout_executed",
)
CODES = ("AM04", "MS03", "AC04", "MD06", "XX99")
# What the shop's audit says of a moment at which the gateway knows more than anybody told, or of
# documents that were made again: it is judged at the end.
NOT_YET = ("that succeeded was made", "attempts at once", "was billed [Period", "was given back of")


class Watched(FakeGateway):
    """Charges nothing below half a euro, and notes what it should never have been asked."""

    def __init__(self, storage: Storage, *, least: bool) -> None:
        super().__init__()
        minimums = (eur("0.50"),) if least else ()
        self.capabilities = evolve(self.capabilities, minimums=minimums)
        self.wrong: list[str] = []
        self._read = storage
        self._asked: set[str] = set()

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Look at what is stored before a charge is first made: it is owed, to it alone."""
        payment = self._read.load("default", PAYMENT, [intent.attempt_id]).get(intent.attempt_id)
        if payment is None:
            self.wrong.append(f"{intent.attempt_id} is not stored")
        elif payment.invoice is not None and payment.id not in self._asked:
            ids = [payment.invoice, *[part.invoice for part in payment.also]]
            found = self._read.load("default", INVOICE, ids)
            due = sum(found[id].due_minor for id in ids)
            alone = all(found[id].collecting == payment.id for id in ids)
            is_open = all(isinstance(found[id].state, Open) for id in ids)
            if intent.amount.minor > due or not alone or not is_open:
                self.wrong.append(f"{intent} is not owed: {found}")
        self._asked.add(intent.attempt_id)
        return super().charge(intent)


@define
class Story:
    """One story; what is drawn and refused is skipped, and `findings` is what went wrong."""

    random: Random
    shop: Shop
    gateway: Watched
    findings: list[str] = field(factory=list[str])
    done: Counter[str] = field(factory=Counter[str])
    _customers: list[str] = field(init=False, factory=list[str])
    _prices: list[str] = field(init=False, factory=list[str])
    _messages: list[str] = field(init=False, factory=list[str])
    _settled: dict[str, str] = field(init=False, factory=dict[str, str])
    _events: int = field(init=False, default=0)

    @property
    def billing(self) -> Billing:
        return self.shop.billing

    def open(self) -> None:
        """Let there be customers with cards and without, each with a subscription."""
        prices = [self.shop.price(eur(a), name=a) for a in ("0.30", "9.99", "31.00")]
        self._prices = [price.id for price in prices]
        for token in ("tok_visa", None, self.random.choice(TOKENS)):
            self._customers.append(self.shop.customer(token).id)
            price = self.random.choice(self._prices)
            self.billing.subscriptions.create(self._customers[-1], [price])

    def step(self) -> None:
        """Do one thing; a command that is refused changes nothing."""
        (does,) = self.random.choices(list(COMMANDS), list(COMMANDS.values()))
        try:
            does(self)
        except DomainError:
            return
        finally:
            self.check()
        self.done[does.__name__] += 1

    # ---- what is owed ---------------------------------------------------------------------------

    def invoice(self) -> None:
        lines = [OneOff(f"Work {n}", self._amount()) for n in range(self.random.randint(1, 3))]
        self.billing.invoices.create_one_off(
            self._customer(),
            lines,
            finalize=self.random.random() < 0.9,
            collection_method=self.random.choice([None, None, "send_invoice"]),
        )

    def finalize(self) -> None:
        self.billing.invoices.finalize(self._one(self._invoices("draft")).id)

    def void(self) -> None:
        self.billing.invoices.void(self._one(self._invoices()).id, reason="wrong")

    def regenerate(self) -> None:
        self.billing.invoices.regenerate(self._one(self._invoices("void")).id)

    def give_up(self) -> None:
        open_ones = self._invoices("open")
        self.billing.invoices.mark_uncollectible(self._one(open_ones).id, reason="hopeless")

    def credit(self) -> None:
        invoice = self._one(self._invoices())
        paid = Money(max(1, invoice.total_minor - invoice.due_minor), invoice.currency)
        given: dict[str, Any] = {}
        if self.random.random() < 0.6:
            given["amount"] = self._amount()
        if (to := self.random.choice([None, None, "refund", "balance", "outside"])) is not None:
            given[to] = given.get("amount", paid)
        self.billing.credit_notes.create(invoice.id, reason="outage", **given)

    def cancel(self) -> None:
        found = self._one(self.billing.subscriptions.list(limit=EVERYTHING))
        how = self.random.choice(["none", "credit", "refund"])
        self.billing.subscriptions.cancel(found.id, when="now", settlement=how)

    def subscribe(self) -> None:
        prices = [self.random.choice(self._prices)]
        first = self.random.random() < 0.5
        self.billing.subscriptions.create(self._customer(), prices, require_payment=first)

    # ---- what comes in --------------------------------------------------------------------------

    def pay(self) -> None:
        self.billing.invoices.pay(self._one(self._invoices("open")).id)

    def record(self) -> None:
        found = self._one(self._invoices(self.random.choice(["open", "open", "uncollectible"])))
        minor = self.random.choice(
            [found.due_minor, found.due_minor // 2, found.due_minor + 150, 1]
        )
        to = self.random.choice(["oldest", "newest", "reference"])
        self.billing.payments.record(
            found.customer,
            Money(max(1, minor), found.currency),
            to=to,
            text=found.number or "",
            keep=self.random.random() < 0.4,
        )

    def import_lines(self) -> None:
        customer = self._customer()
        owed = [each for each in self._invoices("open") if each.customer == customer]
        named = self.random.sample(owed, min(len(owed), self.random.randint(1, 3)))
        minor = sum(each.due_minor for each in named) + self.random.choice([0, 0, 1])
        text = " ".join([each.number or "" for each in named])
        day = self.shop.clock().date()
        line = StatementLine(day, Money(minor, eur("1").currency), iban="DE02", text=text)
        for _ in range(2):
            self.billing.payments.import_statement([line] * self.random.choice([1, 2]), account="X")

    def assign(self) -> None:
        lines = [each.line for each in self.billing.payments.unmatched() if each.line is not None]
        self.billing.payments.assign(self._one(lines).id, self._customer())

    def allocate(self) -> None:
        self.billing.payments.allocate(self._one(self._payments("succeeded")).id)

    def deallocate(self) -> None:
        payment = self._one([each for each in self._payments("succeeded") if each.allocations])
        part = self.random.choice(payment.allocations)
        half = Money(max(1, part.amount_minor // 2), payment.currency)
        amount = self.random.choice([None, half])
        self.billing.payments.deallocate(payment.id, part.invoice, amount)

    def put_on_balance(self) -> None:
        self.billing.payments.put_on_balance(self._one(self.billing.payments.unallocated()).id)

    def authorize(self) -> None:
        found = self._one(self._invoices("open"))
        amount = Money(found.due_minor + self.random.choice([0, 100]), found.currency)
        self.billing.payments.authorize(found.customer, amount, invoice=found.id)

    def capture(self) -> None:
        held = self._one(self._payments("authorized"))
        faults: list[Callable[[], None]] = [
            lambda: self.gateway.time_out_capture_next(executed=True),
            lambda: self.gateway.time_out_capture_next(executed=False),
            self.gateway.decline_capture_next,
            lambda: None,
        ]
        self.random.choice(faults)()
        minor = self.random.choice([held.amount_minor, 1, held.amount_minor + 1])
        self.billing.payments.capture(held.id, Money(minor, held.currency))

    def release(self) -> None:
        self.billing.payments.release(self._one(self._payments("authorized")).id)

    # ---- what goes back -------------------------------------------------------------------------

    def refund(self) -> None:
        taken = [each for each in self._payments("succeeded") if each.refundable]
        payment = self._one([each for each in taken if each.gateway == "card"])
        faults: list[Callable[[], None]] = [
            self.gateway.fail_refund_next,
            lambda: self.gateway.pend_refund_next(days=2, succeed=False),
            lambda: self.gateway.time_out_refund_next(executed=True),
            lambda: self.gateway.time_out_refund_next(executed=False),
            lambda: None,
        ]
        self.random.choice(faults)()
        half = Money(max(1, payment.refundable.minor // 2), payment.currency)
        amount = self.random.choice([None, half])
        self.billing.payments.refund(payment.id, amount, reason="a mistake")

    def send_back(self) -> None:
        made = self.billing.payments.refunds(status="succeeded", limit=EVERYTHING)
        self.gateway.send_back(self._one(made).id)

    def dispute(self) -> None:
        payment = self._one([x for x in self._payments("succeeded") if x.gateway == "card"])
        # What several want of it at once is another matter: it is parked for a person.
        open_ones = [x for x in self.gateway.disputes if x.attempt == payment.id]
        left = 0 if open_ones else self.gateway.kept_minor(payment.id)
        if left <= 0:
            raise Nothing
        amount = Money(self.random.choice([left, max(1, left // 2)]), payment.currency)
        if self.random.random() < 0.3:
            self.gateway.return_debit(payment.id, self.random.choice(CODES), amount)
        else:
            self.gateway.open_dispute(payment.id, amount, kind=DisputeKind.CHARGEBACK)

    def end_dispute(self) -> None:
        found = self._one([each for each in self.gateway.disputes if each.status == "opened"])
        gateway = self.gateway
        ends = (gateway.win_dispute, gateway.lose_dispute, gateway.withdraw_dispute)
        self.random.choice(ends)(found.reference)

    # ---- what is given, and to what it is charged -----------------------------------------------

    def adjust(self) -> None:
        amount = self._amount() * self.random.choice([1, 1, -1])
        self.billing.balance.adjust(self._customer(), amount, reason="goodwill")

    def grant(self) -> None:
        expires = self.shop.clock() + timedelta(days=self.random.randint(1, 40))
        self.billing.balance.grant(
            self._customer(),
            self._amount(),
            category=self.random.choice(list(Category)),
            priority=self.random.choice([10, 50]),
            expires=expires,
            rollover=self.random.choice([None, Rollover(50, days=20, times=2)]),
        )

    def void_grant(self) -> None:
        found = self.billing.balance.grants(self._customer(), limit=EVERYTHING)
        self.billing.balance.void_grant(self._one(found).id, reason="a mistake")

    def attach(self) -> None:
        self.billing.payment_methods.attach(self._customer(), self.random.choice(TOKENS))

    def detach(self) -> None:
        self.billing.payment_methods.detach(self._one(self.billing.payment_methods.list()).id)

    def set_backup(self) -> None:
        self.billing.payment_methods.set_backup(self._one(self.billing.payment_methods.list()).id)

    # ---- what goes wrong, and time --------------------------------------------------------------

    def script(self) -> None:
        gateway = self.gateway
        faults: list[Callable[[], None]] = [
            gateway.decline_next,
            lambda: gateway.decline_next("lost_card"),
            lambda: gateway.time_out_next(executed=True),
            lambda: gateway.time_out_next(executed=False),
            gateway.refuse_connection_next,
            gateway.require_action_next,
            lambda: gateway.process_next(days=4, succeed=False),
            gateway.ignore_next,
        ]
        self.random.choice(faults)()

    def act(self) -> None:
        waits = [x for x in self.gateway.charges if x.outcome is Outcome.REQUIRES_ACTION]
        self.gateway.complete_action(self._one(waits).attempt)

    def hear(self) -> None:
        """Deliver what the gateway has to tell, most of it, and some of it again."""
        for message in self.gateway.webhooks():
            self._messages.append(message.id)
            if self.random.random() < 0.8:
                self._deliver(message.id)
        for id in self.random.choices(self._messages or [""], k=2):
            self._deliver(id)

    def wait(self) -> None:
        self.shop.time.advance(days=self.random.choice([1, 1, 3, 10, 20]))

    def heal(self) -> None:
        """End all faults, tell all that was not told, let months pass, and see what is left."""
        self.gateway.forget_scripts()
        for round_ in range(6):
            if round_ == 3:
                for each in self.billing.subscriptions.list(limit=EVERYTHING):
                    if each.status not in ("canceled", "expired"):
                        self.billing.subscriptions.cancel(each.id, when="now")
            self._messages += [message.id for message in self.gateway.webhooks()]
            for id in self._messages:
                self._deliver(id)
            self.billing.sweep()
            self.shop.time.advance(days=9)
            self.check()
        self._judge_the_end()

    # ---- what must hold -------------------------------------------------------------------------

    def check(self) -> None:
        """Hold all records against each other, and against the gateway's own books."""
        found = [x for x in audit(self.shop) if not any(each in x for each in NOT_YET)]
        self.findings += [*found, *self.gateway.wrong]
        self.findings += [str(alert) for alert in self.gateway.alerts]
        payments = {payment.id: payment for payment in self._payments()}
        live = Counter(
            payment.invoice
            for payment in payments.values()
            if payment.live and payment.authorization is None
        )
        self.findings += [f"{n} charges at once of {id}" for id, n in live.items() if n > 1]
        cases = Counter(
            case.invoice
            for case in self.billing.dunning.list(limit=EVERYTHING)
            if case.status in ("running", "held")
        )
        for invoice in self._invoices():
            owed = invoice.status == "open"
            attempt = None if invoice.collecting is None else payments[invoice.collecting]
            laws = {
                "what is open is owed": not owed or invoice.due_minor > 0,
                "only what is owed is dunned": owed or not (invoice.dunning or cases[invoice.id]),
                "there is one case": cases[invoice.id] <= 1,
                "who collects it is at work": attempt is None or attempt.live,
            }
            self.findings += [f"{invoice}: {law}" for law, holds in laws.items() if not holds]
        self._replay()

    def _replay(self) -> None:
        """Read what happened since: nobody who has paid is contacted, and nothing is parked."""
        events = list(self.billing.events.list(limit=EVERYTHING))
        for event in events[self._events :]:
            match event.body:
                case InvoicePaid(invoice=invoice) | InvoiceVoided(invoice=invoice):
                    self._settled[invoice] = event.type
                case InvoiceMarkedUncollectible(invoice=invoice):
                    self._settled[invoice] = event.type
                case InvoiceReopened(invoice=invoice):
                    self._settled.pop(invoice, None)
                case DunningStarted(invoice=invoice) | DunningReminderDue(invoice=invoice):
                    if invoice in self._settled:
                        self.findings.append(f"{event} after {self._settled[invoice]}")
                case RecordParked(kind=kind) if kind != PAYMENT.name:
                    # A dispute may take what the customer has spent: that is for a person.
                    self.findings.append(str(event))
                case _:
                    pass
        self._events = len(events)

    def _judge_the_end(self) -> None:
        for payment in self._payments():
            if payment.live and payment.status not in ("requires_action", "processing"):
                self.findings.append(f"nobody knows {payment}")
            if payment.gateway == "card":
                gone = payment.refunded_minor + payment.disputed_minor
                mine = payment.amount_minor - gone if payment.status == "succeeded" else 0
                if mine != self.gateway.kept_minor(payment.id):
                    self.findings.append(f"the gateway has another amount of {payment}")
        refunds = self.billing.payments.refunds(limit=EVERYTHING)
        self.findings += [f"nobody knows {refund}" for refund in refunds if refund.open]
        small = {
            id
            for customer in self.billing.customers.list(limit=EVERYTHING)
            for id in (*customer.small_debts, *self._of_held(customer.id))
        }
        for invoice in self._invoices("open"):
            waits = invoice.dunning or invoice.collecting is not None or invoice.id in small
            if not waits and (invoice.due_at is None or invoice.due_at <= self.shop.clock()):
                self.findings.append(f"nobody looks after {invoice}")

    def _of_held(self, customer: str) -> list[str]:
        """Return the invoices of a customer to whom nothing is charged for now."""
        if self.billing.customers.get(customer).collection_hold is None:
            return []
        return [each.id for each in self._invoices("open") if each.customer == customer]

    # ---- drawing --------------------------------------------------------------------------------

    def _customer(self) -> str:
        return self.random.choice(self._customers)

    def _amount(self) -> Money:
        minor = self.random.choice([1, 3, 49, self.random.randint(1, 4000)])
        return Money(minor, eur("1").currency)

    def _invoices(self, status: str | None = None) -> list[Invoice]:
        return list(self.billing.invoices.list(status=status, limit=EVERYTHING))

    def _payments(self, status: str | None = None) -> list[Payment]:
        return list(self.billing.payments.list(status=status, limit=EVERYTHING))

    def _one(self, found: Iterable[T]) -> T:
        """Draw one; where there is none, nothing is done."""
        every = list(found)
        if not every:
            raise Nothing
        return self.random.choice(every)

    def _deliver(self, id: str) -> None:
        if id:
            message = self.gateway.send_again(id)
            self.billing.webhooks.receive("card", message.raw, message.headers)


class Nothing(DomainError):
    """There is nothing to do it with."""


COMMANDS: dict[Callable[[Story], None], int] = {
    Story.invoice: 4,
    Story.finalize: 1,
    Story.void: 1,
    Story.regenerate: 1,
    Story.give_up: 1,
    Story.credit: 4,
    Story.cancel: 1,
    Story.subscribe: 2,
    Story.pay: 2,
    Story.record: 4,
    Story.import_lines: 2,
    Story.assign: 1,
    Story.allocate: 3,
    Story.deallocate: 2,
    Story.put_on_balance: 1,
    Story.authorize: 3,
    Story.capture: 6,
    Story.release: 1,
    Story.refund: 4,
    Story.send_back: 1,
    Story.dispute: 3,
    Story.end_dispute: 3,
    Story.adjust: 2,
    Story.grant: 2,
    Story.void_grant: 1,
    Story.attach: 2,
    Story.detach: 1,
    Story.set_backup: 1,
    Story.script: 4,
    Story.act: 1,
    Story.hear: 4,
    Story.wait: 5,
}


def begin(seed: int, storage: Storage) -> Story:
    """Open a shop as the seed says, and let its customers come."""
    random = Random(seed)
    gateway = Watched(storage, least=random.random() < 0.5)
    policy = DisputePolicy(reopen=random.choice(list(Reopen)), hold_method=random.random() < 0.5)
    taxes = TaxRates({"DE": TaxRate("19")})
    shop = open_shop(storage, gateways={"card": gateway}, disputes=policy, taxes=taxes)
    story = Story(random, evolve(shop, gateway=gateway), gateway)
    story.open()
    return story


@pytest.mark.parametrize("seed", range(8))
def test_no_story_loses_or_doubles_money(storage: Storage, seed: int) -> None:
    story = begin(seed, storage)
    for place in range(40):
        story.step()
        assert story.findings == [], f"after step {place}"
    story.heal()
    assert story.findings == []
    assert len(story.done) > 8, "hardly anything could be done"
