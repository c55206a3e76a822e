// Read lists of token logprobs out of a tree, however their positions are written.
//
// toolkit/loaders/formats/token_lists.py and decoding/positions.py define what a list means. What is
// uncertain sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "position_reader.h"

namespace toolkit {

class ListReader : public PositionReader {
 protected:
  // Reads a list of positions as tokens. `ids`, `tops`: lists beside it, or kNone; `are_ids`: keys
  // of logprobs are ids; `text`: what the tokens wrote; `key_of_tops`: the key of each list in `tops`.
  void positions(Index list, Index ids, Index tops, bool are_ids, std::string_view text,
                 std::string_view key_of_tops = {}) {
    tree_.at(list).is_read = true;
    for (const Index beside : {ids, tops})
      if (beside != kNone) tree_.at(beside).is_read = true;
    if (tree_.is_flat(list)) return (void)doubtful();
    if (tree_.at(list).n == 0) return;
    Index first = list + 1;
    if (tree_.is(first, Type::kNull) && tree_.at(list).n > 1) ++first;  // as the prompt of vLLM begins
    const bool is_dicts = tree_.is(first, Type::kObject) && !is_entry(first);
    if (is_dicts) {
      if (tops != kNone) return (void)doubtful();
      return dicts(list, ids, are_ids, text);
    }
    if (tree_.is(tree_.get(first, "token_ids"), Type::kNumbers))
      return tops == kNone && ids == kNone ? spans(list) : (void)doubtful();
    if (ids != kNone && (!tree_.is(ids, Type::kNumbers) || tree_.at(ids).n != tree_.at(list).n))
      return (void)doubtful();
    if (tops == kNone && usual(list)) return;
    if (tops != kNone && (!tree_.is(tops, Type::kArray) || tree_.at(tops).n != tree_.at(list).n))
      return (void)doubtful();
    Index top = tops == kNone ? kNone : tops + 1;
    const bool are_objects = tree_.is(first, Type::kObject);
    tree_.each(list, [&](Index i) {
      const bool is_alike = are_objects == tree_.is(i, Type::kObject) &&
                            (are_objects || tree_.at(i).n == tree_.at(first).n);
      if (!is_alike) doubtful();
      if (tree_.doubt) return;
      position(i, tree_.is(top, Type::kNull) ? kNone : within(top, key_of_tops));
      if (top != kNone) top = tree_.at(top).end;
    });
  }

  // Parallel arrays: where the values of each token are. There may be no ids or no alternatives.
  struct Arrays {
    std::vector<Index> texts, tops;
    std::vector<const char*> logprobs, ids;
  };

  // Returns the elements of a list; those of a list of numbers have no nodes of their own.
  std::vector<Index> elements(Index list) const {
    std::vector<Index> found;
    if (list != kNone) tree_.each(list, [&](Index i) { found.push_back(i); });
    return found;
  }
  // Returns where the elements of a list begin.
  std::vector<const char*> places(Index list) {
    std::vector<const char*> found;
    if (tree_.is_flat(list))
      json_.array(tree_.text_start(tree_.at(list)), [&](const char* q) {
        found.push_back(q);
        return json_.skip(q);
      });
    else
      tree_.each(list, [&](Index i) { found.push_back(place_of(i)); });
    return found;
  }

  // Reads parallel arrays as tokens. The first n positions, which are those of a prompt, become the
  // last tokens.
  void arrays(const Arrays& of, size_t n = 0) {
    const size_t all = of.texts.size();
    const auto fits = [all](size_t size) { return size == 0 || size == all; };
    if (of.logprobs.size() != all || !fits(of.ids.size()) || !fits(of.tops.size()) || n > all)
      return (void)doubtful();
    for (size_t i = n; i < all + n && !tree_.doubt; ++i) {
      const size_t at = i % all;
      const Index top = of.tops.empty() ? kNone : of.tops[at];
      Entry entry;
      std::string_view digits;
      tokens.make_row_room();
      const size_t row = tokens.rows, first_row = alternatives.rows;
      if (!tree_.is(of.texts[at], Type::kText)) return (void)doubtful();
      put_text(tree_.text(tree_.at(of.texts[at])), tokens);
      if (is_spelled(tokens.token.at(row)) || !put_logprob(of.logprobs[at], entry)) doubtful();
      if (!of.ids.empty()) put_id(of.ids[at], tokens, digits);
      put(tokens, entry);
      if (top != kNone && !tree_.is(top, Type::kNull)) alternatives_of(top, first_row);
      end_token(row, first_row);
    }
  }

