"""How a tax id is written, what an answer makes of the evidence, and how long that holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from attrs import evolve

from subscriptions import tax_ids
from subscriptions.customers import (
    CUSTOMER,
    Customer,
    CustomerUpdated,
    TaxIdCheckPlanned,
    TaxIdRejected,
    TaxIdUnverified,
    TaxIdVerified,
    ask_about_tax_id,
    record_tax_id_answer,
    update,
)
from subscriptions.decisions import Change, park
from subscriptions.errors import ValidationError
from subscriptions.tax_ids import (
    EU_PREFIXES,
    Invalid,
    Standing,
    TaxIdAnswer,
    TaxIdCheck,
    TaxIdPolicy,
    Unavailable,
    Valid,
    answered,
    ask_again_at,
    is_covered,
    last_answer_at,
    normalized,
    read_tax_id,
    valid_on,
)
from subscriptions.testing.builders import a_customer

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ID, OTHER = "DE136695976", "FR40303265045"
YES, NO, SILENCE = Valid("WAPI1", "Ada Ltd", "Berlin"), Invalid("WAPI2"), Unavailable("TIMEOUT")


# ---- how it is written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("DE136695976", "DE136695976"),
        (" de 136 695 976", "DE136695976"),
        ("DE-136.695/976", "DE136695976"),
        ("GR094259216", "EL094259216"),
        ("el 094259216", "EL094259216"),
        ("NL004495445B01", "NL004495445B01"),
        ("ATU12345675", "ATU12345675"),
        ("FR40 303 265 045", "FR40303265045"),
    ],
)
def test_a_vat_id_has_one_spelling(written: str, stored: str) -> None:
    assert read_tax_id(written, "DE") == stored
    assert read_tax_id(read_tax_id(written)) == stored


@pytest.mark.parametrize(
    "wrong",
    ["DE136695977", "DE13669597", "ATU1234567", "DE", "DE1", "FRXX303265045", "EL094259217"],
)
def test_a_vat_id_with_wrong_digits_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong[:2]) as caught:
        read_tax_id(wrong)
    assert (caught.value.field, caught.value.value) == ("tax_id", wrong)


def test_without_the_extra_only_the_characters_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing_of(name: str) -> None:
        assert name == "stdnum"

    monkeypatch.setattr(tax_ids, "find_spec", nothing_of)
    assert read_tax_id("de 136 695 977") == "DE136695977"
    with pytest.raises(ValidationError, match="2 to 12 digits or letters"):
        read_tax_id("DE136695977!")


@pytest.mark.parametrize(
    ("given", "country"),
    [
        ("12-3456789", "US"),
        ("CHE-109.322.551 MWST", "CH"),
        ("CHE-109.322.551 MWST", "DE"),
        ("GB 999 9999 73", "GB"),
        ("12/345/67890", ""),
    ],
)
def test_tax_ids_of_other_countries_stay_as_they_are_written(given: str, country: str) -> None:
    assert read_tax_id(given, country) == given


@pytest.mark.parametrize(("country", "prefix"), [("DE", "DE…"), ("GR", "EL…"), ("AT", "AT…")])
def test_a_customer_in_the_eu_gives_a_prefix(country: str, prefix: str) -> None:
    with pytest.raises(ValidationError, match=f"prefix, such as {prefix}"):
        read_tax_id("094259216", country)


@pytest.mark.parametrize("empty", ["", "  "])
def test_no_tax_id_is_none(empty: str) -> None:
    assert read_tax_id(empty, "DE") == ""


@pytest.mark.parametrize("wrong", [5, None, "x" * 41, "DE\x00136695976"])
def test_what_is_no_text_is_no_tax_id(wrong: object) -> None:
    with pytest.raises(ValidationError, match="tax_id"):
        read_tax_id(wrong)  # type: ignore[arg-type]  # as a caller without a type checker may


def test_a_tax_id_is_covered_by_its_prefix() -> None:
    assert is_covered("gr 094259216", EU_PREFIXES)
    assert not is_covered("GB999999973", EU_PREFIXES)
    assert not is_covered("", EU_PREFIXES)
    assert not is_covered(ID, frozenset())


# ---- what an answer makes of the evidence -----------------------------------------------------


def test_a_confirmation_is_kept_with_its_receipt() -> None:
    check = answered(None, "de 136695976", YES, at=NOON, source="vies")
    assert check == TaxIdCheck(
        ID,
        valid=True,
        at=NOON,
        last_valid_at=NOON,
        request_id="WAPI1",
        name="Ada Ltd",
        address="Berlin",
        source="vies",
    )
    assert "Ada" not in repr(check)


def test_an_outage_changes_nothing_that_was_said() -> None:
    check = answered(None, ID, YES, at=NOON, source="vies")
    down = answered(check, ID, SILENCE, at=NOON + DAY)
    assert down == evolve(check, at=NOON + DAY, tries=1, reason="TIMEOUT")
    again = answered(down, ID, Unavailable("x" * 300), at=NOON + 2 * DAY)
    assert (again.tries, len(again.reason), again.last_valid_at) == (2, 200, NOON)
    assert answered(again, ID, YES, at=NOON + 3 * DAY).tries == 0


def test_an_outage_after_a_no_leaves_the_no() -> None:
    """Or a day without answers would turn a rejected id, confirmed long ago, good again."""
    check = answered(None, ID, YES, at=NOON)
    rejected = answered(check, ID, NO, at=NOON + DAY, source="vies")
    assert (rejected.valid, rejected.last_valid_at) == (False, NOON)
    assert (rejected.request_id, rejected.name, rejected.source) == ("WAPI2", "", "vies")
    down = answered(rejected, ID, SILENCE, at=NOON + 2 * DAY)
    assert valid_on(down, ID, NOON + 2 * DAY) is Standing.INVALID


def test_what_was_said_of_another_id_is_forgotten() -> None:
    check = answered(None, ID, YES, at=NOON)
    other = answered(check, OTHER, SILENCE, at=NOON + DAY)
    assert (other.tax_id, other.valid, other.last_valid_at, other.request_id) == (
        OTHER,
        None,
        None,
        "",
    )
    assert answered(check, OTHER, NO, at=NOON).last_valid_at is None


@pytest.mark.parametrize(
    ("age", "standing"),
    [
        (timedelta(days=-40), Standing.VALID),
        (timedelta(), Standing.VALID),
        (timedelta(days=90), Standing.VALID),
        (timedelta(days=90, microseconds=1), Standing.UNKNOWN),
    ],
)
def test_a_confirmation_holds_for_ninety_days(age: timedelta, standing: Standing) -> None:
    check = answered(None, ID, YES, at=NOON)
    down = answered(check, ID, SILENCE, at=NOON + DAY)
    assert valid_on(check, "de 136695976", NOON + age) is standing
    assert valid_on(down, ID, NOON + age) is standing
    assert valid_on(down, ID, NOON + DAY, timedelta(hours=1)) is Standing.UNKNOWN


def test_a_no_never_grows_old() -> None:
    check = answered(None, ID, NO, at=NOON)
    assert valid_on(check, ID, NOON + 1000 * DAY) is Standing.INVALID


def test_without_an_answer_about_this_id_nothing_is_known() -> None:
    assert valid_on(None, ID, NOON) is Standing.UNKNOWN
    assert valid_on(answered(None, ID, SILENCE, at=NOON), ID, NOON) is Standing.UNKNOWN
    assert valid_on(answered(None, ID, YES, at=NOON), OTHER, NOON) is Standing.UNKNOWN
    assert valid_on(answered(None, ID, NO, at=NOON), OTHER, NOON) is Standing.UNKNOWN


def test_only_a_no_makes_invalid_and_only_a_fresh_yes_valid_whatever_was_answered() -> None:
    """Judged by the story itself: the last definite answer, and how long ago that was."""
    answers: tuple[TaxIdAnswer, ...] = (YES, NO, SILENCE)
    for story in product(answers, repeat=4):
        check: TaxIdCheck | None = None
        last: TaxIdAnswer | None = None
        said_at = NOON
        for day, answer in enumerate(story):
            at = NOON + 40 * day * DAY
            check = answered(check, ID, answer, at=at)
            if not isinstance(answer, Unavailable):
                last, said_at = answer, at
        now = NOON + 120 * DAY
        fresh = now - said_at <= 90 * DAY
        expected = Standing.VALID if last == YES and fresh else Standing.UNKNOWN
        assert valid_on(check, ID, now) is (Standing.INVALID if last == NO else expected)


def test_after_an_outage_it_is_asked_again_sooner_and_then_daily_without_end() -> None:
    check = None
    waits: list[timedelta] = []
    for _ in range(6):
        check = answered(check, ID, SILENCE, at=NOON)
        waits.append(ask_again_at(check) - NOON)
    hours = [wait / timedelta(hours=1) for wait in waits]
    assert hours == [pytest.approx(1 / 12), 1, 6, 24, 24, 24]
    assert ask_again_at(answered(check, ID, YES, at=NOON)) == NOON + 30 * DAY
    assert ask_again_at(answered(check, ID, NO, at=NOON)) == NOON + 30 * DAY


def test_the_last_answer_is_the_last_definite_one() -> None:
    check = answered(None, ID, YES, at=NOON)
    down = answered(check, ID, SILENCE, at=NOON + DAY)
    assert last_answer_at(None, ID) is None
    assert last_answer_at(check, OTHER) is None
    assert last_answer_at(check, ID) == last_answer_at(down, ID) == NOON
    assert last_answer_at(answered(check, ID, NO, at=NOON + DAY), ID) == NOON + DAY


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_age": timedelta()},
        {"again_after": -DAY},
        {"again_after": 91 * DAY},
        {"again_after": 30},
        {"retries": ()},
        {"retries": (timedelta(),)},
    ],
    ids=str,
)
def test_a_policy_that_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="tax_id_policy"):
        TaxIdPolicy(**wrong)  # type: ignore[arg-type]  # as a caller without a type checker may


@pytest.mark.parametrize(
    "wrong",
    [
        {"tax_id": ""},
        {"at": NOON.replace(tzinfo=None)},
        {"last_valid_at": NOON.replace(tzinfo=None)},
        {"last_valid_at": None},
    ],
    ids=str,
)
def test_evidence_that_proves_nothing_is_refused(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"tax_id": ID, "valid": True, "at": NOON, "last_valid_at": NOON}
    TaxIdCheck(**good)  # type: ignore[arg-type]  # made of a dict
    with pytest.raises(ValidationError, match="tax_id_check"):
        TaxIdCheck(**{**good, **wrong})  # type: ignore[arg-type]  # likewise


# ---- what it makes of the customer ------------------------------------------------------------


def a_company(**changes: object) -> Customer:
    return a_customer(**{"tax_id": ID, "tax_id_check_at": NOON, **changes})


def told(
    customer: Customer, answer: TaxIdAnswer, *, about: str = ID, again: bool = True
) -> Customer:
    change = record_tax_id_answer(
        customer, about, answer, at=NOON + DAY, source="vies", again=again
    )
    assert change.before is customer
    after = change.after
    assert isinstance(after, Customer)
    return after


def events_of(answer: TaxIdAnswer) -> tuple[object, ...]:
    change: Change = record_tax_id_answer(a_company(), ID, answer, at=NOON, source="vies")
    return change.events


def test_each_answer_has_its_event() -> None:
    customer = a_company().id
    assert events_of(YES) == (TaxIdVerified(customer, NOON, "WAPI1"),)
    assert events_of(NO) == (TaxIdRejected(customer, NOON, "WAPI2"),)
    assert events_of(SILENCE) == (TaxIdUnverified(customer, NOON, "TIMEOUT", 1, None),)


def test_an_answer_moves_the_next_question() -> None:
    asked = told(a_company(), YES)
    assert asked.tax_id_check == answered(None, ID, YES, at=NOON + DAY, source="vies")
    assert asked.due_at == asked.tax_id_check_at == NOON + 31 * DAY
    assert told(a_company(), SILENCE).due_at == NOON + DAY + timedelta(minutes=5)
    assert told(a_company(), YES, again=False).due_at is None


def test_an_answer_about_an_id_he_had_before_says_nothing() -> None:
    after = told(a_company(), NO, about=OTHER)
    assert after.tax_id_check is None
    assert after.due_at == NOON + DAY + timedelta(minutes=5)


def test_another_tax_id_forgets_the_evidence_and_is_asked_about() -> None:
    checked = told(a_company(), YES)
    moved = update(checked, {"tax_id": OTHER}, ask_at=NOON)
    assert moved is not None
    assert isinstance(moved.after, Customer)
    assert (moved.after.tax_id_check, moved.after.due_at) == (None, NOON)
    assert moved.events == (CustomerUpdated(checked.id, ("tax_id",)),)
    gone = update(checked, {"tax_id": ""})
    assert gone is not None
    assert isinstance(gone.after, Customer)
    assert (gone.after.tax_id_check, gone.after.due_at) == (None, None)


def test_another_spelling_is_no_other_tax_id() -> None:
    checked = told(a_company(), YES)
    moved = update(checked, {"tax_id": "de 136 695 976", "name": "Ada"}, ask_at=NOON)
    assert moved is not None
    assert isinstance(moved.after, Customer)
    assert moved.after.tax_id_check == checked.tax_id_check
    assert moved.after.due_at == checked.due_at
    assert normalized(moved.after.tax_id) == ID


def test_a_parked_customer_is_not_asked_about() -> None:
    parked = park(CUSTOMER, a_company(), reason="a defect").after
    assert isinstance(parked, Customer)
    assert parked.due_at is None


def test_a_question_by_hand_is_due_then() -> None:
    change = ask_about_tax_id(a_company(), NOON + DAY)
    assert change is not None
    assert isinstance(change.after, Customer)
    assert change.after.due_at == NOON + DAY
    assert change.events == (TaxIdCheckPlanned(change.after.id, NOON + DAY),)
    assert ask_about_tax_id(a_company(), NOON) is None
    with pytest.raises(ValidationError, match="a customer with a tax id"):
        ask_about_tax_id(a_company(tax_id=""), NOON)
