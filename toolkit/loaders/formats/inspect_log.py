"""Unwrap a log of Inspect, or one sample of it.

``{"samples": [{"id", "epoch", "output": {"model", "choices": [...], "usage"}}]}``. The choices are
those of the chat schema, with ``stop_reason`` instead of ``finish_reason``, and the usage has
``input_tokens`` and ``output_tokens``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import is_claimed

NAME = "inspect_log"
SHAPE = "samples[].output.choices"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a log or a sample."""
    if is_claimed(obj):
        return False
    samples = obj.get("samples")
    return _is_sample(obj) or (isinstance(samples, list) and any(map(_is_sample, samples)))


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the answer of each sample; the id of the sample becomes the ``custom_id``."""
    if _is_sample(obj):
        yield _body(obj, path)
        return
    for i, sample in enumerate(obj["samples"]):
        if _is_sample(sample):
            yield _body(sample, f"{path}.samples[{i}]")


def _is_sample(sample: object) -> bool:
    output = sample.get("output") if isinstance(sample, dict) else None
    return isinstance(output, dict) and isinstance(output.get("choices"), list)


def _body(sample: dict[str, Any], path: str) -> Body:
    output = sample["output"]
    choices = [
        {**choice, "finish_reason": choice.get("finish_reason", choice.get("stop_reason"))}
        if isinstance(choice, dict)
        else choice
        for choice in output["choices"]
    ]
    usage = output.get("usage")
    if isinstance(usage, dict) and "input_tokens" in usage:
        usage = {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage.get("output_tokens"),
            "total_tokens": usage.get("total_tokens"),
            "prompt_tokens_details": {"cached_tokens": usage.get("input_tokens_cache_read")},
            "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens")},
        }
    custom_id = str(sample["id"]) if isinstance(sample.get("id"), str | int) else None
    body = {**output, "choices": choices, "usage": usage}
    return Body(body, NAME, f"{path}.output", custom_id, alone=True)
