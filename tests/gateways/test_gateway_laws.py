"""The kit itself: its laws cannot be overridden, and a gap is named or it fails."""

import ast
from datetime import timedelta
from inspect import getsourcefile
from pathlib import Path

import pytest

import subscriptions.testing.gateway_laws
import subscriptions.testing.kits
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.testing import GatewayLaws
from subscriptions.testing.gateway_laws.authorizing import AuthorizationLaws
from subscriptions.testing.gateway_laws.disputes import DisputeLaws
from subscriptions.testing.gateway_laws.refunds import RefundLaws, refund_of
from subscriptions.testing.kits import Laws

LAW = "test_a_charge_succeeds_and_is_listed_once"


def make(*bases: type, **members: object) -> type[GatewayLaws]:
    made = type("TestMine", bases or (GatewayLaws,), members)
    assert issubclass(made, GatewayLaws)
    return made


def passes(self: object) -> None:
    """Pass, whatever the gateway does."""


def marks_of(kit: type[GatewayLaws], name: str) -> list[pytest.Mark]:
    return list(getattr(getattr(kit, name), "pytestmark", []))


def test_the_kit_is_not_collected_and_what_inherits_it_is() -> None:
    assert Laws.__test__ is False
    assert GatewayLaws.__test__ is False
    assert make().__test__ is True
    assert make(__test__=False).__test__ is False


def test_there_are_laws_and_each_says_why() -> None:
    assert len(GatewayLaws.laws) >= 90
    for law in GatewayLaws.laws.values():
        assert law.__doc__


def test_a_law_cannot_be_overridden() -> None:
    with pytest.raises(TypeError, match=LAW):
        make(**{LAW: passes})


def test_a_law_cannot_be_overridden_by_another_base() -> None:
    with pytest.raises(TypeError, match=LAW):
        make(type("Other", (), {LAW: passes}), GatewayLaws)


def test_a_law_cannot_be_overridden_by_none() -> None:
    with pytest.raises(TypeError, match=LAW):
        make(**{LAW: None})


def test_a_law_cannot_be_overridden_further_down() -> None:
    with pytest.raises(TypeError, match=LAW):
        make(make(), **{LAW: passes})


class ChargesOnly(FakeGateway):
    refund = None  # type: ignore[assignment]  # it cannot
    authorize = None  # type: ignore[assignment]  # nor this
    list_disputes_since = None  # type: ignore[assignment]  # nor this


def test_which_laws_apply_is_what_the_gateway_says_of_itself() -> None:
    everything = {*GatewayLaws.applicable(FakeGateway())}
    assert everything < {*GatewayLaws.laws}
    plain = {*GatewayLaws.applicable(ChargesOnly())}
    assert plain < everything
    assert {*RefundLaws.needs} & everything == {*RefundLaws.needs}
    assert not {*RefundLaws.needs} & plain
    assert not {*AuthorizationLaws.needs} & plain
    assert not {*DisputeLaws.needs} & plain
    sent = {*GatewayLaws.applicable(BankTransfer())}
    assert sent & plain == {*GatewayLaws.laws} - {*GatewayLaws.needs}
    assert GatewayLaws.missed(LAW, BankTransfer()) == (
        "not applicable: the customer sends the money, and nothing is charged"
    )
    assert GatewayLaws.missed(LAW, ChargesOnly()) is None


def test_each_law_of_a_topic_needs_what_its_topic_needs_and_more_if_it_says_so() -> None:
    part = "test_a_part_of_what_is_held_can_be_captured"
    assert len(GatewayLaws.needs[part]) == 2
    whole = FakeGateway(partial_capture=False)
    assert GatewayLaws.missed(part, whole) == (
        "not applicable: the gateway captures all or nothing"
    )
    assert GatewayLaws.missed("test_all_that_is_held_can_be_captured", whole) is None


def test_an_author_who_miscounts_is_told_the_number() -> None:
    kit = make(applied=1)()
    law = "test_as_many_laws_apply_as_the_author_says"
    with pytest.raises(AssertionError, match=r"say applied = \d+"):
        getattr(kit, law)(FakeGateway())


def test_a_waived_law_still_runs_and_must_fail() -> None:
    kit = make(waived={LAW: "not before version 2"})
    (mark,) = marks_of(kit, LAW)
    assert mark.name == "xfail"
    assert mark.kwargs == {"reason": "not before version 2", "strict": True}
    assert marks_of(GatewayLaws, LAW) == []
    with pytest.raises(AssertionError):
        getattr(kit(), LAW)(FakeGateway(), kit().intents(NothingWorks(), LAW))


class NothingWorks(FakeGateway):
    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        del token
        return super().attach("tok_lost_card", customer_ref)


def test_a_waived_law_keeps_its_parameters() -> None:
    name = "test_a_decline_is_an_answer_that_says_why"
    kit = make(waived={name: "the gateway cannot be told to decline"})
    assert {mark.name for mark in marks_of(kit, name)} == {"parametrize", "xfail"}


def test_a_waiver_ends_where_it_is_not_repeated() -> None:
    kit = make(make(waived={LAW: "not here"}), waived={})
    assert marks_of(kit, LAW) == []


def test_a_waiver_names_a_law_and_a_reason() -> None:
    with pytest.raises(TypeError, match="test_that_is_none"):
        make(waived={"test_that_is_none": "reason"})
    with pytest.raises(TypeError, match="without a reason"):
        make(waived={LAW: " "})


def test_a_law_fails_for_want_of_what_arranges_it() -> None:
    class Kit(GatewayLaws):
        __test__ = False
        token = "tok_visa"  # noqa: S105 - it opens nothing

    gateway: PaymentGateway = FakeGateway()
    kit = Kit()
    intent = kit.intents(gateway, "law")()
    for want in (
        lambda: kit.decline(gateway, hard=True),
        lambda: kit.time_out(gateway, executed=True),
        lambda: kit.refuse_connection(gateway),
        lambda: kit.process(gateway),
        lambda: kit.settle(gateway, intent, succeed=True),
        lambda: kit.require_action(gateway),
        lambda: kit.act(gateway, intent, succeed=True),
        lambda: kit.webhook(gateway, intent),
        lambda: kit.fail_refund(gateway),
        lambda: kit.time_out_refund(gateway, executed=True),
        lambda: kit.refuse_refund_connection(gateway),
        lambda: kit.pend_refund(gateway),
        lambda: kit.settle_refund(gateway, refund_of(intent), succeed=True),
        lambda: kit.refund_event(gateway, refund_of(intent)),
        lambda: kit.pass_time(gateway, timedelta(days=1)),
        lambda: kit.time_out_capture(gateway, executed=True),
        lambda: kit.refuse_capture_connection(gateway),
        lambda: kit.open_dispute(gateway, intent),
        lambda: kit.close_dispute(gateway, intent, won=True),
        lambda: kit.dispute_event(gateway, intent),
    ):
        with pytest.raises(NotImplementedError, match="waive"):
            want()


def test_the_kit_uses_no_private_name_and_no_plugin() -> None:
    # What a kit touches becomes public: an author's adapter need not have it.
    kits = Path(getsourcefile(subscriptions.testing.kits) or "")
    topics = Path(getsourcefile(subscriptions.testing.gateway_laws) or "").parent
    for path in (kits, *topics.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        names: list[str] = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                names.append(node.attr)
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names += [alias.name.rpartition(".")[2] for alias in node.names]
        private = {name for name in names if name.startswith("_") and not name.endswith("__")}
        assert private == set()
        assert "pytest_plugins" not in source
