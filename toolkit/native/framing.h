// Frame JSON lines, server-sent events and JSON documents.
//
// toolkit/loaders/framing/ defines the frames, in lines.py, events.py and documents.py, which also
// hold the state between blocks. Events and documents continue from there over the part of a block
// that they are certain of. They stop before an event or a value that is odd or broken, from which
// the Python framers go on.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "structure.h"

namespace toolkit {

using Positions = std::vector<int64_t>;

inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// The frames that were found: bounds in the block, and lines of the source.
struct Found {
  Positions starts, stops, lines;

  void add(const char* base, const char* start, const char* stop, int64_t line) {
    starts.push_back(start - base);
    stops.push_back(stop - base);
    lines.push_back(line);
  }
};

// ------------------------------------------------------------------ lines

// Counts newlines and returns.
inline int64_t count_line_ends(const char* p, const char* stop) {
  int64_t n = 0;
  for (; stop - p >= static_cast<ptrdiff_t>(kMaskBytes); p += kMaskBytes) {
    const Bytes64 bytes(p);
    const uint64_t ends = bytes.equal('\n') | bytes.equal('\r');
    if (ends != 0) n += count_bits(ends);
  }
  for (; p < stop; ++p) n += *p == '\n' || *p == '\r';
  return n;
}

// Finds lines without their ends.
class Lines {
 public:
  Positions starts, stops;
  bool usual = true;  // all of them begin as JSON lines do

  void frame(const char* base, const char* p, const char* stop) {
    for (const char* next; p < stop; p = next) {
      const auto* end = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(stop - p)));
      next = end == nullptr ? stop : end + 1;
      if (end == nullptr) end = stop;
      if (end > p && end[-1] == '\r') --end;
      usual = usual && is_usual(p, end);
      starts.push_back(p - base);
      stops.push_back(end - base);
    }
  }

 private:
  // Returns whether a line begins with an object, or an array that is not [DONE].
  static bool is_usual(const char* p, const char* stop) {
    return p < stop && (*p == '{' || (*p == '[' && (stop - p < 2 || p[1] != 'D')));
  }
};

// ------------------------------------------------------------------ events

// Frames events with one line of data each. Call `frame` where no event is open.
class Events {
 public:
  // What was framed up to a position; an event that is open there is not included.
  struct Tally {
    const char* at = nullptr;
    int64_t line = 0;  // number of lines before `at`
    int64_t blank = 0, done = 0, comments = 0, control = 0;
  };
  Found found;
  Positions breaks;  // for each [DONE], the number of frames before it
  Tally framed;
  bool has_blanks = false;  // a blank line has ended an event

  // Frames [p, stop); the lines before p number `line`.
  void frame(const char* base, const char* p, const char* stop, int64_t line, int64_t max_bytes) {
    base_ = base;
    now_.at = p;
    now_.line = line;
    framed = now_;
    while (now_.at < stop) {
      const char* const end = line_end(now_.at, stop);
      // A return at the end of the block may be followed by its newline.
      if (end == stop || (*end == '\r' && end + 1 == stop) || end - now_.at > max_bytes) return;
      const Tally before = now_;
      ++now_.line;
      if (!take(trimmed(now_.at, end), {now_.at, static_cast<size_t>(end - now_.at)})) return;
      now_.at = end + (*end == '\r' && end[1] == '\n' ? 2 : 1);
      if (data_.data() == nullptr)
        framed = now_;
      else if (data_line_ == now_.line)  // this line opened an event
        framed = before;
    }
  }

 private:
  const char* base_ = nullptr;
  Tally now_;
  std::string_view data_;  // of the open event
  int64_t data_line_ = 0;

  static const char* line_end(const char* p, const char* stop) {
    for (; stop - p >= static_cast<ptrdiff_t>(kMaskBytes); p += kMaskBytes) {
      const Bytes64 bytes(p);
      const uint64_t ends = bytes.equal('\n') | bytes.equal('\r');
      if (ends != 0) return p + lowest_bit(ends);
    }
    while (p < stop && *p != '\n' && *p != '\r') ++p;
    return p;
  }
  static std::string_view trimmed(const char* p, const char* stop) {
    while (p < stop && is_space(*p)) ++p;
    while (p < stop && is_space(stop[-1])) --stop;
    return {p, static_cast<size_t>(stop - p)};
  }
  static bool begins(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
  }
  static bool is_container(std::string_view text) { return begins(text, "{") || begins(text, "["); }

