// The native scanner: framed JSON records in, column buffers out.
//
// It reads whole completions, Batch lines and stream chunks of the OpenAI chat schema straight into
// the columns that toolkit/columns.py declares, and takes only what it is certain of. Anything else
// (an odd type, a key twice, an escape in a key, half a surrogate pair, NaN, invalid UTF-8, a record
// of another format) is deferred: the record's columns are cut off again and the reference decoder
// reads it. It never guesses and never words an error.
//
// Columns are handed over without copying through the Arrow C data interface.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>

extern "C" {  // the Arrow C data interface, as its specification declares it
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
}

namespace {

constexpr int kMaxDepth = 64;  // as in toolkit/reference.py
constexpr int64_t kInt32Max = 2147483647;
constexpr int64_t kInt64Max = INT64_MAX;
constexpr int64_t kYear10000 = 253402300800;
constexpr double kCensored = -9998.0;  // as in toolkit/schema.py
constexpr double kInvalid = 1e-3;

enum Kind : int8_t { kWhole = 0, kChunk = 1 };
enum Status : int8_t { kOk = 0, kCensoredStatus = 1, kMissing = 2, kInvalidStatus = 3 };
enum State : int8_t { kAbsent = 0, kEmpty = 1, kPresent = 2 };

// ---------------------------------------------------------------- buffers

// A growing array of plain values; grows without setting what it adds.
template <class T>
struct Buffer {
  T* data = nullptr;
  size_t size = 0;
  size_t capacity = 0;

  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data); }

  void reserve(size_t more) {
    if (size + more <= capacity) return;
    size_t wanted = capacity < 64 ? 64 : capacity * 2;
    if (wanted < size + more) wanted = size + more;
    void* grown = std::realloc(data, wanted * sizeof(T));
    if (grown == nullptr) throw std::bad_alloc();
    data = static_cast<T*>(grown);
    capacity = wanted;
  }
  void push(T value) {
    if (size == capacity) reserve(1);
    data[size++] = value;
  }
  void append(const T* from, size_t n) {
    reserve(n);
    if (n != 0) std::memcpy(data + size, from, n * sizeof(T));
    size += n;
  }
};

// One column. Values, or offsets and bytes; validity one byte a row until it is handed over.
struct Column {
  const char* name;
  const char* format;  // of the Arrow C data interface: U large text, Z large binary, l, i, c, g, b
  Buffer<uint8_t> valid;
  Buffer<int64_t> wide;
  Buffer<int32_t> narrow;
  Buffer<int8_t> small;
  Buffer<double> real;
  Buffer<char> bytes;
  size_t nulls = 0;

  Column(const char* name_, const char* format_) : name(name_), format(format_) {
    if (is_text()) wide.push(0);
  }
  bool is_text() const { return *format == 'U' || *format == 'Z'; }
  size_t rows() const { return valid.size; }

  void text(std::string_view value) {
    bytes.append(value.data(), value.size());
    end_text();
  }
  void end_text() {  // the bytes stand there already
    wide.push(static_cast<int64_t>(bytes.size));
    valid.push(1);
  }
  void integer(int64_t value) {
    switch (*format) {
      case 'l': wide.push(value); break;
      case 'i': narrow.push(static_cast<int32_t>(value)); break;
      default: small.push(static_cast<int8_t>(value)); break;
    }
    valid.push(1);
  }
  void number(double value) {
    real.push(value);
    valid.push(1);
  }
  void null() {
    switch (*format) {
      case 'U':
      case 'Z': wide.push(static_cast<int64_t>(bytes.size)); break;
      case 'l': wide.push(0); break;
      case 'i': narrow.push(0); break;
      case 'g': real.push(0.0); break;
      default: small.push(0); break;
    }
    valid.push(0);
    ++nulls;
  }
  void cut(size_t rows) {
    for (size_t i = rows; i < valid.size; ++i) nulls -= valid.data[i] == 0;
    valid.size = rows;
    switch (*format) {
      case 'U':
      case 'Z':
        wide.size = rows + 1;
        bytes.size = static_cast<size_t>(wide.data[rows]);
        break;
      case 'l': wide.size = rows; break;
      case 'i': narrow.size = rows; break;
      case 'g': real.size = rows; break;
      default: small.size = rows; break;
    }
  }
};

struct Entries {  // columns that tokens and alternatives share
  Column token{"token", "U"};
  Column raw{"bytes", "Z"};
  Column token_id{"token_id", "i"};
  Column logprob{"logprob", "g"};
  Column status{"status", "c"};
};

struct Tokens : Entries {
  Column n_alternatives{"n_alternatives", "i"};
  Column sampled_rank{"sampled_rank", "i"};
};

struct Alternatives : Entries {
  Column slot{"slot", "i"};
  Column rank{"rank", "i"};
  Column is_sampled{"is_sampled", "b"};
};

struct Parts {
  Column choice{"choice", "i"};
  Column role{"role", "U"};
  Column content{"content", "U"};
  Column refusal{"refusal", "U"};
  Column reasoning{"reasoning", "U"};
  Column finish_reason{"finish_reason", "U"};
  Column state{"state", "c"};
  Column n_content{"n_content", "i"};
  Column n_reasoning{"n_reasoning", "i"};
  Column n_refusal{"n_refusal", "i"};
};

