"""What a host passes to describe a price: read strictly, so that a slip is named by its field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias, TypeVar

from subscriptions.billing_cycles import Interval
from subscriptions.catalog import Entitlement, Introductory
from subscriptions.errors import CurrencyMismatch, ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Currency, Money
from subscriptions.pricing import PerUnit, PriceModel
from subscriptions.taxes import TaxBehavior

T = TypeVar("T")

Amount: TypeAlias = Money | PriceModel
"""A `Money` for each unit, or a price model."""


def read_model(amount: object, currency: str | None) -> tuple[PriceModel, Currency]:
    """Return the model and the currency of an amount; a model needs one to be named."""
    if isinstance(amount, Money):
        if currency is not None and Currency.of(currency) != amount.currency:
            raise ValidationError("currency", currency, f"{amount.currency}, as the amount says")
        if amount.minor < 0:
            raise ValidationError("amount", amount, "not negative")
        return PerUnit(amount.amount), amount.currency
    if not isinstance(amount, PriceModel):
        raise ValidationError("amount", amount, "a Money or a price model such as Flat('29.00')")
    if currency is None:
        raise ValidationError("currency", None, "the currency of the price model")
    return amount, Currency.of(currency)


def read_phases(
    introductory: Iterable[tuple[int, Amount]], currency: Currency
) -> tuple[Introductory, ...]:
    """Return the introductory phases, each given as a number of periods and an amount."""
    phases: list[Introductory] = []
    for phase in read_several("introductory", introductory):
        match phase:
            case (periods, amount):
                phases.append(Introductory(periods, read_model(amount, currency.code)[0]))
            case _:
                raise ValidationError("introductory", phase, "(number of periods, amount)")
    return tuple(phases)


def read_minor(field: str, amount: Money | None, currency: Currency) -> int:
    """Return an amount in minor units, 0 for None; it must be in the currency of the price."""
    if amount is None:
        return 0
    if not isinstance(amount, Money):
        raise ValidationError(field, amount, "a Money")
    if amount.currency != currency:
        raise CurrencyMismatch(currency.code, amount.currency.code)
    return amount.minor


def read_trial(trial: Interval | None) -> Interval | None:
    """Return how long a trial is."""
    if trial is not None and not isinstance(trial, Interval):
        raise ValidationError("trial", trial, "an Interval, such as Interval.days(14), or None")
    return trial


def read_flag(field: str, value: bool) -> bool:  # noqa: FBT001 - it is what is checked
    """Return a truth value; a 1 would be kept as another type than it is read as."""
    if not isinstance(value, bool):
        raise ValidationError(field, value, "True or False")
    return value


def read_several(field: str, values: Iterable[T]) -> tuple[T, ...]:
    """Return what is listed; a text would be a list of its characters."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValidationError(field, values, "a list")
    return tuple(values)


def read_behavior(value: TaxBehavior | str) -> TaxBehavior:
    """Return whether an amount comes with its tax, given as the value or as its word."""
    try:
        return TaxBehavior(value)
    except ValueError:
        raise ValidationError("tax_behavior", value, "'exclusive' or 'inclusive'") from None


# ---- a price that is as another one but for some -------------------------------------------------

_REMOVABLE: Final[dict[str, dict[str, object]]] = {
    "minimum": {"minimum_minor": 0},
    "setup": {"setup_minor": 0},
    "trial": {"trial": None},
    "introductory": {"introductory": ()},
    "term_periods": {"term_periods": None},
    "entitlements": {"entitlements": ()},
}


@frozen
class Differences:
    """What is said of a price that is as another one but for this; None is as it was."""

    minimum: Money | None
    setup: Money | None
    trial: Interval | None
    introductory: tuple[tuple[int, Amount], ...] | None
    term_periods: int | None
    entitlements: tuple[Entitlement, ...] | None
    without: tuple[str, ...]

    def fields(self, unit: Currency) -> dict[str, object]:
        """Return the fields of a price in this currency that are said, or taken away."""
        least, once, phases = self.minimum, self.setup, self.introductory
        given: dict[str, object] = {
            "minimum_minor": None if least is None else read_minor("minimum", least, unit),
            "setup_minor": None if once is None else read_minor("setup", once, unit),
            "trial": self.trial,
            "introductory": None if phases is None else read_phases(phases, unit),
            "term_periods": self.term_periods,
            "entitlements": self.entitlements,
        }
        fields = {name: value for name, value in given.items() if value is not None}
        for word in self.without:
            fields |= _REMOVABLE[word]
        return fields


def read_differences(
    without: Iterable[str],
    *,
    minimum: Money | None,
    setup: Money | None,
    trial: Interval | None,
    introductory: Iterable[tuple[int, Amount]] | None,
    term_periods: int | None,
    entitlements: Iterable[Entitlement] | None,
) -> Differences:
    """Read what is said of a price; raises `ValidationError`, for what is taken away too."""
    said = Differences(
        minimum,
        setup,
        read_trial(trial),
        None if introductory is None else read_several("introductory", introductory),
        term_periods,
        None if entitlements is None else read_entitlements(entitlements),
        read_several("without", without),
    )
    for word in said.without:
        if word not in _REMOVABLE or getattr(said, word) is not None:
            expected = f"one of {', '.join(_REMOVABLE)}, and not what is given"
            raise ValidationError("without", word, expected)
    return said


def read_entitlements(entitlements: Iterable[Entitlement]) -> tuple[Entitlement, ...]:
    """Return what a product or a price entitles to."""
    given = read_several("entitlements", entitlements)
    for each in given:
        if not isinstance(each, Entitlement):
            raise ValidationError("entitlements", each, "an Entitlement, such as Entitlement('x')")
    return given
