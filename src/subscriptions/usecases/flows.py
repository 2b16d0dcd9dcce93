"""The one idiom: flows, generators that yield the reads they need and return what they decided.

A flow says `sub = yield from Get(SUBSCRIPTION, id)` and gets the record. Who answers is not its
business: the sync driver asks the storage, the async driver awaits it, and the bulk driver runs
hundreds of flows side by side and answers all that wait for one kind with one query.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import field

from subscriptions.billing_cycles import local_date
from subscriptions.customers import Customer
from subscriptions.decisions import Decision
from subscriptions.disputes import DEFAULT_POLICY as DEFAULT_DISPUTES
from subscriptions.disputes import DisputePolicy
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import Capabilities
from subscriptions.ids import IdSource
from subscriptions.invoices import Seller
from subscriptions.money import Rounding
from subscriptions.payment_methods import MethodDetails
from subscriptions.proration import DEFAULT as DEFAULT_PRORATION
from subscriptions.proration import Proration
from subscriptions.records import ColumnValue, Kind, Record, Ref
from subscriptions.tax_ids import DEFAULT_POLICY, TaxIdPolicy, is_covered, read_tax_id, valid_on
from subscriptions.tax_quotes import DEFAULT_QUOTES, TaxQuotePolicy
from subscriptions.taxes import (
    Supply,
    TaxCategory,
    TaxPolicy,
    TaxRate,
    TaxRates,
    TaxTreatment,
    check_category,
    check_known,
    treat,
)

R = TypeVar("R", bound=Record)
T = TypeVar("T")


@frozen
class Get(Generic[R]):
    """Read one record; raises `NotFound` in the flow if it does not exist."""

    kind: Kind[R]
    id: str

    def __iter__(self) -> Generator[Read, Any, R]:
        record: R = yield self
        return record


@frozen
class Maybe(Generic[R]):
    """Read one record, or None if it does not exist."""

    kind: Kind[R]
    id: str

    def __iter__(self) -> Generator[Read, Any, R | None]:
        record: R | None = yield self
        return record


@frozen
class GetMany(Generic[R]):
    """Read several records, in the order of their ids; raises `NotFound` for a missing one."""

    kind: Kind[R]
    ids: tuple[str, ...]

    def __iter__(self) -> Generator[Read, Any, tuple[R, ...]]:
        records: tuple[R, ...] = yield self
        return records


@frozen
class Having(Generic[R]):
    """Read all records whose column has a value, in the order they were first written."""

    kind: Kind[R]
    column: str
    value: ColumnValue

    def __iter__(self) -> Generator[Read, Any, tuple[R, ...]]:
        records: tuple[R, ...] = yield self
        return records


@frozen(eq=False)
class Fold(Generic[R, T]):
    """Read all records whose column has a value, in the order of another one, and fold them.

    They are read page by page and never held together: `step` takes the state and the next record
    and returns the next state, from `start()` on; the last state is the answer. `step` may change
    the state in place. Records that are equal in `order_by` come in the order of their ids.
    """

    kind: Kind[R]
    column: str
    value: ColumnValue
    order_by: str
    step: Callable[[T, R], T]
    start: Callable[[], T]

    def __iter__(self) -> Generator[Read, Any, T]:
        state: T = yield self
        return state


Read: TypeAlias = Get[Any] | Maybe[Any] | GetMany[Any] | Having[Any] | Fold[Any, Any]
Flow: TypeAlias = Generator[Read, Any, T]


@frozen
class Safety:
    """What no bill may exceed without a person's look; then the record is parked, with an event.

    `lines_max` is how many lines it may have. Where it comes to more than `times_usual` of what the
    same items came to last time, and to more than `least_amount` in major units, it is too much.
    """

    lines_max: int = 1000
    times_usual: int | None = 100
    least_amount: int = 1000

    def __attrs_post_init__(self) -> None:
        for name in ("lines_max", "times_usual", "least_amount"):
            value: object = getattr(self, name)
            if name == "times_usual" and value is None:
                continue
            if type(value) is not int or value < 1:
                raise ValidationError(f"safety.{name}", value, "a whole number of at least 1")


DEFAULT_SAFETY: Final = Safety()
"""At most 1000 lines, and a hundred times the usual."""


# A run taxes thousands of lines in few ways.
@lru_cache(maxsize=1024)
def _plainly(
    rates: TaxRates, country: str | None, on: date, category: str, region: str
) -> TaxTreatment:
    return TaxTreatment(rates.rates_for(country, on, category=category, region=region))


@frozen
class Context:
    """What a flow may know besides records: the time, the seller, where ids come from.

    `at` is the time of the work, `now` what the clock says: a run that catches up works at times
    that have passed. `safety` is None where a person has looked. `attached` is what a gateway said
    of a token, for the one command that needs it. `refunding` names the gateways that can give
    money back, `authorizing` those that can hold an amount. `sellers` are the others, by their ids.
    `tax_id_prefixes` is what the tax ids begin
    with that somebody can be asked about; it is empty where nobody is asked. `rounding` is that of
    new documents. `disputes` is what a dispute does by itself. `quotes_tax` says that an invoice
    waits for a tax engine before it is final, `tax_quotes` for how long.
    """

    at: datetime
    now: datetime
    tenant: str
    ids: IdSource
    seller: Seller
    taxes: TaxRates | TaxPolicy
    gateways: Mapping[str, Capabilities]
    attached: MethodDetails | None = None
    proration: Proration = DEFAULT_PRORATION
    safety: Safety | None = DEFAULT_SAFETY
    refunding: frozenset[str] = frozenset()
    authorizing: frozenset[str] = frozenset()
    sellers: Mapping[str, Seller] = field(factory=dict[str, Seller])
    tax_id_policy: TaxIdPolicy = DEFAULT_POLICY
    tax_id_prefixes: frozenset[str] = frozenset()
    quotes_tax: bool = False
    tax_quotes: TaxQuotePolicy = DEFAULT_QUOTES
    rounding: Rounding = Rounding.HALF_UP
    disputes: DisputePolicy = DEFAULT_DISPUTES

    def read_tax_id(self, tax_id: str, country: str) -> str:
        """Return a tax id as it is stored: as given, or where ids are checked a well-formed one."""
        return read_tax_id(tax_id, country) if self.tax_id_prefixes else tax_id

    def ask_about(self, tax_id: str) -> datetime | None:
        """Return when to ask about a new tax id: at once, or never if nobody answers for it."""
        return self.at if is_covered(tax_id, self.tax_id_prefixes) else None

    def today(self, zone: str | None = None) -> date:
        """Return the day that `at` falls on, in a zone or in the seller's."""
        return local_date(self.at, zone or self.seller.zone)

    def tax_for(self, owner: Customer, on: date, category: str = "standard") -> TaxTreatment:
        """Return the rates of what a customer is sold on a day of supply, and what is missing.

        With a table of rates that is the rate of his country; a `TaxPolicy` asks for the seller and
        the evidence of his tax id as well. Raises `ValidationError` where there is no rate.
        """
        taxes, exemption, address = self.taxes, owner.tax_exemption, owner.address
        reason = None if exemption is None else exemption.reason_on(on)
        if isinstance(taxes, TaxRates):
            if reason is not None:
                return TaxTreatment((TaxRate(0, TaxCategory.EXEMPT, reason),))
            return _plainly(taxes, address.country or None, on, category, address.region)
        standing = None
        if owner.tax_id:
            max_age = self.tax_id_policy.max_age
            standing = valid_on(owner.tax_id_check, owner.tax_id, self.at, max_age)
        seller = self.seller_of(owner)
        supply = Supply(
            seller.address.country,
            on,
            address.country,
            address.region,
            category,
            standing,
            reason,
            bool(seller.tax_id),
            tax_id_country=owner.tax_id[:2].upper(),
        )
        return treat(taxes, supply)

    def check_tax_category(self, category: str) -> str:
        """Return a word for what is sold; raises `ValidationError` for one without rates."""
        rates = self.taxes if isinstance(self.taxes, TaxRates) else self.taxes.rates
        check_known(rates, check_category("tax_category", category))
        return category

    def seller_of(self, customer: Customer) -> Seller:
        """Return whose customer it is; raises `ValidationError` for a seller not known here."""
        return self.seller if customer.seller is None else self.seller_named(customer.seller)

    def seller_named(self, id: str) -> Seller:
        """Return a seller by his id, of which an empty one is the main seller's.

        Raises `ValidationError` for one that is not known here: nobody may guess then.
        """
        if id in ("", self.seller.id):
            return self.seller
        seller = self.sellers.get(id)
        if seller is None:
            raise ValidationError(
                "seller", id, f"one of {', '.join([self.seller.id, *self.sellers])}"
            )
        return seller


