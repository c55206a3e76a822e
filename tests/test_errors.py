"""Errors and warnings: their tree, and that they cross from one process to another."""

import builtins
import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import errors

BAD = b'{"choices": 7}\n'


def _all_errors():
    """Return every class of error and warning that is part of the tree, wherever it is defined."""
    for module in pkgutil.walk_packages(toolkit.__path__, "toolkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting, found = [errors.ToolkitError, errors.ToolkitWarning], []
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return found


ERRORS = _all_errors()
ATTRIBUTES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.none() | st.integers() | st.text() | st.lists(st.text()),
    max_size=3,
)


def made(kind, message, args):
    """Return an error, made with arguments that fit the kind."""
    if kind is not errors.RecordError:
        return kind(message, *args)
    return kind(message, source="a:b", line=3, byte_offset=7, reason="not_json", path=None)


def test_the_tree_is_found():
    assert {vars(errors)[name] for name in errors.__all__} < set(ERRORS)


@pytest.mark.parametrize("kind", ERRORS)
@given(message=st.text(), args=st.lists(st.integers() | st.text(), max_size=4), more=ATTRIBUTES)
def test_an_error_survives_pickling_and_copying(kind, message, args, more):
    error = made(kind, message, args)
    error.__dict__.update(more)
    error.add_note("a note")
    copies = [pickle.loads(pickle.dumps(error, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for found in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(found) is kind
        assert (str(found), found.args) == (str(error), error.args)
        assert vars(found) == vars(error)


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_is_a_built_in_one_too(kind):
    assert any(inspect.getmodule(base) is builtins for base in kind.__mro__[1:-2])


def test_the_rejects_of_an_error_cross_too():
    with pytest.raises(errors.NoRecordsError) as caught:
        toolkit.read(BAD)
    found = pickle.loads(pickle.dumps(caught.value))
    assert found.tables.rejects.equals(caught.value.tables.rejects)
    assert found.tables.rejects.num_rows == 1


def _read(data):
    return len(toolkit.read(data, on_error="raise"))


def test_a_process_pool_passes_the_error_on():
    """An error that cannot be unpickled ends the thread that waits for it: the pool hangs."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.map_async(_read, [BAD])
        with pytest.raises(errors.RecordError, match="no_choices") as caught:
            result.get(timeout=60)
    assert (caught.value.source, caught.value.line) == ("<bytes>", 1)
    assert (caught.value.reason, caught.value.path) == ("no_choices", "$.choices")