  // Reads parallel arrays in an object under their usual names. `are_alone`: others are uncertain.
  void arrays_in(Index of, bool are_alone = true) {
    Index texts = kNone, logprobs = kNone, tops = kNone;
    tree_.each(of, [&](Index i) {
      const Node& node = tree_.at(i);
      const std::string_view key = tree_.key(node).text();
      const bool is_null = node.type == Type::kNull;
      const bool is_logprobs = key == "token_logprobs" || key == "tokenLogprobs" || key == "logprobs";
      const bool is_top = key == "top_logprobs" || key == "topLogprobs";
      Index* const place = key == "tokens" ? &texts : is_logprobs ? &logprobs : is_top ? &tops : nullptr;
      const bool is_offset = key == "text_offset" || key == "textOffset";
      const bool is_odd = place == nullptr ? are_alone && !is_null && !is_offset : *place != kNone;
      if (node.is_key_escaped || is_odd) doubtful();
      if (place == nullptr || is_null) return;
      tree_.at(i).is_read = true;
      *place = i;
    });
    if (!tree_.is(texts, Type::kArray) || !tree_.is_list(logprobs) || tree_.at(texts).n == 0 ||
        (tops != kNone && !tree_.is(tops, Type::kArray)) || !are_logprobs(logprobs))
      return (void)doubtful();
    arrays({elements(texts), elements(tops), places(logprobs), {}});
  }

 private:
  // Returns whether a list of numbers, nulls and texts of numbers may be logprobs: not if all are
  // whole numbers but 0.
  bool are_logprobs(Index list) {
    for (const char* p : places(list)) {
      p = json_.begin(p);
      if (*p == '0' || *p == '"') return true;
      for (; *p == '-' || is_digit(*p);) ++p;
      if (*p == '.' || *p == 'e' || *p == 'E') return true;
    }
    return false;
  }

  // Reads a list of entries as the chat schema has them straight from the text, which is faster;
  // false: some are written otherwise, and nothing was read.
  bool usual(Index list) {
    const Index first = list + 1;
    if (!tree_.is(tree_.get(first, "token"), Type::kText) || tree_.get(first, "logprob") == kNone)
      return false;
    const size_t n_tokens = tokens.rows, n_alternatives = alternatives.rows;
    const char* const p = json_.watching(Json::Watch::kNone, [&] {
      return json_.array(tree_.text_start(tree_.at(list)), [&](const char* q) { return token(q); });
    });
    if (p != nullptr) return true;
    tokens.cut(n_tokens);
    alternatives.cut(n_alternatives);
    json_.set_depth(0);
    return false;
  }

  // Returns the value of a key of an object, or the value itself without a key.
  Index within(Index i, std::string_view key) {
    if (i == kNone || key.empty()) return i;
    if (!tree_.is(i, Type::kObject)) return doubtful(), kNone;
    i = tree_.get(i, key);
    return i != kNone && tree_.is(i, Type::kNull) ? kNone : i;
  }

