"""Build answers from pieces of bytes, for tests of the alignment of tokens with text."""

import toolkit


def entry(raw, logprob, others=()):
    """Return a token of raw bytes as servers send it: U+FFFD where they are not a character."""
    top = [{"token": text, "logprob": p, "bytes": list(text.encode())} for text, p in others]
    return {
        "token": raw.decode("utf-8", "replace"),
        "bytes": list(raw),
        "logprob": logprob,
        "top_logprobs": top,
    }


def body(pieces, text=None, **fields):
    """Return a response of (bytes, logprob) tokens; its text is theirs unless given."""
    joined = b"".join(raw for raw, *_ in pieces)
    said = joined.decode("utf-8", "replace") if text is None else text
    entries = [entry(*piece) for piece in pieces]
    choice = {"message": {"content": said or None}, "logprobs": {"content": entries}}
    return {"model": "m", **fields, "choices": [choice]}


def spoken(*answers, **fields):
    """Load answers, each a list of (bytes, logprob) pairs."""
    return toolkit.from_responses([body(pieces, **fields) for pieces in answers])


def cut(data, cuts):
    """Cut bytes at places; the logprobs are distinct and known from the ordinal."""
    bounds = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    parts = zip(bounds, bounds[1:], strict=False)
    return [(data[a:b], -0.125 * (i % 7 + 1)) for i, (a, b) in enumerate(parts)]


def touching(pieces, low, high):
    """Return the ordinals of the pieces that wrote a byte from low to high: one byte at a time."""
    owner = [i for i, (raw, *_) in enumerate(pieces) for _ in raw]
    return sorted(set(owner[low:high]))
