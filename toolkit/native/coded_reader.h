// Read records of formats with code out of their tree: legacy completions, Gemini, and the
// Responses API, whole and streamed (and those of local_reader.h).
//
// toolkit/loaders/formats/{openai_legacy,gemini,openai_responses}.py define them. What is uncertain
// sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "local_reader.h"

namespace toolkit {

// Formats that are read by code, as indices in the names of decoding/plans.py; declared ones follow.
enum Format : int { kChat, kLegacy, kGemini, kResponses, kLoose, kOllama, kLlama, kDeclared };

class CodedReader : public LocalReader {
 public:
  using LocalReader::LocalReader;

 protected:
  // Reads the record of the tree, or finds its records; returns its format, or -1.
  int read_tree(Shaped& found) {
    if (!tree_.is(0, Type::kObject)) return -1;
    std::fill(usage_, usage_ + kUsageCounts, -1);
    const size_t first_token = tokens.rows;
    const int format = coded(found);
    if (format < 0 || tree_.doubt) return -1;
    if (found.records != kNone) return format;
    if (is_left(first_token) || tree_.doubt) return -1;
    found.body.has_choices = true;
    return format;
  }

  // Returns the only object inside the tree that may be an answer, at most `levels` keys deep.
  Index answer_inside(Index of, int levels) {
    Index found = kNone;
    tree_.each(of, [&](Index i) {
      if (levels == 0 || !tree_.is(i, Type::kObject)) return;
      const Index inner = may_be_answer(i) ? i : answer_inside(i, levels - 1);
      if (inner != kNone && found != kNone) doubtful();
      if (inner != kNone) found = inner;
    });
    return found;
  }
  // Returns whether the object of the tree may be an event that an envelope is around.
  bool may_be_event() {
    for (const std::string_view key : {"choices", "error", "output", "candidates", "type"})
      if (tree_.get(0, key) != kNone) return true;
    return false;
  }

 private:
  bool may_be_answer(Index of) {
    const Index type = tree_.get(of, "type");
    for (const std::string_view key : {"choices", "candidates", "output"}) {
      const Index i = tree_.get(of, key);
      if (tree_.is(i, Type::kArray) || tree_.is(i, Type::kTuple)) return true;
    }
    return (tree_.is(type, Type::kText) &&
            tree_.text(tree_.at(type)).text().substr(0, 9) == "response.") ||
           is_flag(tree_.get(of, "done")) || is_flag(tree_.get(of, "stop")) || is_declared(of);
  }

  int coded(Shaped& found) {
    const Index type = tree_.get(0, "type");
    if (own_ != nullptr) return of_plan(shaped(found));
    if (tree_.get(0, "choices") != kNone) return legacy(found.body) ? kLegacy : -1;
    if (tree_.get(0, "custom_id") != kNone) return -1;
    if (tree_.is(type, Type::kText) && tree_.at(type).is_escaped) return -1;
    if (tree_.is(type, Type::kText) && tree_.text(tree_.at(type)).text().substr(0, 9) == "response.")
      return event(tree_.text(tree_.at(type)).text(), found) ? kResponses : -1;
    if (tree_.has_text(type, "error")) return -1;
    if (tree_.is(tree_.get(0, "output"), Type::kArray)) return response(found.body) ? kResponses : -1;
    if (tree_.get(0, "candidates") != kNone) return gemini(found.body) ? kGemini : -1;
    for (const std::string_view key : {"done", "stop"}) {
      const Index flag = tree_.get(0, key);
      if (!is_flag(flag)) continue;
      if (key == "done") return ollama(flag, found.body) ? kOllama : -1;
      return llama(flag, found.body) ? kLlama : -1;
    }
    return of_plan(shaped(found));
  }
  static int of_plan(int plan) { return plan < 0 ? -1 : kDeclared + plan; }

