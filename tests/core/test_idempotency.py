"""The record of a command is found by its key, in its tenant."""

from __future__ import annotations

from subscriptions.idempotency import COMMAND, command_id
from subscriptions.testing.builders import a_command


def test_a_key_always_names_the_same_record() -> None:
    assert command_id("acme", "sign-up-1") == command_id("acme", "sign-up-1")
    assert a_command("sign-up-1").id == command_id("acme", "sign-up-1")


def test_keys_of_two_tenants_are_two_keys() -> None:
    assert command_id("acme", "key") != command_id("other", "key")
    assert command_id("acme", "key") != command_id("acme", "KEY")


def test_the_key_itself_is_not_stored() -> None:
    # A host may make it from an address; the digest holds nothing of a person.
    assert "ada@example.com" not in str(a_command("ada@example.com"))
    assert COMMAND.columns == ()
