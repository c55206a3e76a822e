// The text of an answer in a row, `"response": "{\"choices\": ...}"`, as a record of its own.
//
// toolkit/loaders/formats/embedded.py defines which texts are answers, loaders/framing which are one
// record.

#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "json.h"

namespace toolkit {

class AnswerText {
 public:
  const char* start() const { return text_.data(); }
  const char* stop() const { return stop_; }

  // Takes the characters of a string; false: they are not certainly one record with an answer.
  bool take(const Json& json, const Slice& string) {
    if (string.start == string.stop || *string.start != '{') return false;
    text_.resize(static_cast<size_t>(string.stop - string.start));
    stop_ = json.write(string, text_.data());
    const std::string_view text(start(), static_cast<size_t>(stop_ - start()));
    return text.substr(0, kHead).find("\"choices\"") != text.npos && is_one_record(text);
  }

 private:
  static constexpr size_t kHead = 1 << 16;  // bytes that are searched; as `_HEAD` in embedded.py
  std::vector<char> text_;
  const char* stop_ = nullptr;

  // Returns whether an object is on one line, or begins as an object on several lines does.
  static bool is_one_record(std::string_view text) {
    if (text.find('\r') != text.npos) return false;
    if (text.find('\n') == text.npos) return true;
    const size_t at = text.find_first_not_of(" \t", 1);
    const size_t key = text.find_first_not_of(" \t\n", 1);
    return at != text.npos && text[at] == '\n' && key != text.npos && text[key] == '"';
  }
};

}  // namespace toolkit