  // Returns the value of a key in snake_case, or else in camelCase.
  Index get(Index of, std::string_view snake, std::string_view camel) {
    const Index i = tree_.get(of, snake);
    const Index other = snake == camel ? kNone : tree_.get(of, camel);
    if (i != kNone && other != kNone) doubtful();
    return is_null(i) ? other : i;
  }

  // ---------------------------------------------------------------- legacy completions

  bool legacy(Body& body) {
    const Index choices = tree_.get(0, "choices");
    if (!tree_.is(choices, Type::kArray) || tree_.at(choices).n == 0) return false;
    const Index usage = tree_.get(0, "usage");
    for (const auto& [snake, camel] : {std::pair<std::string_view, std::string_view>{"error", "error"},
                                       {"prompt_logprobs", "promptLogprobs"},
                                       {"prompt_token_ids", "promptTokenIds"}})
      if (!is_null(get(0, snake, camel))) return false;
    get_text(tree_.get(0, "id"), body.id);
    get_text(tree_.get(0, "object"), body.object);
    get_text(tree_.get(0, "model"), body.model);
    get_text(get(0, "system_fingerprint", "systemFingerprint"), body.fingerprint);
    get_text(get(0, "service_tier", "serviceTier"), body.tier);
    body.created = get_whole(tree_.get(0, "created"), 0, kYear10000 - 1, -1);
    get_usage(usage, UsageNames::kChat, body);
    const bool is_marked = tree_.get(0, "model") != kNone || tree_.get(0, "object") != kNone;
    bool ended = true, says_more = false, is_any_marked = is_marked;
    tree_.each(choices, [&](Index i) {
      if (!tree_.is(i, Type::kObject) || tree_.get(i, "text") == kNone) return (void)doubtful();
      for (const std::string_view other : {"message", "delta", "finishReason", "prompt_logprobs",
                                           "promptLogprobs", "prompt_token_ids", "promptTokenIds"})
        if (tree_.get(i, other) != kNone) doubtful();
      const Index reason = tree_.get(i, "finish_reason");
      is_any_marked |= reason != kNone || tree_.get(i, "logprobs") != kNone;
      says_more |= reason != kNone;
      const bool has_ended = tree_.is(reason, Type::kText) && tree_.at(reason).stop > tree_.at(reason).start;
      ended = ended && has_ended;
      const size_t row = begin_part(), first_token = tokens.rows;
      put_name_of(reason, parts.finish_reason, row);
      size_t n_prompt = 0;
      State state = arrays_of(tree_.get(i, "logprobs"), usage, n_prompt);
      if (n_prompt > 0 && tree_.at(choices).n > 1) doubtful();
      if (n_prompt > 0 && tokens.rows == first_token + n_prompt) state = kEmpty;
      put_answer(tree_.get(i, "text"), row, n_prompt);
      end_part(get_whole(tree_.get(i, "index"), 0, INT32_MAX, body.n_parts), state, first_token,
               n_prompt);
      ++body.n_parts;
    });
    if (!is_any_marked || (!ended && body.has_usage && !says_more)) return false;
    body.kind = ended ? kEither : kChunk;
    return !tree_.doubt;
  }
  // Writes a text without that of the prompt, which the last n tokens are.
  void put_answer(Index i, size_t row, size_t n) {
    if (is_null(i)) return;
    join({i}, parts.content, row);
    if (n == 0 || tree_.doubt) return;
    std::string prompt, text(parts.content.at(row));
    for (size_t token = tokens.rows - n; token < tokens.rows; ++token) prompt += tokens.token.at(token);
    if (text.compare(0, prompt.size(), prompt) == 0) text.erase(0, prompt.size());
    parts.content.cut(row);
    parts.content.put(row, text);
  }
  // Returns how many tokens are those of the prompt, if there is one choice.
  size_t prompt_tokens(Index usage) {
    for (const std::string_view key : {"completion_tokens", "prompt_tokens"}) {
      const Index i = tree_.get(usage, key);
      if (key[0] == 'c' && is_null(i)) continue;
      if (!tree_.is(i, Type::kNumber)) return doubtful(), size_t{0};
      const std::string_view digits = tree_.text(tree_.at(i)).text();
      if (digits.find_first_of(".eE") != digits.npos) return doubtful(), size_t{0};
    }
    return static_cast<size_t>(get_whole(tree_.get(usage, "prompt_tokens"), 1, INT32_MAX, 0));
  }
  // Reads parallel arrays of logprobs. `n_prompt`: how many of the tokens, the last ones, are those
  // of the prompt.
  State arrays_of(Index logprobs, Index usage, size_t& n_prompt) {
    if (is_null(logprobs)) return kAbsent;
    if (!tree_.is(logprobs, Type::kObject)) return doubtful(), kAbsent;
    tree_.at(logprobs).is_read = true;
    const Index texts = tree_.get(logprobs, "tokens");
    const Index values = get(logprobs, "token_logprobs", "tokenLogprobs");
    Index tops = get(logprobs, "top_logprobs", "topLogprobs");
    if (is_null(tops)) tops = kNone;
    if (!is_null(get(logprobs, "token_ids", "tokenIds"))) doubtful();
    for (const std::string_view channel : {"content", "prompt", "reasoning", "reasoning_content",
                                           "reasoningContent", "refusal"})
      if (!is_null(tree_.get(logprobs, channel))) doubtful();
    if (!tree_.is(texts, Type::kArray) || !tree_.is_list(values)) return doubtful(), kAbsent;
    if (tops != kNone && !tree_.is(tops, Type::kArray)) return doubtful(), kAbsent;
    if (tree_.at(values).n > 0 && json_.peek(tree_.text_start(tree_.at(values)) + 1) == 'n')
      n_prompt = prompt_tokens(usage);
    arrays({elements(texts), elements(tops), places(values), {}}, n_prompt);
    return tree_.at(texts).n > 0 ? kPresent : kEmpty;
  }

