// Read the entries of logprobs: tokens and alternatives with statuses, ranks and sampled flags.
//
// toolkit/loaders/decoding/entry_reader.py and ranks.py define what an entry means.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "columns.h"
#include "json.h"
#include "keys.h"

namespace toolkit {

constexpr double kCensoredAtOrBelow = -9998.0;  // logprob in nats; as in schema/codes.py
constexpr double kCensoredAt = -1000.0;         // logprob in nats; as in schema/codes.py
constexpr double kInvalidAbove = 1e-3;          // logprob in nats; as in schema/codes.py

// Reads entries. As in Json, a method that reads takes a position in the text and returns the
// position after what it read, or nullptr.
class EntryReader {
 public:
  Tokens tokens;
  Alternatives alternatives;

 protected:
  Json json_;
  int32_t chunk_ = 0;  // index of the record among those of its body, for the tokens that are read

  // Reads a token with its alternatives.
  const char* token(const char* p) {
    Entry entry;
    tokens.make_row_room();
    const size_t row = tokens.rows, first = alternatives.rows;
    p = json_.take(p, '{');
    if (p == nullptr || (p = usual_fields(p, tokens, entry)) == nullptr) return nullptr;
    const char* top = json_.usual_key(p, "\"top_logprobs\":", false);
    if (top == nullptr) top = json_.usual_key(p, "\"topLogprobs\":", false);
    if (top != nullptr && entry.seen != 0) {
      entry.seen |= Json::bit(Key::kTop);
      json_.enter();
      if ((p = top_list(top, first)) == nullptr) return nullptr;
      json_.leave();
    }
    p = json_.rest_of_object(p, entry.seen == 0, entry.seen, kEntryNames, [&](const char* q, Key key) {
      return key == Key::kTop ? top_list(q, first) : entry_field(q, tokens, entry, key);
    });
    if (p == nullptr || !end_entry(tokens, entry)) return nullptr;
    end_token(row, first);
    return p;
  }

  struct Entry {
    uint64_t seen = 0;
    bool has_logprob = false;
    double logprob = 0.0;

    bool has(Key key) const { return (seen & Json::bit(key)) != 0; }
  };

  static Status status_of(const Entry& entry) {
    const bool is_censored = entry.logprob <= kCensoredAtOrBelow || entry.logprob == kCensoredAt;
    return !entry.has_logprob              ? kMissing
           : is_censored                   ? kCensored
           : entry.logprob > kInvalidAbove ? kInvalid
                                           : kOk;
  }
  // Returns whether a token is a label such as "token_id:123", which vLLM writes on request.
  static bool is_label(std::string_view token) {
    return token.size() > 8 && token[8] == ':' && std::memcmp(token.data(), "token_id", 8) == 0;
  }

  // Completes a token whose alternatives are the newest ones, from the row `first`.
  void end_token(size_t row, size_t first) {
    tokens.n_alternatives.set(row, static_cast<int32_t>(alternatives.rows - first));
    tokens.chunk.set(row, chunk_);
    rank(first);
    const size_t sampled = find_sampled(row, first);
    compare(row, first, sampled);
    if (sampled == alternatives.rows) return;
    alternatives.is_sampled.set_again(sampled, 1);
    if (alternatives.rank.has(sampled)) tokens.sampled_rank.set(row, alternatives.rank.at(sampled));
  }

 private:
  std::vector<size_t> order_;

  // Reads token, logprob and bytes in this order and in their usual form. Returns the position of
  // the first field that differs, from which the loop over the keys continues.
  const char* usual_fields(const char* p, Entries& into, Entry& entry) {
    const char* q = json_.usual_key(p, "\"token\":", true);
    if (q == nullptr) return p;
    if ((p = entry_field(q, into, entry, Key::kToken)) == nullptr) return nullptr;
    q = json_.usual_key(p, "\"logprob\":", false);
    if (q == nullptr) return p;
    if ((p = entry_field(q, into, entry, Key::kLogprob)) == nullptr) return nullptr;
    q = json_.usual_key(p, "\"bytes\":", false);
    return q == nullptr ? p : entry_field(q, into, entry, Key::kBytes);
  }

  TOOLKIT_INLINE const char* entry_field(const char* p, Entries& into, Entry& entry, Key key) {
    const size_t row = into.rows;
    entry.seen |= Json::bit(key);
    if (key == Key::kToken) return json_.string(p, into.token, row);
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    if (key == Key::kLogprob) {
      entry.has_logprob = true;
      return json_.real(p, entry.logprob);
    }
    if (key == Key::kBytes) {
      const auto guess = entry.has(Key::kToken) ? into.token.at(row) : std::string_view();
      return json_.bytes(p, guess, into.bytes, row);
    }
    int64_t id = 0;
    p = json_.whole(p, id, INT32_MIN, INT32_MAX);
    if (p != nullptr) into.token_id.set(row, static_cast<int32_t>(id));
    return p;
  }

  static bool end_entry(Entries& into, const Entry& entry) {
    const size_t row = into.rows++;
    if (entry.has_logprob) into.logprob.set(row, entry.logprob);
    into.status.set(row, status_of(entry));
    // Without a key `logprob` the entry may be written in another way.
    return entry.has(Key::kToken) && entry.has(Key::kLogprob) && !is_label(into.token.at(row));
  }

  const char* top_list(const char* p, size_t first) {
    const char* const after = json_.null(p);
    if (after != nullptr) return after;
    return json_.array(p, [&](const char* q) { return alternative(q, first); });
  }

