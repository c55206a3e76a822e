"""Declare the tables `option_scores` and `multiple_choice`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, TEXT, Column, Table, metric, total
from toolkit.schema.tables import RESPONSE_KEY, RESPONSES

CHOICE_MEASURES = ("acc", "acc_norm", "acc_bytes", "acc_tokens", "acc_mutual_info")
"""Names of lm-evaluation-harness for what the option with the highest score is chosen by."""

_HARNESS = "lm-evaluation-harness"
_QUESTION = Column("question", TEXT, "The question, as `options` names it.", required=True)

OPTION_SCORES = Table(
    "option_scores",
    "Multiple choice: one row per scored option, in the order of `options`.",
    (),
    (
        RESPONSE_KEY,
        RESPONSES["custom_id"],
        RESPONSES["model"],
        _QUESTION,
        Column("option", TEXT, "The option, as `options` names it.", required=True),
        Column("is_correct", pa.bool_(), "Whether it is the right option; null: not given."),
        Column(
            "is_aligned",
            pa.bool_(),
            "Whether the scored text ends with the text of the option; if not, scores are null.",
            required=True,
        ),
        Column(
            "is_partial",
            pa.bool_(),
            "Whether its first token also wrote text before the option, other than white space.",
            required=True,
        ),
        total("n_tokens", "Tokens that wrote the option and the white space in front of it."),
        total("n_scored", "Of these, tokens with a usable logprob."),
        total("n_characters", "Characters of the option as given.", "characters"),
        total("n_bytes", "Its UTF-8 bytes.", "bytes"),
        metric(
            "acc",
            "nats",
            "higher",
            "Log likelihood of the option; null if one of its tokens has no usable logprob.",
            formula="sum of logprob over the tokens of the option",
            source=_HARNESS,
            caveat="which option is preferred for its meaning: longer ones score lower.",
        ),
        metric(
            "acc_norm",
            "nats/character",
            "higher",
            "Log likelihood per character.",
            formula="acc / n_characters",
            source=_HARNESS,
            caveat="how options in different scripts compare.",
        ),
        metric(
            "acc_bytes",
            "nats/byte",
            "higher",
            "Log likelihood per byte.",
            formula="acc / n_bytes",
            source=_HARNESS,
            caveat="how options in different scripts compare.",
        ),
        metric(
            "acc_tokens",
            "nats/token",
            "higher",
            "Log likelihood per token.",
            formula="acc / n_tokens",
            source=_HARNESS,
            caveat="how a model with another tokenizer compares.",
        ),
        metric(
            "acc_mutual_info",
            "nats",
            "higher",
            "Log likelihood less that without the question; null without `unconditional`.",
            formula="acc - the acc of the same option without the question",
            source="Holtzman et al. 2021",
            caveat="how likely the option is: a rare one can score highest.",
        ),
    ),
)
MULTIPLE_CHOICE = Table(
    "multiple_choice",
    "Multiple choice: one row per question and measure that chooses.",
    (),
    (
        _QUESTION,
        Column(
            "measure",
            LABEL,
            "The score whose greatest value chooses: by sum (acc), per character (acc_norm), per "
            "byte, per token, or less the sum without the question.",
            required=True,
            labels=CHOICE_MEASURES,
        ),
        total("n_options", "Options of the question.", "options"),
        Column("chosen", TEXT, "The option with the highest score; null if a score is unknown."),
        Column("is_correct", pa.bool_(), "Whether it is the right one; null: not known."),
        metric(
            "margin",
            "",
            "higher",
            "Score of the chosen option less the next one, in the unit of the score; 0: a tie, "
            "which the first option wins.",
            formula="highest score - second highest score",
            caveat="whether the option is right.",
        ),
        Column(
            "is_changed",
            pa.bool_(),
            "Whether this measure chooses another option than acc; null if either is null.",
        ),
    ),
)
