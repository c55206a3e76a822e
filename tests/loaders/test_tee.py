"""`tee` saves a stream while it is used."""

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

import toolkit
from tests.stress.tees import CHUNKS, started_writer


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def test_a_stream_passes_and_is_recorded(log):
    for _ in range(2):  # without ids: the [DONE] between them separates them
        assert list(toolkit.tee(iter(CHUNKS), log)) == CHUNKS
    lp = toolkit.read(log)
    assert [lp.text(0), lp.text(1)] == ["Héllo!"] * 2
    assert lp.responses["n_chunks"].to_pylist() == [3, 3]
    assert lp.ledger["done"].to_pylist() == [2]


def test_each_chunk_is_in_the_file_when_it_is_passed_on(log):
    for i, _ in enumerate(toolkit.tee(iter(CHUNKS), log), start=1):
        assert log.read_bytes().count(b"\n") == i


def test_a_whole_answer_is_recorded_and_returned(log):
    answer = {"id": "a", "choices": [{"message": {"content": "Hi"}, "logprobs": None}]}
    assert toolkit.tee(answer, log) is answer
    assert json.loads(log.read_text()) == answer


def test_an_async_stream(log):
    async def stream():
        for chunk in CHUNKS:
            yield chunk

    async def use():
        return [chunk async for chunk in toolkit.tee(stream(), log)]

    assert asyncio.run(use()) == CHUNKS
    assert toolkit.read(log).text(0) == "Héllo!"


class Both:
    """A stream that can be iterated both ways, as LiteLLM's."""

    def __init__(self):
        self.chunks = iter(CHUNKS)

    def __iter__(self):
        return self

    def __aiter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    async def __anext__(self):
        for chunk in self.chunks:
            return chunk
        raise StopAsyncIteration


def test_a_stream_that_can_be_iterated_both_ways(log):
    async def use():
        return [chunk async for chunk in toolkit.tee(Both(), log)]

    assert asyncio.run(use()) == list(toolkit.tee(Both(), log)) == CHUNKS
    lp = toolkit.read(log)
    assert [lp.text(0), lp.text(1)] == ["Héllo!"] * 2
    assert toolkit.from_responses(Both()).text(0) == "Héllo!"


@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_an_id_of_the_caller(log, kind):
    answer = {"id": "a", "choices": [{"message": {"content": "Héllo!"}, "finish_reason": "stop"}]}
    for custom_id in ("first", "second"):
        if kind == "stream":
            assert list(toolkit.tee(iter(CHUNKS), log, custom_id=custom_id)) == CHUNKS
        else:
            assert toolkit.tee(answer, log, custom_id=custom_id) is answer
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.read(log)
    assert [lp.text("first"), lp.text("second")] == ["Héllo!"] * 2
    assert lp.responses["notes"].to_pylist() == [[], []]
    assert lp.rejects.num_rows == 0


def test_ids_of_the_caller_in_several_threads(log):
    def write(name):
        list(toolkit.tee(iter([{**chunk, "id": name} for chunk in CHUNKS]), log, custom_id=name))

    names = [f"n{i}" for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, names))
    lp = toolkit.read(log)
    assert sorted(lp.responses["custom_id"].to_pylist()) == sorted(names)
    assert [lp.text(name) for name in names] == ["Héllo!"] * 40
    assert lp.responses["response_id"].equals(lp.responses["custom_id"])


def test_an_id_that_is_no_text_is_refused(log):
    with pytest.raises(toolkit.errors.ArgumentError, match="custom_id"):
        toolkit.tee(iter(CHUNKS), log, custom_id=7)


@dataclass
class Event:
    """An event of ``chat.completions.stream()`` of OpenAI's SDK."""

    type: str
    snapshot: object
    chunk: object = None
    delta: str = ""


class Manager:
    """What ``chat.completions.stream()`` returns: it gives its stream when it is entered."""

    closed = False

    def __enter__(self):
        return self.stream()

    def __exit__(self, *error):
        self.closed = True

    def stream(self):
        for i, chunk in enumerate(CHUNKS):
            yield Event("chunk", CHUNKS[: i + 1], chunk)
            yield Event("content.delta", CHUNKS[: i + 1], delta=chunk["choices"][0]["delta"])


def test_the_chunks_of_events_with_snapshots_are_recorded(log):
    manager = Manager()
    with toolkit.tee(manager, log) as stream:
        assert [event.type for event in stream] == ["chunk", "content.delta"] * 3
    assert manager.closed
    assert [json.loads(line) for line in log.read_text().splitlines()[:-1]] == CHUNKS
    assert log.read_text().endswith("\n[DONE]\n")


def test_other_events_are_recorded_without_their_snapshots(log):
    event = Event("response.output_text.delta", ["long"], delta="a")
    assert list(toolkit.tee(iter([event]), log)) == [event]
    assert json.loads(log.read_text().splitlines()[0]) == {
        "type": "response.output_text.delta",
        "chunk": None,
        "delta": "a",
    }


