"""Customers: create, read, update, list, tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from subscriptions import customers, tax_ids
from subscriptions.customers import CUSTOMER, Address, CollectionMethod, Customer, Grouping
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId
from subscriptions.invoices import INVOICE, Draft
from subscriptions.lifecycle import SUBSCRIPTION, Ended
from subscriptions.records import Metadata, Ref, aware, plain_text
from subscriptions.tax_ids import Invalid, TaxIdAnswer, Valid, is_covered
from subscriptions.taxes import TaxExemption
from subscriptions.usecases import flows
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Question,
    only,
)
from subscriptions.usecases.price_arguments import read_flag

_REMOVABLE = frozenset({"email", "external_id", "seller", "tax_exemption", "terms_days", "zone"})


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
    tax_exemption: TaxExemption | None = None,
    seller: str | None = None,
    collection_method: CollectionMethod | str = CollectionMethod.CHARGE_AUTOMATICALLY,
    terms_days: int | None = None,
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Customer]:
    """Create a customer; the number is the next of the seller's range unless `number` is given.

    With `Billing(tax_ids=…)` the `tax_id` must be well formed, is stored in its one spelling, and
    is asked about right after; the validator's answer is in what is returned.

    `country` is a short form for an `address` with nothing but a country. `zone` is the IANA zone
    in which the customer's billing days begin; without one it is the seller's. With `grouping`
    "day", what his subscriptions cost on one day in one currency is on one invoice; by default
    ("each") they have invoices of their own. A `tax_exemption` says why he is charged no tax.
    `seller` is the id of the legal entity that he buys from, by default the main one's; numbers of
    customers come from one range all the same.

    With `collection_method="send_invoice"` nothing is charged though there may be a method: he pays
    by himself, within `terms_days` (default: the seller's).

    Raises `ValidationError` for a wrong value and an unknown seller, `Duplicate` if the number or
    the external id is taken. Nothing is stored then.
    """
    if isinstance(address, Address) and country and country != address.country:
        raise ValidationError(
            "country", country, f"the country of the address, {address.country!r}"
        )

    def flow(context: Context) -> Flow[Decision]:
        yield from ()  # it reads nothing, and is a generator all the same
        place = Address(country=country) if address is None else address
        vat_id = context.read_tax_id(tax_id, _country(place))
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
            address=place,
            tax_id=vat_id,
            language=language,
            zone=zone,
            tags=customers.normalized_tags(tags),
            metadata=Metadata(metadata),
            grouping=customers.read_grouping(grouping),
            tax_exemption=tax_exemption,
            tax_id_check_at=context.ask_about(vat_id),
            seller=_seller_id(seller, context),
            collection_method=customers.read_collection_method(collection_method),
            terms_days=terms_days,
        )
        main = context.seller
        move = customers.create(
            customer, series=main.customer_series, numbers=main.customer_numbers
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
    tax_exemption: TaxExemption | Literal[""] | None = None,
    seller: str | None = None,
    collection_method: CollectionMethod | str | None = None,
    terms_days: int | Literal[""] | None = None,
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Customer]:
    """Edit the fields that are given; the others stay. Final invoices do not change.

    An empty text takes an e-mail address, an external id, a zone or a tax exemption away, and makes
    him the main seller's again; as `terms_days` it gives him the seller's.

    The zone of running subscriptions stays what it was when they were made, and another `grouping`
    counts from the next invoice on. With another tax id, what was said of the one before is
    forgotten, and the new one is asked about.

    Another `seller` sells what comes from now on. It is refused as long as something of the present
    one's is not over, for no document mixes two: a draft, an item that waits, and a subscription
    with a period that is charged already or with a credit that waits.

    Raises `ValidationError` for a wrong value, for an unknown seller and for one that is refused,
    and `Duplicate` for a taken number or external id.
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
        "tax_exemption": tax_exemption,
        "seller": seller,
        "collection_method": (
            None
            if collection_method is None
            else customers.read_collection_method(collection_method)
        ),
        "terms_days": terms_days,
    }
    fields = {
        field: None if value == "" and field in _REMOVABLE else value
        for field, value in given.items()
        if value is not None
    }

    def flow(context: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        edits = yield from _with_seller(customer, fields, context)
        if tax_id is None:
            return _edited(customer, edits)
        place = customer.address if address is None else address
        vat_id = context.read_tax_id(tax_id, _country(place))
        ask_at = context.ask_about(vat_id)
        change = customers.update(customer, {**edits, "tax_id": vat_id}, ask_at=ask_at)
        return Decision(() if change is None else (change,), about=Ref(CUSTOMER, customer.id))

    return Command(CUSTOMER, flow, at, idempotency_key)


def check_tax_id(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Customer]:
    """Ask about a customer's tax id now; the validator's answer is in what is returned.

    A run asks by itself, when the id is new and then from time to time. If nobody can say, what was
    said before holds on and a run asks again. Raises `ValidationError` for a customer without a tax
    id, and if there is no validator that can answer for it.
    """

    def flow(context: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        if customer.tax_id and not is_covered(customer.tax_id, context.tax_id_prefixes):
            prefixes = ", ".join(sorted(context.tax_id_prefixes)) or "Billing(tax_ids=…)"
            raise ValidationError("tax_id", customer.tax_id, f"one that is covered: {prefixes}")
        change = customers.ask_about_tax_id(customer, context.at)
        return Decision(() if change is None else (change,), about=Ref(CUSTOMER, customer.id))

    return Command(CUSTOMER, flow, at, idempotency_key)


def record_tax_id_check(
    id: str,
    *,
    valid: bool,
    source: str,
    checked_at: datetime | None = None,
    request_id: str = "",
    name: str = "",
    address: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Customer]:
    """Record what somebody else said of a customer's tax id, as evidence like a validator's own.

    `source` names who said it, `checked_at` when it was (default: now), and `request_id` its
    receipt. Raises `ValidationError` for a wrong value, for a customer without a tax id, and for a
    time in the future or before the answer that is recorded already.
    """
    answer: TaxIdAnswer = (
        Valid(request_id, name, address) if read_flag("valid", valid) else (Invalid(request_id))
    )
    for field, text in (("request_id", request_id), ("name", name), ("address", address)):
        plain_text(field, text, empty=True)
    plain_text("source", source, length_max=100)

    def flow(context: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        if not customer.tax_id:
            raise ValidationError("tax_id", "", "a customer with a tax id")
        said_at = context.at if checked_at is None else aware("checked_at", checked_at)
        if said_at > context.at:
            raise ValidationError("checked_at", said_at, f"at most {context.at}")
        known = tax_ids.last_answer_at(customer.tax_id_check, customer.tax_id)
        if known is not None and said_at < known:
            raise ValidationError("checked_at", said_at, f"at least {known}, of the last answer")
        change = customers.record_tax_id_answer(
            customer,
            customer.tax_id,
            answer,
            at=said_at,
            source=source,
            policy=context.tax_id_policy,
            again=is_covered(customer.tax_id, context.tax_id_prefixes),
        )
        return Decision((change,), about=Ref(CUSTOMER, customer.id))

    return Command(CUSTOMER, flow, at, idempotency_key)


def settle_tax_id(
    id: str, tax_id: str, answer: TaxIdAnswer, *, source: str, context: Context
) -> Flow[Decision]:
    """Decide what a validator's answer changes, unless another worker was faster."""
    customer = yield from Get(CUSTOMER, id)
    if customer.due_at is None or customer.due_at > context.at:
        return Decision()
    change = customers.record_tax_id_answer(
        customer,
        tax_id,
        answer,
        # A run that catches up asks today, not at the time that it has come to.
        at=max(context.at, context.now),
        source=source,
        policy=context.tax_id_policy,
        again=is_covered(customer.tax_id, context.tax_id_prefixes),
    )
    return Decision((change,))


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


def _country(address: object) -> str:
    # Anything else is refused where the customer is made.
    return address.country if isinstance(address, Address) else ""


def _edited(customer: Customer, fields: Mapping[str, object]) -> Decision:
    change = customers.update(customer, fields)
    return Decision(() if change is None else (change,), about=Ref(CUSTOMER, customer.id))


def _seller_id(given: str | None, context: Context) -> str | None:
    """Return the id of a seller that is known here; None for the main one."""
    if given is None:
        return None
    seller = context.seller_named(plain_text("seller", given))
    return None if seller is context.seller else seller.id


def _with_seller(
    customer: Customer, fields: Mapping[str, object], context: Context
) -> Flow[Mapping[str, object]]:
    """Return the fields to edit, having seen that another seller may sell to the customer."""
    if "seller" not in fields:
        return fields
    given = fields["seller"]
    seller = None if given is None else _seller_id(str(given), context)
    if seller != customer.seller:
        drafts = yield from Having(INVOICE, "customer", customer.id)
        subscriptions = yield from Having(SUBSCRIPTION, "customer", customer.id)
        open_ones = [
            *[f"draft {each.id}" for each in drafts if isinstance(each.state, Draft)],
            *[
                f"subscription {each.id}"
                for each in subscriptions
                if each.pending or (each.debits and not isinstance(each.contract, Ended))
            ],
            *(["pending items"] if customer.pending_items else []),
        ]
        if open_ones:
            expected = f"the same one until these are over: {', '.join(open_ones)}"
            raise ValidationError("seller", given, expected)
    return {**fields, "seller": seller}