constexpr int kUsage = 9;
struct Bodies {
  Column kind{"kind", "c"};
  Column response_id{"response_id", "U"};
  Column custom_id{"custom_id", "U"};
  Column created{"created", "l"};
  Column model{"model", "U"};
  Column system_fingerprint{"system_fingerprint", "U"};
  Column service_tier{"service_tier", "U"};
  Column object{"object", "U"};
  Column has_usage{"has_usage", "b"};
  Column usage[kUsage] = {{"prompt_tokens", "l"},
                          {"completion_tokens", "l"},
                          {"total_tokens", "l"},
                          {"cached_tokens", "l"},
                          {"reasoning_tokens", "l"},
                          {"prompt_audio_tokens", "l"},
                          {"completion_audio_tokens", "l"},
                          {"accepted_prediction_tokens", "l"},
                          {"rejected_prediction_tokens", "l"}};
  Column n_parts{"n_parts", "i"};
};

// ---------------------------------------------------------------- words of eight bytes

constexpr uint64_t kOnes = 0x0101010101010101u;
constexpr uint64_t kHighs = 0x8080808080808080u;

uint64_t load(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

// Marks the bytes that need a look inside a string: quote, backslash, control, not ASCII. Only the
// lowest mark is sure, which is the only one used.
uint64_t special(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t slash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | ((word - kOnes * 0x20) & ~word) |
          word) &
         kHighs;
}

int lowest(uint64_t marks) {
#if defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, marks);
  return static_cast<int>(index) >> 3;
#else
  return __builtin_ctzll(marks) >> 3;
#endif
}

// Length of the valid UTF-8 sequence at p, which is not ASCII; 0 if it is not valid.
int sequence(const char* p, const char* end) {
  const auto byte = [p](int i) { return static_cast<unsigned char>(p[i]); };
  const auto follows = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  const ptrdiff_t left = end - p;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return left >= 2 && follows(1) ? 2 : 0;
  if (first < 0xF0) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // too long
    if (first == 0xED && byte(1) > 0x9F) return 0;  // a surrogate
    return 3;
  }
  if (first > 0xF4 || left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return 4;
}

int hex4(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    int digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    else return -1;
    value = value * 16 + digit;
  }
  return value;
}

