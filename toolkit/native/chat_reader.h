// Read a body of the chat schema, and write its row: alone, in the text of a row, or joined to that of
// an earlier chunk.

#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "answer_text.h"
#include "array_rows.h"
#include "body_reader.h"
#include "chunk_runs.h"
#include "columns.h"
#include "json.h"
#include "keys.h"
#include "row_columns.h"

namespace toolkit {

enum Verdict : int32_t { kDeferred, kRead, kJoined, kExchanged };  // or more; see loaders/scanner.py

// As in Json, a method that reads takes a position in the text and returns the position after what it
// read, or nullptr.
class ChatReader : public ArrayRows {
 public:
  Bodies bodies;

  ChatReader(size_t window, const std::vector<Plan>& plans, const Lookup& lookup)
      : ArrayRows(plans, lookup.shape.empty() ? nullptr : lookup.shape.data()),
        lookup_(lookup),
        runs_(window),
        columns_(json_) {}

  // ---------------------------------------------------------------- for Rows

  // Returns whether an object begins as an earlier chunk of its response did, up to its choices.
  bool begins_body(const char* p) { return begins(json_.begin(p), run_at(p)); }

  // Reads what may be lists of logprobs without a body around them.
  const char* lists(const char* p) {
    record_.are_lists = true;
    record_.body_start = json_.begin(p);
    return read_lists(p);
  }

  // Reads a string as the text of a whole answer; false: it is not certainly one.
  bool text(const Slice& string) {
    if (!text_.take(json_, string)) return false;
    const Mark mark = here();
    const Json row = json_;
    const Record before = record_;
    json_.open(record_.stop = text_.stop());
    const char* const p = body(text_.start());
    Body& body = record_.body;
    bool good = p != nullptr && json_.at_end(p) && body.kind == kWhole && body.n_parts > 0;
    for (const Slice* name : {&body.id, &body.object, &body.model, &body.fingerprint, &body.tier})
      good = good && !name->escaped;  // it is written when the text is closed
    const Body found = body;
    json_ = row;
    record_ = before;
    record_.is_text = good;
    if (good) record_.body = found;
    else cut(mark);
    return good;
  }

  // Reads an object as a body.
  const char* body(const char* start) {
    record_.body_start = start = json_.begin(start);
    Body& body = record_.body;
    Run* const run = record_.run = run_at(start);
    const char* p = start + 1;
    bool is_first = true;
    chunk_ = 0;
    if (begins(start, run)) {
      body = run->before;
      record_.seen = run->seen;
      record_.is_as_before = true;
      if (runs_.is_open(*run, record_.frame)) chunk_ = run->n_records;
      json_.enter();
      if ((p = choices_of(start + run->size, body)) == nullptr) return nullptr;
      json_.leave();
      is_first = false;
    }
    return json_.rest_of_object(p, is_first, record_.seen, kTopNames, [&](const char* q, Key key) {
      if (key == Key::kChoices && run != nullptr) {
        record_.before = body;
        record_.seen_before = record_.seen;
        record_.choices = q;
      }
      return key == Key::kChoices ? choices_of(q, body) : field(q, body, key);
    });
  }

 protected:
  struct Record {
    const char* start = nullptr;
    const char* stop = nullptr;
    size_t frame = 0;
    const char* body_start = nullptr;
    bool are_lists = false;  // it has lists of logprobs and no body around them
    bool is_text = false;    // the body is in the text of a string
    Body body;
    Slice custom_id;
    Run* run = nullptr;         // the run of its id, if the body begins with that
    bool is_as_before = false;  // it begins with the text that the run noted
    uint64_t seen = 0;
    const char* choices = nullptr;
    Span all_choices;
    Body before;               // the fields before the choices
    uint64_t seen_before = 0;  // the bits of the keys before the choices
  };

  struct Mark {
    size_t bodies, parts, tokens, alternatives;
  };

  const Lookup& lookup_;
  Runs runs_;
  const Around* around_ = nullptr;  // the body that is being read
  RowColumns columns_;
  Record record_;
  std::string path_;  // of the body in its record, if that is not all of it

  Mark here() const { return {bodies.rows, parts.rows, tokens.rows, alternatives.rows}; }
  void cut(const Mark& mark) {
    bodies.cut(mark.bodies);
    parts.cut(mark.parts);
    tokens.cut(mark.tokens);
    alternatives.cut(mark.alternatives);
  }

  // Returns the run of the id with which an object begins; nullptr if it does not.
  Run* run_at(const char* p) {
    p = json_.take(p, '{');
    const char* const id = p == nullptr ? nullptr : json_.usual_key(p, "\"id\":", true);
    return id != nullptr && *id == '"' ? runs_.find(id + 1, record_.stop) : nullptr;
  }
  bool begins(const char* start, const Run* run) const {
    return run != nullptr && run->begins(start, record_.stop);
  }

