// Read a record of another format than the chat schema out of its tree: declared formats.
//
// toolkit/loaders/formats/shape.py defines what a declaration means, detect.py which format a record
// has. What is uncertain sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "body_reader.h"
#include "counts.h"
#include "plan.h"
#include "row_keys.h"

namespace toolkit {

class ShapeReader : public BodyReader {
 public:
  explicit ShapeReader(const std::vector<Plan>& plans) : plans_(plans) {}

 protected:
  // What is read of a record beside its parts and tokens.
  struct Shaped {
    Body body;
    Slice custom_id, item_id;
    int32_t item = -1, part = -1;  // -1: null
  };

  // Reads the record of the tree by a declaration; returns the index of that, or -1.
  int shaped(Shaped& found) {
    if (is_of_code()) return -1;
    for (size_t i = 0; i < plans_.size() && !tree_.doubt; ++i) {
      if (!matches(plans_[i], 0)) continue;
      return !tree_.doubt && body(plans_[i], found) ? static_cast<int>(i) : -1;
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
      if (!has_tokens && node.type == Type::kText) {
        const Slice text = tree_.text(node);
        if (begins_like_json(text) && speaks_of_answers(text.text())) return true;
      }
      ++i;
    }
    return false;
  }

  // ---------------------------------------------------------------- values

  // Gives the text of a value; null if there is none.
  void get_text(Index i, Slice& slice) {
    if (i == kNone || tree_.is(i, Type::kNull)) return;
    if (tree_.is(i, Type::kText)) slice = tree_.text(tree_.at(i));
    else doubtful();
  }
  // Gives an id, which may be a whole number.
  void get_id(Index i, Slice& slice) {
    if (!tree_.is(i, Type::kNumber)) return get_text(i, slice);
    slice = tree_.text(tree_.at(i));
    const std::string_view digits = slice.text();
    if (digits.find_first_of(".eE") != digits.npos || digits.size() > 18 || digits == "-0") doubtful();
  }
  int64_t get_whole(Index i, int64_t low, int64_t high, int64_t missing) {
    if (i == kNone || tree_.is(i, Type::kNull)) return missing;
    int64_t value = missing;
    const bool good = tree_.is(i, Type::kNumber) &&
                      json_.whole(tree_.text_start(tree_.at(i)), value, low, high) != nullptr;
    if (!good) doubtful();
    return value;
  }
  // Writes the joined texts of some values.
  void join(const std::vector<Index>& values, Text& column, size_t row) {
    if (values.empty()) return;
    char* out = column.begin(row);
    for (const Index i : values) {
      if (!tree_.is(i, Type::kText)) return (void)doubtful();
      out = json_.write(tree_.text(tree_.at(i)), out);
    }
    column.end(row, out);
  }

