// Read records that are, or contain, one body of the OpenAI chat schema into the columns of
// toolkit/loaders/buffers.py.
//
// toolkit/loaders/decoding/reference.py defines what a record means. The scanner reads only what is
// certain: whole completions and stream chunks, alone, in Batch lines, in `{"data": ...}` or in
// rows, by content or where the caller says, with keys in either casing; and records of some other
// formats. It defers a record that has an odd type, a repeated key, an escape in a key, half of a
// surrogate pair, NaN or invalid UTF-8.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat_reader.h"
#include "elements.h"
#include "inside.h"
#include "rows.h"
#include "way.h"

namespace toolkit {

constexpr int kMostAnswers = 8;  // of a row, each of which is found anew
constexpr size_t kMostSearched = 8;  // bytes beside records, for each byte of the text

// Reads records. As in Json, a method that reads takes a position in the text and returns the
// position after what it read, or nullptr.
class Scanner : public ChatReader {
 public:
  int64_t envelopes = 0;  // records that were read of which the body is not all

  // `expected`: bytes of all records together; `window`: see Runs.
  Scanner(size_t expected, size_t window, const std::vector<Plan>& plans, const Lookup& lookup)
      : ChatReader(window, plans, lookup),
        expected_(static_cast<double>(expected)),
        rows_(json_),
        way_(json_),
        elements_(json_) {}

  Members& members() { return runs_.members; }

  // Notes a [DONE] between the last record and the next.
  void interrupt() { runs_.interrupt(); }

  // Reads one record; if it is deferred, the columns are unchanged.
  Verdict record(const char* start, const char* stop, size_t frame) {
    make_room(static_cast<size_t>(stop - start));
    const Mark mark = here();
    begin_record(start, stop, frame);
    // Records of one format mostly follow one another.
    if (!is_of_tree_ && own_ == nullptr) {
      const Verdict verdict = body_of(start, mark.tokens);
      if (verdict != kDeferred) return verdict;
      cut(mark);
    }
    const bool was_of_tree = is_of_tree_;
    const Verdict found = tree_of(start, stop);
    is_of_tree_ = found != kDeferred;
    if (is_of_tree_) return found;
    cut(mark);
    if (was_of_tree && own_ == nullptr) {
      const Verdict verdict = body_of(start, mark.tokens);
      if (verdict != kDeferred) return verdict;
      cut(mark);
    }
    runs_.interrupt();
    return kDeferred;
  }

  // Completes the columns after the last record.
  void finish() { runs_.join(parts, tokens, alternatives); }

 private:
  const double expected_;
  size_t read_ = 0;
  Rows rows_;
  Way way_;
  Elements elements_;

  bool is_of_tree_ = false;  // the last record was read out of its tree

  void begin_record(const char* start, const char* stop, size_t frame) {
    record_ = Record();
    record_.start = start;
    record_.stop = stop;
    record_.frame = frame;
  }

