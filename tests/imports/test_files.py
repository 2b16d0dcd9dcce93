"""Files of customers: what is read, and what is wrong with a row, field by field."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.billing_cycles import Interval
from subscriptions.customer_files import COLUMNS, CustomerRow, RowError, read
from subscriptions.errors import ValidationError
from subscriptions.money import Money
from subscriptions.taxes import TaxBehavior

GOOD = {
    "external_id": "c1",
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "country": "DE",
    "product": "Team",
    "amount": "29.00",
    "currency": "EUR",
    "interval": "month",
    "paid_until": "2027-02-28",
}


def csv_of(*rows: dict[str, str], delimiter: str = ",") -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [delimiter.join(columns)]
    for row in rows:
        cells = [row.get(name, "") for name in columns]
        lines.append(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return "\r\n".join(lines) + "\r\n"


def only_row(text: str, format: str = "csv") -> CustomerRow:
    _, rows, errors = read(text, format=format)  # type: ignore[arg-type]
    assert errors == ()
    (row,) = rows
    return row


def errors_of(**changes: str) -> list[tuple[str, str]]:
    count, rows, errors = read(csv_of(GOOD | changes), format="csv")
    assert (count, len(rows)) == (1, 0 if errors else 1)
    assert all(error.row == 2 for error in errors)
    return [(error.field, error.value) for error in errors]


def test_every_column_is_read() -> None:
    row = only_row(
        csv_of(
            GOOD
            | {
                "number": "K-7",
                "company": "Engines Ltd",
                "tax_id": "DE123456789",
                "language": "de",
                "zone": "Europe/Berlin",
                "address_line1": "Weg 1",
                "address_line2": "Hof",
                "postal_code": "10115",
                "city": "Berlin",
                "region": "BE",
                "tags": "vip beta vip",
                "gateway": "card",
                "payment_token": "tok_visa",
                "quantity": "2.5",
                "tax_behavior": "inclusive",
                "start": "2025-01-31",
                "anchor": "31",
                "subscription_external_id": "s1",
                "metadata.CRM": "4711",
            }
        )
    )
    customer, method, subscription = row.customer, row.method, row.subscription
    assert (customer.number, customer.company, customer.zone) == (
        "K-7",
        "Engines Ltd",
        "Europe/Berlin",
    )
    assert customer.address.line2 == "Hof"
    assert customer.address.country == "DE"
    assert customer.tags == ("beta", "vip")
    assert dict(customer.metadata) == {"CRM": "4711"}
    assert method is not None
    assert (method.gateway, method.token) == ("card", "tok_visa")
    assert "tok_visa" not in repr(row)
    assert subscription is not None
    assert subscription.external_id == "s1"
    assert subscription.quantity == Decimal("2.5")
    assert subscription.unit_price == Money.of("29.00", "EUR")
    assert subscription.tax_behavior is TaxBehavior.INCLUSIVE
    assert (subscription.cycle.anchor, subscription.first) == (date(2027, 1, 31), date(2027, 2, 28))


def test_a_customer_needs_no_subscription_and_no_way_to_pay() -> None:
    row = only_row("external_id,name\nc1,Ada\n")
    assert (row.method, row.subscription, row.customer.language) == (None, None, "en")


WRONG: list[tuple[dict[str, str], list[str]]] = [
    ({"external_id": ""}, ["external_id"]),
    ({"external_id": "x" * 101}, ["external_id"]),
    ({"name": "  "}, ["name"]),
    ({"name": "x" * 201}, ["name"]),
    ({"email": "ada at example"}, ["email"]),
    ({"country": "de"}, ["country"]),
    ({"country": "Germany"}, ["country"]),
    ({"city": "Ber\x00lin"}, ["city"]),
    ({"language": "german"}, ["language"]),
    ({"zone": "Europe/Atlantis"}, ["zone"]),
    ({"tags": "x" * 51}, ["tags"]),
    ({"payment_token": "tok_visa"}, ["gateway"]),
    ({"gateway": "card", "payment_token": "4242424242424242"}, ["payment_token"]),
    ({"product": ""}, ["product"]),
    ({"amount": ""}, ["amount"]),
    ({"amount": "29,00"}, ["amount"]),
    ({"amount": "29.001"}, ["amount"]),
    ({"amount": "-1.00"}, ["amount"]),
    ({"amount": "1e3"}, ["amount"]),
    ({"amount": "NaN"}, ["amount"]),
    ({"currency": "EURO"}, ["currency"]),
    ({"currency": "JPY", "amount": "29.50"}, ["amount"]),
    ({"interval": "fortnight"}, ["interval"]),
    ({"interval": "0 months"}, ["interval"]),
    ({"quantity": "0"}, ["quantity"]),
    ({"quantity": "many"}, ["quantity"]),
    ({"tax_behavior": "maybe"}, ["tax_behavior"]),
    ({"paid_until": "28.02.2027"}, ["paid_until"]),
    ({"paid_until": "2027-02-30"}, ["paid_until"]),
    ({"paid_until": "20270228"}, ["paid_until"]),
    ({"paid_until": ""}, ["paid_until"]),
    ({"trial_until": "2027-03-01"}, ["trial_until"]),
    ({"start": "2027-03-01"}, ["paid_until"]),
    ({"anchor": "2027-03-01"}, ["anchor"]),
    ({"anchor": "2027-01-15"}, ["paid_until"]),
    ({"anchor": "15"}, ["anchor"]),
    ({"anchor": "32"}, ["anchor"]),
    ({"interval": "week", "anchor": "15"}, ["anchor"]),
    ({"metadata.x": "x" * 501}, ["metadata.x"]),
    (
        {"name": "", "email": "no", "amount": "x", "interval": "?"},
        ["name", "email", "amount", "interval"],
    ),
]


@pytest.mark.parametrize(("changes", "fields"), WRONG, ids=lambda each: str(each)[:40])
def test_each_wrong_field_is_one_error(changes: dict[str, str], fields: list[str]) -> None:
    assert [field for field, _ in errors_of(**changes)] == fields


def test_a_card_number_is_refused_and_never_repeated() -> None:
    (error,) = errors_of(gateway="card", payment_token="4242 4242 4242 4242")
    assert error == ("payment_token", "(hidden)")


def test_what_must_be_unique_stands_once_in_a_file() -> None:
    rows = [GOOD | {"number": "7"}, GOOD | {"external_id": "c2", "number": "7"}, GOOD]
    _, good, errors = read(csv_of(*rows), format="csv")
    assert [row.row for row in good] == [2]
    assert [(error.row, error.field) for error in errors] == [
        (3, "number"),
        (4, "external_id"),
        (4, "number"),
    ] or [(error.row, error.field) for error in errors] == [(3, "number"), (4, "external_id")]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "header"),
        ("\n\n", "header"),
        ("colour,size\nred,9\n", "header"),
        ("customers.csv", "header"),
        ("external_id,name,colour\nc1,Ada,red\n", "colour"),
        ("external_id,name,name\nc1,Ada,Ada\n", "name"),
        ("external_id,name,\nc1,Ada,\n", "header"),
        ('external_id,name\nc1,"Ada\n', "file"),
        ('external_id,name\nc1,"Ada"x\n', "file"),
        ("external_id,name\nc1,Ada,extra\n", "row"),
        ("external_id,name\nc1\n", "row"),
    ],
)
def test_a_broken_csv_text_is_an_error_and_has_no_rows(text: str, field: str) -> None:
    _, rows, errors = read(text, format="csv")
    assert rows == ()
    assert [error.field for error in errors] == [field]


def test_an_unknown_column_is_named_with_what_was_perhaps_meant() -> None:
    (error,) = read("external_id,name,curency\nc1,Ada,EUR\n", format="csv")[2]
    assert error == RowError(1, "curency", "curency", "a known column; did you mean 'currency'?")


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_both_delimiters_and_a_byte_order_mark_are_read(delimiter: str, mark: str) -> None:
    tricky = GOOD | {"name": 'Ada "the; first, one"\r\nLovelace'}
    row = only_row(mark + csv_of(tricky, delimiter=delimiter))
    assert row.customer.name == 'Ada "the; first, one"\r\nLovelace'


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    text = 'external_id,name\nc1,"Ada\nLovelace"\n\nc2,\n'
    count, rows, errors = read(text, format="csv")
    assert (count, rows[0].row, errors[0].row) == (2, 2, 4)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_what_an_exporter_adds_against_formulas_is_taken_away(start: str) -> None:
    row = only_row(csv_of(GOOD | {"company": f"'{start}Foo"}))
    assert row.customer.company == f"{start}Foo"


def test_a_quote_that_guards_nothing_stays() -> None:
    assert (
        only_row(csv_of(GOOD | {"city": "'s-Hertogenbosch"})).customer.address.city
        == "'s-Hertogenbosch"
    )


def test_json_says_the_same_as_csv() -> None:
    document = [GOOD | {"tags": ["beta"], "metadata": {"crm": "7"}, "quantity": 3, "anchor": 28}]
    text = csv_of(GOOD | {"tags": "beta", "metadata.crm": "7", "quantity": "3", "anchor": "28"})
    from_csv, from_json = only_row(text), only_row(json.dumps(document), "json")
    assert (from_json.customer, from_json.subscription) == (
        from_csv.customer,
        from_csv.subscription,
    )
    wrapped = json.dumps({"customers": document})
    assert only_row(wrapped, "json").customer == from_json.customer


def test_a_json_number_with_a_fraction_is_never_a_float() -> None:
    text = json.dumps([GOOD]).replace('"29.00"', "19.99")
    subscription = only_row(text, "json").subscription
    assert subscription is not None
    assert subscription.unit_price == Money.of("19.99", "EUR")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "file"),
        ('"customers"', "file"),
        ("[NaN]", "file"),
        ('[{"name": "a", "name": "b"}]', "file"),
        ("[" * 100_000, "file"),
        ("[1]", "row"),
        ('[{"external_id": "c", "name": "a", "colour": "red"}]', "colour"),
        ('[{"external_id": 7, "name": "a"}]', "external_id"),
        ('[{"external_id": "c", "name": "a", "tags": "x", "metadata": 7}]', "metadata"),
        ('[{"external_id": "c", "name": "a", "tags": [1]}]', "tags"),
        ('[{"external_id": "c", "name": "a", "metadata": {"x": 7}}]', "metadata.x"),
        ('[{"external_id": "c", "name": true}]', "name"),
    ],
)
def test_a_broken_json_text_is_an_error(text: str, field: str) -> None:
    _, rows, errors = read(text, format="json")
    assert rows == ()
    assert [error.field for error in errors] == [field]


def test_another_format_is_refused() -> None:
    with pytest.raises(ValidationError, match="format"):
        read("", format="xml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("anchor", "interval", "paid_until", "counted_from"),
    [
        ("31", "month", "2027-02-28", date(2027, 1, 31)),
        ("30", "month", "2027-02-28", date(2027, 1, 30)),
        ("28", "month", "2027-02-28", date(2027, 2, 28)),
        ("29", "month", "2028-02-29", date(2028, 2, 29)),
        ("31", "3 months", "2027-04-30", date(2027, 1, 31)),
        ("29", "year", "2027-02-28", date(2024, 2, 29)),
        ("31", "yearly", "2027-01-31", date(2027, 1, 31)),
        ("2026-01-31", "month", "2027-02-28", date(2026, 1, 31)),
        ("2026-12-28", "2 weeks", "2027-01-11", date(2026, 12, 28)),
        ("", "month", "2027-02-28", date(2027, 2, 28)),
    ],
)
def test_the_anchor_says_which_day_is_meant(
    anchor: str, interval: str, paid_until: str, counted_from: date
) -> None:
    row = only_row(
        csv_of(GOOD | {"anchor": anchor, "interval": interval, "paid_until": paid_until})
    )
    assert row.subscription is not None
    assert row.subscription.cycle.anchor == counted_from
    assert str(row.subscription.first) == paid_until


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("Month", Interval.months(1)),
        ("12 months", Interval.months(12)),
        ("quarterly", Interval.months(3)),
        ("1 year", Interval.years(1)),
        ("2weeks", Interval.weeks(2)),
        ("daily", Interval.days(1)),
    ],
)
def test_intervals_are_written_as_people_do(text: str, interval: Interval) -> None:
    row = only_row(csv_of(GOOD | {"interval": text}))
    assert row.subscription is not None
    assert row.subscription.cycle.every == interval


@given(st.text(), st.sampled_from(["csv", "json"]))
def test_no_text_makes_it_crash(text: str, format: str) -> None:
    read(text, format=format)  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=20)))
def test_no_cell_makes_it_crash(cells: dict[str, str]) -> None:
    count, rows, errors = read(csv_of(GOOD | cells), format="csv")
    assert count == 1
    assert bool(rows) != bool(errors)
