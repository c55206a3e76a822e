// Read a row with parallel arrays of logprobs among its columns: `tokens`, `logprobs`.
//
// toolkit/loaders/formats/loose.py defines what such a row means. Here nothing else in the row can be
// an answer, a part of one, or a list of tokens.

#pragma once

#include <string_view>

#include "around.h"
#include "loose_reader.h"
#include "row_keys.h"

namespace toolkit {

class ArrayRows : public LooseReader {
 public:
  using LooseReader::LooseReader;

 protected:
  // Returns whether the record of the tree may be such a row.
  bool may_have_arrays() {
    if (!tree_.is(0, Type::kObject) || !tree_.is_list(tree_.get(0, "tokens"))) return false;
    for (const std::string_view key : {"logprobs", "token_logprobs", "tokenLogprobs"})
      if (tree_.is_list(tree_.get(0, key))) return true;
    return false;
  }
  // Reads it as a body with one part; false: it is uncertain.
  bool read_arrays(Body& body, Slice& id) {
    const size_t first_token = tokens.rows;
    if (!is_plain_row() || !row_id(id) || is_declared(0)) return false;
    arrays_in(0, false);
    if (tree_.doubt || is_left(first_token) || tree_.doubt) return false;
    hidden_.clear();
    tree_.each(0, [&](Index i) {
      const Slice text = tree_.text(tree_.at(i));
      if (tree_.at(i).is_read) hidden_.push_back({text.start, text.stop});
    });
    const bool is_certain = answer(Row(json_, tree_.text_start(tree_.at(0))), first_token, body);
    hidden_.clear();
    return is_certain;
  }

 private:
  // The record, as the only object around its arrays.
  struct Row : Around {
    Row(Json& json, const char* start) : Around(json) {
      depth_ = 1;
      levels_[0].start = start;
    }
  };

  bool is_plain_row() {
    uint64_t seen = 0;
    bool good = true;
    tree_.each(0, [&](Index i) {
      const std::string_view key = tree_.key(tree_.at(i)).text();
      const RowKey meaning = kRowNames.find(key);
      const bool is_null = tree_.is(i, Type::kNull);
      seen |= bit(meaning);
      good = good && !tree_.at(i).is_key_escaped && !is_dotted(key);
      if (good && tree_.is_list(i) && is_array_key(key)) good = has_no_answer(i);
      if (!good || (tree_.is_list(i) && is_array_key(key))) return;
      if (tree_.is_list(i) && may_be_column(key)) good = false;
      switch (meaning) {
        case RowKey::kResponse: case RowKey::kBody: case RowKey::kMessage: case RowKey::kOutput:
        case RowKey::kValue: case RowKey::kFinish: case RowKey::kLogprobs:
          good = good && (is_null || tree_.is(i, Type::kText));
          break;
        case RowKey::kError: good = good && is_null; break;
        default: good = good && (meaning <= RowKey::kLastId || meaning == RowKey::kOther);
      }
      good = good && is_plain_value(i);
    });
    const auto has_both = [&](RowKey one, RowKey other) { return (~seen & (bit(one) | bit(other))) == 0; };
    return good && !has_both(RowKey::kCustomId, RowKey::kResponse) &&
           !has_both(RowKey::kCustomId, RowKey::kError) && !has_both(RowKey::kIndex, RowKey::kFinish);
  }
  static bool is_array_key(std::string_view key) {
    for (const std::string_view name : {"tokens", "logprobs", "token_logprobs", "tokenLogprobs",
                                        "top_logprobs", "topLogprobs"})
      if (key == name) return true;
    return false;
  }
  // Returns whether a list may be an array beside the others, or a channel, because of its key.
  static bool may_be_column(std::string_view key) {
    for (const std::string_view channel : {"content", "prompt", "reasoning", "refusal"})
      if (key.substr(0, channel.size()) == channel) return true;
    for (size_t i = 0; i < key.size(); ++i) {
      const auto begins = [&](std::string_view name) {
        for (size_t j = 0; j < name.size(); ++j)
          if (i + j >= key.size() || (key[i + j] | 0x20) != name[j]) return false;
        return true;
      };
      if (static_cast<unsigned char>(key[i]) >= 0x80 || begins("token") || begins("id") || begins("top"))
        return true;
    }
    return false;
  }
  // Returns whether a value has no text that may be JSON with an answer, no key that may be a path to
  // one, and no entry that may be one: with more than texts and numbers, or with a text and a key that
  // is, or may be because of an escape, that of another format.
  bool has_no_answer(Index of) {
    for (Index i = of; i < tree_.at(of).end; ++i) {
      if (may_hold_answer(i) || is_dotted(tree_.key(tree_.at(i)).text())) return false;
      if (!tree_.is(i, Type::kObject)) continue;
      bool is_nested = false, has_text = false, has_key = false;
      tree_.each(i, [&](Index j) {
        is_nested |= tree_.is(j, Type::kObject) || (tree_.is(j, Type::kArray) && tree_.at(j).n > 0);
        has_text |= tree_.is(j, Type::kText);
        has_key |= tree_.at(j).is_key_escaped ||
                   kRowNames.find(tree_.key(tree_.at(j)).text()) == RowKey::kDoubt;
      });
      if (is_nested || (has_text && has_key)) return false;
    }
    return true;
  }
  // Returns whether nothing in a value can be an answer, a part of one, or a list of tokens.
  bool is_plain_value(Index i) {
    const Node& node = tree_.at(i);
    const std::string_view key = tree_.key(node).text();
    const bool is_number = node.type == Type::kNumber;
    if (node.key_size > 0 && Json::speaks_of_logprobs(key) && !is_number && node.type != Type::kNull)
      return false;
    if (node.type == Type::kText || node.type == Type::kTuple) return has_no_answer(i);
    bool good = true;
    tree_.each(i, [&](Index j) {
      const std::string_view name = tree_.key(tree_.at(j)).text();
      const Role role = kRoleNames.find(name);
      const RowKey meaning = kRowNames.find(name);
      const bool is_member = tree_.at(i).type == Type::kObject;
      if (is_member)
        good = good && !tree_.at(j).is_key_escaped && !is_dotted(name) && role != Role::kLogprob &&
               role != Role::kTop && role != Role::kDoubt &&
               (meaning <= RowKey::kLastId || meaning == RowKey::kOther);
      good = good && (is_member || !tree_.is_list(j)) && is_plain_value(j);
    });
    return good;
  }
};

}  // namespace toolkit
