// The structure of one JSON record, read from left to right.
//
// A method that reads takes the position where something should begin. It returns the position
// after it, or nullptr if the text is not certainly valid, and then the whole record is deferred.
// It reads no byte outside the record. Positions are passed by value and not kept in the object, so
// that they stay in registers.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "buffers.h"
#include "numbers.h"
#include "strings.h"
#include "word_scan.h"

namespace toolkit {

constexpr int kMaxDepth = 64;  // levels of objects and arrays; as `Limits.nesting`

// The name of a key that is read.
template <class Key>
struct Name {
  std::string_view text;
  Key key;
};

class Json {
 public:
  // Begins a record that ends at `stop`.
  void open(const char* stop) {
    end_ = stop;
    depth_ = 0;
    has_list_ = false;
  }
  bool at_end(const char* p) const { return space(p) == end_; }
  const char* end() const { return end_; }
  // Count a level whose opening brace was read by other means than `object`.
  void enter() { ++depth_; }
  void leave() { --depth_; }
  int depth() const { return depth_; }
  void set_depth(int depth) { depth_ = depth; }

  // Returns the position of the next value, and its first byte; 0 at the end of the record.
  const char* begin(const char* p) const { return space(p); }
  char peek(const char* p) const {
    p = space(p);
    return p < end_ ? *p : '\0';
  }

  // Notes that a value that is not read may be a list of tokens: an array of objects or arrays, or
  // one with the keys of an entry.
  void note_list() { has_list_ = true; }
  bool has_list() const { return has_list_; }
  // Calls f, after which what it noted of lists is forgotten.
  template <class F>
  const char* apart(F f) {
    const bool before = has_list_;
    const char* const p = f();
    has_list_ = before;
    return p;
  }

  TOOLKIT_INLINE const char* take(const char* p, char c) const {
    if (p < end_ && *p == c) return p + 1;
    p = space(p);
    return p < end_ && *p == c ? p + 1 : nullptr;
  }
  // Reads a null; nullptr if there is anything else.
  TOOLKIT_INLINE const char* null(const char* p) const {
    p = space(p);
    return p < end_ && *p == 'n' ? word(p, "null") : nullptr;
  }
  // Reads a key and its colon in their usual form: at most one space after the colon, and a comma
  // before the key unless it is the first. `quoted` is the key in quotes with its colon.
  template <size_t N>
  const char* usual_key(const char* p, const char (&quoted)[N], bool is_first) const {
    constexpr ptrdiff_t kRoom = N + 3;
    if (end_ - p < kRoom) return nullptr;
    if (!is_first && *p++ != ',') return nullptr;
    if (*p == ' ') ++p;
    if (*p != '"' && end_ - (p = space(p)) < kRoom) return nullptr;
    if (std::memcmp(p, quoted, N - 1) != 0) return nullptr;
    p += N - 1;
    return *p == ' ' ? p + 1 : p;
  }

  // ---------------------------------------------------------------- strings

  // Reads a string and notes only its position.
  const char* string(const char* p, Slice& slice) const {
    p = take(p, '"');
    if (p == nullptr) return nullptr;
    slice.start = p;
    slice.escaped = false;
    for (;;) {
      p = skip_plain(p, end_);
      if (p == nullptr) return nullptr;
      if (*p == '"') break;
      slice.escaped = true;
      uint32_t ignored = 0;
      p = escape(p, end_, ignored);
      if (p == nullptr) return nullptr;
    }
    slice.stop = p;
    return p + 1;
  }
  const char* string_or_null(const char* p, Slice& slice) const {
    const char* const after = null(p);
    return after != nullptr ? after : string(p, slice);
  }

  // Reads a string straight into a column.
  const char* string(const char* p, Text& column, size_t row) const {
    p = take(p, '"');
    if (p == nullptr) return nullptr;
    char* out = column.begin(row);
    for (;;) {
      while (end_ - p >= static_cast<ptrdiff_t>(kWordBytes)) {
        const uint64_t word = load(p);
        std::memcpy(out, p, kWordBytes);  // the next copy overwrites the surplus
        const uint64_t marks = ends_of_run(word);
        const int n = marks == 0 ? static_cast<int>(kWordBytes) : lowest_byte(marks);
        p += n;
        out += n;
        if (marks != 0) break;
      }
      if (p >= end_) return nullptr;
      const unsigned char c = static_cast<unsigned char>(*p);
      if (c == '"') break;
      if (c == '\\') {
        uint32_t code = 0;
        p = escape(p, end_, code);
        if (p == nullptr) return nullptr;
        out = put_utf8(out, code);
      } else if (c < 0x20) {
        return nullptr;
      } else {
        int n = c < 0x80 ? 1 : utf8_length(p, end_);
        if (n == 0) return nullptr;
        for (; n > 0; --n) *out++ = *p++;
      }
    }
    column.end(row, out);
    return p + 1;
  }
  const char* string_or_null(const char* p, Text& column, size_t row) const {
    const char* const after = null(p);
    return after != nullptr ? after : string(p, column, row);
  }

