"""Ids are derived from business identity: the same for ever, and never the same by accident."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.ids import derived_id, gateway_key

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)
parts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
identities = st.lists(parts, min_size=1, max_size=4)


def test_a_derived_id_is_the_same_for_ever() -> None:
    # Stored ids and keys at gateways depend on it: this value may never change.
    expected = "inv_95102efdee8b64aa4885d0683c94e976"
    assert derived_id("inv", "acme", "sub_1", "2027-01-31") == expected


def test_a_gateway_key_is_the_same_for_ever() -> None:
    assert gateway_key("acme", "charge", "pay_1") == (
        "v1:dFgczWna_tt1SAAk_OfiEVSGqecbilDCzlmPANvA6cs"
    )


@quick
@given(first=identities, second=identities)
def test_identities_that_differ_have_ids_that_differ(first: list[str], second: list[str]) -> None:
    same = first == second
    assert (derived_id("x", *first) == derived_id("x", *second)) is same
    assert (gateway_key(*first) == gateway_key(*second)) is same


def test_parts_that_run_together_are_told_apart() -> None:
    cuts = [("abc",), ("ab", "c"), ("a", "bc"), ("a", "b", "c"), ("abc", ""), ("", "abc")]
    for cut, other in pairwise([derived_id("x", *cut) for cut in cuts]):
        assert cut != other


def test_a_part_that_holds_the_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="separator"):
        derived_id("x", "a\x1fb", "c")
    with pytest.raises(ValueError, match="separator"):
        gateway_key("a", "b\x1f")


@quick
@given(identity=identities)
def test_a_gateway_key_is_short_ascii(identity: list[str]) -> None:
    key = gateway_key(*identity)
    assert key.isascii()
    assert key.isprintable()
    assert len(key) <= 64


def test_the_prefix_says_what_kind_of_id_it_is() -> None:
    assert derived_id("pay", "a").split("_")[0] == "pay"
    assert derived_id("pay", "a").removeprefix("pay") == derived_id("inv", "a").removeprefix("inv")
