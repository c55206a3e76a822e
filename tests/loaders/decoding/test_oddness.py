"""Every way in which a record can be odd, and the verdict: rejected with its place, or kept.

Each kind stands between two good records, in JSON lines, as an event, as an element of an array,
and between the chunks of a stream. The good ones must come out as they do alone, and the place that
is told of a reject must be that of exactly its bytes.
"""

import json
import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest

import toolkit
from tests.oracle import assert_conserved, rows_by_response

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")

CANARY = "MyDearCanary"
DROP = "\0"  # leave the key out

# Records, written by hand: dictionaries could not hold what is odd about them.


def obj(**members):
    """Write an object; values are JSON texts."""
    written = (f'"{key}":{value}' for key, value in members.items() if value != DROP)
    return "{" + ",".join(written) + "}"


def alternative(**members):
    return obj(**{"token": '"b"', "logprob": "-0.5", "bytes": "[98]", **members})


def entry(**members):
    return alternative(**{"top_logprobs": f"[{alternative()}]", **members})


def logprobs(**members):
    return obj(**{"content": f"[{entry()}]", "refusal": "null", **members})


def message(**members):
    return obj(**{"role": '"assistant"', "content": f'"{CANARY}"', "refusal": "null", **members})


def choice(**members):
    members = {"message": message(), "logprobs": logprobs(), **members}
    return obj(**{"index": "0", "finish_reason": '"stop"', **members})


USAGE = '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}'


def body(**members):
    members = {"choices": f"[{choice()}]", "usage": USAGE, **members}
    return obj(**{"id": '"odd"', "created": "1700000000", "model": '"m"', **members})


def with_choice(**members):
    return body(choices=f"[{choice(**members)}]")


def with_message(**members):
    return with_choice(message=message(**members))


def with_logprobs(**members):
    return with_choice(logprobs=logprobs(**members))


def with_entry(**members):
    return with_logprobs(content=f"[{entry(**members)}]")


def with_alternative(**members):
    return with_entry(top_logprobs=f"[{alternative(**members)}]")


def batch(**members):
    line = {"id": '"b"', "custom_id": '"c"', "response": batch_response(), "error": "null"}
    return obj(**line | members)


def batch_response(**members):
    return obj(**{"status_code": "200", "request_id": '"r"', "body": body(), **members})


def good(name):
    token = f'{{"token":"{name}","logprob":-0.25,"bytes":[103],"top_logprobs":[]}}'
    return body(
        id=f'"{name}"',
        choices=f"[{choice(logprobs=logprobs(content=f'[{token},{token}]'))}]",
    ).encode()


# Kinds


@dataclass(frozen=True)
class Kind:
    """A bad record with what is to become of each JSON value in it.

    Attributes
    ----------
    raw : bytes
    rejected : (reason, path), or None if it is kept
    notes : codes of the response, if it is kept
    columns : what the rows of the response hold, by ``table.column``
    n_responses : responses that come of it
    one_value : False if it is not one balanced JSON value, so that no array can hold it
    """

    name: str
    raw: bytes
    rejected: tuple[str, str | None] | None = None
    notes: tuple[str, ...] = ()
    columns: dict[str, list[Any]] = field(default_factory=dict)
    n_responses: int = 1
    one_value: bool = True


def rejected(name, text, reason, path=None, **options):
    raw = text if isinstance(text, bytes) else text.encode()
    return Kind(name, raw, rejected=(reason, path), **options)


def kept(name, text, *notes, n_responses=1, one_value=True, **columns):
    raw = text if isinstance(text, bytes) else text.encode()
    columns = {key.replace("__", "."): value for key, value in columns.items()}
    return Kind(
        name, raw, notes=notes, columns=columns, n_responses=n_responses, one_value=one_value
    )


def twice(text, key, value='"2"'):
    """Write a key a second time into the outermost object of a text."""
    return f'{text[:-1]},"{key}":{value}}}'


def deep(n, opening="[", closing="]"):
    return opening * n + closing * n


ENTRY = "$.choices[0].logprobs.content[0]"
TOP = f"{ENTRY}.top_logprobs[0]"