  // Takes a line, also given without blanks around it; false: it is for the Python framer.
  bool take(std::string_view bare, std::string_view line) {
    constexpr std::string_view kData = "data:", kDone = "[DONE]";
    if (begins(line, kData)) {
      const size_t skip = kData.size() + (begins(line.substr(kData.size()), " ") ? 1 : 0);
      const std::string_view payload = line.substr(skip);
      bare = trimmed(payload.data(), payload.data() + payload.size());
      if (bare == kDone) return end_stream();
      if (bare.empty()) return ++now_.control, true;
      if (data_.data() != nullptr && !is_complete()) return false;
      dispatch();
      data_ = payload;
      data_line_ = now_.line;
    } else if (line.empty()) {
      if (data_.data() == nullptr) return ++now_.blank, true;
      dispatch();
      has_blanks = true;
    } else if (line[0] == ':') {
      ++now_.comments;
    } else if (bare == kDone) {
      return end_stream();
    } else if (is_container(bare)) {
      return false;  // JSON without `data:`
    } else {
      ++now_.control;
    }
    return true;
  }

  bool end_stream() {
    dispatch();
    ++now_.done;
    breaks.push_back(static_cast<int64_t>(found.starts.size()));
    return true;
  }

  void dispatch() {
    if (data_.data() == nullptr) return;
    found.add(base_, data_.data(), data_.data() + data_.size(), data_line_);
    data_ = {};
  }

  // Returns whether the data of the open event is a whole object or array, after which more data
  // begins another event although no blank line ended this one.
  bool is_complete() const {
    const char* p = data_.data();
    const char* const stop = p + data_.size();
    if (!is_container(trimmed(p, stop))) return false;
    Structure structure(false);
    int64_t depth = 0;
    for (size_t n; p < stop; p += n) {
      n = std::min(kMaskBytes, static_cast<size_t>(stop - p));
      structure.read(p, n);
      depth += count_bits(structure.opens) - count_bits(structure.closes);
    }
    return depth <= 0 && !structure.quoted();
  }
};

// ------------------------------------------------------------------ documents

// Frames values that are objects or arrays, and the elements of top-level arrays.
class Documents {
 public:
  // As in _Documents of documents.py.
  struct State {
    const char* at = nullptr;  // the end of the value before, or the start of the open one
    int64_t line = 0;          // of `at`
    int64_t depth = 0;
    bool in_array = false;
    bool is_open = false;
    bool follows_value = false;
    const char* array = nullptr;  // the bracket that opened the array, if it is in this block
    // The whitespace before the value on its line; nullptr: as it was before.
    const char *indent = nullptr, *indent_stop = nullptr;
  };
  Found found;  // the first begins where framing did, if a value was open there
  State framed;
  const char* end = nullptr;  // of the text that was taken: that of the block, or `framed.at`
  int64_t end_line = 0;       // of `end`
  bool quoted = false;        // it ends inside a string

  // Frames [state.at, stop), which does not end in a backslash that escapes what follows. It stops
  // after `most` frames.
  void frame(const char* base, const State& state, const char* stop, bool is_quoted,
             bool ends_line, int64_t max_bytes, size_t most) {
    base_ = base;
    most_ = most;
    begin_ = state.at;
    max_gap_ = std::min(max_bytes, kMaxGap);
    now_ = framed = state;
    depth_ = state.depth;
    line_ = state.line;
    end = state.at;
    end_line = line_;
    uint64_t after_newline = ends_line ? 1 : 0;
    Structure structure(is_quoted);
    for (const char* p = begin_; p < stop; p += kMaskBytes) {
      structure.read(p, std::min(kMaskBytes, static_cast<size_t>(stop - p)));
      const uint64_t begins_line = structure.newlines << 1 | after_newline;
      const uint64_t doubtful = (structure.newlines & structure.inside) | (structure.opens & begins_line);
      const int n_closes = count_bits(structure.closes);
      if (now_.is_open && doubtful == 0 && depth_ - n_closes > level())
        depth_ += count_bits(structure.opens) - n_closes;
      else if (!take(p, structure, begins_line))
        return;
      line_ += count_bits(structure.newlines);
      after_newline = structure.newlines >> 63;
    }
    if (!now_.is_open) return;
    framed = now_;
    framed.depth = depth_;
    end = stop;
    end_line = line_;
    quoted = structure.quoted();
  }

