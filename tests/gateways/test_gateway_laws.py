"""The kit itself: its laws cannot be overridden, and a gap is named or it fails."""

import ast
from inspect import getsourcefile
from pathlib import Path

import pytest

import subscriptions.testing.gateway_laws
import subscriptions.testing.kits
import subscriptions.testing.refund_laws
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.testing import GatewayLaws
from subscriptions.testing.kits import Laws
from subscriptions.testing.refund_laws import refund_of

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
    assert len(GatewayLaws.laws) >= 40
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
    ):
        with pytest.raises(NotImplementedError, match="waive"):
            want()


def test_the_kit_uses_no_private_name_and_no_plugin() -> None:
    # What a kit touches becomes public: an author's adapter need not have it.
    modules = (
        subscriptions.testing.gateway_laws,
        subscriptions.testing.kits,
        subscriptions.testing.refund_laws,
    )
    for module in modules:
        source = Path(getsourcefile(module) or "").read_text(encoding="utf-8")
        names: list[str] = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                names.append(node.attr)
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names += [alias.name.rpartition(".")[2] for alias in node.names]
        private = {name for name in names if name.startswith("_") and not name.endswith("__")}
        assert private == set()
        assert "pytest_plugins" not in source