def text_kinds():
    """What is no JSON, or no text."""
    for name, raw in {
        "lone continuation": b"\x80",
        "overlong slash": b"\xc0\xaf",
        "overlong NUL": b"\xc0\x80",
        "surrogate as UTF-8": b"\xed\xa0\x80",
        "surrogate pair as UTF-8": b"\xed\xa0\xbd\xed\xb8\x80",
        "cut sequence": b"\xf0\x9f\x98",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "byte 0xff": b"\xff",
        "Latin-1": "é".encode("latin-1"),
    }.items():
        text = body(model='"?"').encode().replace(b"?", raw)
        yield rejected(f"bad UTF-8: {name}", text, "bad_utf8")
    in_key = body(**{"odd?": "1"}).encode().replace(b"odd?", b"odd\xff")
    yield rejected("bad UTF-8 in an unknown key", in_key, "bad_utf8")
    yield rejected("UTF-16", body().encode("utf-16-be"), "bad_json", one_value=False)
    whole = body()
    for share in (0.02, 0.2, 0.5, 0.8, 0.99):
        cut = whole[: int(len(whole) * share)]
        yield rejected(f"truncated at {share}", cut, "truncated", one_value=False)
    yield rejected("truncated by one", whole[:-1], "truncated", one_value=False)
    for name, end in {
        "in an escape": '"mod\\',
        "in a unicode escape": '"mod\\u00',
        "after a minus": "-",
        "after a point": "1.",
        "in an exponent": "1e",
        "in true": "tru",
        "in null": "n",
        "in Infinity": "-Infin",
    }.items():
        text = f'{{"id":"{CANARY}","choices":[],"model":{end}'
        yield rejected(f"truncated {name}", text, "truncated", one_value=False)
    yield rejected("garbage behind", whole + f" {CANARY}", "trailing_garbage", one_value=False)
    yield rejected("brace behind", whole + "}", "trailing_garbage", one_value=False)
    yield rejected("comma behind", whole + ",", "trailing_garbage", one_value=False)
    yield rejected("NUL behind", whole + "\0", "trailing_garbage", one_value=False)
    yield rejected("trailing comma", whole[:-1] + ",}", "not_json")
    yield rejected("trailing comma in an array", body(choices=f"[{choice()},]"), "not_json")
    yield rejected("single quotes", whole.replace('"', "'"), "not_json", one_value=False)
    yield rejected("Python literals", body(model="None"), "not_json")
    yield rejected("comment", body(model='/* no */ "m"'), "not_json")
    yield rejected("unquoted key", "{id: 1, choices: []}", "not_json")
    yield rejected("missing comma", whole.replace(',"model"', ' "model"'), "not_json")
    yield rejected("missing colon", whole.replace('"model":', '"model" '), "not_json")
    yield rejected("leading zero", with_entry(logprob="-01"), "not_json")
    yield rejected("plus sign", with_entry(logprob="+1"), "not_json")
    yield rejected("hexadecimal", with_entry(logprob="0x1"), "not_json")
    yield rejected("bare point", with_entry(logprob="-.5"), "not_json")
    yield rejected("bad escape", body(model=r'"\x41"'), "not_json")
    yield rejected("bad unicode escape", body(model=r'"\u12zz"'), "not_json")
    yield rejected("raw control character", body(model='"\x01"'), "not_json")
    yield rejected("raw tab in a string", body(model='"\t"'), "not_json")
    yield rejected("raw NUL in a string", body(model='"\0"'), "not_json")
    yield rejected("words", f"{CANARY} is no JSON", "not_json", one_value=False)
    five_thousand = "1" * 5000
    text = f'{{"x":{five_thousand},bad}}'
    yield rejected("broken after an integer of 5,000 digits", text, "not_json")


def shape_kinds():
    """What is JSON, but no response."""
    for name, text in {
        "null": "null",
        "true": "true",
        "number": "17",
        "string": f'"{CANARY}"',
    }.items():
        yield rejected(f"scalar {name}", text, "not_an_object", "$")
    yield rejected("empty object", "{}", "no_choices", "$.choices")
    yield rejected("unknown object", '{"a":1}', "unknown_format", "$")
    for name, value in {
        "null": "null",
        "object": obj(a="1"),
        "string": f'"{CANARY}"',
        "number": "1",
        "true": "true",
    }.items():
        yield rejected(f"choices {name}", body(choices=value), "no_choices", "$.choices")
    yield rejected("choices missing", body(choices=DROP), "no_choices", "$.choices")
    for name, value in {"null": "null", "array": "[]", "string": f'"{CANARY}"'}.items():
        yield rejected(
            f"choice {name}",
            body(choices=f"[{choice()},{value}]"),
            "choice_not_object",
            "$.choices[1]",
        )
    for name, value in {"null": "null", "string": f'"{CANARY}"', "array": "[]"}.items():
        yield rejected(
            f"content entry {name}",
            with_logprobs(content=f"[{entry()},{value}]"),
            "entry_not_object",
            "$.choices[0].logprobs.content[1]",
        )
        yield rejected(
            f"alternative {name}",
            with_entry(top_logprobs=f"[{alternative()},{value}]"),
            "entry_not_object",
            f"{ENTRY}.top_logprobs[1]",
        )
    for name, value in {"number": "5", "null": "null", "missing": DROP, "array": "[]"}.items():
        reason = "token_not_string"
        yield rejected(f"token {name}", with_entry(token=value), reason, f"{ENTRY}.token")
        yield rejected(
            f"token {name} in an alternative", with_alternative(token=value), reason, f"{TOP}.token"
        )
    refusal = with_logprobs(refusal=f"[{entry(token='5')}]")
    path = "$.choices[0].logprobs.refusal[0].token"
    yield rejected("token number in refusal", refusal, "token_not_string", path)
    for name, value in {
        "string": '"-0.5"',
        "words": f'"{CANARY}"',
        "bool": "true",
        "list": "[]",
        "object": "{}",
    }.items():
        reason = "logprob_not_number"
        yield rejected(f"logprob {name}", with_entry(logprob=value), reason, f"{ENTRY}.logprob")
        yield rejected(
            f"logprob {name} in an alternative",
            with_alternative(logprob=value),
            reason,
            f"{TOP}.logprob",
        )
    camel_top = with_entry(top_logprobs=DROP, topLogprobs=f"[{alternative(token='1')}]")
    path = f"{ENTRY}.topLogprobs[0].token"
    yield rejected("path in camelCase", camel_top, "token_not_string", path)


