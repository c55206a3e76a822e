// Read a body of the OpenAI chat schema: its metadata, usage, choices and their logprobs.
//
// toolkit/loaders/decoding/body_reader.py defines what a body means.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "columns.h"
#include "list_reader.h"
#include "json.h"
#include "json_writer.h"
#include "keys.h"

namespace toolkit {

constexpr int64_t kInt32Max = INT32_MAX;
constexpr int64_t kYear10000 = 253402300800;  // seconds since 1970; as in decoding/body_reader.py

// The fields of a body before its row is written.
struct Body {
  Slice id, object, model, fingerprint, tier;
  int64_t created = -1;
  bool has_usage = false;
  bool has_choices = false;
  int32_t n_parts = 0;
  Kind kind = kWhole;
};

// Reads bodies. As in Json, a method that reads takes a position in the text and returns the
// position after what it read, or nullptr.
class BodyReader : public ListReader {
 public:
  Parts parts;

 protected:
  JsonWriter writer_{json_};
  Json::Watch entry_watch_ = Json::Watch::kNone;  // of further keys of an entry
  int64_t usage_[kUsageCounts] = {};  // counts of the body, if it has a usage; -1: unknown

  const char* field(const char* p, Body& body, Key key) {
    switch (key) {
      case Key::kId: return json_.string_or_null(p, body.id);
      case Key::kObject: return json_.string_or_null(p, body.object);
      case Key::kCreated: return json_.whole_or_null(p, body.created, 0, kYear10000 - 1);
      case Key::kModel: return json_.string_or_null(p, body.model);
      case Key::kFingerprint: return json_.string_or_null(p, body.fingerprint);
      case Key::kTier: return json_.string_or_null(p, body.tier);
      case Key::kUsage: return usage(p, body);
      case Key::kChoices: return choices(p, body);
      case Key::kError:
      case Key::kPromptLogprobs: return json_.null(p);
      default: return nullptr;
    }
  }

  const char* choices(const char* p, Body& body) {
    const size_t first = parts.rows;
    bool any_message = false, any_delta = false;
    body.has_choices = true;
    p = json_.array(p, [&](const char* q) {
      bool is_message = false, is_delta = false;
      q = choice(q, body.n_parts, is_message, is_delta);
      any_message |= is_message;
      any_delta |= is_delta;
      ++body.n_parts;
      return is_message == is_delta ? nullptr : q;
    });
    if (any_message && (any_delta || !differ(first, parts.rows))) return nullptr;
    body.kind = any_delta ? kChunk : kWhole;
    return p;
  }

  // Returns whether the indices of choices differ; false for more than 1,000 choices, which would
  // take too long.
  bool differ(size_t first, size_t last) const {
    if (last - first > 1000) return false;
    for (size_t i = first; i < last; ++i)
      for (size_t j = first; j < i; ++j)
        if (parts.choice.at(i) == parts.choice.at(j)) return false;
    return true;
  }

  // An empty name becomes null, because servers send "" for unknown values.
  void put_name(const Slice& slice, Text& column, size_t row) {
    if (slice.start != slice.stop) json_.put(slice, column, row);
  }

  const char* logprobs(const char* p, State& state, int32_t (&counts)[3]) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    const auto field = [&](const char* q, Key key) {
      const char* const r = json_.null(q);
      if (r != nullptr) return r;
      const int channel = key == Key::kContent ? 0 : key == Key::kReasoningContent ? 1 : 2;
      const size_t first = tokens.rows;
      const auto each = [&](const char* at) { return token(at); };
      q = json_.watching(entry_watch_, [&] { return json_.array(q, each); });
      const size_t n = tokens.rows - first;
      // The rows of a part are in the order of the channels; another order defers the record.
      for (int later = channel + 1; later < 3 && n > 0; ++later)
        if (counts[later] > 0) return static_cast<const char*>(nullptr);
      if (n > static_cast<size_t>(kInt32Max)) return static_cast<const char*>(nullptr);
      counts[channel] = static_cast<int32_t>(n);
      state = std::max(state, n > 0 ? kPresent : kEmpty);
      return q;
    };
    return json_.watching(Json::Watch::kAll,
                          [&] { return json_.object(p, kLogprobsNames, field); });
  }

