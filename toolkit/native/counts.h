// Find the counts of a usage, however a library names them.
//
// toolkit/loaders/formats/usage.py and the formats with code define the names.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "columns.h"
#include "tree.h"

namespace toolkit {

// Which names a format reads: those of all libraries, or its own alone.
enum class UsageNames { kAny, kChat, kGemini, kResponses };

// Names in the order in which they are tried, snake_case before camelCase; bits: who reads them.
struct CountName {
  std::string_view text;
  unsigned readers;
};
constexpr unsigned kAnyone = 1u << static_cast<int>(UsageNames::kAny);
constexpr unsigned kByChat = kAnyone | 1u << static_cast<int>(UsageNames::kChat);
constexpr unsigned kByGemini = kAnyone | 1u << static_cast<int>(UsageNames::kGemini);
constexpr unsigned kByResponses = kAnyone | 1u << static_cast<int>(UsageNames::kResponses);

constexpr CountName kPromptNames[] = {
    {"prompt_tokens", kByChat}, {"promptTokens", kByChat}, {"input_tokens", kByResponses},
    {"inputTokens", kAnyone}, {"prompt_token_count", kByGemini}, {"promptTokenCount", kByGemini},
    {"prompt_eval_count", kAnyone}, {"promptEvalCount", kAnyone}, {"num_input_tokens", kAnyone},
    {"numInputTokens", kAnyone}, {"tokens_evaluated", kAnyone}, {"tokensEvaluated", kAnyone}};
constexpr CountName kCompletionNames[] = {
    {"completion_tokens", kByChat}, {"completionTokens", kByChat}, {"output_tokens", kByResponses},
    {"outputTokens", kAnyone}, {"candidates_token_count", kByGemini},
    {"candidatesTokenCount", kByGemini}, {"eval_count", kAnyone}, {"evalCount", kAnyone},
    {"generation_token_count", kAnyone}, {"generationTokenCount", kAnyone},
    {"generated_tokens", kAnyone}, {"generatedTokens", kAnyone},
    {"num_generated_tokens", kAnyone}, {"numGeneratedTokens", kAnyone},
    {"tokens_predicted", kAnyone}, {"tokensPredicted", kAnyone}};
constexpr CountName kTotalNames[] = {
    {"total_tokens", kByChat | kByResponses}, {"totalTokens", kByChat},
    {"total_token_count", kByGemini}, {"totalTokenCount", kByGemini}};
constexpr CountName kBeforeNames[] = {
    {"prompt_tokens_details", kByChat}, {"promptTokensDetails", kByChat},
    {"input_tokens_details", kByResponses}, {"inputTokensDetails", kAnyone},
    {"input_token_details", kAnyone}, {"inputTokenDetails", kAnyone}};
constexpr CountName kAfterNames[] = {
    {"completion_tokens_details", kByChat}, {"completionTokensDetails", kByChat},
    {"output_tokens_details", kByResponses}, {"outputTokensDetails", kAnyone},
    {"output_token_details", kAnyone}, {"outputTokenDetails", kAnyone}};
constexpr CountName kCachedNames[] = {
    {"cached_tokens", kByChat | kByResponses}, {"cachedTokens", kByChat | kByResponses},
    {"cache_read", kAnyone}, {"cacheRead", kAnyone}, {"input_tokens_cache_read", kAnyone},
    {"inputTokensCacheRead", kAnyone}, {"cached_content_token_count", kByGemini},
    {"cachedContentTokenCount", kByGemini}, {"cachedInputTokens", kAnyone},
    {"cache_read_tokens", kAnyone}, {"cacheReadTokens", kAnyone}};
constexpr CountName kThoughtNames[] = {
    {"reasoning_tokens", kByChat | kByResponses}, {"reasoningTokens", kByChat | kByResponses},
    {"reasoning", kAnyone}, {"thoughts_token_count", kByGemini},
    {"thoughtsTokenCount", kByGemini}};

// Returns the value of the first of some names that is not null; `is_count`: nor an object or a list.
template <size_t N>
Tree::Index count_of(Tree& tree, Tree::Index of, const CountName (&names)[N], UsageNames by,
                     bool is_count = false) {
  if (of == Tree::kNone) return Tree::kNone;
  for (const CountName& name : names) {
    if ((name.readers & 1u << static_cast<int>(by)) == 0) continue;
    const Tree::Index i = tree.get(of, name.text);
    if (i == Tree::kNone || tree.is(i, Type::kNull)) continue;
    if (by == UsageNames::kAny && is_count && (tree.is_list(i) || tree.is(i, Type::kObject))) continue;
    return i;
  }
  return Tree::kNone;
}

// Calls f(value, i) with the i-th count of `counts`, which are -1 unless f sets them; returns whether
// there is one of the prompt, the completion, or in all.
template <class F>
bool read_counts(Tree& tree, Tree::Index usage, UsageNames by, F f, int64_t (&counts)[kUsageCounts]) {
  using Index = Tree::Index;
  std::fill(counts, counts + kUsageCounts, -1);
  const Index inner = tree.get(usage, "tokens");
  if (by == UsageNames::kAny && tree.is(inner, Type::kObject)) usage = inner;
  const Index main[] = {count_of(tree, usage, kPromptNames, by, true),
                        count_of(tree, usage, kCompletionNames, by, true),
                        count_of(tree, usage, kTotalNames, by, true)};
  bool has_counts = false;
  for (int i = 0; i < 3; ++i) {
    if (main[i] == Tree::kNone) continue;
    has_counts = true;
    f(main[i], i);
  }
  if (!has_counts && by == UsageNames::kAny) return false;
  const Index before = count_of(tree, usage, kBeforeNames, by);
  const Index after = count_of(tree, usage, kAfterNames, by);
  for (const Index details : {before, after})
    if (details != Tree::kNone && !tree.is(details, Type::kObject)) tree.doubt = true;
  for (const Index each : {usage, before, after})
    if (tree.is_repeated(each)) tree.doubt = true;
  const bool is_within = by == UsageNames::kChat || by == UsageNames::kResponses;
  Index cached = count_of(tree, before, kCachedNames, by);
  if (cached == Tree::kNone && !is_within) cached = count_of(tree, usage, kCachedNames, by);
  Index thought = count_of(tree, after, kThoughtNames, by);
  if (thought == Tree::kNone && !is_within) thought = count_of(tree, usage, kThoughtNames, by);
  if (cached != Tree::kNone) f(cached, 3);
  if (thought != Tree::kNone) f(thought, 4);
  constexpr std::string_view kAudio[] = {"audio_tokens", "audioTokens"};
  constexpr std::string_view kAccepted[] = {"accepted_prediction_tokens", "acceptedPredictionTokens"};
  constexpr std::string_view kRejected[] = {"rejected_prediction_tokens", "rejectedPredictionTokens"};
  const Index others[] = {tree.first(before, kAudio), tree.first(after, kAudio),
                          tree.first(after, kAccepted), tree.first(after, kRejected)};
  for (int i = 0; i < 4; ++i)
    if (others[i] != Tree::kNone) f(others[i], 5 + i);
  return has_counts;
}

}  // namespace toolkit
