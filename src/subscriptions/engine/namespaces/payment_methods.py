"""`billing.payment_methods`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    Does,
    Lists,
    Namespace,
)
from subscriptions.usecases import payment_methods


class PaymentMethods(Namespace):
    """How customers pay."""

    attach = Does(payment_methods.attach)
    detach = Does(payment_methods.detach)
    set_default = Does(payment_methods.set_default)
    set_backup = Does(payment_methods.set_backup)
    get = Asks(payment_methods.get)
    list = Lists(payment_methods.list_)


class AsyncPaymentMethods(Namespace):
    """How customers pay."""

    attach = AsyncDoes(payment_methods.attach)
    detach = AsyncDoes(payment_methods.detach)
    set_default = AsyncDoes(payment_methods.set_default)
    set_backup = AsyncDoes(payment_methods.set_backup)
    get = AsyncAsks(payment_methods.get)
    list = AsyncLists(payment_methods.list_)
