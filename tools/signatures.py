"""Show in the reference what only exists at run time: methods of nouns, and how to make a class.

`create = Does(subscribing.create)` is a method with the arguments of that function, and a frozen
class is made with its fields. Neither is written anywhere as a `def`, so it is filled in here.
"""

from collections.abc import Iterator
from typing import Any, cast

from griffe import (
    Attribute,
    Class,
    Docstring,
    ExprCall,
    ExprKeyword,
    ExprName,
    ExprSubscript,
    Extension,
    Function,
    Module,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

NAMESPACES = "subscriptions.engine.namespaces"
NOUN = "subscriptions.engine.binding.Namespace"
"""Nobody makes one: `Billing` has them."""

ANSWERS = {"Does": None, "Asks": None, "Lists": "Page"}
"""What `Command[Invoice]` is wrapped in; previews and `async` nouns have the same names."""

EMPTY = {"dict": "{}", "list": "[]", "tuple": "()"}


class Signatures(Extension):
    """Fill in the methods of `billing.<noun>` and the signatures of frozen classes."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:  # noqa: ANN401 - the hook's own signature
        """Go through the whole package once, when all of it is known."""
        for each in classes(pkg):
            if each.module.path.startswith(NAMESPACES):
                fill_methods(each, pkg)
            elif any(
                known.callable_path == "subscriptions.frozen.frozen" for known in each.decorators
            ):
                fill_signature(each, pkg)


def classes(found: Object) -> Iterator[Class]:
    """Iterate over all classes that are written in a module, or in those below it."""
    for member in found.members.values():
        if isinstance(member, Class):
            yield member
        elif isinstance(member, Module):
            yield from classes(member)


def fill_methods(noun: Class, package: Module) -> None:
    """Replace each `name = Does(function)` by a method with the arguments of the function."""
    for name, member in list(noun.members.items()):
        if not isinstance(member, Attribute) or not isinstance(member.value, ExprCall):
            continue
        verb = member.value.function
        if not isinstance(verb, ExprName) or verb.name not in ANSWERS:
            continue
        (given,) = member.value.arguments
        # A noun may have a method that is named like the module, so this is asked of the module.
        home, _, function = str(given).partition(".")
        path = f"{noun.module.resolve(home)}.{function}".removeprefix(f"{package.path}.")
        build = cast("Function", package[path])
        method = Function(
            name,
            parameters=build.parameters,
            returns=answer_of(build.returns, ANSWERS[verb.name]),
            lineno=member.lineno,
            endlineno=member.endlineno,
        )
        if build.docstring is not None:
            method.docstring = Docstring(build.docstring.value, parent=method)
        noun.set_member(name, method)


def answer_of(returned: Any, wrapped: str | None) -> Any:  # noqa: ANN401 - expressions, as griffe has them
    """Return `Invoice` for `Command[Invoice]`, and `Page[Invoice]` where it is a list."""
    if not isinstance(returned, ExprSubscript):
        return returned
    return returned.slice if wrapped is None else ExprSubscript(wrapped, returned.slice)


def fill_signature(made: Class, package: Module) -> None:
    """Give a frozen class the `__init__` that attrs makes of its fields."""
    if made.path == NOUN or not made.members.keys().isdisjoint({"__init__", "__new__"}):
        return
    init = Function(
        "__init__",
        parameters=Parameters(Parameter("self"), *parameters(made, package)),
        lineno=made.lineno,
        endlineno=made.lineno,
    )
    made.set_member("__init__", init)


def parameters(made: Class, package: Module) -> Iterator[Parameter]:
    """Iterate over the arguments that make an instance, those by position first."""
    found = list(fields(made, package))
    for kind in (ParameterKind.positional_or_keyword, ParameterKind.keyword_only):
        yield from (each for each in found if each.kind is kind)


def fields(made: Class, package: Module) -> Iterator[Parameter]:
    """Iterate over the fields that are arguments, with what attrs makes of their options."""
    by_name = any("kw_only=True" in str(each.value) for each in made.decorators)
    for name, member in made.members.items():
        if not isinstance(member, Attribute) or "ClassVar" in str(member.annotation):
            continue
        if member.annotation is None or "property" in member.labels:
            continue
        options = field_options(member)
        if options.get("init") == "False":
            continue
        default = options.get("default")
        if "factory" in options:
            factory = options["factory"]
            default = EMPTY.get(factory.partition("[")[0], f"{factory}()")
        elif member.value is not None and not is_field(member):
            default = str(member.value)
        keyword = by_name or options.get("kw_only") == "True"
        kind = ParameterKind.keyword_only if keyword else ParameterKind.positional_or_keyword
        alias = options.get("alias", "").strip("\"'") or name.lstrip("_")
        annotation = read_by(options.get("converter"), made, package) or member.annotation
        yield Parameter(alias, annotation=annotation, kind=kind, default=default)


def read_by(converter: str | None, made: Class, package: Module) -> Any:  # noqa: ANN401 - as above
    """Return what a converter takes, which is what may be given; None if griffe cannot know."""
    if converter is None or not converter.isidentifier():
        return None
    path = made.module.resolve(converter).removeprefix(f"{package.path}.")
    try:
        function = package[path]
    except KeyError:
        return None
    if not isinstance(function, Function) or not len(function.parameters):
        return None
    return function.parameters[0].annotation


def is_field(member: Attribute) -> bool:
    """Return whether a value is a call of `attrs.field`."""
    return isinstance(member.value, ExprCall) and str(member.value.function) == "field"


def field_options(member: Attribute) -> dict[str, str]:
    """Return what a field was told, as texts of source."""
    if not is_field(member):
        return {}
    call = cast("ExprCall", member.value)
    return {each.name: str(each.value) for each in call.arguments if isinstance(each, ExprKeyword)}
