"""Collect the records that fuzzing begins with: shortened real ones and hand-made ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.conftest import ROOT
from tests.fuzz import other_formats
from tests.fuzz.document import Document
from tests.fuzz.odd_values import CONTAINERS_OF_ANSWERS, contained, snake
from toolkit.loaders.framing.detect import frame

_SHARED = ROOT.parent / "shared"
_FOLDERS = ("samples", "realdata", "field/servers", "field/files")
FOLDERS = (ROOT / "data", *(_SHARED / name for name in _FOLDERS))
SUFFIXES = {".json", ".jsonl", ".sse", ".txt", ".bin", ".gz"}
_PER_FILE = 12  # records
_LONGEST = 3000  # bytes of a record
_HEAD = 1 << 20  # bytes of a file that are read
_ENTRIES, _ALTERNATIVES = 3, 3  # elements of each list that are kept
_TEXT = 160  # bytes of a string that are kept

_TOP = (
    '[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"He","logprob":-1.5,"bytes":null},'
    '{"token":"日","logprob":-1.5,"bytes":[230,151,165]}]'
)
_CUT = (  # alternatives whose blanks or texts a server cut
    '[{"token":" Hi","logprob":-0.25},{"token":"","logprob":-0.25},{"token":"He","logprob":-1000}]'
)
_ENTRY = '{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":' + _TOP + "}"
_USAGE = (
    '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":'
    '{"cached_tokens":1,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,'
    '"audio_tokens":2,"accepted_prediction_tokens":3,"rejected_prediction_tokens":4}}'
)
_BODY = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},'
    '"logprobs":{"content":['
    + _ENTRY
    + '],"refusal":null},"finish_reason":"stop"}],"usage":'
    + _USAGE
    + ',"service_tier":"default","system_fingerprint":"fp_1","prompt_logprobs":null}'
)
_CHUNK = (
    '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o",'
    '"choices":[{"index":0,"delta":{"content":" w\\u00f6rld 😀"},"logprobs":{"content":['
    + _ENTRY
    + '],"refusal":null},"finish_reason":null}],"usage":null}'
)
_OPENING = (
    '{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    '"logprobs":null,"finish_reason":null}]}'
)
HAND_MADE = tuple(
    text.encode()
    for text in (
        _BODY,
        _CHUNK,
        # Rows whose own columns look like those of another format.
        '{"choices":[],"id":"r","raw":' + json.dumps(_BODY) + "}",
        '{"choices":[],"candidates":[{"text":"a"}],"result":' + _BODY + "}",
        _BODY[:-1] + ',"generated_text":"Hi","candidates":[],"done":true,"output":' + _BODY + "}",
        _CHUNK[:-1] + ',"reply":"Hi","message":{"content":"Hi"},"expected":"data: {}"}',
        _BODY.replace('"logprob":-0.25,"bytes":[72,105],"top', '"probs":[{"tok_str":"Hi"}],"top'),
        _BODY.replace('"refusal":null},"finish', '"prompt":[' + _ENTRY + ']},"finish'),
        _BODY.replace("null}", '[null,{"5":{"logprob":-1.0,"decoded_token":"x"}}]}'),
        _BODY.replace(":", ": ").replace(",", ", "),
        _BODY.replace('"refusal":null},"l', '"provider_specific_fields":{"refusal":null}},"l'),
        _BODY.replace('"refusal":null},"l', '"provider_specific_fields":{"refusal":"No"}},"l'),
        _BODY.replace(",", ",\n  ").replace("{", "{\r\n\t").replace("}", " }"),
        '{"id":"batch_1","custom_id":"c-1","response":{"status_code":200,"request_id":"r","body":'
        + _BODY
        + '},"error":null}',
        '{"id":"x","created":1700000000.0,"model":"m","object":"chat.completion",'
        '"systemFingerprint":null,"serviceTier":"","choices":[{"index":0.0,"finishReason":"stop",'
        '"message":{"role":"assistant","content":"a","reasoningContent":"because","toolCalls":[]},'
        '"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97.0],"topLogprobs":'
        '[{"token":"a","logprob":-0.5,"bytes":[97.0]}]}]}}],"usage":{"promptTokens":1.0,'
        '"completionTokens":1.0,"totalTokens":2.0,"completionTokensDetails":'
        '{"reasoningTokens":0.0}}}',
        '{"choices":[{"index":0,"message":{"content":null,"refusal":"No"},"logprobs":{"content":'
        'null,"refusal":[{"token":"No","logprob":-1e-7,"bytes":[78,111],"top_logprobs":[]}]},'
        '"finish_reason":"content_filter"}]}',
        '{"choices":[{"index":1,"message":{"content":"b"},"logprobs":null,"finish_reason":"length"}'
        ',{"index":0,"message":{"content":"a","reasoning":"r"},"logprobs":{"content":[],'
        '"reasoning_content":[{"token":"r","logprob":-9999.0,"id":7,"top_logprobs":[{"token":"r",'
        '"logprob":-9999.0,"id":7},{"token":"s","logprob":null,"id":8}]}]}}]}',
        '{"id":"","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":1}}',
        '{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
        '"logprobs":null,"finish_reason":null}],"obfuscation":"xyz","nvext":{"a":[1,{"b":null}]}}',
        '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function",'
        '"function":{"name":"f","arguments":"{\\"a\\":1}"}}]},"finish_reason":"tool_calls"}]}',
        '{"choices":[{"message":{"content":null,"toolCalls":[{"type":"function","id":"call_1",'
        '"args":{"b":[0.1,1.0,-0.0,100000.0,12],"a":{"z":null,"é":"\\u00e9\\/\\n"}}}]},"logprobs":null}]}',
        '{"choices":[{"delta":{"content":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\\u0000"},'
        '"logprobs":{"content":[{"token":"\\ud83d\\ude00","logprob":0,"bytes":[240,159,152,128],'
        '"token_id":5,"top_logprobs":[{"token":"😀","logprob":-0.0,"bytes":[240,159,152,128],'
        '"token_id":5,"top_logprobs":null},{"token":"","logprob":1e-4,"bytes":[]}]}]}}]}',
        _BODY.replace(_TOP, _CUT),
        '{"choices":[{"delta":{"logprobs":false}}]}',
        '{"error":{"message":"no","type":"t","code":1}}',
        '{"type":"response.completed","response":{"output":[5],"usage":null}}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[[{"tok":"a","x":"{\\"logprob\\":-",'
        '"logprob":-1.0}]]}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[[{"tok":"a","x":{"choices":[{}]},'
        '"logprob":-1.0}]]}',
        '{"message":"I am","logprobs":{"content":[' + _ENTRY + '],"details.tokens":true}}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[{"a":-0.5,"details.tokens":-5}]}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[{"response_metadata":-5}]}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[{"response\\u005fmetadata":"-5"}]}',
        '{"tokens":["a"],"logprobs":[-0.5],"top_logprobs":[{"response_metadata":-5,"a":"-5"}]}',
        '{"text":"a","logprobs":{"content":[' + _ENTRY + '],"response_metadata":true}}',
        '{"text":"a","logprobs":[{"token":"a","logprob":-1,"top_logprobs":[{"token":"a",'
        '"logprob":-1,"top_logprobs":"{\\"choices\\":[]}"}]}],"b":1}',
        '{"token":{"id":8,"logprob":-1,"alternatives":[{"text":"b","logprob":-2}]}}',
        '{"meta":{"details.tokens":[{"a":1}],"finish_reason":"stop"}}',
        '{"usage":{"inputTokens":5,"i":{"logprobs":[' + _ENTRY + "]}}}",
        '{"data":' + _CHUNK + "}",
        "[" + _CHUNK + "]",
        json.dumps(json.loads(_BODY), indent=2, ensure_ascii=False),
        json.dumps(json.loads(_CHUNK), indent="\t"),
        *(
            contained(each, body.encode()).decode()
            for each in CONTAINERS_OF_ANSWERS
            for body in (_BODY, _CHUNK, _OPENING)
        ),
    )
)


def seeds() -> list[bytes]:
    """Return records of at most 3,000 bytes, each a valid JSON text."""
    found = dict.fromkeys((*HAND_MADE, *other_formats.texts()))
    for folder in FOLDERS:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.suffix in SUFFIXES:
                found.update(dict.fromkeys(_of_file(path)))
    return list(found)


def _of_file(path: Path) -> list[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
        head = opened.read(_HEAD)
    texts = [
        frames.data[start:stop]
        for frames in frame([head])
        for start, stop in zip(frames.starts, frames.stops, strict=True)
    ]
    kept = [cut for cut in map(_shortened, texts[:: max(1, len(texts) // _PER_FILE)]) if cut]
    return kept[:_PER_FILE]


def _shortened(raw: bytes) -> bytes | None:
    """Keep the first elements of lists and the heads of strings; None if that is not enough."""
    try:
        document = Document(raw)
        document = Document(document.edited(_surplus(document)))
        long = [i for i in document.strings if len(document.tokens[i]) > _TEXT]
        raw = document.edited([(i, i + 1, _head(document.tokens[i])) for i in long])
        Document(raw)
    except (ValueError, IndexError, RecursionError):
        return None
    return raw if len(raw) <= _LONGEST else None


def _surplus(document: Document) -> list[tuple[int, int, bytes]]:
    edits = []
    for key, elements in document.lists:
        keep = _ALTERNATIVES if snake(key) == b"top_logprobs" else _ENTRIES
        if key != b"bytes" and len(elements) > keep:
            edits.append((elements[keep - 1][1], elements[-1][1], b""))
    return edits


def _head(text: bytes) -> bytes:
    """Shorten a string without cutting an escape or a character."""
    head = text[:_TEXT].decode("utf-8", "ignore")
    return head[: head.find("\\") if "\\" in head else None].rstrip('"').encode() + b'"'