  // Writes a string whose position was noted into a column.
  void put(const Slice& slice, Text& column, size_t row) const {
    column.end(row, write(slice, column.begin(row)));
  }
  // Writes its characters and returns the position after them.
  char* write(const Slice& slice, char* out) const {
    if (!slice.escaped) {
      const auto size = static_cast<size_t>(slice.stop - slice.start);
      std::memcpy(out, slice.start, size);
      return out + size;
    }
    for (const char* p = slice.start; p < slice.stop;) {
      if (*p != '\\') {
        *out++ = *p++;
        continue;
      }
      uint32_t code = 0;
      p = escape(p, end_, code);
      out = put_utf8(out, code);
    }
    return out;
  }

  // ---------------------------------------------------------------- numbers

  const char* real(const char* p, double& value) const { return read_real(space(p), end_, value); }
  // Skips a number.
  const char* number(const char* p) const { return skip_number(p, end_); }
  const char* whole(const char* p, int64_t& value, int64_t low, int64_t high) const {
    return read_whole(space(p), end_, value, low, high);
  }
  const char* whole_or_null(const char* p, int64_t& value, int64_t low, int64_t high) const {
    const char* const after = null(p);
    return after != nullptr ? after : whole(p, value, low, high);
  }

  // Reads an array of numbers from 0 to 255. They mostly are the UTF-8 of a known text, `guess`,
  // after which eight more bytes can be read.
  const char* bytes(const char* p, std::string_view guess, Text& column, size_t row) {
    char* out = column.begin(row);
    const char* const after = spelled_bytes(p, end_, guess);
    if (after != nullptr) {
      for (size_t i = 0; i < guess.size(); i += kWordBytes)  // copies up to seven bytes too many
        std::memcpy(out + i, guess.data() + i, kWordBytes);
      column.end(row, out + guess.size());
      return after;
    }
    p = array(p, [&](const char* q) {
      int64_t value = 0;
      q = whole(q, value, 0, 255);
      if (q != nullptr) *out++ = static_cast<char>(value);
      return q;
    });
    if (p != nullptr) column.end(row, out);
    return p;
  }

  // ---------------------------------------------------------------- containers

  // Calls f(p, key) for each key that has a name; f reads the value. A key that occurs twice defers
  // the record. Values of other keys are skipped, unless they may hold logprobs.
  template <class Key, size_t N, class F>
  const char* object(const char* p, const Name<Key> (&names)[N], F f) {
    uint64_t seen = 0;
    p = take(p, '{');
    return p == nullptr ? nullptr : rest_of_object(p, true, seen, names, f);
  }

  // As `object`, from after the brace (`is_first`) or after a value; `seen` has the bits of the
  // keys so far.
  template <class Key, size_t N, class F>
  const char* rest_of_object(const char* p, bool is_first, uint64_t& seen,
                             const Name<Key> (&names)[N], F f) {
    if (++depth_ > kMaxDepth) return nullptr;
    size_t next = 0;
    for (; ; is_first = false) {
      const char* q = take(p, '}');
      if (q != nullptr) {
        p = q;
        break;
      }
      if (!is_first && (p = take(p, ',')) == nullptr) return nullptr;
      Slice name;
      p = string(p, name);
      if (p == nullptr || name.escaped || (p = take(p, ':')) == nullptr) return nullptr;
      const Key key = find(names, name.text(), next);
      if (key == Key::kOther) {
        if ((p = skip_value_of(p, name.text())) == nullptr) return nullptr;
        continue;
      }
      if (key == Key::kDefer || (seen & bit(key)) != 0) return nullptr;
      seen |= bit(key);
      if ((p = f(p, key)) == nullptr) return nullptr;
    }
    --depth_;
    return p;
  }
  template <class Key>
  static constexpr uint64_t bit(Key key) {
    return uint64_t{1} << static_cast<int>(key);
  }

  // Calls f(p, name) for each member, whatever its key; f reads the value. A key with an escape
  // defers the record.
  template <class F>
  const char* members(const char* p, F f) {
    return any_members(p, [&](const char* q, const Slice& name) {
      return name.escaped ? nullptr : f(q, name);
    });
  }
  // As `members`, but keys may have escapes.
  template <class F>
  const char* any_members(const char* p, F f) {
    p = take(p, '{');
    if (p == nullptr || ++depth_ > kMaxDepth) return nullptr;
    const char* q = take(p, '}');
    while (q == nullptr) {
      Slice name;
      p = string(p, name);
      if (p == nullptr || (p = take(p, ':')) == nullptr) return nullptr;
      if ((p = f(p, name)) == nullptr) return nullptr;
      if ((q = take(p, '}')) == nullptr && (p = take(p, ',')) == nullptr) return nullptr;
    }
    --depth_;
    return q;
  }

  // Calls f(p) with the position of each element; f reads it.
  template <class F>
  const char* array(const char* p, F f) {
    p = take(p, '[');
    if (p == nullptr || ++depth_ > kMaxDepth) return nullptr;
    const char* q = take(p, ']');
    while (q == nullptr) {
      if ((p = f(p)) == nullptr) return nullptr;
      if ((q = take(p, ']')) == nullptr && (p = take(p, ',')) == nullptr) return nullptr;
    }
    --depth_;
    return q;
  }

