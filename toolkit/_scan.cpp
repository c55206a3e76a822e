// Frame sources, and scan framed JSON records into column buffers.
//
// native/framing.h frames blocks of bytes, as far as it is certain of them. The native scanner reads
// the records that it is certain of and defers every other record, untouched, to the reference
// decoder. It never guesses and never writes an error message. native/scanner.h says what a record
// means, native/json.h how its text is read, native/columns.h where the values go, and
// native/arrow_c_data.h how they reach Python.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "native/arrow_c_data.h"
#include "native/framing.h"
#include "native/scanner.h"

namespace {

using toolkit::Handover;
using toolkit::Positions;
using toolkit::Scanner;

struct View {  // holds a Python buffer while it is read
  Py_buffer buffer;
  bool held = false;
  bool get(PyObject* object) {
    held = PyObject_GetBuffer(object, &buffer, PyBUF_C_CONTIGUOUS) == 0;
    return held;
  }
  ~View() {
    if (held) PyBuffer_Release(&buffer);
  }
};

constexpr Py_ssize_t kItem = sizeof(int64_t);  // bytes

// Checks that every record lies within the data, and adds up their bytes in `total`.
bool lie_within(const View& starts, const View& stops, const View& breaks, Py_ssize_t size,
                size_t& total) {
  if (starts.buffer.len != stops.buffer.len || starts.buffer.itemsize != kItem ||
      stops.buffer.itemsize != kItem || breaks.buffer.itemsize != kItem) {
    PyErr_SetString(PyExc_ValueError,
                    "starts, stops and breaks must be int64 arrays, the first two of equal length");
    return false;
  }
  const auto* start = static_cast<const int64_t*>(starts.buffer.buf);
  const auto* stop = static_cast<const int64_t*>(stops.buffer.buf);
  for (Py_ssize_t i = 0; i < starts.buffer.len / kItem; ++i) {
    if (start[i] < 0 || stop[i] < start[i] || stop[i] > size) {
      PyErr_SetString(PyExc_ValueError, "a record reaches beyond the data");
      return false;
    }
    total += static_cast<size_t>(stop[i] - start[i]);
  }
  return true;
}

// Calls f without holding the GIL; false: out of memory.
template <class F>
bool run_unlocked(F f) {
  bool good = true;
  Py_BEGIN_ALLOW_THREADS;
  try {
    f();
  } catch (const std::exception&) {  // bad_alloc, length_error
    good = false;
  }
  Py_END_ALLOW_THREADS;
  if (!good) PyErr_NoMemory();
  return good;
}

// What was read, ready for Python.
struct Read {
  std::vector<int32_t> verdicts;
  int64_t envelopes = 0;
  std::vector<std::unique_ptr<Handover>> tables;
};

std::vector<toolkit::Plan> plans;  // the declared formats

// Reads the records; false: out of memory. The scanner's memory comes and goes without the GIL too.
bool read(Read& found, const View& data, const View& starts, const View& stops, const View& breaks,
          size_t total, size_t window, const toolkit::Lookup& lookup) {
  const auto* text = static_cast<const char*>(data.buffer.buf);
  const auto* start = static_cast<const int64_t*>(starts.buffer.buf);
  const auto* stop = static_cast<const int64_t*>(stops.buffer.buf);
  const auto* next = static_cast<const int64_t*>(breaks.buffer.buf);
  const auto* const last = next + breaks.buffer.len / kItem;
  return run_unlocked([&] {
    const auto scanner = std::make_unique<Scanner>(total, window, plans, lookup);
    found.verdicts.resize(static_cast<size_t>(starts.buffer.len / kItem));
    for (size_t i = 0; i < found.verdicts.size(); ++i) {
      for (; next != last && *next <= static_cast<int64_t>(i); ++next) scanner->interrupt();
      found.verdicts[i] = scanner->record(text + start[i], text + stop[i], i);
    }
    scanner->finish();
    found.envelopes = scanner->envelopes;
    toolkit::Table* const filled[] = {&scanner->bodies, &scanner->parts, &scanner->tokens,
                                      &scanner->alternatives, &scanner->members()};
    for (toolkit::Table* table : filled)
      found.tables.push_back(std::make_unique<Handover>(*table));
  });
}

// Reads JSON that decoding/plans.py wrote; false: it is something else.
template <class T>
bool read_plans(const View& json, T& found) {
  const auto* start = static_cast<const char*>(json.buffer.buf);
  bool good = false;
  try {
    good = toolkit::PlanReader().read(start, start + json.buffer.len, found);
  } catch (const std::exception&) {
  }
  if (!good)
    PyErr_SetString(PyExc_ValueError, "expected the declarations as decoding/plans.py writes them");
  return good;
}

template <class T>
PyObject* column(const std::vector<T>& values) {
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(values.data()),
                                   static_cast<Py_ssize_t>(values.size() * sizeof(T)));
}

PyObject* declare(PyObject*, PyObject* args) {
  PyObject* text;
  if (!PyArg_ParseTuple(args, "O", &text)) return nullptr;
  View json;
  if (!json.get(text)) return nullptr;
  std::vector<toolkit::Plan> found;
  if (!read_plans(json, found)) return nullptr;
  plans.swap(found);
  Py_RETURN_NONE;
}