 private:
  const char* usage(const char* p, Body& body) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    body.has_usage = true;
    std::fill(usage_, usage_ + kUsageCounts, -1);
    return json_.object(p, kUsageNames, [&](const char* q, Key key) {
      switch (key) {
        case Key::kPromptTokens: return count(q, usage_[0]);
        case Key::kCompletionTokens: return count(q, usage_[1]);
        case Key::kTotalTokens: return count(q, usage_[2]);
        default: return details(q, key == Key::kPromptDetails);
      }
    });
  }
  const char* details(const char* p, bool of_prompt) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    return json_.object(p, kDetailNames, [&](const char* q, Key key) {
      if (key == Key::kAudio) return count(q, usage_[of_prompt ? 5 : 6]);
      if (key == Key::kCached && of_prompt) return count(q, usage_[3]);
      if (key == Key::kReasoningTokens && !of_prompt) return count(q, usage_[4]);
      if (key == Key::kAccepted && !of_prompt) return count(q, usage_[7]);
      if (key == Key::kRejected && !of_prompt) return count(q, usage_[8]);
      return json_.skip(q);
    });
  }
  const char* count(const char* p, int64_t& value) {
    return json_.whole_or_null(p, value, 0, INT64_MAX);
  }

  const char* choice(const char* p, int32_t ordinal, bool& is_message, bool& is_delta) {
    parts.make_row_room();
    const size_t row = parts.rows;
    int64_t index = ordinal;
    State state = kAbsent;
    int32_t counts[3] = {0, 0, 0};
    p = json_.object(p, kChoiceNames, [&](const char* q, Key key) {
      switch (key) {
        case Key::kIndex: return json_.whole_or_null(q, index, 0, kInt32Max);
        case Key::kFinish: return name(q, parts.finish_reason, row);
        case Key::kLogprobs: return logprobs(q, state, counts);
        default: return message(q, row, key == Key::kMessage ? is_message : is_delta);
      }
    });
    if (p == nullptr) return nullptr;
    parts.choice.set(row, static_cast<int32_t>(index));
    parts.state.set(row, state);
    parts.n_content.set(row, counts[0]);
    parts.n_prompt.set(row, 0);
    parts.n_reasoning.set(row, counts[1]);
    parts.n_refusal.set(row, counts[2]);
    ++parts.rows;
    return p;
  }

  // Reads a message or a delta; `is_present`: it is not null. If a choice has both, they write to
  // the same row, but the record is deferred anyway.
  const char* message(const char* p, size_t row, bool& is_present) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    is_present = true;
    return json_.object(p, kMessageNames, [&](const char* q, Key key) {
      switch (key) {
        case Key::kRole: return name(q, parts.role, row);
        case Key::kContent: return text(q, parts.content, row);
        case Key::kRefusal: return text(q, parts.refusal, row);
        case Key::kToolCalls: return tool_calls(q, row);
        case Key::kProviderFields: return no_refusal(q);
        default: return text(q, parts.reasoning, row);  // one of two keys
      }
    });
  }
  // LiteLLM writes refusals here; such a record is deferred.
  const char* no_refusal(const char* p) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    return json_.object(p, kProviderNames, [&](const char* q, Key) { return json_.null(q); });
  }
  const char* text(const char* p, Text& column, size_t row) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    return column.has(row) ? nullptr : json_.string(p, column, row);
  }
  const char* name(const char* p, Text& column, size_t row) {
    Slice slice;
    p = json_.string_or_null(p, slice);
    if (p == nullptr || column.has(row)) return nullptr;
    put_name(slice, column, row);
    return p;
  }
  // Reads tool calls, or fragments of them, as JSON; none are null.
  const char* tool_calls(const char* p, size_t row) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    writer_.text.clear();
    p = writer_.array(p, [&](const char* q) {
      json_.note_list();
      return json_.peek(q) == '{' ? writer_.value(q) : nullptr;
    });
    if (p != nullptr && writer_.text != "[]") parts.tool_calls.put(row, writer_.text);
    return p;
  }
};

}  // namespace toolkit