void put_utf8(Buffer<char>& out, uint32_t code) {
  char text[4];
  size_t n;
  if (code < 0x80) {
    text[0] = static_cast<char>(code);
    n = 1;
  } else if (code < 0x800) {
    text[0] = static_cast<char>(0xC0 | (code >> 6));
    text[1] = static_cast<char>(0x80 | (code & 0x3F));
    n = 2;
  } else if (code < 0x10000) {
    text[0] = static_cast<char>(0xE0 | (code >> 12));
    text[1] = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text[2] = static_cast<char>(0x80 | (code & 0x3F));
    n = 3;
  } else {
    text[0] = static_cast<char>(0xF0 | (code >> 18));
    text[1] = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    text[2] = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text[3] = static_cast<char>(0x80 | (code & 0x3F));
    n = 4;
  }
  out.append(text, n);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// ---------------------------------------------------------------- keys

enum Key {
  kNone,  // a key that is not read
  kDefer, // a key whose presence is not for the scanner
  kId, kChoices, kCreated, kModel, kObject, kUsageKey, kError, kFingerprint, kTier,
  kCustomId, kResponse, kStatusCode, kBody,
  kIndex, kMessage, kDelta, kLogprobs, kFinish,
  kRole, kContent, kRefusal, kReasoning, kReasoningContent, kToolCalls,
  kToken, kLogprob, kBytes, kTokenId, kTop,
  kPromptTokens, kCompletionTokens, kTotalTokens, kPromptDetails, kCompletionDetails,
  kCached, kReasoningTokens, kAudio, kAccepted, kRejected
};

struct Name {
  std::string_view text;
  Key key;
};

// Both casings of a name are one key: an object that has both is deferred.
constexpr Name kTopNames[] = {{"id", kId}, {"choices", kChoices}, {"created", kCreated},
    {"model", kModel}, {"object", kObject}, {"usage", kUsageKey}, {"error", kError},
    {"system_fingerprint", kFingerprint}, {"systemFingerprint", kFingerprint},
    {"service_tier", kTier}, {"serviceTier", kTier}, {"custom_id", kCustomId},
    {"response", kResponse}};
constexpr Name kResponseNames[] = {{"status_code", kStatusCode}, {"body", kBody}};
constexpr Name kChoiceNames[] = {{"index", kIndex}, {"message", kMessage}, {"delta", kDelta},
    {"logprobs", kLogprobs}, {"finish_reason", kFinish}, {"finishReason", kFinish},
    {"text", kDefer}};
constexpr Name kMessageNames[] = {{"role", kRole}, {"content", kContent}, {"refusal", kRefusal},
    {"reasoning", kReasoning}, {"reasoning_content", kReasoningContent},
    {"reasoningContent", kReasoningContent}, {"tool_calls", kToolCalls},
    {"toolCalls", kToolCalls}};
constexpr Name kLogprobsNames[] = {{"content", kContent}, {"refusal", kRefusal},
    {"reasoning_content", kReasoningContent}, {"reasoningContent", kReasoningContent}};
constexpr Name kEntryNames[] = {{"token", kToken}, {"logprob", kLogprob}, {"bytes", kBytes},
    {"top_logprobs", kTop}, {"topLogprobs", kTop}, {"id", kTokenId}, {"token_id", kTokenId},
    {"tokenId", kDefer}, {"bytes_", kDefer}};
constexpr Name kUsageNames[] = {{"prompt_tokens", kPromptTokens}, {"promptTokens", kPromptTokens},
    {"completion_tokens", kCompletionTokens}, {"completionTokens", kCompletionTokens},
    {"total_tokens", kTotalTokens}, {"totalTokens", kTotalTokens},
    {"prompt_tokens_details", kPromptDetails}, {"promptTokensDetails", kPromptDetails},
    {"completion_tokens_details", kCompletionDetails},
    {"completionTokensDetails", kCompletionDetails},
    {"cached_tokens", kDefer}, {"cachedTokens", kDefer}, {"reasoning_tokens", kDefer},
    {"reasoningTokens", kDefer}, {"audio_tokens", kDefer}, {"audioTokens", kDefer},
    {"accepted_prediction_tokens", kDefer}, {"acceptedPredictionTokens", kDefer},
    {"rejected_prediction_tokens", kDefer}, {"rejectedPredictionTokens", kDefer}};
constexpr Name kDetailNames[] = {{"cached_tokens", kCached}, {"cachedTokens", kCached},
    {"reasoning_tokens", kReasoningTokens}, {"reasoningTokens", kReasoningTokens},
    {"audio_tokens", kAudio}, {"audioTokens", kAudio},
    {"accepted_prediction_tokens", kAccepted}, {"acceptedPredictionTokens", kAccepted},
    {"rejected_prediction_tokens", kRejected}, {"rejectedPredictionTokens", kRejected},
    {"prompt_tokens", kDefer}, {"promptTokens", kDefer}, {"completion_tokens", kDefer},
    {"completionTokens", kDefer}, {"total_tokens", kDefer}, {"totalTokens", kDefer}};

template <size_t N>
Key find(const Name (&names)[N], std::string_view text) {
  for (const Name& name : names)
    if (name.text.size() == text.size() && std::memcmp(name.text.data(), text.data(), text.size()) == 0)
      return name.key;
  return kNone;
}

// ---------------------------------------------------------------- the scanner

// Where a text stands that is not yet put into a column.
struct Slice {
  const char* start = nullptr;  // null: the value is null or absent
  const char* stop = nullptr;
  bool escaped = false;
};

struct BodyFields {
  Slice id, model, object, fingerprint, tier;
  int64_t created = -1;
  bool has_usage = false;
  int64_t usage[kUsage] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
  bool has_choices = false;
  int n_parts = 0;
  Kind kind = kWhole;
};

class Scanner {
 public:
  Bodies bodies;
  Parts parts;
  Tokens tokens;
  Alternatives alternatives;

  // Reads one record: 1, or 2 if it stood in an envelope; 0: deferred, and the columns are as before.
  char record(const char* start, const char* stop) {
    const size_t rows[] = {bodies.kind.rows(), parts.choice.rows(), tokens.token.rows(),
                           alternatives.token.rows()};
    p_ = start;
    end_ = stop;
    depth_ = 0;
    bool is_batch_line = false;
    if (top(is_batch_line) && (space(), p_ == end_)) return is_batch_line ? 2 : 1;
    cut(rows);
    return 0;
  }

  template <class F>
  void each_body(F f) {
    for (Column* c : {&bodies.kind, &bodies.response_id, &bodies.custom_id, &bodies.created,
                      &bodies.model, &bodies.system_fingerprint, &bodies.service_tier,
                      &bodies.object, &bodies.has_usage})
      f(*c);
    for (Column& c : bodies.usage) f(c);
    f(bodies.n_parts);
  }
  template <class F>
  void each_part(F f) {
    for (Column* c : {&parts.choice, &parts.role, &parts.content, &parts.refusal, &parts.reasoning,
                      &parts.finish_reason, &parts.state, &parts.n_content, &parts.n_reasoning,
                      &parts.n_refusal})
      f(*c);
  }
  template <class F>
  static void each_entry(Entries& e, F f) {
    for (Column* c : {&e.token, &e.raw, &e.token_id, &e.logprob, &e.status}) f(*c);
  }
  template <class F>
  void each_token(F f) {
    each_entry(tokens, f);
    f(tokens.n_alternatives);
    f(tokens.sampled_rank);
  }
  template <class F>
  void each_alternative(F f) {
    each_entry(alternatives, f);
    f(alternatives.slot);
    f(alternatives.rank);
    f(alternatives.is_sampled);
  }

 private:
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
  Buffer<int32_t> order_;

  void cut(const size_t (&rows)[4]) {
    each_body([&](Column& c) { c.cut(rows[0]); });
    each_part([&](Column& c) { c.cut(rows[1]); });
    each_token([&](Column& c) { c.cut(rows[2]); });
    each_alternative([&](Column& c) { c.cut(rows[3]); });
  }

  // ------------------------------------------------------------ JSON

  void space() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }
  bool take(char c) {
    if (p_ < end_ && *p_ == c) {
      ++p_;
      return true;
    }
    space();
    if (p_ < end_ && *p_ == c) {
      ++p_;
      return true;
    }
    return false;
  }
  bool peek(char c) {
    space();
    return p_ < end_ && *p_ == c;
  }
  bool word(std::string_view text) {
    if (static_cast<size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0)
      return false;
    p_ += text.size();
    return true;
  }
  bool null() {
    space();
    return p_ < end_ && *p_ == 'n' && word("null");
  }

  // Moves from inside a string to its next quote, backslash or fault, checking UTF-8 on the way.
  bool run() {
    for (;;) {
      while (end_ - p_ >= 8) {
        const uint64_t marks = special(load(p_));
        if (marks == 0) {
          p_ += 8;
          continue;
        }
        p_ += lowest(marks);
        break;
      }
      if (p_ >= end_) return false;
      const unsigned char c = static_cast<unsigned char>(*p_);
      if (c == '"' || c == '\\') return true;
      if (c < 0x20) return false;
      if (c < 0x80) {
        ++p_;
        continue;
      }
      const int n = sequence(p_, end_);
      if (n == 0) return false;
      p_ += n;
    }
  }

  // Steps over an escape; its code point, or -1.
  int32_t escape() {
    if (end_ - p_ < 2) return -1;
    const char c = p_[1];
    p_ += 2;
    switch (c) {
      case '"': return '"';
      case '\\': return '\\';
      case '/': return '/';
      case 'b': return '\b';
      case 'f': return '\f';
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'u': break;
      default: return -1;
    }
    if (end_ - p_ < 4) return -1;
    const int high = hex4(p_);
    p_ += 4;
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || end_ - p_ < 6 || p_[0] != '\\' || p_[1] != 'u') return -1;
    const int low = hex4(p_ + 2);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    p_ += 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }

  // Steps over a string and tells where it stands; p_ is at its opening quote.
  bool string(Slice& slice) {
    if (!take('"')) return false;
    slice.start = p_;
    slice.escaped = false;
    for (;;) {
      if (!run()) return false;
      if (*p_ == '"') {
        slice.stop = p_++;
        return true;
      }
      slice.escaped = true;
      if (escape() < 0) return false;
    }
  }
  bool string_or_null(Slice& slice) {
    if (null()) return true;
    return string(slice);
  }

  // Puts the text of a string that was stepped over into a column.
  void put(Column& column, const Slice& slice) {
    if (slice.start == nullptr) {
      column.null();
    } else if (!slice.escaped) {
      column.text({slice.start, static_cast<size_t>(slice.stop - slice.start)});
    } else {
      const char* const back = p_;
      p_ = slice.start;
      while (p_ < slice.stop) {
        const char* from = p_;
        while (p_ < slice.stop && *p_ != '\\') ++p_;
        column.bytes.append(from, static_cast<size_t>(p_ - from));
        if (p_ < slice.stop) put_utf8(column.bytes, static_cast<uint32_t>(escape()));
      }
      p_ = back;
      column.end_text();
    }
  }
  // Servers send "" for what they do not know: a name is null then.
  void put_name(Column& column, const Slice& slice) {
    if (slice.start == slice.stop) column.null();
    else put(column, slice);
  }

  bool number_text(const char*& start, const char*& stop, bool& is_integer) {
    space();
    start = p_;
    if (p_ < end_ && *p_ == '-') ++p_;
    if (p_ >= end_ || !is_digit(*p_)) return false;
    if (*p_ == '0') ++p_;
    else while (p_ < end_ && is_digit(*p_)) ++p_;
    is_integer = true;
    if (p_ < end_ && *p_ == '.') {
      is_integer = false;
      ++p_;
      if (p_ >= end_ || !is_digit(*p_)) return false;
      while (p_ < end_ && is_digit(*p_)) ++p_;
    }
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
      is_integer = false;
      ++p_;
      if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (p_ >= end_ || !is_digit(*p_)) return false;
      while (p_ < end_ && is_digit(*p_)) ++p_;
    }
    stop = p_;
    return true;
  }

  bool real(double& value) {
    const char *start, *stop;
    bool is_integer;
    if (!number_text(start, stop, is_integer)) return false;
    const auto result = std::from_chars(start, stop, value);
    return result.ec == std::errc() && result.ptr == stop && std::isfinite(value);
  }

  // A whole number, perhaps with a fraction of zeros.
  bool whole(int64_t& value, int64_t low, int64_t high) {
    space();
    const bool negative = p_ < end_ && *p_ == '-';
    if (negative) ++p_;
    const char* const first = p_;
    int64_t magnitude = 0;
    while (p_ < end_ && is_digit(*p_)) {
      if (p_ - first >= 15) return false;  // above 2^53 a float is no exact integer
      magnitude = magnitude * 10 + (*p_++ - '0');
    }
    if (p_ == first || (*first == '0' && p_ - first > 1)) return false;
    if (p_ < end_ && *p_ == '.') {
      const char* const zeros = ++p_;
      while (p_ < end_ && *p_ == '0') ++p_;
      if (p_ == zeros) return false;
    }
    if (p_ < end_ && (is_digit(*p_) || *p_ == '.' || *p_ == 'e' || *p_ == 'E')) return false;
    value = negative ? -magnitude : magnitude;
    return value >= low && value <= high;
  }
  bool whole_or_null(int64_t& value, int64_t low, int64_t high) {
    return null() || whole(value, low, high);
  }

  // Calls f with each key; f reads the value. kNone is stepped over here, a key twice defers.
  template <size_t N, class F>
  bool object(const Name (&names)[N], F f) {
    if (!take('{') || ++depth_ > kMaxDepth) return false;
    uint64_t seen = 0;
    if (!peek('}')) {
      do {
        Slice name;
        if (!string(name) || name.escaped || !take(':')) return false;
        const Key key = find(names, {name.start, static_cast<size_t>(name.stop - name.start)});
        if (key == kNone) {
          if (!skip()) return false;
          continue;
        }
        const uint64_t bit = uint64_t{1} << key;
        if (key == kDefer || (seen & bit) != 0) return false;
        seen |= bit;
        if (!f(key)) return false;
      } while (take(','));
    }
    --depth_;
    return take('}');
  }

  template <class F>
  bool array(F f) {
    if (!take('[') || ++depth_ > kMaxDepth) return false;
    if (!peek(']')) {
      do {
        if (!f()) return false;
      } while (take(','));
    }
    --depth_;
    return take(']');
  }

  // Steps over a value that is not read: it need only be JSON.
  bool skip() {
    space();
    if (p_ >= end_) return false;
    switch (*p_) {
      case '"': {
        Slice ignored;
        return string(ignored);
      }
      case '{': {
        static constexpr Name none[] = {{"", kNone}};
        return object_of_anything(none);
      }
      case '[': return array([this] { return skip(); });
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: {
        const char *start, *stop;
        bool is_integer;
        return number_text(start, stop, is_integer);
      }
    }
  }
  template <size_t N>
  bool object_of_anything(const Name (&)[N]) {
    if (!take('{') || ++depth_ > kMaxDepth) return false;
    if (!peek('}')) {
      do {
        Slice name;
        if (!peek('"') || !string(name) || !take(':') || !skip()) return false;
      } while (take(','));
    }
    --depth_;
    return take('}');
  }

  // ------------------------------------------------------------ records

  bool top(bool& is_batch_line) {
    BodyFields outer, inner;
    Slice custom_id;
    bool has_custom_id = false, has_response = false;
    const bool good = object(kTopNames, [&](Key key) {
      switch (key) {
        case kCustomId: has_custom_id = true; return string_or_null(custom_id);
        case kResponse: has_response = true; return response(inner);
        default: return body_field(outer, key);
      }
    });
    if (!good || has_custom_id != has_response) return false;
    is_batch_line = has_response;
    if (has_response) {  // a Batch line; its own id and error are not the response's
      if (outer.has_choices || !inner.has_choices) return false;
      put_body(inner, custom_id);
    } else {
      if (!outer.has_choices) return false;
      put_body(outer, custom_id);
    }
    return true;
  }

  bool response(BodyFields& body) {
    return object(kResponseNames, [&](Key key) {
      if (key == kStatusCode) {
        int64_t status = 0;
        return whole(status, 200, 200);
      }
      return object(kTopNames, [&](Key inner) {
        if (inner == kCustomId || inner == kResponse) return false;
        return body_field(body, inner);
      });
    });
  }

  bool body_field(BodyFields& body, Key key) {
    switch (key) {
      case kId: return string_or_null(body.id);
      case kModel: return string_or_null(body.model);
      case kObject: return string_or_null(body.object);
      case kFingerprint: return string_or_null(body.fingerprint);
      case kTier: return string_or_null(body.tier);
      case kCreated: return whole_or_null(body.created, 0, kYear10000 - 1);
      case kError: return null();
      case kUsageKey: return usage(body);
      case kChoices: body.has_choices = true; return choices(body);
      default: return false;
    }
  }

  void put_body(const BodyFields& body, const Slice& custom_id) {
    Kind kind = body.kind;
    if (body.n_parts == 0) {
      const std::string_view object(body.object.start,
                                    static_cast<size_t>(body.object.stop - body.object.start));
      kind = object == "chat.completion" ? kWhole : kChunk;
    }
    bodies.kind.integer(kind);
    put_name(bodies.response_id, body.id);
    put_name(bodies.custom_id, custom_id);
    put_number(bodies.created, body.created);
    put_name(bodies.model, body.model);
    put_name(bodies.system_fingerprint, body.fingerprint);
    put_name(bodies.service_tier, body.tier);
    put_name(bodies.object, body.object);
    bodies.has_usage.integer(body.has_usage);
    for (int i = 0; i < kUsage; ++i) put_number(bodies.usage[i], body.usage[i]);
    bodies.n_parts.integer(body.n_parts);
  }
  static void put_number(Column& column, int64_t value) {
    if (value < 0) column.null();
    else column.integer(value);
  }

  bool usage(BodyFields& body) {
    if (null()) return true;
    body.has_usage = true;
    return object(kUsageNames, [&](Key key) {
      switch (key) {
        case kPromptTokens: return whole_or_null(body.usage[0], 0, kInt64Max);
        case kCompletionTokens: return whole_or_null(body.usage[1], 0, kInt64Max);
        case kTotalTokens: return whole_or_null(body.usage[2], 0, kInt64Max);
        case kPromptDetails: return null() || details(body, true);
        case kCompletionDetails: return null() || details(body, false);
        default: return false;
      }
    });
  }
  bool details(BodyFields& body, bool of_prompt) {
    return object(kDetailNames, [&](Key key) {
      int64_t unread = -1;
      int64_t* into = &unread;
      if (key == kAudio) into = &body.usage[of_prompt ? 5 : 6];
      else if (key == kCached && of_prompt) into = &body.usage[3];
      else if (key == kReasoningTokens && !of_prompt) into = &body.usage[4];
      else if (key == kAccepted && !of_prompt) into = &body.usage[7];
      else if (key == kRejected && !of_prompt) into = &body.usage[8];
      else return skip();
      return whole_or_null(*into, 0, kInt64Max);
    });
  }

  bool choices(BodyFields& body) {
    const size_t first = parts.choice.rows();
    bool any_message = false, any_delta = false;
    const bool good = array([&] {
      bool is_message = false, is_delta = false;
      if (!choice(body.n_parts, is_message, is_delta) || is_message == is_delta) return false;
      any_message |= is_message;
      any_delta |= is_delta;
      ++body.n_parts;
      return true;
    });
    if (!good || (any_message && any_delta)) return false;
    body.kind = any_delta ? kChunk : kWhole;
    if (any_message && body.n_parts > 1) {  // two choices of one index are not for the scanner
      const int32_t* index = parts.choice.narrow.data + first;
      for (int i = 1; i < body.n_parts; ++i)
        for (int j = 0; j < i; ++j)
          if (index[i] == index[j]) return false;
    }
    return true;
  }

  bool choice(int ordinal, bool& is_message, bool& is_delta) {
    int64_t index = ordinal;
    Slice role, content, refusal, reasoning, finish;
    State state = kAbsent;
    int64_t counts[3] = {0, 0, 0};
    const bool good = object(kChoiceNames, [&](Key key) {
      switch (key) {
        case kIndex: return whole_or_null(index, 0, kInt32Max);
        case kFinish: return string_or_null(finish);
        case kLogprobs: return null() || logprobs(state, counts);
        default: break;
      }
      if (null()) return true;
      (key == kMessage ? is_message : is_delta) = true;
      return !(is_message && is_delta) && message(role, content, refusal, reasoning);
    });
    if (!good) return false;
    parts.choice.integer(index);
    put_name(parts.role, role);
    put(parts.content, content);
    put(parts.refusal, refusal);
    put(parts.reasoning, reasoning);
    put_name(parts.finish_reason, finish);
    parts.state.integer(state);
    parts.n_content.integer(counts[0]);
    parts.n_reasoning.integer(counts[1]);
    parts.n_refusal.integer(counts[2]);
    return true;
  }

  bool message(Slice& role, Slice& content, Slice& refusal, Slice& reasoning) {
    return object(kMessageNames, [&](Key key) {
      switch (key) {
        case kRole: return string_or_null(role);
        case kContent: return string_or_null(content);
        case kRefusal: return string_or_null(refusal);
        case kToolCalls: return null() || (take('[') && take(']'));
        default: return reasoning.start == nullptr ? string_or_null(reasoning) : null();
      }
    });
  }

  bool logprobs(State& state, int64_t (&counts)[3]) {
    return object(kLogprobsNames, [&](Key key) {
      if (null()) return true;
      const int channel = key == kContent ? 0 : key == kReasoningContent ? 1 : 2;
      int64_t n = 0;
      if (!array([&] { ++n; return token(); })) return false;
      // Tokens stand in the order of the channels; another order is not for the scanner.
      for (int later = channel + 1; later < 3 && n > 0; ++later)
        if (counts[later] > 0) return false;
      counts[channel] = n;
      const State found = n > 0 ? kPresent : kEmpty;
      if (found > state) state = found;
      return true;
    });
  }

  // ------------------------------------------------------------ entries

  struct EntryFields {
    bool has_token = false, has_bytes = false, has_logprob = false;
    int64_t id = INT64_MIN;
    double logprob = 0.0;
  };

  // Reads one field of an entry; token and bytes go straight into their columns.
  bool entry_field(Entries& into, EntryFields& entry, Key key) {
    switch (key) {
      case kToken: {
        Slice text;
        if (!peek('"') || !string(text)) return false;
        put(into.token, text);
        entry.has_token = true;
        return true;
      }
      case kLogprob:
        if (null()) return true;
        entry.has_logprob = true;
        return real(entry.logprob);
      case kBytes:
        if (null()) return true;
        entry.has_bytes = true;
        if (!array([&] { return byte(into.raw.bytes); })) return false;
        into.raw.end_text();
        return true;
      default: {
        if (null()) return true;
        return whole(entry.id, -kInt32Max - 1, kInt32Max);
      }
    }
  }

  bool byte(Buffer<char>& out) {
    if (p_ < end_ && is_digit(*p_)) {  // the usual form: one to three digits and a comma
      int value = *p_++ - '0';
      if (value != 0)
        for (int i = 0; i < 2 && p_ < end_ && is_digit(*p_); ++i) value = value * 10 + (*p_++ - '0');
      if (p_ < end_ && (*p_ == ',' || *p_ == ']') && value < 256) {
        out.push(static_cast<char>(value));
        return true;
      }
      if (p_ < end_ && *p_ == '.') {
        ++p_;
        const char* const zeros = p_;
        while (p_ < end_ && *p_ == '0') ++p_;
        if (p_ == zeros || value > 255) return false;
        out.push(static_cast<char>(value));
        return peek(',') || peek(']');
      }
      if (value > 255) return false;
      out.push(static_cast<char>(value));
      return peek(',') || peek(']');
    }
    int64_t value = 0;
    if (!whole(value, 0, 255)) return false;
    out.push(static_cast<char>(value));
    return true;
  }

  static bool finish_entry(Entries& into, const EntryFields& entry) {
    if (!entry.has_token) return false;
    if (!entry.has_bytes) into.raw.null();
    if (entry.id == INT64_MIN) into.token_id.null();
    else into.token_id.integer(entry.id);
    if (entry.has_logprob) into.logprob.number(entry.logprob);
    else into.logprob.null();
    into.status.integer(!entry.has_logprob              ? kMissing
                        : entry.logprob <= kCensored    ? kCensoredStatus
                        : entry.logprob > kInvalid      ? kInvalidStatus
                                                        : kOk);
    return true;
  }

  bool token() {
    EntryFields entry;
    const size_t first = alternatives.token.rows();
    const bool good = object(kEntryNames, [&](Key key) {
      if (key != kTop) return entry_field(tokens, entry, key);
      if (null()) return true;
      return array([&] { return alternative(); });
    });
    if (!good || !finish_entry(tokens, entry)) return false;
    const size_t n = alternatives.token.rows() - first;
    if (n > static_cast<size_t>(kInt32Max)) return false;
    tokens.n_alternatives.integer(static_cast<int64_t>(n));
    rank(first, n);
    const ptrdiff_t sampled = find_sampled(first, n);
    for (size_t i = 0; i < n; ++i) {
      alternatives.slot.integer(static_cast<int64_t>(i) + 1);
      alternatives.is_sampled.integer(static_cast<ptrdiff_t>(i) == sampled);
    }
    if (sampled >= 0 && alternatives.rank.valid.data[first + sampled] != 0)
      tokens.sampled_rank.integer(alternatives.rank.narrow.data[first + sampled]);
    else
      tokens.sampled_rank.null();
    return true;
  }

  bool alternative() {
    EntryFields entry;
    const bool good = object(kEntryNames, [&](Key key) {
      return key == kTop ? skip() : entry_field(alternatives, entry, key);
    });
    return good && finish_entry(alternatives, entry);
  }

  // Ranks by logprob, ties by slot; an entry without one has no rank.
  void rank(size_t first, size_t n) {
    const double* values = alternatives.logprob.real.data + first;
    const uint8_t* known = alternatives.logprob.valid.data + first;
    bool in_order = true;
    for (size_t i = 0; i < n && in_order; ++i)
      in_order = known[i] != 0 && (i == 0 || values[i] <= values[i - 1]);
    if (in_order) {
      for (size_t i = 0; i < n; ++i) alternatives.rank.integer(static_cast<int64_t>(i) + 1);
      return;
    }
    order_.size = 0;
    for (size_t i = 0; i < n; ++i)
      if (known[i] != 0) order_.push(static_cast<int32_t>(i));
    std::stable_sort(order_.data, order_.data + order_.size,
                     [values](int32_t a, int32_t b) { return values[a] > values[b]; });
    const size_t start = alternatives.rank.rows();
    for (size_t i = 0; i < n; ++i) {
      if (known[i] != 0) alternatives.rank.integer(0);
      else alternatives.rank.null();
    }
    for (size_t i = 0; i < order_.size; ++i)
      alternatives.rank.narrow.data[start + order_.data[i]] = static_cast<int32_t>(i) + 1;
  }

  static std::string_view text_of(const Column& column, size_t row) {
    const int64_t start = column.wide.data[row];
    return {column.bytes.data + start, static_cast<size_t>(column.wide.data[row + 1] - start)};
  }

  // Finds the sampled token by the best evidence that both have: id, else bytes, else text.
  ptrdiff_t find_sampled(size_t first, size_t n) const {
    const size_t row = tokens.token_id.rows() - 1;
    ptrdiff_t best = -1;
    int strength = 0;
    for (size_t i = 0; i < n && strength < 3; ++i) {
      const size_t other = first + i;
      int found = 0;
      if (tokens.token_id.valid.data[row] && alternatives.token_id.valid.data[other])
        found = tokens.token_id.narrow.data[row] == alternatives.token_id.narrow.data[other] ? 3 : 0;
      else if (tokens.raw.valid.data[row] && alternatives.raw.valid.data[other])
        found = text_of(tokens.raw, row) == text_of(alternatives.raw, other) ? 2 : 0;
      else
        found = text_of(tokens.token, row) == text_of(alternatives.token, other) ? 1 : 0;
      if (found > strength) {
        strength = found;
        best = static_cast<ptrdiff_t>(i);
      }
    }
    return best;
  }
};

