// Find the one body of a record: the record itself, or an object inside rows and envelopes.
//
// toolkit/loaders/formats/ (detect.py, embedded.py, row_ids.py, and the envelopes openai_batch.py
// and event_data.py) defines what a row means. Here a record is read only if it has exactly one
// body and if nothing around it can be of another format, an envelope of another kind, the text of
// an answer, or a list of logprobs. Everything else is a doubt, which defers the record.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "around.h"
#include "json.h"
#include "row_keys.h"

namespace toolkit {

class Rows : public Around {
 public:
  using Around::Around;

  // Finds a body of a record that begins at p, the n-th from 0, or token logprobs without a body
  // around them. The other bodies are only validated.
  // `reader.begins_body(p)`: an object is surely a body; `reader.body(p)` reads one;
  // `reader.lists(p)` reads what may be lists of logprobs, `reader.text(string)` an answer's text.
  template <class Reader>
  const char* read(const char* p, Reader& reader, int n = 0) {
    depth_ = -1;
    wanted_ = n;
    n_bodies_ = 0;
    has_mean_ = false;
    keys_.clear();
    Level top;
    p = object(p, 0, top, reader);
    return p == nullptr || depth_ < 0 || (depth_ > 0 && levels_[0].doubt) ? nullptr : p;
  }
  // Returns how many bodies the last record has.
  int n_bodies() const { return n_bodies_; }

 private:
  std::vector<std::string_view> keys_;  // of the objects that are open
  int wanted_ = 0, n_bodies_ = 0;

  // Reads an object of a row, or the body.
  template <class Reader>
  const char* object(const char* p, int level, Level& here, Reader& reader) {
    const char* const start = p;
    const bool may_be_body = level <= kMostKeys;
    bool is_body = may_be_body && reader.begins_body(p);
    if (!is_body) {
      const size_t first = keys_.size();
      const int depth = json_.depth(), before = depth_;
      p = json_.members(p, [&](const char* q, const Slice& name) {
        keys_.push_back(name.text());
        return member(q, name, level, here, is_body, reader);
      });
      if (!is_body) {
        here.n_keys = keys_.size() - first;
        if (p != nullptr) close(here, first, before < 0 && depth_ >= 0);
        keys_.resize(first);
        here.start = start;
        if (p != nullptr && before < 0 && depth_ >= 0) levels_[level] = here;
        return p;
      }
      keys_.resize(first);
      json_.set_depth(depth);
    }
    const bool is_wanted = n_bodies_++ == wanted_;
    // A body in a list, or one inside what turns out to be one, or after lists or a text.
    if (!may_be_body || (is_wanted && depth_ >= 0)) return nullptr;
    here = Level();
    here.n_keys = 1;  // at least
    if (!is_wanted) return json_.watching(Json::Watch::kNone, [&] { return json_.skip(start); });
    depth_ = level;
    return reader.body(start);
  }

  // Reads a member of a row. `is_body`: the object is a body, not a row.
  template <class Reader>
  const char* member(const char* p, const Slice& name, int level, Level& here, bool& is_body,
                     Reader& reader) {
    const RowKey key = kRowNames.find(name.text());
    const char c = json_.peek(p);
    if (key == RowKey::kChoices && c == '[') {
      is_body = true;
      return nullptr;
    }
    if (key <= RowKey::kOnce && here.has(key)) here.doubt = true;
    here.seen |= bit(key);
    const bool are_lists = depth_ < 0 && level < kMostKeys && may_be_lists(name.text(), c);
    note(p, c, name, key, here, are_lists);
    const int before = depth_;
    const char* const start = json_.begin(p);
    if (are_lists) {
      depth_ = level + 1;
      p = reader.lists(p);
    } else if (c == '{') {
      Level inner;
      p = object(p, level + 1, inner, reader);
      // A body is neither a row nor in doubt, and its columns are not those of a row.
      here.doubt |= inner.doubt;
      if (key == RowKey::kResponse) here.response = inner.seen, here.n_response = inner.n_keys;
      if (key == RowKey::kResponse) here.is_odd_response = inner.is_odd_status;
      if (key == RowKey::kData) here.data = inner.seen;
      // The keys of a body were not noted.
      const bool is_body = before < 0 && depth_ == level + 1;
      if (key == RowKey::kMeta && (is_body || inner.has(RowKey::kFinish))) here.doubt = true;
    } else {
      p = c == '[' ? array(p, here, reader) : c == '"' ? text(p, key, level, here, reader) : json_.skip(p);
    }
    if (before < 0 && depth_ >= 0) {
      here.body_key = name;
      here.body_start = start;
      here.body_stop = p;
    }
    return p;
  }

  // Returns whether a value may be the lists of logprobs of an answer; an entry may be around its
  // alternatives.
  static bool may_be_lists(std::string_view name, char c) {
    return (c == '[' || c == '{') && Json::speaks_of_logprobs(name) && name != "top_logprobs" &&
           name != "topLogprobs";
  }

