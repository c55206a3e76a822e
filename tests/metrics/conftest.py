"""Tables built from response bodies by plain loops, sharing no code with the loaders."""

import json
import math
from types import SimpleNamespace

import pyarrow as pa
import pytest

import toolkit
from tests.conftest import ROOT
from toolkit import schema

SAMPLES = ROOT / "../shared/samples"
WHOLE = (
    "arithmetic_n5",
    "bytes_whole",
    "capitals_batch",
    "pairs_whole",
    "sentiment_k20",
    "stories_k10",
    "structured",
)


def status_of(logprob):
    if logprob is None or math.isnan(logprob):
        return "missing"
    if logprob <= -9998 or logprob == -1000:
        return "censored"
    return "invalid" if logprob > 1e-3 else "ok"


def _sampled_slot(entry, alternatives):
    """Find the sampled token in its list: by id, then bytes, then text."""
    for key in ("id", "bytes", "token"):
        if entry.get(key) is not None:
            for slot, alternative in enumerate(alternatives):
                if alternative.get(key) == entry[key]:
                    return slot
            if any(alternative.get(key) is not None for alternative in alternatives):
                return None
    return None


def _ranks(alternatives):
    known = [
        (-a["logprob"], slot)
        for slot, a in enumerate(alternatives)
        if status_of(a["logprob"]) != "missing"
    ]
    return {slot: rank for rank, (_, slot) in enumerate(sorted(known), start=1)}


def _is_top1(entry, top, sampled):
    known = [a["logprob"] for a in top if status_of(a["logprob"]) == "ok"]
    if status_of(entry["logprob"]) != "ok" or not known:
        return None
    own = None if sampled is None else top[sampled]["logprob"]
    scored = own if status_of(own) == "ok" else entry["logprob"]
    return min(scored, 0.0) >= min(max(known), 0.0)


def _entry_columns(entry):
    return {
        "token": entry["token"],
        "bytes": None if entry.get("bytes") is None else bytes(entry["bytes"]),
        "token_id": entry.get("id"),
        "logprob": entry["logprob"],
        "status": status_of(entry["logprob"]),
    }


def _token_rows(key, entries, tokens, alternatives):
    for position, entry in enumerate(entries):
        top = entry.get("top_logprobs") or []
        at = {**key, "position": position}
        sampled, ranks = _sampled_slot(entry, top), _ranks(top)
        tokens.append(
            {
                **at,
                **_entry_columns(entry),
                "n_alternatives": len(top),
                "sampled_rank": ranks.get(sampled),
                "is_top1": _is_top1(entry, top, sampled),
                "chunk": None,
            }
        )
        for slot, alternative in enumerate(top):
            alternatives.append(
                {
                    **at,
                    **_entry_columns(alternative),
                    "slot": slot + 1,
                    "rank": ranks.get(slot),
                    "is_sampled": slot == sampled,
                }
            )


def _usage_columns(usage):
    usage = usage or {}
    columns = dict.fromkeys(column.name for column in schema.USAGE_COLUMNS)
    columns |= {name: usage.get(name) for name in columns if not name.endswith("_details")}
    columns["cached_tokens"] = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    details = usage.get("completion_tokens_details") or {}
    columns["reasoning_tokens"] = details.get("reasoning_tokens")
    return columns


def _unwrapped(record):
    if "response" in record:
        return record["response"]["body"], record["custom_id"]
    return record, record.get("custom_id")


def build(*sources):
    """Return the five tables of lists of bodies (or Batch lines), one list per source."""
    rows = {table.name: [] for table in schema.TABLES}
    for ordinal, records in enumerate(sources):
        for number, record in enumerate(records):
            body, custom_id = _unwrapped(record)
            response_key = (ordinal << 32) + number
            choices = body["choices"]
            rows["responses"].append(
                {
                    "response_key": response_key,
                    "source": f"source-{ordinal}",
                    "record": number,
                    "line": number + 1,
                    "byte_offset": 0,
                    "kind": "completion",
                    "format": "test",
                    "response_id": body.get("id"),
                    "custom_id": custom_id,
                    "model": body.get("model"),
                    "n_choices": len(choices),
                    **_usage_columns(body.get("usage")),
                    "finished": bool(choices) and all(c.get("finish_reason") for c in choices),
                    "error": body.get("error"),
                    "notes": [],
                }
            )
            for index, choice in enumerate(choices):
                key = {"response_key": response_key, "choice": choice.get("index", index)}
                logprobs = choice.get("logprobs")
                lists = {channel: (logprobs or {}).get(channel) for channel in schema.CHANNELS}
                for channel in schema.CHANNELS:
                    _token_rows(
                        {**key, "channel": channel},
                        lists[channel] or [],
                        rows["tokens"],
                        rows["alternatives"],
                    )
                states = {True: "present", False: "empty"}
                given = any(entries is not None for entries in lists.values())
                rows["choices"].append(
                    {
                        **key,
                        "content": (choice.get("message") or {}).get("content"),
                        "finish_reason": choice.get("finish_reason"),
                        "logprobs_state": states[any(lists.values())] if given else "absent",
                        **{f"n_{c}_tokens": len(lists[c] or []) for c in schema.CHANNELS},
                        "alignment": "unknown",
                        "refusal_alignment": "unknown",
                    }
                )
    return SimpleNamespace(
        **{
            table.name: pa.table(
                {
                    field.name: pa.array([row.get(field.name) for row in rows[table.name]]).cast(
                        field.type.value_type if pa.types.is_dictionary(field.type) else field.type
                    )
                    for field in table.arrow
                }
            )
            for table in schema.TABLES
        }
    )


