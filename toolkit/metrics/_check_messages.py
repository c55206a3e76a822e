"""Define the findings of `check`: severity, meaning, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.schema.codes import NOTES, REASONS


class Kind(NamedTuple):
    """A kind of finding."""

    severity: str
    message: str


_WARNING_NOTES = ("gap", "bad_logprobs", "bad_top_logprobs", "duplicate_index")
_ERROR_REASONS = ("unreadable_source", "truncated_source", "changed_source")

KINDS: dict[str, Kind] = {
    "no_responses": Kind("error", "No response was read that could be measured: see the rejects."),
    "invalid_logprobs": Kind(
        "error",
        "Logprobs above 0 are logits or scores. These tokens are excluded from all metrics; ask "
        "the server for normalised logprobs.",
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
        "There is text without logprobs: these answers have null metrics. Were logprobs requested?",
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
    "clamped": Kind(
        "warning",
        "The least logprob is a round number that occurs many times: the server clamps logprobs "
        "there. Sums and minima are too high.",
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
        f"note_{note}": Kind(
            "warning" if note in _WARNING_NOTES else "info", f"Kept with a note: {text}."
        )
        for note, text in NOTES.items()
    },
    **{
        f"rejected_{reason}": Kind(
            "error" if reason in _ERROR_REASONS else "warning",
            f"Records were rejected: {text}. They are in no metric; see the rejects.",
        )
        for reason, text in REASONS.items()
    },
}
"""Findings by code, in the order of a result within each severity."""
