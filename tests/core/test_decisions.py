"""A decision is a value: versions follow events, and no record changes twice in it."""

from __future__ import annotations

import pytest
from attrs import evolve

from subscriptions.catalog import PRODUCT, ProductAdded, add_product
from subscriptions.customers import CUSTOMER, CustomerCreated, CustomerUpdated
from subscriptions.decisions import (
    Change,
    Decision,
    Issue,
    RecordParked,
    RecordUnparked,
    changed,
    created,
    join,
    park,
    unpark,
)
from subscriptions.errors import ValidationError
from subscriptions.invoice_numbering import Series
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.records import Ref
from subscriptions.testing.builders import a_customer, a_product, a_subscription

ADA = a_customer()
MADE = CustomerCreated(ADA.id, "C-1")
EDITED = CustomerUpdated(ADA.id, ("name",))


def test_a_new_record_begins_at_the_number_of_its_events() -> None:
    assert created(CUSTOMER, ADA).before is None
    assert created(CUSTOMER, ADA, MADE).events == (MADE,)
    assert created(CUSTOMER, evolve(ADA, version=2), MADE, EDITED).after.version == 2


def test_a_version_goes_up_by_one_for_each_event_or_by_one() -> None:
    assert changed(CUSTOMER, ADA, evolve(ADA, version=2)).after.version == 2
    assert changed(CUSTOMER, ADA, evolve(ADA, version=2), EDITED).after.version == 2
    assert changed(CUSTOMER, ADA, evolve(ADA, version=3), EDITED, EDITED).after.version == 3


@pytest.mark.parametrize(("version", "events"), [(1, 0), (3, 0), (1, 1), (3, 1), (2, 2), (4, 2)])
def test_any_other_version_is_refused(version: int, events: int) -> None:
    with pytest.raises(ValidationError) as caught:
        Change(CUSTOMER, ADA, evolve(ADA, version=version), (EDITED,) * events)
    assert caught.value.field == "customer.version"


def test_a_new_record_at_another_version_is_refused() -> None:
    with pytest.raises(ValidationError):
        created(CUSTOMER, evolve(ADA, version=0))
    with pytest.raises(ValidationError):
        created(CUSTOMER, evolve(ADA, version=2), MADE)


def test_the_events_of_a_decision_are_those_of_its_changes_in_order() -> None:
    product = a_product()
    decision = Decision((created(CUSTOMER, ADA, MADE), add_product(product)))
    assert decision.events == (MADE, ProductAdded(product.id, product.name))
    assert Decision().events == ()


def test_joined_decisions_are_one_decision() -> None:
    one = Decision((created(CUSTOMER, ADA, MADE),))
    two = Decision((add_product(a_product()),))
    about = Ref(CUSTOMER, ADA.id)
    joined = join(one, two, about=about)
    assert joined == Decision((*one.changes, *two.changes), (), about)
    assert join() == Decision()


def test_a_record_changes_in_one_of_the_joined_decisions_only() -> None:
    one = Decision((created(CUSTOMER, ADA, MADE),))
    issue = Issue(CUSTOMER, None, ADA, "seller/customer", Series("{counter}"))
    for other in (one, Decision(issues=(issue,))):
        with pytest.raises(ValidationError):
            join(one, other)


def test_records_of_another_kind_or_tenant_are_other_records() -> None:
    one = Decision((created(CUSTOMER, ADA, MADE),))
    other_tenant = Decision((created(CUSTOMER, evolve(ADA, tenant="other"), MADE),))
    other_kind = Decision((created(PRODUCT, a_product(ADA.id)),))
    assert len(join(one, other_tenant, other_kind).changes) == 3


def test_a_parked_record_is_not_due_until_it_is_released() -> None:
    subscription = a_subscription()
    parked = park(SUBSCRIPTION, subscription, reason="no price")
    assert isinstance(parked.after, Subscription)
    assert subscription.due_at is not None
    assert parked.after.due_at is None
    assert parked.events == (RecordParked("subscription", "sub_ada", "no price"),)
    released = unpark(SUBSCRIPTION, parked.after)
    assert released.after == evolve(subscription, version=3)
    assert released.events == (RecordUnparked("subscription", "sub_ada"),)


def test_only_a_parked_record_can_be_released() -> None:
    for record in (a_subscription(), a_customer()):
        with pytest.raises(ValidationError):
            unpark(SUBSCRIPTION, record)
