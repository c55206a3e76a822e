"""The public names: declared once, documented, easy to call."""

import ast
import inspect
import pydoc
import re
from pathlib import Path

import pytest

import toolkit

STUB = Path(toolkit.__file__).with_suffix(".pyi")
NAMESPACES = (toolkit, toolkit.dataset, toolkit.metrics, toolkit.plot)
FUNCTIONS = {
    f"{home.__name__}.{name}": getattr(home, name)
    for home in NAMESPACES
    for name in home.__all__
    if inspect.isfunction(getattr(home, name))
}


def test_the_stub_names_what_the_package_offers():
    names = set()
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    assert names == set(toolkit.__all__)


def test_every_public_name_can_be_had():
    for name in toolkit.__all__:
        assert getattr(toolkit, name) is not None
    assert set(toolkit.__all__) <= set(dir(toolkit))


def test_help_begins_with_the_names_by_purpose():
    """Each public name once, with the first line of its own docstring."""
    listed = re.findall(
        r"^    (\w+) +(.*)$", toolkit.__doc__.split("::\n", 1)[1], flags=re.MULTILINE
    )
    assert sorted(name for name, _ in listed) == sorted({*toolkit.__all__} - {"__version__"})
    for name, line in listed:
        assert line == inspect.getdoc(getattr(toolkit, name)).splitlines()[0], name
    page = pydoc.render_doc(toolkit, renderer=pydoc.plaintext)
    first = max(page.index(f"    {name} ") for name, _ in listed)
    assert first < page.index("\nPACKAGE CONTENTS") < page.index("\nCLASSES")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        toolkit.nonsense  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_documented_and_easy_to_call(name):
    function = FUNCTIONS[name]
    doc = inspect.getdoc(function)
    has_parameters = bool(inspect.signature(function).parameters)
    for section in ["Parameters\n"] * has_parameters + ["Returns\n", "Examples\n"]:
        assert section in doc, f"{name} lacks {section.strip()}"
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 3
    for parameter in parameters:
        assert parameter.name in doc, f"{name} does not describe {parameter.name}"
        assert parameter.annotation is not parameter.empty, f"{name}: {parameter.name}"
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty


def test_every_error_is_a_toolkit_error():
    for name, value in vars(toolkit.errors).items():
        if inspect.isclass(value) and value.__module__ == "toolkit.errors":
            assert issubclass(value, toolkit.ToolkitError | Warning), name
            assert name in toolkit.errors.__all__


@pytest.mark.parametrize("home", NAMESPACES, ids=lambda home: home.__name__)
def test_completion_offers_public_names_alone(home):
    assert dir(home) == sorted(home.__all__)