  // Notes what a member says about the row, before its value is read. `are_lists`: it is read.
  void note(const char* p, char c, const Slice& name, RowKey key, Level& here, bool are_lists) {
    const bool is_container = c == '{' || c == '[';
    switch (key) {
      case RowKey::kDoubt: here.doubt = true; break;
      case RowKey::kChoices: here.doubt = true; break;
      case RowKey::kContainer: here.doubt |= is_container; break;
      case RowKey::kOutput: here.doubt |= c != '"' && c != 'n'; break;
      case RowKey::kFlag: here.doubt |= c == 't' || c == 'f'; break;
      case RowKey::kError: here.is_error = c != 'n'; break;
      case RowKey::kMessage: here.is_message = c == '{'; break;
      case RowKey::kEntry:
        json_.note_list();
        here.doubt |= c == '{';  // a token with its logprob, as TGI streams it
        break;
      case RowKey::kResponse:
        here.is_null = c == 'n';
        here.is_object = c == '{';
        break;
      case RowKey::kStatusCode: {
        int64_t status = 0;
        here.is_odd_status = json_.whole(p, status, 200, 200) == nullptr;
        break;
      }
      default: break;
    }
    if (key == RowKey::kCustomId) here.is_text = c == '"' || c == 'n';
    note_id(json_, p, key, here);
    if (name.start != name.stop && is_dotted(name.text())) here.doubt = true;
    if (Json::speaks_of_logprobs(name.text())) {
      here.seen |= name.text() == "logprobs" && c != 'n' ? bit(RowKey::kLogprobs) : 0;
      const bool is_number = c == '-' || is_digit(c), is_none = json_.holds_no_logprobs(p);
      has_mean_ |= is_number && !is_none;
      here.doubt |= !is_number && !is_none && !are_lists;
      if (Json::is_logprob(name.text())) json_.note_list();  // of an entry, even if it is null
    }
  }

  template <class Reader>
  const char* array(const char* p, Level& here, Reader& reader) {
    return json_.array(p, [&](const char* q) {
      const char c = json_.peek(q);
      if (c == '[') json_.note_list();
      if (c == '[') return array(q, here, reader);
      if (c == '"') return text(q, RowKey::kOther, kMostKeys, here, reader);
      if (c != '{') return json_.skip(q);
      Level inner;  // a body in a list may be part of an exchange
      q = object(q, kMostKeys + 1, inner, reader);
      if (!inner.has_word) json_.note_list();  // it may be a dict of logprobs
      here.doubt |= inner.doubt;
      return q;
    });
  }

  template <class Reader>
  const char* text(const char* p, RowKey key, int level, Level& here, Reader& reader) {
    Slice value;
    p = json_.string(p, value);
    if (p == nullptr) return nullptr;
    const bool begins = begins_like_json(value);
    here.has_word |= begins_like_word(value);
    if (begins && speaks_of_answers(value.text())) {
      const bool is_answer = depth_ < 0 && level < kMostKeys && reader.text(value);
      if (is_answer) depth_ = level + 1;
      here.doubt |= !is_answer;
    }
    here.doubt |= begins && key == RowKey::kData;
    here.doubt |= key == RowKey::kType && !is_plain_type(value.text());
    return p;
  }

  // Decides what an object is, after its last member. `has_body`: the body is inside it.
  void close(Level& here, size_t first_key, bool has_body) {
    const bool has_reason = here.has(RowKey::kFinish), has_index = here.has(RowKey::kIndex);
    const bool has_logprobs = here.has(RowKey::kLogprobs);
    if (here.is_message && (has_reason || has_index || has_logprobs)) here.doubt = true;
    if (has_reason && has_index && has_logprobs) here.doubt = true;  // a choice
    here.doubt |= here.is_id_odd();
    if (has_body) {
      const std::string_view key = here.body_key.text();
      here.doubt |= std::count(keys_.begin() + static_cast<ptrdiff_t>(first_key), keys_.end(), key) != 1;
    }
    if (here.has(RowKey::kCustomId)) return close_batch(here, has_body);
    if (!here.has(RowKey::kData)) return;
    constexpr uint64_t kEvent = bit(RowKey::kError) | bit(RowKey::kOutput) | bit(RowKey::kType);
    if (here.is_error || (here.data & kEvent) != 0) here.doubt = true;
    const bool is_body = has_body && kRowNames.find(here.body_key.text()) == RowKey::kData;
    if (is_body && here.data == 0) here.kind = Level::kEvent;
  }

  void close_batch(Level& here, bool has_body) {
    const uint64_t body = bit(RowKey::kBody), status = bit(RowKey::kStatusCode);
    const bool is_line = here.is_object && ((here.response & (body | status)) != 0 || here.n_response == 0);
    const bool is_bare = !here.has(RowKey::kResponse) || here.is_null;
    if (is_bare && (here.has(RowKey::kError) || here.has(RowKey::kResponse))) here.doubt = true;
    if (!is_line) return;
    here.kind = Level::kBatch;
    here.doubt |= !has_body || here.body_key.text() != "response" || here.is_error ||
                  here.is_odd_response || !here.is_text || (here.response & body) == 0;
  }
};

}  // namespace toolkit
