"""`Billing` and `AsyncBilling`: what a host holds in its hand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from subscriptions.disputes import DEFAULT_POLICY as DEFAULT_DISPUTES
from subscriptions.disputes import DisputePolicy
from subscriptions.engine import catching_up, namespaces, sweeping, transactions
from subscriptions.engine.clock import Clock, RandomIds, system_clock
from subscriptions.engine.core import Engine
from subscriptions.engine.plans import Plan
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.engine.run_reports import RunReport, SweepReport
from subscriptions.errors import ValidationError
from subscriptions.gateways import PaymentGateway, Secret
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.ids import IdSource
from subscriptions.invoices import Seller
from subscriptions.money import Rounding
from subscriptions.proration import DEFAULT as DEFAULT_PRORATION
from subscriptions.proration import Proration
from subscriptions.records import Record, plain_text
from subscriptions.serialization import kind_named
from subscriptions.storage import AsyncStorage, Storage
from subscriptions.storage.memory import MemoryStorage
from subscriptions.storage.threaded import ThreadedStorage
from subscriptions.tax_ids import DEFAULT_POLICY, TaxIdPolicy
from subscriptions.tax_quotes import DEFAULT_QUOTES, TaxQuotePolicy
from subscriptions.tax_services import TaxIdValidator, TaxProvider
from subscriptions.taxes import NO_TAX, TaxPolicy, TaxRates
from subscriptions.usecases.flows import DEFAULT_SAFETY, Safety

R = TypeVar("R", bound=Record)
StorageT = TypeVar("StorageT")
T = TypeVar("T")


class Billing:
    """Subscription billing for one seller, in the host's own process.

    Without arguments everything is in memory, and the gateway `card` is a scripted one that moves
    no money. `storage` makes it durable; `gateways` are named, and `transfer` is there unless
    another one takes its name. `seller` is printed on invoices and gives the zone of days,
    `taxes` says which rate is valid where and when, or as a `TaxPolicy` who is charged which.
    `rounding` is that of the tax of new documents, half away from zero by default. `clock` and
    `ids` are for tests. `sellers` are other legal entities, each with an id and series of its own:
    a customer may be one of theirs.
    `webhook_secrets` are each gateway's, to tell its messages from forged ones.

    `proration` is how a change in the middle of a period is billed if it says nothing else: by
    days, on the next invoice. `safety` is what no bill of a subscription exceeds without a person's
    look: it is parked instead, with an event, until it is unparked.

    `tax_ids` is asked about the tax ids of customers, when they are new and then from time to time
    as `tax_id_policy` says; without it nobody is asked, and a tax id may be any text.

    `tax_provider` is an outside tax engine: with one, invoices are drafts until it has quoted their
    taxes, which is done right after the commit. While it is down they wait, as long as
    `tax_quote_policy` says.

    `disputes` is what a dispute does by itself: by default the invoice is owed again as soon as the
    money is gone, and the card is held.

    Raises `ValidationError` for an argument that is not what it should be.

    >>> from datetime import date
    >>> from subscriptions import Interval, Money
    >>> billing = Billing()
    >>> pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    >>> ada = billing.customers.create(name="Ada Lovelace", country="DE")
    >>> method = billing.payment_methods.attach(ada.id, token="tok_visa")
    >>> sub = billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 31))
    >>> billing.run(until=date(2027, 4, 30)).invoices
    4
    """

    def __init__(
        self,
        *,
        storage: Storage | None = None,
        gateways: Mapping[str, PaymentGateway] | None = None,
        seller: Seller | None = None,
        sellers: Sequence[Seller] = (),
        taxes: TaxRates | TaxPolicy = NO_TAX,
        clock: Clock = system_clock,
        ids: IdSource | None = None,
        tenant: str = "default",
        webhook_secrets: Mapping[str, Sequence[Secret]] | None = None,
        proration: Proration = DEFAULT_PRORATION,
        safety: Safety = DEFAULT_SAFETY,
        tax_ids: TaxIdValidator | None = None,
        tax_id_policy: TaxIdPolicy = DEFAULT_POLICY,
        tax_provider: TaxProvider | None = None,
        tax_quote_policy: TaxQuotePolicy = DEFAULT_QUOTES,
        rounding: Rounding = Rounding.HALF_UP,
        disputes: DisputePolicy = DEFAULT_DISPUTES,
    ) -> None:
        self.engine = Engine(
            _checked(storage or MemoryStorage()),
            _with_transfer(gateways),
            _setting("seller", Seller, Seller() if seller is None else seller),
            _taxes(taxes, seller, sellers),
            _callable("clock", clock),
            ids or RandomIds(),
            plain_text("tenant", tenant),
            webhook_secrets or {},
            _setting("proration", Proration, proration),
            _setting("safety", Safety, safety),
            sellers=_others(sellers, seller),
            tax_ids=_validator(tax_ids),
            tax_id_policy=_setting("tax_id_policy", TaxIdPolicy, tax_id_policy),
            tax_provider=_provider(tax_provider),
            tax_quotes=_setting("tax_quote_policy", TaxQuotePolicy, tax_quote_policy),
            rounding=_setting("rounding", Rounding, rounding),
            disputes=_setting("disputes", DisputePolicy, disputes),
        )
        self.customers = namespaces.Customers(self.engine)
        self.payment_methods = namespaces.PaymentMethods(self.engine)
        self.catalog = namespaces.Catalog(self.engine)
        self.coupons = namespaces.Coupons(self.engine)
        self.subscriptions = namespaces.Subscriptions(self.engine)
        self.usage = namespaces.Usage(self.engine)
        self.entitlements = namespaces.Entitlements(self.engine)
        self.invoices = namespaces.Invoices(self.engine)
        self.credit_notes = namespaces.CreditNotes(self.engine)
        self.balance = namespaces.Balance(self.engine)
        self.payments = namespaces.Payments(self.engine)
        self.dunning = namespaces.Dunning(self.engine)
        self.reports = namespaces.Reports(self.engine)
        self.events = namespaces.Events(self.engine)
        self.webhooks = namespaces.Webhooks(self.engine)
        self.preview = namespaces.Preview(self.engine)

    def run(
        self,
        until: date | datetime | None = None,
        *,
        progress: Callable[[date, RunReport], object] | None = None,
        sweep: bool = False,
    ) -> RunReport:
        """Do everything that falls due, in order of time, until an instant or the end of a day.

        Law: `run(t1)` then `run(t2)` makes the same documents as `run(t2)`, and a second
        `run(t2)` makes none. Without `until` it is the clock's now. A day is a day in the seller's
        zone. A record whose work fails is parked with an event and the others go on; `progress` is
        called once for each day on which something was due.

        With `sweep` it is `sweep()` before the run: what the books lack, as after a restored
        backup, is known before anything is charged; do so once a day. What that found is `swept` in
        the report.

        Raises `ValidationError` for a naive datetime, `StorageError` if the storage fails; with
        `sweep` what that raises, and then nothing was done for what is due.
        """
        if sweep:
            return run_sync(sweeping.run_after(self.engine, until, progress))
        return run_sync(self.engine.run(until, progress))

    def sweep(
        self,
        gateway: str | None = None,
        *,
        since: datetime | None = None,
        at: datetime | None = None,
    ) -> SweepReport:
        """Compare what gateways have with the books, and take in what these do not know.

        Goes through each gateway's list of charges that carry our metadata, from `since` on (by
        default thirty days), or through that of one `gateway`. A charge for an invoice of ours that
        the books lack, as after a restored backup, is adopted as the attempt that it was, and pays
        the invoice; what that does not need stays unallocated. What is known otherwise is merged, a
        different amount set aside, a charge for an unknown invoice put on the review list. Nothing
        is charged for it, another tenant's charges are left alone, and doing it again does nothing
        twice.

        Raises `ValidationError` for an unknown gateway or a naive `since`, `StorageError` within a
        transaction, and what the gateway raises that cannot list; what came before is kept then.
        """
        return run_sync(sweeping.sweep(self.engine, gateway, since, at))

    def commit(self, plan: Plan[R]) -> R:
        """Do exactly what a preview showed; returns the record that it is about.

        Raises `StalePlan` if a record that the plan rests on has moved on; preview again then.

        >>> from datetime import UTC, date, datetime
        >>> from subscriptions import Interval, Money
        >>> billing = Billing(clock=lambda: datetime(2027, 1, 31, tzinfo=UTC))
        >>> pro = billing.catalog.add_price("Pro", Money.of("29", "EUR"), every=Interval.months(1))
        >>> ada = billing.customers.create(name="Ada Lovelace")
        >>> plan = billing.preview.subscriptions.create(ada.id, [pro.id])
        >>> plan.invoices[0].total, billing.subscriptions.list().total
        (Money.of("29.00", "EUR"), 0)
        >>> billing.commit(plan).status
        'active'
        """
        return run_sync(self.engine.commit(plan))

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit the commands of the block together, or none of them if it raises.

        Gateways are called after the commit. Numbers that were taken are given back by a rollback.
        """
        opened = run_sync(transactions.begin(self.engine))
        try:
            yield
        except BaseException:
            run_sync(transactions.end(self.engine, opened, commit=False))
            raise
        run_sync(transactions.end(self.engine, opened, commit=True))

    def unpark(
        self,
        kind: str,
        id: str,
        *,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Release a parked record, and do what is due for it; returns the record.

        Who releases it has looked at it: what is due now is billed whatever `safety` says.

        Raises `ValidationError` for a record that is not parked, `NotFound` for an unknown one. The
        same again with its idempotency key does nothing.
        """
        return run_sync(catching_up.release(self.engine, kind_named(kind), id, at, idempotency_key))


class AsyncBilling:
    """`Billing` for asynchronous hosts: the same names, with `await`.

    `storage` is an asynchronous storage, or a synchronous one, which gets a thread of its own. Nor
    does a gateway's call stop the event loop. The other arguments are those of `Billing`.
    """

    def __init__(
        self,
        *,
        storage: AsyncStorage | Storage | None = None,
        gateways: Mapping[str, PaymentGateway] | None = None,
        seller: Seller | None = None,
        sellers: Sequence[Seller] = (),
        taxes: TaxRates | TaxPolicy = NO_TAX,
        clock: Clock = system_clock,
        ids: IdSource | None = None,
        tenant: str = "default",
        webhook_secrets: Mapping[str, Sequence[Secret]] | None = None,
        proration: Proration = DEFAULT_PRORATION,
        safety: Safety = DEFAULT_SAFETY,
        tax_ids: TaxIdValidator | None = None,
        tax_id_policy: TaxIdPolicy = DEFAULT_POLICY,
        tax_provider: TaxProvider | None = None,
        tax_quote_policy: TaxQuotePolicy = DEFAULT_QUOTES,
        rounding: Rounding = Rounding.HALF_UP,
        disputes: DisputePolicy = DEFAULT_DISPUTES,
    ) -> None:
        self.engine = Engine(
            _asynchronous(_checked(storage or MemoryStorage())),
            _with_transfer(gateways),
            _setting("seller", Seller, Seller() if seller is None else seller),
            _taxes(taxes, seller, sellers),
            _callable("clock", clock),
            ids or RandomIds(),
            plain_text("tenant", tenant),
            webhook_secrets or {},
            _setting("proration", Proration, proration),
            _setting("safety", Safety, safety),
            sellers=_others(sellers, seller),
            tax_ids=_validator(tax_ids),
            tax_id_policy=_setting("tax_id_policy", TaxIdPolicy, tax_id_policy),
            tax_provider=_provider(tax_provider),
            tax_quotes=_setting("tax_quote_policy", TaxQuotePolicy, tax_quote_policy),
            rounding=_setting("rounding", Rounding, rounding),
            disputes=_setting("disputes", DisputePolicy, disputes),
        )
        self.customers = namespaces.AsyncCustomers(self.engine)
        self.payment_methods = namespaces.AsyncPaymentMethods(self.engine)
        self.catalog = namespaces.AsyncCatalog(self.engine)
        self.coupons = namespaces.AsyncCoupons(self.engine)
        self.subscriptions = namespaces.AsyncSubscriptions(self.engine)
        self.usage = namespaces.AsyncUsage(self.engine)
        self.entitlements = namespaces.AsyncEntitlements(self.engine)
        self.invoices = namespaces.AsyncInvoices(self.engine)
        self.credit_notes = namespaces.AsyncCreditNotes(self.engine)
        self.balance = namespaces.AsyncBalance(self.engine)
        self.payments = namespaces.AsyncPayments(self.engine)
        self.dunning = namespaces.AsyncDunning(self.engine)
        self.reports = namespaces.AsyncReports(self.engine)
        self.events = namespaces.AsyncEvents(self.engine)
        self.webhooks = namespaces.AsyncWebhooks(self.engine)
        self.preview = namespaces.AsyncPreview(self.engine)

    async def run(
        self,
        until: date | datetime | None = None,
        *,
        progress: Callable[[date, RunReport], object] | None = None,
        sweep: bool = False,
    ) -> RunReport:
        """Do everything that falls due, as `Billing.run` does."""
        if sweep:
            return await run_async(sweeping.run_after(self.engine, until, progress))
        return await run_async(self.engine.run(until, progress))

    async def sweep(
        self,
        gateway: str | None = None,
        *,
        since: datetime | None = None,
        at: datetime | None = None,
    ) -> SweepReport:
        """Compare what gateways have with the books, as `Billing.sweep` does."""
        return await run_async(sweeping.sweep(self.engine, gateway, since, at))

    async def commit(self, plan: Plan[R]) -> R:
        """Do exactly what a preview showed, as `Billing.commit` does."""
        return await run_async(self.engine.commit(plan))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Commit the commands of the block together, as `Billing.transaction` does."""
        opened = await run_async(transactions.begin(self.engine))
        try:
            yield
        except BaseException:
            await run_async(transactions.end(self.engine, opened, commit=False))
            raise
        await run_async(transactions.end(self.engine, opened, commit=True))

    async def unpark(
        self,
        kind: str,
        id: str,
        *,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Release a parked record, as `Billing.unpark` does."""
        return await run_async(
            catching_up.release(self.engine, kind_named(kind), id, at, idempotency_key)
        )


def _with_transfer(
    gateways: Mapping[str, PaymentGateway] | None,
) -> Mapping[str, PaymentGateway]:
    given = {"card": FakeGateway()} if gateways is None else gateways
    if not isinstance(given, Mapping):
        raise ValidationError("gateways", given, "gateways by their names, as in {'card': gateway}")
    for name, gateway in given.items():
        if not callable(getattr(gateway, "charge", None)):
            raise ValidationError(f"gateways[{name!r}]", gateway, "a PaymentGateway")
    return {"transfer": BankTransfer(), **given}


def _setting(name: str, kind: type[T], value: T) -> T:
    if not isinstance(value, kind):
        raise ValidationError(name, value, f"a {kind.__name__}")
    return value


def _taxes(
    taxes: TaxRates | TaxPolicy, seller: Seller | None, sellers: Sequence[Seller]
) -> TaxRates | TaxPolicy:
    if isinstance(taxes, TaxPolicy):
        for each in (seller or Seller(), *_others(sellers, seller).values()):
            if not each.address.country:
                expected = f"the country of seller {each.id!r}, which a TaxPolicy must know"
                raise ValidationError("seller.address.country", "", expected)
    elif not isinstance(taxes, TaxRates):
        raise ValidationError("taxes", taxes, "a TaxRates or a TaxPolicy")
    return taxes


def _others(sellers: Sequence[Seller], main: Seller | None) -> Mapping[str, Seller]:
    """Return the other sellers by their ids, of which none may come twice."""
    if isinstance(sellers, Seller) or not isinstance(sellers, Iterable):
        raise ValidationError("sellers", sellers, "a list of Sellers")
    others: dict[str, Seller] = {}
    for each in sellers:
        _setting("sellers", Seller, each)
        if each.id in {*others, (main or Seller()).id}:
            raise ValidationError("sellers", each.id, "an id of its own for each seller")
        others[each.id] = each
    return others


def _provider(given: TaxProvider | None) -> TaxProvider | None:
    if given is not None and not callable(getattr(given, "quote", None)):
        raise ValidationError("tax_provider", given, "a TaxProvider, with a method named quote")
    return given


def _validator(given: TaxIdValidator | None) -> TaxIdValidator | None:
    if given is None:
        return None
    if not callable(getattr(given, "check", None)):
        raise ValidationError("tax_ids", given, "a TaxIdValidator, such as Vies()")
    prefixes: object = given.prefixes
    if not isinstance(prefixes, frozenset) or not prefixes:
        raise ValidationError("tax_ids.prefixes", prefixes, "prefixes, as in frozenset({'DE'})")
    return given


def _callable(name: str, value: T) -> T:
    if not callable(value):
        raise ValidationError(name, value, "a function without arguments")
    return value


def _checked(storage: StorageT) -> StorageT:
    if not callable(getattr(storage, "begin", None)):
        raise ValidationError("storage", storage, "a storage, such as SqlStorage('sqlite:///…')")
    return storage


def _asynchronous(storage: AsyncStorage | Storage) -> Storage:
    """Return a storage whose calls the asynchronous driver may await.

    The engine is written for both kinds; it never looks at what a call returns, the driver does.
    """
    if iscoroutinefunction(storage.begin):
        return cast("Storage", storage)
    return cast("Storage", ThreadedStorage(cast("Storage", storage)))
