// Join runs of chunks: chunks of one response that bring only text become one body.
//
// A chunk continues an earlier one of the same id if nothing between them could affect their
// response: no chunk without an id, no deferred record, no [DONE], and not too many records. Chunks
// of other ids may lie between, as in a recording of concurrent requests; the rows are reordered by
// body at the end. The text from the id to the choices is read only once per run, because all
// chunks of a run begin with it.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "body_reader.h"
#include "columns.h"
#include "json.h"
#include "word_scan.h"

namespace toolkit {

// The newest chunk of an id, and the run that it belongs to.
struct Run {
  const char* start = nullptr;  // its text up to the value of `choices`; nullptr: not reusable
  size_t size = 0;
  Body before;           // the fields in that text
  uint64_t seen = 0;     // the bits of the keys in that text
  Body body;             // all its fields
  Slice custom_id;
  bool is_open = false;  // later chunks may continue it
  size_t segment = 0, last_frame = 0;
  size_t body_row = 0, part_row = 0;
  int32_t n_records = 0;

  bool begins(const char* p, const char* stop) const {
    return start != nullptr && static_cast<size_t>(stop - p) > size &&
           std::memcmp(p, start, size) == 0;
  }
};

class Runs {
 public:
  Members members;

  // `window`: a response ends after that many records without a chunk of it; 0: no runs.
  explicit Runs(size_t window) : window_(window), slots_(window == 0 ? 0 : kSlots) {}

  // Returns the run of the id whose text begins at p; nullptr if the id is unusual (empty, escaped,
  // not ASCII). Ids whose hashes collide share a slot, which belongs to the newest.
  Run* find(const char* p, const char* stop) {
    uint64_t hash = 0;
    if (slots_.empty()) return nullptr;
    for (; stop - p >= static_cast<ptrdiff_t>(kWordBytes); p += kWordBytes) {
      uint64_t word = load(p);
      const uint64_t marks = ends_of_run(word);
      if (marks != 0) {
        const int n = lowest_byte(marks);
        if (p[n] != '"') return nullptr;
        if (n == 0) return &slots_[slot_of(hash)];
        word &= ~uint64_t{0} >> (8 * (8 - n));
        return &slots_[slot_of((hash ^ word) * kMix)];
      }
      hash = (hash ^ word) * kMix;
      hash ^= hash >> 32;
    }
    return nullptr;
  }

  // Ends all runs, because what follows may affect any response.
  void interrupt() { ++segment_; }

  bool is_open(const Run& run, size_t frame) const {
    return run.is_open && run.segment == segment_ && frame - run.last_frame <= window_;
  }

  // Records a body with its parts, which are the newest `n_parts` rows.
  void add(size_t n_parts, size_t body_row, const Parts& parts) {
    for (size_t row = parts.rows - n_parts; row < parts.rows; ++row) add_piece(body_row, parts, row, false);
  }
  // Forgets bodies that were recorded after the first n parts, and that are of no run.
  size_t n_pieces() const { return pieces_.size(); }
  void cut(size_t n) { pieces_.resize(n); }
  // Begins a run with the body whose row was just written.
  void begin(Run& run, const Body& body, const Slice& custom_id, size_t frame, const Bodies& bodies,
             const Parts& parts) {
    run.body = body;
    run.custom_id = custom_id;
    run.is_open = true;
    run.segment = segment_;
    run.last_frame = frame;
    run.body_row = bodies.rows - 1;
    run.part_row = parts.rows - 1;
    run.n_records = 1;
  }
  // Continues a run with the newest part.
  void extend_run(Run& run, size_t frame, Bodies& bodies, Parts& parts) {
    const size_t row = parts.rows - 1;
    add_piece(run.body_row, parts, row, true);
    members_.push_back({run.body_row, frame});
    run.last_frame = frame;
    bodies.n_records.set_again(run.body_row, ++run.n_records);
    parts.n_content.set_again(run.part_row,
                              parts.n_content.at(run.part_row) + parts.n_content.at(row));
    parts.state.set_again(run.part_row, std::max(parts.state.at(run.part_row), parts.state.at(row)));
  }

  // Joins the parts of each run into one, after the last record.
  void join(Parts& parts, Tokens& tokens, Alternatives& alternatives) {
    if (members_.empty()) return;
    if (!std::is_sorted(pieces_.begin(), pieces_.end(), by_body<Piece>))
      reorder(parts, tokens, alternatives);
    std::vector<size_t> starts;
    for (size_t row = 0; row < pieces_.size(); ++row)
      if (!pieces_[row].is_continuation) starts.push_back(row);
    starts.push_back(pieces_.size());
    parts.join(starts);
    std::stable_sort(members_.begin(), members_.end(), by_body<Member>);
    for (const Member& member : members_) {
      members.make_row_room();
      members.frame.set(members.rows++, static_cast<int64_t>(member.frame));
    }
  }

 private:
  struct Piece {  // a part as it was read
    size_t body_row, n_tokens;
    bool is_continuation;
  };
  struct Member {
    size_t body_row, frame;
  };
  static constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;
  static constexpr size_t kSlots = 256;

  const size_t window_;
  size_t segment_ = 0;
  std::vector<Run> slots_;
  std::vector<Piece> pieces_;
  std::vector<Member> members_;

  static size_t slot_of(uint64_t hash) { return static_cast<size_t>(hash >> 56); }

  template <class T>
  static bool by_body(const T& one, const T& other) {
    return one.body_row < other.body_row;
  }

  void add_piece(size_t body_row, const Parts& parts, size_t row, bool is_continuation) {
    const int64_t n = int64_t{parts.n_content.at(row)} + parts.n_prompt.at(row) +
                      parts.n_reasoning.at(row) + parts.n_refusal.at(row);
    // The first part of a run is recorded before the others add to its `n_content`.
    pieces_.push_back({body_row, static_cast<size_t>(n), is_continuation});
  }

  static void append(std::vector<Range>& ranges, size_t start, size_t stop) {
    if (start == stop) return;
    if (!ranges.empty() && ranges.back().stop == start)
      ranges.back().stop = stop;
    else
      ranges.push_back({start, stop});
  }

  void reorder(Parts& parts, Tokens& tokens, Alternatives& alternatives) {
    const size_t n = pieces_.size();
    std::vector<size_t> order(n), first_token(n + 1), first_alternative(tokens.rows + 1);
    for (size_t row = 0; row < n; ++row) {
      order[row] = row;
      first_token[row + 1] = first_token[row] + pieces_[row].n_tokens;
    }
    for (size_t row = 0; row < tokens.rows; ++row)
      first_alternative[row + 1] =
          first_alternative[row] + static_cast<size_t>(tokens.n_alternatives.at(row));
    std::stable_sort(order.begin(), order.end(), [&](size_t one, size_t other) {
      return pieces_[one].body_row < pieces_[other].body_row;
    });
    std::vector<Range> part_rows, token_rows, alternative_rows;
    for (const size_t row : order) {
      const size_t start = first_token[row], stop = first_token[row + 1];
      append(part_rows, row, row + 1);
      append(token_rows, start, stop);
      append(alternative_rows, first_alternative[start], first_alternative[stop]);
    }
    parts.gather(part_rows);
    tokens.gather(token_rows);
    alternatives.gather(alternative_rows);
    std::stable_sort(pieces_.begin(), pieces_.end(), by_body<Piece>);
  }
};

}  // namespace toolkit
