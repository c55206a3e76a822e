// Read records of the OpenAI chat schema into the columns of toolkit/loaders/buffers.py.
//
// toolkit/loaders/decoding/reference.py defines what a record means. The scanner reads only what is
// certain: whole completions, Batch lines and stream chunks, with keys in either casing. It defers
// a record that has an odd type, a repeated key, an escape in a key, half of a surrogate pair, NaN,
// invalid UTF-8, or another format.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "chunk_runs.h"
#include "columns.h"
#include "entry_reader.h"
#include "json.h"
#include "keys.h"

namespace toolkit {

constexpr int64_t kInt32Max = INT32_MAX;
constexpr int64_t kYear10000 = 253402300800;  // seconds since 1970; as in decoding/body_reader.py

enum Verdict : char { kDeferred, kRead, kEnveloped, kJoined };  // see loaders/scanner.py

// Reads records. As in Json, a method that reads takes a position in the text and returns the
// position after what it read, or nullptr.
class Scanner : public EntryReader {
 public:
  Bodies bodies;
  Parts parts;

  // `expected`: bytes of all records together; `window`: see Runs.
  Scanner(size_t expected, size_t window)
      : expected_(static_cast<double>(expected)), runs_(window) {}

  Members& members() { return runs_.members; }

  // Notes a [DONE] between the last record and the next.
  void interrupt() { runs_.interrupt(); }

  // Reads one record; if it is deferred, the columns are unchanged.
  Verdict record(const char* start, const char* stop, size_t frame) {
    make_room(static_cast<size_t>(stop - start));
    const size_t rows[] = {bodies.rows, parts.rows, tokens.rows, alternatives.rows};
    json_.open(stop);
    Record record;
    record.start = start;
    record.stop = stop;
    const char* const p = top(record, frame);
    if (p != nullptr && json_.at_end(p)) {
      const Verdict verdict = put(record, frame, rows[2]);
      if (verdict != kDeferred) return verdict;
    }
    bodies.cut(rows[0]);
    parts.cut(rows[1]);
    tokens.cut(rows[2]);
    alternatives.cut(rows[3]);
    runs_.interrupt();
    return kDeferred;
  }

  // Completes the columns after the last record.
  void finish() { runs_.join(parts, tokens, alternatives); }

 private:
  struct Record {
    const char* start;
    const char* stop;
    Body outer, inner;  // `inner`: the body inside a Batch line
    Slice custom_id;
    bool has_custom_id = false, is_batch_line = false;
    Run* run = nullptr;  // the run of its id, if the record begins with that
    bool is_as_before = false;  // it begins with the text that the run noted
    uint64_t seen = 0;
    const char* choices = nullptr;
    Body before;  // the fields before the choices
    uint64_t seen_before = 0;  // the bits of the keys before the choices
  };

  const double expected_;
  size_t read_ = 0;
  Runs runs_;
  int64_t usage_[kUsageCounts] = {};  // counts of the record, if it has a usage; -1: unknown

  // Reserves capacity for the texts of one more record. Columns grow to the size that is estimated
  // for all records from those so far, because moving memory costs more than reading records.
  void make_room(size_t size) {
    const double done = static_cast<double>(read_);
    const double growth = done > 0 ? std::clamp(1.05 * expected_ / done, 1.25, 1e4) : 2.0;
    read_ += size;
    for (Table* table : {static_cast<Table*>(&bodies), static_cast<Table*>(&parts),
                         static_cast<Table*>(&tokens), static_cast<Table*>(&alternatives)}) {
      table->growth = growth;
      table->make_byte_room(size);
    }
  }

  // ---------------------------------------------------------------- bodies

  const char* top(Record& record, size_t frame) {
    const char* p = json_.take(record.start, '{');
    if (p == nullptr) return nullptr;
    const char* const id = json_.usual_key(p, "\"id\":", true);
    if (id != nullptr && *id == '"') record.run = runs_.find(id + 1, record.stop);
    Run* const run = record.run;
    bool is_first = true;
    chunk_ = 0;
    if (run != nullptr && run->begins(record.start, record.stop)) {
      record.outer = run->before;
      record.seen = run->seen;
      record.is_as_before = true;
      if (runs_.is_open(*run, frame)) chunk_ = run->n_records;
      json_.enter();
      if ((p = choices(record.start + run->size, record.outer)) == nullptr) return nullptr;
      json_.leave();
      is_first = false;
    }
    return json_.rest_of_object(p, is_first, record.seen, kTopNames, [&](const char* q, Key key) {
      if (key == Key::kCustomId) {
        record.has_custom_id = true;
        return json_.string_or_null(q, record.custom_id);
      }
      if (key == Key::kResponse) {
        record.is_batch_line = true;
        return response(q, record.inner);
      }
      if (key == Key::kChoices && run != nullptr && !record.has_custom_id && !record.is_batch_line) {
        record.before = record.outer;
        record.seen_before = record.seen;
        record.choices = q;
      }
      return field(q, record.outer, key);
    });
  }

