"""The laws of a tax-id validator, for authors of adapters.

An author inherits `TaxIdLaws`, gives the fixtures, and has the laws run. They ask what the fixtures
say and nothing else, so that a recording of the real service will do.
"""

from __future__ import annotations

import re

import pytest

from subscriptions.tax_ids import Invalid, Unavailable, Valid, is_covered, normalized
from subscriptions.tax_services import TaxIdValidator
from subscriptions.testing.kits import Laws

_PREFIX = re.compile(r"[A-Z]{2}")


class TaxIdLaws(Laws, kit=True):
    """What the engine relies on; each law is one test."""

    @pytest.fixture
    def validator(self) -> TaxIdValidator:
        """Return the adapter, whose service works."""
        raise NotImplementedError

    @pytest.fixture
    def silent_validator(self) -> TaxIdValidator:
        """Return the adapter while its service is down."""
        raise NotImplementedError

    @pytest.fixture
    def good(self) -> str:
        """Return a tax id that the service confirms."""
        raise NotImplementedError

    @pytest.fixture
    def unknown(self) -> str:
        """Return a tax id that is well formed, and that the service does not know."""
        raise NotImplementedError

    def test_it_has_a_name_and_prefixes(self, validator: TaxIdValidator) -> None:
        """The name is kept with the evidence; the prefixes say who is asked."""
        assert validator.name.strip()
        assert isinstance(validator.prefixes, frozenset)
        assert validator.prefixes
        assert all(_PREFIX.fullmatch(prefix) for prefix in validator.prefixes)

    def test_it_covers_what_it_is_asked_about(
        self, validator: TaxIdValidator, good: str, unknown: str
    ) -> None:
        """The examples are ids that the engine would ask about, in their one spelling."""
        for tax_id in (good, unknown):
            assert normalized(tax_id) == tax_id
            assert is_covered(tax_id, validator.prefixes)

    def test_it_confirms_what_is_good(self, validator: TaxIdValidator, good: str) -> None:
        """A registered tax id is valid, and texts are texts."""
        answer = validator.check(good, "")
        assert isinstance(answer, Valid)
        assert all(type(text) is str for text in (answer.request_id, answer.name, answer.address))

    def test_it_rejects_what_is_unknown(self, validator: TaxIdValidator, unknown: str) -> None:
        """Only the register's own "no" is one."""
        assert isinstance(validator.check(unknown, ""), Invalid)

    def test_an_outage_is_no_answer(
        self, silent_validator: TaxIdValidator, good: str, unknown: str
    ) -> None:
        """It neither raises nor guesses while the service is down, and says why."""
        for tax_id in (good, unknown):
            answer = silent_validator.check(tax_id, "")
            assert isinstance(answer, Unavailable)
            assert answer.reason.strip()
