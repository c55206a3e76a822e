"""Declare the table `same_model`."""

from __future__ import annotations

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import RESPONSES

_CHAUVIN = "Chauvin et al. 2026"
_WHY = "why the sides differ: another model, precision, kernel, template or setting."
_PROMPTS = "what holds for other prompts than these."

SAME_MODEL = Table(
    "same_model",
    "Whether two sides give the same distribution of the first token: one row over all prompts, or "
    "one per prompt.",
    (),
    (
        RESPONSES["custom_id"],
        total("n_prompts", "Prompts that both sides have answers to.", "prompts"),
        total("n_a", "Answers of the first side.", "answers"),
        total("n_b", "Answers of the second side.", "answers"),
        total("n_tokens", "Different tokens in their lists, added up over prompts."),
        metric(
            "difference",
            "nats",
            "",
            "Effect size, averaged over the tokens of a prompt, then over prompts. A token that a "
            "list lacks has the list's least logprob.",
            formula="mean(|mean(logprob_b) - mean(logprob_a)|)",
            source=_CHAUVIN,
            caveat=_WHY,
        ),
        metric(
            "expected_difference",
            "nats",
            "",
            "What noise gives if the sides are the same.",
            formula="mean of difference over permutations",
            source=_CHAUVIN,
            caveat="how noisy one logprob is.",
        ),
        metric(
            "excess",
            "nats",
            "",
            "About 0 if the sides are the same.",
            formula="difference - expected_difference",
            caveat=_WHY,
        ),
        *(
            metric(
                f"excess_{end}",
                "nats",
                "",
                f"{end.title()} end of its interval over prompts; null for one prompt, or if all "
                "have the same excess.",
                formula=f"excess {sign} t se, where se is the standard error over prompts",
                source="Student 1908",
                caveat=_PROMPTS,
            )
            for end, sign in (("lower", "-"), ("upper", "+"))
        ),
        metric(
            "p_value",
            "1",
            "",
            "Chance of such a difference, or a larger one, if the sides are the same.",
            formula="share of permutations, this one included, whose difference is as large",
            source=_CHAUVIN,
            caveat="how large the difference is, nor that the sides are the same if it is large.",
        ),
        metric(
            "p_holm",
            "1",
            "",
            "p_value adjusted for the number of rows.",
            formula="max over the i least p values of (n - i + 1) p_i, up to 1",
            source="Holm 1979",
            caveat="how large the difference is.",
        ),
        metric(
            "p_least",
            "1",
            "",
            "Least p_value that so few answers can give: ask each prompt more often if it is above "
            "the level that is wanted.",
            formula="1 / number of distinct permutations, at least 1 / (n_permutations + 1)",
            caveat="whether the sides differ.",
        ),
        Column("fingerprints_a", TEXT, "The system_fingerprints of the first side; null: none."),
        Column("fingerprints_b", TEXT, "The system_fingerprints of the second side; null: none."),
        known("n_left_out", "answers", "", "Answers without a list, or to a prompt of one side."),
    ),
)