  // Reads a record that is, or contains, a body of the chat schema.
  Verdict body_of(const char* start, size_t first_token) {
    json_.open(record_.stop);
    const bool has_path = !lookup_.path.steps.empty();
    around_ = has_path ? static_cast<const Around*>(&way_) : &rows_;
    const char* const p = has_path ? way_.read(start, lookup_.path, *this) : rows_.read(start, *this);
    if (p == nullptr || !json_.at_end(p)) return kDeferred;
    Verdict verdict = kDeferred;
    if (!has_path && rows_.n_bodies() > 1) verdict = answers(start, rows_.n_bodies(), first_token);
    else verdict = record_.are_lists ? put_lists(first_token) : put(first_token);
    envelopes += verdict != kDeferred && around_->is_inside();
    return verdict;
  }
  // Reads a row with several answers: they are whole, with ids that differ, and so has the row an id.
  Verdict answers(const char* start, int n, size_t first_token) {
    const size_t n_pieces = runs_.n_pieces();
    std::vector<std::string_view> ids;
    bool good = n <= kMostAnswers;
    for (int i = 0; good && i < n; ++i) {
      if (i > 0) {
        first_token = tokens.rows;
        begin_record(record_.start, record_.stop, record_.frame);
        json_.open(record_.stop);
        if (rows_.read(start, *this, i) == nullptr) good = false;
      }
      const Slice& id = record_.body.id;
      good = good && !record_.are_lists && !record_.is_text && record_.body.kind == kWhole &&
             record_.body.n_parts > 0 && rows_.are_rows() && id.start != id.stop && !id.escaped &&
             std::find(ids.begin(), ids.end(), id.text()) == ids.end() && put(first_token) == kRead &&
             record_.custom_id.start != record_.custom_id.stop;
      if (good) ids.push_back(id.text());
    }
    if (good) return static_cast<Verdict>(kExchanged + n - 1);
    runs_.cut(n_pieces);
    return kDeferred;
  }
  // Reads a record that is, or contains, a body of another format, or several.
  Verdict tree_of(const char* start, const char* stop) {
    const size_t room = 3 * static_cast<size_t>(stop - start) + 64;  // labels are longer than ids
    for (Table* table : {static_cast<Table*>(&tokens), static_cast<Table*>(&alternatives)})
      table->make_byte_room(room);
    chunk_ = 0;
    around_ = nullptr;
    if (!tree_.build(start, stop)) return kDeferred;
    if (own_ == nullptr && lookup_.path.steps.empty() && may_have_arrays())
      return row_of_arrays(start) ? kRead : kDeferred;
    if (lookup_.path.steps.empty()) {
      const Mark mark = here();
      const Verdict verdict = body_of_tree(start);
      if (verdict != kDeferred) return verdict;
      cut(mark);
    }
    if (own_ != nullptr) return kDeferred;
    const char* const inner = enter(start);
    return inner == nullptr ? kDeferred : body_of_tree(inner);
  }
  // Makes the tree that of the only object of the record that may be an answer; returns its start.
  const char* enter(const char* start) {
    Inside inside{json_};
    const bool has_path = !lookup_.path.steps.empty();
    if (!has_path) {
      tree_.doubt = false;
      const Tree::Index i = tree_.is(0, Type::kObject) ? answer_inside(0, kMostKeys) : Tree::kNone;
      if (i == Tree::kNone || tree_.doubt) return nullptr;
      inside.start = tree_.text_start(tree_.at(i));
      inside.stop = tree_.text(tree_.at(i)).stop;
    }
    json_.open(record_.stop);
    const char* const p = has_path ? way_.read(start, lookup_.path, inside) : rows_.read(start, inside);
    if (p == nullptr || !json_.at_end(p) || !tree_.focus(inside.start)) return nullptr;
    if (!has_path && rows_.n_bodies() > 1) return nullptr;
    around_ = has_path ? static_cast<const Around*>(&way_) : &rows_;
    // Beside a custom_id it may be the response of a Batch line.
    const bool is_response = tree_.get(0, "body") != Tree::kNone || tree_.get(0, "status_code") != Tree::kNone;
    if (is_response || (around_->has_event() && !may_be_event())) return nullptr;
    return inside.start;
  }
  Verdict body_of_tree(const char* start) {
    Shaped found;
    const size_t first_token = tokens.rows;
    const int format = read_tree(found);
    if (format < 0) return kDeferred;
    if (found.records != Tree::kNone) return records(found.records, format);
    if (around_ != nullptr && !is_certain_inside(found, format, tokens.rows > first_token)) return kDeferred;
    if (!put_shaped(found, format, start)) return kDeferred;
    envelopes += around_ != nullptr;
    return kRead;
  }
  // Writes the row of a body that was read out of the tree.
  bool put_shaped(Shaped& found, int format, const char* start) {
    if (!columns_.read(lookup_, around_, start, {}, found.custom_id)) return false;
    runs_.interrupt();
    const size_t row = bodies.rows;
    put_body(found.body, found.custom_id, format, around_ != nullptr);
    if (found.item >= 0) bodies.item.set(row, found.item);
    if (found.part >= 0) bodies.part.set(row, found.part);
    if (found.item_id.start != nullptr) json_.put(found.item_id, bodies.item_id, row);
    runs_.add(static_cast<size_t>(found.body.n_parts), row, parts);
    return true;
  }
  // Reads the elements of a list as records: they are whole, and those with ids have different ones.
  Verdict records(Tree::Index list, int format) {
    Slice id;  // of the row that they are in, if the caller declared it
    if (around_ != nullptr || !elements_.enter(tree_, list) || are_costly(list)) return kDeferred;
    if (own_ != nullptr && !row_id(id)) return kDeferred;
    around_ = &elements_;
    const size_t n_pieces = runs_.n_pieces(), first_token = tokens.rows, first_body = bodies.rows;
    std::vector<std::string_view> ids;
    bool good = true;
    tree_.each(list, [&](Tree::Index i) {
      elements_.next();
      if (!good || tree_.is(i, Type::kNull)) return;
      Shaped found;
      good = body_at(plan_of(format - kDeclared), i, found) && found.body.kind == kWhole &&
             !found.body.id.escaped && elements_.path(path_);
      if (found.custom_id.start == nullptr) found.custom_id = id;
      const char* const start = tree_.is(i, Type::kObject) ? tree_.text_start(tree_.at(i)) : nullptr;
      good = good && put_shaped(found, format, start);
      if (found.body.id.start != found.body.id.stop) ids.push_back(found.body.id.text());
    });
    const size_t n = bodies.rows - first_body;
    if (good && n > 0 && !is_left(first_token) && !tree_.doubt && !are_repeated(ids)) {
      ++envelopes;
      return n == 1 ? kRead : static_cast<Verdict>(kExchanged + n - 1);
    }
    runs_.cut(n_pieces);
    around_ = nullptr;
    return kDeferred;
  }
  // Returns whether the columns beside a list would be searched for too long, once for each element.
  bool are_costly(Tree::Index list) const {
    const auto size = [&](Tree::Index i) { return tree_.text(tree_.at(i)).text().size(); };
    const bool has_columns = !lookup_.id.steps.empty() || !lookup_.keep.empty();
    return has_columns && (size(0) - size(list)) * tree_.at(list).n > kMostSearched * size(0);
  }
  // Reads a row that has arrays of logprobs and no body.
  bool row_of_arrays(const char* start) {
    Body body;
    Slice id;
    if (!read_arrays(body, id) || !columns_.read(lookup_, nullptr, start, {}, id)) return false;
    runs_.interrupt();
    put_body(body, id, kLoose, false);
    runs_.add(1, bodies.rows - 1, parts);
    return true;
  }
  bool is_certain_inside(Shaped& found, int format, bool has_tokens) {
    Slice id;
    if (!around_->id(id) || !around_->path(path_)) return false;
    if (id.start != nullptr) found.custom_id = id;
    if (!has_tokens && (around_->is_row() || around_->has_mean())) return false;  // there may be some
    const bool may_be_whole = format == kLegacy || format == kGemini;  // alone it is not a chunk
    return !may_be_whole || found.body.kind != kChunk || found.body.id.start != found.body.id.stop;
  }

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
};

}  // namespace toolkit
