"""Seeded corpora of model responses: whole or streamed, in either key casing, of any size."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.containers import CONTAINERS
from benchmarks.vocabulary import Style, Unit, pool

_SLOT = "@"
_ALPHABET = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_ABREAST = 4
_LENGTHS, _SHORT = (50, 500), (12, 28)  # tokens of an answer
_HALF_A_PAIR = '{"token":"\\ud83d","logprob":-1.5,"bytes":[240,159],"%s":[]}'


@dataclass(frozen=True)
class Spec:
    """What a corpus is like.

    Attributes
    ----------
    k : int
        Alternatives of each token.
    streamed : bool
        Stream chunks of one token each, then one that ends it and one with the usage.
    interleaved : bool
        Chunks of four streams in turn.
    camel : bool
        Keys in camelCase.
    spaced : bool
        Blanks after commas and colons.
    deferred : float
        Share of the (whole) responses that have half a surrogate pair in one token.
    short : bool
        Responses of 12 to 28 tokens, about 10 kB with five alternatives.
    container : str
        How the records are kept: a name of `benchmarks.containers.CONTAINERS`.
    seed : int
    """

    k: int = 5
    streamed: bool = False
    interleaved: bool = False
    camel: bool = False
    spaced: bool = False
    deferred: float = 0.0
    short: bool = False
    container: str = "lines"
    seed: int = 0

    @property
    def top(self) -> str:
        """Key of the alternatives."""
        return "topLogprobs" if self.camel else "top_logprobs"

    @property
    def style(self) -> Style:
        """How JSON is written."""
        return Style(self.top, self.spaced)

    @property
    def label(self) -> str:
        """A short name, also of the file."""
        flags = ("streamed", "interleaved", "camel", "spaced", "short")
        parts = [f"k{self.k}", *(name for name in flags if getattr(self, name))]
        parts += [f"deferred{self.deferred:g}"] if self.deferred else []
        parts += [self.container.replace(" ", "_")] if self.container != "lines" else []
        return "-".join([*parts, f"seed{self.seed}"])


class Answer(NamedTuple):
    """What one response says, before it is written in some form."""

    id: str
    created: int
    fingerprint: str
    units: list[Unit]
    deferred: bool


def write(
    path: Path, spec: Spec, *, megabytes: float | None = None, answers: int | None = None
) -> Path:
    """Write a corpus; compressed if the name ends in ``.gz``.

    Parameters
    ----------
    path : Path
    spec : Spec
    megabytes : float, optional
        Stop after the answer that reaches this size (of 10^6 bytes, before compression).
    answers : int, optional
        Stop after this many answers. Give one of the two.

    Returns
    -------
    Path
    """
    if (megabytes is None) == (answers is None):
        raise ValueError("give megabytes or answers")
    found = _answers(spec) if answers is None else itertools.islice(_answers(spec), answers)
    container = CONTAINERS[spec.container]
    written = 0
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as file:
        for lines in _grouped_lines(found, spec):
            written += file.write(container.joined(lines, is_first=not written).encode())
            if megabytes is not None and written >= megabytes * 1e6:
                break
        file.write(container.tail.encode())
    return path


def _answers(spec: Spec) -> Iterator[Answer]:
    units = pool(spec.seed, spec.k, spec.style)
    rng = np.random.default_rng([spec.seed, spec.k, 1])
    for number in itertools.count():
        n = int(rng.integers(*_SHORT if spec.short else _LENGTHS))
        chosen = [units[i] for i in rng.integers(0, len(units), n)]
        name = "".join(rng.choice(_ALPHABET, 23))
        fingerprint = f"fp_{int(rng.integers(0, 4)):010x}"
        deferred = bool(rng.random() < spec.deferred)
        # The number keeps ids apart, however many there are.
        yield Answer(
            f"chatcmpl-{number:06d}{name}", 1_795_000_000 + number, fingerprint, chosen, deferred
        )


def _grouped_lines(answers: Iterator[Answer], spec: Spec) -> Iterator[list[str]]:
    """Yield the lines of one answer after the other, or of several in turn."""
    if not spec.streamed:
        yield from ([_whole(answer, spec)] for answer in answers)
    elif not spec.interleaved:
        yield from (_chunks(answer, spec) for answer in answers)
    else:
        while abreast := list(itertools.islice(answers, _ABREAST)):
            turns = itertools.zip_longest(*(_chunks(answer, spec) for answer in abreast))
            yield [line for turn in turns for line in turn if line is not None]


def _whole(answer: Answer, spec: Spec) -> str:
    text = b"".join(unit.raw for unit in answer.units).decode()
    entries = [entry for unit in answer.units for entry in unit.entries]
    usage = _usage(len(entries))
    if answer.deferred:
        entries.append(_HALF_A_PAIR % spec.top)
    message = {"role": "assistant", "content": _SLOT, "refusal": None}
    body = _body(answer, spec, "chat.completion", {"message": message}, "stop", usage)
    return _filled(body, spec, spec.style.dumps(text), entries)


def _chunks(answer: Answer, spec: Spec) -> list[str]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return _body(answer, spec, "chat.completion.chunk", {"delta": delta}, finish, None)

    def bare(body: dict[str, Any]) -> dict[str, Any]:
        return body | {"choices": [body["choices"][0] | {"logprobs": None}]}

    dumps = spec.style.dumps
    first = bare(chunk({"role": "assistant", "content": "", "refusal": None}))
    last = bare(chunk({}, "stop"))
    n = sum(len(unit.entries) for unit in answer.units)
    usage = last | {"choices": [], "usage": _cased(_usage(n), spec)}
    head, middle, tail = _slots(chunk({"content": _SLOT}), spec)
    return [
        dumps(first),
        *(
            f"{head}{delta}{middle}{entry}{tail}"
            for unit in answer.units
            for entry, delta in zip(unit.entries, unit.deltas, strict=True)
        ),
        dumps(last),
        dumps(usage),
    ]


def _body(
    answer: Answer,
    spec: Spec,
    kind: str,
    said: dict[str, Any],
    finish: str | None,
    usage: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return a body as OpenAI orders its keys, with slots for what is written by other means."""
    choice = {"index": 0, **said, "logprobs": {"content": [_SLOT], "refusal": None}}
    body = {
        "id": answer.id,
        "object": kind,
        "created": answer.created,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [choice | {"finish_reason": finish}],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": answer.fingerprint,
    }
    return _cased(body, spec)


