"""Recordings of every kind of shard: cut files, whole ones, and two that should not be cut."""

import gzip
import json

from tests.conftest import ROOT

SHARD_BYTES = 1 << 20
MESSY = (b"", b"[DONE]", b": comment", b"BZh9 broken", b'{"choices": [', b"data: [DONE]", b"null")


def answer(i):
    """Return an answer of about 8 KB."""
    tokens = [
        {
            "token": f"t{i * 7 % 50 + j % 50}",
            "logprob": -((i + j) % 90) / 16,
            "top_logprobs": [{"token": f"a{k}", "logprob": -k - j % 3} for k in range(1, 3)],
        }
        for j in range(60)
    ]
    text = "".join(each["token"] for each in tokens)
    return {
        "id": f"id-{i}",
        "model": ("m1", "m2")[i % 2],
        "choices": [{"message": {"content": text}, "logprobs": {"content": tokens}}],
    }


def chunk(i):
    entry = {"token": "x", "logprob": -0.25}
    return {
        "id": f"stream-{i // 50}",
        "choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": [entry]}}],
    }


def lines_of(values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def make(folder):
    """Write the recordings; return their paths, in the order in which they are exported."""
    answers = [json.dumps(answer(i)).encode() for i in range(560)]
    messy = [piece for i, text in enumerate(answers) for piece in (text, MESSY[i % len(MESSY)])]
    contents = {
        "a-large.jsonl": b"\n".join(messy) + b"\n",
        "b-small.jsonl": b"\n".join(answers[:40]) + b"\n",
        "c-chunks.jsonl": lines_of(answer(i) for i in range(300))
        + lines_of(map(chunk, range(400))),
        "d-several.jsonl": lines_of(
            [*map(answer, range(200)), [answer(1), answer(2)], *map(answer, range(200))]
        ),
        "e-packed.jsonl.gz": gzip.compress(b"\n".join(answers[:200]), mtime=0),
        "f-stream.sse": (ROOT / "data" / "refusal_stream.sse").read_bytes(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
