"""How the engine itself is written once for synchronous and asynchronous hosts.

The engine's own steps are generators too: they yield calls to ports and get the answers. The
synchronous driver makes the call, the asynchronous one awaits it; nothing else differs.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from inspect import isawaitable
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Call: TypeAlias = Callable[[], Any]
Procedure: TypeAlias = Generator[Call, Any, T]


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Procedure[T]:
    """Ask the driver to call a port; the answer, or its exception, comes back here."""
    answer: T = yield partial(function, *args, **kwargs)
    return answer


def blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Procedure[T]:
    """Ask for a call that may take long, such as a gateway's: it never stops an event loop."""
    answer: T = yield _Blocking(function, *args, **kwargs)
    return answer


class _Blocking(partial[Any]):
    """A call that must not stop an event loop."""


def run_sync(procedure: Procedure[T]) -> T:
    """Carry a procedure out, call by call."""
    try:
        step = next(procedure)
        while True:
            try:
                answer = step()
            except BaseException as error:  # noqa: BLE001 - the procedure must roll back
                step = procedure.throw(error)
            else:
                step = procedure.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def run_async(procedure: Procedure[T]) -> T:
    """Carry a procedure out, awaiting what the ports of an asynchronous host return."""
    try:
        step = next(procedure)
        while True:
            try:
                answer = await to_thread(step) if isinstance(step, _Blocking) else step()
                if isawaitable(answer):
                    answer = await _awaited(answer)
            except BaseException as error:  # noqa: BLE001 - the procedure must roll back
                step = procedure.throw(error)
            else:
                step = procedure.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def _awaited(answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever the port returns
    return await answer
