"""List values that are odd or fitting under a key, for mutations."""

from __future__ import annotations

import json

NUMBERS = tuple(
    b"0 -0 -0.0 0.0 1 -1 1.0 1.5 -1.5 255 256 -0.25 -1e-7 1e0 0.1e1 1E5 1e+2 -9998 -9998.000000001"
    b" -9998.0 -1000 -1000.0 -9997.999999999999 -9999 -9999.0 -3.4028234663852886e38 0.001 1e-3"
    b" 0.0010000000000000002 0.00099999999999999 1e308 -1e308 1.7976931348623157e308"
    b" 1.7976931348623159e308 1e309 -1e400 1e-400 -1e-400 4.9e-324 2.4703282292062327e-324"
    b" 2.4703282292062328e-324 2.2250738585072011e-308 2.2250738585072014e-308 1e22 1e23"
    b" 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 9007199254740993.0"
    b" 2147483647 2147483648 -2147483648 -2147483649 4294967296 9223372036854775807"
    b" 9223372036854775808 -9223372036854775808 18446744073709551616 999999999999999"
    b" 1000000000000000 253402300799 253402300800 253402300799.5 0.1 0.30000000000000004"
    b" 123456789012345678 -0.12345678901234567 -0.123456789012345678 -12.345678901234567890123"
    b" 1000000000000000000000000000000 0.0000000000000000000000000000001 1.000 100.000 2e0 20e-1"
    b" 0e0 0e999999 -0e-5 1e99999999999999999999 0.0e400 00000 01 -01 1. .5 -.5 +1 - 1e 1e+ 0x10"
    b" 1_000 1e5.5 --1 1.e1 Infinity -Infinity NaN inf nan".split()
) + (b"9" * 18, b"9" * 19, b"9" * 400, b"1" * 4400, b"0." + b"0" * 400 + b"1", b"1e" + b"0" * 30)

LITERALS = (b"null", b"true", b"false", b"nul", b"nulll", b"NULL", b"None", b"tru", b"undefined")

STRINGS = (
    b'""', b'"x"', b'"stop"', b'"length"', b'"assistant"', b'"0"', b'"-1.5"', b'"NaN"', b'"1e5"',
    b'"chat.completion"', b'"chat.completion.chunk"', b'"Infinity"', b'"null"',
    b'"\\u0000"', b'"\\u0041"', b'"\\n\\t\\r\\b\\f\\/\\\\\\""', b'"\\ud83d\\ude00"',
    b'"\\uD83D\\uDE00\\u00e9"', b'"\\ud800"', b'"\\ude00\\ud83d"', b'"\\ud83d\\u0041"',
    b'"\\ud83d"', b'"\\ud83d\\n"', b'"\\udbff\\udfff"', b'"\\uffff\\ufffe\\ufeff"', b'"\\ud7ff"',
    b'"\\ue000"', b'"\\u00g0"', b'"\\u 041"', b'"\\u+041"', b'"\\u"', b'"\\x41"', b'"\\a"', b'"\\',
    b'"\\u00', b'"', b"'x'", "\"wörld 日本 😀\"".encode(), b'"\xef\xbf\xbe\xef\xbf\xbf"',
    b'"\xef\xbb\xbf"', b'"\xff"', b'"\xc3"', b'"\xc0\x80"', b'"\xc1\xbf"', b'"\xe0\x80\x80"',
    b'"\xe0\x9f\xbf"', b'"\xed\xa0\x80"', b'"\xed\x9f\xbf"', b'"\xee\x80\x80"',
    b'"\xf0\x8f\xbf\xbf"',
    b'"\xf0\x90\x80\x80"', b'"\xf4\x8f\xbf\xbf"', b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"',
    b'"\xe2\x82"', b'"\xf0\x9f\x98"', b'"\x7f"', b'"\x00"', b'"\x1f"', b'"\n"', b'"\t"',
    b'"seven77"', b'"eight888"', b'"sixteen_bytes_16"', b'"' + b"long " * 60 + b'"',
    b'"1234567\\"1234567"', b'"1234567\xc3\xa91234567"', b'"\\\\"', b'"\\\\\\""', b'"}]},{"',
)  # fmt: skip