@frozen
class AttachToken:
    """Ask a gateway what a token stands for, before the transaction begins."""

    gateway: str
    token: str = field(repr=False)
    customer: str


@frozen
class ForgetMethod:
    """Tell a gateway to forget a method, after the transaction."""

    gateway: str
    reference: str = field(repr=False)


@frozen
class Command(Generic[R]):
    """A request that changes something; answered with the record that it is about.

    `at` is the host's time for it (None: the engine's clock), `key` its idempotency key. What is
    due for the record `catch_up` is done before it is decided.
    """

    kind: Kind[R]
    flow: Callable[[Context], Flow[Decision]]
    at: datetime | None = None
    key: str | None = None
    before: AttachToken | None = None
    after: Callable[[R], ForgetMethod] | None = None
    catch_up: Ref | None = None


@frozen
class Question(Generic[T]):
    """A request that changes nothing."""

    flow: Callable[[Context], Flow[T]]
    at: datetime | None = None


@frozen
class Listing(Generic[R]):
    """A request for records, page by page."""

    kind: Kind[R]
    where: Mapping[str, Sequence[ColumnValue]] = field(factory=dict[str, Sequence[ColumnValue]])
    order_by: str | None = None
    descending: bool = False
    limit: int = 100
    after: str | None = None


def only(**columns: ColumnValue) -> dict[str, tuple[ColumnValue, ...]]:
    """Return the filter of a listing: the given columns, without those that are None."""
    return {name: (value,) for name, value in columns.items() if value is not None}


def one_of(name: str, value: str | None, known: Iterable[str]) -> str | None:
    """Return a filter's value if it is a known word; raises `ValidationError` for a slip."""
    words = tuple(known)
    if value is not None and value not in words:
        raise ValidationError(name, value, f"one of {', '.join(words)}")
    return value


def get(kind: Kind[R], id: str) -> Question[R]:
    """Ask for one record; raises `NotFound` if it does not exist."""

    def flow(_: Context) -> Flow[R]:
        return (yield from Get(kind, id))

    return Question(flow)
