// What the keys and texts of a row may mean: ids, envelopes, other formats, texts of answers.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "json.h"
#include "name_table.h"

namespace toolkit {

enum class RowKey : uint8_t {
  // Ids, in the order of formats/row_ids.py.
  kCustomId, kRequestId, kCallId, kId, kSampleId, kQuestionId, kUuid, kKey, kIndex, kRecordId,
  kQid, kDocId, kUid, kTaskId,
  kLastId = kTaskId,
  // Keys of envelopes.
  kResponse, kBody, kStatusCode, kError, kData,
  kOnce = kData,  // up to here, a key that occurs twice is a doubt
  // Keys that matter beside others.
  kMessage, kFinish, kLogprobs, kValue, kMeta, kType,
  // Keys of other formats: a doubt whatever the value is, or unless it is a text or null, unless it
  // is neither an object nor an array, or unless it is not a boolean.
  kChoices, kDoubt, kOutput, kContainer, kFlag,
  kEntry,  // a field of an entry of logprobs
  kOther
};

constexpr uint64_t bit(RowKey key) { return uint64_t{1} << static_cast<int>(key); }

constexpr Name<RowKey> kRowKeys[] = {
    {"custom_id", RowKey::kCustomId}, {"request_id", RowKey::kRequestId},
    {"litellm_call_id", RowKey::kCallId}, {"id", RowKey::kId}, {"sample_id", RowKey::kSampleId},
    {"question_id", RowKey::kQuestionId}, {"uuid", RowKey::kUuid}, {"key", RowKey::kKey},
    {"index", RowKey::kIndex}, {"recordId", RowKey::kRecordId}, {"qid", RowKey::kQid},
    {"doc_id", RowKey::kDocId}, {"uid", RowKey::kUid}, {"task_id", RowKey::kTaskId},
    {"response", RowKey::kResponse}, {"body", RowKey::kBody},
    {"status_code", RowKey::kStatusCode}, {"error", RowKey::kError}, {"data", RowKey::kData},
    {"__data__", RowKey::kData}, {"message", RowKey::kMessage},
    {"finish_reason", RowKey::kFinish}, {"finishReason", RowKey::kFinish},
    {"value", RowKey::kValue}, {"meta", RowKey::kMeta}, {"type", RowKey::kType},
    {"choices", RowKey::kChoices}, {"candidates", RowKey::kDoubt}, {"done", RowKey::kFlag},
    {"stop", RowKey::kFlag}, {"resps", RowKey::kDoubt}, {"event_id", RowKey::kDoubt},
    {"output", RowKey::kOutput}, {"response_metadata", RowKey::kDoubt},
    {"responseMetadata", RowKey::kDoubt}, {"parts", RowKey::kDoubt},
    {"token_ids", RowKey::kDoubt}, {"tokenIds", RowKey::kDoubt}, {"outputs", RowKey::kContainer},
    {"text_output", RowKey::kDoubt}, {"textOutput", RowKey::kDoubt},
    {"generated_tokens", RowKey::kDoubt}, {"generatedTokens", RowKey::kDoubt},
    {"details", RowKey::kContainer}, {"meta_info", RowKey::kDoubt}, {"metaInfo", RowKey::kDoubt},
    {"generation_token_count", RowKey::kDoubt}, {"generationTokenCount", RowKey::kDoubt},
    {"delta", RowKey::kContainer}, {"request_states", RowKey::kDoubt},
    {"requestStates", RowKey::kDoubt}, {"generations", RowKey::kContainer},
    {"generation_info", RowKey::kDoubt}, {"generationInfo", RowKey::kDoubt},
    {"provider_metadata", RowKey::kDoubt}, {"providerMetadata", RowKey::kDoubt},
    {"chat_response", RowKey::kDoubt}, {"chatResponse", RowKey::kDoubt},
    {"transcript", RowKey::kDoubt}, {"interactions", RowKey::kContainer},
    {"http_interactions", RowKey::kContainer}, {"Entries", RowKey::kContainer},
    {"log", RowKey::kContainer}, {"samples", RowKey::kContainer},
    {"token", RowKey::kEntry}, {"prob", RowKey::kEntry}, {"probs", RowKey::kEntry},
    {"alternatives", RowKey::kEntry}, {"top_tokens", RowKey::kEntry},
    {"top_probs", RowKey::kEntry}, {"chosen", RowKey::kEntry}};

constexpr NameTable kRowNames{kRowKeys};

// Returns whether a key is written after a dot in a JSON path, and without one in it.
inline bool is_plain(std::string_view key) {
  if (key.empty() || key.size() > 40 || is_digit(key[0]) || key[0] == '-') return false;
  for (const char c : key)
    if (!is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && c != '$' &&
        c != '@' && c != '-')
      return false;
  return true;
}

// Returns whether a key may stand for a path of keys of another format, such as `meta.usage`.
inline bool is_dotted(std::string_view key) {
  const size_t dot = key.find('.');
  if (dot == key.npos) return false;
  const RowKey head = kRowNames.find(key.substr(0, dot));
  return head > RowKey::kLastId && head != RowKey::kOther;
}

// Returns whether the `type` of an object cannot be that of an event or a message.
inline bool is_plain_type(std::string_view type) {
  for (const char c : type)
    if ((c < 'a' || c > 'z') && c != '_') return false;
  for (const std::string_view event : {"error", "chunk", "ping", "start", "finish"})
    if (type == event) return false;
  return true;
}

// Returns whether a text may begin with an object, an array or `data:` after blanks.
inline bool begins_like_json(const Slice& text) {
  const char* p = text.start;
  while (p < text.stop && *p == ' ') ++p;
  if (p == text.stop) return false;
  if (*p == '\\') return p[1] != '"' && p[1] != '\\' && p[1] != '/';
  if (static_cast<unsigned char>(*p) >= 0x80) {  // as blanks of Unicode begin
    const auto lead = static_cast<unsigned char>(*p);
    return lead == 0xC2 || (lead >= 0xE1 && lead <= 0xE3);
  }
  if (*p != 'd') return *p == '{' || *p == '[';
  constexpr std::string_view kData = "data:";
  const std::string_view head(p, static_cast<size_t>(text.stop - p));
  return head.substr(0, kData.size()) == kData || head.substr(0, kData.size()).find('\\') != head.npos;
}

// Returns whether a text cannot be a number, `nan` or `inf`, because of its first letter.
inline bool begins_like_word(const Slice& text) {
  if (text.start == text.stop) return false;
  const int c = static_cast<unsigned char>(*text.start) | 0x20;
  return c >= 'a' && c <= 'z' && c != 'i' && c != 'n';
}

// Returns whether what follows the name of logprobs in a text may be the rest of a key and a number,
// a list or an object.
inline bool may_hold_logprobs(std::string_view text) {
  size_t i = 0;
  const auto skip = [&](auto is) {
    while (i < text.size() && is(text[i])) ++i;
  };
  const auto is_odd = [&] {
    return i < text.size() && (text[i] == '\\' || static_cast<unsigned char>(text[i]) >= 0x80);
  };
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  skip([](char c) { return c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); });
  if (text.substr(i, 2) == "\\\"") ++i;
  if (is_odd()) return true;
  if (text.substr(i, 1) != "\"") return false;
  ++i;
  skip(is_blank);
  if (is_odd()) return true;
  if (text.substr(i, 1) != ":") return false;
  ++i;
  skip(is_blank);
  return is_odd() || (i < text.size() && (text[i] == '-' || text[i] == '[' || text[i] == '{'));
}

// Returns whether a text may have "choices", "candidates" or logprobs in it. Letters that can be
// written in several ways are not compared.
inline bool speaks_of_answers(std::string_view text) {
  const auto is = [&](size_t i, char c) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) | 0x20) == c;
  };
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && text[i + 1] == 'u') return true;
    if (is(i, 'p') && is(i + 1, 'r') && is(i + 2, 'o') && is(i + 3, 'b') &&
        may_hold_logprobs(text.substr(i + 4)))
      return true;
    if (text[i] != '"' || !is(i + 1, 'c')) continue;
    if (is(i + 2, 'h') && is(i + 3, 'o')) return true;
    if (is(i + 2, 'a') && is(i + 3, 'n') && is(i + 4, 'd')) return true;
  }
  return false;
}

}  // namespace toolkit
