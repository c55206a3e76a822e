// Read token logprobs that lie in a row without an answer around them, and the answer beside them.
//
// toolkit/loaders/formats/loose.py defines what such a row means. Here it has one list of entries,
// or one object with such a list; `Rows` finds it and sees that nothing else in the row counts.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "around.h"
#include "coded_reader.h"

namespace toolkit {

constexpr std::string_view kAnswerKeys[] = {
    "answer", "response", "output", "completion", "generation", "generated_text", "output_text",
    "text", "content", "message", "prediction", "model_output", "model_answer", "result",
    "transcript", "delta", "reply", "assistant"};
constexpr std::string_view kModelKeys[] = {"model", "model_name", "model_id", "modelId", "engine"};
constexpr std::string_view kUsageKeys[] = {"usage", "token_usage", "usage_metadata", "usageMetadata"};
constexpr std::string_view kReasonKeys[] = {"finish_reason", "finishReason", "stop_reason",
                                            "done_reason"};
constexpr int kTextDepth = 3;       // levels of a row whose texts are compared with the tokens
constexpr int kMostCompares = 900;  // values that are compared; fewer than `_MOST_TEXTS`

// Returns the size in bytes of the blank at p, as `str.strip` removes it; 0 if there is none.
inline size_t blank_size(const char* p, size_t left) {
  const auto byte = [p](int i) { return static_cast<unsigned>(static_cast<unsigned char>(p[i])); };
  if (left == 0) return 0;
  if (byte(0) < 0x80) {
    const unsigned c = byte(0);
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) ? 1 : 0;
  }
  if (left >= 2 && byte(0) == 0xC2) return byte(1) == 0x85 || byte(1) == 0xA0 ? 2 : 0;
  if (left < 3) return 0;
  const unsigned code = byte(0) << 16 | byte(1) << 8 | byte(2);
  const bool is_blank = code == 0xE19A80 || (code >= 0xE28080 && code <= 0xE2808A) ||
                        code == 0xE280A8 || code == 0xE280A9 || code == 0xE280AF ||
                        code == 0xE2819F || code == 0xE38080;
  return is_blank ? 3 : 0;
}
inline std::string_view stripped(std::string_view text) {
  while (const size_t n = blank_size(text.data(), text.size())) text.remove_prefix(n);
  for (size_t n = 1; n <= 3 && n <= text.size();) {
    const bool is_blank = blank_size(text.data() + text.size() - n, n) == n;
    if (is_blank) text.remove_suffix(n);
    n = is_blank ? 1 : n + 1;
  }
  return text;
}
// Returns whether a text may be that of an answer; blanks that are not ASCII are not told apart.
inline bool may_be_text_of_answer(std::string_view text) {
  size_t i = 0;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) <= ' ' || text[i] < 0)) ++i;
  return i < text.size() && (text[i] == '{' || text[i] == '[' || text[i] == 'd') &&
         speaks_of_answers(text);
}

class LooseReader : public CodedReader {
 public:
  using CodedReader::CodedReader;

 protected:
  std::vector<Span> hidden_;  // the lists, if they are members of an object that is searched

  // Reads the lists, a list of entries or an object with such a list under `content`.
  const char* read_lists(const char* p) {
    chunk_ = 0;
    entry_watch_ = Json::Watch::kStrict;
    State state = kAbsent;
    int32_t counts[3] = {0, 0, 0};
    const size_t first = tokens.rows;
    p = json_.apart([&] {
      if (json_.peek(p) == '{') return logprobs(p, state, counts);
      return json_.watching(entry_watch_, [&] {
        return json_.array(p, [&](const char* q) { return token(q); });
      });
    });
    entry_watch_ = Json::Watch::kNone;
    return tokens.rows == first || counts[1] + counts[2] > 0 ? nullptr : p;
  }

  // Reads the answer beside the tokens from the row `first_token` on; false: it is uncertain.
  bool answer(const Around& around, size_t first_token, Body& body) {
    if (!hold_no_answers(first_token)) return false;
    for (int i = 0; i < around.depth(); ++i)
      if (is_repeated(around.level(i)) || is_searched(around.level(i).body_key.text())) return false;
    body.has_choices = true;
    body.n_parts = 1;
    body.kind = kWhole;
    const char* const model = near(around, kModelKeys);
    if (model != nullptr && *model == '"') json_.string(model, body.model);
    const size_t row = begin_part();
    Slice content, reason;
    if (!text(around, first_token, content) || !finish_reason(near(around, kReasonKeys), reason) ||
        !counts(near(around, kUsageKeys), body))
      return false;
    if (content.start != nullptr) json_.put(content, parts.content, row);
    put_name(reason, parts.finish_reason, row);
    end_part(0, kPresent, first_token);
    return true;
  }