  // Finds the parts of a position that is a text with lists of ids and logprobs, as Cohere sends it;
  // false: it is another.
  bool find_span(Index i, Index (&found)[3]) {
    if (!tree_.is(i, Type::kObject)) return false;
    tree_.each(i, [&](Index j) {
      const std::string_view key = tree_.key(tree_.at(j)).text();
      const int part = key == "text" ? 0 : key == "token_ids" ? 1 : key == "logprobs" ? 2 : 3;
      const bool is_odd = part < 3 ? found[part] != kNone : kRoleNames.find(key) != Role::kOther;
      if (is_odd || tree_.at(j).is_key_escaped) doubtful();
      if (part < 3) found[part] = j;
    });
    return tree_.is(found[1], Type::kNumbers) && tree_.is(found[2], Type::kNumbers);
  }
  void spans(Index list) {
    tree_.each(list, [&](Index i) {
      if (tree_.doubt) return;
      Index found[3] = {kNone, kNone, kNone};
      if (!find_span(i, found) || !tree_.is(found[0], Type::kText)) return (void)doubtful();
      const Node &text = tree_.at(found[0]), &ids = tree_.at(found[1]), &logprobs = tree_.at(found[2]);
      if (ids.n != logprobs.n) return (void)doubtful();
      const char *id = tree_.text_start(ids), *logprob = tree_.text_start(logprobs);
      for (uint32_t at = 0; at < ids.n && !tree_.doubt; ++at) {
        Entry entry;
        std::string_view digits;
        tokens.make_row_room();
        const size_t row = tokens.rows;
        if (!put_id(id + 1, tokens, digits) || !put_logprob(logprob + 1, entry)) return;
        id = json_.begin(digits.data() + digits.size());  // of the comma
        logprob = json_.begin(json_.number(json_.begin(logprob + 1)));
        if (ids.n == 1) put_text(tree_.text(text), tokens);
        else put_label(digits, tokens);
        put(tokens, entry);
        end_token(row, alternatives.rows);
      }
    });
  }

  void dicts(Index list, Index ids, bool are_ids, std::string_view rest) {
    const char* id = nullptr;
    if (ids != kNone) {
      if (!tree_.is(ids, Type::kNumbers) || tree_.at(ids).n != tree_.at(list).n)
        return (void)doubtful();
      id = json_.take(tree_.text_start(tree_.at(ids)), '[');
      are_ids = true;  // if one key is not a number, the record is in doubt
    }
    tree_.each(list, [&](Index i) {
      if (tree_.doubt) return;
      tokens.make_row_room();
      const size_t row = tokens.rows, first_row = alternatives.rows;
      const char* const own = id;
      int64_t wanted = 0;
      if (id != nullptr) {
        if ((id = json_.whole(id, wanted, 0, INT32_MAX)) == nullptr) return (void)doubtful();
        const char* const next = json_.take(id, ',');
        id = next == nullptr ? id : next;
      }
      if (tree_.is(i, Type::kNull)) return nothing(own);
      if (!tree_.is(i, Type::kObject) || tree_.at(i).n == 0 || is_entry(i)) return (void)doubtful();
      dict(i, are_ids);
      if (tree_.doubt) return;
      size_t sampled = own == nullptr ? longest(first_row, rest) : alternatives.rows;
      for (size_t j = alternatives.rows; own != nullptr && j-- > first_row;)
        if (alternatives.token_id.at(j) == wanted) sampled = j;
      if (sampled == alternatives.rows) return (void)doubtful();
      copy(sampled);
      const std::string_view token = tokens.token.at(row);
      if (rest.substr(0, token.size()) == token) rest.remove_prefix(token.size());
      end_token(row, first_row);
    });
  }
  // Adds the first token of a prompt, which nothing precedes. `id`: where its id is, or nullptr.
  void nothing(const char* id) {
    const size_t row = tokens.rows;
    std::string_view digits;
    if (id == nullptr) tokens.token.put(row, "");
    else if (put_id(id, tokens, digits)) put_label(digits, tokens);
    put(tokens, Entry());
    end_token(row, alternatives.rows);
  }
  // Returns the longest alternative with which a text goes on, else the first.
  size_t longest(size_t first_row, std::string_view rest) const {
    size_t best = first_row;
    bool fits = false;
    for (size_t row = first_row; row < alternatives.rows; ++row) {
      const std::string_view token = alternatives.token.at(row);
      if (token.empty() || rest.substr(0, token.size()) != token) continue;
      if (fits && characters(token) <= characters(alternatives.token.at(best))) continue;
      best = row;
      fits = true;
    }
    return best;
  }
  static size_t characters(std::string_view text) {
    size_t n = 0;
    for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return n;
  }
  // Adds a token that is one of the alternatives.
  void copy(size_t from) {
    const size_t row = tokens.rows++;
    tokens.token.put(row, alternatives.token.at(from));
    if (alternatives.token_id.has(from)) tokens.token_id.set(row, alternatives.token_id.at(from));
    if (alternatives.logprob.has(from)) tokens.logprob.set(row, alternatives.logprob.at(from));
    tokens.status.set(row, alternatives.status.at(from));
  }
};

}  // namespace toolkit