  // Which keys that are not read defer the record, if their values could hold logprobs: all within
  // a logprobs object; none within an entry, to which servers add further logprobs. kStrict: any key
  // that is not read defers the record.
  enum class Watch { kNone, kNames, kAll, kStrict };

  // Calls f under another rule.
  template <class F>
  const char* watching(Watch watch, F f) {
    const Watch before = watch_;
    watch_ = watch;
    const char* p = f();
    watch_ = before;
    return p;
  }

  // Skips any value, which need only be valid JSON.
  const char* skip(const char* p) {
    p = space(p);
    if (p >= end_) return nullptr;
    switch (*p) {
      case '"': {
        Slice ignored;
        return string(p, ignored);
      }
      case '{':
        if (watch_ == Watch::kNone)
          return any_members(p, [this](const char* q, const Slice&) { return skip(q); });
        return members(p, [this](const char* q, const Slice& name) {
          return skip_value_of(q, name.text());
        });
      case '[':
        return array(p, [this](const char* q) {
          const char c = peek(q);
          if (c == '{' || c == '[') note_list();
          return skip(q);
        });
      case 't': return word(p, "true");
      case 'f': return word(p, "false");
      case 'n': return word(p, "null");
      default: return skip_number(p, end_);
    }
  }

  // Returns whether a value is none that could be a logprob, or hold some: null, a boolean or a
  // whole number that is not negative.
  bool holds_no_logprobs(const char* p) const {
    p = space(p);
    if (p >= end_) return false;
    if (!is_digit(*p)) return *p == 'n' || *p == 't' || *p == 'f';
    while (p < end_ && is_digit(*p)) ++p;
    return p < end_ && *p != '.' && *p != 'e' && *p != 'E';
  }

  // Returns whether a key is that of the logprob of an entry.
  static bool is_logprob(std::string_view key) {
    for (const std::string_view name :
         {"logprob", "logProbability", "log_probability", "log_prob", "logProb"})
      if (key == name) return true;
    return false;
  }
  // Returns whether a key has "logprob" or "log_prob" in it, in any casing.
  static bool speaks_of_logprobs(std::string_view key) {
    const auto is = [&](size_t i, char c) {
      return i < key.size() && (static_cast<unsigned char>(key[i]) | 0x20) == c;
    };
    for (size_t i = 0; i + 7 <= key.size(); ++i) {
      if (!is(i, 'l') || !is(i + 1, 'o') || !is(i + 2, 'g')) continue;
      const size_t j = i + 3 + (key[i + 3] == '_' ? 1 : 0);
      if (is(j, 'p') && is(j + 1, 'r') && is(j + 2, 'o') && is(j + 3, 'b')) return true;
    }
    return false;
  }

 private:
  const char* end_ = nullptr;
  int depth_ = 0;
  bool has_list_ = false;
  Watch watch_ = Watch::kNames;

  TOOLKIT_INLINE const char* space(const char* p) const {
    return p < end_ && static_cast<unsigned char>(*p) <= ' ' ? skip_space(p, end_) : p;
  }
  const char* word(const char* p, std::string_view text) const {
    const bool matches = static_cast<size_t>(end_ - p) >= text.size() &&
                         std::memcmp(p, text.data(), text.size()) == 0;
    return matches ? p + text.size() : nullptr;
  }

  // Finds the key of a name. The search begins at `next`, because keys mostly come in the order of
  // the names.
  template <class Key, size_t N>
  static Key find(const Name<Key> (&names)[N], std::string_view text, size_t& next) {
    for (size_t tried = 0; tried < N; ++tried) {
      const size_t i = next + tried < N ? next + tried : next + tried - N;
      const std::string_view name = names[i].text;
      if (name.size() != text.size() || !equal(name.data(), text.data(), name.size())) continue;
      next = i + 1 < N ? i + 1 : 0;
      return names[i].key;
    }
    return Key::kOther;
  }

  // Skips the value of a key that is not read. A key that speaks of logprobs defers the record if
  // its value could hold some: the reference decoder reads or notes it.
  const char* skip_value_of(const char* p, std::string_view key) {
    if (watch_ == Watch::kStrict) return nullptr;
    if (watch_ == Watch::kNone) return skip(p);
    if (is_of_entry(key)) note_list();
    if (watch_ == Watch::kNames && !speaks_of_logprobs(key)) return skip(p);
    note_list();
    const char c = peek(p);
    const bool is_path = key.find('.') != key.npos;  // to something of another format
    return !is_path && (c == 'n' || c == 'f') ? skip(p) : nullptr;
  }
  // Returns whether the key of a value that is not read may be that of a field of an entry.
  static bool is_of_entry(std::string_view key) {
    if (key.size() < 4 || key.size() > 12) return false;
    for (const std::string_view name :
         {"token", "prob", "probs", "alternatives", "top_tokens", "top_probs", "chosen"})
      if (key == name) return true;
    return false;
  }
};

}  // namespace toolkit
