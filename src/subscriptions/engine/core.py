"""The engine: load → decide → commit → act, for one tenant on one storage.

Every procedure here is driven by `Billing` or by `AsyncBilling`. A command is decided and committed
in one transaction; what that makes due (a charge) is done right after it, outside of every
transaction. A crash between any two steps loses nothing: the due work is found again by `run`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from attrs import define, evolve, field

from subscriptions.billing_cycles import first_instant
from subscriptions.decisions import Change, Decision, created
from subscriptions.disputes import DEFAULT_POLICY as DEFAULT_DISPUTES
from subscriptions.disputes import DisputePolicy
from subscriptions.engine import catching_up, commit
from subscriptions.engine.clock import Clock
from subscriptions.engine.deliveries import Deliveries
from subscriptions.engine.gather import Batch
from subscriptions.engine.plans import Plan, check_fresh
from subscriptions.engine.procedures import Procedure, blocking, call
from subscriptions.engine.run_reports import RunReport
from subscriptions.engine.transactions import Transaction
from subscriptions.engine.work import DUE, Worker
from subscriptions.errors import Conflict, IdempotencyMismatch, StorageError, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import Authorizes, PaymentGateway, Refunds, Secret
from subscriptions.idempotency import COMMAND, CommandRecord, command_id
from subscriptions.ids import IdSource
from subscriptions.invoices import Seller
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.money import Rounding
from subscriptions.proration import DEFAULT as DEFAULT_PRORATION
from subscriptions.proration import Proration
from subscriptions.records import Kind, Record, aware, plain_text
from subscriptions.storage import Found, JoinsHost, Query, Reader, Storage, UnitOfWork
from subscriptions.tax_ids import DEFAULT_POLICY, TaxIdPolicy
from subscriptions.tax_quotes import DEFAULT_QUOTES, TaxQuotePolicy
from subscriptions.tax_services import TaxIdValidator, TaxProvider
from subscriptions.taxes import TaxPolicy, TaxRates
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

log = logging.getLogger("subscriptions")

R = TypeVar("R", bound=Record)
T = TypeVar("T")
TRIES = 5
_YEARS = range(10, 9991)


@define
class Reached:
    """How far runs have come in this process: a run may be ahead of the clock, as in a test."""

    instant: datetime | None = None


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
    transaction: ContextVar[Transaction | None] = field(
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
    def opened(self) -> Transaction | None:
        """The open transaction of this context, if any; a task may outlive the one it began in."""
        opened = self.transaction.get()
        return None if opened is None or opened.over else opened

    @property
    def unit(self) -> UnitOfWork | None:
        """The unit of work of the open transaction, if any."""
        opened = self.opened
        return None if opened is None else opened.unit

    @property
    def reader(self) -> Reader:
        """What is read from: the open transaction, or else the storage."""
        opened = self.opened
        return self.storage if opened is None else opened.unit

    @property
    def acts(self) -> bool:
        """Whether work may be done after a commit: not inside the host's own transaction."""
        joins = isinstance(self.storage, JoinsHost) and self.storage.joins_host
        return self.opened is None and not joins

    # ---- commands ---------------------------------------------------------------------------

    def execute(
        self, command: Command[R], request: str, plan: Plan[R] | None = None
    ) -> Procedure[R]:
        """Decide, commit, act; returns the record that the command is about, as it is then.

        With an idempotency key a second call returns that record and changes nothing; raises
        `IdempotencyMismatch` if it is another request.
        """
        at = self.time(command.at)
        known = yield from self.known(self.reader, command.key, request)
        if known is not None:
            return (yield from self.answer(command.kind, known))
        if command.catch_up is not None and plan is None:
            yield from catching_up.catch_up(self, command.catch_up, at)
        attached = None
        if command.before is not None:
            asked = command.before
            gateway = self.gateway(asked.gateway)
            attached = yield from blocking(gateway.attach, asked.token, asked.customer)
        context = self.context(at)
        if attached is not None:
            context = evolve(context, attached=attached)
        opened = self.opened
        if opened is not None:
            id, changes = yield from self._decide(opened.unit, command, request, context, plan)
            opened.take(changes, at)
        else:
            id, changes = yield from self._commit(command, request, context, plan)
            yield from self.act(changes, at)
        answer = yield from self.answer(command.kind, id)
        if command.after is not None:
            forget = command.after(answer)
            if opened is not None:
                opened.forget.append(forget)
            else:
                yield from self.forget(forget)
        return answer

    def preview(self, command: Command[R], request: str) -> Procedure[Plan[R]]:
        """Decide without committing; raises what the command would raise.

        Raises `ValidationError` for a command that asks a gateway first: that cannot be undone.
        """
        if command.before is not None:
            raise ValidationError("command", command.kind.name, "a command without a gateway")
        at = self.time(command.at)
        if command.catch_up is not None:
            due_at = yield from catching_up.due_at(self, command.catch_up)
            if due_at is not None and due_at <= at:
                # A plan is one decision: what was due before it has to be done before it.
                raise ValidationError("at", at, f"before {due_at}, or after a run until then")
        batch = Batch(self.reader, self.tenant)
        decision = yield from batch.one(command.flow(self.context(at)))
        return Plan(command.kind, decision, at, batch.seen(), request, command.key, self.rounding)

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

    def decided(self, command: Command[R], at: datetime) -> Procedure[list[Change]]:
        """Commit what a command without a key decides, or let the open transaction commit it.

        Nothing that it makes due is done yet, unless it is the transaction that does it at its end.
        """
        context, opened = self.context(at), self.opened
        if opened is None:
            _, changes = yield from self._commit(command, "", context, None)
            return changes
        _, changes = yield from self._decide(opened.unit, command, "", context, None)
        opened.take(changes, at)
        return changes

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

    def deliver(self) -> Procedure[None]:
        """Hand committed events to the subscribers, in order, at least once."""
        yield from self.deliveries.deliver(self.storage, self.tenant)

    def forget(self, method: ForgetMethod) -> Procedure[None]:
        """Let a gateway forget a method, if it can be reached."""
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
        known = yield from self.known(unit, command.key, request)
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

    def known(self, reader: Reader, key: str | None, request: str) -> Procedure[str | None]:
        """Return the id of what a request with this key was about, if there was one.

        Raises `IdempotencyMismatch` if that was another request.
        """
        stored = yield from self.remembered(reader, key)
        if stored is None:
            return None
        if stored.fingerprint != request:
            raise IdempotencyMismatch(str(key), stored.command)
        return stored.answer

    def remembered(self, reader: Reader, key: str | None) -> Procedure[CommandRecord | None]:
        """Return what is remembered of an idempotency key, if it was used before."""
        if key is None:
            return None
        id = command_id(self.tenant, plain_text("idempotency_key", key))
        return (yield from call(reader.load, self.tenant, COMMAND, [id])).get(id)

    def answer(self, kind: Kind[R], id: str) -> Procedure[R]:
        """Return a record as it is now; raises `NotFound`."""
        return (yield from Batch(self.reader, self.tenant).one(iter(Get(kind, id))))

    # ---- questions --------------------------------------------------------------------------

    def ask(self, question: Question[T]) -> Procedure[T]:
        """Answer a question; nothing is written."""
        context = self.context(self.time(question.at))
        return (yield from Batch(self.reader, self.tenant).one(question.flow(context)))

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
        return (yield from call(self.reader.find, query))

    def stored(self, kind: Kind[R], ids: Sequence[str]) -> Procedure[list[R]]:
        """Return the records that there are, as the open transaction has them."""
        found = yield from call(self.reader.load, self.tenant, kind, ids)
        return [found[id] for id in ids if id in found]

    # ---- time -------------------------------------------------------------------------------

    def run(
        self,
        until: date | datetime | None,
        progress: Callable[[date, RunReport], object] | None,
    ) -> Procedure[RunReport]:
        """Do everything that falls due until an instant, or until the end of a day."""
        if self.opened is not None:
            raise StorageError("a run has transactions of its own; leave the transaction first")
        if not self.acts:
            # It would call gateways, and the host may still roll back what it charges for.
            raise StorageError("a run needs a storage of its own; this one joins the host's")
        report = RunReport()
        try:
            yield from self.worker.until(self.instant(until), report, progress)
        finally:
            if report.reached is not None:
                self.reached.instant = report.reached
        yield from self.deliver()
        return report

    def instant(self, until: date | datetime | None) -> datetime:
        """Return the instant that is meant by one, by a day up to its end, or by nothing: now."""
        if until is None or isinstance(until, datetime):
            return self.time(until, "until")
        if not isinstance(until, date):
            raise ValidationError("until", until, "a date or an aware datetime")
        if until == date.max:
            raise ValidationError("until", until, f"before {date.max}")
        # The whole day counts: the last microsecond before the next one begins.
        return first_instant(until + timedelta(days=1), self.seller.zone) - timedelta(
            microseconds=1
        )

    def time(self, given: datetime | None, name: str = "at") -> datetime:
        """Return what is given, in UTC, or else now: the clock's, or what runs have reached."""
        # Always UTC: in an hour that comes twice, equal instants of a zone would compare unequal.
        if given is not None:
            if aware(name, given).year not in _YEARS:
                # What follows from it, a due day or a reminder, must have a date as well.
                expected = f"a time within the years {_YEARS[0]} to {_YEARS[-1]}"
                raise ValidationError(name, given, expected)
            return given.astimezone(UTC)
        clock = aware("clock", self.clock()).astimezone(UTC)
        reached = self.reached.instant
        return clock if reached is None else max(clock, reached)
