"""Every error carries its facts, says them, and crosses a task queue."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from subscriptions import errors
from subscriptions.errors import (
    CollectionOnHold,
    CommitUnknown,
    Conflict,
    CurrencyMismatch,
    DomainError,
    Duplicate,
    GatewayError,
    IdempotencyMismatch,
    InvalidTransition,
    NotAvailable,
    NotFound,
    NotSupported,
    SafetyStop,
    StalePlan,
    StorageBusy,
    StorageError,
    SubscriptionsError,
    TooManyAttempts,
    UnknownReference,
    ValidationError,
)

RAISED: list[tuple[SubscriptionsError, str]] = [
    (ValidationError("name", 5, "a text"), "name: a text; got 5"),
    (
        InvalidTransition("invoice INV-1", "paid", "MarkVoid", "credit it"),
        "invoice INV-1: MarkVoid is not allowed in state paid; credit it",
    ),
    (CurrencyMismatch("EUR", "USD"), "cannot combine EUR with USD"),
    (UnknownReference("customer", "cus_1"), "customer: there is no record 'cus_1'"),
    (
        NotAvailable("Seats", "requires", ("prod_1", "prod_2"), ("Pro", "Team")),
        "product 'Seats' requires 'Pro' or 'Team'",
    ),
    (
        TooManyAttempts("pm_1", datetime(2027, 1, 1, tzinfo=UTC)),
        "payment_method pm_1: declined too often; it must rest until 2027-01-01 00:00:00+00:00",
    ),
    (
        CollectionOnHold("cus_1", "in court", ("pay_1",)),
        (
            "customer cus_1: collection is on hold; 'in court': customers.release_collection; "
            "pay_1 is set aside: settle it first"
        ),
    ),
    (
        NotSupported("transfer", "Refunds", "pay it back by hand"),
        "gateway 'transfer' does not implement Refunds; pay it back by hand",
    ),
    (
        StalePlan("customer", "cus_1"),
        "the plan rests on customer cus_1, which has moved on; preview again",
    ),
    (
        IdempotencyMismatch("key-1", "customers.create"),
        "idempotency key 'key-1' was used before with another request",
    ),
    (NotFound("customer", "cus_1"), "no customer 'cus_1'"),
    (Conflict("customer", "cus_1", 3), "customer 'cus_1' is no longer at version 3"),
    (Duplicate("customer.number", "C-1"), "customer.number 'C-1' is taken"),
    (CommitUnknown("the connection was lost"), "the connection was lost"),
    (StorageBusy("locked"), "locked"),
    (SafetyStop("sub_1", "400 lines, at most 200"), "sub_1: 400 lines, at most 200"),
    (GatewayError("a defect"), "a defect"),
]
SUBCLASSED = {SubscriptionsError, DomainError, StorageError}


def tree(root: type[SubscriptionsError]) -> Iterator[type[SubscriptionsError]]:
    for each in (root, *root.__subclasses__()):
        if each is not root:
            yield from tree(each)
        elif each.__module__ == errors.__name__:
            yield each


@pytest.mark.parametrize(("error", "text"), RAISED, ids=[type(e).__name__ for e, _ in RAISED])
def test_an_error_says_what_happened(error: SubscriptionsError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", [e for e, _ in RAISED], ids=lambda e: type(e).__name__)
def test_an_error_survives_pickling_with_its_facts(error: SubscriptionsError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_every_error_is_in_these_tests() -> None:
    raised = {type(error) for error, _ in RAISED}
    assert set(tree(SubscriptionsError)) - SUBCLASSED == raised


def test_every_error_stands_in_the_drawn_tree() -> None:
    drawn = errors.__doc__ or ""
    for each in tree(SubscriptionsError):
        assert f" {each.__name__} " in f" {drawn.replace(chr(10), ' ')} "


def test_the_caller_can_tell_the_three_branches_apart() -> None:
    for each in set(tree(SubscriptionsError)) - {SubscriptionsError}:
        branches = [b for b in (DomainError, StorageError, GatewayError) if issubclass(each, b)]
        assert len(branches) == 1


def test_a_wrong_value_is_a_value_error_too() -> None:
    assert issubclass(ValidationError, ValueError)


def test_what_would_do_instead_is_said_only_where_there_is_something() -> None:
    text = str(InvalidTransition("invoice INV-1", "paid", "MarkVoid"))
    assert text == "invoice INV-1: MarkVoid is not allowed in state paid"


def test_a_form_shows_the_reason_beside_the_field() -> None:
    error = ValidationError("quantity", 0, "1 or more")
    assert (error.field, error.reason) == ("quantity", "1 or more; got 0")
    assert str(error) == f"{error.field}: {error.reason}"


def test_products_whose_names_were_not_read_are_told_by_their_ids() -> None:
    text = str(NotAvailable("Seats", "requires", ("prod_1", "prod_2")))
    assert text == "product 'Seats' requires 'prod_1' or 'prod_2'"