  // Writes the row of a record that was read, or joins the record to a run.
  Verdict put(size_t first_token) {
    Body& body = record_.body;
    if (!body.has_choices) return kDeferred;
    if (body.n_parts == 0) {
      if (body.object.escaped) return kDeferred;
      // The choices may be a column of a row that has an answer as a text, with escaped quotes.
      const size_t size = static_cast<size_t>(record_.stop - record_.start);
      if (std::memchr(record_.start, '\\', size) != nullptr) return kDeferred;
      body.kind = body.object.text() == "chat.completion" ? kWhole : kChunk;
    }
    if (record_.is_text && around_->has_envelope()) return kDeferred;
    if (around_->has_mean() && tokens.rows == first_token) return kDeferred;
    if (around_->is_row() && tokens.rows == first_token && json_.has_list()) return kDeferred;
    if (!around_->id(record_.custom_id)) return kDeferred;
    if (around_->is_inside() && !around_->path(path_)) return kDeferred;
    if (!columns_.read(lookup_, around_, record_.body_start, record_.all_choices, record_.custom_id))
      return kDeferred;
    Run* const run = body.kind == kChunk ? run_of(body) : nullptr;
    if (run != nullptr && chunk_ > 0 && continues(*run, body)) {
      runs_.extend_run(*run, record_.frame, bodies, parts);
      return kJoined;
    }
    for (size_t row = first_token; chunk_ > 0 && row < tokens.rows; ++row)
      tokens.chunk.set_again(row, 0);
    put_body(body, record_.custom_id, kChat, around_->is_inside());
    runs_.add(static_cast<size_t>(body.n_parts), bodies.rows - 1, parts);
    if (run != nullptr) renew(*run, body);
    if (record_.is_text) runs_.interrupt();  // no stream goes on after an exchange
    return record_.is_text ? kExchanged : kRead;
  }

  // Writes the row of a record that has lists of logprobs and no body.
  Verdict put_lists(size_t first_token) {
    const char* const own = *record_.body_start == '{' ? record_.body_start : nullptr;
    const bool is_certain =
        !json_.has_list() && around_->are_rows() && around_->id(record_.custom_id) &&
        around_->path(path_) && columns_.read(lookup_, around_, own, {}, record_.custom_id) &&
        answer(*around_, first_token, record_.body);
    if (!is_certain) return kDeferred;
    put_body(record_.body, record_.custom_id, kLoose, true);
    runs_.add(1, bodies.rows - 1, parts);
    return kRead;
  }

  // Returns the run of a chunk's id. A chunk without an id, or with an unusual one, ends all runs.
  Run* run_of(const Body& body) {
    Run* run = nullptr;
    if (body.id.start != body.id.stop)
      run = record_.run != nullptr ? record_.run : runs_.find(body.id.start, record_.stop);
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
           same(body.tier, run.body.tier) && same(record_.custom_id, run.custom_id) &&
           is_text(bodies.path, run.body_row, around_->is_inside() ? path_ : std::string_view()) &&
           is_text(bodies.kept, run.body_row, columns_.kept());
  }
  // Returns whether a text of a row is as given; null is "".
  static bool is_text(const Text& column, size_t row, std::string_view text) {
    return (column.has(row) ? column.at(row) : std::string_view()) == text;
  }
  static bool same(const Slice& one, const Slice& other) {
    return one.start == other.start || (one.start != nullptr && other.start != nullptr &&
                                        one.text() == other.text());
  }
  // Returns whether a body has one unfinished choice, tokens of its content only, and neither tool
  // calls nor usage.
  bool is_plain(const Body& body) const {
    if (body.n_parts != 1 || body.has_usage) return false;
    const size_t row = parts.rows - 1;
    return !parts.finish_reason.has(row) && !parts.tool_calls.has(row) &&
           parts.n_reasoning.at(row) == 0 && parts.n_refusal.at(row) == 0;
  }
  bool brings_text(size_t row) const {
    for (const Text* text : {&parts.content, &parts.refusal, &parts.reasoning})
      if (text->has(row) && !text->at(row).empty()) return true;
    return parts.n_content.at(row) > 0;
  }

  // Makes a chunk the newest of its id. A chunk that has only an empty text does not begin a run,
  // because a chunk that opens a choice and one that does not look the same then.
  void renew(Run& run, const Body& body) {
    run.is_open = false;
    if (!record_.is_as_before) {
      const bool can_be_skipped = record_.choices != nullptr && !record_.before.has_usage;
      run.start = can_be_skipped ? record_.body_start : nullptr;
      if (run.start == nullptr) return;
      run.size = static_cast<size_t>(record_.choices - record_.body_start);
      run.before = record_.before;
      run.seen = record_.seen_before;
    }
    const size_t row = parts.rows - 1;
    if (is_plain(body) && (parts.role.has(row) || brings_text(row)))
      runs_.begin(run, body, record_.custom_id, record_.frame, bodies, parts);
  }

  void put_body(const Body& body, const Slice& custom_id, int format, bool is_inside) {
    bodies.make_row_room();
    const size_t row = bodies.rows++;
    bodies.kind.set(row, body.kind);
    bodies.format.set(row, static_cast<int8_t>(format));
    put_name(body.id, bodies.response_id, row);
    put_name(custom_id, bodies.custom_id, row);
    if (is_inside) bodies.path.put(row, path_);
    bodies.make_byte_room(columns_.kept().size());
    if (!columns_.kept().empty()) bodies.kept.put(row, columns_.kept());
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
  const char* choices_of(const char* p, Body& body) {
    record_.all_choices.start = json_.begin(p);
    return record_.all_choices.stop = choices(p, body);
  }

 private:
  AnswerText text_;
};

}  // namespace toolkit