class Stream:
    """A stream as clients return it: a context manager with further attributes."""

    response = "the response"

    def __init__(self, fails_at=None):
        self.fails_at = fails_at
        self.closed = False

    def __iter__(self):
        for i, chunk in enumerate(CHUNKS):
            if i == self.fails_at:
                raise ConnectionError
            yield chunk

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True


def test_the_stream_stays_what_it_is(log):
    inner = Stream()
    with toolkit.tee(inner, log) as stream:
        assert stream.response == "the response"
        assert next(stream) == CHUNKS[0]
    assert inner.closed
    assert log.read_text().endswith("\n[DONE]\n")
    with pytest.raises(AttributeError):
        _ = stream.nothing


def test_what_reads_the_rest_of_a_stream_is_recorded_too(log):
    class Final(Stream):
        def get_final_completion(self):
            return "final"

    with toolkit.tee(Final(), log) as stream:
        next(stream)
        assert stream.get_final_completion() == "final"
    assert toolkit.read(log).text(0) == "Héllo!"


def test_a_whole_answer_that_is_an_object(log):
    answer = SimpleNamespace(choices=[{"message": {"content": "Hi"}}])
    assert toolkit.tee(answer, log) is answer
    assert json.loads(log.read_text()) == {"choices": [{"message": {"content": "Hi"}}]}


def test_an_error_in_mid_stream_passes_and_what_came_is_kept(log):
    with pytest.raises(ConnectionError):
        list(toolkit.tee(Stream(fails_at=2), log))
    lp = toolkit.read(log)
    assert lp.text(0) == "Héllo"
    assert lp.responses["finished"].to_pylist() == [False]


class Broken:
    """A chunk that raises when it is looked at."""

    def __init__(self, error):
        self.error = error

    def model_dump(self):
        raise self.error


class OddError(Exception):
    pass


@pytest.mark.parametrize("odd", [Broken(TypeError()), Broken(OddError()), {"x": Broken(OSError())}])
def test_what_cannot_be_recorded_does_not_stop_the_stream(log, odd):
    with pytest.warns(toolkit.ToolkitWarning, match=r"not saved completely \(\w+\)") as found:
        assert list(toolkit.tee(iter([CHUNKS[0], odd, odd]), log)) == [CHUNKS[0], odd, odd]
    assert len(found) == 1
    assert log.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("chunk", [{"x": object()}, {"x": {1}}, {"x": print}, {1: 2}])
def test_what_is_no_data_in_a_chunk_does_not_cost_the_chunk(log, chunk):
    with warnings.catch_warnings(action="error"):
        assert list(toolkit.tee(iter([chunk]), log)) == [chunk]
    assert log.read_text().splitlines()[0] in ('{"x":null}', '{"x":[1]}', '{"1":2}')


def test_no_file_does_not_stop_the_stream(tmp_path):
    with pytest.warns(toolkit.ToolkitWarning, match="FileNotFoundError"):
        assert list(toolkit.tee(iter(CHUNKS), tmp_path / "no" / "log.jsonl")) == CHUNKS


@pytest.mark.parametrize("stream", [7, "text", b"bytes", None, object(), print])
def test_other_things_are_refused(stream, log):
    with pytest.raises(toolkit.errors.ArgumentError, match=type(stream).__name__):
        toolkit.tee(stream, log)


def test_lines_of_several_writers_do_not_mix(log):
    def write(name):
        chunks = [{**chunk, "id": name, "pad": "x" * 5000} for chunk in CHUNKS] * 20
        list(toolkit.tee(iter(chunks), log))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert all(line == "[DONE]" or json.loads(line) for line in log.read_text().splitlines())


def test_streams_that_are_left_hold_no_file_and_are_told_apart(log):
    """Each has the id "": without a [DONE] between them they would be one answer."""
    left = []
    before = open_files()
    for _ in range(200):
        stream = toolkit.tee(iter(CHUNKS), log)
        for _ in stream:
            break
        left.append(stream)
        assert open_files() == before
    assert log.read_bytes().count(b"[DONE]") == 0
    left.clear()
    stream = toolkit.tee(iter(CHUNKS), log)
    next(stream)
    del stream
    lp = toolkit.read(log)
    assert lp.ledger["done"].to_pylist() == [201]
    assert list(toolkit.tee(iter(CHUNKS), log)) == CHUNKS
    assert toolkit.read(log).text(-1 + len(toolkit.read(log))) == "Héllo!"


def open_files():
    """Return the number of open files of this process, where the system lists them."""
    return len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0