// ---------------------------------------------------------------- handing over

constexpr int kNullable = 2;  // a flag of the Arrow C data interface

struct Memory {  // what an Arrow array owns
  const void* buffers[3] = {nullptr, nullptr, nullptr};
};

void release_child(ArrowArray* array) {
  auto* memory = static_cast<Memory*>(array->private_data);
  for (const void* buffer : memory->buffers) std::free(const_cast<void*>(buffer));
  delete memory;
  array->release = nullptr;
}

void release_parent(ArrowArray* array) {
  for (int64_t i = 0; i < array->n_children; ++i) {
    ArrowArray* child = array->children[i];
    if (child != nullptr) {
      if (child->release != nullptr) child->release(child);
      delete child;
    }
  }
  delete[] array->children;
  delete[] array->buffers;
  array->release = nullptr;
}

void release_schema(ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    delete schema->children[i];  // its texts are literals
  }
  delete[] schema->children;
  schema->release = nullptr;
}

template <class T>
T* steal(Buffer<T>& buffer) {
  buffer.reserve(1);  // Arrow wants a buffer even where there are no rows
  T* data = buffer.data;
  buffer.data = nullptr;
  buffer.size = buffer.capacity = 0;
  return data;
}

uint8_t* packed(const uint8_t* flags, size_t n) {
  auto* bits = static_cast<uint8_t*>(std::calloc(n / 8 + 1, 1));
  if (bits == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < n; ++i) bits[i >> 3] |= static_cast<uint8_t>((flags[i] != 0) << (i & 7));
  return bits;
}

