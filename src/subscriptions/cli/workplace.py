"""Where the command line works: a SQLite file, an invented seller, a scripted gateway."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from attrs import define

from subscriptions import (
    Address,
    Billing,
    MemoryStorage,
    Seller,
    SqlStorage,
    StorageError,
    TaxRate,
    TaxRates,
)
from subscriptions.errors import StorageBusy, ValidationError
from subscriptions.gateways.fake import FakeGateway
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.payments import Outcome, charge_intent
from subscriptions.storage import Query, Storage
from subscriptions.taxes import TaxCategory

TENANT = "demo"
SELLER = Seller(
    "Example Software GmbH",
    id="demo",
    address=Address("Beispielstraße 12", postal_code="10115", city="Berlin", country="DE"),
    tax_id="DE123456789",
    email="billing@example.com",
    iban="DE02120300000000202051",
    zone="Europe/Berlin",
)
# The standard rates for what is sold to consumers over the net, taxed where they live.
TAXES = TaxRates(
    {
        "AT": TaxRate("20"),
        "DE": TaxRate("19"),
        "ES": TaxRate("21"),
        "FR": TaxRate("20"),
        "GB": TaxRate("20"),
        "IT": TaxRate("22"),
        "NL": TaxRate("21"),
    },
    default=TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not subject to EU VAT"),
)


@define
class LogicalClock:
    """A clock that is set, so that a year passes in seconds; unset, it is the real one."""

    now: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time that was set last."""
        return self.now or datetime.now(UTC)


@define
class Workplace:
    """A `Billing` on a file; `clock` is None where it is the host's own."""

    billing: Billing
    gateway: FakeGateway | None
    clock: LogicalClock | None


def open_file(database: str, *, must_exist: bool) -> Workplace:
    """Open a SQLite file, or make it.

    Raises `ValidationError` for a missing file or folder and for what is no database of this
    library, `StorageBusy` if another program is writing to it.
    """
    path = Path(database)
    if must_exist and not path.exists():
        expected = "a file that exists; 'subscriptions demo' or 'subscriptions import' makes one"
        raise ValidationError("--database", database, expected)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValidationError("--database", database, "a file in a folder that exists")
    try:
        return _work_on(SqlStorage(f"sqlite:///{path}"))
    except StorageBusy:
        raise
    except StorageError as error:
        expected = f"a database of this library ({error})"
        raise ValidationError("--database", database, expected) from error


def open_nothing() -> Workplace:
    """Work in memory: what is tried out there leaves nothing behind."""
    return _work_on(MemoryStorage())


def _work_on(storage: Storage) -> Workplace:
    clock = LogicalClock()
    gateway = FakeGateway()
    billing = Billing(
        storage=storage,
        gateways={"card": gateway},
        seller=SELLER,
        taxes=TAXES,
        clock=clock,
        tenant=TENANT,
    )
    # A file that was run ahead of the real time goes on from there.
    last = last_instant(billing)
    if last is not None and last > clock():
        clock.now = last
    remember(gateway, billing)
    return Workplace(billing, gateway, clock)


def open_app(name: str) -> Workplace:
    """Load the host's own `Billing`, named as `module:attribute`; raises `ValidationError`."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValidationError("--app", name, f"MODULE:NAME of your Billing ({error})") from error
    if not isinstance(found, Billing):
        raise ValidationError("--app", name, f"a Billing, not a {type(found).__name__}")
    return Workplace(found, None, None)


def last_instant(billing: Billing) -> datetime | None:
    """Return when the last document took its number, or None if there is none."""
    engine = billing.engine
    found = engine.storage.find(Query(NUMBER_SERIES, engine.tenant, limit=1000))
    return max((each.last_at for each in found if each.last_at is not None), default=None)


def remember(gateway: FakeGateway, billing: Billing) -> None:
    """Give the scripted gateway the memory that a real one has: its books end with its process.

    What it was asked before is asked again in the same order, and as its answers depend on nothing
    else, its books are again what they were. Only the gateway hears it: no record changes.
    """
    for payment in billing.payments.list(limit=1000):
        if payment.gateway == "card" and payment.method_ref:
            intent = charge_intent(payment)
            if gateway.charge(intent).outcome is Outcome.UNKNOWN:
                gateway.charge(intent)
