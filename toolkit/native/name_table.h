// A table of names, for objects with many keys that may be read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "json.h"
#include "word_scan.h"

namespace toolkit {

// Finds the key of a name among many.
template <class Key, size_t N>
class NameTable {
 public:
  constexpr explicit NameTable(const Name<Key> (&names)[N]) : slots_{}, names_(names) {
    for (size_t i = 0; i < N; ++i) {
      size_t slot = slot_of(names[i].text);
      while (slots_[slot] != 0) slot = (slot + 1) % kSlots;
      slots_[slot] = static_cast<uint8_t>(i + 1);
    }
  }
  Key find(std::string_view text) const {
    if (text.empty()) return Key::kOther;
    for (size_t slot = slot_of(text); slots_[slot] != 0; slot = (slot + 1) % kSlots) {
      const Name<Key>& name = names_[slots_[slot] - 1];
      if (name.text.size() == text.size() && equal(name.text.data(), text.data(), text.size()))
        return name.key;
    }
    return Key::kOther;
  }

 private:
  static constexpr size_t kSlots = 256;
  static_assert(N < kSlots / 2, "too many names");
  uint8_t slots_[kSlots];  // 1 + the index of a name; 0: none
  const Name<Key> (&names_)[N];

  static constexpr size_t slot_of(std::string_view text) {
    const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(text[i])); };
    return (text.size() * 41 + at(0) * 7 + at(text.size() / 2) * 13 + at(text.size() - 1)) % kSlots;
  }
};

}  // namespace toolkit
