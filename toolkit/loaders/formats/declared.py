"""Formats that are declarations: where things lie in what servers and client libraries write."""

from __future__ import annotations

from dataclasses import replace

from toolkit.loaders.formats.shape import Shape

_MESSAGE = Shape(
    name="langchain",
    marks=("response_metadata",),
    tokens="response_metadata.logprobs|response_metadata.logprobs_result",
    text="content",
    tool_calls="additional_kwargs.tool_calls[]|tool_calls[]|invalid_tool_calls[]",
    refusal="additional_kwargs.refusal",
    reasoning="additional_kwargs.reasoning_content",
    finish_reason="response_metadata.finish_reason|response_metadata.done_reason"
    "|response_metadata.stop_reason",
    id="response_metadata.id|id",
    model="response_metadata.model_name|response_metadata.model",
    system_fingerprint="response_metadata.system_fingerprint",
    usage="response_metadata.token_usage|usage_metadata|response_metadata.usage|response_metadata",
)


def _generations(
    marks: tuple[str, ...], answers: str = "", first: str = "", records: str = ""
) -> Shape:
    """Return where a result of LangChain has its generations, each with a message.

    The metadata of the whole are those of the first message. A message that LangChain's own
    serializer wrote, as in runs of LangSmith, has its fields under ``kwargs``.
    """

    def of(paths: str, message: str = "message") -> str:
        each = paths.split("|")
        return "|".join(f"{message}{inner}.{path}" for inner in (".kwargs", "") for path in each)

    def of_first(paths: str, name: str) -> str:
        return of(paths, f"{first}message") + f"|llm_output.{name}"

    return Shape(
        name="langchain",
        marks=marks,
        records=records,
        answers=answers,
        tokens="generation_info.logprobs|" + of(_MESSAGE.tokens),
        text="text",
        tool_calls=of(_MESSAGE.tool_calls),
        refusal=of(_MESSAGE.refusal),
        reasoning=of(_MESSAGE.reasoning),
        finish_reason="generation_info.finish_reason|" + of(_MESSAGE.finish_reason),
        id=of_first(_MESSAGE.id, "id"),
        model=of_first(_MESSAGE.model, "model_name"),
        system_fingerprint=of_first(_MESSAGE.system_fingerprint, "system_fingerprint"),
        usage=of_first(_MESSAGE.usage, "token_usage"),
    )


