// The names of the keys that the scanner reads, and of keys whose presence defers a record.

#pragma once

#include "json.h"

namespace toolkit {

// snake_case and camelCase name one key, so a record with both in one object is deferred.
enum class Key {
  kOther,  // not read
  kDefer,  // defers the record to the reference decoder
  kId, kObject, kCreated, kModel, kChoices, kUsage, kError, kTier, kFingerprint,
  kPromptLogprobs,
  kIndex, kMessage, kDelta, kLogprobs, kFinish,
  kRole, kContent, kRefusal, kReasoning, kReasoningContent, kToolCalls, kProviderFields,
  kToken, kLogprob, kBytes, kTop, kTokenId,
  kPromptTokens, kCompletionTokens, kTotalTokens, kPromptDetails, kCompletionDetails,
  kCached, kReasoningTokens, kAudio, kAccepted, kRejected
};

constexpr Name<Key> kTopNames[] = {
    {"id", Key::kId}, {"object", Key::kObject}, {"created", Key::kCreated},
    {"model", Key::kModel}, {"choices", Key::kChoices}, {"usage", Key::kUsage},
    {"error", Key::kError}, {"service_tier", Key::kTier}, {"serviceTier", Key::kTier},
    {"system_fingerprint", Key::kFingerprint}, {"systemFingerprint", Key::kFingerprint},
    {"prompt_logprobs", Key::kPromptLogprobs}, {"promptLogprobs", Key::kPromptLogprobs},
    {"custom_id", Key::kDefer}, {"response", Key::kDefer}, {"body", Key::kDefer},
    {"status_code", Key::kDefer}};
constexpr Name<Key> kChoiceNames[] = {
    {"index", Key::kIndex}, {"message", Key::kMessage}, {"delta", Key::kDelta},
    {"logprobs", Key::kLogprobs}, {"finish_reason", Key::kFinish},
    {"finishReason", Key::kFinish}, {"text", Key::kDefer}, {"label", Key::kDefer}};
constexpr Name<Key> kMessageNames[] = {
    {"role", Key::kRole}, {"content", Key::kContent}, {"refusal", Key::kRefusal},
    {"reasoning", Key::kReasoning}, {"reasoning_content", Key::kReasoningContent},
    {"reasoningContent", Key::kReasoningContent}, {"tool_calls", Key::kToolCalls},
    {"toolCalls", Key::kToolCalls}, {"provider_specific_fields", Key::kProviderFields}};
constexpr Name<Key> kProviderNames[] = {{"refusal", Key::kRefusal}};
constexpr Name<Key> kLogprobsNames[] = {
    {"content", Key::kContent}, {"refusal", Key::kRefusal},
    {"reasoning_content", Key::kReasoningContent}, {"reasoningContent", Key::kReasoningContent},
    {"reasoning", Key::kDefer}, {"prompt", Key::kDefer}, {"tokens", Key::kDefer}};
constexpr Name<Key> kEntryNames[] = {
    {"token", Key::kToken}, {"logprob", Key::kLogprob}, {"bytes", Key::kBytes},
    {"top_logprobs", Key::kTop}, {"topLogprobs", Key::kTop}, {"id", Key::kTokenId},
    {"token_id", Key::kTokenId}, {"tokenId", Key::kDefer}, {"bytes_", Key::kDefer},
    {"prob", Key::kDefer}, {"top_probs", Key::kDefer}, {"probs", Key::kDefer},
    {"alternatives", Key::kDefer}, {"top_tokens", Key::kDefer}};
constexpr Name<Key> kUsageNames[] = {
    {"prompt_tokens", Key::kPromptTokens}, {"promptTokens", Key::kPromptTokens},
    {"completion_tokens", Key::kCompletionTokens}, {"completionTokens", Key::kCompletionTokens},
    {"total_tokens", Key::kTotalTokens}, {"totalTokens", Key::kTotalTokens},
    {"prompt_tokens_details", Key::kPromptDetails}, {"promptTokensDetails", Key::kPromptDetails},
    {"completion_tokens_details", Key::kCompletionDetails},
    {"completionTokensDetails", Key::kCompletionDetails}};
constexpr Name<Key> kDetailNames[] = {
    {"cached_tokens", Key::kCached}, {"cachedTokens", Key::kCached},
    {"audio_tokens", Key::kAudio}, {"audioTokens", Key::kAudio},
    {"reasoning_tokens", Key::kReasoningTokens}, {"reasoningTokens", Key::kReasoningTokens},
    {"accepted_prediction_tokens", Key::kAccepted}, {"acceptedPredictionTokens", Key::kAccepted},
    {"rejected_prediction_tokens", Key::kRejected}, {"rejectedPredictionTokens", Key::kRejected}};

}  // namespace toolkit
