"""What the loader is compared with: a naive reader, and the laws that every load obeys.

The reader shares no code with the toolkit: the standard library's `json`, one line after the other,
plain dictionaries. It reads completions, chunks and Batch lines in both key casings, and knows no
errors, because it is for files that are known to be good.
"""

import json
import math
from collections import Counter, defaultdict

import toolkit

CHANNELS = ("content", "reasoning", "refusal")  # of the answer
LIST_OF = {"content": "content", "reasoning": "reasoning_content", "refusal": "refusal"}
CAMEL = {
    "top_logprobs": "topLogprobs",
    "finish_reason": "finishReason",
    "reasoning_content": "reasoningContent",
}

# Columns that rule 2 ignores when a whole response is compared with a stream, and its place.
PLACE = ("response_key", "source", "record", "line", "byte_offset")
STREAMED = ("kind", "object", "response_id", "created", "n_chunks", "chunk")


# The naive reader


def payloads(data):
    """Yield the JSON texts of JSONL, SSE or one document, with None for [DONE]."""
    text = data.decode("utf-8-sig")
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if whole is not None:
        yield from whole if isinstance(whole, list) else [whole]
        return
    for line in text.splitlines():
        line = line.removeprefix("data:").strip()
        if line == "[DONE]":
            yield None
        elif line and not line.startswith(":"):
            yield json.loads(line)


def key_of(obj, name):
    """Return the value of a key in whichever casing it occurs."""
    value = obj.get(name)
    return obj.get(CAMEL.get(name, name)) if value is None else value


def entry_of(entry):
    raw = entry.get("bytes")
    logprob = entry.get("logprob")
    return entry["token"], None if raw is None else bytes(raw), logprob


def new_choice():
    return {
        **dict.fromkeys(CHANNELS, ""),
        "finish_reason": None,
        "tokens": {channel: [] for channel in CHANNELS},
    }


def add_choice(choices, part):
    """Add an entry of ``choices`` to its choice."""
    choice = choices[int(part.get("index", 0))]
    message = part.get("message") or part.get("delta") or {}
    choice["content"] += message.get("content") or ""
    choice["refusal"] += message.get("refusal") or ""
    choice["reasoning"] += key_of(message, "reasoning_content") or message.get("reasoning") or ""
    choice["finish_reason"] = key_of(part, "finish_reason") or choice["finish_reason"]
    logprobs = part.get("logprobs") or {}
    for channel in CHANNELS:
        for entry in key_of(logprobs, LIST_OF[channel]) or []:
            top = [entry_of(alternative) for alternative in key_of(entry, "top_logprobs") or []]
            choice["tokens"][channel].append((*entry_of(entry), top))


def read_naively(data):
    """Return one dict per response, in the order of first appearance.

    Its ``choices`` map an index to texts, finish reason and, by channel, the list of
    ``(token, bytes, logprob, [(token, bytes, logprob), ...])``.
    """
    responses = []
    streams = {}
    for obj in payloads(data):
        if obj is None:
            streams = {}
            continue
        custom_id = obj.get("custom_id")
        if custom_id is not None:
            obj = obj["response"]["body"]
        is_whole = any("message" in choice for choice in obj["choices"])
        if not is_whole and obj["id"] == "" and not obj["choices"]:
            continue  # the prompt filter results of Azure
        if is_whole or obj["id"] not in streams:
            response = {"id": obj["id"] or None, "custom_id": custom_id}
            response |= {"chunks": 0, "choices": defaultdict(new_choice)}
            responses.append(response)
        if not is_whole:
            response = streams.setdefault(obj["id"], response)
            response["chunks"] += 1
        for part in obj["choices"]:
            add_choice(response["choices"], part)
    return responses


def read_tables(lp):
    """Return the same from `LogprobTables`, by plain Python over their rows."""
    alternatives = defaultdict(list)
    for row in lp.alternatives.to_pylist():
        at = (row["response_key"], row["choice"], row["channel"], row["position"])
        alternatives[at].append((row["token"], row["bytes"], row["logprob"]))
    tokens = defaultdict(list)
    for row in lp.tokens.to_pylist():
        at = (row["response_key"], row["choice"], row["channel"])
        top = alternatives[(*at, row["position"])]
        tokens[at].append((row["token"], row["bytes"], row["logprob"], top))
    choices = defaultdict(dict)
    for row in lp.choices.to_pylist():
        key, choice = row["response_key"], row["choice"]
        choices[key][choice] = {
            **{channel: row[channel] or "" for channel in CHANNELS},
            "finish_reason": row["finish_reason"],
            "tokens": {channel: tokens[key, choice, channel] for channel in CHANNELS},
        }
    return [
        {
            "id": row["response_id"],
            "custom_id": row["custom_id"],
            "chunks": row["n_chunks"] or 0,
            "choices": choices[row["response_key"]],
        }
        for row in lp.responses.to_pylist()
    ]


# The laws


def is_censored(logprob):
    return logprob is not None and (logprob <= -9998 or logprob == -1000)


def expected_status(logprob):
    if logprob is None:
        return "missing"
    if is_censored(logprob):
        return "censored"
    return "invalid" if logprob > 1e-3 else "ok"


def load(*args, **options):
    """Return the tables of `toolkit.read`, also if every record was rejected."""
    try:
        return toolkit.read(*args, **options)
    except toolkit.errors.NoRecordsError as error:
        if error.tables is None:
            raise
        return error.tables