  // Writes the row of a record that was read, or joins the record to a run.
  Verdict put(Record& record, size_t frame, size_t first_token) {
    const bool is_batch_line = record.is_batch_line;
    if (record.has_custom_id != is_batch_line) return kDeferred;
    if (is_batch_line && (record.outer.has_choices || record.outer.has_usage)) return kDeferred;
    Body& body = is_batch_line ? record.inner : record.outer;  // each has an id
    if (!body.has_choices) return kDeferred;
    if (body.n_parts == 0) {
      if (body.object.escaped) return kDeferred;
      // The choices may be a column of a row that has an answer as a text, with escaped quotes.
      const size_t size = static_cast<size_t>(record.stop - record.start);
      if (std::memchr(record.start, '\\', size) != nullptr) return kDeferred;
      body.kind = body.object.text() == "chat.completion" ? kWhole : kChunk;
    }
    Run* const run = body.kind == kChunk ? run_of(record, body) : nullptr;
    if (run != nullptr && chunk_ > 0 && continues(*run, body)) {
      runs_.extend_run(*run, frame, bodies, parts);
      return kJoined;
    }
    for (size_t row = first_token; chunk_ > 0 && row < tokens.rows; ++row)
      tokens.chunk.set_again(row, 0);
    put_body(body, record.custom_id);
    runs_.add(static_cast<size_t>(body.n_parts), bodies.rows - 1, parts);
    if (run != nullptr) renew(*run, record, body, frame);
    return is_batch_line ? kEnveloped : kRead;
  }

  // Returns the run of a chunk's id. A chunk without an id, or with an unusual one, ends all runs.
  Run* run_of(const Record& record, const Body& body) {
    const bool begins_with_id = record.run != nullptr && !record.is_batch_line;
    Run* run = nullptr;
    if (body.id.start != body.id.stop)
      run = begins_with_id ? record.run : runs_.find(body.id.start, record.stop);
    if (run == nullptr) runs_.interrupt();
    return run;
  }

  // Returns whether a chunk brings text to the choice of the run and nothing else.
  bool continues(const Run& run, const Body& body) const {
    const size_t row = parts.rows - 1;
    return is_plain(body) && !parts.role.has(row) && brings_text(row) &&
           parts.choice.at(row) == parts.choice.at(run.part_row) &&
           body.created == run.body.created && same(body.object, run.body.object) &&
           same(body.model, run.body.model) && same(body.fingerprint, run.body.fingerprint) &&
           same(body.tier, run.body.tier);
  }
  static bool same(const Slice& one, const Slice& other) {
    return one.start == other.start || (one.start != nullptr && other.start != nullptr &&
                                        one.text() == other.text());
  }
  // Returns whether a body has one unfinished choice, tokens of its content only, and no usage.
  bool is_plain(const Body& body) const {
    if (body.n_parts != 1 || body.has_usage) return false;
    const size_t row = parts.rows - 1;
    return !parts.finish_reason.has(row) && parts.n_reasoning.at(row) == 0 &&
           parts.n_refusal.at(row) == 0;
  }
  bool brings_text(size_t row) const {
    for (const Text* text : {&parts.content, &parts.refusal, &parts.reasoning})
      if (text->has(row) && !text->at(row).empty()) return true;
    return parts.n_content.at(row) > 0;
  }

  // Makes a chunk the newest of its id. A chunk that has only an empty text does not begin a run,
  // because a chunk that opens a choice and one that does not look the same then.
  void renew(Run& run, const Record& record, const Body& body, size_t frame) {
    run.is_open = false;
    if (!record.is_as_before) {
      const bool can_be_skipped = record.choices != nullptr && !record.before.has_usage;
      run.start = can_be_skipped ? record.start : nullptr;
      if (run.start == nullptr) return;
      run.size = static_cast<size_t>(record.choices - record.start);
      run.before = record.before;
      run.seen = record.seen_before;
    }
    const size_t row = parts.rows - 1;
    if (is_plain(body) && (parts.role.has(row) || brings_text(row)))
      runs_.begin(run, body, frame, bodies, parts);
  }

  void put_body(const Body& body, const Slice& custom_id) {
    bodies.make_row_room();
    const size_t row = bodies.rows++;
    bodies.kind.set(row, body.kind);
    put_name(body.id, bodies.response_id, row);
    put_name(custom_id, bodies.custom_id, row);
    if (body.created >= 0) bodies.created.set(row, body.created);
    put_name(body.model, bodies.model, row);
    put_name(body.fingerprint, bodies.system_fingerprint, row);
    put_name(body.tier, bodies.service_tier, row);
    put_name(body.object, bodies.object, row);
    bodies.has_usage.set(row, body.has_usage);
    for (int i = 0; body.has_usage && i < kUsageCounts; ++i)
      if (usage_[i] >= 0) bodies.usage[i].set(row, usage_[i]);
    bodies.n_parts.set(row, body.n_parts);
    bodies.n_records.set(row, 1);
  }
  // An empty name becomes null, because servers send "" for unknown values.
  void put_name(const Slice& slice, Text& column, size_t row) {
    if (slice.start != slice.stop) json_.put(slice, column, row);
  }

  const char* response(const char* p, Body& body) {
    return json_.object(p, kResponseNames, [&](const char* q, Key key) {
      if (key == Key::kStatusCode) {
        int64_t status = 0;
        return json_.whole(q, status, 200, 200);
      }
      return json_.object(q, kTopNames, [&](const char* r, Key inner) { return field(r, body, inner); });
    });
  }

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

  // ---------------------------------------------------------------- choices

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
        case Key::kToolCalls: return empty_or_null(q);
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
  const char* empty_or_null(const char* p) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    p = json_.take(p, '[');
    return p == nullptr ? nullptr : json_.take(p, ']');
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
      q = json_.watching(Json::Watch::kNone, [&] { return json_.array(q, each); });
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
};

}  // namespace toolkit