BYTES = (
    b"[]", b"[0]", b"[255]", b"[256]", b"[-1]", b"[-0]", b"[1.0]", b"[255.0]", b"[255.000]",
    b"[1.5]", b"[1e1]", b"[1e0]", b"[01]", b"[00]", b"[0, 1 ,2 ]", b"[ ]", b"[1,]", b"[,1]",
    b"[1 2]", b"[null]", b"[true]", b'["1"]', b"[[1]]", b"[{}]", b"[1000]",
    b"[99999999999999999999]",
    b"[240,159,152,128]", b"[195]", b"[0.0,1.0,2.0]", b"[256.0]", b"[-0.0]", b"[-1.0]", b"[1.]",
    b"[0255]", b"[2550]", b"[25", b"[25.", b"[2.0", b"[1.0e0]",
    b"[" + b",".join(b"%d" % i for i in range(256)) + b"]",
)  # fmt: skip

CONTAINERS = (
    b"[]", b"{}", b"[[]]", b"[{}]", b'{"":{}}', b"[null]", b"[1]", b'{"a":1,"a":2}', b"[", b"{",
    b"]", b"}", b'{"a"}', b'{"a":}', b"{1:2}", b'{"a":1,}', b'{"a" : [ true ,false, null ] }',
    b'{"token":"x"}', b'{"token":"x","logprob":-1}', b'[{"token":"x","logprob":-1,"bytes":null}]',
    b'[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]',
    *(open_ * n + close * n for n in (3, 52, 55, 58, 59, 60, 61, 62, 63, 64, 65, 70)
      for open_, close in ((b"[", b"]"), (b'{"a":', b"}"))),
    b'{"a":' * 61 + b"1" + b"}" * 61,
)  # fmt: skip

ANY = NUMBERS + LITERALS + STRINGS + BYTES + CONTAINERS

SPACES = (b" ", b"\n", b"\t", b"\r\n", b"  ", b" \n\t ", b"        ", b"\r")
"""Whitespace that JSON allows."""
BAD_SPACES = (b"\x0b", b"\x0c", b"\x00", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"//", b"#")

INTERESTING = b'"\\{}[],:0123456789.-+eEnul tfa\x00\x1f\x7f\x80\xbf\xc2\xe2\xed\xf0\xf4\xff\n\r'
"""Bytes that have a meaning in JSON or UTF-8."""

SNIPPETS = (
    b"\\ud83d\\ude00", b"\\ud800", b"\\udc00", b"\\u0000", b"\\u00e9", b"\\n", b'\\"', b"\\\\",
    "é".encode(), "日".encode(), "😀".encode(), b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82",
    b"\xef\xbf\xbe", b"\xef\xbb\xbf", b"\x00", b"\x1f", b"\x7f", b"\n", b"\\", b'"',
    b"\xf0\x9f\x98",
    b"a", b"ab", b"abc", b"abcd", b"abcde", b"abcdef", b"abcdefg", b"abcdefgh", b"{", b"]",
)  # fmt: skip
"""Texts that are inserted into strings."""

KEYS = tuple(
    b"id choices created model object usage error system_fingerprint systemFingerprint service_tier"
    b" prompt_logprobs promptLogprobs serviceTier custom_id customId response status_code"
    b" statusCode body index message delta"
    b" logprobs finish_reason finishReason text role content refusal reasoning reasoning_content"
    b" reasoningContent tool_calls toolCalls token logprob bytes top_logprobs topLogprobs token_id"
    b" tokenId bytes_ prompt_tokens promptTokens completion_tokens completionTokens total_tokens"
    b" totalTokens prompt_tokens_details promptTokensDetails completion_tokens_details"
    b" completionTokensDetails cached_tokens cachedTokens reasoning_tokens reasoningTokens"
    b" audio_tokens audioTokens accepted_prediction_tokens acceptedPredictionTokens"
    b" rejected_prediction_tokens rejectedPredictionTokens data request_id requestId type x"
    b" tokens token_logprobs text_offset output delta_ ids logprobss finish_reaso".split()
)
"""Keys that some format reads, and similar ones."""

