"""The ladder, as data: retries and reminders by days after the failure, and what ends it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.records import evolve, plain_text

DAYS_MAX = 730


def _days(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= DAYS_MAX:
        raise ValidationError(name, value, f"a whole number of days from 0 to {DAYS_MAX}")
    return value


@frozen
class Retries:
    """When to charge again: offsets in days after the first failure, strictly increasing."""

    days: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        for day in self.days:
            _days("retries", day)
        if any(later <= earlier for earlier, later in zip(self.days, self.days[1:], strict=False)):
            raise ValidationError("retries", self.days, "days in strictly increasing order")

    @classmethod
    def after_days(cls, *days: int) -> Retries:
        """Retry after these days, counted from the first failure.

        >>> Retries.after_days(1, 3, 5, 7)
        Retries(days=(1, 3, 5, 7))
        """
        return cls(days)


@frozen
class Reminder:
    """Ask the customer to pay, `after_days` days after the failure; `level` picks the text."""

    after_days: int
    level: int = 1

    def __attrs_post_init__(self) -> None:
        _days("after_days", self.after_days)
        if not 1 <= self.level <= 9:  # noqa: PLR2004 - one digit
            raise ValidationError("level", self.level, "a level from 1 to 9")


@frozen
class Retry:
    """Charge the customer's method again."""


@frozen
class CancelSubscription:
    """End the subscription; the invoice stays owed."""


@frozen
class MarkUnpaid:
    """Let the subscription go on unpaid: new invoices stay drafts until this one is paid."""


@frozen
class MarkUncollectible:
    """Write the invoice off."""


FinalAction: TypeAlias = CancelSubscription | MarkUnpaid | MarkUncollectible


Action: TypeAlias = Retry | Reminder | FinalAction


def _retries(value: Retries | Iterable[int]) -> Retries:
    return value if isinstance(value, Retries) else Retries(tuple(value))


def _reminders(value: Iterable[Reminder]) -> tuple[Reminder, ...]:
    return tuple(value)


# An invoice that is written off needs no ladder any more, so that comes last; and what is written
# off does not leave its subscription unpaid.
_FINAL: frozenset[tuple[type[FinalAction], ...]] = frozenset(
    {
        (CancelSubscription,),
        (MarkUnpaid,),
        (MarkUncollectible,),
        (CancelSubscription, MarkUncollectible),
    }
)


def _final(value: FinalAction | Iterable[FinalAction]) -> tuple[FinalAction, ...]:
    if isinstance(value, CancelSubscription | MarkUnpaid | MarkUncollectible):
        return (value,)
    return tuple(value)


@frozen
class Step:
    """One rung of the ladder: what is done, and when."""

    at: datetime
    action: Action


@frozen
class DunningPolicy:
    """A ladder.

    With `try_backup` a customer's backup method is tried once for each invoice after a soft
    decline, before anything else is done.

    `final` is done `final_after_days` after the failure, by default after the last
    retry or reminder; one action or several, in order.

    >>> policy = DunningPolicy(retries=Retries.after_days(3), steps=[Reminder(1)])
    >>> from datetime import UTC
    >>> steps = policy.schedule(failed_at=datetime(2027, 1, 1, tzinfo=UTC))
    >>> [str(step.at.date()) for step in steps]
    ['2027-01-02', '2027-01-04', '2027-01-04']
    """

    retries: Retries = field(default=Retries.after_days(1, 3, 5, 7), converter=_retries)
    steps: tuple[Reminder, ...] = field(default=(), converter=_reminders)
    final: tuple[FinalAction, ...] = field(default=(CancelSubscription(),), converter=_final)
    final_after_days: int | None = None
    name: str = "default"
    try_backup: bool = True

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=100)
        kinds = [type(action) for action in self.final]
        if tuple(kinds) not in _FINAL:
            raise ValidationError(
                "final", self.final, "one final action, or CancelSubscription, MarkUncollectible"
            )
        last = max((*self.retries.days, *(step.after_days for step in self.steps)), default=0)
        if (
            self.final_after_days is not None
            and _days("final_after_days", self.final_after_days) < last
        ):
            raise ValidationError(
                "final_after_days", self.final_after_days, f"not before the last step, day {last}"
            )

    def retried_on(self, days: Iterable[int]) -> DunningPolicy:
        """Return the same ladder with other retries; what ends it comes when it would have come.

        Retries that would come after that are left out.

        >>> policy = DunningPolicy(retries=Retries.after_days(1, 9), final_after_days=14)
        >>> held = policy.retried_on(())
        >>> held.retries, held.final_after_days
        (Retries(days=()), 14)
        """
        last = max((*self.retries.days, *[step.after_days for step in self.steps]), default=0)
        end = last if self.final_after_days is None else self.final_after_days
        kept = tuple([day for day in days if day <= end])
        return evolve(self, retries=Retries(kept), final_after_days=end)

    def schedule(self, *, failed_at: datetime) -> tuple[Step, ...]:
        """Return what would happen, and when, if nothing were paid; ordered by time.

        On one day a retry comes before a reminder (why write if the charge succeeds?), and the
        final actions come last. Raises `ValidationError` for a `failed_at` without a UTC offset.
        """
        instant: object = failed_at
        if not isinstance(instant, datetime) or instant.utcoffset() is None:
            raise ValidationError("failed_at", instant, "a datetime with a UTC offset")
        rungs: list[tuple[int, int, Action]] = [(day, 0, Retry()) for day in self.retries.days]
        rungs += [(step.after_days, 1, step) for step in self.steps]
        last = max((day for day, _, _ in rungs), default=0)
        end = last if self.final_after_days is None else self.final_after_days
        rungs += [(end, 2, action) for action in self.final]
        rungs.sort(key=lambda rung: rung[:2])
        return tuple(Step(failed_at + timedelta(days=day), action) for day, _, action in rungs)


DEFAULT_POLICY = DunningPolicy(
    retries=Retries.after_days(1, 3, 5, 7),
    steps=(Reminder(0, level=1), Reminder(5, level=2)),
    final=(CancelSubscription(), MarkUncollectible()),
    final_after_days=14,
)