def depth_kinds():
    for n in (65, 100_000, 1_000_000):
        for name, pair in {"arrays": ("[", "]"), "objects": ('{"a":', "}")}.items():
            value = deep(n, *pair) if name == "arrays" else pair[0] * n + "1" + pair[1] * n
            yield rejected(f"{n:,} {name} deep", body(unknown=value), "too_deep")
    yield rejected("65 deep", body(unknown=deep(64)), "too_deep")
    yield kept("64 deep", body(unknown=deep(63)))
    yield kept("deep in a string", body(unknown='"' + "[" * 100_000 + '"'))
    yield kept("deep behind an escaped quote", body(unknown='"\\"' + "[" * 1000 + '"'))
    yield rejected("deep and never closed", body(unknown="[" * 1000), "too_deep", one_value=False)
    alone = deep(100_000)
    yield rejected("nothing but depth", alone, "too_deep")


def duplicate_kinds():
    for name, text, key, path in (
        ("body", twice(body(), "choices", "[]"), "choices", "$"),
        ("body (model)", twice(body(), "model"), "model", "$"),
        ("body (id)", twice(body(), "id"), "id", "$"),
        (
            "body (camelCase)",
            twice(twice(body(), "serviceTier"), "serviceTier"),
            "serviceTier",
            "$",
        ),
        (
            "choice",
            body(choices=f"[{twice(choice(), 'index', '1')}]"),
            "index",
            "$.choices[0]",
        ),
        (
            "message",
            with_choice(message=twice(message(), "content")),
            "content",
            "$.choices[0].message",
        ),
        (
            "delta",
            with_choice(message=DROP, delta=twice(message(), "role")),
            "role",
            "$.choices[0].delta",
        ),
        (
            "logprobs",
            with_choice(logprobs=twice(logprobs(), "content", "[]")),
            "content",
            "$.choices[0].logprobs",
        ),
        (
            "entry",
            with_logprobs(content=f"[{twice(entry(), 'logprob', '-1')}]"),
            "logprob",
            ENTRY,
        ),
        (
            "entry (equal values)",
            with_logprobs(content=f"[{twice(entry(), 'bytes', '[98]')}]"),
            "bytes",
            ENTRY,
        ),
        (
            "alternative",
            with_entry(top_logprobs=f"[{twice(alternative(), 'token')}]"),
            "token",
            TOP,
        ),
        ("usage", body(usage=twice(USAGE, "total_tokens", "8")), "total_tokens", "$.usage"),
        (
            "usage details",
            body(
                usage=obj(prompt_tokens_details='{"cached_tokens":1,"cached_tokens":2}'),
            ),
            "cached_tokens",
            "$.usage.prompt_tokens_details",
        ),
        ("batch line", twice(batch(), "custom_id"), "custom_id", "$"),
        (
            "batch response",
            batch(response=twice(batch_response(), "status_code", "500")),
            "status_code",
            "$.response",
        ),
        (
            "body in a batch line",
            batch(response=batch_response(body=twice(body(), "model"))),
            "model",
            "$.response.body",
        ),
        (
            "content part",
            with_message(content='[{"type":"text","text":"a","text":"b"}]'),
            "text",
            "$.choices[0].message.content[0]",
        ),
        (
            "tool call",
            with_message(tool_calls='[{"id":"a","id":"b","function":{}}]'),
            "id",
            "$.choices[0].message.tool_calls[0]",
        ),
    ):
        at = path if name == "tool call" else f"{path}.{key}"  # there keys are content
        yield rejected(f"duplicate in {name}", text, "duplicate_key", at)
    unknown = '{"x":1,"x":2}'
    yield kept("duplicate unknown key in body", twice(twice(body(), "x"), "x"))
    yield kept("duplicate inside an unknown key", body(unknown=unknown))
    yield kept("duplicate unknown key in entry", with_entry(x="1").replace('"x":1', '"x":1,"x":2'))
    yield kept("duplicate unknown key in usage", body(usage=twice(twice(USAGE, "x"), "x")))
    yield kept("duplicate unknown key in a batch line", twice(twice(batch(), "x"), "x"))


INF = math.inf
NUMBERS = {
    # as written: (logprob, status)
    "-1e400": (-INF, "censored"),
    "1e400": (INF, "invalid"),
    "-1e-400": (-0.0, "ok"),
    "NaN": (None, "missing"),
    '"NaN"': (None, "missing"),
    "Infinity": (INF, "invalid"),
    '"Infinity"': (INF, "invalid"),
    "-Infinity": (-INF, "censored"),
    '"-Infinity"': (-INF, "censored"),
    "null": (None, "missing"),
    DROP: (None, "missing"),
    "0": (0.0, "ok"),
    "-0.0": (-0.0, "ok"),
    "-17": (-17.0, "ok"),
    "-" + "1" * 300: (-float("1" * 300), "censored"),
    "-" + "1" * 400: (-INF, "censored"),
    "1" * 400: (INF, "invalid"),
    "-" + "1" * 5000: (-INF, "censored"),
    "1" * 5000: (INF, "invalid"),
    "-9999.0": (-9999.0, "censored"),
    "-9998": (-9998.0, "censored"),
    "-9997.999": (-9997.999, "ok"),
    "-3.4028234663852886e+38": (-3.4028234663852886e38, "censored"),
    "3.05e-05": (3.05e-05, "ok"),
    "0.001": (0.001, "ok"),
    "0.0010001": (0.0010001, "invalid"),
    "-0." + "3" * 400: (float("-0." + "3" * 400), "ok"),
}