FITTING: dict[bytes, tuple[bytes, ...]] = {
    b"index": (b"0", b"1", b"2", b"3.0", b"null", b"2147483647"),
    b"created": (b"0", b"1700000000", b"1700000000.0", b"null", b"253402300799"),
    b"bytes": (b"null", b"[]", b"[0]", b"[104,105]", b"[255.0,0.0]", b"[ 1 , 2 ]", b"[240,159]"),
    b"logprob": (
        b"null",
        b"-0.0",
        b"0",
        b"-9999.0",
        b"-9998",
        b"0.001",
        b"2.5",
        b"-1e-7",
        b"-1e300",
    ),
    b"token_id": (b"0", b"1", b"-1", b"2147483647", b"null", b"7.0"),
    b"finish_reason": (b"null", b'""', b'"stop"', b'"length"', b'"tool_calls"', b'"\\u0073top"'),
    b"role": (b"null", b'""', b'"assistant"', b'"tool"'),
    b"model": (b"null", b'""', b'"m"', '"é"'.encode()),
    b"id": (b"null", b'""', b'"chatcmpl-1"', b'"\\u0041"'),
    b"object": (b"null", b'"chat.completion"', b'"chat.completion.chunk"', b'""', b'"list"'),
    b"usage": (b"null", b"{}", b'{"prompt_tokens":1}', b'{"completion_tokens":2.0,"x":[1]}'),
    b"top_logprobs": (b"null", b"[]", b'[{"token":"a","logprob":null}]', b'[{"token":"\\n"}]'),
    b"logprobs": (b"null", b"{}", b'{"content":null}', b'{"content":[],"refusal":null}'),
    b"refusal": (b"null", b"[]", b'""', b'"No."'),
    b"content": (b"null", b"[]", b'""', b'"Hi"', '"日本\\n"'.encode()),
    b"reasoning": (b"null", b'""', b'"so"'),
    b"tool_calls": (b"null", b"[]"),
    b"error": (b"null",),
    b"token": (b'""', b'"a"', b'"\\u00e9"', b'"\\ud83d\\ude00"', '"😀"'.encode(), b'"\\u0000"'),
    b"choices": (b"[]",),
}
"""Values that are valid for their key, or nearly."""

ROW_KEYS = tuple(
    b"id custom_id request_id key value index uuid recordId task_id error response body status_code"
    b" data __data__ message finish_reason logprobs meta type kind choices candidates done stop"
    b" content resps doc_id arguments event_id output outputs text token_ids response_metadata"
    b" parts text_output model_name generated_text generated_tokens details details.tokens"
    b" meta_info token generation_token_count generation delta request_states generations"
    b" generation_info provider_metadata chat_response transcript interactions Entries log samples"
    b" prob probs alternatives top_tokens chosen top_logprobs logprob log_probs usage prompt q17"
    b" meta.finish_reason a.b 7".split()
)
COLUMNS = (
    *(
        b"null",
        b"true",
        b"false",
        b"0",
        b"-0",
        b"7",
        b"200",
        b"200.0",
        b"404",
        b"-1.5",
        b"1e3",
        b'""',
    ),
    *(b'"x"', b'"ping"', b'"response.completed"', b'"human"', b'"stop"', b'"request"', b'"q-7"'),
    *(b"[]", b"{}", b"[1,2]", b"[-0.5]", b'["a"]', b'["a","b"]', b"[[1]]", b"[{}]", b'[{"a":1}]'),
    *(b'[{"token":"a","logprob":-1}]', b'[{"text":"a","prob":0.5}]', b'{"finish_reason":"stop"}'),
    *(
        b'{"content":"Hi","role":"assistant"}',
        b'[{"role":"user","content":"{"}]',
        b'{"choices":[]}',
    ),
    *(
        b'{"choices":["a"]}',
        b'{"error":null}',
        b'{"type":"ping"}',
        b'{"output":[]}',
        b'{"body":{}}',
    ),
    *(
        b'{"a":{"b":1}}',
        b'{"custom_id":"c","error":null}',
        b'{"data":{"type":"x"}}',
        b'{"text":"t"}',
    ),
    *(b'{"usage":{"input_tokens":1},"output":[]}', b'[[{"a":-0.5}]]', b'[{"5":{"logprob":null}}]'),
    *(
        b'"{\\"choices\\":[{\\"message\\":{\\"content\\":\\"x\\"}}]}"',
        b'"data: {}"',
        b'"{\\"a\\":1}"',
    ),
    *(
        b'" [{\\"token\\":\\"a\\",\\"logprob\\":-1}]"',
        b'"\\u007b\\"candidates\\":[]}"',
        b'"\\n{ choices"',
    ),
    *('"\u00a0{\\"choices\\":[]}"'.encode(), '"{\\"cho\u0131ce\u017f\\":[]}"'.encode()),
)
"""Keys and values of rows that have an answer somewhere."""