def conformed(lp):
    return toolkit.LogprobTables(**{table.name: getattr(lp, table.name) for table in schema.TABLES})


def rechunked(lp, rows):
    """Return the same tables in chunks of at most `rows` rows, each with its own dictionaries."""

    def pieces(table, declared):
        parts = [table.slice(start, rows) for start in range(0, table.num_rows, rows)]
        plain = [
            pa.table(
                {
                    name: part[name].cast(pa.string())
                    if pa.types.is_dictionary(part[name].type)
                    else part[name]
                    for name in part.column_names
                }
            )
            for part in parts
        ]
        return pa.concat_tables([schema.conform(part, declared) for part in plain])

    return toolkit.LogprobTables(
        **{
            table.name: pieces(getattr(lp, table.name), table)
            if getattr(lp, table.name).num_rows
            else getattr(lp, table.name)
            for table in schema.TABLES
        }
    )


def select(lp, keep):
    """Return the tables of the responses whose key `keep` accepts."""
    out = {"rejects": lp.rejects}
    for name in ("responses", "choices", "tokens", "alternatives"):
        table = getattr(lp, name)
        out[name] = table.filter(pa.array([keep(k) for k in table["response_key"].to_pylist()]))
    return toolkit.LogprobTables(**out)


def entry(token, logprob, top=None, **more):
    """Return one entry of a logprobs list; `top` holds (token, logprob) pairs or entries."""
    top = [a if isinstance(a, dict) else {"token": a[0], "logprob": a[1]} for a in top or []]
    return {"token": token, "logprob": logprob, "top_logprobs": top, **more}


def body(*entries, **more):
    """Return a completion of one choice with these content entries."""
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
    return {"model": "m", "choices": [{**choice, "logprobs": {"content": list(entries)}}], **more}


@pytest.fixture(scope="session")
def make():
    """Builders of bodies and tables, under one name."""
    return SimpleNamespace(
        tables=lambda *sources: conformed(build(*sources)),
        entry=entry,
        body=body,
        rechunked=rechunked,
        select=select,
        status_of=status_of,
    )


@pytest.fixture(scope="session")
def recorded():
    """The recorded whole responses: a list of records for each file."""
    if not SAMPLES.is_dir():
        pytest.skip("recordings ../shared/samples are absent")
    return [
        [json.loads(line) for line in (SAMPLES / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in WHOLE
    ]


@pytest.fixture(scope="session")
def lp(recorded, make):
    """Tables of all recorded whole responses."""
    return make.tables(*recorded)


def naive_token(entry, vocab_size=None):
    """All token metrics of one entry, by the definitions and one number at a time."""
    logprob, status = entry["logprob"], status_of(entry["logprob"])
    out = dict.fromkeys(
        ("surprisal", "surprisal_lower", "probability", "margin", "margin_logprob", "top_mass")
        + ("missing_mass", "entropy_lower", "entropy_upper", "entropy_topk", "off_top1")
    )
    if status == "ok":
        out["surprisal"] = out["surprisal_lower"] = max(0.0, -logprob)
        out["probability"] = math.exp(-out["surprisal"])
    slot = _sampled_slot(entry, entry["top_logprobs"])
    listed = [
        (min(0.0, a["logprob"]), i == slot)
        for i, a in enumerate(entry["top_logprobs"])
        if status_of(a["logprob"]) == "ok"
    ]
    out["n_entries"] = len(listed)
    ranked = sorted((value for value, _ in listed), reverse=True)
    if len(ranked) > 1:
        out["margin"] = math.exp(ranked[0]) - math.exp(ranked[1])
        out["margin_logprob"] = ranked[0] - ranked[1]
    if ranked and status == "ok":
        out["off_top1"] = min(0.0, logprob) < ranked[0]
    known = list(ranked)
    if status == "ok" and not any(own for _, own in listed):
        known.append(min(0.0, logprob))
    if known:
        cap = math.exp(min((value for value, own in listed if not own), default=0.0))
        _naive_entropies(out, [math.exp(value) for value in known], cap, vocab_size)
    return out


def _naive_entropies(out, p, cap, vocab_size):
    mass = math.fsum(p)
    missing = max(0.0, 1.0 - mass)
    whole = math.floor(missing / cap)
    rest = missing - whole * cap
    partial = math.fsum(-x * math.log(x) for x in p if x > 0)
    tail = [-whole * cap * math.log(cap), -rest * math.log(rest) if rest > 0 else 0.0]
    out["top_mass"], out["missing_mass"] = mass, missing
    out["entropy_lower"] = math.fsum([partial, *tail])
    out["entropy_topk"] = math.fsum(-(x / mass) * math.log(x / mass) for x in p if x > 0)
    if vocab_size:
        share = missing / (vocab_size - len(p))
        out["entropy_upper"] = partial - (missing * math.log(share) if share else 0.0)


@pytest.fixture(scope="session")
def naive():
    """The metrics of one token by plain arithmetic."""
    return naive_token