SHAPES = (
    Shape(
        name="vllm_output",
        marks=("outputs[].token_ids",),
        answers="outputs[]",
        tokens="logprobs",
        token_ids="token_ids",
        prompt="prompt_logprobs",
        prompt_ids="prompt_token_ids",
        text="text",
        finish_reason="finish_reason",
        index="index",
        id="request_id",
        stream="maybe",
        finished="finished",
    ),
    Shape(
        name="vllm_output",
        marks=("token_ids", "text", "logprobs"),
        tokens="logprobs",
        token_ids="token_ids",
        text="text",
        finish_reason="finish_reason",
        index="index",
    ),
    Shape(
        name="vllm_generate",
        marks=("choices[].token_ids", "request_id"),
        answers="choices[]",
        tokens="logprobs",
        prompt="prompt_logprobs",
        text="text",
        finish_reason="finish_reason",
        index="index",
        id="request_id",
        usage="usage",
    ),
    Shape(
        name="triton_vllm",
        marks=("text_output", "model_name"),
        tokens="logprobs",
        text="text_output[]|text_output",
        model="model_name",
        id="id",
    ),
    Shape(
        name="ray_data_llm",
        marks=("generated_text", "generated_tokens"),
        tokens="logprobs",
        token_ids="generated_tokens",
        text="generated_text",
        finish_reason="finish_reason",
        usage="$",
    ),
    Shape(
        name="tgi_generate",
        marks=("details.tokens",),
        tokens="details.tokens",
        alternatives="details.top_tokens",
        prompt="details.prefill",
        text="generated_text",
        finish_reason="details.finish_reason",
        usage="details",
    ),
    Shape(
        name="tgi_generate",
        marks=("token.logprob",),
        tokens="token",
        text="token.text",
        finish_reason="details.finish_reason",
        usage="details",
        stream="yes",
    ),
    Shape(
        name="sglang_generate",
        marks=(
            "meta_info.output_token_logprobs|meta_info.completion_tokens|meta_info.finish_reason",
        ),
        tokens="meta_info.output_token_logprobs",
        alternatives="meta_info.output_top_logprobs",
        prompt="meta_info.input_token_logprobs",
        prompt_alternatives="meta_info.input_top_logprobs",
        text="text",
        finish_reason="meta_info.finish_reason",
        index="index",
        id="meta_info.id",
        usage="meta_info",
        stream="maybe",
    ),
    Shape(
        name="bedrock_import",
        marks=("generation", "generation_token_count"),
        keys="id",
        tokens="logprobs",
        text="generation",
        finish_reason="stop_reason",
        usage="$",
    ),
    Shape(
        name="cohere_chat",
        marks=("message.content", "finish_reason", "logprobs[].token_ids"),
        tokens="logprobs",
        text="message.content[].text",
        role="message.role",
        finish_reason="finish_reason",
        id="id",
        usage="usage",
    ),
    Shape(
        name="helm",
        marks=("request_states[].result.completions",),
        records="request_states[]",
        answers="result.completions[]",
        tokens="tokens",
        text="text",
        finish_reason="finish_reason",
        custom_id="instance.id",
        model="request.model",
    ),
    replace(
        _MESSAGE,
        marks=("response_metadata", "type=AIMessageChunk"),
        tool_calls="tool_call_chunks[]|additional_kwargs.tool_calls[]",
        id="id",
        stream="yes",
    ),
    _MESSAGE,
    _generations(("generations[1][].text",), "[]", "[0].", records="generations[]"),
    _generations(("generations[0][].text",), "generations[0][]", "generations[0][0]."),
    _generations(("generation_info", "text")),
    Shape(
        name="haystack",
        marks=("meta.finish_reason",),
        tokens="meta.logprobs",
        text="content[].text|_content[].text|content|_content",
        tool_calls="content[].tool_call|_content[].tool_call",
        role="role",
        finish_reason="meta.finish_reason",
        index="meta.index",
        model="meta.model",
        usage="meta.usage",
    ),
    Shape(
        name="pydantic_ai",
        marks=("parts", "kind=response"),
        tokens="provider_details.logprobs",
        text="parts[part_kind=text].content",
        reasoning="parts[part_kind=thinking].content",
        tool_calls="parts[part_kind=tool-call]",
        finish_reason="finish_reason|provider_details.finish_reason",
        id="provider_response_id",
        model="model_name",
        usage="usage",
    ),
    Shape(
        name="vercel_ai",
        marks=("provider_metadata", "finish_reason"),
        tokens="provider_metadata.openai.logprobs|provider_metadata.azure.logprobs",
        text="text",
        reasoning="reasoning_text",
        tool_calls="tool_calls",
        finish_reason="finish_reason",
        id="response.id",
        model="response.model_id",
        usage="usage",
    ),
    Shape(
        name="oci_chat",
        marks=("chat_response.choices",),
        answers="chat_response.choices[]",
        tokens="logprobs",
        text="message.content[].text|message.content",
        role="message.role",
        tool_calls="message.tool_calls",
        finish_reason="finish_reason",
        index="index",
        model="model_id",
        usage="chat_response.usage",
    ),
    Shape(
        name="dashscope",
        marks=("output.choices", "request_id"),
        answers="output.choices[]",
        tokens="logprobs",
        text="message.content",
        reasoning="message.reasoning_content",
        role="message.role",
        tool_calls="message.tool_calls",
        finish_reason="finish_reason",
        id="request_id",
        usage="usage",
        stream="maybe",
    ),
    Shape(
        name="transcription",
        marks=("transcript", "logprobs"),
        tokens="logprobs",
        text="transcript",
        id="item_id",
        usage="usage",
        stream="final_copy",
    ),
    Shape(
        name="transcription",
        marks=("text", "type=transcript.text.done"),
        tokens="logprobs",
        text="text",
        usage="usage",
        stream="final_copy",
    ),
    Shape(
        name="transcription",
        marks=("delta", "type=conversation.item.input_audio_transcription.delta"),
        tokens="logprobs",
        text="delta",
        id="item_id",
        stream="yes",
    ),
    Shape(
        name="transcription",
        marks=("delta", "type=transcription.delta"),
        tokens="logprobs",
        text="delta",
        stream="yes",
    ),
    Shape(
        name="transcription",
        marks=("delta", "type=transcript.text.delta"),
        tokens="logprobs",
        text="delta",
        stream="yes",
    ),
)
"""At most one of these matches a record, or the first that does counts."""
