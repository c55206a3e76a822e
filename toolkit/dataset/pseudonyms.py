"""Leave texts out of tables, and give tokens pseudonyms by a key: `without_texts`.

A pseudonym is a keyed hash. Without the key nobody can find the token of a pseudonym by trying
those of a vocabulary, which takes a second with a plain hash.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toolkit import arrow, schema
from toolkit.tables import LogprobTables

_DIGEST = 8  # bytes: two of a million different tokens have the same once in 30 million exports
_ROUNDS = 4
_HALF = 1 << 16
_TEXTS = {"responses": ("error",), "choices": (*schema.ANSWER_CHANNELS, "tool_calls")}
_NULLS = {"responses": ("kept",), "rejects": ("path",)}


def new_key() -> str:
    """Return a random key, in hexadecimal digits."""
    return secrets.token_hex(32)


def without_texts(lp: LogprobTables, key: str) -> LogprobTables:
    """Return tables without what people and models wrote.

    Texts are empty where there was one. Equal tokens have equal pseudonyms, and different ones
    different pseudonyms, so that whatever compares tokens finds the same.

    Parameters
    ----------
    lp : LogprobTables
    key : str
        Hexadecimal digits.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": token, "logprob": -0.5} for token in ("no", " no", "no")]
    >>> choice = {"message": {"content": "no nono"}, "logprobs": {"content": entries}}
    >>> lp = without_texts(toolkit.from_responses({"choices": [choice]}), "c0ffee")
    >>> first, second, third = lp.tokens["token"].to_pylist()
    >>> first == third, first == second, lp.choices["content"].to_pylist()
    (True, False, [''])
    """
    tables = {name: lp[name] for name in LogprobTables.__slots__}
    for name, columns in _TEXTS.items():
        for column in columns:
            tables[name] = _with(tables[name], name, column, _emptied(tables[name][column]))
    for name, columns in _NULLS.items():
        for column in columns:
            kind = tables[name][column].type
            tables[name] = _with(tables[name], name, column, pa.nulls(len(tables[name]), kind))
    for name in ("tokens", "alternatives"):
        tables[name] = _with_pseudonyms(tables[name], name, bytes.fromhex(key))
    tables["responses"] = _noted(tables["responses"])
    reasons = tables["rejects"]["reason"].to_pylist()  # a message may quote a name or a number
    messages = pa.array([schema.REASONS[reason] for reason in reasons], schema.TEXT)
    tables["rejects"] = _with(tables["rejects"], "rejects", "message", messages)
    return LogprobTables(**tables)


def _with(table: pa.Table, name: str, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    field = getattr(schema, name.upper())[column].field
    return table.set_column(table.column_names.index(column), field, values)


def _emptied(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(texts.is_valid(), pa.scalar("", texts.type), pa.scalar(None, texts.type))


def _noted(responses: pa.Table) -> pa.Table:
    """Add the note that says so to every response."""
    notes = responses["notes"].combine_chunks()
    lengths = pc.list_value_length(notes).to_numpy(zero_copy_only=False).astype(np.int64)
    codes = np.insert(
        notes.flatten().to_numpy(zero_copy_only=False).astype(object),
        np.cumsum(lengths),
        schema.TEXTS_LEFT_OUT,
    )
    bounds = pa.array(arrow.offsets(lengths + 1), pa.int32())
    kind = schema.RESPONSES["notes"].type
    added = pa.ListArray.from_arrays(bounds, pa.array(codes, kind.value_type), type=kind)
    return _with(responses, "responses", "notes", added)


def _with_pseudonyms(table: pa.Table, name: str, key: bytes) -> pa.Table:
    """Return tokens or alternatives with pseudonyms as texts and ids, and without bytes."""
    written = pc.coalesce(table["bytes"], table["token"].cast(schema.BINARY)).combine_chunks()
    coded = written.dictionary_encode()
    names = pa.array([_pseudonym(raw, key) for raw in coded.dictionary.to_pylist()], schema.TEXT)
    ids = table["token_id"]
    values = pc.fill_null(ids, 0).to_numpy().astype(np.int32)
    renamed = pa.array(_permuted(values, key), mask=~arrow.valid(table, "token_id"))
    table = _with(table, name, "token", names.take(coded.indices))
    table = _with(table, name, "bytes", pa.nulls(len(table), schema.BINARY))
    return _with(table, name, "token_id", renamed)


def _pseudonym(raw: bytes, key: bytes) -> str:
    """Return a text that says by U+FFFD that the bytes of the token are unknown."""
    return "\ufffd" + hashlib.blake2b(raw, digest_size=_DIGEST, key=key).hexdigest()


@lru_cache(maxsize=1)
def _round_functions(key: bytes) -> NDArray[np.uint16]:
    drawn = hashlib.shake_256(key).digest(_ROUNDS * _HALF * 2)
    return np.frombuffer(drawn, "<u2").reshape(_ROUNDS, _HALF)


def _permuted(ids: NDArray[np.int32], key: bytes) -> NDArray[np.int32]:
    """Return ids of tokens as other ids of the same sign, different ones for different ids.

    A Feistel network of four rounds permutes the numbers of 32 bits. It is repeated until 31 bits
    hold the result, so that it permutes those of 31 bits too.
    """
    found = np.where(ids < 0, ~ids, ids).astype(np.uint32)
    todo = np.arange(len(ids))
    while len(todo):
        left, right = found[todo] >> 16, found[todo] & (_HALF - 1)
        for function in _round_functions(key):
            left, right = right, left ^ function[right]
        found[todo] = (left << 16) | right
        todo = todo[found[todo] >> 31 > 0]
    numbers = found.astype(np.int32)
    return np.where(ids < 0, ~numbers, numbers)