 private:
  static constexpr int64_t kMaxGap = 4096;  // bytes between values; more are for the Python framer
  const char *base_ = nullptr, *begin_ = nullptr;
  int64_t max_gap_ = 0;
  size_t most_ = 0;
  State now_;
  int64_t depth_ = 0;
  int64_t line_ = 0;  // of the 64 bytes that are read

  int64_t level() const { return now_.in_array ? 1 : 0; }

  // Takes the brackets of 64 bytes one by one; false: one is for the Python framer.
  bool take(const char* p, const Structure& structure, uint64_t begins_line) {
    const uint64_t broken = structure.newlines & structure.inside;
    for (uint64_t marks = structure.opens | structure.closes | broken; marks != 0; marks &= marks - 1) {
      const uint64_t mark = marks & (~marks + 1);
      if ((mark & broken) != 0) return false;
      const char* const at = p + lowest_bit(mark);
      const int64_t line = line_ + count_bits(structure.newlines & (mark - 1));
      const bool opens = (structure.opens & mark) != 0;
      if (!now_.is_open) {
        if (!(opens ? open(at, line) : leave(at, line))) return false;
      } else if (opens) {
        // An object that begins a line where no value can be shows that the open one is broken.
        if ((begins_line & mark) != 0 && *at == '{' && !awaits_value(at)) return false;
        ++depth_;
      } else if (--depth_ == level()) {
        found.add(base_, now_.at, at + 1, now_.line);
        now_.is_open = false;
        begin_gap(at + 1, line, true);
      }
    }
    return true;
  }

  // Opens a value, or a top-level array.
  bool open(const char* at, int64_t line) {
    if (found.starts.size() >= most_ || !end_gap(at)) return false;
    ++depth_;
    if (*at == '[' && !now_.in_array) {
      now_.in_array = true;
      now_.array = at;
      begin_gap(at + 1, line, false);
    } else {
      now_.is_open = true;
      now_.at = at;
      now_.line = line;
    }
    return true;
  }

  // Leaves the array after its last value.
  bool leave(const char* at, int64_t line) {
    if (!now_.in_array || *at != ']' || !now_.follows_value || at - now_.at > max_gap_) return false;
    if (!std::all_of(now_.at, at, is_space)) return false;
    depth_ = 0;
    now_.in_array = false;
    begin_gap(at + 1, line, false);
    return true;
  }

  void begin_gap(const char* at, int64_t line, bool follows_value) {
    now_.at = at;
    now_.line = line;
    now_.depth = depth_;
    now_.follows_value = follows_value;
    if (!follows_value) now_.indent = now_.indent_stop = at;
    framed = now_;
    end = at;
    end_line = line;
  }

  // Ends the gap before a value; false unless it is whitespace and commas as they should be.
  bool end_gap(const char* at) {
    if (at - now_.at > max_gap_) return false;
    int commas = 0;
    const char *line = nullptr, *comma = nullptr;  // after the last newline; the last comma
    for (const char* p = now_.at; p < at; ++p) {
      if (*p == '\n') line = p + 1;
      if (*p == ',') comma = p, ++commas;
      else if (!is_space(*p)) return false;
    }
    if (now_.in_array && commas != (now_.follows_value ? 1 : 0)) return false;
    if (line != nullptr) {
      now_.indent = comma != nullptr && comma >= line ? at : line;
      now_.indent_stop = at;
    }
    return true;
  }

  // Returns whether a value can be at p, inside another; false also if the text before it is in
  // the block before.
  bool awaits_value(const char* p) const {
    while (p > begin_ && is_space(p[-1])) --p;
    return p > begin_ && (p[-1] == '[' || p[-1] == ',' || p[-1] == ':');
  }
};

}  // namespace toolkit