  // ---------------------------------------------------------------- Gemini

  bool gemini(Body& body) {
    const Index candidates = tree_.get(0, "candidates");
    if (!tree_.is(candidates, Type::kArray) || tree_.at(candidates).n == 0) return false;
    if (!is_null(get(0, "create_time", "createTime"))) return false;
    get_text(get(0, "response_id", "responseId"), body.id);
    get_text(get(0, "model_version", "modelVersion"), body.model);
    const Index usage = get(0, "usage_metadata", "usageMetadata");
    get_usage(usage, UsageNames::kGemini, body);
    bool ended = true, is_marked = !is_null(usage);
    tree_.each(candidates, [&](Index i) {
      if (!tree_.is(i, Type::kObject)) return (void)doubtful();
      const Index content = tree_.get(i, "content");
      const Index reason = get(i, "finish_reason", "finishReason");
      const Index result = get(i, "logprobs_result", "logprobsResult");
      is_marked |= !is_null(content) || !is_null(reason) || !is_null(result);
      ended = ended && tree_.is(reason, Type::kText);
      const size_t row = begin_part(), first_token = tokens.rows;
      join(texts_of(tree_.get(content, "parts"), "text"), parts.content, row);
      put_name_of(tree_.get(content, "role"), parts.role, row);
      put_name_of(reason, parts.finish_reason, row);
      const State state = is_null(result) ? kAbsent : chosen(result);
      end_part(get_whole(tree_.get(i, "index"), 0, INT32_MAX, body.n_parts), state, first_token);
      ++body.n_parts;
    });
    body.kind = ended ? kEither : kChunk;
    return is_marked && !tree_.doubt;
  }
  State chosen(Index result) {
    tree_.at(result).is_read = true;
    const Index list = get(result, "chosen_candidates", "chosenCandidates");
    Index tops = get(result, "top_candidates", "topCandidates");
    if (!tree_.is(list, Type::kArray) || tree_.at(list).n == 0 || !is_entry(list + 1))
      return doubtful(), kAbsent;
    if (is_null(tops) || (tree_.is(tops, Type::kArray) && tree_.at(tops).n == 0)) tops = kNone;
    positions(list, kNone, tops, false, {}, "candidates");
    return kPresent;
  }
  // Returns the texts under a key in the objects of a list.
  std::vector<Index> texts_of(Index list, std::string_view key) {
    std::vector<Index> found;
    if (!tree_.is(list, Type::kArray)) return found;
    tree_.each(list, [&](Index i) {
      const Index thought = tree_.get(i, "thought"), text = tree_.get(i, key);
      if (!is_null(thought) && !tree_.is(thought, Type::kFalse)) doubtful();
      if (tree_.is(text, Type::kText)) found.push_back(text);
    });
    return found;
  }

