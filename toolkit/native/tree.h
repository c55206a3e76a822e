// A record as a tree of nodes, for formats that are read by what lies where.
//
// Nodes lie in one array, each before its descendants. The text of values is only validated, and
// read when a format asks for it. An array of numbers alone is one node, and so is a tuple: an array
// of two or three numbers, nulls and at most one text, as an entry may be written.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "json.h"

namespace toolkit {

enum class Type : uint8_t { kNull, kTrue, kFalse, kNumber, kText, kNumbers, kTuple, kArray, kObject };

struct Node {
  uint32_t start, stop;  // of its text; of a string, without quotes
  uint32_t key, key_size;  // its key in an object
  uint32_t end;            // index of the node after its last descendant
  uint32_t n;              // number of elements or members
  Type type;
  bool is_escaped, is_key_escaped;
  bool is_read;  // as a list of tokens, or as a part of one
};

constexpr uint32_t kMostInTuple = 3;    // elements
constexpr uint32_t kMostCompared = 64;  // keys of an object that are compared with one another

class Tree {
 public:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;

  bool doubt = false;  // something that was asked for is uncertain

  explicit Tree(Json& json) : json_(json) {}

  // Builds the tree of a record; false if it is not certainly valid.
  bool build(const char* start, const char* stop) {
    nodes_.clear();
    doubt = false;
    start_ = start;
    if (static_cast<size_t>(stop - start) >= UINT32_MAX) return false;
    json_.open(stop);
    const char* const p = value(start, Slice());
    return p != nullptr && json_.at_end(p);
  }

  // Makes the value that begins at p the root; false: no object begins there.
  bool focus(const char* p) {
    Index first = 0;
    while (first < size() && start_ + nodes_[first].start != p) ++first;
    if (!is(first < size() ? first : kNone, Type::kObject)) return false;
    nodes_.resize(nodes_[first].end);
    nodes_.erase(nodes_.begin(), nodes_.begin() + static_cast<std::ptrdiff_t>(first));
    for (Node& node : nodes_) node.end -= first;
    nodes_[0].key_size = 0;
    nodes_[0].is_key_escaped = false;
    doubt = false;
    return true;
  }

  Index size() const { return static_cast<Index>(nodes_.size()); }
  Node& at(Index i) { return nodes_[i]; }
  const Node& at(Index i) const { return nodes_[i]; }
  const char* text_start(const Node& node) const { return start_ + node.start; }
  Slice text(const Node& node) const { return slice(node.start, node.stop, node.is_escaped); }
  Slice key(const Node& node) const {
    return slice(node.key, node.key + node.key_size, node.is_key_escaped);
  }
  bool is(Index i, Type type) const { return i != kNone && nodes_[i].type == type; }
  // Returns whether a value is an array whose elements are not nodes.
  bool is_flat(Index i) const { return is(i, Type::kNumbers) || is(i, Type::kTuple); }
  bool is_list(Index i) const { return is(i, Type::kArray) || is_flat(i); }
  bool has_text(Index i, std::string_view text) {
    if (!is(i, Type::kText)) return false;
    if (nodes_[i].is_escaped) doubt = true;
    return this->text(nodes_[i]).text() == text;
  }

