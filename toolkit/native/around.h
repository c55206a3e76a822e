// The objects around a body: the rows, envelopes and arrays on the way to it.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json.h"
#include "row_keys.h"

namespace toolkit {

constexpr int kMostKeys = 4;  // keys on the way to a body; a longer way defers the record

// An object or array around a body, as far as it matters to what it is.
struct Level {
  uint64_t seen = 0;  // bits of its keys
  size_t n_keys = 0;
  bool doubt = false;
  Slice id;                        // its id as a row
  RowKey id_key = RowKey::kOther;  // under which key it has that; kOther: it has none
  bool is_error = false;           // `error` is not null
  bool is_odd_status = false;      // `status_code` is not 200
  bool is_odd_response = false;    // that of the object under `response` is not 200
  bool is_message = false;         // `message` is an object
  bool is_text = false;            // `custom_id` is a text or null
  bool has_word = false;           // a value is a text that is not a number
  bool is_null = false, is_object = false;  // what `response` is
  uint64_t response = 0, data = 0;          // bits of the keys of the objects under these keys
  size_t n_response = 0;                    // number of keys of the object under `response`
  const char* start = nullptr;              // where it begins
  int index = -1;                           // of the element on the way, in an array
  Slice body_key;                           // the key of the member on the way
  const char* body_start = nullptr;         // the value of that
  const char* body_stop = nullptr;
  enum Kind { kRow, kBatch, kEvent } kind = kRow;

  bool has(RowKey key) const { return (seen & bit(key)) != 0; }
  // Returns whether the key of its id means something else beside another key.
  bool is_id_odd() const {
    return (id_key == RowKey::kIndex && has(RowKey::kFinish)) ||
           (id_key == RowKey::kKey && has(RowKey::kValue));
  }
};

// Part of the text of a record that is not searched, because it is large.
struct Span {
  const char* start = nullptr;
  const char* stop = nullptr;
};

class Around {
 public:
  explicit Around(Json& json) : json_(json) {}

  int depth() const { return depth_; }
  const Level& level(int i) const { return levels_[i]; }
  // Whether the body is not the record itself.
  bool is_inside() const { return depth_ > 0; }
  // Whether lists of tokens beside the body count if it has none itself.
  bool is_row() const { return are_rows_ && depth_ > 0 && levels_[0].kind == Level::kRow; }
  // Whether an envelope is around the body.
  bool has_envelope() const {
    for (int i = 0; i < depth_; ++i)
      if (levels_[i].kind != Level::kRow) return true;
    return false;
  }
  // Whether all that is around the body are rows, found by content.
  bool are_rows() const { return are_rows_ && !has_envelope(); }
  bool has_event() const {
    for (int i = 0; i < depth_; ++i)
      if (levels_[i].kind == Level::kEvent) return true;
    return false;
  }
  // Whether a number beside the body is a logprob, which counts if the body has no tokens.
  bool has_mean() const { return has_mean_; }
  // Writes the JSON path of the body; false if a key is not a plain name.
  bool path(std::string& path) const {
    path = "$";
    for (int i = 0; i < depth_; ++i) {
      const std::string_view key = levels_[i].body_key.text();
      if (levels_[i].index >= 0) {
        path += '[' + std::to_string(levels_[i].index) + ']';
        continue;
      }
      if (!is_plain(key)) return false;
      path += '.';
      path += key;
    }
    return true;
  }
  // Gives the id of the body, which `text` is null without; false if it is uncertain.
  bool id(Slice& text) const {
    int outer = depth_;  // rows are the levels below it
    for (int i = 0; i < depth_; ++i)
      if (levels_[i].kind != Level::kRow) {
        const bool is_batch = levels_[i].kind == Level::kBatch;
        if (i + (is_batch ? 2 : 1) != depth_) return false;  // the body is deeper inside
        if (is_batch && levels_[i + 1].body_key.text() != "body") return false;
        outer = i;
        break;
      }
    for (int i = outer - 1; i >= 0; --i) {
      if (levels_[i].id_key == RowKey::kOther) continue;
      text = levels_[i].id;
      return text.start != text.stop;
    }
    if (outer < depth_ && levels_[outer].id_key == RowKey::kCustomId) {  // of a Batch line
      text = levels_[outer].id;
    } else if (are_rows_ && outer > 0 && levels_[0].n_keys == 1) {
      // The only key of a record may be an id, if it has a digit in it.
      for (const char c : levels_[0].body_key.text())
        if (static_cast<unsigned char>(c) >= 0x80 || is_digit(c)) return false;
    }
    return true;
  }

  // Reads an id: a text or a whole number; false: it is something else. `doubt`: it is uncertain.
  static bool read_id(const Json& json, const char* p, Slice& id, bool& doubt) {
    const char c = json.peek(p);
    if (c == '"') return json.string(p, id) != nullptr;
    if (c != '-' && !is_digit(c)) return false;
    id.start = json.begin(p);
    id.stop = json.number(id.start);
    if (id.stop == nullptr) return false;
    const std::string_view digits = id.text();
    if (digits.find_first_of(".eE") != digits.npos) return false;
    doubt |= digits.size() > 18 || digits == "-0";
    return true;
  }
  // Notes the id of a row: a text or a whole number under the first of some keys.
  static void note_id(const Json& json, const char* p, RowKey key, Level& here) {
    if (key > RowKey::kLastId || key >= here.id_key) return;
    Slice id;
    if (!read_id(json, p, id, here.doubt)) return;
    here.id = id;
    here.id_key = key;
  }

 protected:
  Json& json_;
  int depth_ = -1;        // levels around the body; -1: none was found
  bool are_rows_ = true;  // they were found by content
  bool has_mean_ = false;
  Level levels_[kMostKeys];

};

}  // namespace toolkit
