"""What `check` can find: the severity of each finding, what it means, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.schema.codes import NOTES, REASONS


class Kind(NamedTuple):
    """A kind of finding."""

    severity: str
    message: str


_GRAVE_NOTES = ("gap", "bad_logprobs", "bad_top_logprobs", "duplicate_index")
_GRAVE_REASONS = ("unreadable_source", "truncated_source", "changed_source")

KINDS: dict[str, Kind] = {
    "no_responses": Kind("error", "Nothing was read that could be measured: see the rejects."),
    "invalid_logprobs": Kind(
        "error",
        "Logprobs above 0 are logits or scores. These tokens are left out of all metrics; ask the "
        "server for normalised logprobs.",
    ),
    "excess_mass": Kind(
        "error",
        "The probabilities of a list add up to more than 1, beyond rounding: they are no "
        "distribution. Entropies and labels are null there.",
    ),
    "all_zero": Kind(
        "error",
        "Every logprob is 0, as if all had been certain: servers send this when they decode "
        "greedily, or give probabilities after sampling. Perplexity and confidence mean nothing.",
    ),
    "no_logprobs": Kind(
        "warning",
        "There is text and no logprobs: these answers have null metrics. Were logprobs asked for?",
    ),
    "censored_logprobs": Kind(
        "warning",
        "A sentinel or clamp (-9999, -3.4e38, -inf) stands for the logprob. Point values leave "
        "these tokens out; perplexity_lower and surprisal_lower bound them.",
    ),
    "missing_logprobs": Kind(
        "warning", "The logprob is null or NaN. These tokens keep their place, and are left out."
    ),
    "clamped": Kind(
        "warning",
        "The least logprob is a round number that comes again and again: the server cuts off "
        "there. Sums and minima are too high.",
    ),
    "tokens_short": Kind(
        "warning", "The text goes on where the tokens end: metrics are of its beginning."
    ),
    "mismatch": Kind(
        "warning",
        "Tokens and text say different things. Sums are of the tokens; words, spans and fields "
        "are those of the tokens' own text.",
    ),
    "replacement_characters": Kind(
        "warning",
        "A token without bytes holds U+FFFD: part of a character that cannot be restored. Words "
        "and fields around it may be misplaced.",
    ),
    "unfinished": Kind(
        "warning", "There is no finish reason: the answer broke off, or the recording did."
    ),
    "failed": Kind("warning", "The server sent an error beside the answer, or in its place."),
    "duplicate_response_id": Kind(
        "warning",
        "Responses share an id: was the same recording read twice? All counts would be double.",
    ),
    "duplicate_custom_id": Kind(
        "warning",
        "Responses share a custom_id. Joins of labels and comparisons of runs need one each; "
        "agreement(by='custom_id') takes them together.",
    ),
    "tokens_extra": Kind(
        "info",
        "The tokens hold more than the text (a blank in front, special tokens, a thought). Sums "
        "count them; words, spans and fields do not.",
    ),
    "coverage_low": Kind(
        "info",
        "Usage counts more completion tokens than have logprobs: reasoning, tool calls or stop "
        "tokens came without. Sums are of what came.",
    ),
    "coverage_high": Kind(
        "info",
        "There are more logprobs than completion tokens in the usage: it counts one choice of "
        "several, or fewer kinds of token.",
    ),
    "no_alternatives": Kind(
        "info", "There is no list of alternatives: entropy, margin and labels are null or open."
    ),
    "short_lists": Kind(
        "info",
        "Lists are shorter than most: intervals are wider there, and confidence_metrics leaves "
        "these tokens out.",
    ),
    "extra_entry": Kind(
        "info",
        "The sampled token was added below the likeliest ones: k + 1 entries. Its mass counts; it "
        "does not bound what is unseen.",
    ),
    "repeated_entry": Kind(
        "info", "The sampled token stands twice in the list: its mass counts once."
    ),
    "unsorted_lists": Kind("info", "Lists are not sorted by probability; ranks are ours."),
    "sampled_unlisted": Kind(
        "info", "The sampled token is not among the alternatives; its own logprob is known."
    ),
    "missing_bytes": Kind(
        "info", "No bytes were sent: the text of the token stands in for them where it can."
    ),
    "low_precision": Kind(
        "info",
        "Logprobs have at most three decimals: ties, ranks and small differences are uncertain.",
    ),
    "cut_by_length": Kind(
        "info", "The answer was cut by the limit of tokens: its end was not the model's."
    ),
    "content_filter": Kind("info", "The answer was cut by a content filter."),
    "mixed_models": Kind(
        "info", "Several models in one load: group by model before you compare or pool."
    ),
    "mixed_formats": Kind("info", "Several formats in one load: their tokens may differ in kind."),
    "mixed_k": Kind(
        "info",
        "Lists of several usual lengths: entropies and confidence do not compare between them.",
    ),
    **{
        f"note_{note}": Kind(
            "warning" if note in _GRAVE_NOTES else "info", f"Kept with a note: {text}."
        )
        for note, text in NOTES.items()
    },
    **{
        f"rejected_{reason}": Kind(
            "error" if reason in _GRAVE_REASONS else "warning",
            f"Records were rejected: {text}. They are in no metric; see the rejects.",
        )
        for reason, text in REASONS.items()
    },
}
"""By code; within a severity in the order in which they are told."""
