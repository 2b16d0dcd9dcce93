"""Who takes whose place, where items come and go at one instant.

A change and its opposite at one instant cost nothing, whatever else comes and goes between them: an
item that comes takes the place of one that has gone, with all that this was charged for and granted
for the period, and goes on as that would have. Places do not change while they are given and given
up, and who has which follows from what is there, not from the way to it. Never here: what a place
is worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from subscriptions.billing_cycles import Interval
from subscriptions.frozen import frozen
from subscriptions.lifecycle.items import Item, Place, WantedItem


@frozen
class Comer:
    """An item that comes at this instant, or came at it by an earlier change, by its number.

    It would be billed at an interval, and paid `through` a day, in a place of its own; `held` is
    whose place it has by now. One that `stays` keeps it: not all is given back that it was charged.
    """

    number: int
    wanted: WantedItem
    every: Interval
    through: date
    held: int | None = None
    stays: bool = False


def give_places(free: Iterable[Place], comers: Iterable[Comer]) -> dict[int, Place]:
    """Return the places of items that are gone, by the numbers of those that take them.

    Who is what another was when the changes began takes that place; then comes who is what another
    was when it went, and who has a place keeps it. Of the others those that are new take the place
    of one with their price, or of one that is paid until the same day.
    """
    places = {place.number: place for place in free}
    pairs = [
        (rank, comer.number, place.number)
        for comer in comers
        for place in places.values()
        if (rank := _rank(place, comer)) is not None
    ]
    found: dict[int, Place] = {}
    for _, number, place in sorted(pairs):
        if number not in found and place in places:
            found[number] = places.pop(place)
    return found


def is_same(item: Item, wanted: WantedItem) -> bool:
    """Return whether an item is what is wanted."""
    return (wanted.price, wanted.quantity) == (item.price, item.quantity)


def _rank(place: Place, comer: Comer) -> int | None:
    """Return how well a place fits who comes, the best first; None if not at all."""
    item, wanted = place.item, comer.wanted
    if item is None or item.cycle.every != comer.every:
        return None
    kept = comer.held == place.number
    if kept and (comer.stays or is_same(item, wanted)):
        return 0
    if is_same(item, wanted):
        return 1
    if comer.held is None and place.went is not None and is_same(place.went, wanted):
        return 2
    if kept:
        return 3
    if wanted.item is not None:
        return None
    if item.price == wanted.price:
        return 4
    return 5 if item.through == comer.through else None
