"""The audit of the books: what is wrong with the numbers, the seals and the ledger, in one answer.

Nothing is decided here and nothing repaired: both parts read what is stored, and both read the same
state of it.
"""

from __future__ import annotations

from subscriptions.frozen import frozen
from subscriptions.reports.ledger import Difference
from subscriptions.reports.numbers import NumberFinding


@frozen
class Audit:
    """What does not fit: numbers and documents of series, and what the ledger finds.

    >>> Audit().sound
    True
    """

    numbers: tuple[NumberFinding, ...] = ()
    differences: tuple[Difference, ...] = ()
    unbalanced: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.numbers or self.differences or self.unbalanced)