  // ---------------------------------------------------------------- Responses API

  bool response(Body& body) {
    const Index usage = tree_.get(0, "usage");
    if (!tree_.has_text(tree_.get(0, "object"), "response") && tree_.get(usage, "input_tokens") == kNone)
      return false;
    metadata(0, body);
    get_usage(usage, UsageNames::kResponses, body);
    std::vector<Index> items;
    tree_.each(tree_.get(0, "output"), [&](Index i) { items.push_back(i); });
    items_of(items, finish_of(0), body);
    body.kind = kWhole;
    return !tree_.doubt;
  }
  void metadata(Index of, Body& body) {
    if (!is_null(tree_.get(of, "error"))) doubtful();
    get_text(tree_.get(of, "id"), body.id);
    get_text(tree_.get(of, "object"), body.object);
    get_text(tree_.get(of, "model"), body.model);
    get_text(tree_.get(of, "service_tier"), body.tier);
    body.created = get_whole(tree_.get(of, "created_at"), 0, kYear10000 - 1, -1);
  }
  Index finish_of(Index of) {
    const Index reason = tree_.get(tree_.get(of, "incomplete_details"), "reason");
    return is_null(reason) ? tree_.get(of, "status") : reason;
  }

  // Reads the items of an output as one part.
  void items_of(const std::vector<Index>& items, Index reason, Body& body) {
    std::vector<Index> texts, refusals, thoughts, lists;
    Index role = kNone;
    for (const Index i : items) {
      if (!tree_.is(i, Type::kObject)) return (void)doubtful();
      const Index type = tree_.get(i, "type"), content = tree_.get(i, "content");
      if (tree_.has_text(type, "function_call")) return (void)doubtful();
      if (tree_.has_text(type, "reasoning")) {
        std::vector<Index> some = texts_of(content, "text");
        if (some.empty()) some = texts_of(tree_.get(i, "summary"), "text");
        thoughts.insert(thoughts.end(), some.begin(), some.end());
      } else if (tree_.has_text(type, "message")) {
        if (tree_.get(i, "role") != kNone) role = tree_.get(i, "role");
        for (const Index text : texts_of(content, "text")) texts.push_back(text);
        for (const Index text : texts_of(content, "refusal")) refusals.push_back(text);
        if (!tree_.is(content, Type::kArray)) continue;
        tree_.each(content, [&](Index part) {
          const Index list = tree_.get(part, "logprobs");
          if (tree_.is_list(list)) lists.push_back(list);
        });
      }
    }
    const size_t row = begin_part(), first_token = tokens.rows;
    join(texts, parts.content, row);
    join(refusals, parts.refusal, row);
    join(thoughts, parts.reasoning, row);
    put_name_of(role, parts.role, row);
    put_name_of(reason, parts.finish_reason, row);
    State state = lists.empty() ? kAbsent : kEmpty;
    for (const Index list : lists) state = std::max(state, entries_of(list));
    end_part(0, state, first_token);
    body.n_parts = 1;
  }

