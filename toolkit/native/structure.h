// Find the structure of JSON text 64 bytes at a time: bit i of a mask is byte i.

#pragma once

#include <cstdint>
#include <cstring>

#include "word_scan.h"

#if defined(__SSE2__) || defined(_M_X64)
#define TOOLKIT_SSE2
#include <emmintrin.h>
#endif

namespace toolkit {

constexpr size_t kMaskBytes = 64;

// Returns the index of the lowest bit; `mask` is not 0.
inline int lowest_bit(uint64_t mask) {
#if defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, mask);
  return static_cast<int>(index);
#else
  return __builtin_ctzll(mask);
#endif
}

// Returns the number of bits.
inline int count_bits(uint64_t mask) {
#if defined(_MSC_VER) || !defined(__POPCNT__)  // without the instruction, the builtin is a call
  mask -= (mask >> 1) & 0x5555555555555555u;
  mask = (mask & 0x3333333333333333u) + ((mask >> 2) & 0x3333333333333333u);
  return static_cast<int>((((mask + (mask >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * kOnes) >> 56);
#else
  return __builtin_popcountll(mask);
#endif
}

// 64 bytes of text, to be compared with characters.
class Bytes64 {
 public:
#if defined(TOOLKIT_SSE2)
  explicit Bytes64(const char* p) {
    for (int i = 0; i < kWords; ++i)
      words_[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
  }
  // Sets bit 5 of each byte, which makes braces of brackets.
  void fold() {
    for (__m128i& word : words_) word = _mm_or_si128(word, _mm_set1_epi8(0x20));
  }
  // Marks the bytes that equal c.
  TOOLKIT_INLINE uint64_t equal(char c) const {
    uint64_t mask = 0;
    for (int i = kWords - 1; i >= 0; --i)
      mask = mask << 16 | static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(words_[i], _mm_set1_epi8(c))));
    return mask;
  }

 private:
  static constexpr int kWords = 4;
  __m128i words_[kWords];
#else
  explicit Bytes64(const char* p) {
    for (size_t i = 0; i < kWordBytes; ++i) words_[i] = load(p + kWordBytes * i);
  }
  void fold() {
    for (uint64_t& word : words_) word |= kOnes * 0x20;
  }
  TOOLKIT_INLINE uint64_t equal(char c) const {
    uint64_t mask = 0;
    for (size_t i = kWordBytes; i-- > 0;) {
      const uint64_t other = words_[i] ^ (kOnes * static_cast<unsigned char>(c));
      const uint64_t zero = ~(((other & ~kHighs) + ~kHighs) | other) & kHighs;  // exact
      mask = mask << 8 | ((zero >> 7) * 0x0102040810204080u) >> 56;
    }
    return mask;
  }

 private:
  uint64_t words_[kWordBytes];
#endif
};

// Finds the brackets outside strings, as toolkit/loaders/framing/brackets.py does: a quote counts
// unless an odd number of backslashes precedes it, inside a string or not.
class Structure {
 public:
  uint64_t opens = 0, closes = 0;  // brackets outside strings
  uint64_t newlines = 0;           // anywhere
  uint64_t inside = 0;             // strings, with their opening quote and without the closing one

  explicit Structure(bool quoted) : quoted_(quoted ? ~uint64_t{0} : 0) {}
  bool quoted() const { return quoted_ != 0; }

  // Reads the next n <= 64 bytes of the text; fewer than 64 only at its end.
  TOOLKIT_INLINE void read(const char* p, size_t n) {
    char padded[kMaskBytes];
    if (n < kMaskBytes) {
      std::memset(padded, ' ', kMaskBytes);
      std::memcpy(padded, p, n);
      p = padded;
    }
    Bytes64 bytes(p);
    const uint64_t slashes = bytes.equal('\\');
    inside = bytes.equal('"');
    newlines = bytes.equal('\n');
    if ((slashes | escaped_) != 0) inside &= ~escaped(slashes);
    for (int shift = 1; shift < 64; shift *= 2) inside ^= inside << shift;  // parity of the quotes
    inside ^= quoted_;
    quoted_ = (inside >> 63) != 0 ? ~uint64_t{0} : 0;
    bytes.fold();
    opens = bytes.equal('{') & ~inside;
    closes = bytes.equal('}') & ~inside;
  }

 private:
  uint64_t quoted_;
  uint64_t escaped_ = 0;  // 1 if a backslash escapes the next byte

  // Marks the bytes that a backslash escapes.
  uint64_t escaped(uint64_t slashes) {
    uint64_t found = escaped_;
    slashes &= ~found;
    escaped_ = 0;
    while (slashes != 0) {
      const uint64_t slash = slashes & (~slashes + 1);
      found |= slash << 1;
      escaped_ = slash >> 63;
      slashes &= ~(slash | slash << 1);
    }
    return found;
  }
};

}  // namespace toolkit
