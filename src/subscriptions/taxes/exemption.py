"""A customer's own exemption from tax: why, by which certificate, and when."""

from __future__ import annotations

from datetime import date

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.records import plain_date, plain_text


@frozen
class TaxExemption:
    """Why a customer is charged no tax: an embassy, a reseller with a certificate, a charity.

    `reason` is printed on his documents, `certificate` is the number of the proof. It counts for
    supplies from the day `valid_from` to the day `valid_until`, both included; without them always.

    Raises `ValidationError` for an empty reason and for days in the wrong order.

    >>> TaxExemption("Exempt: resale certificate", valid_until=date(2027, 12, 31)).reason_on(
    ...     date(2028, 1, 1)) is None
    True
    """

    reason: str
    certificate: str = ""
    valid_from: date | None = None
    valid_until: date | None = None

    def __attrs_post_init__(self) -> None:
        plain_text("tax_exemption.reason", self.reason, length_max=200)
        plain_text("tax_exemption.certificate", self.certificate, length_max=100, empty=True)
        for name in ("valid_from", "valid_until"):
            if getattr(self, name) is not None:
                plain_date(f"tax_exemption.{name}", getattr(self, name))
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            expected = f"a day from {self.valid_from} on"
            raise ValidationError("tax_exemption.valid_until", self.valid_until, expected)

    def reason_on(self, day: date) -> str | None:
        """Return the reason if it counts on a day of supply; None if it does not."""
        if self.valid_from is not None and day < self.valid_from:
            return None
        if self.valid_until is not None and day > self.valid_until:
            return None
        return self.reason