CONTAINERS_OF_ANSWERS = (
    *(b'{"data":%s}', b'{"__data__": %s}', b'{"row":%s}', b'{"q17":%s}', b"[%s]"),
    b'{"id":"r-1","prompt":"p","response":%s,"expected":"e","n":3}',
    b'{"id":7,"request":{"logprobs":true,"top_logprobs":5,"messages":[{"role":"user","content":"x"}]}'
    b',"response":%s}',
    b'{"custom_id":"c","response":{"status_code":200,"request_id":"r","body":%s},"error":null}',
    b'{"task_id":1,"line":{"custom_id":"c","response":{"status_code":200,"body":%s},"error":null}}',
    *(
        b'{"id":1,"event":{"data":%s}}',
        b'{"a":{"b":%s,"id":"in"},"id":"out"}',
        b'{"data":{"x":%s}}',
    ),
    *(
        b'{"a":[{"b":%s}]}',
        b'{"x":[%s]}',
        b'{"one":%s,"other":{"a":"b"}}',
        b'{"choice":1,"output":%s}',
    ),
    b'{"id":"r","a":%s,"b":{"id":"chatcmpl-9","choices":[{"message":{"content":"x"}}]}}',
    b'{"key":1,"n":{"a":{"id":"c-9","choices":[{"index":0,"message":{}}],"model":"m"}},"b":%s}',
    *(
        b'{"id":"r-2","asked":"{\\"logprobs\\":true}","response":%t}',
        b'{"custom_id":"c","response":%t,"error":null}',
        b'{"a":{"b":%t,"key":"k"},"n":1}',
        b'{"custom_id":"c","response":{"status_code":200,"body":%t}}',
    ),
)
"""Rows and envelopes, with the place of the answer (``%s``) or of its text (``%t``)."""


def contained(container: bytes, raw: bytes) -> bytes:
    """Return a row or an envelope with an answer."""
    text = json.dumps(raw.decode("utf-8", "replace"), ensure_ascii=len(raw) % 2 == 0)
    return container.replace(b"%s", raw).replace(b"%t", text.encode("utf-8", "replace"))


def snake(key: bytes) -> bytes:
    """Return a key in snake_case.

    Examples
    --------
    >>> snake(b"topLogprobs")
    b'top_logprobs'
    """
    return b"".join(b"_" + c.lower() if c.isupper() else c for c in _characters(key))


def other_casing(key: bytes) -> bytes:
    """Return a key in the other casing.

    Examples
    --------
    >>> other_casing(b"topLogprobs"), other_casing(b"top_logprobs")
    (b'top_logprobs', b'topLogprobs')
    """
    head, *rest = key.split(b"_")
    return head + b"".join(map(bytes.capitalize, rest)) if rest else snake(key)


def _characters(key: bytes) -> list[bytes]:
    return [key[i : i + 1] for i in range(len(key))]