def assert_conserved(lp):
    """Assert what holds for every load: nothing is lost, doubled or misplaced."""
    responses, choices = lp.responses.to_pylist(), lp.choices.to_pylist()
    tokens, alternatives = lp.tokens.to_pylist(), lp.alternatives.to_pylist()
    rejects = lp.rejects.to_pylist()
    assert_sources(lp.ledger.to_pylist(), responses, rejects)
    assert_choices(responses, choices, tokens)
    assert_alternatives(tokens, alternatives)
    for table in (lp.responses, lp.choices, lp.tokens, lp.alternatives, lp.rejects, lp.ledger):
        table.validate(full=True)
        for field in table.schema:
            assert field.nullable or table[field.name].null_count == 0, field.name


def assert_sources(ledger, responses, rejects):
    read, rejected = Counter(), Counter(row["source"] for row in rejects)
    for row in responses:
        read[row["source"]] += 1 if row["n_chunks"] is None else row["n_chunks"]
    for row in ledger:
        source = row["source"]
        assert row["records"] == row["read"] + row["rejected"], source
        assert row["read"] == read[source], source
        assert row["rejected"] - row["unlisted"] == rejected[source], source
    assert {*read, *rejected} <= {row["source"] for row in ledger}
    first_records = [(row["source"], row["record"]) for row in (*responses, *rejects)]
    assert len(first_records) == len(set(first_records))
    for row in rejects:
        assert row["line"] >= 1
        assert row["byte_offset"] >= 0
        assert row["length"] >= 0


def assert_choices(responses, choices, tokens):
    keys = [row["response_key"] for row in responses]
    assert keys == sorted(set(keys))
    at = [(row["response_key"], row["choice"]) for row in choices]
    assert at == sorted(set(at))
    n_choices = Counter(row["response_key"] for row in choices)
    finished = Counter(row["response_key"] for row in choices if row["finish_reason"])
    assert set(n_choices) <= set(keys)
    for row in responses:
        n = n_choices[row["response_key"]]
        assert row["n_choices"] == n
        assert row["finished"] == (0 < n == finished[row["response_key"]])
        assert row["response_key"] & (2**32 - 1) == row["record"]
        assert row["notes"] == sorted(set(row["notes"]))
    counted = Counter((row["response_key"], row["choice"], row["channel"]) for row in tokens)
    declared = {
        (row["response_key"], row["choice"], channel): row[f"n_{channel}_tokens"]
        for row in choices
        for channel in (*CHANNELS, "prompt")
        if row[f"n_{channel}_tokens"]
    }
    assert counted == declared
    for row in choices:
        n = sum(row[f"n_{channel}_tokens"] for channel in CHANNELS)
        assert (row["logprobs_state"] == "present") == (n > 0)


def assert_alternatives(tokens, alternatives):
    names = ("response_key", "choice", "channel", "position")
    token_keys = [tuple(row[name] for name in names) for row in tokens]
    assert token_keys == sorted(set(token_keys))
    runs = defaultdict(list)
    for row in alternatives:
        runs[tuple(row[name] for name in names)].append(row)
    assert list(runs) == sorted(runs), "alternatives are not in the order of their tokens"
    assert sum(row["n_alternatives"] for row in tokens) == len(alternatives)
    assert runs.keys() <= set(token_keys)
    expected_position = Counter()
    for key, row in zip(token_keys, tokens, strict=True):
        assert row["position"] == expected_position[key[:3]]
        expected_position[key[:3]] += 1
        assert row["status"] == expected_status(row["logprob"])
        run = runs[key]
        assert row["n_alternatives"] == len(run)
        assert [entry["slot"] for entry in run] == list(range(1, len(run) + 1))
        assert_ranks(run)
        sampled = [entry["rank"] for entry in run if entry["is_sampled"]]
        assert len(sampled) <= 1
        assert row["sampled_rank"] == (sampled[0] if sampled else None)
        assert row["is_top1"] == expected_top1(row, run)


def expected_top1(token, run):
    """Whether no alternative is likelier, over logprobs that are ok; None where none are."""
    known = [min(entry["logprob"], 0) for entry in run if entry["status"] == "ok"]
    if token["status"] != "ok" or not known:
        return None
    own = [entry for entry in run if entry["is_sampled"] and entry["status"] == "ok"]
    return min((own or [token])[0]["logprob"], 0) >= max(known)


def assert_ranks(run):
    for entry in run:
        assert entry["status"] == expected_status(entry["logprob"])
        assert entry["logprob"] is None or not math.isnan(entry["logprob"])
    known = [entry for entry in run if entry["logprob"] is not None]
    by_logprob = sorted(known, key=lambda entry: (-entry["logprob"], entry["slot"]))
    assert [entry["rank"] for entry in by_logprob] == list(range(1, len(known) + 1))
    assert all(entry["rank"] is None for entry in run if entry["logprob"] is None)


# Comparing loads


def rows_by_response(lp, *, without=PLACE):
    """Return for each response, in order, its rows of the four tables, without some columns."""
    grouped = defaultdict(lambda: {"choices": [], "tokens": [], "alternatives": []})
    for name in ("choices", "tokens", "alternatives"):
        for row in lp[name].to_pylist():
            grouped[row["response_key"]][name].append(bare(row, without))
    return [
        {"response": bare(row, without), **grouped[row["response_key"]]}
        for row in lp.responses.to_pylist()
    ]


def bare(row, without):
    return {name: value for name, value in row.items() if name not in without}