  // Reads null or an empty list: an alternative with others of its own may hold an answer.
  const char* no_list(const char* p) {
    const char* const after = json_.null(p);
    return after != nullptr ? after : json_.array(p, [](const char*) -> const char* { return nullptr; });
  }
  const char* alternative(const char* p, size_t first) {
    Entry entry;
    alternatives.make_row_room();
    const size_t row = alternatives.rows;
    p = json_.take(p, '{');
    if (p == nullptr || (p = usual_fields(p, alternatives, entry)) == nullptr) return nullptr;
    p = json_.rest_of_object(p, entry.seen == 0, entry.seen, kEntryNames, [&](const char* q, Key key) {
      return key == Key::kTop ? no_list(q) : entry_field(q, alternatives, entry, key);
    });
    if (p == nullptr) return nullptr;
    alternatives.slot.set(row, static_cast<int32_t>(row - first + 1));
    alternatives.is_sampled.set(row, 0);
    return end_entry(alternatives, entry) ? p : nullptr;
  }

  // Ranks the newest alternatives by descending logprob, ties by slot; null without a logprob.
  void rank(size_t first) {
    const size_t last = alternatives.rows;
    const auto& logprob = alternatives.logprob;
    bool in_order = true;
    for (size_t row = first; row < last && in_order; ++row)
      in_order = alternatives.status.at(row) != kMissing &&
                 (row == first || logprob.at(row) <= logprob.at(row - 1));
    if (in_order) {
      for (size_t row = first; row < last; ++row)
        alternatives.rank.set(row, static_cast<int32_t>(row - first + 1));
      return;
    }
    order_.clear();
    for (size_t row = first; row < last; ++row) {
      if (alternatives.status.at(row) == kMissing) continue;
      order_.push_back(row);
      alternatives.rank.set(row, 0);
    }
    sort(order_, [&](size_t a, size_t b) { return logprob.at(a) > logprob.at(b); });
    for (size_t i = 0; i < order_.size(); ++i)
      alternatives.rank.set_again(order_[i], static_cast<int32_t>(i) + 1);
  }

  // Notes whether the token was the likeliest of its list, if usable logprobs say so; see derived.py.
  void compare(size_t row, size_t first, size_t sampled) {
    double likeliest = kNone;
    for (size_t other = first; other < alternatives.rows; ++other)
      likeliest = std::max(likeliest, usable(alternatives, other));
    double own = usable(tokens, row);
    if (own == kNone || likeliest == kNone) return;
    if (sampled != alternatives.rows && usable(alternatives, sampled) != kNone)
      own = usable(alternatives, sampled);
    tokens.is_top1.set(row, own >= likeliest);
  }
  static constexpr double kNone = -std::numeric_limits<double>::infinity();
  static double usable(const Entries& of, size_t row) {
    return of.status.at(row) == kOk ? std::min(of.logprob.at(row), 0.0) : kNone;
  }

  // Sorts rows stably, by insertion if they are few, because most lists are short and in order.
  template <class F>
  static void sort(std::vector<size_t>& rows, F before) {
    if (rows.size() > 64) return std::stable_sort(rows.begin(), rows.end(), before);
    for (size_t i = 1; i < rows.size(); ++i) {
      const size_t row = rows[i];
      size_t j = i;
      for (; j > 0 && before(row, rows[j - 1]); --j) rows[j] = rows[j - 1];
      rows[j] = row;
    }
  }

  // Returns the row of the alternative that was sampled, by the best evidence that both have: id,
  // else bytes, else text, and then by an equal logprob; the number of rows if there is none.
  size_t find_sampled(size_t row, size_t first) const {
    const bool has_id = tokens.token_id.has(row), has_bytes = tokens.bytes.has(row);
    const int most = has_id ? 7 : has_bytes ? 5 : 3;
    size_t best = alternatives.rows;
    int strength = 0;
    for (size_t other = first; other < alternatives.rows && strength < most; ++other) {
      int found;
      if (has_id && alternatives.token_id.has(other))
        found = tokens.token_id.at(row) == alternatives.token_id.at(other) ? 6 : 0;
      else if (has_bytes && alternatives.bytes.has(other))
        found = equal(tokens.bytes.at(row), alternatives.bytes.at(other)) ? 4 : 0;
      else
        found = equal(tokens.token.at(row), alternatives.token.at(other)) ? 2 : 0;
      if (found > 0 && has_same_logprob(row, other)) ++found;
      if (found <= strength) continue;
      strength = found;
      best = other;
    }
    return strength > 0 ? best : find_alike(row, first);
  }

  bool has_same_logprob(size_t row, size_t other) const {
    return tokens.status.at(row) == kOk && alternatives.status.at(other) == kOk &&
           tokens.logprob.at(row) == alternatives.logprob.at(other);
  }

  // Returns the only alternative that may be the sampled token because it has its logprob, and its
  // text (or bytes, if both have them) but for blanks around it, or because one of the two has no
  // text; see ranks.py.
  size_t find_alike(size_t row, size_t first) const {
    size_t best = alternatives.rows;
    for (size_t other = first; other < alternatives.rows; ++other) {
      if (!has_same_logprob(row, other)) continue;
      const bool has_bytes = tokens.bytes.has(row) && alternatives.bytes.has(other);
      const std::string_view one = (has_bytes ? tokens.bytes : tokens.token).at(row);
      const std::string_view two = (has_bytes ? alternatives.bytes : alternatives.token).at(other);
      if (tokens.token_id.has(row) && alternatives.token_id.has(other)) continue;  // they differ
      if (!one.empty() && !two.empty() && trimmed(one) != trimmed(two)) continue;
      if (best != alternatives.rows) return alternatives.rows;
      best = other;
    }
    return best;
  }

  // Returns a text without the ASCII blanks around it.
  static std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\n\v\f\r";
    const size_t start = text.find_first_not_of(kBlanks);
    if (start == text.npos) return {};
    return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
  }
};

}  // namespace toolkit
