// Read a record of another format than the chat schema out of its tree: declared formats.
//
// toolkit/loaders/formats/shape.py defines what a declaration means, detect.py which format a record
// has. What is uncertain sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "around.h"
#include "path_reader.h"
#include "row_keys.h"

namespace toolkit {

class ShapeReader : public PathReader {
 public:
  // `own`: the caller's declaration, or nullptr.
  ShapeReader(const std::vector<Plan>& plans, const Plan* own) : own_(own), plans_(plans) {}

 protected:
  const Plan* const own_;

  // What is read of a record beside its parts and tokens.
  struct Shaped {
    Body body;
    Slice custom_id, item_id;
    int32_t item = -1, part = -1;  // -1: null
    Index records = kNone;         // the list whose elements are records, of which none was read
  };

  // Reads the record of the tree by a declaration, or finds its records; returns the index of the
  // declaration, or -1.
  int shaped(Shaped& found) {
    const int n = static_cast<int>(plans_.size());
    if (own_ != nullptr) return matches(*own_, 0) && record_of(*own_, found) ? n : -1;
    if (is_of_code()) return -1;
    for (size_t i = 0; i < plans_.size() && !tree_.doubt; ++i) {
      if (!matches(plans_[i], 0)) continue;
      return !tree_.doubt && record_of(plans_[i], found) ? static_cast<int>(i) : -1;
    }
    return -1;
  }

  bool is_declared(Index of) {
    for (const Plan& plan : plans_)
      if (matches(plan, of)) return true;
    return false;
  }

  // Returns whether values that speak of logprobs were not read, or, if there are no tokens, a text
  // may be an answer.
  bool is_left(size_t first_token) {
    const bool has_tokens = tokens.rows > first_token;
    for (Index i = 0; i < tree_.size();) {
      const Node& node = tree_.at(i);
      if (node.is_read) {
        i = node.end;
        continue;
      }
      if (node.is_key_escaped) return true;
      const bool is_mean = has_tokens && node.type == Type::kNumber;  // of tokens that were read
      if (node.key_size > 0 && !is_mean && Json::speaks_of_logprobs(tree_.key(node).text()) &&
          has_numbers(i))
        return true;
      if (!has_tokens && may_hold_answer(i)) return true;
      ++i;
    }
    return false;
  }
  // Returns whether a value is a text, or has one, that may be JSON with an answer.
  bool may_hold_answer(Index i) const {
    if (!tree_.is(i, Type::kText) && !tree_.is(i, Type::kTuple)) return false;
    const Slice text = tree_.text(tree_.at(i));
    return begins_like_json(text) && speaks_of_answers(text.text());
  }

  // Gives the id of the record as a row, which `id` is null without; false if it is uncertain.
  bool row_id(Slice& id) {
    Level row;
    tree_.each(0, [&](Index i) {
      const RowKey key = kRowNames.find(tree_.key(tree_.at(i)).text());
      if (tree_.at(i).is_key_escaped || (key <= RowKey::kLastId && row.has(key))) doubtful();
      row.seen |= bit(key);
      Around::note_id(json_, place_of(i), key, row);
    });
    id = row.id;
    return !tree_.doubt && !row.doubt && !row.is_id_odd();
  }

  // Begins a part; its row must be completed with `end_part`.
  size_t begin_part() {
    parts.make_row_room();
    return parts.rows;
  }
  // `n_prompt`: how many of the tokens, the last ones, are those of the prompt.
  void end_part(int64_t choice, State state, size_t first_token, size_t n_prompt = 0) {
    const size_t row = parts.rows++;
    parts.choice.set(row, static_cast<int32_t>(choice));
    parts.state.set(row, state);
    parts.n_content.set(row, static_cast<int32_t>(tokens.rows - first_token - n_prompt));
    parts.n_prompt.set(row, static_cast<int32_t>(n_prompt));
    parts.n_reasoning.set(row, 0);
    parts.n_refusal.set(row, 0);
  }

 private:
  const std::vector<Plan>& plans_;

  // Returns whether there is a number in a value that could be a logprob and was not read.
  bool has_numbers(Index i) const {
    const Index end = tree_.at(i).end;
    while (i < end) {
      const Node& node = tree_.at(i);
      if (node.is_read) {
        i = node.end;
        continue;
      }
      if (node.type == Type::kNumber || tree_.is_flat(i))
        if (tree_.text(node).text().find_first_of("-.eE") != std::string_view::npos) return true;
      ++i;
    }
    return false;
  }

