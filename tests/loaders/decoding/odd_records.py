"""Records written by hand, because dictionaries cannot hold what is odd in them."""

from dataclasses import dataclass, field
from typing import Any

CANARY = "MyDearCanary"
DROP = "\0"  # leave the key out


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
