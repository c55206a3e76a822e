// The text of JSON numbers, read as doubles and as whole numbers.
//
// A function that reads takes a position and the end of the record. It returns the position after
// what it read, or nullptr if the text is not certainly valid. It reads no byte outside the record.

#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

#include "word_scan.h"

#if !defined(__cpp_lib_to_chars)
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>
#endif

namespace toolkit {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads digits, if there are any, and appends them to a number, which may overflow.
TOOLKIT_INLINE const char* digits(const char* p, const char* end, uint64_t& number) {
  constexpr uint64_t kTens[] = {1,      10,      100,      1000,     10000,
                                100000, 1000000, 10000000, 100000000};
  while (end - p >= static_cast<ptrdiff_t>(kWordBytes)) {
    const uint64_t word = load(p);
    const uint64_t marks = not_digits(word);
    const int n = marks == 0 ? static_cast<int>(kWordBytes) : lowest_byte(marks);
    if (n == 0) return p;
    number = number * kTens[n] + number_of_digits(word, n);
    p += n;
    if (marks != 0) return p;
  }
  while (p < end && is_digit(*p)) number = number * 10 + static_cast<uint64_t>(*p++ - '0');
  return p;
}

// Reads an exponent, which begins with the letter at p, and adds it to `exponent`.
inline const char* power(const char* p, const char* end, int64_t& exponent) {
  ++p;
  const bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) ++p;
  const char* const first = p;
  uint64_t value = 0;
  p = digits(p, end, value);
  if (p == first) return nullptr;
  if (p - first > 6) value = 999999;
  exponent += negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return p;
}

#if defined(__SIZEOF_INT128__)
struct Fives {
  uint64_t power[28];  // every power of five that fits 64 bits
  constexpr Fives() : power{1} {
    for (int i = 1; i < 28; ++i) power[i] = 5 * power[i - 1];
  }
};

// Returns the double nearest to mantissa / 10^n, ties to even, by long division of 128 bits by 5^n:
// the remainder says on which side of a tie the quotient lies. The result cannot underflow, because
// it is above 10^-27.
inline double quotient(uint64_t mantissa, int n) {
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

// Computes the double nearest to mantissa * 10^exponent; false if simple arithmetic cannot.
inline bool nearest(uint64_t mantissa, int64_t exponent, double& value) {
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

// Computes the double of a number's whole text; false if it is infinite.
inline bool parsed(const char* start, const char* stop, double& value) {
#if defined(__cpp_lib_to_chars)
  const auto result = std::from_chars(start, stop, value);
  return result.ec == std::errc() && result.ptr == stop && std::isfinite(value);
#else  // Python reads the number, because this standard library cannot; that needs the GIL
  const std::string text(start, stop);
  const PyGILState_STATE held = PyGILState_Ensure();
  value = PyOS_string_to_double(text.c_str(), nullptr, nullptr);
  const bool good = PyErr_Occurred() == nullptr;
  PyErr_Clear();
  PyGILState_Release(held);
  return good && std::isfinite(value);
#endif
}

// Reads a number as the nearest double; nullptr if that is infinite.
TOOLKIT_INLINE const char* read_real(const char* p, const char* end, double& value) {
  const char* const start = p;
  const bool negative = p < end && *p == '-';
  p += negative;
  const char* const first = p;
  uint64_t mantissa = 0;
  if (end - p >= 2 && is_digit(p[0]) && p[1] == '.')  // as most logprobs are
    mantissa = static_cast<uint64_t>(*p++ - '0');
  else
    p = digits(p, end, mantissa);
  if (p == first || (*first == '0' && p - first > 1)) return nullptr;
  int64_t n = p - first, exponent = 0;
  bool is_integer = true;
  if (p < end && *p == '.') {
    is_integer = false;
    const char* const point = ++p;
    p = digits(p, end, mantissa);
    if (p == point) return nullptr;
    exponent = point - p;
    n -= exponent;
  }
  if (n > 19)
    for (const char* q = first; q < p && (*q == '0' || *q == '.'); ++q) n -= *q == '0';
  if (p < end && (*p == 'e' || *p == 'E')) {
    is_integer = false;
    p = power(p, end, exponent);
    if (p == nullptr) return nullptr;
  }
  if (n > 19 || !nearest(mantissa, exponent, value)) return parsed(start, p, value) ? p : nullptr;
  if (negative && !(is_integer && mantissa == 0)) value = -value;  // the integer -0 is 0
  return p;
}

// Reads a whole number from `low` to `high`, which may have a fraction of zeros.
TOOLKIT_INLINE const char* read_whole(const char* p, const char* end, int64_t& value, int64_t low,
                                      int64_t high) {
  const bool negative = p < end && *p == '-';
  p += negative;
  const char* const first = p;
  uint64_t magnitude = 0;
  p = digits(p, end, magnitude);
  const ptrdiff_t n = p - first;
  // More than 15 digits are for the reference decoder, because a float above 2^53 is not exact.
  if (n == 0 || n > 15 || (*first == '0' && n > 1)) return nullptr;
  if (p < end && *p == '.') {
    const char* const zeros = ++p;
    while (p < end && *p == '0') ++p;
    if (p == zeros) return nullptr;
  }
  if (p < end && (is_digit(*p) || *p == 'e' || *p == 'E')) return nullptr;
  value = negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
  return value >= low && value <= high ? p : nullptr;
}

// Skips a number. There is a byte at p.
inline const char* skip_number(const char* p, const char* end) {
  p += *p == '-';
  const char* const first = p;
  uint64_t ignored = 0;
  p = digits(p, end, ignored);
  if (p == first || (*first == '0' && p - first > 1)) return nullptr;
  if (p < end && *p == '.') {
    const char* const point = ++p;
    p = digits(p, end, ignored);
    if (p == point) return nullptr;
  }
  int64_t exponent = 0;
  return p < end && (*p == 'e' || *p == 'E') ? power(p, end, exponent) : p;
}

// The decimal of each byte as JSON writes it in a list, followed by a comma and a space.
struct Decimals {
  uint64_t text[256];
  uint8_t digits[256];  // number of digits of the decimal
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

// As spelled_bytes, where the numbers are in lines of their own, with equal whitespace before each.
inline const char* spelled_in_lines(const char* p, const char* end, std::string_view text) {
  static constexpr Decimals decimals;
  const char* const lead = p + 1;
  const size_t indent = static_cast<size_t>(skip_space(lead, end) - lead);
  if (static_cast<size_t>(end - p) < (4 + indent) * text.size() + kWordBytes + 2) return nullptr;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (*p++ != (&c == text.data() ? '[' : ',') || !equal(p, lead, indent)) return nullptr;
    p += indent;
    const int n = decimals.digits[byte];
    if (((load(p) ^ decimals.text[byte]) << (64 - 8 * n)) != 0) return nullptr;
    p += n;
  }
  p = skip_space(p, end);
  return p < end && *p == ']' ? p + 1 : nullptr;
}

// Reads an array that spells the bytes of a known text in plain decimals; nullptr if it does not.
TOOLKIT_INLINE const char* spelled_bytes(const char* p, const char* end, std::string_view text) {
  static constexpr Decimals decimals;
  if (text.empty() || end - p < static_cast<ptrdiff_t>(5 * text.size() + kWordBytes)) return nullptr;
  if (*p != '[') return nullptr;
  if (*++p == '\n' || *p == '\r') return spelled_in_lines(p - 1, end, text);
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

}  // namespace toolkit
