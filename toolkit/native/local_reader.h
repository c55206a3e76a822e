// Read answers of Ollama and of llama.cpp's `/completion` out of their tree, whole and streamed.
//
// toolkit/loaders/formats/{ollama,llama_server}.py define them. What is uncertain sets
// `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "shape_reader.h"

namespace toolkit {

// Returns the seconds since 1970 of a time in UTC such as 2026-11-20T10:00:00.5Z; -1: it is another.
// Times after 2099 are others, because Python's floats may round their microseconds up.
inline int64_t seconds_of(std::string_view time) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  constexpr int64_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (time.size() <= kForm.size() || time.back() != 'Z') return -1;
  int64_t parts[6] = {};
  size_t part = 0;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool is_part = kForm[i] == 'd';
    if (is_part ? !is_digit(time[i]) : time[i] != kForm[i]) return -1;
    if (is_part) parts[part] = parts[part] * 10 + (time[i] - '0');
    else ++part;
  }
  const std::string_view fraction = time.substr(kForm.size(), time.size() - kForm.size() - 1);
  if (!fraction.empty() && (fraction[0] != '.' || fraction.size() == 1)) return -1;
  for (size_t i = 1; i < fraction.size(); ++i)
    if (!is_digit(fraction[i])) return -1;
  const auto& [year, month, day, hour, minute, second] = parts;
  if (year < 1970 || year > 2099) return -1;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return -1;
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day < 1 || day > kDays[month - 1] + (month == 2 && is_leap ? 1 : 0)) return -1;
  const int64_t before = year - 1;
  int64_t days = 365 * (year - 1970) + before / 4 - before / 100 + before / 400 - 477 + day - 1;
  for (int64_t i = 1; i < month; ++i) days += kDays[i - 1] + (i == 2 && is_leap ? 1 : 0);
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

class LocalReader : public ShapeReader {
 public:
  using ShapeReader::ShapeReader;

 protected:
  bool is_flag(Index i) const { return tree_.is(i, Type::kTrue) || tree_.is(i, Type::kFalse); }
  bool is_null(Index i) const { return i == kNone || tree_.is(i, Type::kNull); }
  void put_text(Index i, Text& column, size_t row) {
    if (!is_null(i)) join({i}, column, row);
  }
  void put_name_of(Index i, Text& column, size_t row) {
    Slice name;
    get_text(i, name);
    put_name(name, column, row);
  }
  // Reads a list of entries of the chat schema.
  State entries_of(Index list) {
    if (tree_.at(list).n == 0) return kEmpty;
    if (tree_.is_flat(list) || !tree_.is(list + 1, Type::kObject) || tree_.get(list + 1, "token") == kNone)
      return doubtful(), kEmpty;
    positions(list, kNone, kNone, false, {});
    return kPresent;
  }

  // Reads a line of Ollama; `done`: its flag.
  bool ollama(Index done, Body& body) {
    const Index message = tree_.get(0, "message"), said = tree_.get(0, "response");
    const bool is_chat = tree_.is(message, Type::kObject);
    if (!has_any({"model", "created_at", "eval_count", "prompt_eval_count", "total_duration"}) ||
        (!is_chat && !tree_.is(said, Type::kText)))
      return false;
    const Index of = is_chat ? message : 0;
    get_text(tree_.get(0, "model"), body.model);
    const Index time = tree_.get(0, "created_at");
    if (!is_null(time)) {
      Slice text;
      get_text(time, text);
      body.created = text.start == nullptr ? -1 : seconds_of(text.text());
      if (body.created < 0) doubtful();
    }
    const Index calls = is_chat ? tree_.get(of, "tool_calls") : kNone;
    if (!is_null(calls) && !(tree_.is(calls, Type::kArray) && tree_.at(calls).n == 0)) doubtful();
    const size_t row = begin_part(), first_token = tokens.rows;
    put_text(is_chat ? tree_.get(of, "content") : said, parts.content, row);
    put_text(tree_.get(of, "thinking"), parts.reasoning, row);
    if (is_chat) put_name_of(tree_.get(of, "role"), parts.role, row);
    end(done, "done_reason", "done", body, row);
    if (body.kind == kEither) counts("prompt_eval_count", "eval_count", body);
    body.has_usage = body.has_usage && (usage_[0] > 0 || usage_[1] > 0);
    end_part(0, list_at("logprobs"), first_token);
    return !tree_.doubt;
  }

  // Reads an answer of llama.cpp; `stop`: its flag.
  bool llama(Index stop, Body& body) {
    const bool is_marked =
        has_any({"tokens_predicted", "tokens_evaluated", "generation_settings", "timings", "stop_type",
                 "completion_probabilities", "id_slot", "slot_id", "multimodal", "index", "model",
                 "truncated"});
    if (!is_marked || !tree_.is(tree_.get(0, "content"), Type::kText) || tree_.get(0, "type") != kNone)
      return false;
    get_text(tree_.get(0, "model"), body.model);
    const size_t row = begin_part(), first_token = tokens.rows;
    put_text(tree_.get(0, "content"), parts.content, row);
    end(stop, "stop_type", "stop", body, row);
    if (body.kind == kEither) counts("tokens_evaluated", "tokens_predicted", body);
    const int64_t index = get_whole(tree_.get(0, "index"), 0, INT32_MAX, 0);
    end_part(index, list_at("completion_probabilities"), first_token);
    return !tree_.doubt;
  }

 private:
  bool has_any(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys)
      if (tree_.get(0, key) != kNone) return true;
    return false;
  }
  // Notes whether the answer ends, and why.
  void end(Index flag, std::string_view key, std::string_view otherwise, Body& body, size_t row) {
    const bool is_last = tree_.is(flag, Type::kTrue);
    Slice reason;
    get_text(tree_.get(0, key), reason);
    if (reason.start != reason.stop) put_name(reason, parts.finish_reason, row);
    else if (is_last) parts.finish_reason.put(row, otherwise);
    body.kind = is_last ? kEither : kChunk;
    body.n_parts = 1;
  }
  void counts(std::string_view prompt, std::string_view completion, Body& body) {
    const Index both[] = {tree_.get(0, prompt), tree_.get(0, completion)};
    body.has_usage = both[0] != kNone || both[1] != kNone;
    for (int i = 0; i < 2; ++i) usage_[i] = get_whole(both[i], 0, INT64_MAX, -1);
  }
  State list_at(std::string_view key) {
    const Index list = tree_.get(0, key);
    if (is_null(list)) return kAbsent;
    if (!tree_.is(list, Type::kArray)) return doubtful(), kAbsent;
    return entries_of(list);
  }
};

}  // namespace toolkit
