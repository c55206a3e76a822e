"""The models of OpenAI's SDK (pydantic), then loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionTokenLogprob

from benchmarks.corpus import Spec
from benchmarks.flat import Flat
from benchmarks.loops import collector_paused, from_objects, lines


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse line by line into the SDK's response objects."""
    with collector_paused():
        return from_objects(_records(path, spec), spec)


def _records(path: Path, spec: Spec) -> Iterator[tuple[str, list[ChatCompletionTokenLogprob]]]:
    parse = (ChatCompletionChunk if spec.streamed else ChatCompletion).model_validate_json
    for line in lines(path):
        record = parse(line)
        logprobs = record.choices[0].logprobs if record.choices else None
        if logprobs is not None:
            yield record.id, logprobs.content or []