def number_kinds():
    for text, (value, status) in NUMBERS.items():
        name = {DROP: "missing"}.get(
            text, text if len(text) < 30 else f"{text[:4]}.. ({len(text)})"
        )
        yield kept(
            f"logprob {name}",
            with_entry(logprob=text),
            tokens__logprob=[value],
            tokens__status=[status],
            alternatives__status=["ok"],
        )
        yield kept(
            f"logprob {name} in an alternative",
            with_alternative(logprob=text),
            alternatives__logprob=[value],
            alternatives__status=[status],
            alternatives__rank=[None if value is None else 1],
            tokens__sampled_rank=[None if value is None else 1],
            tokens__status=["ok"],
        )


BYTES = {
    # as written: (bytes, is it odd)
    "null": (None, False),
    DROP: (None, False),
    "[]": (b"", False),
    "[98.0]": (b"b", False),
    "[0,255]": (b"\x00\xff", False),
    '"Yg=="': (None, True),
    "{}": (None, True),
    "98": (None, True),
    "[-1]": (None, True),
    "[256]": (None, True),
    "[98.5]": (None, True),
    "[98,true]": (None, True),
    "[0,false]": (None, True),
    "[98.0,true]": (None, True),
    "[[98]]": (None, True),
    "[null]": (None, True),
    '["98"]': (None, True),
    "[NaN]": (None, True),
    "[1e400]": (None, True),
    "[" + "9" * 5000 + "]": (None, True),
}


def bytes_kinds():
    for text, (value, is_odd) in BYTES.items():
        name = {DROP: "missing"}.get(text, text if len(text) < 30 else f"({len(text)})")
        notes = ["bad_bytes"] if is_odd else []
        yield kept(f"bytes {name}", with_entry(bytes=text), *notes, tokens__bytes=[value])
        yield kept(
            f"bytes {name} in an alternative",
            with_alternative(bytes=text),
            *notes,
            alternatives__bytes=[value],
        )
    both = with_entry(bytes=DROP, bytes_="[98]")
    yield kept("bytes_ of the Python SDK", both, tokens__bytes=[b"b"])


def entry_kinds():
    for name, value in {"dict": '{"b":-0.5}', "string": f'"{CANARY}"', "number": "5"}.items():
        yield kept(
            f"top_logprobs {name}",
            with_entry(top_logprobs=value),
            "bad_top_logprobs",
            tokens__n_alternatives=[0],
        )
    for name, value in {"null": "null", "missing": DROP, "empty": "[]"}.items():
        yield kept(
            f"top_logprobs {name}", with_entry(top_logprobs=value), tokens__n_alternatives=[0]
        )
    for name, value in {
        "string": '"5"',
        "2^31": str(2**31),
        "float": "1.5",
        "bool": "true",
    }.items():
        yield kept(
            f"token id {name}", with_entry(id=value), "bad_token_id", tokens__token_id=[None]
        )
    yield kept("token id 7.0", with_entry(token_id="7.0"), tokens__token_id=[7])
    for name, value in {
        "string": f'"{CANARY}"',
        "list": "[]",
        "number": "-0.5",
        "true": "true",
    }.items():
        yield kept(
            f"logprobs {name}",
            with_choice(logprobs=value),
            "bad_logprobs",
            choices__logprobs_state=["absent"],
        )
        if name != "list":
            yield kept(f"logprobs.content {name}", with_logprobs(content=value), "bad_logprobs")
    yield kept(
        "logprobs.content an object",
        with_logprobs(content="{}"),
        "bad_logprobs",
        choices__logprobs_state=["absent"],
    )
    for state, value in {
        "absent": ("null", DROP, "{}", '{"content":null}'),
        "empty": ('{"content":[]}', '{"refusal":[]}'),
    }.items():
        for text in value:
            yield kept(
                f"logprobs {'missing' if text == DROP else text}",
                with_choice(logprobs=text),
                choices__logprobs_state=[state],
                choices__n_content_tokens=[0],
            )
    yield kept(
        "both casings at once",
        with_entry(topLogprobs="[]"),
        tokens__n_alternatives=[1],
    )
    yield kept(
        "one casing null, the other not",
        with_choice(finish_reason="null", finishReason='"length"'),
        choices__finish_reason=["length"],
    )


