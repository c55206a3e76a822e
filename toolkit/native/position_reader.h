// Read one position of a list of token logprobs out of a tree: an entry, an array, or a dict.
//
// toolkit/loaders/formats/token_lists.py and decoding/positions.py define what a position means.
// What is uncertain sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "entry_reader.h"
#include "name_table.h"
#include "tree.h"

namespace toolkit {

enum class Role : uint8_t { kText, kLogprob, kId, kBytes, kTop, kDoubt, kOther };

constexpr Name<Role> kRoles[] = {
    {"token", Role::kText}, {"text", Role::kText}, {"decoded_token", Role::kText},
    {"token_text", Role::kText}, {"tok_str", Role::kText}, {"tok", Role::kText},
    {"logprob", Role::kLogprob}, {"logProbability", Role::kLogprob},
    {"log_probability", Role::kLogprob}, {"log_prob", Role::kLogprob},
    {"logProb", Role::kLogprob}, {"prob", Role::kDoubt}, {"token_id", Role::kId},
    {"tokenId", Role::kId}, {"id", Role::kId}, {"bytes", Role::kBytes}, {"bytes_", Role::kDoubt},
    {"top_logprobs", Role::kTop}, {"topLogprobs", Role::kTop}, {"alternatives", Role::kTop},
    {"top_tokens", Role::kTop}, {"top_probs", Role::kDoubt}, {"probs", Role::kDoubt},
    {"chosen", Role::kDoubt}, {"logprobs", Role::kDoubt}, {"token_ids", Role::kDoubt}};
constexpr NameTable kRoleNames{kRoles};
constexpr uint32_t kMostInDict = 256;  // alternatives of a position that are written as an object

class PositionReader : public EntryReader {
 protected:
  using Index = Tree::Index;
  static constexpr Index kNone = Tree::kNone;

  Tree tree_{json_};

  bool doubtful() {
    tree_.doubt = true;
    return false;
  }

  // Returns whether an object has a key of an entry.
  bool is_entry(Index i) const {
    bool found = false;
    tree_.each(i, [&](Index j) {
      found |= kRoleNames.find(tree_.key(tree_.at(j)).text()) != Role::kOther;
    });
    return found;
  }

  // Reads a position that is an entry or an array. `tops`: alternatives beside it, or kNone.
  void position(Index i, Index tops) {
    tokens.make_row_room();
    const size_t row = tokens.rows, first_row = alternatives.rows;
    Index own = kNone;
    bool is_usual = false;
    if (tree_.is(i, Type::kObject) ? !object(i, tokens, own, is_usual) : !array(i, tokens)) return;
    if (own != kNone && tops != kNone) return (void)doubtful();
    if (own != kNone) others(own, first_row, is_usual);
    if (tops != kNone) others(tops, first_row, false);
    end_token(row, first_row);
  }

  // ---------------------------------------------------------------- entries

  void put_text(const Slice& text, Entries& into) {
    json_.put(text, into.token, into.rows);
    if (is_label(into.token.at(into.rows))) doubtful();
  }
  // Writes the token of an entry without a text: token_id:N.
  void put_label(std::string_view digits, Entries& into) {
    constexpr std::string_view kLabel = "token_id:";
    char* out = into.token.begin(into.rows);
    std::memcpy(out, kLabel.data(), kLabel.size());
    std::memcpy(out + kLabel.size(), digits.data(), digits.size());
    into.token.end(into.rows, out + kLabel.size() + digits.size());
  }
  // Reads an id whose text begins at p, and gives its digits.
  bool put_id(const char* p, Entries& into, std::string_view& digits) {
    int64_t id = 0;
    p = json_.begin(p);
    const char* const stop = json_.whole(p, id, 0, INT32_MAX);
    if (stop == nullptr) return doubtful();
    digits = {p, static_cast<size_t>(stop - p)};
    if (digits.find('.') != digits.npos || digits[0] == '-') return doubtful();
    into.token_id.set(into.rows, static_cast<int32_t>(id));
    return true;
  }
  // Reads a logprob that begins at p: a number, null, or the text of a number, as OCI sends it.
  bool put_logprob(const char* p, Entry& entry) {
    p = json_.begin(p);
    if (*p == 'n') return true;
    entry.has_logprob = true;
    const bool is_text = *p == '"';
    if (is_text && *++p != '-' && !is_digit(*p)) return doubtful();
    p = json_.real(p, entry.logprob);
    return (p != nullptr && (!is_text || *p == '"')) || doubtful();
  }
  bool put_logprob(Index i, Entry& entry) { return put_logprob(place_of(i), entry); }
  // Returns where a value begins.
  const char* place_of(Index i) const {
    return tree_.text_start(tree_.at(i)) - (tree_.is(i, Type::kText) ? 1 : 0);
  }
  void put(Entries& into, const Entry& entry) {
    const size_t row = into.rows++;
    if (entry.has_logprob) into.logprob.set(row, entry.logprob);
    into.status.set(row, status_of(entry));
  }