PyObject* scan(PyObject*, PyObject* args) {
  PyObject *data, *starts, *stops, *breaks, *said;
  Py_ssize_t window;
  if (!PyArg_ParseTuple(args, "OOOOnO", &data, &starts, &stops, &breaks, &window, &said)) return nullptr;
  View text, first, last, between, json;
  if (!text.get(data) || !first.get(starts) || !last.get(stops) || !between.get(breaks) || !json.get(said))
    return nullptr;
  toolkit::Lookup lookup;
  if (!read_plans(json, lookup)) return nullptr;
  size_t total = 0;
  if (!lie_within(first, last, between, text.buffer.len, total)) return nullptr;
  Read found;
  if (!read(found, text, first, last, between, total, window < 0 ? 0 : static_cast<size_t>(window), lookup))
    return nullptr;
  PyObject* const tables = PyList_New(0);
  bool good = tables != nullptr;
  for (size_t i = 0; i < found.tables.size() && good; ++i) {
    PyObject* const pair = found.tables[i]->capsules();
    good = pair != nullptr && PyList_Append(tables, pair) == 0;
    Py_XDECREF(pair);
  }
  if (good)
    return Py_BuildValue("(NLN)", column(found.verdicts),
                         static_cast<long long>(found.envelopes), tables);
  Py_XDECREF(tables);
  return nullptr;
}

// Gets a buffer and checks that data[start:stop] lies in it.
bool get_part(View& text, PyObject* data, Py_ssize_t start, Py_ssize_t stop) {
  if (!text.get(data)) return false;
  if (start >= 0 && start <= stop && stop <= text.buffer.len) return true;
  PyErr_SetString(PyExc_ValueError, "the part reaches beyond the data");
  return false;
}

PyObject* lines(PyObject*, PyObject* args) {
  PyObject* data;
  Py_ssize_t start, stop;
  View text;
  if (!PyArg_ParseTuple(args, "Onn", &data, &start, &stop)) return nullptr;
  if (!get_part(text, data, start, stop)) return nullptr;
  const auto* base = static_cast<const char*>(text.buffer.buf);
  toolkit::Lines lines;
  if (!run_unlocked([&] { lines.frame(base, base + start, base + stop); })) return nullptr;
  return Py_BuildValue("(NNO)", column(lines.starts), column(lines.stops),
                       lines.usual ? Py_True : Py_False);
}

PyObject* line_ends(PyObject*, PyObject* data) {
  View text;
  if (!text.get(data)) return nullptr;
  const auto* base = static_cast<const char*>(text.buffer.buf);
  int64_t n = 0;
  run_unlocked([&] { n = toolkit::count_line_ends(base, base + text.buffer.len); });
  return PyLong_FromLongLong(n);
}

PyObject* events(PyObject*, PyObject* args) {
  PyObject* data;
  Py_ssize_t start, stop;
  long long line, max_bytes;
  View text;
  if (!PyArg_ParseTuple(args, "OnnLL", &data, &start, &stop, &line, &max_bytes)) return nullptr;
  if (!get_part(text, data, start, stop)) return nullptr;
  const auto* base = static_cast<const char*>(text.buffer.buf);
  toolkit::Events events;
  if (!run_unlocked([&] { events.frame(base, base + start, base + stop, line, max_bytes); }))
    return nullptr;
  const toolkit::Events::Tally& framed = events.framed;
  return Py_BuildValue("(NNNNnLLLLO)", column(events.found.starts), column(events.found.stops),
                       column(events.found.lines), column(events.breaks),
                       static_cast<Py_ssize_t>(framed.at - base), static_cast<long long>(framed.line),
                       static_cast<long long>(framed.blank), static_cast<long long>(framed.comments),
                       static_cast<long long>(framed.control), events.has_blanks ? Py_True : Py_False);
}

PyObject* documents(PyObject*, PyObject* args) {
  PyObject* data;
  Py_ssize_t start, stop, most;
  long long line, depth, max_bytes;
  int in_array, is_open, follows_value, quoted, ends_line;
  View text;
  if (!PyArg_ParseTuple(args, "OnnLLpppppLn", &data, &start, &stop, &line, &depth, &in_array,
                        &is_open, &follows_value, &quoted, &ends_line, &max_bytes, &most))
    return nullptr;
  if (!get_part(text, data, start, stop)) return nullptr;
  const auto* base = static_cast<const char*>(text.buffer.buf);
  toolkit::Documents documents;
  toolkit::Documents::State state;
  state.at = base + start;
  state.line = line;
  state.depth = depth;
  state.in_array = in_array != 0;
  state.is_open = is_open != 0;
  state.follows_value = follows_value != 0;
  if (!run_unlocked([&] {
        documents.frame(base, state, base + stop, quoted != 0, ends_line != 0, max_bytes,
                        static_cast<size_t>(std::max<Py_ssize_t>(most, 0)));
      }))
    return nullptr;
  state = documents.framed;
  const auto place = [&](const char* p) { return static_cast<Py_ssize_t>(p == nullptr ? -1 : p - base); };
  const auto truth = [](bool value) { return value ? Py_True : Py_False; };
  return Py_BuildValue("(NNNnLnLLOOOOnnn)", column(documents.found.starts), column(documents.found.stops),
                       column(documents.found.lines), place(documents.end),
                       static_cast<long long>(documents.end_line), place(state.at),
                       static_cast<long long>(state.line), static_cast<long long>(state.depth),
                       truth(state.in_array), truth(state.is_open), truth(state.follows_value),
                       truth(documents.quoted), place(state.array), place(state.indent),
                       place(state.indent_stop));
}

