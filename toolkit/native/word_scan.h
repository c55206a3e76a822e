// Scan eight bytes at a time: find the end of a run of text or digits, compare, clear bits.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace toolkit {

#if defined(_MSC_VER)
#define TOOLKIT_INLINE __forceinline
#else
#define TOOLKIT_INLINE inline __attribute__((always_inline))
#endif

constexpr size_t kWordBytes = 8;
constexpr uint64_t kOnes = 0x0101010101010101u;
constexpr uint64_t kHighs = 0x8080808080808080u;

// Loads eight bytes as a number; the first byte is the lowest on every machine.
inline uint64_t load(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, kWordBytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

// Returns whether n bytes are equal; faster than a call of memcmp for short texts.
inline bool equal(const char* one, const char* other, size_t n) {
  if (n < kWordBytes) {
    for (size_t i = 0; i < n; ++i)
      if (one[i] != other[i]) return false;
    return true;
  }
  for (size_t i = 0; i + kWordBytes < n; i += kWordBytes)
    if (load(one + i) != load(other + i)) return false;
  return load(one + n - kWordBytes) == load(other + n - kWordBytes);
}
inline bool equal(std::string_view one, std::string_view other) {
  return one.size() == other.size() && equal(one.data(), other.data(), one.size());
}

// Returns the index of the lowest byte that is not 0; `marks` is not 0.
inline int lowest_byte(uint64_t marks) {
#if defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, marks);
  return static_cast<int>(index) >> 3;
#else
  return __builtin_ctzll(marks) >> 3;
#endif
}

// Marks the bytes that end a run of plain characters in a JSON string: quotes, backslashes, control
// characters and bytes that are not ASCII. Only the lowest mark is reliable, because a borrow may
// mark bytes above it wrongly.
inline uint64_t ends_of_run(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t slash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) |
          ((word - kOnes * 0x20) & ~word) | word) &
         kHighs;
}

// Skips whitespace of JSON, which mostly is a newline and then many spaces or tabs.
inline const char* skip_space(const char* p, const char* end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
    const uint64_t alike = kOnes * static_cast<unsigned char>(*p++);
    while (end - p >= static_cast<ptrdiff_t>(kWordBytes)) {
      const uint64_t others = load(p) ^ alike;
      p += others == 0 ? static_cast<int>(kWordBytes) : lowest_byte(others);
      if (others != 0) break;
    }
  }
  return p;
}

// Marks the bytes that are not digits; again, only the lowest mark is reliable.
inline uint64_t not_digits(uint64_t word) {
  constexpr uint64_t high = kOnes * 0xF0, three = kOnes * 0x30;
  return ((word & high) ^ three) | (((word + kOnes * 0x06) & high) ^ three);
}

// Returns the number that the first n of eight characters spell, which are digits; 1 <= n <= 8.
inline uint64_t number_of_digits(uint64_t word, int n) {
  word = (word - kOnes * '0') << (8 * (8 - n));  // leading zeros
  word = word * 10 + (word >> 8);               // pairs, in every second byte
  constexpr uint64_t mask = 0x000000FF000000FFu;
  return ((word & mask) * (100 + (uint64_t{1000000} << 32)) +
          ((word >> 16) & mask) * (1 + (uint64_t{10000} << 32))) >>
         32;
}

// Clears the bits start to stop - 1.
inline void clear_bits(uint8_t* bits, size_t start, size_t stop) {
  for (; start < stop && (start & 7) != 0; ++start)
    bits[start >> 3] = static_cast<uint8_t>(bits[start >> 3] & ~(1u << (start & 7)));
  if (start >= stop) return;
  std::memset(bits + (start >> 3), 0, (stop - start) >> 3);
  for (start += (stop - start) & ~size_t{7}; start < stop; ++start)
    bits[start >> 3] = static_cast<uint8_t>(bits[start >> 3] & ~(1u << (start & 7)));
}

}  // namespace toolkit
