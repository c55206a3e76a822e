// Eight bytes at a time: finding what ends a run of text or digits, and bits.

#pragma once

#include <cstdint>
#include <cstring>

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

// The first byte is the lowest, whatever the machine.
inline uint64_t load(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, kWordBytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

// Tells whether n bytes are the same; for short texts faster than a call of memcmp.
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

// The number of the lowest byte that is not 0; `marks` is not 0.
inline int lowest_byte(uint64_t marks) {
#if defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, marks);
  return static_cast<int>(index) >> 3;
#else
  return __builtin_ctzll(marks) >> 3;
#endif
}

// Marks the bytes that end a plain run inside a JSON string: quote, backslash, control character,
// not ASCII. A borrow may mark bytes above the lowest mark wrongly; only that one is used.
inline uint64_t ends_of_run(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t slash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) |
          ((word - kOnes * 0x20) & ~word) | word) &
         kHighs;
}

// Marks the bytes that are no digits; likewise only the lowest mark is sure.
inline uint64_t not_digits(uint64_t word) {
  constexpr uint64_t high = kOnes * 0xF0, three = kOnes * 0x30;
  return ((word & high) ^ three) | (((word + kOnes * 0x06) & high) ^ three);
}

// The number that the first n of eight characters spell, all of them digits; 1 <= n <= 8.
inline uint64_t number_of_digits(uint64_t word, int n) {
  word = (word - kOnes * '0') << (8 * (8 - n));  // zeros in front
  word = word * 10 + (word >> 8);                // pairs, in every second byte
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
