"""Hypothesis strategies: model answers, whole and cut into chunks.

An **answer** is a completion as a plain dict in snake_case. `streamed` cuts it into the chunks that
a server might have sent for it: texts and tokens are cut independently of one another, choices are
interleaved, and what servers may choose (roles, nulls, empty lists, a finish
reason alone or with the last token, usage on the last chunk or after it) is drawn.
"""

import json
from itertools import pairwise

from hypothesis import strategies as st

FINISH_REASONS = (
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
    "eos",
    "abort",
    None,
)
# Text and bytes, with parts of characters, text that looks like JSON or SSE, one text for two
# byte strings, and bytes that were not sent.
TOKENS = (
    ("Hello", b"Hello"),
    (" wörld", " wörld".encode()),
    ("\ufffd", b"\xf0\x9f"),
    ("\ufffd", b"\x98\x80"),
    ("\ufffd", b"\xe2"),
    ("日本", "日本".encode()),
    ("", b""),
    ("", None),
    ("\n\ndata: [DONE]\n\n", b"\n\ndata: [DONE]\n\n"),
    ('"}]},{', b'"}]},{'),
    ("\u2028", "\u2028".encode()),
    ("no bytes", None),
    ("\x00", b"\x00"),
    ("😀", "😀".encode()),
)
LOGPROBS = (-0.5, -1e-7, 0.0, -0.0, 3.05e-05, -9999.0, -3.4028234663852886e38, None, -17, 2.5)
TEXTS = ("", "a", "Hello wörld", "日本語", '{"a": 1}', "😀\u2028\r\n", "data: x\n\n", "\ufffd")

