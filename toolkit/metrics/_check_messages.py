"""Define the findings of `check`: severity, meaning, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.schema.codes import (
    LOGPROBS_REQUESTS,
    NOTE_SEVERITIES,
    NOTES,
    REASON_SEVERITIES,
    REASONS,
)


class Kind(NamedTuple):
    """A kind of finding."""

    severity: str
    message: str


_ASKING = f"Ask the server for the logprobs of tokens: {LOGPROBS_REQUESTS['openai_chat']}."
_ADVICE = {  # by code and format; format None: all other formats
    ("note_unread_logprobs", None): "Name their place: read(path='...') for an answer inside a "
    "record, read(shape=Shape(tokens='...', logprobs='...')) for lists of a form of their own.",
    ("note_mean_logprob_only", None): _ASKING,
    ("note_mean_logprob_only", "gemini"): "Ask for the logprobs of tokens: "
    f"{LOGPROBS_REQUESTS['gemini']}.",
    ("note_index_finished_twice", None): "If so, their tokens are mixed: ask for one answer a "
    "request.",
    ("no_logprobs", None): "Were they requested? " + _ASKING,
    ("no_logprobs", "gemini"): f"Were they requested? Set {LOGPROBS_REQUESTS['gemini']}.",
    ("no_logprobs", "openai_responses"): "Were they requested? Set "
    f"{LOGPROBS_REQUESTS['openai_responses']}.",
}

KINDS: dict[str, Kind] = {
    "no_responses": Kind("error", "No response was read that could be measured: see the rejects."),
    "invalid_logprobs": Kind(
        "error",
        "Logprobs above 0 are logits or scores. Answers with such a token have no perplexity, sum "
        "or confidence; ask the server for normalised logprobs.",
    ),
    "mixed_signs": Kind(
        "error",
        "One answer has logprobs above and below 0. Those below 0 are then logits too, so the "
        "answer has no perplexity, sum or confidence: n_invalid counts its tokens.",
    ),
    "invalid_alternatives": Kind(
        "error",
        "Alternatives have logprobs above 0, which are logits or scores. These entries are "
        "excluded from the lists, and the others are probably logits too.",
    ),
    "sampled_contradicted": Kind(
        "error",
        "The sampled token has one logprob, and its own entry among the alternatives another, "
        "beyond rounding: one is wrong, or they are of two distributions (temperature, a clamp, 0 "
        "for a forced token). Sums use that of the token, entropies and margins that of the entry.",
    ),
    "excess_mass": Kind(
        "error",
        "The probabilities of a list add up to more than 1, beyond rounding, so they are not a "
        "distribution. Entropies and labels are null there.",
    ),
    "all_zero": Kind(
        "error",
        "Every logprob is 0, as if every token were certain: servers send this if they decode "
        "greedily, or give probabilities after sampling. Perplexity and confidence mean nothing.",
    ),
    "no_logprobs": Kind(
        "warning",
        "There is text without logprobs: these answers have null metrics.",
    ),
    "no_answer": Kind(
        "warning",
        "There is neither text nor logprobs: the answer was empty, was withheld, or ended within "
        "its reasoning. These answers have null metrics and count in no mean.",
    ),
    "no_choices": Kind(
        "warning", "The response has no choice and no error: it is in no metric of answers."
    ),
    "censored_logprobs": Kind(
        "warning",
        "A sentinel or clamp (-9999, -3.4e38, -inf) replaces the logprob. Point values exclude "
        "these tokens; perplexity_lower and surprisal_lower bound them.",
    ),
    "missing_logprobs": Kind(
        "warning",
        "The logprob is null or NaN. These tokens keep their position, and metrics exclude them.",
    ),
    "sentinel_logprobs": Kind(
        "warning",
        "A whole number of at most -100 occurs several times: it stands for -inf or for an unknown "
        "logprob. It counts as a logprob, so sums, means and minima are too low.",
    ),
    "clamped": Kind(
        "warning",
        "The least logprob is a round number that occurs many times: the server clamps logprobs "
        "there. Sums and minima are too high.",
    ),
    "duplicated_alternatives": Kind(
        "warning",
        "Two alternatives of a position are the same token, by id, else bytes, else text: an entry "
        "was sent twice, or the server cut what tells two tokens apart. Both masses count.",
    ),
    "tokens_short": Kind(
        "warning", "The text continues after the last token: metrics cover its beginning only."
    ),
    "mismatch": Kind(
        "warning",
        "Tokens and text differ. Sums are over the tokens; words, spans and fields are those of "
        "the text that the tokens join to.",
    ),
    "replacement_characters": Kind(
        "warning",
        "A token without bytes holds U+FFFD: part of a character that cannot be restored. Words "
        "and fields around it may be misplaced.",
    ),
    "unfinished": Kind(
        "warning", "There is no finish reason: the answer or the recording was cut off."
    ),
    "failed": Kind("warning", "The server sent an error with the answer, or instead of it."),
    "duplicate_response_id": Kind(
        "warning",
        "Responses share an id: was the same recording read twice? All counts would be double.",
    ),
    "duplicate_custom_id": Kind(
        "warning",
        "Responses share a custom_id. Joins of labels and comparisons of runs need unique ones; "
        "agreement(by='custom_id') groups by them.",
    ),
    "tokens_extra": Kind(
        "info",
        "The tokens hold more than the text (a blank in front, special tokens, a thought). Sums "
        "count them; words, spans and fields do not.",
    ),
    "coverage_low": Kind(
        "info",
        "Usage counts more completion tokens than have logprobs: reasoning, tool calls or stop "
        "tokens have none. Sums are over the tokens that have logprobs.",
    ),
    "coverage_high": Kind(
        "info",
        "There are more logprobs than completion tokens in the usage: it counts one choice of "
        "several, or fewer kinds of token.",
    ),
    "bare_tool_call": Kind(
        "info",
        "The answer is a tool call without logprobs, which most servers do not send for calls: "
        "these answers have null metrics.",
    ),
    "no_alternatives": Kind(
        "info",
        "There is no list of alternatives: entropy, margin and labels are unknown.",
    ),
    "short_lists": Kind(
        "info",
        "These lists are shorter than most: intervals are wider there, and confidence_metrics "
        "excludes these tokens.",
    ),
    "extra_entry": Kind(
        "info",
        "The sampled token was added below the k likeliest ones: k + 1 entries. Its mass counts; "
        "it does not bound the tokens outside the list.",
    ),
    "repeated_entry": Kind(
        "info", "The sampled token occurs twice in the list: its mass counts once."
    ),
    "unsorted_lists": Kind("info", "Lists are not sorted by probability; ranks are computed."),
    "sampled_unlisted": Kind(
        "info", "The sampled token is not among the alternatives; its own logprob is known."
    ),
    "missing_bytes": Kind(
        "info", "No bytes were sent: the text of the token is used instead where possible."
    ),
    "low_precision": Kind(
        "info",
        "Logprobs have at most three decimals: ties, ranks and small differences are uncertain.",
    ),
    "cut_by_length": Kind(
        "info", "The answer was cut by the token limit: the model did not end it."
    ),
    "content_filter": Kind("info", "The answer was cut by a content filter."),
    "mixed_models": Kind(
        "info", "Several models in one load: group by model before you compare or pool."
    ),
    "mixed_formats": Kind("info", "Several formats in one load: their tokens may differ."),
    "mixed_k": Kind(
        "info",
        "The usual length of lists differs: entropies and confidence cannot be compared between "
        "them.",
    ),
    **{
        f"note_{note}": Kind(NOTE_SEVERITIES.get(note, "info"), f"Kept with a note: {text}.")
        for note, text in NOTES.items()
    },
    **{
        f"rejected_{reason}": Kind(
            REASON_SEVERITIES.get(reason, "warning"),
            f"Records were rejected: {text}. They are in no metric; see the rejects.",
        )
        for reason, text in REASONS.items()
    },
    "rejects_unlisted": Kind(
        "warning",
        "More records of these reasons were rejected than are listed in the rejects; with "
        'rejects="all" each is listed.',
    ),
}
"""Findings by code, in the order of a result within each severity."""


def message(code: str, format_: str | None) -> str:
    """Return what a finding means, and the advice that fits the format of its responses."""
    advice = _ADVICE.get((code, format_)) or _ADVICE.get((code, None))
    return " ".join(filter(None, (KINDS[code].message, advice)))