ArrowArray* hand_over(Column& column) {
  auto* memory = new Memory;
  auto* array = new ArrowArray();
  const size_t n = column.rows();
  array->length = static_cast<int64_t>(n);
  array->null_count = static_cast<int64_t>(column.nulls);
  array->n_buffers = column.is_text() ? 3 : 2;
  array->buffers = memory->buffers;
  array->private_data = memory;
  array->release = release_child;
  if (column.nulls != 0) memory->buffers[0] = packed(column.valid.data, n);
  switch (*column.format) {
    case 'U':
    case 'Z':
      memory->buffers[1] = steal(column.wide);
      memory->buffers[2] = steal(column.bytes);
      break;
    case 'l': memory->buffers[1] = steal(column.wide); break;
    case 'i': memory->buffers[1] = steal(column.narrow); break;
    case 'g': memory->buffers[1] = steal(column.real); break;
    case 'b':
      memory->buffers[1] = packed(reinterpret_cast<const uint8_t*>(column.small.data), n);
      break;
    default: memory->buffers[1] = steal(column.small); break;
  }
  return array;
}

void free_array(PyObject* capsule) {
  auto* array = static_cast<ArrowArray*>(PyCapsule_GetPointer(capsule, "arrow_array"));
  if (array == nullptr) return;
  if (array->release != nullptr) array->release(array);
  delete array;
}