  // ---------------------------------------------------------------- formats with code

  // Returns whether the record may be of a format with code, all of which come first.
  bool is_of_code() {
    for (const std::string_view key : {"choices", "candidates", "resps"})
      if (tree_.get(0, key) != kNone) return true;
    for (const std::string_view key : {"done", "stop"}) {
      const Index i = tree_.get(0, key);
      if (tree_.is(i, Type::kTrue) || tree_.is(i, Type::kFalse)) return true;
    }
    if (tree_.is_list(tree_.get(0, "output")) || tree_.has_text(tree_.get(0, "kind"), "request"))
      return true;
    return is_other_type(tree_.get(0, "type"));
  }
  // Returns whether the `type` of a record is that of an event, or of a message that no model wrote.
  bool is_other_type(Index i) {
    if (!tree_.is(i, Type::kText)) return false;
    if (tree_.at(i).is_escaped) return true;
    const std::string_view type = tree_.text(tree_.at(i)).text();
    if (type.substr(0, 9) == "response." || type == "error") return true;
    return tree_.get(0, "additional_kwargs") != kNone && type != "ai" && type != "AIMessageChunk";
  }

  // ---------------------------------------------------------------- marks

  // Returns whether there are tokens where a declaration without marks has them.
  bool has_tokens(const Plan& plan, Index of) {
    const Part part = plan.of(Part::kTokens).empty() ? Part::kText : Part::kTokens;
    std::vector<Index> records = {of}, answers;
    if (!plan.of(Part::kRecords).empty()) records = all(plan.of(Part::kRecords), of, of);
    for (const Index record : records) {
      answers = {record};
      if (!plan.of(Part::kAnswers).empty()) answers = all(plan.of(Part::kAnswers), record, record);
      for (const Index answer : answers)
        if (!all(plan.of(part), answer, record).empty()) return true;
    }
    return false;
  }

  bool matches(const Plan& plan, Index of) {
    if (plan.marks.empty()) return has_tokens(plan, of);
    for (const Mark& mark : plan.marks) {
      Index value = kNone;
      for (const Index i : all(mark.paths, of, of))
        if (value == kNone && !tree_.is(i, Type::kFalse)) value = i;
      if (value == kNone || (!mark.wanted.empty() && !tree_.has_text(value, mark.wanted))) return false;
    }
    return true;
  }

  // ---------------------------------------------------------------- bodies

  bool record_of(const Plan& plan, Shaped& found) {
    const Paths& paths = plan.of(Part::kRecords);
    if (paths.empty()) {
      const bool is_read = body_at(plan, 0, found);
      return is_read && (own_ == nullptr || found.custom_id.start != nullptr || row_id(found.custom_id));
    }
    for (const Path& path : paths) {
      std::vector<Step> steps = path.steps;
      const Step last = steps.back();
      steps.pop_back();
      if (!last.keys.empty() || last.index >= 0 || !last.key.empty()) return false;  // not to all
      found_.clear();
      find(0, steps, 0, found_);
      if (found_.empty() || !tree_.is_list(found_[0]) || tree_.at(found_[0]).n == 0) continue;
      if (found_.size() > 1 || !tree_.is(found_[0], Type::kArray)) return false;
      found.records = found_[0];
      return true;
    }
    return false;
  }

 protected:
  // Reads a record, which is all of the tree or one of several in it.
  bool body_at(const Plan& plan, Index record, Shaped& found) {
    if (!tree_.is(record, Type::kObject) && !tree_.is(record, Type::kArray)) return false;
    std::vector<Index> answers = {record};
    if (!plan.of(Part::kAnswers).empty()) answers = all(plan.of(Part::kAnswers), record, record);
    const auto get = [&](Part part) { return one(plan.of(part), record, record); };
    const bool is_streamed = plan.stream != "no" && (plan.of(Part::kFinished).empty() ||
                                                    get(Part::kFinished) != kNone);
    Body& body = found.body;
    get_text(get(Part::kModel), body.model);
    get_text(get(Part::kFingerprint), body.fingerprint);
    get_id(get(Part::kId), body.id);
    get_id(get(Part::kCustomId), found.custom_id);
    bool ended = true;
    int64_t n_ids = 0;
    for (const Index answer : answers) {
      if (!tree_.is(answer, Type::kObject)) return false;
      choice(plan, answer, record, body, is_streamed, ended, n_ids);
      if (tree_.doubt) return false;
      ++body.n_parts;
    }
    if (body.n_parts == 0) return false;
    usage(plan, record, n_ids, body);
    body.has_choices = true;
    body.kind = !is_streamed                            ? kWhole
                : plan.stream == "final_copy"          ? kFinalCopy
                : plan.stream == "maybe" && ended      ? kEither
                                                       : kChunk;
    const bool are_alike = !differ(parts.rows - static_cast<size_t>(body.n_parts), parts.rows);
    return !tree_.doubt && !(body.kind == kWhole && are_alike);
  }
  const Plan& plan_of(int i) const { return own_ != nullptr ? *own_ : plans_[static_cast<size_t>(i)]; }

