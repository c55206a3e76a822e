// The text of one JSON record, read from left to right.
//
// Every method takes the place where something should begin and returns the place behind it, or
// nullptr where it is not certain: the record is given up then. No byte outside the record is read.
// Places are passed by value, not kept: so they stay in registers.

#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "buffers.h"
#include "word_scan.h"

#if !defined(__cpp_lib_to_chars)
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>
#endif

namespace toolkit {

constexpr int kMaxDepth = 64;  // as in toolkit/limits.py

// Where a string stands that is not yet put into a column.
struct Slice {
  const char* start = nullptr;  // null: the value is null or absent
  const char* stop = nullptr;
  bool escaped = false;

  std::string_view text() const { return {start, static_cast<size_t>(stop - start)}; }
};

// The name of a key that is read.
template <class Key>
struct Name {
  std::string_view text;
  Key key;
};

class Json {
 public:
  void open(const char* stop) {
    end_ = stop;
    depth_ = 0;
  }
  bool at_end(const char* p) const { return space(p) == end_; }
  // For what is read inside an object whose beginning was not.
  void enter() { ++depth_; }
  void leave() { --depth_; }

  TOOLKIT_INLINE const char* take(const char* p, char c) const {
    if (p < end_ && *p == c) return p + 1;
    p = space(p);
    return p < end_ && *p == c ? p + 1 : nullptr;
  }
  // Behind a null, or nullptr if something else stands here.
  TOOLKIT_INLINE const char* null(const char* p) const {
    p = space(p);
    return p < end_ && *p == 'n' ? word(p, "null") : nullptr;
  }
  // Behind a key and its colon, written as usual: quoted, with one blank at most around it; behind a
  // comma, if it is not the first. `quoted` ends in the colon.
  template <size_t N>
  const char* usual_key(const char* p, const char (&quoted)[N], bool is_first) const {
    constexpr ptrdiff_t kRoom = N + 3;
    if (end_ - p < kRoom) return nullptr;
    if (!is_first) {
      if (*p != ',') return nullptr;
      if (*++p == ' ') ++p;
    }
    if (std::memcmp(p, quoted, N - 1) != 0) return nullptr;
    p += N - 1;
    return *p == ' ' ? p + 1 : p;
  }

  // ---------------------------------------------------------------- strings

  // A string of which only the place is noted.
  const char* string(const char* p, Slice& slice) const {
    p = take(p, '"');
    if (p == nullptr) return nullptr;
    slice.start = p;
    slice.escaped = false;
    for (;;) {
      p = run(p);
      if (p == nullptr) return nullptr;
      if (*p == '"') break;
      slice.escaped = true;
      uint32_t ignored = 0;
      p = escape(p, ignored);
      if (p == nullptr) return nullptr;
    }
    slice.stop = p;
    return p + 1;
  }
  const char* string_or_null(const char* p, Slice& slice) const {
    const char* const behind = null(p);
    return behind != nullptr ? behind : string(p, slice);
  }

  // A string that goes straight into a column.
  const char* string(const char* p, Text& column, size_t row) const {
    p = take(p, '"');
    if (p == nullptr) return nullptr;
    char* out = column.begin(row);
    for (;;) {
      while (end_ - p >= static_cast<ptrdiff_t>(kWordBytes)) {
        const uint64_t word = load(p);
        std::memcpy(out, p, kWordBytes);  // what is too much is written over
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
        p = escape(p, code);
        if (p == nullptr) return nullptr;
        out = put_utf8(out, code);
      } else if (c < 0x20) {
        return nullptr;
      } else {
        int n = c < 0x80 ? 1 : sequence(p);
        if (n == 0) return nullptr;
        for (; n > 0; --n) *out++ = *p++;
      }
    }
    column.end(row, out);
    return p + 1;
  }
  const char* string_or_null(const char* p, Text& column, size_t row) const {
    const char* const behind = null(p);
    return behind != nullptr ? behind : string(p, column, row);
  }

