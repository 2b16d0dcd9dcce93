"""The engine: load → decide → commit → act, for one tenant on one storage.

Every procedure here is driven by `Billing` or by `AsyncBilling`. A command is decided and committed
in one transaction; what that makes due (a charge) is done right after it, outside of every
transaction. A crash between any two steps loses nothing: the due work is found again by `run`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from attrs import define, evolve, field, frozen

from subscriptions.billing_cycles import Period, first_instant
from subscriptions.customer_files import FileFormat
from subscriptions.decisions import Change, Decision, created
from subscriptions.disputes import DEFAULT_POLICY as DEFAULT_DISPUTES
from subscriptions.disputes import DisputePolicy
from subscriptions.engine import commit, imports, receiving, sweeping
from subscriptions.engine.clock import Clock
from subscriptions.engine.deliveries import Deliveries
from subscriptions.engine.gather import Batch
from subscriptions.engine.imports import Source
from subscriptions.engine.metering import Recorder
from subscriptions.engine.migrating import Migrator
from subscriptions.engine.plans import Plan, check_fresh
from subscriptions.engine.procedures import Procedure, blocking, call
from subscriptions.engine.receiving import Receipt
from subscriptions.engine.reporting import audit_numbers, ledger, tax_report
from subscriptions.engine.statements import (
    StatementFormat,
    StatementImport,
    StatementSource,
)
from subscriptions.engine.statements import read as read_statement
from subscriptions.engine.sweeping import SweepReport
from subscriptions.engine.work import DUE, RunReport, Worker
from subscriptions.errors import Conflict, IdempotencyMismatch, StorageError, ValidationError
from subscriptions.gateways import Authorizes, PaymentGateway, Refunds, Secret
from subscriptions.idempotency import COMMAND, CommandRecord, command_id
from subscriptions.ids import IdSource
from subscriptions.invoices import INVOICE, Seller
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.migrations import MIGRATION, Migration
from subscriptions.money import Rounding
from subscriptions.proration import DEFAULT as DEFAULT_PRORATION
from subscriptions.proration import Proration
from subscriptions.records import AnyKind, Kind, Record, Ref, aware, plain_text
from subscriptions.reports.ledger import Ledger
from subscriptions.reports.numbers import NumberFinding
from subscriptions.reports.oss import Shop
from subscriptions.reports.tax import TaxBooks, TaxReport
from subscriptions.storage import Found, JoinsHost, Query, Reader, Storage, UnitOfWork
from subscriptions.tax_ids import DEFAULT_POLICY, TaxIdPolicy
from subscriptions.tax_quotes import DEFAULT_QUOTES, TaxQuotePolicy
from subscriptions.tax_services import TaxIdValidator, TaxProvider
from subscriptions.taxes import TaxPolicy, TaxRates
from subscriptions.usage import Usage
from subscriptions.usecases import parking
from subscriptions.usecases.flows import (
    DEFAULT_SAFETY,
    Command,
    Context,
    Flow,
    ForgetMethod,
    Get,
    Listing,
    Question,
    Safety,
)
from subscriptions.usecases.imports import ImportReport
from subscriptions.usecases.migrations import Cohort, MigrationReport
from subscriptions.usecases.statements import StatementReport
from subscriptions.usecases.usage import UsageReport

log = logging.getLogger("subscriptions")

R = TypeVar("R", bound=Record)
T = TypeVar("T")
TRIES = 5


@define
class Reached:
    """How far runs have come in this process: a run may be ahead of the clock, as in a test."""

    instant: datetime | None = None


@define
class Transaction:
    """A unit of work that several commands share, what they changed, and what is done after it."""

    unit: UnitOfWork
    changes: list[Change] = field(factory=list[Change])
    forget: list[ForgetMethod] = field(factory=list[ForgetMethod])
    at: datetime | None = None
    over: bool = False


@frozen
class Engine:
    """One tenant's billing on one storage: the procedures that a driver carries out."""

    storage: Storage
    gateways: Mapping[str, PaymentGateway]
    seller: Seller
    taxes: TaxRates | TaxPolicy
    clock: Clock
    ids: IdSource
    tenant: str
    secrets: Mapping[str, Sequence[Secret]]
    proration: Proration = DEFAULT_PRORATION
    safety: Safety = DEFAULT_SAFETY
    deliveries: Deliveries = field(factory=Deliveries)
    reached: Reached = field(factory=Reached)
    sellers: Mapping[str, Seller] = field(factory=dict[str, Seller])
    tax_ids: TaxIdValidator | None = None
    tax_id_policy: TaxIdPolicy = DEFAULT_POLICY
    tax_provider: TaxProvider | None = None
    tax_quotes: TaxQuotePolicy = DEFAULT_QUOTES
    disputes: DisputePolicy = DEFAULT_DISPUTES
    rounding: Rounding = Rounding.HALF_UP
    _open: ContextVar[Transaction | None] = field(
        init=False, factory=lambda: ContextVar("transaction", default=None)
    )

    def context(self, at: datetime, *, checked: bool = True) -> Context:
        """Return what flows may know at a time; `checked` says that bills are held to `safety`."""
        capabilities = {name: each.capabilities for name, each in self.gateways.items()}
        refunding = frozenset([n for n, each in self.gateways.items() if isinstance(each, Refunds)])
        return Context(
            at,
            self.clock(),
            self.tenant,
            self.ids,
            self.seller,
            self.taxes,
            capabilities,
            proration=self.proration,
            safety=self.safety if checked else None,
            refunding=refunding,
            authorizing=frozenset(
                [n for n, each in self.gateways.items() if isinstance(each, Authorizes)]
            ),
            sellers=self.sellers,
            tax_id_policy=self.tax_id_policy,
            quotes_tax=self.tax_provider is not None,
            tax_quotes=self.tax_quotes,
            disputes=self.disputes,
            tax_id_prefixes=frozenset() if self.tax_ids is None else self.tax_ids.prefixes,
            rounding=self.rounding,
        )

    @property
    def worker(self) -> Worker:
        """Who does due work on this storage."""
        return Worker(
            self.storage,
            self.gateways,
            self.tenant,
            self.seller.zone,
            self.context,
            validator=self.tax_ids,
            provider=self.tax_provider,
        )

    @property
    def acts(self) -> bool:
        """Whether work may be done after a commit: not inside the host's own transaction."""
        joins = isinstance(self.storage, JoinsHost) and self.storage.joins_host
        return self._transaction() is None and not joins

    def _transaction(self) -> Transaction | None:
        """Return the open transaction of this context; a task may outlive the one it began in."""
        opened = self._open.get()
        return None if opened is None or opened.over else opened

    # ---- commands ---------------------------------------------------------------------------

    def execute(
        self, command: Command[R], request: str, plan: Plan[R] | None = None
    ) -> Procedure[R]:
        """Decide, commit, act; returns the record that the command is about, as it is then.

        With an idempotency key a second call returns that record and changes nothing; raises
        `IdempotencyMismatch` if it is another request.
        """
        at = self._time(command.at)
        known = yield from self._known(self._reader(), command, request)
        if known is not None:
            return (yield from self._answer(command.kind, known))
        if command.catch_up is not None and plan is None:
            yield from self._catch_up(command.catch_up, at)
        attached = None
        if command.before is not None:
            asked = command.before
            gateway = self.gateway(asked.gateway)
            attached = yield from blocking(gateway.attach, asked.token, asked.customer)
        context = self.context(at)
        if attached is not None:
            context = evolve(context, attached=attached)
        opened = self._transaction()
        if opened is not None:
            id, changes = yield from self._decide(opened.unit, command, request, context, plan)
            opened.changes += changes
            opened.at = at if opened.at is None else max(at, opened.at)
        else:
            id, changes = yield from self._commit(command, request, context, plan)
            yield from self.act(changes, at)
        answer = yield from self._answer(command.kind, id)
        if command.after is not None:
            forget = command.after(answer)
            if opened is not None:
                opened.forget.append(forget)
            else:
                yield from self._forget(forget)
        return answer

    def preview(self, command: Command[R], request: str) -> Procedure[Plan[R]]:
        """Decide without committing; raises what the command would raise.

        Raises `ValidationError` for a command that asks a gateway first: that cannot be undone.
        """
        if command.before is not None:
            raise ValidationError("command", command.kind.name, "a command without a gateway")
        at = self._time(command.at)
        if command.catch_up is not None:
            due_at = yield from self._due_at(command.catch_up)
            if due_at is not None and due_at <= at:
                # A plan is one decision: what was due before it has to be done before it.
                raise ValidationError("at", at, f"before {due_at}, or after a run until then")
        batch = Batch(self._reader(), self.tenant)
        decision = yield from batch.one(command.flow(self.context(at)))
        return Plan(command.kind, decision, at, batch.seen(), request, command.key)

    def commit(self, plan: Plan[R]) -> Procedure[R]:
        """Commit exactly what a plan says; raises `StalePlan` if what it rests on has moved on."""
        given: object = plan
        if not isinstance(given, Plan):
            raise ValidationError("plan", given, "a plan that a preview returned")

        def flow(_: Context) -> Flow[Decision]:
            yield from ()  # all that it needs was read for the preview
            return plan.decision

        command = Command(plan.kind, flow, plan.at, plan.key)
        return (yield from self.execute(command, plan.request, plan))

    def _catch_up(self, ref: Ref, at: datetime, *, checked: bool = True) -> Procedure[None]:
        """Do what is due for one record up to `at`, each thing at its own time.

        In a transaction it is a part of that, and what it makes due is done after the commit.
        """
        while (due_at := (yield from self._due_at(ref))) is not None and due_at <= at:
            if self.acts:
                found = yield from call(self.storage.load, self.tenant, ref.kind, [ref.id])
                worker = evolve(self.worker, context=partial(self.context, checked=checked))
                yield from worker.now([(ref.kind, found[ref.id])], due_at)
                continue
            opened = self._transaction()
            if opened is not None:
                opened.changes += yield from self._step(opened.unit, ref, due_at, checked=checked)
                continue
            step = partial(self._step, ref=ref, due_at=due_at, checked=checked)
            yield from commit.within(self.storage, step)

    def _step(
        self, unit: UnitOfWork, ref: Ref, due_at: datetime, *, checked: bool
    ) -> Procedure[list[Change]]:
        step = DUE[ref.kind]
        assert step is not None
        flow = step(ref.id, self.context(due_at, checked=checked))
        decision = yield from Batch(unit, self.tenant).one(flow)
        return (
            yield from commit.write(
                unit, [decision], tenant=self.tenant, zone=self.seller.zone, at=due_at
            )
        )

    def _due_at(self, ref: Ref) -> Procedure[datetime | None]:
        found = yield from call(self._reader().load, self.tenant, ref.kind, [ref.id])
        record = found.get(ref.id)
        due_at: datetime | None = None if record is None else record.due_at
        return due_at

    def act(self, changes: Sequence[Change], at: datetime) -> Procedure[None]:
        """Do what a commit made due by `at`, then deliver its events."""
        if not self.acts:
            return
        # What a new subscription is behind is billed by a run, each period at its own time.
        due = [
            (each.kind, each.after)
            for each in changes
            if each.kind in DUE and (each.kind is not SUBSCRIPTION or each.before is not None)
        ]
        yield from self.worker.now(due, at)
        yield from self.deliver()

    def _forget(self, method: ForgetMethod) -> Procedure[None]:
        # It is detached here already, so it is never charged: a gateway that is down may keep it.
        try:
            yield from blocking(self.gateway(method.gateway).detach, method.reference)
        except Exception:
            log.exception("gateway %s did not forget a method", method.gateway)

    def gateway(self, name: str) -> PaymentGateway:
        """Return a gateway by its name; raises `ValidationError` for an unknown one."""
        if name not in self.gateways:
            raise ValidationError("gateway", name, f"one of {', '.join(self.gateways)}")
        return self.gateways[name]

    def _commit(
        self, command: Command[R], request: str, context: Context, plan: Plan[R] | None
    ) -> Procedure[tuple[str, list[Change]]]:
        def decide(unit: UnitOfWork) -> Procedure[tuple[str, list[Change]]]:
            return self._decide(unit, command, request, context, plan)

        for _ in range(TRIES - 1):
            try:
                return (yield from commit.within(self.storage, decide))
            except Conflict:
                log.debug("%s: somebody was faster; deciding anew", command.kind.name)
        return (yield from commit.within(self.storage, decide))

    def _decide(
        self,
        unit: UnitOfWork,
        command: Command[R],
        request: str,
        context: Context,
        plan: Plan[R] | None,
    ) -> Procedure[tuple[str, list[Change]]]:
        known = yield from self._known(unit, command, request)
        if known is not None:
            return known, []
        if plan is not None:
            yield from check_fresh(plan, unit, self.tenant)
        decision = yield from Batch(unit, self.tenant).one(command.flow(context))
        about = decision.about
        assert about is not None
        memory: tuple[Decision, ...] = ()
        if command.key is not None:
            remembered = CommandRecord(
                command_id(self.tenant, command.key),
                self.tenant,
                1,
                command.kind.name,
                request,
                about.kind.name,
                about.id,
                context.at,
            )
            memory = (Decision((created(COMMAND, remembered),)),)
        changes = yield from commit.write(
            unit,
            (decision, *memory),
            tenant=self.tenant,
            zone=self.seller.zone,
            at=context.at,
        )
        return about.id, changes

    def _known(self, reader: Reader, command: Command[R], request: str) -> Procedure[str | None]:
        if command.key is None:
            return None
        id = command_id(self.tenant, plain_text("idempotency_key", command.key))
        stored = (yield from call(reader.load, self.tenant, COMMAND, [id])).get(id)
        if stored is None:
            return None
        if stored.fingerprint != request:
            raise IdempotencyMismatch(command.key, stored.command)
        answer: str = stored.answer
        return answer

    def _answer(self, kind: Kind[R], id: str) -> Procedure[R]:
        return (yield from Batch(self._reader(), self.tenant).one(iter(Get(kind, id))))

    def _reader(self) -> Reader:
        opened = self._transaction()
        return self.storage if opened is None else opened.unit

    def import_customers(
        self, source: Source, format: FileFormat | None, *, dry_run: bool, at: datetime | None
    ) -> Procedure[ImportReport]:
        """Import a file of running customers; in an open transaction it is part of that."""
        count, rows, errors = imports.read(source, format)
        context = self.context(self._time(at))
        opened = self._transaction()
        importer = imports.Importer(
            self.storage, self.gateways, context, None if opened is None else opened.unit
        )
        report = yield from importer.run(count, rows, errors, dry_run=dry_run)
        if report.created and not dry_run and self.acts:
            yield from self.deliver()
        return report

    def import_statement(
        self,
        source: StatementSource,
        format: StatementFormat | None,
        *,
        account: str | None,
        gateway: str,
        book: bool,
        at: datetime | None,
    ) -> Procedure[StatementReport]:
        """Import a bank statement; in an open transaction it is part of that."""
        moment, opened = self._time(at), self._transaction()
        given = read_statement(source, format, account)
        importing = StatementImport(
            self.storage, self.context(moment), None if opened is None else opened.unit
        )
        try:
            report = yield from importing.run(given, gateway=gateway, book=book)
        finally:
            # What was committed before something failed is acted on all the same.
            if opened is None and importing.changes:
                yield from self.act(importing.changes, moment)
        if opened is not None:
            opened.changes += importing.changes
            opened.at = moment if opened.at is None else max(moment, opened.at)
        return report

    def record_usage(self, events: Iterable[Usage], at: datetime | None) -> Procedure[UsageReport]:
        """Record usage in bulk; in an open transaction it is part of that."""
        _check_iterable(events)
        opened = self._transaction()
        recorder = Recorder(
            self.storage,
            lambda: self.context(self._time(at)),
            None if opened is None else opened.unit,
        )
        report = yield from recorder.run(events)
        if recorder.changes:
            reached = self._time(at)
            if opened is not None:
                opened.changes += recorder.changes
                opened.at = reached if opened.at is None else max(reached, opened.at)
            else:
                yield from self.act(recorder.changes, reached)
        return report

    def migrate(
        self, cohort: Cohort, *, preview: bool, at: datetime | None
    ) -> Procedure[MigrationReport]:
        """Plan a migration, or say what it would do; in an open transaction it is part of that."""
        moment, opened = self._time(at), self._transaction()
        migrator = Migrator(
            self.storage, self.context(moment), None if opened is None else opened.unit
        )
        report = yield from migrator.plan(cohort, preview=preview)
        if not preview:
            yield from self._told(opened, moment)
        return report

    def undo_migration(self, id: str, at: datetime | None) -> Procedure[Migration]:
        """Undo a migration as far as it has not taken effect."""
        moment, opened = self._time(at), self._transaction()
        migrator = Migrator(
            self.storage, self.context(moment), None if opened is None else opened.unit
        )
        yield from migrator.undo(id)
        yield from self._told(opened, moment)
        return (yield from self._answer(MIGRATION, id))

    def _told(self, opened: Transaction | None, at: datetime) -> Procedure[None]:
        """Deliver the events of work in bulk; within a transaction after that."""
        if opened is not None:
            opened.at = at if opened.at is None else max(at, opened.at)
        elif self.acts:
            yield from self.deliver()

    # ---- questions --------------------------------------------------------------------------

    def ask(self, question: Question[T]) -> Procedure[T]:
        """Answer a question; nothing is written."""
        context = self.context(self._time(question.at))
        return (yield from Batch(self._reader(), self.tenant).one(question.flow(context)))

    def page(self, listing: Listing[R], *, count: bool) -> Procedure[Found[R]]:
        """Return one page of a listing."""
        query = Query(
            listing.kind,
            self.tenant,
            listing.where,
            order_by=listing.order_by,
            descending=listing.descending,
            after=listing.after,
            limit=listing.limit,
            count=count,
        )
        return (yield from call(self._reader().find, query))

    def audit_numbers(self) -> Procedure[tuple[NumberFinding, ...]]:
        """Audit every final invoice: gaps, doubles and changes; nothing is written."""
        opened = self._transaction()
        unit = None if opened is None else opened.unit
        return (
            yield from audit_numbers(
                self.storage,
                unit,
                tenant=self.tenant,
                seller=self.seller,
                others=tuple(self.sellers.values()),
            )
        )

    def ledger(self, until: date | datetime | None) -> Procedure[Ledger]:
        """Book every document and movement of money; nothing is written."""
        opened = self._transaction()
        unit = None if opened is None else opened.unit
        instant = None if until is None else self._instant(until)
        return (yield from ledger(self.storage, unit, tenant=self.tenant, until=instant))

    def tax_report(self, period: Period) -> Procedure[TaxReport]:
        """Add up the tax of the documents of a period; nothing is written."""
        given: object = period
        if not isinstance(given, Period):
            raise ValidationError("period", given, "a Period, from its first day to the day after")
        opened = self._transaction()
        unit = None if opened is None else opened.unit
        books = TaxBooks(period, Shop(self.taxes))
        return (yield from tax_report(self.storage, unit, books, tenant=self.tenant))

    # ---- time -------------------------------------------------------------------------------

    def run(
        self,
        until: date | datetime | None,
        progress: Callable[[date, RunReport], object] | None,
    ) -> Procedure[RunReport]:
        """Do everything that falls due until an instant, or until the end of a day."""
        if self._transaction() is not None:
            raise StorageError("a run has transactions of its own; leave the transaction first")
        if not self.acts:
            # It would call gateways, and the host may still roll back what it charges for.
            raise StorageError("a run needs a storage of its own; this one joins the host's")
        report = RunReport()
        try:
            yield from self.worker.until(self._instant(until), report, progress)
        finally:
            if report.reached is not None:
                self.reached.instant = report.reached
        yield from self.deliver()
        return report

    def _instant(self, until: date | datetime | None) -> datetime:
        if until is None or isinstance(until, datetime):
            return self._time(until, "until")
        if not isinstance(until, date):
            raise ValidationError("until", until, "a date or an aware datetime")
        if until == date.max:
            raise ValidationError("until", until, f"before {date.max}")
        # The whole day counts: the last microsecond before the next one begins.
        return first_instant(until + timedelta(days=1), self.seller.zone) - timedelta(
            microseconds=1
        )

    def _time(self, given: datetime | None, name: str = "at") -> datetime:
        # Always UTC: in an hour that comes twice, equal instants of a zone would compare unequal.
        if given is not None:
            return aware(name, given).astimezone(UTC)
        clock = aware("clock", self.clock()).astimezone(UTC)
        reached = self.reached.instant
        return clock if reached is None else max(clock, reached)

    # ---- transactions -----------------------------------------------------------------------

    def begin(self) -> Procedure[Transaction]:
        """Open a transaction that the following commands of this context share."""
        if self._transaction() is not None:
            raise StorageError("a transaction is open already")
        transaction = Transaction((yield from call(self.storage.begin)))
        self._open.set(transaction)
        return transaction

    def end(self, transaction: Transaction, *, commit: bool) -> Procedure[None]:
        """Commit what the commands decided, then act on it; or forget all of it."""
        self._open.set(None)
        transaction.over = True
        if not commit:
            yield from call(transaction.unit.rollback)
            return
        try:
            yield from call(transaction.unit.commit)
        except BaseException:
            yield from call(transaction.unit.rollback)
            raise
        for method in transaction.forget:
            yield from self._forget(method)
        if transaction.at is not None:
            yield from self.act(transaction.changes, transaction.at)

    # ---- what comes from outside, what goes out ----------------------------------------------

    def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], at: datetime | None
    ) -> Procedure[Receipt]:
        """Keep a gateway's message, then look at it: its effect is one, however often it comes.

        Raises `WebhookRefused` for a message that is not genuine; that is not kept.
        """
        now = self._time(at)
        adapter = self.gateway(gateway)
        event = adapter.parse_webhook(raw, headers, secrets=self.secrets.get(gateway, ()), now=now)
        return (yield from receiving.take_in(self, gateway, event, now))

    def sweep(
        self, gateway: str | None, since: datetime | None, at: datetime | None
    ) -> Procedure[SweepReport]:
        """Compare what gateways list as ours with the books, and take in what these do not know."""
        if not self.acts:
            raise StorageError("a sweep has transactions of its own; leave the transaction first")
        names = list(self.gateways) if gateway is None else [gateway]
        report = SweepReport()
        for name in names:
            yield from sweeping.sweep(self, name, since, self._time(at), report)
        yield from self.deliver()
        return report

    def prune_messages(self, older_than: timedelta, at: datetime | None) -> Procedure[int]:
        """Drop what messages said that were over long ago; returns of how many."""
        if not self.acts:
            raise StorageError("pruning has transactions of its own; leave the transaction first")
        return (yield from receiving.prune(self, older_than, self._time(at)))

    def stored(self, kind: Kind[R], ids: Sequence[str]) -> Procedure[list[R]]:
        """Return the records that there are, as the open transaction has them."""
        found = yield from call(self._reader().load, self.tenant, kind, ids)
        return [found[id] for id in ids if id in found]

    def decided(self, command: Command[R], at: datetime) -> Procedure[list[Change]]:
        """Commit what a command without a key decides, or let the open transaction commit it.

        Nothing that it makes due is done yet, unless it is the transaction that does it at its end.
        """
        context, opened = self.context(at), self._transaction()
        if opened is None:
            _, changes = yield from self._commit(command, "", context, None)
            return changes
        _, changes = yield from self._decide(opened.unit, command, "", context, None)
        opened.changes += changes
        opened.at = at if opened.at is None else max(at, opened.at)
        return changes

    def release(self, kind: AnyKind, id: str, at: datetime | None) -> Procedure[Any]:
        """Release a parked record, and do what is due for it."""

        def flow(context: Context) -> Flow[Decision]:
            return parking.release(kind, id, context)

        yield from self.execute(Command(kind, flow, at), "")
        quoted = kind is INVOICE and self.tax_provider is not None
        by_itself = DUE.get(kind) is not None and not quoted
        if kind in self.worker.kinds and (self.acts or by_itself):
            # A person has looked at it, so what was too much for a run is not too much now.
            yield from self._catch_up(Ref(kind, id), self._time(at), checked=False)
        return (yield from self._answer(kind, id))

    def deliver(self) -> Procedure[None]:
        """Hand committed events to the subscribers, in order, at least once."""
        yield from self.deliveries.deliver(self.storage, self.tenant)


def _check_iterable(events: object) -> None:
    if isinstance(events, str) or not isinstance(events, Iterable):
        raise ValidationError("events", events, "an iterable of Usage")