def choice_kinds():
    for name, value in {
        "fractional": "360.34",
        "string": '"0"',
        "bool": "true",
        "negative": "-1",
        "2^31": str(2**31),
        "huge": "9" * 400,
        "5,000 digits": "9" * 5000,
        "1e400": "1e400",
        "NaN": "NaN",
        "object": "{}",
    }.items():
        yield kept(
            f"index {name}", with_choice(index=value), "non_integer_index", choices__choice=[0]
        )
    yield kept("index 3.0", with_choice(index="3.0"), choices__choice=[3])
    yield kept("index null", with_choice(index="null"), choices__choice=[0])
    yield kept("index missing", with_choice(index=DROP), choices__choice=[0])
    yield kept("index 2^31-1", with_choice(index=str(2**31 - 1)), choices__choice=[2**31 - 1])
    for text, choices in {
        f"[{choice()},{choice()}]": [0, 1],
        f"[{choice(index='1')},{choice(index='0')},{choice(index='1')}]": [0, 1, 2],
    }.items():
        yield kept(
            f"index twice: {choices}",
            body(choices=text),
            "duplicate_index",
            choices__choice=choices,
        )
    top = choice(index=str(2**31 - 1))
    yield kept("highest index twice", body(choices=f"[{top},{top}]"), "duplicate_index")
    odd = f"[{choice(index='1')},{choice(index='0.5')}]"
    both = ("duplicate_index", "non_integer_index")
    yield kept("ordinal that is taken", body(choices=odd), *both)
    for name, value in {"string": f'"{CANARY}"', "array": "[]", "number": "1"}.items():
        yield kept(
            f"message {name}",
            with_choice(message=value),
            "bad_message",
            choices__content=[None],
            choices__n_content_tokens=[1],
        )
    yield kept("message null", with_choice(message="null"), choices__content=[None])
    yield kept("message empty", with_choice(message="{}"), choices__role=[None])
    yield kept("neither message nor delta", with_choice(message=DROP), choices__content=[None])
    yield kept("choices empty", body(choices="[]"), responses__n_choices=[0])
    for key, column in {
        "role": "role",
        "content": "content",
        "refusal": "refusal",
        "reasoning": "reasoning",
        "reasoning_content": "reasoning",
    }.items():
        for name, value in {"number": "5", "object": '{"a":1}', "bool": "true"}.items():
            yield kept(
                f"{key} {name}",
                with_message(**{key: value}),
                f"bad_{column}",
                **{f"choices__{column}": [None]},
            )
    parts = '[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]'
    yield kept("content in parts", with_message(content=parts), choices__content=["ab"])
    yield kept("content of odd parts", with_message(content="[1]"), "bad_content")
    yield kept(
        "content part without text", with_message(content='[{"type":"text"}]'), "bad_content"
    )
    for name, value in {"string": f'"{CANARY}"', "object": "{}", "numbers": "[1]"}.items():
        yield kept(
            f"tool_calls {name}",
            with_message(tool_calls=value),
            "bad_tool_calls",
            choices__tool_calls=[None],
        )
    for name, value in {"number": "1", "array": "[]", "bool": "false"}.items():
        yield kept(
            f"finish_reason {name}",
            with_choice(finish_reason=value),
            "bad_finish_reason",
            choices__finish_reason=[None],
            responses__finished=[False],
        )
    yield kept(
        "finish_reason that is new",
        with_choice(finish_reason='"tired"'),
        choices__finish_reason=["tired"],
    )


def metadata_kinds():
    for key in ("id", "model", "object", "system_fingerprint", "service_tier"):
        column = "response_id" if key == "id" else key
        for name, value in {"number": "5", "array": f'["{CANARY}"]', "bool": "false"}.items():
            yield kept(
                f"{key} {name}",
                body(**{key: value}),
                f"bad_{key}",
                **{f"responses__{column}": [None]},
            )
        yield kept(f"{key} empty", body(**{key: '""'}), **{f"responses__{column}": [None]})
    for name, value in {
        "string": '"1700000000"',
        "negative": "-1",
        "milliseconds": "1700000000000",
        "fractional": "6611.18",
        "huge": "9" * 400,
        "1e400": "1e400",
        "bool": "true",
        "NaN": "NaN",
    }.items():
        yield kept(f"created {name}", body(created=value), "bad_created", responses__created=[None])
    for name, value in {"string": f'"{CANARY}"', "list": "[]", "number": "7"}.items():
        yield kept(f"usage {name}", body(usage=value), "bad_usage", responses__total_tokens=[None])
    for name, value in {
        "negative": "-1",
        "fractional": "764.87",
        "string": '"5"',
        "bool": "true",
        "2^63": str(2**63),
        "1e400": "1e400",
        "NaN": "NaN",
        "object": "{}",
    }.items():
        yield kept(
            f"completion_tokens {name}",
            body(usage=obj(prompt_tokens="5", completion_tokens=value)),
            "bad_usage",
            responses__completion_tokens=[None],
            responses__prompt_tokens=[5],
        )
    for value, n in {"7.0": 7, "0": 0, str(2**63 - 1): 2**63 - 1, "1e3": 1000}.items():
        yield kept(
            f"completion_tokens {value}",
            body(usage=obj(completion_tokens=value)),
            responses__completion_tokens=[n],
        )
    yield kept(
        "usage details of the wrong type",
        body(usage=obj(prompt_tokens="5", prompt_tokens_details='"x"')),
        "bad_usage",
        responses__prompt_tokens=[5],
        responses__cached_tokens=[None],
    )
    yield kept("usage null", body(usage="null"), responses__total_tokens=[None])


ANYTHING = '{"a":[1,{"b":null},"\\u0000",1e999,[[]]],"choices":5,"token":[],"":NaN}'


def unknown_kinds():
    for name, text in {
        "body": body(unknown=ANYTHING),
        "choice": with_choice(unknown=ANYTHING),
        "message": with_message(unknown=ANYTHING),
        "logprobs": with_logprobs(unknown=ANYTHING),
        "entry": with_entry(unknown=ANYTHING),
        "alternative": with_alternative(unknown=ANYTHING),
        "usage": body(usage=obj(prompt_tokens="5", unknown=ANYTHING)),
        "batch line": batch(unknown=ANYTHING),
    }.items():
        yield kept(f"anything under an unknown key of {name}", text, tokens__token=["b"])
    yield kept(
        "both message and delta",
        with_choice(delta=message(content='"d"')),
        choices__n_content_tokens=[1],
    )


