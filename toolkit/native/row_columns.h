// Find the id of a record and the columns to keep of it, where the caller says that they are.
//
// toolkit/loaders/formats/lookup.py defines what that means. They are looked for in the objects
// around the body, the innermost first, then in the body.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "around.h"
#include "json_writer.h"
#include "plan.h"

namespace toolkit {

class RowColumns {
 public:
  std::string_view kept() const { return writer_.text; }  // as JSON; empty: nothing

  explicit RowColumns(Json& json) : json_(json), writer_(json) {}

  // Finds the columns of a body, which may be no object (nullptr); false if one is uncertain. `id`:
  // changed if one was found; `choices`: of the body.
  bool read(const Lookup& lookup, const Around* around, const char* body, const Span& choices,
            Slice& id) {
    writer_.text.clear();
    if (lookup.id.steps.empty() && lookup.keep.empty()) return true;
    doubt_ = false;
    rows_.clear();
    json_.watching(Json::Watch::kNone, [&] {
      for (int i = around == nullptr ? 0 : around->depth(); i-- > 0;) {
        const Level& level = around->level(i);
        if (level.index < 0) add(level.start, {level.body_start, level.body_stop});
      }
      if (body != nullptr) add(body, choices);
      find_all(lookup, id);
      return nullptr;
    });
    return !doubt_;
  }

 private:
  struct Member {
    std::string_view key;
    const char* value;
  };
  using Row = std::vector<Member>;
  Json& json_;
  JsonWriter writer_;
  std::vector<Row> rows_;
  bool doubt_ = false;

  void add(const char* p, const Span& hidden) { rows_.push_back(members(p, hidden)); }

  Row members(const char* p, const Span& hidden) {
    Row row;
    const char* const stop = json_.members(p, [&](const char* q, const Slice& name) {
      q = json_.begin(q);
      row.push_back({name.text(), q});
      return q == hidden.start ? hidden.stop : json_.skip(q);
    });
    doubt_ |= stop == nullptr;
    return row;
  }

  void find_all(const Lookup& lookup, Slice& id) {
    if (!lookup.id.steps.empty()) {
      const char* const p = nearest(lookup.id);
      Slice found;
      if (p != nullptr && Around::read_id(json_, p, found, doubt_)) id = found;
      else if (p != nullptr) doubt_ = true;
    }
    for (const Lookup::Column& column : lookup.keep) {
      const char* const p = doubt_ ? nullptr : nearest(column.path);
      if (p == nullptr) continue;
      writer_.text += writer_.text.empty() ? '{' : ',';
      writer_.text += column.key;
      if (writer_.value(p) == nullptr) doubt_ = true;
    }
    if (!writer_.text.empty()) writer_.text += '}';
  }

  // Returns the value at a path in the first of the rows that has one; nullptr: none has.
  const char* nearest(const Path& path) {
    for (const Row& row : rows_) {
      const char* const found = chosen(row, path.steps, 0);
      if (found != nullptr) return found;
    }
    return nullptr;
  }
  // Returns the first value that a path leads to, from an object or from a value.
  const char* chosen(const Row& row, const std::vector<Step>& steps, size_t at) {
    for (const auto& [key, length] : steps[at].keys) {
      const char* value = nullptr;
      for (const Member& member : row) {
        if (member.key != key) continue;
        doubt_ |= value != nullptr;
        value = member.value;
      }
      if (value != nullptr && *value != 'n') return first(value, steps, at + static_cast<size_t>(length));
    }
    return nullptr;
  }
  const char* first(const char* p, const std::vector<Step>& steps, size_t at) {
    const char c = json_.peek(p);
    if (c == 'n') return nullptr;
    if (at == steps.size()) return p;
    const Step& step = steps[at];
    if (!step.keys.empty()) return c == '{' ? chosen(members(p, {}), steps, at) : nullptr;
    if (c != '[') return nullptr;
    const char* found = nullptr;
    int n = 0;
    json_.array(p, [&](const char* q) {
      const bool is_next = found == nullptr && (step.index < 0 || step.index == n);
      ++n;
      if (is_next) found = first(q, steps, at + 1);
      return json_.skip(q);
    });
    return found;
  }
};

}  // namespace toolkit
