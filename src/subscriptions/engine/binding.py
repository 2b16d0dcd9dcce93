"""How a use case becomes a method: one small descriptor for each kind of request and each driver.

`create = Does(customers.create)` is a method with the arguments of `customers.create`; what that
returns is a request, and the method returns its answer. `AsyncDoes` returns an awaitable of it.
Type checkers see the arguments and the answer.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import wraps
from types import FunctionType
from typing import ClassVar, Generic, ParamSpec, TypeVar, cast

from attrs import evolve, field

from subscriptions.engine.core import Engine
from subscriptions.engine.plans import Plan
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.engine.requests import requested
from subscriptions.frozen import frozen
from subscriptions.records import Record
from subscriptions.usecases.flows import Command, Listing, Question

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Record)


@frozen
class Namespace:
    """The methods of one noun."""

    engine: Engine = field(repr=False)


@frozen
class Page(Generic[R]):
    """One page of a list: its items, how many there are in all, the cursor of the next page.

    Iterating goes on over all further pages, each read when it is reached.
    """

    items: tuple[R, ...]
    total: int | None
    next_cursor: str | None
    _next: Callable[[str], Page[R]] = field(repr=False)

    def __iter__(self) -> Iterator[R]:
        page = self
        while True:
            yield from page.items
            if page.next_cursor is None:
                return
            page = page._next(page.next_cursor)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> R:
        return self.items[place]


@frozen
class AsyncPage(Generic[R]):
    """A page whose `async for` goes on over all further pages, each read when it is reached."""

    items: tuple[R, ...]
    total: int | None
    next_cursor: str | None
    _next: Callable[[str], Awaitable[AsyncPage[R]]] = field(repr=False)

    async def __aiter__(self) -> AsyncIterator[R]:
        page = self
        while True:
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            page = await page._next(page.next_cursor)


class Verb:
    """What `help()` shows of a method: the noun's own name for it, and what it returns."""

    answer: ClassVar[str] = r"\2"
    """What becomes of the request of a use case, as in `Command[Invoice]`."""

    face: Callable[..., object]

    def __set_name__(self, noun: type, name: str) -> None:
        build = cast("FunctionType", vars(self)["_build"])
        code, names = build.__code__, build.__globals__
        face = FunctionType(code, names, name, build.__defaults__, build.__closure__)
        face.__kwdefaults__ = build.__kwdefaults__
        face.__doc__, face.__module__ = build.__doc__, build.__module__
        face.__qualname__ = f"{noun.__name__}.{name}"
        returned = re.sub(r"^(\w+)\[(.*)\]$", self.answer, build.__annotations__["return"])
        face.__annotations__ = {**build.__annotations__, "return": returned}
        self.face = face


class Does(Verb, Generic[P, R]):
    """A command as a method."""

    def __init__(self, build: Callable[P, Command[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, R]:
        build = self._build

        @wraps(self.face)
        def method(*args: P.args, **kwargs: P.kwargs) -> R:
            command, request = requested(build, *args, **kwargs)
            return run_sync(owner.engine.execute(command, request))

        return method


class Asks(Verb, Generic[P, T]):
    """A question as a method."""

    def __init__(self, build: Callable[P, Question[T]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, T]:
        build = self._build

        @wraps(self.face)
        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            question, _ = requested(build, *args, **kwargs)
            return run_sync(owner.engine.ask(question))

        return method


class Lists(Verb, Generic[P, R]):
    """A listing as a method."""

    answer = r"Page[\2]"

    def __init__(self, build: Callable[P, Listing[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Page[R]]:
        build = self._build

        @wraps(self.face)
        def method(*args: P.args, **kwargs: P.kwargs) -> Page[R]:
            listing, _ = requested(build, *args, **kwargs)
            return _page(owner.engine, listing, None)

        return method


class Previews(Verb, Generic[P, R]):
    """A command as a method that decides and does not commit."""

    answer = r"Plan[\2]"

    def __init__(self, build: Callable[P, Command[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Plan[R]]:
        build = self._build

        @wraps(self.face)
        def method(*args: P.args, **kwargs: P.kwargs) -> Plan[R]:
            command, request = requested(build, *args, **kwargs)
            return run_sync(owner.engine.preview(command, request))

        return method


class AsyncDoes(Verb, Generic[P, R]):
    """A command as an asynchronous method."""

    def __init__(self, build: Callable[P, Command[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Awaitable[R]]:
        build = self._build

        @wraps(self.face)
        async def method(*args: P.args, **kwargs: P.kwargs) -> R:
            command, request = requested(build, *args, **kwargs)
            return await run_async(owner.engine.execute(command, request))

        return method


class AsyncPreviews(Verb, Generic[P, R]):
    """A command as an asynchronous method that decides and does not commit."""

    answer = r"Plan[\2]"

    def __init__(self, build: Callable[P, Command[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Awaitable[Plan[R]]]:
        build = self._build

        @wraps(self.face)
        async def method(*args: P.args, **kwargs: P.kwargs) -> Plan[R]:
            command, request = requested(build, *args, **kwargs)
            return await run_async(owner.engine.preview(command, request))

        return method


class AsyncAsks(Verb, Generic[P, T]):
    """A question as an asynchronous method."""

    def __init__(self, build: Callable[P, Question[T]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Awaitable[T]]:
        build = self._build

        @wraps(self.face)
        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            question, _ = requested(build, *args, **kwargs)
            return await run_async(owner.engine.ask(question))

        return method


class AsyncLists(Verb, Generic[P, R]):
    """A listing as an asynchronous method."""

    answer = r"AsyncPage[\2]"

    def __init__(self, build: Callable[P, Listing[R]]) -> None:
        self._build = build

    def __get__(self, owner: Namespace, _: type) -> Callable[P, Awaitable[AsyncPage[R]]]:
        build = self._build

        @wraps(self.face)
        async def method(*args: P.args, **kwargs: P.kwargs) -> AsyncPage[R]:
            listing, _ = requested(build, *args, **kwargs)
            return await _async_page(owner.engine, listing, None)

        return method


# The total is counted for the first page and handed on.
def _page(engine: Engine, listing: Listing[R], total: int | None) -> Page[R]:
    found = run_sync(engine.page(listing, count=total is None))
    known = found.total if total is None else total

    def following(cursor: str) -> Page[R]:
        return _page(engine, evolve(listing, after=cursor), known)

    return Page(found.items, known, found.next_cursor, following)


async def _async_page(engine: Engine, listing: Listing[R], total: int | None) -> AsyncPage[R]:
    found = await run_async(engine.page(listing, count=total is None))
    known = found.total if total is None else total

    async def following(cursor: str) -> AsyncPage[R]:
        return await _async_page(engine, evolve(listing, after=cursor), known)

    return AsyncPage(found.items, known, found.next_cursor, following)