def surrogate_kinds():
    for name, escape in {"high": r"\ud800", "low": r"\uDC00", "reversed": r"\udc00\ud800"}.items():
        replaced = "a" + "\ufffd" * (len(escape) // 6) + "b"
        text = f'"a{escape}b"'
        for place, record, column in (
            ("token", with_entry(token=text), "tokens.token"),
            ("alternative", with_alternative(token=text), "alternatives.token"),
            ("content", with_message(content=text), "choices.content"),
            ("model", body(model=text), "responses.model"),
            ("finish_reason", with_choice(finish_reason=text), "choices.finish_reason"),
            ("custom_id", batch(custom_id=text), "responses.custom_id"),
        ):
            yield kept(
                f"half a pair ({name}) in {place}",
                record,
                "lone_surrogate",
                **{column.replace(".", "__"): [replaced]},
            )
        yield kept(f"half a pair ({name}) under an unknown key", body(unknown=text))
        yield kept(
            f"half a pair ({name}) in tool calls",
            with_message(tool_calls=f'[{{"id":{text}}}]'),
            "lone_surrogate",
            choices__tool_calls=[f'[{{"id":"{replaced}"}}]'],
        )
    yield kept(
        "a surrogate pair", with_entry(token=r'"\ud83d\ude00"'), tokens__token=["\U0001f600"]
    )
    yield kept(
        "an escaped backslash before u", with_entry(token=r'"\\ud800"'), tokens__token=[r"\ud800"]
    )
    yield kept("an escaped NUL", with_entry(token=r'"a\u0000b"'), tokens__token=["a\0b"])
    yield kept(
        "escaped control characters",
        with_message(content=r'"\u0001\n"'),
        choices__content=["\x01\n"],
    )
    yield kept(
        "a noncharacter",
        with_entry(token='"\uffff\U0010ffff"'),
        tokens__token=["\uffff\U0010ffff"],
    )


def line_kinds():
    yield kept("two objects on a line", body() + " " + body(), n_responses=2, one_value=False)
    yield kept("three without a gap", body() * 3, n_responses=3, one_value=False)
    yield kept("BOM at the start of a line", b"\xef\xbb\xbf" + body().encode(), one_value=False)
    yield kept("spaces around", f"  {body()} \t ")
    yield kept(
        "spaces inside", json.dumps(json.loads(body()), indent=None, separators=(" , ", " : "))
    )


def batch_kinds():
    error = '{"code":"server_error","message":"no"}'
    yield kept(
        "batch line with an error",
        batch(response="null", error=error),
        responses__custom_id=["c"],
        responses__error=[error],
        responses__n_choices=[0],
    )
    yield kept(
        "batch line with an error and an answer",
        batch(error=error),
        responses__error=[error],
        tokens__token=["b"],
    )
    failed = batch_response(status_code="500", body=obj(error=error))
    yield kept(
        "batch line of status 500",
        batch(response=failed),
        responses__error=[error],
        responses__custom_id=["c"],
    )
    yield kept(
        "batch line of status 500 without a body",
        batch(response='{"status_code":500}'),
        responses__error=['{"status_code":500}'],
    )
    yield kept(
        "batch line of status 200 whose body is an error",
        batch(response=batch_response(body=obj(error=error))),
        responses__error=[error],
    )
    yield kept(
        "batch line with the status as a string",
        batch(response=batch_response(status_code='"200"')),
        "bad_status_code",
        tokens__token=["b"],
    )
    yield kept(
        "batch line without a status",
        batch(response=obj(body=body())),
        tokens__token=["b"],
    )
    for name, value in {"number": "5", "object": "{}"}.items():
        yield kept(
            f"custom_id {name}",
            batch(custom_id=value),
            "bad_custom_id",
            responses__custom_id=[None],
        )
    yield kept("custom_id null", batch(custom_id="null"), responses__custom_id=[None])
    inside = "$.response.body"
    for name, value in {"missing": DROP, "null": "null", "a string": f'"{CANARY}"'}.items():
        yield rejected(
            f"batch body {name}",
            batch(response=batch_response(body=value)),
            "not_an_object",
            inside,
        )
    yield rejected(
        "batch body without choices",
        batch(response=batch_response(body=body(choices=DROP))),
        "no_choices",
        f"{inside}.choices",
    )
    yield rejected(
        "a bad token in a batch line",
        batch(response=batch_response(body=with_entry(token="5"))),
        "token_not_string",
        f"{inside}{ENTRY[1:]}.token",
    )
    yield rejected("batch response null, no error", batch(response="null"), "not_an_object", inside)
    yield rejected(
        "batch response a string", batch(response=f'"{CANARY}"'), "not_an_object", "$.response"
    )
    yield kept("an error body", obj(error=error), responses__error=[error])
    text = '{"error":"out of memory"}'
    yield kept("an error body of text", text, responses__error=["out of memory"])


KINDS = [
    kind
    for group in (
        text_kinds,
        shape_kinds,
        depth_kinds,
        duplicate_kinds,
        number_kinds,
        bytes_kinds,
        entry_kinds,
        choice_kinds,
        metadata_kinds,
        unknown_kinds,
        surrogate_kinds,
        line_kinds,
        batch_kinds,
    )
    for kind in group()
]
REJECTED = [kind for kind in KINDS if kind.rejected]
BALANCED = [kind for kind in KINDS if kind.one_value]


def by_name(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])


def test_the_names_of_kinds_are_unique():
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) > 70


# Containers: the text before, between and after records


CONTAINERS = {
    "jsonl": (b"", b"\n", b"\n"),
    "sse": (b"data: ", b"\n\ndata: ", b"\n\ndata: [DONE]\n\n"),
    "array": (b"[", b",\n ", b"]\n"),
}


def enclose(container, records):
    before, between, after = CONTAINERS[container]
    return before + between.join(records) + after


def without_place(rows):
    """A rank or a note has a place nowhere; ``source``, ``line`` and the like have."""
    return json.dumps(rows, default=str, sort_keys=True)