  // Calls f(i) for each element or member of an array or object.
  template <class F>
  void each(Index of, F f) const {
    if (nodes_[of].type != Type::kArray && nodes_[of].type != Type::kObject) return;
    for (Index i = of + 1; i < nodes_[of].end; i = nodes_[i].end) f(i);
  }
  // Returns the value of a key of an object; kNone if it has none.
  Index get(Index of, std::string_view name) {
    Index found = kNone;
    if (!is(of, Type::kObject)) return found;
    each(of, [&](Index i) {
      if (nodes_[i].is_key_escaped) doubt = true;
      if (!equal(key(nodes_[i]).text(), name)) return;
      if (found != kNone) doubt = true;
      found = i;
    });
    return found;
  }
  // Returns whether a key of an object may occur twice.
  bool is_repeated(Index of) const {
    if (!is(of, Type::kObject)) return false;
    bool found = nodes_[of].n > kMostCompared;
    for (Index i = of + 1; !found && i < nodes_[of].end; i = nodes_[i].end)
      for (Index j = of + 1; j < i; j = nodes_[j].end)
        found |= nodes_[i].is_key_escaped || key(nodes_[i]).text() == key(nodes_[j]).text();
    return found;
  }
  // Returns the value of the first of some keys that is not null.
  template <size_t N>
  Index first(Index of, const std::string_view (&names)[N]) {
    for (const std::string_view name : names) {
      const Index i = get(of, name);
      if (i != kNone && !is(i, Type::kNull)) return i;
    }
    return kNone;
  }

 private:
  Json& json_;
  const char* start_ = nullptr;
  std::vector<Node> nodes_;

  Slice slice(uint32_t start, uint32_t stop, bool escaped) const {
    Slice slice;
    slice.start = start_ + start;
    slice.stop = start_ + stop;
    slice.escaped = escaped;
    return slice;
  }
  uint32_t offset(const char* p) const { return static_cast<uint32_t>(p - start_); }

  const char* value(const char* p, const Slice& key) {
    p = json_.begin(p);
    const Index i = static_cast<Index>(nodes_.size());
    nodes_.emplace_back();  // and filled here, because a copy of a node in parts waits for them
    if (key.start != nullptr) {
      Node& node = nodes_.back();
      node.key = offset(key.start);
      node.key_size = static_cast<uint32_t>(key.stop - key.start);
      node.is_key_escaped = key.escaped;
    }
    Slice text{p, nullptr, false};
    Type type = Type::kNull;
    uint32_t n = 0;
    switch (json_.peek(p)) {
      case '{':
        type = Type::kObject;
        p = json_.any_members(p, [&](const char* q, const Slice& name) { return ++n, value(q, name); });
        break;
      case '[': p = array(p, type, n); break;
      case '"':
        type = Type::kText;
        p = json_.string(p, text);
        break;
      case 't': type = Type::kTrue; p = json_.skip(p); break;
      case 'f': type = Type::kFalse; p = json_.skip(p); break;
      case 'n': p = json_.skip(p); break;
      default: type = Type::kNumber; p = json_.skip(p);
    }
    if (p == nullptr) return nullptr;
    Node& node = nodes_[i];
    node.start = offset(text.start);
    node.stop = offset(type == Type::kText ? text.stop : p);
    node.end = static_cast<Index>(nodes_.size());
    node.n = n;
    node.type = type;
    node.is_escaped = text.escaped;
    return p;
  }

  const char* array(const char* p, Type& type, uint32_t& n) {
    const int depth = json_.depth();
    if (const char* const stop = flat(p, type, n)) return stop;
    json_.set_depth(depth);
    type = Type::kArray;
    n = 0;
    return json_.array(p, [&](const char* q) { return ++n, value(q, Slice()); });
  }
  // Reads an array that needs no node for each element, or that is empty; nullptr: it is another.
  const char* flat(const char* p, Type& type, uint32_t& n) {
    bool has_number = false, has_text = false, has_null = false;
    p = json_.array(p, [&](const char* q) -> const char* {
      const char c = json_.peek(q);
      const bool is_text = c == '"', is_null = c == 'n', is_number = c == '-' || is_digit(c);
      if (!(is_number || is_null || is_text) || (is_text && has_text)) return nullptr;
      has_number |= is_number;
      has_text |= is_text;
      has_null |= is_null;
      return ++n > kMostInTuple && (has_text || has_null) ? nullptr : json_.skip(q);
    });
    type = n == 0 ? Type::kArray : has_text || has_null ? Type::kTuple : Type::kNumbers;
    return type == Type::kTuple && (n < 2 || !has_number) ? nullptr : p;
  }
};

}  // namespace toolkit