  void get_usage(Index i, UsageNames names, Body& body) {
    if (i == kNone || tree_.is(i, Type::kNull)) return;
    if (!tree_.is(i, Type::kObject)) return (void)doubtful();
    const bool has_counts = read_counts(tree_, i, names, [&](Index j, int count) {
      usage_[count] = get_whole(j, 0, INT64_MAX, -1);
    }, usage_);
    if (has_counts || names != UsageNames::kAny) body.has_usage = true;
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
  std::vector<Index> found_;

  // Returns whether there is a number in a value that could be a logprob and was not read.
  bool has_numbers(Index i) const {
    const Index end = tree_.at(i).end;
    while (i < end) {
      const Node& node = tree_.at(i);
      if (node.is_read) {
        i = node.end;
        continue;
      }
      if (node.type == Type::kNumber || node.type == Type::kNumbers)
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

  // ---------------------------------------------------------------- paths

  // Finds what a path leads to, from a value; as `paths.find`.
  void find(Index from, const std::vector<Step>& steps, size_t at, std::vector<Index>& found) {
    if (tree_.is(from, Type::kNull)) return;
    if (at == steps.size()) return found.push_back(from);
    const Step& step = steps[at];
    if (!step.keys.empty()) {
      if (!tree_.is(from, Type::kObject)) return;
      for (const auto& [key, length] : step.keys) {
        const Index i = tree_.get(from, key);
        if (i == kNone || tree_.is(i, Type::kNull)) continue;
        return find(i, steps, at + static_cast<size_t>(length), found);
      }
      return;
    }
    if (tree_.is(from, Type::kNumbers)) {
      doubtful();  // its elements are not nodes
      return;
    }
    if (!tree_.is(from, Type::kArray)) return;
    int n = 0;
    tree_.each(from, [&](Index i) {
      const bool chosen = step.index >= 0     ? step.index == n
                          : step.key.empty() ? true
                                             : is_chosen(i, step);
      ++n;
      if (chosen) find(i, steps, at + 1, found);
    });
  }
  bool is_chosen(Index i, const Step& step) {
    if (!tree_.is(i, Type::kObject)) return false;
    const Index value = tree_.get(i, step.key);
    if (value != kNone && !tree_.is(value, Type::kText)) return doubtful();
    return tree_.has_text(value, step.value);
  }
  // Finds what the first path leads to that leads to something.
  const std::vector<Index>& all(const Paths& paths, Index answer, Index record,
                                const Path** used = nullptr) {
    found_.clear();
    for (const Path& path : paths) {
      find(path.is_absolute ? record : answer, path.steps, 0, found_);
      if (used != nullptr) *used = &path;
      if (!found_.empty()) break;
    }
    return found_;
  }
  // Returns the one value of a path; a path to several is uncertain here.
  Index one(const Paths& paths, Index answer, Index record) {
    const Path* used = nullptr;
    const std::vector<Index>& found = all(paths, answer, record, &used);
    if (found.empty()) return kNone;
    if (found.size() > 1 || used->is_projected) doubtful();
    return found[0];
  }

  bool matches(const Plan& plan, Index of) {
    for (const Mark& mark : plan.marks) {
      Index value = kNone;
      for (const Index i : all(mark.paths, of, of))
        if (value == kNone && !tree_.is(i, Type::kFalse)) value = i;
      if (value == kNone || (!mark.wanted.empty() && !tree_.has_text(value, mark.wanted))) return false;
    }
    return true;
  }

  // ---------------------------------------------------------------- bodies

  bool body(const Plan& plan, Shaped& found) {
    std::vector<Index> records = {0};
    if (!plan.of(Part::kRecords).empty()) records = all(plan.of(Part::kRecords), 0, 0);
    if (records.size() != 1) return false;
    const Index record = records[0];
    if (!tree_.is(record, Type::kObject) || record != 0) return false;
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
    prompt(plan, record);
    body.has_choices = true;
    body.kind = !is_streamed                            ? kWhole
                : plan.stream == "final_copy"          ? kFinalCopy
                : plan.stream == "maybe" && ended      ? kEither
                                                       : kChunk;
    const bool are_alike = !differ(parts.rows - static_cast<size_t>(body.n_parts), parts.rows);
    return !tree_.doubt && !(body.kind == kWhole && are_alike);
  }

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

  // A list of tokens of the prompt is read by the reference decoder, unless it is empty.
  void prompt(const Plan& plan, Index record) {
    for (const Index i : all(plan.of(Part::kPrompt), record, record))
      if (!tree_.is(i, Type::kArray) || tree_.at(i).n > 0) doubtful();
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
    const Index ids = get(Part::kTokenIds);
    if (ids != kNone) {
      if (!tree_.is_list(ids)) return (void)doubtful();
      n_ids += tree_.at(ids).n;
    }
    const Index index = get(Part::kIndex);
    const State state = lists(plan, answer, record, ids, row);
    end_part(get_whole(index, 0, INT32_MAX, body.n_parts), state, first_token);
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

  State lists(const Plan& plan, Index answer, Index record, Index ids, size_t row) {
    Index list = one(plan.of(Part::kTokens), answer, record);
    const Index tops = one(plan.of(Part::kAlternatives), answer, record);
    if (list == kNone) return kAbsent;
    if (!plan.of(Part::kLogprobs).empty()) return doubtful(), kAbsent;
    if (tree_.is(list, Type::kObject) && is_entry(list)) {  // one entry, as events bring them
      if (ids != kNone || tops != kNone || plan.are_ids) doubtful();
      tree_.at(list).is_read = true;
      return position(list, kNone), kPresent;
    }
    if (tree_.is(list, Type::kObject)) list = in_channels(list);
    if (list == kNone || !tree_.is_list(list) || tree_.doubt) return doubtful(), kAbsent;
    const uint32_t n = tree_.at(list).n;
    if (ids != kNone && tree_.at(ids).n != n && tree_.at(ids).n > 0) doubtful();  // unequal_logprobs
    if (n == 0) return kAbsent;
    const bool has_ids = ids != kNone && tree_.at(ids).n > 0;
    const bool has_tops = tops != kNone && (!tree_.is_list(tops) || tree_.at(tops).n > 0);
    const std::string_view content = parts.content.has(row) ? parts.content.at(row) : std::string_view();
    positions(list, has_ids ? ids : kNone, has_tops ? tops : kNone, plan.are_ids, content);
    return kPresent;
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