@pytest.fixture(scope="module")
def alone():
    """What the good records give when nothing stands beside them."""
    return [without_place(rows_by_response(toolkit.read(good(name)))[0]) for name in "ab"]


def assert_rejected(lp, kind, data):
    """One reject, of this reason, at the path and at exactly these bytes."""
    [reject] = lp.rejects.to_pylist()
    reason, path = kind.rejected
    if reason == "bad_json":  # several reasons are true of it
        assert reject["reason"] in ("bad_utf8", "not_json", "trailing_garbage")
    else:
        assert (reject["reason"], reject["path"]) == (reason, path)
    start = reject["byte_offset"]
    found = data[start : start + reject["length"]]
    assert found.strip() == kind.raw.strip()
    assert reject["line"] == data.count(b"\n", 0, start) + 1
    assert reject["record"] == 1
    assert CANARY not in reject["message"]
    assert reject["reason"] in toolkit.schema.REASONS


def assert_kept(lp, kind):
    """As many responses as it should give, with these notes and these values."""
    assert lp.rejects.num_rows == 0
    rows = lp.responses.to_pylist()[1:-1]
    assert len(rows) == kind.n_responses
    assert [row["notes"] for row in rows] == [list(kind.notes)] * kind.n_responses
    assert set(kind.notes) <= set(toolkit.schema.NOTES)
    keys = {row["response_key"] for row in rows}
    for name, expected in kind.columns.items():
        table, column = name.split(".")
        found = [row[column] for row in lp[table].to_pylist() if row["response_key"] in keys]
        assert repr(found) == repr(expected), name


def assert_verdict(kind, container, alone):
    data = enclose(container, [good("a"), kind.raw, good("b")])
    lp = toolkit.read(data)
    assert_conserved(lp)
    rows = rows_by_response(lp)
    assert without_place(rows[0]) == alone[0]
    assert without_place(rows[-1]) == alone[1]
    if kind.rejected:
        assert len(lp) == 2
        assert_rejected(lp, kind, data)
    else:
        assert_kept(lp, kind)


@by_name(KINDS)
def test_as_a_line(kind, alone):
    assert_verdict(kind, "jsonl", alone)


@by_name(KINDS)
def test_as_an_event(kind, alone):
    assert_verdict(kind, "sse", alone)


@by_name(BALANCED)
def test_as_an_element_of_an_array(kind, alone):
    assert_verdict(kind, "array", alone)


@by_name(REJECTED)
def test_in_the_middle_of_a_stream(kind):
    """Its chunks keep all that came; a note says that something may be missing."""
    chunks = [
        obj(id='"s"', choices=f"[{choice(message=DROP, delta=message(), finish_reason=end)}]")
        for end in ("null", '"stop"')
    ]
    first, last = (text.encode() for text in chunks)
    data = enclose("sse", [first, kind.raw, last])
    lp = toolkit.read(data)
    assert_conserved(lp)
    assert_rejected(lp, kind, data)
    [response] = lp.responses.to_pylist()
    assert response["notes"] == ["gap"]
    assert response["n_chunks"] == 2
    assert lp.tokens["token"].to_pylist() == ["b", "b"]
    assert lp.tokens["chunk"].to_pylist() == [0, 1]
    assert lp.text(0) == CANARY * 2


