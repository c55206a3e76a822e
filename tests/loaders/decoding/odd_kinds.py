"""Ways in which a record can be odd, each with its verdict: rejected with its place, or kept."""

import json
import math

from tests.loaders.decoding.odd_records import (
    CANARY,
    DROP,
    ENTRY,
    TOP,
    USAGE,
    alternative,
    batch,
    batch_response,
    body,
    choice,
    deep,
    entry,
    kept,
    logprobs,
    message,
    obj,
    rejected,
    twice,
    with_alternative,
    with_choice,
    with_entry,
    with_logprobs,
    with_message,
)


def text_kinds():
    """Bytes that are not JSON, or not text."""
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
    yield rejected("garbage after it", whole + f" {CANARY}", "trailing_garbage", one_value=False)
    yield rejected("brace after it", whole + "}", "trailing_garbage", one_value=False)
    yield rejected("comma after it", whole + ",", "trailing_garbage", one_value=False)
    yield rejected("NUL after it", whole + "\0", "trailing_garbage", one_value=False)
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
    yield rejected("words", f"{CANARY} is not JSON", "not_json", one_value=False)
    five_thousand = "1" * 5000
    text = f'{{"x":{five_thousand},bad}}'
    yield rejected("broken after an integer of 5,000 digits", text, "not_json")


def shape_kinds():
    """JSON that is not a response."""
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
    for name, value in {"bool": "true", "null": "null", "missing": DROP, "array": "[]"}.items():
        reason = "token_not_string"
        yield rejected(f"token {name}", with_entry(token=value), reason, f"{ENTRY}.token")
        yield rejected(
            f"token {name} in an alternative", with_alternative(token=value), reason, f"{TOP}.token"
        )
    yield kept("token number", with_entry(token="5"), tokens__token=["token_id:5"])
    yield kept("token missing beside an id", with_entry(token=DROP, id="5"), tokens__token_id=[5])
    refusal = with_logprobs(refusal=f"[{entry(token='[]')}]")
    path = "$.choices[0].logprobs.refusal[0].token"
    yield rejected("token array in refusal", refusal, "token_not_string", path)
    yield kept("logprob string", with_entry(logprob='"-0.5"'), tokens__logprob=[-0.5])
    for name, value in {
        "hexadecimal string": '"0x1p-2"',
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
    camel_top = with_entry(top_logprobs=DROP, topLogprobs=f"[{alternative(token='[]')}]")
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
    yield kept("deep after an escaped quote", body(unknown='"\\"' + "[" * 1000 + '"'))
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
    "-1000": (-1000.0, "censored"),
    "-1e3": (-1000.0, "censored"),
    "-1000.0000001": (-1000.0000001, "ok"),
    "-999.9999": (-999.9999, "ok"),
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
    yield kept(
        "top_logprobs dict",
        with_entry(top_logprobs='{"b":-0.5}'),
        tokens__n_alternatives=[1],
        alternatives__token=["b"],
    )
    for name, value in {"string": f'"{CANARY}"', "number": "5"}.items():
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
        "true": "true",
    }.items():
        yield kept(
            f"logprobs {name}",
            with_choice(logprobs=value),
            "bad_logprobs",
            choices__logprobs_state=["absent"],
        )
        yield kept(f"logprobs.content {name}", with_logprobs(content=value), "bad_logprobs")
    yield kept("logprobs []", with_choice(logprobs="[]"), choices__logprobs_state=["empty"])
    mean = with_choice(logprobs="-0.5")
    yield kept("logprobs number", mean, "mean_logprob_only", choices__logprobs_state=["absent"])
    number = with_logprobs(content="-0.5")
    yield kept("logprobs.content number", number, "bad_logprobs", "unread_logprobs")
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
        batch(response=batch_response(body=with_entry(token="[]"))),
        "token_not_string",
        f"{inside}{ENTRY[1:]}.token",
    )
    yield rejected("batch response null, no error", batch(response="null"), "not_an_object", inside)
    yield rejected(
        "batch response a string", batch(response=f'"{CANARY}"'), "no_choices", "$.choices"
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
