// The text of JSON strings: runs of plain characters, UTF-8 and escapes.
//
// A function that reads takes a position and the end of the record. It returns the position after
// what it read, or nullptr if the text is not certainly valid. It reads no byte outside the record.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "word_scan.h"

namespace toolkit {

// The position of a string that is not in a column yet: the text between its quotes, as sent.
struct Slice {
  const char* start = nullptr;  // nullptr: the value is null or absent
  const char* stop = nullptr;
  bool escaped = false;

  std::string_view text() const { return {start, static_cast<size_t>(stop - start)}; }
};

// Returns the length in bytes of the UTF-8 sequence at p, which is not ASCII; 0 if it is invalid.
inline int utf8_length(const char* p, const char* end) {
  const auto byte = [p](int i) { return static_cast<unsigned char>(p[i]); };
  const auto follows = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  const ptrdiff_t left = end - p;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return left >= 2 && follows(1) ? 2 : 0;
  if (first < 0xF0) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && byte(1) > 0x9F) return 0;  // half of a surrogate pair
    return 3;
  }
  if (first > 0xF4 || left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (first == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return 4;
}

// Skips the plain characters of a string: returns the position of its next quote or backslash.
inline const char* skip_plain(const char* p, const char* end) {
  for (;;) {
    while (end - p >= static_cast<ptrdiff_t>(kWordBytes)) {
      const uint64_t marks = ends_of_run(load(p));
      p += marks == 0 ? static_cast<int>(kWordBytes) : lowest_byte(marks);
      if (marks != 0) break;
    }
    if (p >= end) return nullptr;
    const unsigned char c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\') return p;
    if (c < 0x20) return nullptr;
    const int n = c < 0x80 ? 1 : utf8_length(p, end);
    if (n == 0) return nullptr;
    p += n;
  }
}

// Reads the four hexadecimal digits of a \u escape.
inline const char* hex4(const char* p, const char* end, uint32_t& value) {
  if (end - p < 4) return nullptr;
  value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = *p++;
    int digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    else return nullptr;
    value = value * 16 + static_cast<uint32_t>(digit);
  }
  return p;
}

// Reads an escape, which begins with the backslash at p, and gives its code point.
inline const char* escape(const char* p, const char* end, uint32_t& code) {
  if (end - p < 2) return nullptr;
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
  p = hex4(p + 2, end, code);
  if (p == nullptr || code < 0xD800 || code > 0xDFFF) return p;
  uint32_t low = 0;
  if (code > 0xDBFF || end - p < 2 || p[0] != '\\' || p[1] != 'u') return nullptr;
  p = hex4(p + 2, end, low);
  if (p == nullptr || low < 0xDC00 || low > 0xDFFF) return nullptr;
  code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  return p;
}

// Writes a code point as UTF-8 and returns the position after it.
inline char* put_utf8(char* out, uint32_t code) {
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

}  // namespace toolkit
