// Write a JSON value again, as `strict_json.compact` does: without blanks, with sorted keys.

#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace toolkit {

class JsonWriter {
 public:
  std::string text;  // what was written so far

  explicit JsonWriter(Json& json) : json_(json) {}

  // Appends the value at p, and returns the position after it; nullptr if it may be written otherwise.
  const char* value(const char* p) {
    switch (json_.peek(p)) {
      case '{': return object(p);
      case '[': return array(p, [this](const char* q) { return value(q); });
      case '"': return string(p);
      case 't':
      case 'f':
      case 'n': return word(p);
      default: return number(p);
    }
  }
  // Appends an array; f(p) appends each element.
  template <class F>
  const char* array(const char* p, F f) {
    text += '[';
    const size_t first = text.size();
    p = json_.array(p, [&](const char* q) {
      if (text.size() > first) text += ',';
      return f(q);
    });
    text += ']';
    return p;
  }
  // Appends a key and its colon.
  void key(std::string_view name) {
    text += '"';
    text += name;
    text += "\":";
  }

 private:
  struct Member {
    std::string_view key;
    size_t start, stop;  // of what was written
  };
  Json& json_;
  std::vector<Member> members_;  // of the objects that are open

  const char* object(const char* p) {
    const size_t first = members_.size(), start = text.size();
    p = json_.members(p, [&](const char* q, const Slice& name) {
      text += ',';
      const size_t at = text.size();
      key(name.text());
      q = value(q);
      members_.push_back({name.text(), at, text.size()});
      return q;
    });
    const bool is_written = p != nullptr && sort(first, start);
    members_.resize(first);
    return is_written ? p : nullptr;
  }
  // Sorts the newest members, which were written from `start`; false if a key occurs twice.
  bool sort(size_t first, size_t start) {
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, members_.end(), [](auto& a, auto& b) { return a.key < b.key; });
    std::string sorted;
    for (size_t i = first; i < members_.size(); ++i) {
      if (i > first && members_[i].key == members_[i - 1].key) return false;
      sorted += i == first ? '{' : ',';
      sorted.append(text, members_[i].start, members_[i].stop - members_[i].start);
    }
    if (sorted.empty()) sorted += '{';
    text.resize(start);
    text += sorted;
    text += '}';
    return true;
  }

  const char* string(const char* p) {
    Slice slice;
    p = json_.string(p, slice);
    if (p == nullptr) return nullptr;
    text += '"';
    for (const char* q = slice.start; q < slice.stop;) {
      const char* const plain = q;
      while (q < slice.stop && *q != '\\') ++q;
      text.append(plain, q);
      if (q == slice.stop) break;
      uint32_t code = 0;
      q = escape(q, slice.stop, code);
      character(code);
    }
    text += '"';
    return p;
  }
  // Appends a character that was escaped.
  void character(uint32_t code) {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    const size_t i = code < 0x80 ? kEscaped.find(static_cast<char>(code)) : kEscaped.npos;
    if (i != kEscaped.npos) {
      text += '\\';
      text += kLetters[i];
    } else if (code < 0x20) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      text += "\\u00";
      text += kDigits[code >> 4];
      text += kDigits[code & 15];
    } else {
      char utf8[4];
      text.append(utf8, put_utf8(utf8, code));
    }
  }

  const char* word(const char* p) {
    p = json_.begin(p);
    const char* const stop = json_.skip(p);
    if (stop != nullptr) text.append(p, stop);
    return stop;
  }
  const char* number(const char* p) {
    p = json_.begin(p);
    const char* const stop = json_.skip(p);
    if (stop == nullptr) return nullptr;
    const std::string_view digits(p, static_cast<size_t>(stop - p));
    const bool is_whole = digits.find_first_of(".eE") == digits.npos;
    if (is_whole ? digits.size() > 18 || digits == "-0" : !is_shortest(digits)) return nullptr;
    text += digits;
    return stop;
  }
  // Returns whether a number is written as Python writes it, without an exponent.
  bool is_shortest(std::string_view digits) const {
#if defined(__cpp_lib_to_chars)
    double number = 0.0;
    if (json_.real(digits.data(), number) == nullptr) return false;
    const double size = std::fabs(number);
    if (size != 0.0 && (size < 1e-4 || size >= 1e15)) return false;
    char written[64];
    const auto end = std::to_chars(written, written + sizeof written, number, std::chars_format::fixed);
    std::string_view shortest(written, static_cast<size_t>(end.ptr - written));
    if (shortest.find('.') == shortest.npos && digits.size() == shortest.size() + 2 &&
        digits.substr(shortest.size()) == ".0")
      digits.remove_suffix(2);
    return digits == shortest;
#else
    static_cast<void>(digits);
    return false;
#endif
  }
};

}  // namespace toolkit
