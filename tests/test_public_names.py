"""The face of the package: which names it has, that each says what it is, and what it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import subscriptions
import subscriptions.testing
from subscriptions.engine import namespaces
from subscriptions.engine.binding import AsyncDoes, Does, Namespace

# Every name here is a promise to hosts: adding one is a decision, removing one breaks somebody.
NAMES = {
    "Address",
    "AsyncBilling",
    "Billing",
    "BillingCycle",
    "CancelSubscription",
    "Conflict",
    "Currency",
    "DomainError",
    "DunningPolicy",
    "Duplicate",
    "EUR",
    "Flat",
    "Graduated",
    "Interval",
    "InvalidTransition",
    "MarkUncollectible",
    "MarkUnpaid",
    "MemoryStorage",
    "Money",
    "NotFound",
    "OneOff",
    "Package",
    "PerUnit",
    "Percentage",
    "Period",
    "Reminder",
    "Reset",
    "Retries",
    "Seller",
    "Series",
    "SqlStorage",
    "StalePlan",
    "StorageError",
    "TaxRate",
    "TaxRates",
    "Tier",
    "UnknownReference",
    "ValidationError",
    "Volume",
    "prorate",
}
TESTING = {"GatewayLaws", "StorageLaws", "TaxIdLaws", "TestClock", "Timeline", "counting_ids"}
NOUNS = {
    "customers": {
        "check_tax_id",
        "create",
        "get",
        "import_",
        "list",
        "record_tax_id_check",
        "hold_collection",
        "release_collection",
        "tag",
        "untag",
        "update",
    },
    "payment_methods": {"attach", "detach", "get", "list", "set_backup", "set_default"},
    "catalog": {
        "add_price",
        "add_product",
        "archive",
        "archive_product",
        "get_migration",
        "get_price",
        "get_product",
        "list",
        "migrate",
        "migrations",
        "new_version",
        "override",
        "products",
        "undo_migration",
        "versions",
    },
    "coupons": {
        "archive",
        "check",
        "code",
        "codes",
        "create",
        "deactivate_code",
        "get",
        "get_code",
        "list",
        "redeem",
        "redemptions",
        "remove",
    },
    "subscriptions": {
        "answer_survey",
        "cancel",
        "cancellation_terms",
        "change",
        "create",
        "end_trial",
        "extend_trial",
        "get",
        "list",
        "pause",
        "preview",
        "reactivate",
        "resume",
        "schedule",
        "set_catch_up",
        "set_collection_method",
        "set_end",
        "set_next_billing",
        "set_payment_method",
        "term_warnings",
        "transfer",
        "undo_cancel",
        "unschedule",
    },
    "entitlements": {"check", "list"},
    "usage": {"add_meter", "list", "meters", "record", "record_many", "summary"},
    "invoices": {
        "add_lines",
        "add_pending_item",
        "create_one_off",
        "explain",
        "finalize",
        "get",
        "get_pro_forma",
        "invoice_pending_items",
        "list",
        "mark_uncollectible",
        "pay",
        "pending_items",
        "pro_forma",
        "pro_forma_text",
        "pro_formas",
        "regenerate",
        "remove_pending_item",
        "send",
        "text",
        "upcoming",
        "verify",
        "void",
    },
    "credit_notes": {"create", "explain", "get", "list", "preview", "text"},
    "balance": {
        "adjust",
        "entries",
        "get_grant",
        "grant",
        "grant_entries",
        "grants",
        "void_grant",
    },
    "payments": {
        "allocate",
        "assign",
        "authorize",
        "bank_lines",
        "capture",
        "close_dispute",
        "close_review",
        "deallocate",
        "dismiss",
        "disputes",
        "get",
        "get_bank_line",
        "get_dispute",
        "get_refund",
        "history",
        "import_statement",
        "list",
        "proposals",
        "put_on_balance",
        "record",
        "record_dispute",
        "record_return",
        "refund",
        "refunds",
        "release",
        "resolve",
        "resolve_refund",
        "review",
        "unallocated",
        "unmatched",
    },
    "dunning": {"hold", "list", "policies", "release", "set_policy", "simulate", "status"},
    "reports": {"audit", "ledger", "mrr", "numbers", "tax"},
    "events": {"list", "subscribe"},
    "webhooks": {"get", "list", "prune", "receive", "replay"},
    "preview": {"credit_notes", "invoices", "subscriptions"},
}
PREVIEWS = {"credit_notes", "invoices", "preview", "subscriptions"}  # nouns themselves


def test_the_names_of_the_root_are_these() -> None:
    assert set(subscriptions.__all__) == NAMES
    assert len(NAMES) <= 40, "what a host types in its first week"
    assert len(subscriptions.__all__) == len(NAMES)


def test_the_names_of_testing_are_these() -> None:
    assert set(subscriptions.testing.__all__) == TESTING


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(subscriptions, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    assert name in dir(subscriptions)
    if inspect.isclass(value):
        for attribute, member in vars(value).items():
            if not attribute.startswith("_") and callable(member):
                assert inspect.getdoc(member), f"{name}.{attribute} has no docstring"


@pytest.mark.parametrize("name", sorted(TESTING))
def test_a_name_for_tests_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(subscriptions.testing, name))


def test_an_unknown_name_is_named() -> None:
    for module in (subscriptions, subscriptions.testing):
        with pytest.raises(AttributeError, match="Unicorn"):
            getattr(module, "Unicorn")  # noqa: B009 - a type checker would refuse the other way


@pytest.mark.parametrize("make", [subscriptions.Billing, subscriptions.AsyncBilling])
def test_a_billing_has_these_nouns_and_verbs_each_with_a_docstring(
    make: type[subscriptions.Billing | subscriptions.AsyncBilling],
) -> None:
    billing = make()
    nouns = {name: each for name, each in vars(billing).items() if isinstance(each, Namespace)}
    assert set(nouns) == set(NOUNS)
    for noun, namespace in nouns.items():
        verbs = {name for name in dir(namespace) if not name.startswith("_")} - {"engine"}
        assert verbs == NOUNS[noun], noun
        for verb in verbs:
            assert inspect.getdoc(getattr(namespace, verb)), f"{noun}.{verb} has no docstring"


@pytest.mark.parametrize("make", [subscriptions.Billing, subscriptions.AsyncBilling])
def test_help_calls_a_verb_as_the_noun_does_and_says_what_it_returns(
    make: type[subscriptions.Billing | subscriptions.AsyncBilling],
) -> None:
    for noun, namespace in vars(make()).items():
        for verb in NOUNS.get(noun, set()) - PREVIEWS:
            method = getattr(namespace, verb)
            assert method.__qualname__ == f"{type(namespace).__name__}.{verb}"
            returned = str(inspect.signature(method).return_annotation)
            assert not returned.startswith(("Command", "Question", "Listing")), (noun, verb)


def test_help_of_a_list_speaks_of_pages_and_of_a_preview_of_plans() -> None:
    sync, other = subscriptions.Billing(), subscriptions.AsyncBilling()
    assert inspect.signature(sync.payments.disputes).return_annotation == "Page[Dispute]"
    assert inspect.signature(other.payments.disputes).return_annotation == "AsyncPage[Dispute]"
    assert inspect.signature(sync.payments.history).return_annotation == "tuple[Attempt, ...]"
    planned = inspect.signature(sync.preview.credit_notes.create)
    assert planned.return_annotation == "Plan[CreditNote]"
    assert "reason" in planned.parameters


def test_both_drivers_have_the_same_nouns_and_verbs() -> None:
    classes = {
        name: each
        for name, each in vars(namespaces).items()
        if inspect.isclass(each) and issubclass(each, Namespace) and each is not Namespace
    }
    for name, each in classes.items():
        if not name.startswith("Async"):
            other = classes[f"Async{name}"]
            assert {n for n in dir(each) if n[0] != "_"} == {n for n in dir(other) if n[0] != "_"}


# What writes nothing, of the verbs that are written by hand; all others are commands.
NO_COMMANDS = {
    "events.subscribe",  # it is of this process
    "invoices.verify",
    "reports.audit",
    "reports.ledger",
    "reports.numbers",
    "reports.tax",
}
# Each needs a reason: a command that comes twice is done twice unless it has something of its own.
WITHOUT = {
    "commit": {"at", "idempotency_key"},  # the preview took both: they are in the plan
    "run": {"at", "idempotency_key"},  # its time is `until`, and a second run finds nothing due
    "sweep": {"idempotency_key"},  # each charge is known by the gateway's own id of it
    "transaction": {"at", "idempotency_key"},  # the commands in it have their own
    "webhooks.receive": {"idempotency_key"},  # each message has the gateway's own id
}


@pytest.mark.parametrize("make", [subscriptions.Billing, subscriptions.AsyncBilling])
def test_every_command_takes_a_time_and_an_idempotency_key(
    make: type[subscriptions.Billing | subscriptions.AsyncBilling],
) -> None:
    billing = make()
    commands = {name: getattr(billing, name) for name in dir(make) if not name.startswith("_")}
    for noun, namespace in vars(billing).items():
        if not isinstance(namespace, Namespace):
            continue
        for verb in NOUNS[noun]:
            made = inspect.getattr_static(type(namespace), verb)
            if isinstance(made, (Does, AsyncDoes)) or inspect.isfunction(made):
                commands[f"{noun}.{verb}"] = getattr(namespace, verb)
    lacking: dict[str, set[str]] = {}
    for name in commands.keys() - NO_COMMANDS:
        taken = inspect.signature(commands[name]).parameters
        for wanted in ("at", "idempotency_key"):
            if wanted not in taken:
                lacking.setdefault(name, set()).add(wanted)
            else:
                assert taken[wanted].kind is inspect.Parameter.KEYWORD_ONLY, name
                assert taken[wanted].default is None, name
    assert lacking == WITHOUT
    assert commands.keys() >= NO_COMMANDS
    assert len(commands) > 80, "the namespaces are looked through"


HEAVY = ("alembic", "asyncio", "babel", "cattrs", "hypothesis", "pytest", "rich", "sqlalchemy")


def _loaded_by(statement: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    code = (
        f"import sys; {statement}; "
        f"print(*sorted({{m.partition('.')[0] for m in sys.modules}} & {set(heavy)!r}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import subscriptions",
        "from subscriptions import Money, Interval, BillingCycle, prorate, Series, TaxRates",
        "import subscriptions.events",
        "import subscriptions.errors",
    ],
)
def test_the_pure_core_loads_none_of_the_heavy_packages(statement: str) -> None:
    assert _loaded_by(statement) == []


def test_a_billing_in_memory_loads_no_database_and_no_test_tools() -> None:
    heavy = ("alembic", "hypothesis", "pytest", "rich", "sqlalchemy")
    assert _loaded_by("from subscriptions import Billing; Billing()", heavy) == []
    assert _loaded_by("from subscriptions.testing import Timeline, TestClock", heavy) == []


@pytest.mark.parametrize("module", ["subscriptions", "subscriptions.testing"])
def test_what_is_imported_by_star_is_what_is_promised(module: str) -> None:
    names = import_module(module).__all__
    loaded = {name: getattr(import_module(module), name) for name in names}
    assert None not in loaded.values()