  static bool are_repeated(std::vector<std::string_view>& names) {
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) != names.end();
  }

 private:
  std::string joined_, decoded_;  // the text of the tokens, and one that is compared with it
  std::string_view wanted_;       // that of the tokens, without blanks around it
  Slice found_;                   // the first text that equals it
  int n_compared_ = 0;
  bool is_odd_ = false;  // a key occurs twice

  bool hold_no_answers(size_t first_token) const {
    size_t row = alternatives.rows;
    for (size_t token = tokens.rows; token-- > first_token;) {
      if (may_be_text_of_answer(tokens.token.at(token))) return false;
      for (int32_t n = tokens.n_alternatives.at(token); n > 0; --n)
        if (may_be_text_of_answer(alternatives.token.at(--row))) return false;
    }
    return true;
  }

  // Calls f(key, p) for each member of an object but the one on the way to the lists, and the lists.
  template <class F>
  void each(const Level& level, F f) {
    json_.watching(Json::Watch::kNone, [&] {
      return json_.members(level.start, [&](const char* q, const Slice& name) {
        q = json_.begin(q);
        if (q == level.body_start) return level.body_stop;
        for (const Span& hidden : hidden_)
          if (q == hidden.start) return hidden.stop;
        f(name.text(), q);
        return json_.skip(q);
      });
    });
  }
  bool is_repeated(const Level& level) {
    std::vector<std::string_view> keys = {level.body_key.text()};
    each(level, [&](std::string_view key, const char*) { keys.push_back(key); });
    return are_repeated(keys);
  }
  // Returns whether what lies under a key is taken for the model, the counts or the reason whatever
  // it is; `near` does not see it if it holds the lists.
  static bool is_searched(std::string_view key) {
    const auto is_one_of = [key](const auto& names) {
      return std::find(std::begin(names), std::end(names), key) != std::end(names);
    };
    return is_one_of(kModelKeys) || is_one_of(kUsageKeys) || is_one_of(kReasonKeys);
  }
  // Returns the value of the first of some keys in the nearest object that has one; `is_text`: only
  // texts count.
  template <size_t N>
  const char* near(const Around& around, const std::string_view (&names)[N], bool is_text = false) {
    const char* found = nullptr;
    for (int i = around.depth(); found == nullptr && i-- > 0;) {
      size_t best = N;
      each(around.level(i), [&](std::string_view key, const char* p) {
        const size_t j = static_cast<size_t>(std::find(names, names + best, key) - names);
        if (j == best || (is_text ? *p != '"' : *p == 'n')) return;
        best = j;
        found = p;
      });
    }
    return found;
  }

  bool finish_reason(const char* p, Slice& reason) const {
    if (p == nullptr) return true;
    if (*p != '"' || json_.string(p, reason) == nullptr || reason.escaped) return false;
    if (reason.text() == "null") reason = Slice();
    return true;
  }
  bool counts(const char* p, Body& body) {
    std::fill(usage_, usage_ + kUsageCounts, -1);
    if (p == nullptr) return true;
    const char* const end = json_.end();
    const char* const stop = json_.watching(Json::Watch::kNone, [&] { return json_.skip(p); });
    if (!tree_.build(p, stop)) return false;
    get_usage(0, UsageNames::kAny, body);
    json_.open(end);
    return !tree_.doubt;
  }

  // Gives the text near the tokens that equals them, else the one under the likeliest key.
  bool text(const Around& around, size_t first_token, Slice& content) {
    joined_.clear();
    for (size_t row = first_token; row < tokens.rows; ++row) joined_ += tokens.token.at(row);
    wanted_ = stripped(joined_);
    found_ = Slice();
    n_compared_ = 0;
    is_odd_ = false;
    for (int i = around.depth(); i-- > 0 && found_.start == nullptr && !joined_.empty();)
      each(around.level(i), [&](std::string_view, const char* p) { compare(p, kTextDepth); });
    if (is_odd_ || n_compared_ > kMostCompares) return false;
    const char* const p = found_.start == nullptr ? near(around, kAnswerKeys, true) : nullptr;
    content = found_;
    return p == nullptr || json_.string(p, content) != nullptr;
  }
  // Compares a value, or the texts in it, with the tokens.
  const char* compare(const char* p, int depth) {
    const char c = json_.peek(p);
    ++n_compared_;
    if (found_.start != nullptr || n_compared_ > kMostCompares) return json_.skip(p);
    if (c == '"') {
      Slice slice;
      p = json_.string(p, slice);
      if (is_wanted(slice)) found_ = slice;
      return p;
    }
    if (depth == 0 || (c != '{' && c != '[')) return json_.skip(p);
    if (c == '[') return json_.array(p, [&](const char* q) { return compare(q, depth - 1); });
    std::vector<std::string_view> keys;
    p = json_.members(p, [&](const char* q, const Slice& name) {
      keys.push_back(name.text());
      return compare(q, depth - 1);
    });
    is_odd_ |= are_repeated(keys);
    return p;
  }
  bool is_wanted(const Slice& slice) {
    std::string_view text = slice.text();
    if (slice.escaped) {
      decoded_.resize(text.size());
      const char* const stop = json_.write(slice, decoded_.data());
      text = {decoded_.data(), static_cast<size_t>(stop - decoded_.data())};
    }
    return text == joined_ || (!text.empty() && stripped(text) == wanted_);
  }
};

}  // namespace toolkit