CAMEL = {
    name: name.split("_")[0] + "".join(word.capitalize() for word in name.split("_")[1:])
    for name in (
        "finish_reason",
        "top_logprobs",
        "tool_calls",
        "reasoning_content",
        "system_fingerprint",
        "service_tier",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "audio_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    )
}


def camel(value):
    """Return a value with the keys of the schema in camelCase."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if isinstance(value, dict):
        return {CAMEL.get(key, key): camel(item) for key, item in value.items()}
    return value


# Answers


@st.composite
def entries(draw, max_alternatives=5):
    """One sampled token with its alternatives."""
    token, raw = draw(st.sampled_from(TOKENS))
    entry = {"token": token, "logprob": draw(st.sampled_from(LOGPROBS))}
    if raw is not None or draw(st.booleans()):
        entry["bytes"] = None if raw is None else list(raw)
    picks = draw(st.lists(st.integers(0, len(TOKENS) * 3 - 1), max_size=max_alternatives))
    entry["top_logprobs"] = [
        {
            "token": TOKENS[i % len(TOKENS)][0],
            "logprob": LOGPROBS[(i + slot) % len(LOGPROBS)],
            "bytes": None if (raw := TOKENS[i % len(TOKENS)][1]) is None else list(raw),
        }
        for slot, i in enumerate(picks)
    ]
    if draw(st.integers(0, 7)) == 7:
        entry["id"] = draw(st.integers(0, 2**31 - 1))
    return entry


def entry_lists():
    return st.one_of(st.none(), st.lists(entries(), max_size=4))


@st.composite
def tool_calls(draw):
    n = draw(st.integers(1, 2))
    return [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": f"f{i}", "arguments": draw(st.sampled_from(TEXTS))},
        }
        for i in range(n)
    ]


@st.composite
def choices(draw, index):
    message = {"role": "assistant"}
    for name in ("content", "refusal", "reasoning_content"):
        if draw(st.integers(0, 2)):
            message[name] = draw(st.one_of(st.none(), st.sampled_from(TEXTS)))
    if draw(st.integers(0, 5)) == 5:
        message["tool_calls"] = draw(tool_calls())
    choice = {
        "index": index,
        "message": message,
        "finish_reason": draw(st.sampled_from(FINISH_REASONS)),
    }
    shape = draw(st.sampled_from(("content", "content", "all", "null", "absent")))
    if shape == "null":
        choice["logprobs"] = None
    elif shape == "content":
        choice["logprobs"] = {"content": draw(entry_lists())}
    elif shape == "all":
        names = ("content", "refusal", "reasoning_content")
        choice["logprobs"] = {name: draw(entry_lists()) for name in names}
    return choice


USAGE = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(0, 2**40), "completion_tokens": st.integers(0, 99)},
    optional={
        "total_tokens": st.just(7),
        "completion_tokens_details": st.just({"reasoning_tokens": 3, "audio_tokens": 0}),
        "prompt_tokens_details": st.one_of(st.none(), st.just({"cached_tokens": 4})),
    },
)


@st.composite
def answers(draw, name):
    """A completion of 1 to 4 choices with the id `name`."""
    answer = {"id": name, "object": "chat.completion", "created": 1_700_000_000, "model": "m"}
    n = draw(st.sampled_from((1, 1, 1, 2, 3, 4)))
    answer["choices"] = [draw(choices(index)) for index in range(n)]
    for key in ("system_fingerprint", "service_tier"):
        if draw(st.booleans()):
            answer[key] = draw(st.sampled_from((None, "fp_1")))
    usage = draw(st.one_of(st.none(), USAGE))
    if usage is not None:
        answer["usage"] = usage
    return answer


# Streams


@st.composite
def cuts(draw, sequence, n):
    """Cut a text or list into n pieces, some of them empty."""
    bounds = draw(st.lists(st.integers(0, len(sequence)), min_size=n - 1, max_size=n - 1))
    return [sequence[a:b] for a, b in pairwise([0, *sorted(bounds), len(sequence)])]


@st.composite
def call_fragments(draw, calls):
    """Cut tool calls into fragments as they come in deltas, in order."""
    fragments = []
    for index, call in enumerate(calls):
        function = call["function"]
        first, *rest = draw(cuts(function["arguments"], draw(st.integers(1, 3))))
        fragments.append({**call, "index": index, "function": {**function, "arguments": first}})
        fragments += [{"index": index, "function": {"arguments": piece}} for piece in rest]
    return fragments


@st.composite
def deltas(draw, choice):
    """Cut one choice into the deltas that stream it, in order."""
    n = draw(st.integers(1, 4))
    parts = [{"index": choice["index"], "delta": {}, "finish_reason": None} for _ in range(n)]
    message = choice["message"]
    for name in ("content", "refusal", "reasoning_content"):
        text = message.get(name)
        if text is not None:
            for part, piece in zip(parts, draw(cuts(text, n)), strict=True):
                if piece or draw(st.booleans()):
                    part["delta"][name] = piece
    fragments = draw(call_fragments(message.get("tool_calls", [])))
    for part, piece in zip(parts, draw(cuts(fragments, n)), strict=True):
        if piece:
            part["delta"]["tool_calls"] = piece
    cut_logprobs(draw, choice.get("logprobs"), parts)
    opening = draw(st.sampled_from(("first", "alone", "every")))
    if opening == "alone":
        first = {"role": message["role"], "content": draw(st.sampled_from(("", None)))}
        parts.insert(0, {"index": choice["index"], "delta": first, "finish_reason": None})
    else:
        for part in parts if opening == "every" else parts[:1]:
            part["delta"]["role"] = message["role"]
    if draw(st.booleans()):
        parts.append({"index": choice["index"], "delta": {}})
    parts[-1]["finish_reason"] = choice["finish_reason"]
    return parts


def cut_logprobs(draw, logprobs, parts):
    """Distribute the entries of a choice over its deltas, whatever their texts."""
    nothing = [None, "absent"]
    if logprobs is None:
        for part in parts:
            if draw(st.sampled_from(nothing)) is None:
                part["logprobs"] = None
        return
    pieces = {name: draw(cuts(list_ or [], len(parts))) for name, list_ in logprobs.items()}
    asked = {name for name, list_ in logprobs.items() if list_ is not None}
    for i, part in enumerate(parts):
        here = {name: cut[i] for name, cut in pieces.items()}
        # An empty list may occur wherever logprobs were requested; if it is all, it must occur.
        if any(here.values()) or i == 0 or draw(st.booleans()):
            part["logprobs"] = {
                name: piece if piece or (name in asked and i == 0) else None
                for name, piece in here.items()
                if piece or i == 0 or draw(st.booleans())
            }
        elif draw(st.booleans()):
            part["logprobs"] = None


@st.composite
def interleaved(draw, queues):
    """Interleave queues at random; each keeps its own order."""
    queues = [list(queue) for queue in queues if queue]
    merged = []
    while queues:
        i = draw(st.integers(0, len(queues) - 1)) if len(queues) > 1 else 0
        merged.append(queues[i].pop(0))
        if not queues[i]:
            queues.pop(i)
    return merged


@st.composite
def streamed(draw, answer):
    """Cut an answer into chunks."""
    parts = draw(interleaved([draw(deltas(choice)) for choice in answer["choices"]]))
    metadata = {key: value for key, value in answer.items() if key not in ("choices", "usage")}
    metadata["object"] = draw(st.sampled_from(("chat.completion.chunk", "text_completion", "")))
    chunks = []
    for part in parts:
        last = chunks[-1]["choices"] if chunks else []
        is_new = all(part["index"] != other["index"] for other in last)
        if last and is_new and draw(st.integers(0, 3)) == 3:
            last.append(part)  # several choices in one chunk
        else:
            chunks.append({**metadata, "choices": [part]})
    usage = answer.get("usage")
    if usage is not None and draw(st.booleans()):
        chunks[-1]["usage"] = usage
    elif usage is not None:
        chunks.append({**metadata, "choices": [], "usage": usage})
    if draw(st.booleans()):
        for chunk in chunks:
            chunk.setdefault("usage", None)
    return chunks


@st.composite
def recordings(draw):
    """Answers, and all their chunks in one stream: ``(answers, chunks)``."""
    wholes = [draw(answers(f"id-{i}")) for i in range(draw(st.sampled_from((1, 1, 2, 3))))]
    chunks = draw(interleaved([draw(streamed(whole)) for whole in wholes]))
    if draw(st.booleans()):
        wholes, chunks = camel(wholes), camel(chunks)
    return wholes, chunks


# Containers


def as_jsonl(objs):
    return b"".join(json.dumps(obj).encode() + b"\n" for obj in objs)


def as_sse(objs, *, prefix="data: ", end="\n", done=True, comments=False):
    """Write objects as server-sent events, in one of the ways that servers do."""
    events = []
    for i, obj in enumerate(objs):
        if comments and i % 3 == 0:
            events.append(f": keep-alive{end}{end}")
        events.append(f"{prefix}{json.dumps(obj, ensure_ascii=False)}{end}{end}")
    if done:
        events.append(f"{prefix}[DONE]{end}{end}")
    return "".join(events).encode()
