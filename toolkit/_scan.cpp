// Scan framed JSON records into column buffers.
//
// The native scanner reads what it is certain of and defers every other record, untouched, to the
// reference decoder. It never guesses and never writes an error message. native/scanner.h says what
// a record means, native/json.h how its text is read, native/columns.h where the values go, and
// native/arrow_c_data.h how they reach Python.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "native/arrow_c_data.h"
#include "native/scanner.h"

namespace {

using toolkit::Handover;
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

// Reads the records without holding the GIL; false: out of memory.
bool read(Scanner& scanner, std::vector<char>& verdicts, const View& data, const View& starts,
          const View& stops, const View& breaks) {
  const auto* text = static_cast<const char*>(data.buffer.buf);
  const auto* start = static_cast<const int64_t*>(starts.buffer.buf);
  const auto* stop = static_cast<const int64_t*>(stops.buffer.buf);
  const auto* next = static_cast<const int64_t*>(breaks.buffer.buf);
  const auto* const last = next + breaks.buffer.len / kItem;
  bool good = true;
  Py_BEGIN_ALLOW_THREADS;
  try {
    for (size_t i = 0; i < verdicts.size(); ++i) {
      for (; next != last && *next <= static_cast<int64_t>(i); ++next) scanner.interrupt();
      verdicts[i] = scanner.record(text + start[i], text + stop[i], i);
    }
    scanner.finish();
  } catch (const std::exception&) {  // bad_alloc, length_error
    good = false;
  }
  Py_END_ALLOW_THREADS;
  return good;
}

PyObject* scan(PyObject*, PyObject* args) {
  PyObject *data, *starts, *stops, *breaks;
  Py_ssize_t window;
  if (!PyArg_ParseTuple(args, "OOOOn", &data, &starts, &stops, &breaks, &window)) return nullptr;
  View text, first, last, between;
  if (!text.get(data) || !first.get(starts) || !last.get(stops) || !between.get(breaks))
    return nullptr;
  size_t total = 0;
  if (!lie_within(first, last, between, text.buffer.len, total)) return nullptr;
  try {
    const auto scanner = std::make_unique<Scanner>(total, window < 0 ? 0 : static_cast<size_t>(window));
    std::vector<char> verdicts(static_cast<size_t>(first.buffer.len / kItem));
    if (!read(*scanner, verdicts, text, first, last, between)) return PyErr_NoMemory();
    constexpr int kTables = 5;
    PyObject* tables[kTables] = {};
    toolkit::Table* const filled[] = {&scanner->bodies, &scanner->parts, &scanner->tokens,
                                      &scanner->alternatives, &scanner->members()};
    bool good = true;
    for (int i = 0; i < kTables && good; ++i) {
      tables[i] = Handover(*filled[i]).capsules();
      good = tables[i] != nullptr;
    }
    if (good)
      return Py_BuildValue("(y#NNNNN)", verdicts.empty() ? "" : verdicts.data(),
                           static_cast<Py_ssize_t>(verdicts.size()), tables[0], tables[1],
                           tables[2], tables[3], tables[4]);
    for (PyObject* table : tables) Py_XDECREF(table);
    return nullptr;
  } catch (const std::exception&) {
    return PyErr_NoMemory();
  }
}

// Returns whether a line begins as JSON lines do: with an object, or an array that is not [DONE].
bool is_usual(const char* p, const char* stop) {
  return p < stop && (*p == '{' || (*p == '[' && (stop - p < 2 || p[1] != 'D')));
}

PyObject* lines(PyObject*, PyObject* args) {
  PyObject* data;
  Py_ssize_t start, stop;
  if (!PyArg_ParseTuple(args, "Onn", &data, &start, &stop)) return nullptr;
  View text;
  if (!text.get(data)) return nullptr;
  if (start < 0 || stop < start || stop > text.buffer.len) {
    PyErr_SetString(PyExc_ValueError, "the part reaches beyond the data");
    return nullptr;
  }
  std::vector<int64_t> starts, stops;
  bool good = true, usual = true;
  Py_BEGIN_ALLOW_THREADS;
  try {
    const auto* base = static_cast<const char*>(text.buffer.buf);
    const char* const last = base + stop;
    for (const char *p = base + start, *next; p < last; p = next) {
      const auto* end = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(last - p)));
      next = end == nullptr ? last : end + 1;
      if (end == nullptr) end = last;
      if (end > p && end[-1] == '\r') --end;
      usual = usual && is_usual(p, end);
      starts.push_back(p - base);
      stops.push_back(end - base);
    }
  } catch (const std::exception&) {
    good = false;
  }
  Py_END_ALLOW_THREADS;
  if (!good) return PyErr_NoMemory();
  const auto size = static_cast<Py_ssize_t>(starts.size() * sizeof(int64_t));
  return Py_BuildValue("(NNO)", PyBytes_FromStringAndSize(reinterpret_cast<const char*>(starts.data()), size),
                       PyBytes_FromStringAndSize(reinterpret_cast<const char*>(stops.data()), size),
                       usual ? Py_True : Py_False);
}

PyMethodDef kMethods[] = {
    {"lines", lines, METH_VARARGS,
     "lines(data, start, stop) -> (starts, stops, usual)\n\n"
     "Find the lines in data[start:stop], without their ends, as int64 positions in data. usual:\n"
     "all of them begin as JSON lines do."},
    {"scan", scan, METH_VARARGS,
     "scan(data, starts, stops, breaks, window)\n"
     "-> (verdicts, bodies, parts, tokens, alternatives, members)\n\n"
     "Read the records data[starts[i]:stops[i]]; breaks: the records before which a [DONE] lies.\n"
     "Byte i of the verdicts is 1 if record i was read, 2 if it was read from an envelope, 3 if it\n"
     "was joined to the body of an earlier one, at most window records before (0: none is), and 0\n"
     "if it is deferred. The tables are pairs of Arrow capsules."},
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