// Writes each item as often as its length says; false: the lengths do not add up to `total`.
template <class T>
bool repeat_items(const void* items, const int64_t* lengths, Py_ssize_t n, char* out, Py_ssize_t total) {
  const auto* item = static_cast<const T*>(items);
  auto* to = reinterpret_cast<T*>(out);
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (lengths[i] < 0 || lengths[i] > total) return false;
    total -= lengths[i];
    to = std::fill_n(to, lengths[i], item[i]);
  }
  return total == 0;
}

PyObject* repeat(PyObject*, PyObject* args) {
  PyObject *values, *lengths;
  Py_ssize_t total;
  if (!PyArg_ParseTuple(args, "OOn", &values, &lengths, &total)) return nullptr;
  View items, counts;
  if (!items.get(values) || !counts.get(lengths)) return nullptr;
  const Py_ssize_t n = counts.buffer.len / kItem, size = items.buffer.itemsize;
  if (counts.buffer.itemsize != kItem || items.buffer.len != n * size || total < 0 ||
      (size != 1 && size != 4 && size != 8)) {
    PyErr_SetString(PyExc_ValueError, "expected numbers, and an int64 length for each");
    return nullptr;
  }
  PyObject* const repeated = PyBytes_FromStringAndSize(nullptr, total * size);
  if (repeated == nullptr) return nullptr;
  char* const out = PyBytes_AsString(repeated);
  const auto* length = static_cast<const int64_t*>(counts.buffer.buf);
  bool good;
  Py_BEGIN_ALLOW_THREADS;
  good = size == 1   ? repeat_items<int8_t>(items.buffer.buf, length, n, out, total)
         : size == 4 ? repeat_items<int32_t>(items.buffer.buf, length, n, out, total)
                     : repeat_items<int64_t>(items.buffer.buf, length, n, out, total);
  Py_END_ALLOW_THREADS;
  if (good) return repeated;
  Py_DECREF(repeated);
  PyErr_SetString(PyExc_ValueError, "the lengths do not add up to the total");
  return nullptr;
}

PyMethodDef kMethods[] = {
    {"declare", declare, METH_VARARGS,
     "declare(json)\n\nDeclare formats, before the first scan: see loaders/decoding/plans.py."},
    {"lines", lines, METH_VARARGS,
     "lines(data, start, stop) -> (starts, stops, usual)\n\n"
     "Find the lines in data[start:stop], without their ends, as int64 positions in data. usual:\n"
     "all of them begin as JSON lines do."},
    {"line_ends", line_ends, METH_O, "line_ends(data) -> int\n\nCount newlines and returns."},
    {"events", events, METH_VARARGS,
     "events(data, start, stop, line, max_bytes)\n"
     "-> (starts, stops, lines, breaks, at, line, blank, comments, control, has_blanks)\n\n"
     "Frame server-sent events of data[start:stop], before which no event is open, up to `at`."},
    {"documents", documents, METH_VARARGS,
     "documents(data, start, stop, line, depth, in_array, is_open, follows_value, quoted, ends_line,\n"
     "          max_bytes, most)\n"
     "-> (starts, stops, lines, end, end_line, at, line, depth, in_array, is_open, follows_value, quoted,\n"
     "    array, indent, indent_stop)\n\n"
     "Frame JSON values of data[start:stop] up to `end`; `at`: where the last gap or value begins."},
    {"repeat", repeat, METH_VARARGS,
     "repeat(values, lengths, total) -> bytes\n\n"
     "Repeat each number as often as its length says; total: the sum of the lengths."},
    {"scan", scan, METH_VARARGS,
     "scan(data, starts, stops, breaks, window, lookup)\n"
     "-> (verdicts, envelopes, bodies, parts, tokens, alternatives, members)\n\n"
     "Read the records data[starts[i]:stops[i]]; breaks: the records before which a [DONE] lies.\n"
     "Number i of the verdicts (int32) is 1 if record i was read, 2 if it was joined to the body of an\n"
     "earlier one, at most window records before (0: none is), 3 if it was read out of the text of an answer,\n"
     "2 + n if n > 1 bodies of it were read,\n"
     "and 0 if it is deferred. lookup: where to find\n"
     "the answer and its columns, see loaders/decoding/plans.py; empty: by content. envelopes: how many\n"
     "of those that were read have their body inside them. The tables are pairs of Arrow capsules."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT,
                       "toolkit._scan",
                       "Scan framed JSON records into column buffers.",
                       0,
                       kMethods,
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__scan() { return PyModule_Create(&kModule); }
