"""What may be written into a customer, and what an edit says about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import evolve, fields

from subscriptions.customers import (
    CUSTOMER,
    EDITABLE,
    Address,
    CollectionHeld,
    CollectionHold,
    CollectionReleased,
    Customer,
    CustomerCreated,
    CustomerUpdated,
    DefaultMethodChanged,
    Grouping,
    count_pending_items,
    country_code,
    create,
    doubt,
    email_address,
    hold_collection,
    normalized_tags,
    numbered,
    release_collection,
    set_billing_anchor,
    set_default_method,
    trust,
    update,
)
from subscriptions.decisions import Change, Issue
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import PaymentMethodId
from subscriptions.invoice_numbering import Series
from subscriptions.records import Metadata
from subscriptions.testing.builders import a_customer

NUMBERS = Series("C-{counter:05}")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 200},
        {"company": ""},
        {"number": None},
        {"external_id": "crm-1"},
        {"email": None},
        {"email": "a+b@sub.example.co.uk"},
        {"email": "用户@例子.中国"},
        {"language": "pt-BR"},
        {"language": "zh-Hant-TW"},
        {"language": "es-419"},
        {"language": "yue"},
        {"zone": "America/Sao_Paulo"},
        {"zone": None},
        {"tags": ("vip", "ünïcode", "x" * 50)},
        {"address": Address()},
        {"address": Address(country="DE")},
    ],
    ids=str,
)
def test_a_good_value_is_kept(changes: dict[str, object]) -> None:
    customer = a_customer(**changes)
    assert {name: getattr(customer, name) for name in changes} == changes


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": None},
        {"company": "x" * 201},
        {"tax_id": "x" * 41},
        {"number": ""},
        {"number": "x" * 101},
        {"external_id": " "},
        {"external_id": 5},
        {"email": ""},
        {"email": "ada"},
        {"email": "ada@example"},
        {"email": "ada@example.com, grace@example.com"},
        {"email": "Ada <ada@example.com>"},
        {"email": "a@b.c\x00"},
        {"email": "x" * 250 + "@b.de"},
        {"email": 5},
        {"language": "english"},
        {"language": "EN"},
        {"language": "en_US"},
        {"language": None},
        {"zone": "Berlin"},
        {"zone": ""},
        {"tags": ("two words",)},
        {"tags": ("a,b",)},
        {"tags": ("",)},
        {"tags": ("x" * 51,)},
        {"tags": (5,)},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_wrong_value_is_refused_by_name(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        a_customer(**changes)
    assert caught.value.field == next(iter(changes))


def test_an_address_is_made_of_plain_texts_and_a_country() -> None:
    for part in ("line1", "line2", "postal_code", "city", "region"):
        for value in ("x" * 201, "a\x00", 5):
            with pytest.raises(ValidationError) as caught:
                Address(**{part: value})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            assert caught.value.field == f"address.{part}"
    with pytest.raises(ValidationError) as caught:
        Address(country="Germany")
    assert caught.value.field == "address.country"


def test_a_country_is_two_capital_letters() -> None:
    assert country_code("country", "DE") == "DE"
    for value in ("de", "DEU", "D", "", "Ä1", None, 49):
        with pytest.raises(ValidationError):
            country_code("country", value)


def test_the_country_of_a_customer_is_that_of_the_address() -> None:
    assert a_customer().country == "GB"
    assert a_customer(address=Address()).country == ""


def test_a_token_does_not_show_in_a_repr() -> None:
    assert "token-cus_ada" not in repr(a_customer())


def test_columns_hold_what_is_asked_for() -> None:
    values = {column.name: column.get(a_customer()) for column in CUSTOMER.columns}
    assert values == {
        "due_at": None,
        "number": "C-cus_ada",
        "external_id": None,
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "country": "GB",
        "token": "token-cus_ada",
    }


def test_tags_are_sorted_and_once_each() -> None:
    assert normalized_tags(["b", "a", "b"]) == ("a", "b")
    assert normalized_tags([]) == ()
    with pytest.raises(ValidationError):
        normalized_tags("vip")


def test_a_customer_with_a_number_is_created_with_it() -> None:
    ada = a_customer(number="4711")
    change = create(ada, series="seller/customer", numbers=NUMBERS)
    assert isinstance(change, Change)
    assert (change.after, change.events) == (ada, (CustomerCreated(ada.id, "4711"),))


def test_a_customer_without_a_number_takes_the_next_of_the_series() -> None:
    ada = a_customer(number=None)
    issue = create(ada, series="seller/customer", numbers=NUMBERS)
    assert isinstance(issue, Issue)
    assert (issue.before, issue.after, issue.opening) == (None, ada, NUMBERS)
    change = numbered(ada, number="C-00001")
    assert change.after == evolve(ada, number="C-00001")
    assert change.events == (CustomerCreated(ada.id, "C-00001"),)


def test_an_edit_names_the_fields_that_changed_and_holds_no_data() -> None:
    ada = a_customer()
    change = update(ada, {"name": "Grace", "email": "g@example.com", "company": ada.company})
    assert change is not None
    assert change.after == evolve(ada, name="Grace", email="g@example.com", version=2)
    assert change.events == (CustomerUpdated(ada.id, ("email", "name")),)


def test_an_edit_that_changes_nothing_is_no_change() -> None:
    ada = a_customer(metadata=Metadata({"a": "1", "b": "2"}))
    assert update(ada, {}) is None
    assert update(ada, {"name": ada.name, "metadata": {"b": "2", "a": "1"}}) is None


def test_only_some_fields_can_be_edited() -> None:
    uneditable = {"id", "tenant", "version", "token", "default_method", "balance", "billing_anchor"}
    uneditable |= {"tax_id_check", "tax_id_check_at", "parked", "grants", "pending_items"}
    uneditable |= {"backup_method", "small_debts", "collection_hold"}
    assert {field.name for field in fields(Customer)} - EDITABLE == uneditable
    for name in (*uneditable, "nickname"):
        with pytest.raises(ValidationError) as caught:
            update(a_customer(), {name: "x"})
        assert caught.value.value == name


def test_what_waits_for_an_invoice_is_counted() -> None:
    change = count_pending_items(a_customer(pending_items=2), -1)
    assert change.after == a_customer(pending_items=1, version=2)
    assert change.events == (CustomerUpdated(a_customer().id, ("pending_items",)),)


def test_a_seller_is_named_by_a_text() -> None:
    for seller in ("", "x" * 41):
        with pytest.raises(ValidationError) as caught:
            a_customer(seller=seller)
        assert caught.value.field == "seller"


@pytest.mark.parametrize("value", [None, "ada", "ada@example", "a@b.de, c@d.de", 7])
def test_an_address_is_one_of_mail(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        email_address("to", value)
    assert caught.value.field == "to"
    assert email_address("to", "ada@example.com") == "ada@example.com"


def test_an_edit_is_checked_like_a_new_customer() -> None:
    with pytest.raises(ValidationError):
        update(a_customer(), {"email": "nonsense"})


def test_a_customer_keeps_a_number() -> None:
    with pytest.raises(ValidationError):
        update(a_customer(), {"number": None})
    assert update(a_customer(number=None), {"number": "C-1"}) is not None
    assert update(a_customer(), {"external_id": "crm-1"}) is not None


def test_a_default_method_is_set_once() -> None:
    ada, method = a_customer(), PaymentMethodId("pm_1")
    change = set_default_method(ada, method)
    assert change is not None
    assert change.events == (DefaultMethodChanged(ada.id, method),)
    after = change.after
    assert isinstance(after, Customer)
    assert after == evolve(ada, default_method=method, version=2)
    assert set_default_method(after, method) is None
    assert set_default_method(ada, None) is None
    assert set_default_method(after, None) is not None


def test_invoices_are_grouped_by_day_or_not() -> None:
    assert a_customer(grouping="day").grouping is Grouping.DAY
    with pytest.raises(ValidationError) as refused:
        a_customer(grouping="week")
    assert refused.value.field == "grouping"


def test_the_day_from_which_periods_are_counted_is_kept() -> None:
    ada, anchor = a_customer(), date(2027, 1, 31)
    change = set_billing_anchor(ada, anchor)
    assert change.after == evolve(ada, billing_anchor=anchor, version=2)
    assert change.events == (CustomerUpdated(ada.id, ("billing_anchor",)),)


# ---- nothing is charged -------------------------------------------------------------------------

AT = datetime(2027, 1, 1, tzinfo=UTC)


def _customer(change: Change | None) -> Customer:
    assert change is not None
    assert isinstance(change.after, Customer)
    return change.after


def test_a_person_holds_a_customer_once_and_releases_him() -> None:
    ada = a_customer()
    change = hold_collection(ada, reason="in court", at=AT)
    assert change.events == (CollectionHeld(ada.id, "in court"),)
    held = _customer(change)
    assert held.collection_hold == CollectionHold(AT, "in court")
    with pytest.raises(InvalidTransition) as twice:
        hold_collection(held, reason="in court", at=AT)
    assert twice.value.state == "held"
    released = release_collection(held)
    assert released.events == (CollectionReleased(ada.id, held=False),)
    assert _customer(released).collection_hold is None
    with pytest.raises(InvalidTransition) as never:
        release_collection(ada)
    assert (never.value.state, never.value.instead) == ("not held", "")


def test_a_hold_needs_a_reason() -> None:
    with pytest.raises(ValidationError) as refused:
        hold_collection(a_customer(), reason=" ", at=AT)
    assert refused.value.field == "reason"


def test_each_record_in_doubt_holds_him_until_it_is_settled() -> None:
    ada = a_customer()
    change = doubt(ada, "pay_1", reason="92 for 29", at=AT)
    assert change is not None
    assert change.events == (CollectionHeld(ada.id, "92 for 29", "pay_1"),)
    once = _customer(change)
    assert doubt(once, "pay_1", reason="again", at=AT) is None
    both = _customer(doubt(once, "ref_1", reason="bug", at=AT + timedelta(days=1)))
    assert both.collection_hold == CollectionHold(AT, "", ("pay_1", "ref_1"))
    settled = trust(both, "pay_1")
    assert settled is not None
    assert settled.events == (CollectionReleased(ada.id, held=True, in_doubt="pay_1"),)
    assert trust(_customer(settled), "pay_1") is None
    last = trust(_customer(settled), "ref_1")
    assert last is not None
    assert last.events == (CollectionReleased(ada.id, held=False, in_doubt="ref_1"),)
    assert _customer(last).collection_hold is None
    assert trust(ada, "pay_1") is None


def test_what_a_person_holds_and_what_is_in_doubt_hold_him_each_by_itself() -> None:
    doubted = _customer(doubt(a_customer(), "pay_1", reason="92 for 29", at=AT))
    with pytest.raises(InvalidTransition) as not_his:
        release_collection(doubted)
    assert (not_his.value.state, "pay_1" in not_his.value.instead) == ("in doubt", True)
    both = _customer(hold_collection(doubted, reason="in court", at=AT + timedelta(days=1)))
    assert both.collection_hold == CollectionHold(AT, "in court", ("pay_1",))
    released = release_collection(both)
    assert released.events == (CollectionReleased(both.id, held=True),)
    assert _customer(released).collection_hold == doubted.collection_hold
    trusted = _customer(trust(both, "pay_1"))
    assert trusted.collection_hold == CollectionHold(AT, "in court")