  // Puts a string that was stepped over into a column.
  void put(const Slice& slice, Text& column, size_t row) const {
    char* out = column.begin(row);
    for (const char* p = slice.start; p < slice.stop;) {
      if (*p != '\\') {
        *out++ = *p++;
        continue;
      }
      uint32_t code = 0;
      p = escape(p, code);
      out = put_utf8(out, code);
    }
    column.end(row, out);
  }

  // ---------------------------------------------------------------- numbers

  // The nearest double; not certain where that is infinite.
  const char* real(const char* p, double& value) const {
    p = space(p);
    const char* const start = p;
    const bool negative = p < end_ && *p == '-';
    p += negative;
    const char* const first = p;
    uint64_t mantissa = 0;
    if (end_ - p >= 2 && is_digit(p[0]) && p[1] == '.')  // as most logprobs are
      mantissa = static_cast<uint64_t>(*p++ - '0');
    else
      p = digits(p, mantissa);
    if (p == first || (*first == '0' && p - first > 1)) return nullptr;
    int64_t n = p - first, exponent = 0;
    bool is_integer = true;
    if (p < end_ && *p == '.') {
      is_integer = false;
      const char* const point = ++p;
      p = digits(p, mantissa);
      if (p == point) return nullptr;
      exponent = point - p;
      n -= exponent;
    }
    if (n > 19)
      for (const char* q = first; q < p && (*q == '0' || *q == '.'); ++q) n -= *q == '0';
    if (p < end_ && (*p == 'e' || *p == 'E')) {
      is_integer = false;
      p = power(p, exponent);
      if (p == nullptr) return nullptr;
    }
    if (n > 19 || !nearest(mantissa, exponent, value))
      return parsed(start, p, value) ? p : nullptr;
    if (negative && !(is_integer && mantissa == 0)) value = -value;  // the integer -0 is 0
    return p;
  }

  // A whole number, perhaps with a fraction of zeros.
  const char* whole(const char* p, int64_t& value, int64_t low, int64_t high) const {
    p = space(p);
    const bool negative = p < end_ && *p == '-';
    p += negative;
    const char* const first = p;
    uint64_t magnitude = 0;
    p = digits(p, magnitude);
    const ptrdiff_t n = p - first;
    // Above 2^53 a float is no exact integer; so many digits are for the reference decoder.
    if (n == 0 || n > 15 || (*first == '0' && n > 1)) return nullptr;
    if (p < end_ && *p == '.') {
      const char* const zeros = ++p;
      while (p < end_ && *p == '0') ++p;
      if (p == zeros) return nullptr;
    }
    if (p < end_ && (is_digit(*p) || *p == 'e' || *p == 'E')) return nullptr;
    value = negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
    return value >= low && value <= high ? p : nullptr;
  }
  const char* whole_or_null(const char* p, int64_t& value, int64_t low, int64_t high) const {
    const char* const behind = null(p);
    return behind != nullptr ? behind : whole(p, value, low, high);
  }

