"""Settings of a subscription: how it is paid, and what happens to periods nobody billed in time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from subscriptions import lifecycle
from subscriptions.customers import CUSTOMER, CollectionMethod, Customer, read_collection_method
from subscriptions.decisions import Change, Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.lifecycle import CATCH_UP_MAX, SUBSCRIPTION, CatchUp, Subscription
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.records import Ref
from subscriptions.usecases.flows import Command, Context, Flow, Get, Maybe
from subscriptions.usecases.payment_methods import charge_waiting

_Choice = TypeVar("_Choice", bound=StrEnum)


def set_catch_up(
    id: str,
    *,
    catch_up: CatchUp | str,
    catch_up_max: int = CATCH_UP_MAX,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Say what happens to periods that nobody billed in time: "each", "together" or "skip".

    It is how a person decides about a subscription that was parked for too many of them; then
    release it.
    """
    policy = read_choice("catch_up", CatchUp, catch_up)
    read_periods_max(catch_up_max)

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, lifecycle.SetCatchUp(policy, catch_up_max))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def set_payment_method(
    id: str,
    method: str | None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Let a subscription be paid by a method of its own, or with None by the customer's default.

    What dunning looks after, or it waits for, is charged with it at once. Its invoices are its own
    from then on, though the customer's may be grouped.

    Raises `UnknownReference` for an unknown method, `ValidationError` for one of another customer,
    `InvalidTransition` for one that is not usable, and for a subscription that is over.
    """

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        owner = yield from Get(CUSTOMER, sub.customer)
        chosen = yield from own_method(method, owner)
        wanted = None if chosen is None else chosen.id
        change = lifecycle.decide(sub, lifecycle.SetPayment(wanted, sub.collection_method))
        changes: tuple[Change, ...] = (change,)
        if chosen is not None:
            after = change.after
            assert isinstance(after, Subscription)
            changes += yield from charge_waiting(chosen, owner, context, after)
        return Decision(changes, about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def set_collection_method(
    id: str,
    collection_method: CollectionMethod | str | None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Say whether what a subscription costs is charged or sent; with None as the customer's is.

    It counts from the next invoice on, and dunning charges nothing more once it is to be sent.
    Raises `ValidationError` for another word, `InvalidTransition` if it is over.
    """
    how = None if collection_method is None else read_collection_method(collection_method)

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, lifecycle.SetPayment(sub.payment_method, how))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def own_method(method: str | None, owner: Customer) -> Flow[PaymentMethod | None]:
    """Read the method that a subscription is to be paid by."""
    if method is None:
        return None
    found = yield from Maybe(PAYMENT_METHOD, method)
    if found is None:
        raise UnknownReference("payment_method", method)
    if found.customer != owner.id:
        raise ValidationError("payment_method", method, f"a method of customer {owner.id}")
    if not found.usable:
        raise InvalidTransition(f"payment_method {method}", found.status, "pay")
    return found


def read_choice(field: str, kind: type[_Choice], value: str) -> _Choice:
    """Return the member that a word names; raises `ValidationError` for another word."""
    try:
        return kind(value)
    except ValueError:
        words = ", ".join(repr(str(member)) for member in kind)
        raise ValidationError(field, value, f"one of {words}") from None


def read_periods_max(catch_up_max: int) -> int:
    """Return how many missed periods are caught up; raises `ValidationError` for less than 1."""
    if type(catch_up_max) is not int or catch_up_max < 1:
        raise ValidationError("catch_up_max", catch_up_max, "a whole number of at least 1")
    return catch_up_max
