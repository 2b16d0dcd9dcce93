"""A seeded simulator: random commands and faults on one seller, with the invariants after each.

One thread, one source of randomness, and time that moves only when a step moves it: the same seed
is the same story. A story has two parts. First commands, faults and crashes come as they like;
then the faults stop, time goes on, and everything must come to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Literal, TypeVar

from attrs import define, field

from subscriptions import (
    Billing,
    CancelSubscription,
    DomainError,
    DunningPolicy,
    Interval,
    MarkUncollectible,
    MarkUnpaid,
    Money,
    OneOff,
    Reminder,
    Retries,
    Seller,
    StorageError,
)
from subscriptions.balance import BALANCE_ENTRY
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import CUSTOMER
from subscriptions.disputes import DISPUTE
from subscriptions.dunning import DUNNING_CASE
from subscriptions.engine.binding import Page
from subscriptions.events import EVENT, Recorded
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.tokens import DECLINES
from subscriptions.grants import GRANT, GRANT_ENTRY
from subscriptions.ids import PaymentId
from subscriptions.inbox import INBOUND, Inbound
from subscriptions.invoices import INVOICE
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.payments import PAYMENT, ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.pending_items import PENDING_ITEM
from subscriptions.records import Kind, Record
from subscriptions.refunds import REFUND, Refund
from subscriptions.review import REVIEW_ITEM
from subscriptions.statements import BANK_LINE, StatementLine
from subscriptions.storage import Query, Storage
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points
from tests.simulation import money
from tests.simulation.invariants import WHEN_QUIET, broken
from tests.simulation.view import WAITED, Sent, View

R = TypeVar("R", bound=Record)

TENANT = "default"
START = datetime(2027, 1, 30, 21, 30, tzinfo=UTC)
ZONES = (None, "America/Havana", "Africa/Cairo", "Europe/Berlin")
TOKENS = (
    *["tok_visa"] * 4,
    "tok_sepa_debit",
    "tok_sepa_debit_returned",
    "tok_insufficient_funds",
    "tok_insufficient_funds_twice",
    "tok_lost_card",
    "tok_requires_action",
    "tok_timeout_executed",
    "tok_timeout_not_executed",
)
PRICES = (
    ("29.00", Interval.months(1)),
    ("7.77", Interval.weeks(1)),
    ("99.99", Interval.years(1)),
    ("0.00", Interval.months(1)),
    ("1.00", Interval.days(3)),
)
POLICIES = (
    None,
    DunningPolicy(retries=Retries.after_days(1, 3), final=MarkUnpaid()),
    DunningPolicy(
        retries=Retries.after_days(0, 2),
        steps=[Reminder(1), Reminder(3, 2)],
        final=CancelSubscription(),
    ),
    DunningPolicy(retries=Retries.after_days(2), final=MarkUncollectible(), final_after_days=5),
)
JUMP_HOURS_MAX = 20
HEALING = (timedelta(hours=8), 3 * 60)


class RolledBack(Exception):
    """The host changes its mind inside a transaction."""


class WatchedGateway(FakeGateway):
    """Takes down what is sent to it, and what was stored at that moment."""

    def __init__(self, clock: TestClock, storage: Storage, *, list_lag: timedelta) -> None:
        super().__init__(clock, list_lag=list_lag, multi_capture=True)
        self.sent: list[Sent] = []
        self._read = storage
        self._time = clock

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Take the call down, then answer it."""
        payment = self._read.load(TENANT, PAYMENT, [intent.attempt_id]).get(intent.attempt_id)
        invoice = None
        if payment is not None and payment.invoice is not None:
            invoice = self._read.load(TENANT, INVOICE, [payment.invoice]).get(payment.invoice)
        self.sent.append(Sent(self._time(), intent, payment, invoice))
        return super().charge(intent)