  // An array of numbers from 0 to 255. They mostly are the UTF-8 of a text that is known, `guess`;
  // eight bytes behind it can be read.
  const char* bytes(const char* p, std::string_view guess, Text& column, size_t row) {
    char* out = column.begin(row);
    const char* const behind = spelled(p, guess);
    if (behind != nullptr) {
      for (size_t i = 0; i < guess.size(); i += kWordBytes)  // copies some bytes too many
        std::memcpy(out + i, guess.data() + i, kWordBytes);
      column.end(row, out + guess.size());
      return behind;
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

  // Calls f(p, key) with each key that has a name; f reads the value. A key twice is not certain.
  // Values of other keys are stepped over.
  template <class Key, size_t N, class F>
  const char* object(const char* p, const Name<Key> (&names)[N], F f) {
    uint64_t seen = 0;
    p = take(p, '{');
    return p == nullptr ? nullptr : rest_of_object(p, true, seen, names, f);
  }

  // The same from behind the brace (`is_empty`) or behind a value; `seen` has the bits of the keys
  // so far.
  template <class Key, size_t N, class F>
  const char* rest_of_object(const char* p, bool is_empty, uint64_t& seen,
                             const Name<Key> (&names)[N], F f) {
    if (++depth_ > kMaxDepth) return nullptr;
    size_t next = 0;
    for (; ; is_empty = false) {
      const char* q = take(p, '}');
      if (q != nullptr) {
        p = q;
        break;
      }
      if (!is_empty && (p = take(p, ',')) == nullptr) return nullptr;
      Slice name;
      p = string(p, name);
      if (p == nullptr || name.escaped || (p = take(p, ':')) == nullptr) return nullptr;
      const Key key = find(names, name.text(), next);
      if (key == Key::kOther) {
        if ((p = skip(p)) == nullptr) return nullptr;
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

  // Calls f(p) with the place of each element; f reads it.
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

  // Any value: it need only be JSON.
  const char* skip(const char* p) {
    p = space(p);
    if (p >= end_) return nullptr;
    switch (*p) {
      case '"': {
        Slice ignored;
        return string(p, ignored);
      }
      case '{': return skip_object(p);
      case '[': return array(p, [this](const char* q) { return skip(q); });
      case 't': return word(p, "true");
      case 'f': return word(p, "false");
      case 'n': return word(p, "null");
      default: return skip_number(p);
    }
  }

 private:
  const char* end_ = nullptr;
  int depth_ = 0;

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  const char* space(const char* p) const {
    while (p < end_ && static_cast<unsigned char>(*p) <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
      ++p;
    return p;
  }
  const char* word(const char* p, std::string_view text) const {
    const bool stands = static_cast<size_t>(end_ - p) >= text.size() &&
                        std::memcmp(p, text.data(), text.size()) == 0;
    return stands ? p + text.size() : nullptr;
  }

  // `next`: where to look first, since keys mostly come in the order of the names.
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

  const char* skip_object(const char* p) {
    p = take(p, '{');
    if (p == nullptr || ++depth_ > kMaxDepth) return nullptr;
    const char* q = take(p, '}');
    while (q == nullptr) {
      Slice ignored;
      p = string(p, ignored);
      if (p == nullptr || (p = take(p, ':')) == nullptr || (p = skip(p)) == nullptr) return nullptr;
      if ((q = take(p, '}')) == nullptr && (p = take(p, ',')) == nullptr) return nullptr;
    }
    --depth_;
    return q;
  }

  const char* skip_number(const char* p) const {
    p += *p == '-';
    const char* const first = p;
    uint64_t ignored = 0;
    p = digits(p, ignored);
    if (p == first || (*first == '0' && p - first > 1)) return nullptr;
    if (p < end_ && *p == '.') {
      const char* const point = ++p;
      p = digits(p, ignored);
      if (p == point) return nullptr;
    }
    int64_t exponent = 0;
    return p < end_ && (*p == 'e' || *p == 'E') ? power(p, exponent) : p;
  }

  // ---------------------------------------------------------------- parts of strings

  // From inside a string to its next quote or backslash.
  const char* run(const char* p) const {
    for (;;) {
      while (end_ - p >= static_cast<ptrdiff_t>(kWordBytes)) {
        const uint64_t marks = ends_of_run(load(p));
        p += marks == 0 ? static_cast<int>(kWordBytes) : lowest_byte(marks);
        if (marks != 0) break;
      }
      if (p >= end_) return nullptr;
      const unsigned char c = static_cast<unsigned char>(*p);
      if (c == '"' || c == '\\') return p;
      if (c < 0x20) return nullptr;
      const int n = c < 0x80 ? 1 : sequence(p);
      if (n == 0) return nullptr;
      p += n;
    }
  }

  // Length of the UTF-8 sequence that stands here and is not ASCII; 0 if it is not valid.
  int sequence(const char* p) const {
    const auto byte = [p](int i) { return static_cast<unsigned char>(p[i]); };
    const auto follows = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned char first = byte(0);
    const ptrdiff_t left = end_ - p;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return left >= 2 && follows(1) ? 2 : 0;
    if (first < 0xF0) {
      if (left < 3 || !follows(1) || !follows(2)) return 0;
      if (first == 0xE0 && byte(1) < 0xA0) return 0;  // longer than it need be
      if (first == 0xED && byte(1) > 0x9F) return 0;  // half a surrogate pair
      return 3;
    }
    if (first > 0xF4 || left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }

  // An escape and its code point.
  const char* escape(const char* p, uint32_t& code) const {
    if (end_ - p < 2) return nullptr;
    switch (p[1]) {
      case '"':
      case '\\':
      case '/': code = static_cast<uint32_t>(p[1]); return p + 2;
      case 'b': code = '\b'; return p + 2;
      case 'f': code = '\f'; return p + 2;
      case 'n': code = '\n'; return p + 2;
      case 'r': code = '\r'; return p + 2;
      case 't': code = '\t'; return p + 2;
      case 'u': break;
      default: return nullptr;
    }
    p = hex4(p + 2, code);
    if (p == nullptr || code < 0xD800 || code > 0xDFFF) return p;
    uint32_t low = 0;
    if (code > 0xDBFF || end_ - p < 2 || p[0] != '\\' || p[1] != 'u') return nullptr;
    p = hex4(p + 2, low);
    if (p == nullptr || low < 0xDC00 || low > 0xDFFF) return nullptr;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    return p;
  }
  const char* hex4(const char* p, uint32_t& value) const {
    if (end_ - p < 4) return nullptr;
    value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *p++;
      int digit;
      if (is_digit(c)) digit = c - '0';
      else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
      else return nullptr;
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return p;
  }

  static char* put_utf8(char* out, uint32_t code) {
    const auto tail = [code](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) {
      *out++ = static_cast<char>(code);
    } else if (code < 0x800) {
      *out++ = static_cast<char>(0xC0 | (code >> 6));
      *out++ = tail(0);
    } else if (code < 0x10000) {
      *out++ = static_cast<char>(0xE0 | (code >> 12));
      *out++ = tail(6);
      *out++ = tail(0);
    } else {
      *out++ = static_cast<char>(0xF0 | (code >> 18));
      *out++ = tail(12);
      *out++ = tail(6);
      *out++ = tail(0);
    }
    return out;
  }

  // ---------------------------------------------------------------- parts of numbers

  // Digits, appended to a number that may overflow.
  TOOLKIT_INLINE const char* digits(const char* p, uint64_t& number) const {
    static constexpr uint64_t kTens[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};
    while (end_ - p >= static_cast<ptrdiff_t>(kWordBytes)) {
      const uint64_t word = load(p);
      const uint64_t marks = not_digits(word);
      const int n = marks == 0 ? static_cast<int>(kWordBytes) : lowest_byte(marks);
      if (n == 0) return p;
      number = number * kTens[n] + number_of_digits(word, n);
      p += n;
      if (marks != 0) return p;
    }
    while (p < end_ && is_digit(*p)) number = number * 10 + static_cast<uint64_t>(*p++ - '0');
    return p;
  }

  // An exponent, added to one.
  const char* power(const char* p, int64_t& exponent) const {
    ++p;
    const bool negative = p < end_ && *p == '-';
    if (p < end_ && (*p == '-' || *p == '+')) ++p;
    const char* const first = p;
    uint64_t value = 0;
    p = digits(p, value);
    if (p == first) return nullptr;
    if (p - first > 6) value = 999999;
    exponent += negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
    return p;
  }

  // The double nearest to mantissa * 10^exponent, where simple arithmetic gives it exactly.
  static bool nearest(uint64_t mantissa, int64_t exponent, double& value) {
    static constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (mantissa <= uint64_t{1} << 53 && exponent >= -22 && exponent <= 22) {
      // Both factors are exact, so the one operation rounds once (Clinger 1990).
      const double exact = static_cast<double>(mantissa);
      value = exponent < 0 ? exact / kTens[-exponent] : exact * kTens[exponent];
      return true;
    }
#if defined(__SIZEOF_INT128__)
    if (mantissa != 0 && exponent < 0 && exponent >= -27) {
      value = quotient(mantissa, static_cast<int>(-exponent));
      return true;
    }
#endif
    return false;
  }

#if defined(__SIZEOF_INT128__)
  struct Fives {
    uint64_t power[28];  // all that 64 bits hold
    constexpr Fives() : power{1} {
      for (int i = 1; i < 28; ++i) power[i] = 5 * power[i - 1];
    }
  };

  // mantissa / 10^n to the nearest double, ties to even: long division of 128 bits by 5^n, whose
  // remainder says on which side of a tie the quotient lies. No underflow: it is above 10^-27.
  static double quotient(uint64_t mantissa, int n) {
    static constexpr Fives fives;
    uint64_t divisor = fives.power[n];
    const int up = __builtin_clzll(mantissa), down = __builtin_clzll(divisor);
    mantissa <<= up;
    divisor <<= down;
    const auto dividend = static_cast<unsigned __int128>(mantissa) << 63;
    uint64_t bits = static_cast<uint64_t>(dividend / divisor);  // 63 or 64 of them
    const bool inexact = static_cast<uint64_t>(dividend) != bits * divisor;
    const int spare = 64 - __builtin_clzll(bits) - 53;
    const uint64_t below = bits & ((uint64_t{1} << spare) - 1);
    const uint64_t half = uint64_t{1} << (spare - 1);
    bits >>= spare;
    if (below > half || (below == half && (inexact || (bits & 1) != 0))) ++bits;
    const auto exponent = static_cast<uint64_t>(1023 + spare - 63 - up + down - n);
    const uint64_t power = exponent << 52;
    double scale;
    std::memcpy(&scale, &power, sizeof scale);
    return static_cast<double>(bits) * scale;
  }
#endif

  static bool parsed(const char* start, const char* stop, double& value) {
#if defined(__cpp_lib_to_chars)
    const auto result = std::from_chars(start, stop, value);
    return result.ec == std::errc() && result.ptr == stop && std::isfinite(value);
#else  // the standard library cannot: Python can, if it is held
    const std::string text(start, stop);
    const PyGILState_STATE held = PyGILState_Ensure();
    value = PyOS_string_to_double(text.c_str(), nullptr, nullptr);
    const bool good = PyErr_Occurred() == nullptr;
    PyErr_Clear();
    PyGILState_Release(held);
    return good && std::isfinite(value);
#endif
  }

  // The decimal of each byte as JSON writes it in a list, followed by a comma and a blank.
  struct Decimals {
    uint64_t text[256];
    uint8_t digits[256];  // how many
    constexpr Decimals() : text{}, digits{} {
      for (unsigned b = 0; b < 256; ++b) {
        const unsigned all[] = {b / 100, b / 10 % 10, b % 10};
        int n = 0;
        for (int i = b >= 100 ? 0 : b >= 10 ? 1 : 2; i < 3; ++i)
          text[b] |= static_cast<uint64_t>('0' + all[i]) << (8 * n++);
        digits[b] = static_cast<uint8_t>(n);
        text[b] |= (uint64_t{','} | uint64_t{' '} << 8) << (8 * n);
      }
    }
  };

  // Behind an array that spells the bytes of a text in plain decimals, or nullptr.
  const char* spelled(const char* p, std::string_view text) const {
    static constexpr Decimals decimals;
    if (text.empty() || end_ - p < static_cast<ptrdiff_t>(5 * text.size() + kWordBytes))
      return nullptr;
    if (*p++ != '[') return nullptr;
    const auto* byte = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const last = byte + text.size() - 1;
    const int between = byte == last || p[decimals.digits[*byte] + 1] != ' ' ? 1 : 2;
    for (; byte < last; ++byte) {
      const int n = decimals.digits[*byte] + between;
      if (((load(p) ^ decimals.text[*byte]) << (64 - 8 * n)) != 0) return nullptr;
      p += n;
    }
    const int n = decimals.digits[*last];
    if (((load(p) ^ decimals.text[*last]) << (64 - 8 * n)) != 0 || p[n] != ']') return nullptr;
    return p + n + 1;
  }
};

}  // namespace toolkit