@by_name(REJECTED)
def test_raised(kind, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_bytes(enclose("jsonl", [good("a"), kind.raw, good("b")]))
    with pytest.raises(toolkit.errors.RecordError) as raised:
        toolkit.read(path, on_error="raise")
    error = raised.value
    assert (error.source, error.line) == (str(path), 2)
    reason, json_path = kind.rejected
    if reason != "bad_json":
        assert (error.reason, error.path) == (reason, json_path)
        assert reason in str(error)
    assert error.byte_offset == len(good("a")) + 1
    assert str(error).startswith(f"{path}:2")
    assert json_path is None or json_path in str(error)
    assert CANARY not in str(error)


@by_name([kind for kind in KINDS if kind.rejected is None])
def test_not_raised(kind):
    lp = toolkit.read(enclose("jsonl", [good("a"), kind.raw, good("b")]), on_error="raise")
    assert len(lp) == 2 + kind.n_responses


@by_name(KINDS)
def test_nothing_warns_of_content(kind):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        toolkit.read(enclose("jsonl", [good("a"), kind.raw]))
    assert CANARY not in " ".join(str(warning.message) for warning in caught)
    assert len(caught) == (kind.rejected is not None)


def parsed_elsewhere(kind):
    """Return what another reader makes of a kind; None where it can show nothing of it."""
    if kind.rejected and kind.rejected[0] in ("duplicate_key", "too_deep"):
        return None  # a dict has no key twice, and its depth is not limited
    try:
        value = json.loads(kind.raw.decode())
    except (ValueError, RecursionError):
        return None
    return None if isinstance(value, str) else value  # a str would be JSON text


@by_name([kind for kind in BALANCED if parsed_elsewhere(kind) is not None])
def test_in_memory(kind):
    """The verdict is the same for a record that was parsed elsewhere."""
    parsed = parsed_elsewhere(kind)
    lp = toolkit.from_responses([json.loads(good("a")), parsed, json.loads(good("b"))])
    assert_conserved(lp)
    if kind.rejected:
        assert [(row["reason"], row["path"]) for row in lp.rejects.to_pylist()] == [kind.rejected]
    else:
        assert_kept(lp, kind)


# Cuts


def test_every_cut_of_a_line_is_told():
    """Wherever a writer was stopped: one reject, and it says so."""
    raw = with_message(content=r'"é😀\u00e9\n"', extra="[true,null,-1.5e-3]").encode()
    for stop in range(1, len(raw)):
        lp = toolkit.read(good("a") + b"\n" + raw[:stop])
        assert_conserved(lp)
        assert len(lp) == 1
        [reject] = lp.rejects.to_pylist()
        in_character = raw[stop] & 0xC0 == 0x80
        assert reject["reason"] == ("bad_utf8" if in_character else "truncated"), raw[:stop][-20:]
        assert (reject["line"], reject["length"]) == (2, stop)


def test_the_place_of_a_second_value_on_a_line():
    bad = with_entry(token="5").encode()
    for between in (b"", b" ", b"  \t"):
        line = good("a") + between + bad + between + good("b")
        data = good("c") + b"\n" + line + b"\n"
        lp = toolkit.read(data)
        assert_conserved(lp)
        assert lp.responses["response_id"].to_pylist() == ["c", "a", "b"]
        [reject] = lp.rejects.to_pylist()
        start = reject["byte_offset"]
        assert data[start : start + reject["length"]] == bad
        assert reject["line"] == 2
        for row in lp.responses.to_pylist():
            assert data.startswith(b'{"id"', row["byte_offset"])


@pytest.mark.parametrize("end", [b' {"id":', b" nonsense"])
def test_the_place_of_what_is_broken_behind_a_value(end):
    """A value before it is kept if what follows is another; garbage costs the value before it."""
    data = good("a") + b" " + good("b") + end + b"\n" + good("c")
    lp = toolkit.read(data)
    assert_conserved(lp)
    [reject] = lp.rejects.to_pylist()
    lost = end.strip() if end.startswith(b" {") else good("b") + end
    start = reject["byte_offset"]
    assert data[start : start + reject["length"]] == lost


def test_place_counts_bytes_not_characters():
    text = "日本😀é" * 20
    first = good("a").replace(CANARY.encode(), text.encode())
    bad = with_entry(token="5").encode()
    for data in (first + b"\n" + bad, first + b" " + bad, first + b"\n" + first + b" " + bad):
        [reject] = toolkit.read(data).rejects.to_pylist()
        start = reject["byte_offset"]
        assert data[start : start + reject["length"]] == bad


# What is copied as JSON


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e400", "9" * 5000])
@pytest.mark.parametrize("column", ["tool_calls", "error"])
def test_columns_of_json_hold_json(column, number):
    """Other readers must be able to parse them, whatever the record wrote."""
    if column == "error":
        lp = toolkit.read(body(error=f'{{"a":{number}}}').encode())
        [text] = lp.responses["error"].to_pylist()
    else:
        lp = toolkit.read(with_message(tool_calls=f'[{{"a":{number}}}]').encode())
        [text] = lp.choices["tool_calls"].to_pylist()
    assert text is not None
    json.loads(text, parse_constant=refuse, parse_int=float)


def nested(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


ROUND = []
ROUND.append(ROUND)


@pytest.mark.parametrize(
    "value",
    [nested(100_000), ROUND, {1: "a", "b": 2}, 10**5000, {"a": object}, {("a",): 1}],
    ids=["deep", "round", "mixed keys", "long integer", "a class", "a tuple as key"],
)
@pytest.mark.parametrize("place", ["tool_calls", "error", "unknown", "usage", "bytes"])
def test_no_object_in_memory_stops_a_load(place, value):
    """Objects are not limited to what JSON can hold: rejected or kept, and the others read."""
    odd = json.loads(body())
    entry_ = odd["choices"][0]["logprobs"]["content"][0]
    {
        "tool_calls": lambda: odd["choices"][0]["message"].update(tool_calls=[{"a": value}]),
        "error": lambda: odd.update(error={"a": value}),
        "unknown": lambda: odd.update(unknown=value),
        "usage": lambda: odd.update(usage={"prompt_tokens": value}),
        "bytes": lambda: entry_.update(bytes=[value]),
    }[place]()
    lp = toolkit.from_responses([json.loads(good("a")), odd, json.loads(good("b"))])
    assert_conserved(lp)
    ids = lp.responses["response_id"].to_pylist()
    assert [id_ for id_ in ids if id_ != "odd"] == ["a", "b"]


# Rule 7


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in sorted(value, reverse=True)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_order_of_keys_and_whitespace_never_matter():
    record = json.loads(batch())
    texts = [
        json.dumps(record),
        json.dumps(shuffled(record)),
        json.dumps(record, separators=(",", ":")),
        json.dumps(record, separators=(" ,\t", "  : ")),
        json.dumps(record, indent=1),
    ]
    loads = [rows_by_response(toolkit.read(text.encode())) for text in texts]
    assert all(rows == loads[0] for rows in loads)


def test_both_casings_give_equal_rows():
    from tests.strategies import camel

    snake = json.loads(with_message(reasoning_content='"r"', tool_calls='[{"id":"t"}]'))
    snake |= {"system_fingerprint": "fp", "service_tier": "default"}
    snake["usage"]["prompt_tokens_details"] = {"cached_tokens": 3, "audio_tokens": 1}
    assert camel(snake) != snake
    a, b = (toolkit.from_responses(each) for each in (snake, camel(snake)))
    assert a.equals(b)
    assert a.responses["cached_tokens"].to_pylist() == [3]
    assert a.choices["reasoning"].to_pylist() == ["r"]