@define
class Simulation:
    """One story. `step` does the next thing, `heal` ends it; `findings` is what went wrong."""

    seed: int
    storage: Storage
    theme: str = ""
    clock: TestClock = field(factory=lambda: TestClock(START))
    points: Points = field(factory=Points)
    steps: list[str] = field(factory=list[str])
    findings: list[str] = field(factory=list[str])
    lines: list[StatementLine] = field(factory=list[StatementLine])
    random: Random = field(init=False)
    gateway: WatchedGateway = field(init=False)
    billing: Billing = field(init=False)
    _surprises: list[str] = field(init=False, factory=list[str])
    _handed_out: list[Recorded] = field(init=False, factory=list[Recorded])
    _messages: list[str] = field(init=False, factory=list[str])
    _customers: list[str] = field(init=False, factory=list[str])
    _prices: list[str] = field(init=False, factory=list[str])
    _favourites: tuple[str, ...] = field(init=False, default=())
    _processed: tuple[Inbound, ...] = field(init=False, default=())
    _crashes: int = field(init=False, default=0)
    _window_hours: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)
        self._window_hours = self.random.choice([0, 0, 5, 50])
        lag = timedelta(seconds=self.random.choice([0, 60]))
        self.gateway = WatchedGateway(self.clock, self.storage, list_lag=lag)
        self._start()
        self._favourites = THEMES[self.theme or self.random.choice([*THEMES])]
        policy = self.random.choice(POLICIES)
        if policy is not None:
            self.billing.dunning.set_policy(policy)
        self._prices = [
            self.billing.catalog.add_price("Plan", Money.of(amount, "EUR"), every=every).id
            for amount, every in PRICES
        ]
        self.sign_up()
        self.sign_up()
        if self._favourites:
            # There is something to dispute, to credit and to hold from the beginning on.
            customer = self.billing.customers.create(name="Bob")
            self._customers.append(customer.id)
            self.billing.payment_methods.attach(customer.id, "tok_visa")
            self.billing.subscriptions.create(customer.id, [self._prices[0]])
            work = [OneOff("Work", Money.of("80.00", "EUR"))]
            self.billing.invoices.create_one_off(customer.id, work)

    def story(self, steps: int) -> list[str]:
        """Tell the story to its end, or until something goes wrong; returns what did."""
        for _ in range(steps):
            self.step()
            if self.findings:
                return self.findings
        self.heal()
        return self.findings

    def step(self) -> None:
        """Do one random thing and check the invariants."""
        weights = [
            weight * (FAVOURED if name in self._favourites else 1)
            for name, (weight, _) in COMMANDS.items()
        ]
        (name,) = self.random.choices(list(COMMANDS), weights)
        self.steps.append(f"{self.clock.now} {name}")
        self._do(COMMANDS[name][1])
        view = self.view()
        self.findings += broken(view)
        self._processed = tuple([each for each in view.messages if each.status == "processed"])

    def heal(self) -> None:
        """End all faults, let two months pass, and check what must hold then."""
        self.gateway.forget_scripts()
        pause, times = HEALING
        for _ in range(times):
            self.clock.now += pause
            self._do(Simulation.run)
        # What no message told, a sweep finds; what follows from it is done then.
        self.billing.sweep(since=START)
        for _ in range(30):
            self.clock.now += timedelta(days=1)
            self._do(Simulation.run)
        self.findings += broken(self.view(), WHEN_QUIET)

    def view(self) -> View:
        """Return all there is to see."""
        return View(
            self.clock.now,
            self._all(INVOICE),
            self._all(PAYMENT),
            self._all(SUBSCRIPTION),
            self._all(DUNNING_CASE),
            self._all(EVENT),
            self._all(CUSTOMER),
            self._all(BALANCE_ENTRY),
            self._all(REFUND),
            self.billing.reports.numbers(),
            self.gateway.charges,
            self.gateway.refunds,
            tuple(self.gateway.sent),
            tuple(self._handed_out),
            self._crashes,
            tuple(self._surprises),
            self._all(PENDING_ITEM),
            self._all(CREDIT_NOTE),
            self._all(GRANT),
            self._all(GRANT_ENTRY),
            self._all(DISPUTE),
            self.gateway.disputes,
            self.gateway.captures,
            self._all(BANK_LINE),
            self._all(INBOUND),
            self._all(REVIEW_ITEM),
            self.gateway.alerts,
            self._processed,
        )

    # ---- what a step chooses from -----------------------------------------------------------

    def a_customer(self) -> str:
        """Return the id of some customer."""
        return self.random.choice(self._customers)

    def some(self, page: Page[R]) -> R | None:
        """Return some record of a page, if there is any."""
        return self.random.choice(page.items) if page.items else None

    def refunds(self) -> tuple[Refund, ...]:
        """Return all refunds that were ever begun."""
        return self._all(REFUND)

    # ---- what customers and the host do -----------------------------------------------------

    def sign_up(self) -> None:
        """Let a new customer sign up, mostly with a method."""
        made = self.billing.customers.create(name="Ada", zone=self.random.choice(ZONES))
        self._customers.append(made.id)
        if self.random.random() < 0.8:
            self._attach_to(made.id)

    def attach(self) -> None:
        """Attach a method to some customer."""
        self._attach_to(self.a_customer())

    def detach(self) -> None:
        """Detach some method."""
        if method := self.some(self.billing.payment_methods.list()):
            self.billing.payment_methods.detach(method.id)

    def set_default(self) -> None:
        """Make some method its customer's default."""
        if method := self.some(self.billing.payment_methods.list()):
            self.billing.payment_methods.set_default(method.id)

    def subscribe(self) -> None:
        """Subscribe a customer to one or two prices, perhaps with a trial or a start elsewhere."""
        items = self.random.sample(self._prices, self.random.choice([1, 1, 2]))
        start: date | None = None
        trial_until: date | None = None
        if self.random.random() < 0.3:
            start = self._today(self.random.choice([-40, -5, 3, 10]))
        if self.random.random() < 0.2:
            trial_until = (start or self._today()) + timedelta(days=self.random.choice([1, 7, 50]))
        self.billing.subscriptions.create(
            self.a_customer(), items, start=start, trial_until=trial_until
        )

    def cancel(self) -> None:
        """Cancel some subscription now, at the end of its period or on a day."""
        if found := self.some(self.billing.subscriptions.list()):
            words: tuple[Literal["now", "period_end"], ...] = ("now", "period_end")
            days = self._today(self.random.choice([0, 2, 40]))
            self.billing.subscriptions.cancel(found.id, when=self.random.choice([*words, days]))

    def undo_cancel(self) -> None:
        """Take a cancellation back."""
        if found := self.some(self.billing.subscriptions.list()):
            self.billing.subscriptions.undo_cancel(found.id)

    def invoice_once(self) -> None:
        """Invoice something once, perhaps as a draft."""
        amount = Money.of(self.random.choice(["0.01", "3.33", "50.00", "0.00"]), "EUR")
        line = OneOff("Work", amount, self.random.choice([1, 3]))
        final = self.random.random() < 0.8
        self.billing.invoices.create_one_off(self.a_customer(), [line], finalize=final)

    def finalize(self) -> None:
        """Make some draft final."""
        if found := self.some(self.billing.invoices.list(status="draft")):
            self.billing.invoices.finalize(found.id)

    def pay(self) -> None:
        """Charge some open invoice by hand."""
        if found := self.some(self.billing.invoices.list(status="open")):
            self.billing.invoices.pay(found.id)

    def transfer(self) -> None:
        """Let a transfer for one invoice arrive: exact, half, a little, or too much."""
        status = self.random.choice(["open", "open", "uncollectible"])
        if found := self.some(self.billing.invoices.list(status=status)):
            due = found.due_minor
            minor = max(1, self.random.choice([due, due // 2, due + 100, 1]))
            self.billing.payments.record(
                found.customer, Money(minor, found.currency), invoice=found.id
            )

    def transfer_at_large(self) -> None:
        """Let a transfer arrive that names no invoice."""
        amount = Money.of(self.random.choice(["0.01", "29.00", "100.00"]), "EUR")
        self.billing.payments.record(self.a_customer(), amount)

    def give_back(self) -> None:
        """Give some payment back: all of it, a half, a little, or more than there is."""
        payments = list(self.billing.payments.list())
        if taken := [each for each in payments if each.refundable] or payments:
            if self.random.random() < 0.6:
                self.script_refund()
            found = self.random.choice(taken)
            minor = found.refundable.minor
            chosen = self.random.choice([minor, minor // 2, 1, minor + 1])
            amount = None if chosen == minor else Money(chosen, found.currency)
            self.billing.payments.refund(found.id, amount, reason="a mistake")

    def adjust(self) -> None:
        """Give some customer a credit, or take one."""
        amount = Money.of(self.random.choice(["1.00", "29.00", "40.00", "-5.00"]), "EUR")
        self.billing.balance.adjust(self.a_customer(), amount, reason="goodwill")

    def void(self) -> None:
        """Declare some invoice void."""
        if found := self.some(self.billing.invoices.list()):
            self.billing.invoices.void(found.id, reason="a mistake")

    def write_off(self) -> None:
        """Give some open invoice up."""
        if found := self.some(self.billing.invoices.list(status="open")):
            self.billing.invoices.mark_uncollectible(found.id, reason="hopeless")

    def wait(self) -> None:
        """Let something wait for some customer's next invoice, or a reduction."""
        amount = Money.of(self.random.choice(["0.01", "5.00", "12.34", "-3.00"]), "EUR")
        customer, subscription = self.a_customer(), None
        if self.random.random() < 0.4 and (
            found := self.some(self.billing.subscriptions.list(customer=customer))
        ):
            subscription = found.id
        line = OneOff(WAITED, amount)
        self.billing.invoices.add_pending_item(customer, line, subscription=subscription)

    def wait_no_more(self) -> None:
        """Take something back that waits, or invoice all that waits for a customer."""
        if self.random.random() < 0.5:
            self.billing.invoices.invoice_pending_items(self.a_customer())
        elif found := self.some(self.billing.invoices.pending_items()):
            self.billing.invoices.remove_pending_item(found.id)

    def regenerate(self) -> None:
        """Make some void invoice again, perhaps as a draft."""
        if found := self.some(self.billing.invoices.list(status="void")):
            self.billing.invoices.regenerate(found.id, finalize=self.random.random() < 0.7)

    def add_lines(self) -> None:
        """Add a line to some draft."""
        if found := self.some(self.billing.invoices.list(status="draft")):
            self.billing.invoices.add_lines(found.id, [OneOff("More", Money.of("1.00", "EUR"))])

    def group(self) -> None:
        """Let some customer's invoices be grouped, or not any more."""
        grouping = self.random.choice(["each", "day"])
        self.billing.customers.update(self.a_customer(), grouping=grouping)

    def hold(self) -> None:
        """Hold some case, until released, for three days, or until yesterday."""
        if found := self.some(self.billing.dunning.list(status="running")):
            days = self.random.choice([None, 3, -1])
            until = None if days is None else self.clock.now + timedelta(days=days)
            self.billing.dunning.hold(found.id, reason="promised", until=until)

    def release(self) -> None:
        """Release some held case."""
        if found := self.some(self.billing.dunning.list(status="held")):
            self.billing.dunning.release(found.id)

    def run(self) -> None:
        """Do what is due."""
        self.billing.run()

    def transact(self) -> None:
        """Do up to three things in one transaction, which the host may roll back."""
        before = [self._all(INVOICE), self._all(PAYMENT), self._all(SUBSCRIPTION)]
        gives_up = self.random.random() < 0.4
        try:
            with self.billing.transaction():
                for _ in range(self.random.choice([1, 2, 3])):
                    try:
                        self.random.choice(IN_TRANSACTION)(self)
                    except DomainError:
                        continue
                if gives_up:
                    raise RolledBack  # noqa: TRY301 - it is the host's, and rolls back
        except RolledBack:
            if [self._all(INVOICE), self._all(PAYMENT), self._all(SUBSCRIPTION)] != before:
                self._surprises.append("a rollback left something behind")

    # ---- what goes wrong ----------------------------------------------------------------------

    def script(self) -> None:
        """Let the gateway's next answers be declines, silence, or whatever a line does."""
        gateway, random = self.gateway, self.random
        times = random.choice([1, 1, 2])
        match random.randrange(8):
            case 0:
                gateway.decline_next(random.choice(list(DECLINES)), times=times)
            case 1:
                gateway.time_out_next(executed=True, times=times)
            case 2:
                gateway.time_out_next(executed=False, times=times)
            case 3:
                gateway.time_out_next(executed=True, code="insufficient_funds")
            case 4:
                gateway.refuse_connection_next(times)
            case 5:
                gateway.require_action_next(times)
            case 6:
                gateway.process_next(days=random.choice([1, 3]), succeed=random.random() < 0.5)
            case _:
                gateway.ignore_next(times)

    def script_refund(self) -> None:
        """Let the gateway refuse the next refunds, take days for them, or not answer."""
        gateway, random = self.gateway, self.random
        times = random.choice([1, 1, 2, 6])
        match random.randrange(5):
            case 0:
                gateway.fail_refund_next(times=times)
            case 1:
                gateway.pend_refund_next(days=random.choice([1, 3]), succeed=random.random() < 0.5)
            case 2:
                gateway.time_out_refund_next(executed=True, times=times)
            case 3:
                gateway.time_out_refund_next(executed=False, times=times)
            case _:
                gateway.refuse_refund_connection_next(times)

    def act(self) -> None:
        """Let a customer authenticate, or fail to."""
        if attempts := self._waiting(Outcome.REQUIRES_ACTION):
            chosen = self.random.choice(attempts)
            self.gateway.complete_action(chosen, succeed=self.random.random() < 0.7)

    def settle(self) -> None:
        """Let a bank end what it is at work on."""
        if attempts := self._waiting(Outcome.PROCESSING):
            chosen = self.random.choice(attempts)
            self.gateway.settle(chosen, succeed=self.random.random() < 0.6)

    def deliver_webhooks(self) -> None:
        """Deliver some messages that were ever sent: lost, late, twice and in any order."""
        self._messages += [message.id for message in self.gateway.webhooks()]
        for id in self.random.choices(self._messages, k=min(len(self._messages), 5)):
            message = self.gateway.send_again(id)
            self.billing.webhooks.receive("card", message.raw, message.headers)

    def jump(self) -> None:
        """Let up to a day pass in which no run is made."""
        self.clock.now += timedelta(hours=self.random.uniform(0, JUMP_HOURS_MAX))

    def crash(self) -> None:
        """Let the process die at a commit or a gateway call of some command; start another."""
        self.points.crash_at = self.points.passed + self.random.randrange(6)
        self._do(self.random.choice(IN_A_CRASH))

    # ---- within ---------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start a process on what is stored; it remembers nothing else."""
        self.points.crash_at = None
        self.billing = Billing(
            storage=CrashingStorage(self.storage, self.points),
            gateways={"card": CrashingGateway(self.gateway, self.points)},
            seller=Seller(draft_window_hours=self._window_hours),
            clock=self.clock,
            ids=counting_ids(f"p{self._crashes}"),
            webhook_secrets={"card": [self.gateway.webhook_secret]},
        )
        self.billing.events.subscribe(self._handed_out.append)

    def _do(self, command: Callable[[Simulation], None]) -> None:
        try:
            command(self)
        except DomainError:
            self.steps[-1] += ": refused"
        except Crash as crash:
            self.steps[-1] += f": died {crash}"
            self._crashes += 1
            self._start()
        except StorageError as error:
            self._surprises.append(repr(error))
        except Exception as error:  # noqa: BLE001 - that is what a simulator looks for
            self._surprises.append(repr(error))
        self.points.crash_at = None

    def _attach_to(self, customer: str) -> None:
        token, default = self.random.choice(TOKENS), self.random.choice([None, True, True, False])
        self.billing.payment_methods.attach(customer, token, default=default)

    def _today(self, days: int = 0) -> date:
        return self.clock.now.date() + timedelta(days=days)

    def _waiting(self, outcome: Outcome) -> list[PaymentId]:
        return [each.attempt for each in self.gateway.charges if each.outcome is outcome]

    def _all(self, kind: Kind[R]) -> tuple[R, ...]:
        found: list[R] = []
        cursor: str | None = None
        while True:
            page = self.storage.find(Query(kind, TENANT, after=cursor, limit=1000))
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found)


# What may happen in a step, and how often.
COMMANDS: Mapping[str, tuple[int, Callable[[Simulation], None]]] = {
    "subscribe": (6, Simulation.subscribe),
    "invoice once": (3, Simulation.invoice_once),
    "finalize": (1, Simulation.finalize),
    "cancel": (2, Simulation.cancel),
    "undo cancel": (3, Simulation.undo_cancel),
    "pay": (6, Simulation.pay),
    "transfer": (5, Simulation.transfer),
    "transfer at large": (3, Simulation.transfer_at_large),
    "give back": (6, Simulation.give_back),
    "script refund": (2, Simulation.script_refund),
    "adjust": (2, Simulation.adjust),
    "void": (2, Simulation.void),
    "write off": (2, Simulation.write_off),
    "sign up": (1, Simulation.sign_up),
    "attach": (4, Simulation.attach),
    "detach": (1, Simulation.detach),
    "set default": (2, Simulation.set_default),
    "wait": (4, Simulation.wait),
    "wait no more": (1, Simulation.wait_no_more),
    "regenerate": (2, Simulation.regenerate),
    "add lines": (1, Simulation.add_lines),
    "group": (1, Simulation.group),
    "hold": (2, Simulation.hold),
    "release": (2, Simulation.release),
    "dispute": (4, money.dispute),
    "decide dispute": (4, money.decide_dispute),
    "grant": (4, money.grant),
    "void grant": (1, money.void_grant),
    "void granted": (2, money.void_granted),
    "credit": (4, money.credit),
    "authorize": (4, money.authorize),
    "capture": (4, money.capture),
    "let go": (1, money.let_go),
    "statement": (4, money.statement),
    "assign": (3, money.assign),
    "move money": (3, money.move_money),
    "resolve": (2, money.resolve),
    "orphan": (2, money.orphan),
    "sweep": (3, money.sweep),
    "script": (8, Simulation.script),
    "act": (5, Simulation.act),
    "settle": (4, Simulation.settle),
    "deliver webhooks": (6, Simulation.deliver_webhooks),
    "run": (16, Simulation.run),
    "jump": (10, Simulation.jump),
    "transact": (3, Simulation.transact),
    "crash": (6, Simulation.crash),
}

FAVOURED = 4
# What a story is about: these happen more often.
THEMES: Mapping[str, tuple[str, ...]] = {
    "anything": (),
    "disputes": ("dispute", "decide dispute", "deliver webhooks", "sweep", "give back"),
    "credit": ("grant", "void granted", "credit", "subscribe", "invoice once"),
    "captures": ("authorize", "capture", "let go", "resolve", "deliver webhooks"),
    "bank": ("statement", "assign", "move money", "invoice once"),
    "money back": ("dispute", "decide dispute", "deliver webhooks", "move money", "credit"),
    "lost charges": ("orphan", "sweep", "resolve", "pay", "act", "invoice once"),
}

IN_TRANSACTION: tuple[Callable[[Simulation], None], ...] = (
    Simulation.wait,
    Simulation.wait_no_more,
    Simulation.subscribe,
    Simulation.invoice_once,
    Simulation.cancel,
    Simulation.pay,
    Simulation.transfer,
    Simulation.give_back,
    Simulation.adjust,
    Simulation.void,
    Simulation.write_off,
    Simulation.attach,
    Simulation.hold,
    Simulation.set_default,
    money.grant,
    money.void_grant,
    money.credit,
    money.authorize,
    money.capture,
    money.statement,
    money.assign,
    money.move_money,
)

IN_A_CRASH: tuple[Callable[[Simulation], None], ...] = (
    Simulation.run,
    Simulation.run,
    Simulation.pay,
    Simulation.subscribe,
    Simulation.invoice_once,
    Simulation.transfer,
    Simulation.give_back,
    Simulation.transact,
    Simulation.deliver_webhooks,
    money.grant,
    money.credit,
    money.capture,
    money.statement,
    money.assign,
    money.move_money,
    money.resolve,
    money.sweep,
)
