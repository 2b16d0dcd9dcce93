"""The kit passes what is sound, and names what is not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from subscriptions.tax_ids import EU_PREFIXES, Invalid, TaxIdAnswer, Unavailable, Valid
from subscriptions.tax_services import TaxIdValidator
from subscriptions.tax_services.fake import FakeTaxIds
from subscriptions.tax_services.vies import Vies
from subscriptions.testing.tax_id_laws import TaxIdLaws

GOOD, UNKNOWN = "DE136695976", "FR40303265045"


def a_fake(*, down: bool = False) -> FakeTaxIds:
    fake = FakeTaxIds()
    fake.invalid("fr 40 303 265 045")
    if down:
        fake.outage()
    return fake


class TestTheFake(TaxIdLaws):
    @pytest.fixture
    def validator(self) -> TaxIdValidator:
        return a_fake()

    @pytest.fixture
    def silent_validator(self) -> TaxIdValidator:
        return a_fake(down=True)

    @pytest.fixture
    def good(self) -> str:
        return GOOD

    @pytest.fixture
    def unknown(self) -> str:
        return UNKNOWN


def a_register(url: str, _: int) -> bytes:
    word = "VALID" if url.endswith("/ms/DE/vat/136695976") else "INVALID"
    return json.dumps({"isValid": word == "VALID", "userError": word}).encode()


def a_dead_line(url: str, _: int) -> bytes:
    raise ConnectionResetError(url)


class TestVies(TestTheFake):
    @pytest.fixture
    def validator(self) -> TaxIdValidator:
        return Vies(fetch=a_register)

    @pytest.fixture
    def silent_validator(self) -> TaxIdValidator:
        return Vies(fetch=a_dead_line)


class Broken(FakeTaxIds):
    """Each has one defect."""


class SaysNoWhenDown(Broken):
    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        answer = super().check(tax_id, requester)
        return Invalid() if isinstance(answer, Unavailable) else answer


class RaisesWhenDown(Broken):
    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        answer = super().check(tax_id, requester)
        if isinstance(answer, Unavailable):
            raise ConnectionError(answer.reason)
        return answer


class SaysYesToAll(Broken):
    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        answer = super().check(tax_id, requester)
        return Valid() if isinstance(answer, Invalid) else answer


class DoubtsEverything(Broken):
    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        super().check(tax_id, requester)
        return Unavailable("?")


class GivesNoReason(Broken):
    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        answer = super().check(tax_id, requester)
        return Unavailable("") if isinstance(answer, Unavailable) else answer


def laws_broken_by(adapter: type[FakeTaxIds], prefixes: frozenset[str] = EU_PREFIXES) -> set[str]:
    """Return the names of the laws that a defect breaks."""
    sound, silent = adapter(prefixes=prefixes), adapter(prefixes=prefixes)
    sound.invalid(UNKNOWN)
    silent.outage()
    kit = TaxIdLaws()
    broken: set[str] = set()
    laws: dict[str, Callable[[], None]] = {
        "name": lambda: kit.test_it_has_a_name_and_prefixes(sound),
        "covers": lambda: kit.test_it_covers_what_it_is_asked_about(sound, GOOD, UNKNOWN),
        "confirms": lambda: kit.test_it_confirms_what_is_good(sound, GOOD),
        "rejects": lambda: kit.test_it_rejects_what_is_unknown(sound, UNKNOWN),
        "outage": lambda: kit.test_an_outage_is_no_answer(silent, GOOD, UNKNOWN),
    }
    for name, law in laws.items():
        try:
            law()
        except (AssertionError, ConnectionError):
            broken.add(name)
    return broken


@pytest.mark.parametrize(
    ("adapter", "laws"),
    [
        (FakeTaxIds, set[str]()),
        (SaysNoWhenDown, {"outage"}),
        (RaisesWhenDown, {"outage"}),
        (GivesNoReason, {"outage"}),
        (SaysYesToAll, {"rejects"}),
        (DoubtsEverything, {"confirms", "rejects"}),
    ],
)
def test_each_defect_breaks_the_law_that_is_about_it(
    adapter: type[FakeTaxIds], laws: set[str]
) -> None:
    assert laws_broken_by(adapter) == laws


@pytest.mark.parametrize("prefixes", [frozenset[str](), frozenset({"de"}), frozenset({"DEU"})])
def test_prefixes_that_cover_nothing_are_named(prefixes: frozenset[str]) -> None:
    assert laws_broken_by(FakeTaxIds, prefixes) >= {"name", "covers"}