 private:

  void usage(const Plan& plan, Index record, int64_t n_ids, Body& body) {
    std::fill(usage_, usage_ + kUsageCounts, -1);
    for (const Path& path : plan.of(Part::kUsage)) {
      std::vector<Index> places;
      find(record, path.steps, 0, places);
      for (const Index i : places) {
        if (!body.has_usage) get_usage(i, UsageNames::kAny, body);
      }
    }
    if (!plan.of(Part::kUsage).empty() || plan.of(Part::kTokenIds).empty()) return;
    body.has_usage = true;
    usage_[1] = n_ids;
    const Index ids = one(plan.of(Part::kPromptIds), record, record);
    if (ids == kNone) return;
    if (!tree_.is_list(ids)) return (void)doubtful();
    usage_[0] = tree_.at(ids).n;
  }

  // Reads the tokens of the prompt; returns their number.
  size_t prompt(const Plan& plan, Index record) {
    const size_t first = tokens.rows;
    const Index list = one(plan.of(Part::kPrompt), record, record);
    if (list == kNone) return 0;
    if (!tree_.is(list, Type::kArray)) return doubtful(), 0;
    if (tree_.at(list).n > 0)
      positions(list, beside(plan, Part::kPromptIds, record, record),
                beside(plan, Part::kPromptAlternatives, record, record), false, {});
    return tokens.rows - first;
  }
  // Returns the list that lies beside a list of tokens; kNone if it is empty.
  Index beside(const Plan& plan, Part part, Index answer, Index record) {
    const Index list = one(plan.of(part), answer, record);
    return list != kNone && tree_.is_list(list) && tree_.at(list).n == 0 ? kNone : list;
  }

  void choice(const Plan& plan, Index answer, Index record, const Body& body, bool is_streamed,
              bool& ended, int64_t& n_ids) {
    const auto get = [&](Part part) { return one(plan.of(part), answer, record); };
    const size_t row = begin_part(), first_token = tokens.rows;
    join(all(plan.of(Part::kText), answer, record), parts.content, row);
    if (is_streamed && plan.stream == "yes" && parts.content.has(row) && parts.content.at(row).empty())
      return (void)doubtful();
    join(all(plan.of(Part::kReasoning), answer, record), parts.reasoning, row);
    join(all(plan.of(Part::kRefusal), answer, record), parts.refusal, row);
    const Path* used = nullptr;
    for (const Index i : all(plan.of(Part::kToolCalls), answer, record, &used))
      if (used->is_projected || !tree_.is_list(i) || tree_.at(i).n > 0) doubtful();
    Slice role, reason;
    get_text(get(Part::kRole), role);
    put_name(role, parts.role, row);
    reason = finish(get(Part::kFinish));
    put_name(reason, parts.finish_reason, row);
    ended = ended && reason.start != nullptr;
    const Index index = get(Part::kIndex);
    const State state = plan.of(Part::kLogprobs).empty() ? lists(plan, answer, record, n_ids, row)
                                                         : columns(plan, answer, record, n_ids);
    const size_t n_prompt = body.n_parts == 0 && !tree_.doubt ? prompt(plan, record) : 0;
    end_part(get_whole(index, 0, INT32_MAX, body.n_parts), state, first_token, n_prompt);
  }
  // Returns a finish reason; null for the words that mean that there is none yet.
  Slice finish(Index i) {
    Slice reason;
    if (tree_.is(i, Type::kObject)) {
      const Index type = tree_.get(i, "type");
      i = type != kNone ? type : tree_.get(i, "reason");
    }
    get_text(i, reason);
    if (reason.escaped) doubtful();
    if (reason.start != nullptr && (reason.text().empty() || reason.text() == "null")) return Slice();
    return reason;
  }