  bool event(std::string_view type, Shaped& found) {
    Body& body = found.body;
    const Index response = tree_.get(0, "response");
    if (tree_.is(response, Type::kObject)) return event_of_response(type, response, body);
    found.item = number("output_index", "output_index");
    found.part = number("content_index", "summary_index");
    const Index item = tree_.get(0, "item");
    const Index id = tree_.is(item, Type::kObject) ? tree_.get(item, "id") : tree_.get(0, "item_id");
    if (tree_.is(id, Type::kText)) found.item_id = tree_.text(tree_.at(id));
    type.remove_prefix(9);
    if (const std::string_view done = type_of_done(type); !done.empty()) {
      const bool is_item = type == "output_item.done";
      if (is_item) found.part = -1;
      body.kind = kCopy;
      return copy(done, is_item ? item : tree_.get(0, "part"), is_item, body) && !tree_.doubt;
    }
    body.kind = kChunk;
    const size_t row = begin_part(), first_token = tokens.rows;
    const Index text = tree_.get(0, "delta"), list = tree_.get(0, "logprobs");
    const bool is_text = type == "output_text.delta";
    Text* const column = is_text                  ? &parts.content
                         : type == "refusal.delta" ? &parts.refusal
                         : type == "reasoning_text.delta" || type == "reasoning.delta" ||
                                 type == "reasoning_summary_text.delta"
                             ? &parts.reasoning
                             : nullptr;
    if (column == nullptr) return false;  // most of the others are control
    put_text(text, *column, row);
    State state = kAbsent;
    if (is_text && tree_.is_list(list)) state = entries_of(list);
    end_part(0, state, first_token);
    body.n_parts = 1;
    return !tree_.doubt;
  }
  int32_t number(std::string_view key, std::string_view other) {
    for (const std::string_view name : {key, other}) {
      const Index i = tree_.get(0, name);
      if (!is_null(i)) return static_cast<int32_t>(get_whole(i, 0, 1 << 20, 0));
    }
    return 0;
  }
  bool event_of_response(std::string_view type, Index response, Body& body) {
    metadata(response, body);
    const Index output = tree_.get(response, "output");
    const bool is_end = type == "response.completed" || type == "response.incomplete" ||
                        type == "response.failed";
    if (is_end && tree_.is_flat(output)) return false;  // items that are not objects
    if (!is_end || !tree_.is(output, Type::kArray)) {
      body.kind = kChunk;
      return !tree_.doubt && body.object.text() != "chat.completion";
    }
    get_usage(tree_.get(response, "usage"), UsageNames::kResponses, body);
    std::vector<Index> items;
    tree_.each(output, [&](Index i) { items.push_back(i); });
    items_of(items, finish_of(response), body);
    body.kind = kFinalCopy;
    return !tree_.doubt;
  }
  // Returns the type of the item that an event repeats; an empty one if it does not.
  static std::string_view type_of_done(std::string_view type) {
    if (type == "output_item.done") return "item";
    if (type == "content_part.done" || type == "output_text.done" || type == "refusal.done")
      return "message";
    if (type == "reasoning_part.done" || type == "reasoning_text.done" ||
        type == "reasoning_summary_part.done" || type == "reasoning_summary_text.done")
      return "reasoning";
    return {};
  }
  bool copy(std::string_view type, Index of, bool is_item, Body& body) {
    if (is_item) {
      std::vector<Index> items;
      if (!tree_.is(of, Type::kObject)) return false;
      items.push_back(of);
      items_of(items, kNone, body);
      return true;
    }
    const Index part = tree_.is(of, Type::kObject) ? of : 0;
    const size_t row = begin_part(), first_token = tokens.rows;
    const Index text = tree_.get(part, "text"), list = tree_.get(part, "logprobs");
    const bool is_message = type == "message";
    if (tree_.is(text, Type::kText)) put_text(text, is_message ? parts.content : parts.reasoning, row);
    const Index refusal = tree_.get(part, "refusal");
    if (is_message && tree_.is(refusal, Type::kText)) put_text(refusal, parts.refusal, row);
    State state = kAbsent;
    if (is_message && tree_.is_list(list)) state = entries_of(list);
    end_part(0, state, first_token);
    body.n_parts = 1;
    return true;
  }
};

}  // namespace toolkit
