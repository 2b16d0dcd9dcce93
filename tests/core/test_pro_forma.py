"""A pro-forma invoice shows what an invoice would say, and is none."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from attrs import evolve

from subscriptions import pro_forma
from subscriptions.decisions import Change, Issue
from subscriptions.errors import ValidationError
from subscriptions.ids import ProFormaId
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Draft
from subscriptions.pro_forma import PRO_FORMA, ProForma, ProFormaMade
from subscriptions.testing.builders import a_customer, a_draft, a_pro_forma, a_seller

ID = ProFormaId("pf_1")
# In Berlin it is 1 February already.
NIGHT = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)


def test_without_a_series_it_has_no_number() -> None:
    made = pro_forma.make(ID, a_draft(), a_customer(), a_seller(), at=NIGHT)
    assert isinstance(made, Change)
    found = made.after
    assert isinstance(found, ProForma)
    assert (found.number, found.made_on, found.total) == (None, date(2027, 2, 1), a_draft().total)
    assert made.events == (ProFormaMade(ID, found.customer, None, found.total),)
    assert found.shown.seller == a_seller().snapshot
    assert found.shown.party is not None
    assert found.shown.party.name == a_customer().name
    assert isinstance(found.shown.state, Draft)


def test_with_a_series_it_takes_a_number_when_it_is_committed() -> None:
    seller = a_seller(pro_forma_numbers=Series("PF-{counter}"))
    made = pro_forma.make(ID, a_draft(), a_customer(), seller, at=NIGHT)
    assert isinstance(made, Issue)
    assert (made.series, made.zone) == ("seller/pro_forma/PF-{counter}", "Europe/Berlin")
    found = made.after
    assert isinstance(found, ProForma)
    change = pro_forma.numbered(found, number="PF-1")
    assert change.after == evolve(found, number="PF-1")
    assert change.events == (ProFormaMade(ID, found.customer, "PF-1", found.total),)


def test_a_series_for_each_customer_needs_his_number() -> None:
    seller = a_seller(pro_forma_numbers=Series("{customer}-P{counter}"))
    made = pro_forma.make(ID, a_draft(), a_customer(number="K1"), seller, at=NIGHT)
    assert isinstance(made, Issue)
    assert made.opening.next(on=date(2027, 1, 1))[0] == "K1-P1"
    with pytest.raises(ValidationError):
        pro_forma.make(ID, a_draft(), a_customer(number=None), seller, at=NIGHT)


def test_columns_say_what_the_record_says() -> None:
    assert {c.name: c.get(a_pro_forma()) for c in PRO_FORMA.columns} == {
        "customer": "cus_ada",
        "number": None,
    }
