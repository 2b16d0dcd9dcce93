"""Reading refuses what it does not know, and guesses nothing."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import NOTHING, evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.catalog import PRICE
from subscriptions.customers import CUSTOMER
from subscriptions.dunning import DUNNING_CASE, DUNNING_POLICY, DunningPolicy, Retries
from subscriptions.errors import ValidationError
from subscriptions.events import EVENT, KINDS
from subscriptions.invoices import INVOICE
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.payment_methods import PAYMENT_METHOD
from subscriptions.payments import PAYMENT
from subscriptions.records import AnyKind, Metadata, Record
from subscriptions.refunds import REFUND
from subscriptions.serialization import UnreadableRecord, dump, kind_named, load
from subscriptions.testing.builders import (
    a_customer,
    a_dunning_case,
    a_dunning_policy,
    a_number_series,
    a_payment,
    a_payment_method,
    a_price,
    a_refund,
    a_subscription,
    an_event,
    an_invoice,
)
from subscriptions.testing.examples import examples

MISSING = Ellipsis
NAN, INFINITY = float("nan"), float("inf")

RECORDS: dict[AnyKind, Callable[[], Record]] = {
    CUSTOMER: a_customer,
    PAYMENT_METHOD: a_payment_method,
    PRICE: a_price,
    SUBSCRIPTION: a_subscription,
    INVOICE: an_invoice,
    PAYMENT: a_payment,
    REFUND: a_refund,
    DUNNING_CASE: lambda: a_dunning_case(policy=DunningPolicy(retries=Retries.after_days(3))),
    DUNNING_POLICY: a_dunning_policy,
    NUMBER_SERIES: a_number_series,
    EVENT: an_event,
}


def changed(kind: AnyKind, path: str, value: object) -> str:
    """Return the stored text of a record with one value replaced or taken away."""
    document: Any = json.loads(dump(RECORDS[kind]()))
    *parents, last = path.split(".")
    at: Any = document
    for part in parents:
        at = at[int(part)] if part.isdigit() else at[part]
    if value is MISSING:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return json.dumps(document)


WRONG: list[tuple[AnyKind, str, object]] = [
    # numbers are whole and are no texts
    (PAYMENT, "amount_minor", 19.99),
    (PAYMENT, "amount_minor", 1999.0),
    (PAYMENT, "amount_minor", True),
    (PAYMENT, "amount_minor", "1999"),
    (PAYMENT, "amount_minor", None),
    (PAYMENT, "amount_minor", NAN),
    (PAYMENT, "amount_minor", [1999]),
    (CUSTOMER, "version", True),
    # texts are texts
    (CUSTOMER, "name", None),
    (CUSTOMER, "name", 5),
    (CUSTOMER, "name", ["Ada"]),
    (CUSTOMER, "email", 5),
    (CUSTOMER, "id", None),
    # truth is no text and no number
    (INVOICE, "dunning", "false"),
    (INVOICE, "dunning", 0),
    (INVOICE, "dunning", None),
    # keys: no more and no less
    (CUSTOMER, "nickname", "Countess"),
    (CUSTOMER, "address.planet", "Earth"),
    (CUSTOMER, "name", MISSING),
    (CUSTOMER, "token", MISSING),
    (PAYMENT, "amount_minor", MISSING),
    (PAYMENT, "state", MISSING),
    (PAYMENT, "state.at", MISSING),
    (PAYMENT, "state.since", "2027-01-31T09:30:00+00:00"),
    (INVOICE, "lines.0.net_minor", MISSING),
    # unions
    (PAYMENT, "state", {}),
    (PAYMENT, "state", None),
    (PAYMENT, "state", "succeeded"),
    (PAYMENT, "state", []),
    (PAYMENT, "state.is", "Succeeded"),
    (PAYMENT, "state.is", None),
    (PAYMENT, "state.is", 1),
    (PAYMENT, "state.is", ["succeeded"]),
    (PAYMENT, "state.is", MISSING),
    (EVENT, "body", {}),
    (EVENT, "body", {"is": "payment.succeeded"}),
    (EVENT, "body", {"is": "payment.made"}),
    (EVENT, "body", None),
    (EVENT, "body", "customer.created"),
    (DUNNING_POLICY, "policy.final.0.is", "retry"),
    # decimals
    (PRICE, "model.unit_price", "NaN"),
    (PRICE, "model.unit_price", "Infinity"),
    (PRICE, "model.unit_price", 29),
    (PRICE, "model.unit_price", 29.0),
    (PRICE, "model.unit_price", "29,00"),
    (PRICE, "model.unit_price", ""),
    (PRICE, "model.unit_price", None),
    (SUBSCRIPTION, "items.0.quantity", 1.5),
    (SUBSCRIPTION, "items.0.quantity", "NaN"),
    (SUBSCRIPTION, "items.0.quantity", True),
    (SUBSCRIPTION, "items.0.quantity", None),
    (SUBSCRIPTION, "items.0.quantity", 0),
    # instants and days
    (PAYMENT, "intended_at", "2027-01-31T09:30:00"),
    (PAYMENT, "intended_at", "2027-01-31"),
    (PAYMENT, "intended_at", 1801387800),
    (PAYMENT, "intended_at", "yesterday"),
    (PAYMENT, "intended_at", "0001-01-01T00:00:00+14:00"),
    (PAYMENT, "intended_at", "9999-12-31T23:59:59-12:00"),
    (PAYMENT_METHOD, "details.expires_on", "2030-12-31T00:00:00+00:00"),
    (PAYMENT_METHOD, "details.expires_on", "2030-02-30"),
    (PAYMENT_METHOD, "details.expires_on", 20301231),
    # choices, currencies, lists, objects
    (NUMBER_SERIES, "series.reset", "sometimes"),
    (NUMBER_SERIES, "series.reset", None),
    (PRICE, "currency", "EURO"),
    (PRICE, "currency", "eur"),
    (PRICE, "currency", None),
    (CUSTOMER, "tags", "abc"),
    (CUSTOMER, "tags", {"a": 1}),
    (CUSTOMER, "tags", None),
    (CUSTOMER, "tags", [None]),
    (CUSTOMER, "metadata", None),
    (CUSTOMER, "metadata", []),
    (CUSTOMER, "metadata", {"a": 1}),
    (CUSTOMER, "metadata", {"a": None}),
    (CUSTOMER, "address", None),
    (CUSTOMER, "address", "London"),
    (CUSTOMER, "address", []),
    (DUNNING_CASE, "policy.retries.days", "1357"),
    # what the constructors refuse
    (CUSTOMER, "name", ""),
    (CUSTOMER, "zone", "Mars/Olympus_Mons"),
    (SUBSCRIPTION, "items", []),
    (SUBSCRIPTION, "collection", {"is": "past_due", "invoices": []}),
    (PAYMENT_METHOD, "details.reference", "4242 4242 4242 4242"),
]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        pytest.param(kind, path, value, id=f"{kind.name}.{path}={value!r:.40}")
        for kind, path, value in WRONG
    ],
)
def test_a_wrong_value_is_refused(kind: AnyKind, path: str, value: object) -> None:
    with pytest.raises(UnreadableRecord):
        load(kind, changed(kind, path, value))


@pytest.mark.parametrize(
    "value",
    [
        *([], [1999], [1999, "EUR", 1], {}, "EUR", 1999, None),
        *(["1999", "EUR"], [19.99, "EUR"], [True, "EUR"], [2**63, "EUR"]),
        *([1999, "EURO"], ["EUR", 1999]),
    ],
    ids=repr,
)
def test_an_amount_is_a_whole_number_and_a_currency(value: object) -> None:
    invoice = next(each for each in examples() if each.name == "event.invoice.drafted")
    document = json.loads(dump(invoice.record))
    document["body"]["total"] = value
    with pytest.raises(UnreadableRecord):
        load(EVENT, json.dumps(document))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "nonsense", "null", "[]", "1", '"text"', "{}", "{'id': 1}", "\x00"),
        *("[" * 100_000, '{"id": "a", "tenant": NaN}'),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_a_text_that_is_no_document_is_refused(text: str) -> None:
    for kind in KINDS:
        with pytest.raises(UnreadableRecord):
            load(kind, text)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.name)
def test_a_document_without_a_needed_key_is_refused(kind: AnyKind) -> None:
    for attribute in fields(kind.record):
        if attribute.init and attribute.default is NOTHING:
            with pytest.raises(UnreadableRecord):
                load(kind, changed(kind, attribute.name, MISSING))


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.name)
def test_a_document_of_one_kind_is_refused_as_another(kind: AnyKind) -> None:
    text = dump(RECORDS[kind]())
    for other in KINDS:
        if other is not kind:
            with pytest.raises(UnreadableRecord):
                load(other, text)


def test_an_unreadable_record_says_what_and_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UnreadableRecord) as caught:
        load(CUSTOMER, '{"id": "cus_1"}')
    assert isinstance(caught.value, ValidationError)
    assert caught.value.field == "customer"
    assert "cus_1" not in str(caught.value), "documents hold personal data, errors end in logs"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_a_kind_is_found_by_its_stored_name() -> None:
    for kind in KINDS:
        assert kind_named(kind.name) is kind
    with pytest.raises(ValidationError):
        kind_named("subscribers")


# ---- round trips ----------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
    str.strip
)
minors = st.integers(-(2**63 - 1), 2**63 - 1)
# Not the first and last days, on which other zones leave the calendar.
instants = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - the zone is drawn
    datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.timezones(),
    allow_imaginary=False,
)
quantities = st.integers(1, 10**18) | st.decimals(
    Decimal("0.000000000001"), 10**9, places=12, allow_nan=False
)
quick = settings(derandomize=True, max_examples=150, deadline=None, database=None)


@quick
@given(name=texts, city=texts, metadata=st.dictionaries(texts, texts, max_size=5))
def test_every_text_survives(name: str, city: str, metadata: dict[str, str]) -> None:
    customer = a_customer(name=name, tax_id="", metadata=Metadata(metadata))
    customer = evolve(customer, address=evolve(customer.address, city=city))
    again = load(CUSTOMER, dump(customer))
    assert again == customer
    assert list(again.metadata.items()) == list(metadata.items())
    assert dump(again) == dump(customer)


@quick
@given(net=minors, tax=minors, quantity=quantities)
def test_every_number_survives(net: int, tax: int, quantity: int | Decimal) -> None:
    invoice = an_invoice()
    line = evolve(invoice.lines[0], quantity=quantity, net_minor=net)
    invoice = evolve(invoice, net_minor=net, tax_minor=tax, lines=(line,))
    again = load(INVOICE, dump(invoice))
    assert again == invoice
    assert type(again.lines[0].quantity) is type(quantity)
    assert dump(again) == dump(invoice)


@quick
@given(at=instants)
def test_every_instant_survives_as_an_instant(at: datetime) -> None:
    payment = a_payment(intended_at=at)
    again = load(PAYMENT, dump(payment))
    # Not `== at`: in an hour that the clocks repeat, no zone's time equals another zone's.
    assert again.intended_at == at.astimezone(UTC)
    assert dump(again) == dump(payment)
