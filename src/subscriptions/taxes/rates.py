"""What tax is counted by: categories, behaviours and rates.

Decided here: which rates there may be, and which of them say why no tax is due. Never here: which
rate a supply has.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import read_decimal


class TaxCategory(StrEnum):
    """Why a supply is taxed as it is; the values are the codes of EN 16931 (UNTDID 5305)."""

    STANDARD = "S"
    """Taxed at a rate above zero, standard or reduced."""
    ZERO = "Z"
    """Taxed at a rate of zero."""
    EXEMPT = "E"
    """Exempt from tax by law, for example a small business."""
    REVERSE_CHARGE = "AE"
    """The customer owes the tax."""
    INTRA_COMMUNITY = "K"
    """Goods delivered to a business in another country of the EU."""
    EXPORT = "G"
    """Exported out of the EU, free of tax."""
    OUTSIDE_SCOPE = "O"
    """Not subject to VAT at all."""


class TaxBehavior(StrEnum):
    """Whether an amount comes with its tax."""

    EXCLUSIVE = "exclusive"
    """The amount is net; tax is added to it."""
    INCLUSIVE = "inclusive"
    """The amount is gross; tax is taken out of it."""


_NAME_LENGTH_MAX = 60


def _read_percent(percent: str | int | Decimal) -> Decimal:
    value = read_decimal(percent, field="percent", max_places=4)
    if not 0 <= value <= 100:  # noqa: PLR2004 - per cent
        raise ValidationError("percent", percent, "at least 0 and at most 100")
    # One spelling for each rate: 19.0 and 19 are one group and one text on the invoice.
    value = value.normalize()
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


@frozen(cache_hash=True)
class TaxRate:
    """A rate in per cent, its category, and the reason that a document must state.

    `name` is what the tax is called where several are charged on one amount, such as "GST": it is
    printed instead of the word for VAT, and taxes of different names are never one group.

    Raises `ValidationError` unless standard rates are above 0 and all others are 0, and unless
    there is a reason exactly where EN 16931 wants one: for E, AE, K, G and O.

    >>> TaxRate("19")
    TaxRate(percent=Decimal('19'), category=<TaxCategory.STANDARD: 'S'>, reason=None, name='')
    >>> TaxRate(0, TaxCategory.REVERSE_CHARGE, "Reverse charge").percent
    Decimal('0')
    """

    percent: Decimal = field(converter=_read_percent)
    category: TaxCategory = TaxCategory.STANDARD
    reason: str | None = None
    name: str = ""
    ratio: tuple[int, int] = field(init=False, eq=False, repr=False)
    """The tax per net as a fraction of ints, for loops: 19 per cent is 19 by 100."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.category, TaxCategory):
            raise ValidationError("category", self.category, "a TaxCategory")
        standard = self.category is TaxCategory.STANDARD
        if standard != (self.percent > 0):
            expected = f"0 for category {self.category}"
            if standard:
                expected = "above 0, or another category, such as TaxCategory.OUTSIDE_SCOPE"
            raise ValidationError("percent", self.percent, expected)
        needs_reason = not standard and self.category is not TaxCategory.ZERO
        has_reason = isinstance(self.reason, str) and bool(self.reason.strip())
        if has_reason and not str(self.reason).isprintable():
            raise ValidationError("reason", self.reason, "a text without control characters")
        if needs_reason != has_reason or not (has_reason or self.reason is None):
            expected = "a text" if needs_reason else "None"
            raise ValidationError("reason", self.reason, f"{expected} for {self.category}")
        name: object = self.name
        if (
            not isinstance(name, str)
            or name.strip() != name
            or not name.isprintable()
            or len(name) > _NAME_LENGTH_MAX
        ):
            expected = f"a text of at most {_NAME_LENGTH_MAX} characters, such as 'GST'"
            raise ValidationError("name", name, expected)
        numerator, denominator = self.percent.as_integer_ratio()
        object.__setattr__(self, "ratio", (numerator, denominator * 100))
