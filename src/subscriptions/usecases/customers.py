"""Customers: create, read, update, list, tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from subscriptions import customers
from subscriptions.customers import CUSTOMER, Address, Customer, Grouping
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId
from subscriptions.records import Metadata, Ref
from subscriptions.usecases import flows
from subscriptions.usecases.flows import Command, Context, Flow, Get, Listing, Question, only

_REMOVABLE = frozenset({"email", "external_id", "zone"})


def create(
    *,
    name: str,
    email: str | None = None,
    country: str = "",
    address: Address | None = None,
    company: str = "",
    tax_id: str = "",
    number: str | None = None,
    external_id: str | None = None,
    language: str = "en",
    zone: str | None = None,
    tags: Iterable[str] = (),
    grouping: Grouping | str = Grouping.EACH,
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Customer]:
    """Create a customer; the number is the next of the seller's range unless `number` is given.

    `country` is a short form for an `address` with nothing but a country. `zone` is the IANA zone
    in which the customer's billing days begin; without one it is the seller's. With `grouping`
    "day", what his subscriptions cost on one day in one currency is on one invoice; by default
    ("each") they have invoices of their own.

    Raises `ValidationError` for a wrong value, `Duplicate` if the number or the external id is
    taken. Nothing is stored then.
    """
    if isinstance(address, Address) and country and country != address.country:
        raise ValidationError(
            "country", country, f"the country of the address, {address.country!r}"
        )

    def flow(context: Context) -> Flow[Decision]:
        yield from ()  # it reads nothing, and is a generator all the same
        customer = Customer(
            CustomerId(context.ids.fresh("cus")),
            context.tenant,
            1,
            name,
            context.ids.secret(),
            number=number,
            external_id=external_id,
            company=company,
            email=email,
            address=Address(country=country) if address is None else address,
            tax_id=tax_id,
            language=language,
            zone=zone,
            tags=customers.normalized_tags(tags),
            metadata=Metadata(metadata),
            grouping=customers.read_grouping(grouping),
        )
        seller = context.seller
        move = customers.create(
            customer, series=seller.customer_series, numbers=seller.customer_numbers
        )
        about = Ref(CUSTOMER, customer.id)
        if isinstance(move, Change):
            return Decision((move,), about=about)
        return Decision(issues=(move,), about=about)

    return Command(CUSTOMER, flow, at, idempotency_key)


def get(id: str) -> Question[Customer]:
    """Return a customer; raises `NotFound` if there is none with this id."""
    return flows.get(CUSTOMER, id)


def list_(
    *,
    number: str | None = None,
    external_id: str | None = None,
    email: str | None = None,
    name: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Customer]:
    """List customers in the order they were created; each filter is an exact match."""
    where = only(number=number, external_id=external_id, email=email, name=name)
    return Listing(CUSTOMER, where, limit=limit, after=after)


def update(
    id: str,
    *,
    name: str | None = None,
    email: str | None = None,
    address: Address | None = None,
    company: str | None = None,
    tax_id: str | None = None,
    number: str | None = None,
    external_id: str | None = None,
    language: str | None = None,
    zone: str | None = None,
    grouping: Grouping | str | None = None,
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Customer]:
    """Edit the fields that are given; the others stay. Final invoices do not change.

    An empty text takes an e-mail address, an external id or a zone away.

    The zone of running subscriptions stays what it was when they were made, and another `grouping`
    counts from the next invoice on. Raises
    `ValidationError` for a wrong value and `Duplicate` for a taken number or external id.
    """
    given = {
        "name": name,
        "email": email,
        "address": address,
        "company": company,
        "tax_id": tax_id,
        "number": number,
        "external_id": external_id,
        "language": language,
        "zone": zone,
        "grouping": None if grouping is None else customers.read_grouping(grouping),
        "metadata": None if metadata is None else Metadata(metadata),
    }
    fields = {
        field: None if value == "" and field in _REMOVABLE else value
        for field, value in given.items()
        if value is not None
    }

    def flow(_: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        return _edited(customer, fields)

    return Command(CUSTOMER, flow, at, idempotency_key)


def tag(
    id: str, *tags: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Customer]:
    """Add tags; those that are there already stay."""

    def flow(_: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        return _edited(customer, {"tags": customers.normalized_tags({*customer.tags, *tags})})

    return Command(CUSTOMER, flow, at, idempotency_key)


def untag(
    id: str, *tags: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Customer]:
    """Remove tags; those that are not there are no error."""

    def flow(_: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        left = customers.normalized_tags({*customer.tags} - {*tags})
        return _edited(customer, {"tags": left})

    return Command(CUSTOMER, flow, at, idempotency_key)


def _edited(customer: Customer, fields: Mapping[str, object]) -> Decision:
    change = customers.update(customer, fields)
    return Decision(() if change is None else (change,), about=Ref(CUSTOMER, customer.id))