def _usage(n: int) -> dict[str, Any]:
    prompt = 40 + n % 97
    return {
        "prompt_tokens": prompt,
        "completion_tokens": n,
        "total_tokens": prompt + n,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _cased(value: Any, spec: Spec) -> Any:
    """Return the value with its keys in the casing of the corpus."""
    if not spec.camel:
        return value
    if isinstance(value, list):
        return [_cased(item, spec) for item in value]
    if isinstance(value, dict):
        return {_camel(key): _cased(item, spec) for key, item in value.items()}
    return value


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)


def _slots(body: dict[str, Any], spec: Spec) -> list[str]:
    return spec.style.dumps(body).split(json.dumps(_SLOT))


def _filled(body: dict[str, Any], spec: Spec, text: str, entries: list[str]) -> str:
    head, middle, tail = _slots(body, spec)
    comma = ", " if spec.spaced else ","
    return f"{head}{text}{middle}{comma.join(entries)}{tail}"


def cached(folder: Path, spec: Spec, megabytes: float, suffix: str = ".jsonl") -> Path:
    """Return the corpus of that size in the folder, written if it is not there yet."""
    path = folder / f"{spec.label}-{megabytes:g}mb{suffix}"
    if not path.exists():
        part = path.with_name(f"part-{path.name}")
        write(part, spec, megabytes=megabytes).rename(path)
    return path


def as_streamed(spec: Spec, *, interleaved: bool = False) -> Spec:
    """Return the same answers as stream chunks."""
    return replace(spec, streamed=True, interleaved=interleaved)