  // Reads an object as an entry. `top`: its own alternatives; `is_usual`: it has the keys of the
  // chat schema, and so must they.
  bool object(Index i, Entries& into, Index& top, bool& is_usual) {
    Index found[5] = {kNone, kNone, kNone, kNone, kNone};
    bool is_other = false, has_token = false, has_logprob = false;
    unsigned seen = 0;
    tree_.each(i, [&](Index j) {
      const Node& node = tree_.at(j);
      const std::string_view key = tree_.key(node).text();
      const Role role = kRoleNames.find(key);
      if (node.is_key_escaped) doubtful();
      if (role == Role::kOther) return;
      if ((seen & 1u << static_cast<int>(role)) != 0) doubtful();
      seen |= 1u << static_cast<int>(role);
      if (role == Role::kDoubt) return (void)(node.type == Type::kNull || doubtful());
      is_other |= !(key == "token" || key == "logprob" || key == "bytes" || key == "id" ||
                    key == "token_id" || key == "top_logprobs" || key == "topLogprobs");
      if (key == "logprob") has_logprob = true;
      if (node.type == Type::kNull && role != Role::kLogprob) return;
      if (key == "token") has_token = true;
      found[static_cast<int>(role)] = j;
    });
    is_usual = has_logprob && (has_token || !is_other);
    if (is_usual && is_other) return doubtful();
    const Index text = found[0], logprob = found[1], id = found[2], bytes = found[3];
    top = found[4];
    if (logprob == kNone || (text == kNone && id == kNone)) return doubtful();
    Entry entry;
    std::string_view digits;
    if (id != kNone) {
      if (!tree_.is(id, Type::kNumber) || !put_id(tree_.text_start(tree_.at(id)), into, digits))
        return doubtful();
    }
    if (text == kNone) put_label(digits, into);
    else if (tree_.is(text, Type::kText)) put_text(tree_.text(tree_.at(text)), into);
    else return doubtful();
    if (bytes != kNone) {
      if (!tree_.is_list(bytes) || json_.bytes(tree_.text_start(tree_.at(bytes)),
                                               into.token.at(into.rows), into.bytes, into.rows) == nullptr)
        return doubtful();
    }
    if (!put_logprob(logprob, entry)) return false;
    put(into, entry);
    return !tree_.doubt;
  }

  // Reads [id, logprob], [text, logprob], [logprob, text] or [logprob, id, text] as an entry.
  bool array(Index i, Entries& into) {
    const Node& node = tree_.at(i);
    if (!tree_.is_list(i) || (node.n != 2 && node.n != 3)) return doubtful();
    const bool is_triple = node.n == 3;  // in which the logprob or the text may be null
    const char* p = tree_.text_start(node) + 1;
    const char* const parts = is_triple                     ? "lit"
                              : node.type == Type::kNumbers ? "il"
                              : json_.peek(p) == '"'        ? "tl"
                                                            : "lt";
    Entry entry;
    std::string_view digits;
    bool has_text = false;
    for (const char* part = parts; *part != '\0'; ++part) {
      if (part != parts) p = json_.take(p, ',');
      const char* const null = is_triple && *part != 'i' ? json_.null(p) : nullptr;
      if (null != nullptr) {
        p = null;
      } else if (*part == 'i') {
        p = put_id(p, into, digits) ? digits.data() + digits.size() : nullptr;
      } else if (*part == 'l') {
        entry.has_logprob = true;
        p = json_.real(p, entry.logprob);
      } else {
        has_text = true;
        p = json_.string(p, into.token, into.rows);
        if (p != nullptr && is_label(into.token.at(into.rows))) doubtful();
      }
      if (p == nullptr) return doubtful();
    }
    if (!has_text) put_label(digits, into);
    put(into, entry);
    return !tree_.doubt;
  }

