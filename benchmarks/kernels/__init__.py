"""The contestants of computing metrics, over the same Arrow tables.

Every module has ``load(lp)``, which is not timed, and functions of what it returns: ``perplexity``
(one row per response, choice and channel) and ``entropy`` (of the listed alternatives, one row per
token), each a table of the keys and a column ``value``. Both leave out what is not of status ok and
take tiny positive logprobs as 0, as the toolkit does.
"""

ANSWER = ("response_key", "choice", "channel")
TOKEN = (*ANSWER, "position")
