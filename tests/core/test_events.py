"""Events are a closed union with stored names, numbered by the record that they are about."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from types import ModuleType
from typing import get_args

from attrs import evolve, fields

from subscriptions import catalog, coupons, dunning, usage
from subscriptions.catalog import PRODUCT, add_product
from subscriptions.customers import CUSTOMER, CustomerCreated, CustomerUpdated
from subscriptions.decisions import Change, changed, created
from subscriptions.events import EVENT, KINDS, TAGS, Event, record
from subscriptions.testing.builders import AT, a_customer, a_product, an_event

MODULES = [
    import_module(f"subscriptions.{name}")
    for name in (
        "catalog",
        "coupons.events",
        "customers.events",
        "decisions",
        "disputes.events",
        "dunning.events",
        "invoices.events",
        "lifecycle.events",
        "payment_methods",
        "payments.events",
        "refunds.events",
        "statements.events",
        "usage.meters",
    )
]


def test_every_event_has_a_name_and_every_name_an_event() -> None:
    assert set(TAGS) == set(get_args(Event))
    assert len(set(TAGS.values())) == len(TAGS)


def test_names_of_events_are_for_people_and_for_ever() -> None:
    for tag in TAGS.values():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", tag)


def test_every_event_that_stands_beside_a_decision_is_in_the_union() -> None:
    def of_module(module: ModuleType) -> set[type]:
        source = inspect.getsource(module)
        # What is made with an id of a record and is handed to `created` or `changed`.
        _, _, after = source.partition("# ---- events")
        text = after.partition("# ---- dec")[0] if after else source
        return {
            value
            for name, value in vars(module).items()
            if inspect.isclass(value)
            and value.__module__ == module.__name__
            and f"class {name}:" in text
            and _past_tense(name)
        }

    for module in MODULES:
        assert of_module(module) <= set(TAGS)


def _past_tense(name: str) -> bool:
    return name.endswith(("Created", "Updated", "Added", "Archived", "Parked", "Unparked"))


def test_events_are_numbered_by_the_versions_that_they_make() -> None:
    ada = a_customer()
    made = record(created(CUSTOMER, ada, CustomerCreated(ada.id, "C-1")), at=AT)
    assert [(e.sequence, e.id, e.version) for e in made] == [(1, "customer:cus_ada:1", 1)]
    edit = CustomerUpdated(ada.id, ("name",))
    twice = changed(CUSTOMER, ada, evolve(ada, name="Grace", version=3), edit, edit)
    again = record(twice, at=AT)
    assert [e.sequence for e in again] == [2, 3]
    assert {(e.kind, e.subject, e.tenant, e.customer, e.at) for e in again} == {
        ("customer", "cus_ada", "acme", "cus_ada", AT)
    }
    assert [e.body for e in again] == [edit, edit]


def test_a_change_without_events_records_none() -> None:
    ada = a_customer()
    assert record(Change(CUSTOMER, ada, evolve(ada, version=2)), at=AT) == []


def test_events_of_two_kinds_with_one_id_are_two_events() -> None:
    ada = a_customer("pro")
    (one,) = record(created(CUSTOMER, ada, CustomerCreated(ada.id, "C-1")), at=AT)
    (other,) = record(add_product(a_product("pro")), at=AT)
    assert one.id != other.id
    assert other.customer is None


def test_the_type_of_an_event_is_its_stored_name() -> None:
    assert an_event().type == "customer.created"
    values = {column.name: column.get(an_event()) for column in EVENT.columns}
    assert values == {
        "subject": "cus_ada",
        "sequence": 1,
        "customer": "cus_ada",
        "type": "customer.created",
        "at": AT,
    }


def test_no_event_holds_personal_data() -> None:
    personal = {"name", "email", "address", "company", "tax_id", "party", "metadata", "token"}
    # Of products, meters, coupons and policies.
    named = {
        catalog.ProductAdded,
        coupons.CouponCreated,
        dunning.DunningPolicySet,
        usage.MeterAdded,
    }
    for event in set(TAGS) - named:
        assert not personal & {attribute.name for attribute in fields(event)}


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert len({kind.record for kind in KINDS}) == len(KINDS)
    assert PRODUCT in KINDS


def test_every_record_that_time_drives_can_be_asked_for_what_is_due() -> None:
    for kind in KINDS:
        assert hasattr(kind.record, "due_at") == ("due_at" in kind.by_name)
        if "due_at" in kind.by_name:
            assert kind.by_name["due_at"].indexed