  // Reads the alternatives of a position: a list of entries.
  void others(Index list, size_t first_row, bool are_usual) {
    if (tree_.is(list, Type::kNull)) return;
    if (!tree_.is(list, Type::kArray)) return (void)doubtful();
    tree_.each(list, [&](Index i) {
      if (tree_.doubt) return;
      alternatives.make_row_room();
      const size_t row = alternatives.rows;
      Index own = kNone;
      bool is_usual = false;
      if (tree_.is(i, Type::kObject)) {
        if (!object(i, alternatives, own, is_usual)) return;
        if (own != kNone && tree_.at(own).n > 0) return (void)doubtful();
        if (are_usual && !is_usual) return (void)doubtful();
      } else if (are_usual || !array(i, alternatives)) {
        return (void)doubtful();
      }
      place(row, first_row);
    });
  }
  // Reads the alternatives of a position that is written apart from them.
  void alternatives_of(Index top, size_t first_row) {
    if (tree_.is(top, Type::kObject)) dict(top, false);
    else others(top, first_row, false);
  }
  void place(size_t row, size_t first_row) {
    alternatives.slot.set(row, static_cast<int32_t>(row - first_row + 1));
    alternatives.is_sampled.set(row, 0);
  }

  // ---------------------------------------------------------------- dicts

  // Returns whether a token spells its bytes, as `bytes: \\xe2\\x80`.
  static bool is_spelled(std::string_view token) { return token.substr(0, 6) == "bytes:"; }

  // Reads {text: logprob}, {id: logprob} or {id: {"logprob", "decoded_token"}} as alternatives.
  void dict(Index of, bool are_ids) {
    const size_t first_row = alternatives.rows;
    if (tree_.at(of).n > kMostInDict) return (void)doubtful();  // comparing keys would take long
    tree_.each(of, [&](Index i) {
      if (tree_.doubt) return;
      alternatives.make_row_room();
      const Node& node = tree_.at(i);
      const Slice key = tree_.key(node);
      Entry entry;
      std::string_view digits;
      Index logprob = i;
      const bool has_object = node.type == Type::kObject;
      if (has_object != tree_.is(of + 1, Type::kObject)) return (void)doubtful();
      if (has_object || are_ids) {
        if (key.text().empty() || (key.text()[0] == '0' && key.text().size() > 1)) return (void)doubtful();
        for (const char c : key.text())
          if (!is_digit(c)) return (void)doubtful();
        if (key.text().size() > 9 || !put_id(key.start, alternatives, digits)) return (void)doubtful();
      }
      if (has_object) {
        const Index text = tree_.get(i, "decoded_token");
        logprob = tree_.get(i, "logprob");
        if (logprob == kNone || tree_.is_repeated(i)) return (void)doubtful();
        tree_.each(i, [&](Index j) {
          if (tree_.is_list(j) || tree_.is(j, Type::kObject)) doubtful();  // may have a key twice
        });
        if (tree_.is(text, Type::kText)) put_text(tree_.text(tree_.at(text)), alternatives);
        else put_label(digits, alternatives);
      } else if (are_ids) {
        put_label(digits, alternatives);
      } else {
        put_text(key, alternatives);
        if (is_spelled(alternatives.token.at(alternatives.rows))) return (void)doubtful();
      }
      if (!put_logprob(logprob, entry) || (!has_object && !entry.has_logprob)) return (void)doubtful();
      const size_t row = alternatives.rows;
      for (size_t other = first_row; other < row; ++other) {  // a key that occurs twice
        const bool is_same = has_object || are_ids
                                 ? alternatives.token_id.at(other) == alternatives.token_id.at(row)
                                 : equal(alternatives.token.at(other), alternatives.token.at(row));
        if (is_same) return (void)doubtful();
      }
      put(alternatives, entry);
      place(row, first_row);
    });
  }
};

}  // namespace toolkit
