"""`billing.coupons`, with and without `await`."""

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
from subscriptions.usecases import coupons


class Coupons(Namespace):
    """What is taken off, and for whom."""

    create = Does(coupons.create)
    archive = Does(coupons.archive)
    code = Does(coupons.code)
    deactivate_code = Does(coupons.deactivate_code)
    check = Asks(coupons.check)
    redeem = Does(coupons.redeem)
    remove = Does(coupons.remove)
    get = Asks(coupons.get)
    get_code = Asks(coupons.get_code)
    codes = Lists(coupons.codes)
    redemptions = Lists(coupons.redemptions)
    list = Lists(coupons.list_)


class AsyncCoupons(Namespace):
    """What is taken off, and for whom."""

    create = AsyncDoes(coupons.create)
    archive = AsyncDoes(coupons.archive)
    code = AsyncDoes(coupons.code)
    deactivate_code = AsyncDoes(coupons.deactivate_code)
    check = AsyncAsks(coupons.check)
    redeem = AsyncDoes(coupons.redeem)
    remove = AsyncDoes(coupons.remove)
    get = AsyncAsks(coupons.get)
    get_code = AsyncAsks(coupons.get_code)
    codes = AsyncLists(coupons.codes)
    redemptions = AsyncLists(coupons.redemptions)
    list = AsyncLists(coupons.list_)