void free_schema(PyObject* capsule) {
  auto* schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(capsule, "arrow_schema"));
  if (schema == nullptr) return;
  if (schema->release != nullptr) schema->release(schema);
  delete schema;
}

struct Struct {  // one table as an Arrow struct array, before Python owns it
  ArrowSchema* schema = new ArrowSchema();
  ArrowArray* array = new ArrowArray();

  explicit Struct(int64_t n_columns) {
    schema->format = "+s";
    schema->name = "";
    schema->children = new ArrowSchema*[n_columns]();
    schema->release = release_schema;
    array->children = new ArrowArray*[n_columns]();
    array->n_buffers = 1;
    array->buffers = new const void* [1] { nullptr };
    array->release = release_parent;
  }
  void add(Column& column) {
    auto* field = new ArrowSchema();
    field->format = column.format;
    field->name = column.name;
    field->flags = kNullable;
    field->release = [](ArrowSchema* self) { self->release = nullptr; };
    schema->children[schema->n_children++] = field;
    array->length = static_cast<int64_t>(column.rows());
    array->children[array->n_children++] = hand_over(column);
  }
  PyObject* capsules() {
    PyObject* schema_capsule = PyCapsule_New(schema, "arrow_schema", free_schema);
    PyObject* array_capsule = PyCapsule_New(array, "arrow_array", free_array);
    if (schema_capsule == nullptr || array_capsule == nullptr) return nullptr;
    return Py_BuildValue("(NN)", schema_capsule, array_capsule);
  }
};

