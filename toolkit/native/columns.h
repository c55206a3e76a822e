// The tables and codes of toolkit/loaders/buffers.py, as far as the scanner fills them.

#pragma once

#include <cstdint>

#include "buffers.h"

namespace toolkit {

enum Kind : int8_t { kWhole, kChunk, kError, kEither, kFinalCopy, kCopy };  // as KIND_...
enum Status : int8_t { kOk, kCensored, kMissing, kInvalid };  // as schema.STATUSES
enum State : int8_t { kAbsent, kEmpty, kPresent };  // as STATE_ABSENT, STATE_EMPTY, STATE_PRESENT

struct Entries : Table {  // the columns that tokens and alternatives share
  Text token{"token", "U"};
  Text bytes{"bytes", "Z"};
  Int32 token_id{"token_id", "i"};
  Float64 logprob{"logprob", "g"};
  Int8 status{"status", "c"};
  Entries() {
    columns = {&token, &bytes, &token_id, &logprob, &status};
    texts_ = {&token, &bytes};
  }
};

struct Tokens : Entries {
  Int32 n_alternatives{"n_alternatives", "i"};
  Int32 sampled_rank{"sampled_rank", "i"};
  Int32 chunk{"chunk", "i"};
  Flags is_top1{"is_top1"};
  Tokens() { columns.insert(columns.end(), {&n_alternatives, &sampled_rank, &chunk, &is_top1}); }
};

struct Alternatives : Entries {
  Int32 slot{"slot", "i"};
  Int32 rank{"rank", "i"};
  Flags is_sampled{"is_sampled"};
  Alternatives() { columns.insert(columns.end(), {&slot, &rank, &is_sampled}); }
};

struct Parts : Table {
  Int32 choice{"choice", "i"};
  Text role{"role", "U"};
  Text content{"content", "U"};
  Text refusal{"refusal", "U"};
  Text reasoning{"reasoning", "U"};
  Text tool_calls{"tool_calls", "U"};
  Text finish_reason{"finish_reason", "U"};
  Int8 state{"state", "c"};
  Int32 n_content{"n_content", "i"};
  Int32 n_prompt{"n_prompt", "i"};
  Int32 n_reasoning{"n_reasoning", "i"};
  Int32 n_refusal{"n_refusal", "i"};
  Parts() {
    columns = {&choice,     &role,          &content, &refusal,   &reasoning,
               &tool_calls, &finish_reason, &state,   &n_content, &n_prompt,
               &n_reasoning, &n_refusal};
    texts_ = {&role, &content, &refusal, &reasoning, &tool_calls, &finish_reason};
  }
};

constexpr int kUsageCounts = 9;

struct Bodies : Table {
  Int8 kind{"kind", "c"};
  Int8 format{"format", "c"};  // index in the names of decoding/plans.py
  Text response_id{"response_id", "U"};
  Text custom_id{"custom_id", "U"};
  Text path{"path", "U"};
  Text kept{"kept", "U"};
  Int64 created{"created", "l"};
  Text model{"model", "U"};
  Text system_fingerprint{"system_fingerprint", "U"};
  Text service_tier{"service_tier", "U"};
  Text object{"object", "U"};
  Flags has_usage{"has_usage"};
  Int64 usage[kUsageCounts] = {{"prompt_tokens", "l"},
                               {"completion_tokens", "l"},
                               {"total_tokens", "l"},
                               {"cached_tokens", "l"},
                               {"reasoning_tokens", "l"},
                               {"prompt_audio_tokens", "l"},
                               {"completion_audio_tokens", "l"},
                               {"accepted_prediction_tokens", "l"},
                               {"rejected_prediction_tokens", "l"}};
  Int32 item{"item", "i"};
  Int32 part{"part", "i"};
  Text item_id{"item_id", "U"};
  Int32 n_parts{"n_parts", "i"};
  Int32 n_records{"n_records", "i"};
  Bodies() {
    columns = {&kind,    &format,             &response_id,  &custom_id, &path,
               &created, &model,              &service_tier, &object,    &system_fingerprint,
               &item,    &part,               &item_id,      &n_parts,   &n_records,
               &kept,    &has_usage};
    for (Int64& count : usage) columns.push_back(&count);
    texts_ = {&response_id,        &custom_id,    &path,   &kept,   &model,
              &system_fingerprint, &service_tier, &object, &item_id};
  }
};

// The records that continue a body, for each body in order, by the index of their frame.
struct Members : Table {
  Int64 frame{"frame", "l"};
  Members() { columns = {&frame}; }
};

}  // namespace toolkit
