"""Call every public function as a user would; mypy and pyright check what comes back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import assert_type

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

import toolkit
from toolkit import LogprobTables, ToolkitError, dataset, errors, metrics, plot, schema


def loading(data: Path, folder: Path) -> LogprobTables:
    """Read, scan, convert, record and join."""
    lp = toolkit.read(data / "capitals_batch.jsonl", on_error="reject", progress=False)
    assert_type(lp, LogprobTables)
    assert_type(
        toolkit.scan([data / "pairs_stream.sse"], batch_bytes=1 << 20), Iterator[LogprobTables]
    )
    limits = toolkit.Limits(record_bytes=1 << 20)
    toolkit.read(os.fspath(data / "pairs_whole.jsonl"), limits=limits, threads=1, path=None)
    shape = toolkit.Shape(tokens="tok", logprobs="lp", text="out")
    toolkit.read(data / "pairs_whole.jsonl", id="id", keep=["model"], shape=shape)
    chunks = [{"id": "a", "choices": [{"delta": {"content": "Hi"}}]}]
    for chunk in toolkit.tee(chunks, folder / "log.jsonl", custom_id="hi"):
        assert chunk in chunks
    made = toolkit.from_responses({"choices": [{"message": {"content": "Hi"}}]}, custom_id="hi")
    assert_type(toolkit.concat([made, lp]), LogprobTables)
    assert_type(toolkit.decoder(), str)
    assert_type(toolkit.__version__, str)
    return lp


def tables(lp: LogprobTables) -> None:
    """Look at tables, rows and texts."""
    assert_type(len(lp), int)
    assert_type(lp.filter(finish_reason="stop"), LogprobTables)
    assert_type(lp.text(0), str | None)
    assert_type(lp.text("capital-000", choice=0, channel="content"), str | None)
    assert_type(lp.locate("capital-000"), int)
    answers = metrics.sequence_metrics(lp)
    for row in answers.itertuples():
        assert_type(lp.locate(row), int)
    assert_type(lp.text(answers.iloc[0]), str | None)
    assert_type(lp.only({"response_key": 0, "choice": 0}), LogprobTables)
    attached: pd.DataFrame = lp.attach(answers, "line", "text")
    assert len(attached) == len(answers)
    assert lp.attach(lp.choices, "custom_id").num_rows == lp.choices.num_rows
    assert_type(lp.raw("capital-000"), list[str])
    assert_type(lp.raw(lp.responses.slice(0, 1), path=None), list[str])
    assert_type(lp.equals(lp), bool)
    frame: pd.DataFrame = lp.to_pandas("tokens")
    assert len(frame) == lp.tokens.num_rows
    for table in (lp.responses, lp.choices, lp.alternatives, lp.rejects, lp.ledger):
        assert table.num_columns
    assert lp.to_polars("tokens").height == lp.tokens.num_rows
    assert_type(lp.head(3), LogprobTables)
    assert lp["tokens"].num_rows == lp.tokens.num_rows


def storing(lp: LogprobTables, data: Path, folder: Path) -> None:
    """Write Parquet and read it."""
    out = lp.write_parquet(folder / "written", overwrite=False)
    assert_type(out, Path)
    assert_type(toolkit.read_parquet(out), LogprobTables)
    assert_type(dataset.read_parquet(os.fspath(out)), LogprobTables)
    opened = toolkit.open_dataset(out)
    assert_type(opened, dataset.Dataset)
    assert_type(opened.files("tokens"), list[str])
    assert_type(opened.batches(), Iterator[LogprobTables])
    frames: Iterator[pd.DataFrame] = opened.sequence_metrics(threshold=0.1)
    pooled: pd.DataFrame = opened.corpus_metrics(by="model")
    pooled = opened.usage(by="model", prices={"m": (0.1, 0.7)})
    pooled = opened.token_histogram("surprisal", bins=5)
    assert len(pooled) <= sum(map(len, frames))
    assert_type(
        dataset.arrow_stream(data / "pairs_whole.jsonl", "tokens", threads=1), dataset.ArrowStream
    )
    out = toolkit.export(data / "pairs_stream.sse", folder / "exported")
    out = dataset.export([data / "pairs_stream.sse"], folder / "again", resume=True, threads=1)
    assert toolkit.export(data / "pairs_stream.sse", f"file://{folder}/store/direct")
    assert out
    shards = dataset.plan_export(data / "pairs_stream.sse", shard_bytes=1 << 20)
    assert_type(shards, list[dataset.Shard])
    copies = [dataset.Shard.from_json(shard.to_json()) for shard in shards]
    reports = [dataset.export_shard(shard, folder / "steps") for shard in copies]
    assert_type(reports, list[dataset.ShardReport])
    manifest = dataset.finish_export(reports, folder / "steps", overwrite=True)
    assert manifest["tables"]
    store = f"file://{folder}/store/answers"
    assert dataset.upload_dataset(folder / "steps", store, overwrite=True)["run"]
    assert_type(dataset.abandon_exports(store, older_than=timedelta(days=1)), list[str])


def measuring(lp: LogprobTables) -> list[pd.DataFrame]:
    """Compute the metrics of tokens, answers and corpora."""
    options = pd.DataFrame({"custom_id": ["capital-000"], "option": ["A"], "text": ["Paris"]})
    answers = toolkit.sequence_metrics(lp, vocab_size=100_000, threshold=0.5)
    found: list[pd.DataFrame] = [
        answers,
        toolkit.answers(lp, sort="perplexity", ascending=False, where=["n_tokens>1"]),
        toolkit.token_metrics(lp, vocab_size=None),
        toolkit.corpus_metrics(lp, by="model"),
        toolkit.corpus_metrics(answers, by=["model"]),
        toolkit.confidence_metrics(lp, k=5, window=16),
        toolkit.word_metrics(lp, by="sentence"),
        toolkit.span_metrics(lp, metrics.spans(lp)),
        toolkit.field_metrics(lp, source="content"),
        toolkit.label_distribution(lp, ["Paris", "Rome"]),
        toolkit.label_distribution(lp, {"good": ["Paris", "Rome"], "bad": "Oslo"}),
        toolkit.p_true(lp),
        toolkit.expected_score(lp, (1, 5)),
        toolkit.expected_score(lp, {"low": 0.0, "high": 1.0}),
        toolkit.agreement(lp, answer=str.strip, weight="mean_probability"),
        toolkit.votes(lp, equal=lambda a, b: a == b),
        toolkit.check(lp),
        toolkit.usage(lp, by="model", prices={"gpt-4o": (2.5, 10.0)}),
        toolkit.usage_over_time(lp, span="1h", by="model", prices={"gpt-4o": (2.5, 10.0)}),
        metrics.position_metrics(lp, channel="content"),
        metrics.token_confidence(lp),
        metrics.token_histogram(lp, bins=[0.0, 0.5, 1.0]),
        metrics.ecdf(lp, by=["model"]),
        metrics.finish_reasons(lp),
        metrics.usage_histogram(lp, bins=4),
        metrics.multiple_choice(metrics.option_scores(lp, options, channel="content")),
        metrics.text_metrics(lp, channel="content", start=3),
        metrics.text_perplexity(lp, by="model"),
        metrics.divergence(lp, lp, channel="content", clusters=["a"] * lp.choices.num_rows),
    ]
    found += [
        metrics.noise_floor(lp, lp, on="custom_id"),
        metrics.prefix_survival(lp, lp, clusters=list(range(lp.choices.num_rows)), level=0.9),
        metrics.same_model(lp, lp, by="custom_id", n_permutations=20),
        metrics.rollout_mismatch(lp, lp),
        metrics.rollout_mismatch(lp, lp.tokens["logprob"].to_numpy(), channel="content"),
    ]
    pairs = toolkit.compare(lp, lp, on="custom_id")
    return [*found, pairs, toolkit.compare_tokens(lp, lp), toolkit.compare_summary(pairs)]


def judging(lp: LogprobTables, data: Path) -> pd.DataFrame:
    """Join the truth and ask whether confidence is right to trust."""
    truth = pd.read_csv(data / "capitals_labels.csv")
    judged: pd.DataFrame = toolkit.join_labels(toolkit.sequence_metrics(lp), truth)
    confidence, correct = judged["min_probability"], judged["correct"]
    found: list[pd.DataFrame] = [
        toolkit.calibration(confidence, correct, n_bootstrap=10),
        toolkit.calibration([0.2, 0.9], [False, True], n_bootstrap=10, by=None),
        toolkit.reliability(confidence.to_numpy(), correct.to_numpy(), strategy="mass"),
        toolkit.selective(confidence, correct, coverages=[0.5], n_bootstrap=10),
        toolkit.selective(confidence, correct, n_tokens=judged["n_tokens"], n_bootstrap=0),
        toolkit.threshold_for(confidence, correct, accuracy=0.8),
        metrics.risk_coverage(confidence, correct),
        metrics.length_confounding(confidence, correct, judged["n_tokens"]),
        toolkit.evaluate(judged, by="model", clusters="custom_id", level=0.9),
        toolkit.compare_evaluations(judged, judged, on=["custom_id"], clusters="custom_id"),
    ]
    assert all(len(frame) for frame in found)
    calibrator = toolkit.fit_calibrator(confidence, correct, method="temperature")
    assert_type(calibrator, metrics.Calibrator)
    assert len(calibrator(confidence)) == len(confidence)
    assert_type(metrics.Calibrator.from_dict(calibrator.to_dict()), metrics.Calibrator)
    return judged


def showing(lp: LogprobTables, judged: pd.DataFrame, folder: Path) -> None:
    """Draw every plot, the token view and the report."""
    drawn: list[Axes] = [
        plot.agreement(lp),
        plot.alternatives(lp, response=0, position=0),
        plot.compare(lp, lp),
        plot.divergence(lp, lp, channel="prompt"),
        plot.compare_evaluations(judged, judged, by="model"),
        plot.confidence_over_position(lp, response="capital-000"),
        plot.entropy_by_position(lp),
        plot.field_confidence(lp),
        plot.finish_reasons(lp),
        plot.label_heatmap(lp, ["Paris", "Rome"]),
        plot.logprob_histogram(lp, bins=10),
        plot.perplexity_ecdf(lp, by=None),
        plot.prefix_survival(lp, lp),
        plot.reliability(judged["min_probability"], judged["correct"]),
        plot.risk_coverage(judged["min_probability"], judged["correct"]),
        plot.token_confidence(lp, response=0),
        plot.usage_over_time(lp, by="model"),
    ]
    assert drawn[0].figure is not None
    view = toolkit.show(lp, response=0)
    assert_type(view.text(), str)
    assert_type(view.save(folder / "view.html"), Path)
    assert_type(toolkit.browse(lp, folder / "answers.html", max_answers=10), Path)
    assert_type(toolkit.report(lp, folder / "report.html", title="Capitals"), Path)


def failing(lp: LogprobTables) -> None:
    """Catch errors by their class, and look up columns."""
    try:
        lp.locate("nobody")
    except errors.SelectionError as error:
        assert_type(error, errors.SelectionError)
    for kind in (errors.ArgumentError, errors.ExportError, errors.RecordError, errors.SourceError):
        assert issubclass(kind, ToolkitError)
    assert issubclass(toolkit.ToolkitWarning, Warning)
    assert_type(schema.TOKENS.name, str)
    for column in schema.TABLES[0].columns:
        assert_type(column.doc, str)


def main(data: Path, folder: Path) -> None:
    """Run all of it on the sample data, writing into a folder."""
    mpl.use("Agg")
    lp = loading(data, folder)
    tables(lp)
    storing(lp, data, folder)
    assert all(len(frame.columns) for frame in measuring(lp))
    showing(lp, judging(lp, data), folder)
    failing(lp)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