struct View {  // a Python buffer for as long as it is read
  Py_buffer buffer;
  bool held = false;
  bool get(PyObject* object) {
    held = PyObject_GetBuffer(object, &buffer, PyBUF_C_CONTIGUOUS) == 0;
    return held;
  }
  ~View() {
    if (held) PyBuffer_Release(&buffer);
  }
};

PyObject* scan(PyObject*, PyObject* args) {
  PyObject *data, *starts, *stops;
  if (!PyArg_ParseTuple(args, "OOO", &data, &starts, &stops)) return nullptr;
  View text, first, last;
  if (!text.get(data) || !first.get(starts) || !last.get(stops)) return nullptr;
  const auto n = first.buffer.len / static_cast<Py_ssize_t>(sizeof(int64_t));
  if (first.buffer.len != last.buffer.len || first.buffer.itemsize != sizeof(int64_t) ||
      last.buffer.itemsize != sizeof(int64_t)) {
    PyErr_SetString(PyExc_ValueError, "starts and stops must be int64 arrays of one length");
    return nullptr;
  }
  const auto* base = static_cast<const char*>(text.buffer.buf);
  const auto* start = static_cast<const int64_t*>(first.buffer.buf);
  const auto* stop = static_cast<const int64_t*>(last.buffer.buf);
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (start[i] < 0 || stop[i] < start[i] || stop[i] > text.buffer.len) {
      PyErr_SetString(PyExc_ValueError, "a record reaches beyond the data");
      return nullptr;
    }
  }
  PyObject* result = nullptr;
  try {
    Scanner scanner;
    Buffer<char> taken;
    taken.reserve(static_cast<size_t>(n) + 1);
    bool out_of_memory = false;
    Py_BEGIN_ALLOW_THREADS;
    try {
      for (Py_ssize_t i = 0; i < n; ++i)
        taken.push(scanner.record(base + start[i], base + stop[i]));
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
    Py_END_ALLOW_THREADS;
    if (out_of_memory) return PyErr_NoMemory();
    Struct bodies(19), parts(10), tokens(7), alternatives(8);
    scanner.each_body([&](Column& c) { bodies.add(c); });
    scanner.each_part([&](Column& c) { parts.add(c); });
    scanner.each_token([&](Column& c) { tokens.add(c); });
    scanner.each_alternative([&](Column& c) { alternatives.add(c); });
    result = Py_BuildValue("(y#NNNN)", taken.data, n, bodies.capsules(), parts.capsules(),
                           tokens.capsules(), alternatives.capsules());
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  return result;
}

PyMethodDef kMethods[] = {
    {"scan", scan, METH_VARARGS,
     "scan(data, starts, stops) -> (taken, bodies, parts, tokens, alternatives)\n\n"
     "Read the records data[starts[i]:stops[i]]. taken[i] is 1 if record i was read, 2 if it was\n"
     "read out of an envelope, 0 if it is deferred; the others are pairs of Arrow capsules."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "toolkit._scan",
                       "The native scanner: framed JSON records in, column buffers out.", 0,
                       kMethods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__scan() { return PyModule_Create(&kModule); }