@pytest.mark.parametrize("name", ["close", "aclose", "exit", "del"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_is_closed_ends(name, is_async, log):
    """`close` of the wrapper ends the recording, and closes the stream."""
    closed = []

    class Sync:
        def __iter__(self):
            return iter(CHUNKS)

        def close(self):
            closed.append(True)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.close()

    class Async:
        async def __aiter__(self):
            for chunk in CHUNKS:
                yield chunk

        async def aclose(self):
            closed.append(True)

        close = aclose  # as of OpenAI's AsyncStream

        async def __aenter__(self):
            return self

        async def __aexit__(self, *error):
            await self.aclose()

    async def use():
        stream = toolkit.tee(Async(), log)
        async for _ in stream:
            break
        if name == "exit":
            async with stream:
                pass
        elif name != "del":
            await getattr(stream, name)()
        else:
            del stream

    if is_async:
        asyncio.run(use())
    elif name == "aclose":
        with pytest.raises(AttributeError):
            toolkit.tee(Sync(), log).aclose()
        return
    else:
        stream = toolkit.tee(Sync(), log)
        next(stream)
        if name == "exit":
            with stream:
                pass
        elif name == "close":
            stream.close()
            stream.close()
        else:
            del stream
    assert log.read_text().splitlines()[1:] == ["[DONE]"]
    assert len(closed) == (0 if name == "del" else 2 if (name, is_async) == ("close", False) else 1)


def test_a_stream_after_a_short_write_is_whole(log, monkeypatch):
    def full(file, data, _write=os.write):
        if len(data) > 40:
            _write(file, bytes(data[:40]))
            raise OSError(errno.ENOSPC, "no space")
        return _write(file, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.warns(toolkit.ToolkitWarning, match=r"not saved completely \(OSError\)"):
        assert list(toolkit.tee(iter(CHUNKS), log)) == CHUNKS
    monkeypatch.undo()
    assert list(toolkit.tee(iter(CHUNKS), log, custom_id="next")) == CHUNKS
    with pytest.warns(toolkit.ToolkitWarning, match="3 truncated"):
        lp = toolkit.read(log)
    assert lp.text("next") == "Héllo!"


def test_a_process_that_changes_its_directory_writes_to_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    for _ in toolkit.tee(iter(CHUNKS), "log.jsonl"):
        monkeypatch.chdir(tmp_path / "x")
    assert toolkit.read(tmp_path / "log.jsonl").text(0) == "Héllo!"
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_end_the_stream_of_its_parent(log):
    stream = toolkit.tee(iter(CHUNKS), log)
    next(stream)
    with warnings.catch_warnings(action="ignore"):  # of threads of other tests
        child = os.fork()
    if child == 0:
        stream = None
        os._exit(0)
    os.waitpid(child, 0)
    assert list(stream) == CHUNKS[1:]
    assert toolkit.read(log).text(0) == "Héllo!"
    assert log.read_bytes().count(b"[DONE]") == 1


def test_two_processes_write_to_one_file(log):
    """Also lines that are longer than one write promises to keep together."""
    processes = [started_writer(log, name, 30) for name in ("a", "b")]
    assert [process.wait(120) for process in processes] == [0, 0]
    lp = toolkit.read(log)
    assert sorted(lp.responses["custom_id"].to_pylist()) == sorted(
        f"{name}{i}" for name in "ab" for i in range(30)
    )
    assert {lp.text(i) for i in range(60)} == {"Héllo!"}
    assert (lp.rejects.num_rows, lp.ledger["blank"].to_pylist()) == (0, [0])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_process_that_is_killed_in_mid_write_costs_its_line_alone(log):
    other = started_writer(log, "b", 20)
    assert started_writer(log, "a", 1, "kill").wait(120) == -signal.SIGKILL
    assert other.wait(120) == 0
    list(toolkit.tee(iter(CHUNKS), log, custom_id="next"))
    with pytest.warns(toolkit.ToolkitWarning, match="1 truncated"):
        lp = toolkit.read(log)
    assert sorted(lp.responses["custom_id"].to_pylist()) == sorted(
        ["a0", "next", *(f"b{i}" for i in range(20))]
    )
    assert lp.text("a0") == "Hé"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_the_file_of_a_killed_process_is_good(log):
    code = (
        "import sys, time, json, toolkit\n"
        f"chunks = json.loads({json.dumps(json.dumps(CHUNKS[:2]))})\n"
        "def stream():\n"
        "    yield from chunks\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "list(toolkit.tee(stream(), sys.argv[1]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(log)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert toolkit.read(log).text(0) == "Héllo"


def test_the_sdk_streams_through_it(log, samples):
    openai = pytest.importorskip("openai")
    recorded = (samples / "pairs_stream.sse").read_bytes()
    first = recorded[: recorded.index(b"data: [DONE]")] + b"data: [DONE]\n\n"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(first)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            stream = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            n = sum(1 for _ in toolkit.tee(stream, log))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert n == first.count(b"data: {")
    expected, found = toolkit.read(first), toolkit.read(log)
    for name in ("tokens", "alternatives", "choices"):
        assert found[name].equals(expected[name]), name