  // Reads the texts, logprobs, ids and alternatives of tokens that lie at places of their own.
  State columns(const Plan& plan, Index answer, Index record, int64_t& n_ids) {
    Arrays found;
    found.texts = nodes(plan, Part::kTokens, answer, record);
    if (found.texts.empty()) return kAbsent;
    found.tops = nodes(plan, Part::kAlternatives, answer, record);
    const auto values = [&](Part part) {
      const Index list = list_of(plan, part, answer, record);
      if (list != kNone) return places(list);
      std::vector<const char*> each;
      for (const Index i : found_) each.push_back(place_of(i));
      return each;
    };
    found.logprobs = values(Part::kLogprobs);
    found.ids = values(Part::kTokenIds);
    n_ids += static_cast<int64_t>(found.ids.size());
    for (const Index top : found.tops) tree_.at(top).is_read = true;
    arrays(found);
    return kPresent;
  }
  std::vector<Index> nodes(const Plan& plan, Part part, Index answer, Index record) {
    const Index list = list_of(plan, part, answer, record);
    if (tree_.is_flat(list) || (list != kNone && tree_.at(list).n == 0)) doubtful();
    return list == kNone ? found_ : elements(list);
  }
  // Returns the list at a path; kNone if the path leads to the elements themselves, in `found_`.
  Index list_of(const Plan& plan, Part part, Index answer, Index record) {
    const Paths& paths = plan.of(part);
    const Path* used = nullptr;
    const bool is_one = all(paths, answer, record, &used).size() == 1;
    bool is_any = false;
    for (const Path& path : paths) is_any |= path.is_projected;
    if (found_.empty() || (is_any && used->is_projected)) return kNone;
    if (!is_one || is_any || !tree_.is_list(found_[0])) return doubtful(), kNone;
    tree_.at(found_[0]).is_read = true;
    return found_[0];
  }

  State lists(const Plan& plan, Index answer, Index record, int64_t& n_ids, size_t row) {
    const Index ids = one(plan.of(Part::kTokenIds), answer, record);
    if (ids != kNone) {
      if (!tree_.is_list(ids)) return doubtful(), kAbsent;
      n_ids += tree_.at(ids).n;
    }
    Index list = one(plan.of(Part::kTokens), answer, record);
    const Index tops = one(plan.of(Part::kAlternatives), answer, record);
    if (list == kNone) return kAbsent;
    const bool are_arrays = tree_.is(tree_.get(list, "tokens"), Type::kArray);
    if (tree_.is(list, Type::kObject) && is_entry(list) && !are_arrays) {  // one entry, as events bring them
      if (ids != kNone || tops != kNone || plan.are_ids) doubtful();
      tree_.at(list).is_read = true;
      return position(list, kNone), kPresent;
    }
    if (tree_.is(list, Type::kObject)) {
      const Index content = tree_.get(list, "content");
      if (content == kNone || tree_.is(content, Type::kNull)) {
        if (ids != kNone || tops != kNone) doubtful();
        return arrays_in(list), kPresent;
      }
      list = in_channels(list);
    }
    if (list == kNone || !tree_.is_list(list) || tree_.doubt) return doubtful(), kAbsent;
    const uint32_t n = tree_.at(list).n;
    if (ids != kNone && tree_.at(ids).n != n && tree_.at(ids).n > 0) doubtful();  // unequal_logprobs
    if (n == 0) return kAbsent;
    const bool has_ids = ids != kNone && tree_.at(ids).n > 0;
    const bool has_tops = tops != kNone && (!tree_.is_list(tops) || tree_.at(tops).n > 0);
    const size_t first_token = tokens.rows;
    const std::string_view content = parts.content.has(row) ? parts.content.at(row) : std::string_view();
    positions(list, has_ids ? ids : kNone, has_tops ? tops : kNone, plan.are_ids, content);
    return tokens.rows > first_token ? kPresent : kEmpty;
  }
  // Returns the list of the content in an object of lists by channel.
  Index in_channels(Index of) {
    for (const std::string_view other : {"prompt", "reasoning", "reasoning_content",
                                         "reasoningContent", "refusal", "tokens"}) {
      const Index i = tree_.get(of, other);
      if (i != kNone && !tree_.is(i, Type::kNull) && !(tree_.is(i, Type::kArray) && tree_.at(i).n == 0))
        doubtful();
    }
    const Index list = tree_.get(of, "content");
    if (list == kNone || !tree_.is(list, Type::kArray) || tree_.at(list).n == 0) doubtful();
    return list;
  }
};

}  // namespace toolkit
