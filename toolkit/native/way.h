// Find the body of a record where the caller says that it is: `path=`.
//
// toolkit/loaders/formats/detect.py (`bodies_at`) defines what that means.

#pragma once

#include <string_view>
#include <vector>

#include "around.h"
#include "plan.h"

namespace toolkit {

class Way : public Around {
 public:
  explicit Way(Json& json) : Around(json) { are_rows_ = false; }

  // Reads the body of a record with `reader.body(p)`, or its text with `reader.text(string)`. The
  // rest of the record is only validated.
  template <class Reader>
  const char* read(const char* p, const Path& path, Reader& reader) {
    depth_ = -1;
    p = json_.watching(Json::Watch::kNone, [&] { return value(p, 0, path.steps, 0, reader); });
    return depth_ < 0 ? nullptr : p;
  }

 private:
  // Reads the body, or the text of one.
  template <class Reader>
  const char* answer(const char* p, Reader& reader) {
    const char c = json_.peek(p);
    if (c == '{') return reader.body(p);
    Slice text;
    p = c == '"' ? json_.string(p, text) : nullptr;
    return p != nullptr && reader.text(text) ? p : nullptr;
  }
  template <class Reader>
  const char* value(const char* p, int level, const std::vector<Step>& steps, size_t at,
                    Reader& reader) {
    if (at == steps.size()) {
      depth_ = level;
      return json_.watching(Json::Watch::kNames, [&] { return answer(p, reader); });
    }
    if (level == kMostKeys) return nullptr;
    Level& here = levels_[level] = Level();
    here.start = json_.begin(p);
    const Step& step = steps[at];
    const auto inside = [&](const char* q, size_t length) {
      here.body_start = json_.begin(q);
      return here.body_stop = value(q, level + 1, steps, at + length, reader);
    };
    if (step.index >= 0) {
      here.index = step.index;
      int n = 0;
      return json_.array(p, [&](const char* q) {
        return n++ == step.index ? inside(q, 1) : json_.skip(q);
      });
    }
    p = json_.members(p, [&](const char* q, const Slice& name) {
      const RowKey key = kRowNames.find(name.text());
      if (key <= RowKey::kOnce && here.has(key)) here.doubt = true;
      here.seen |= bit(key);
      note_id(json_, q, key, here);
      const size_t length = step.length_of(name.text());
      if (length == 0) return json_.skip(q);
      if (here.body_start != nullptr) return static_cast<const char*>(nullptr);  // two keys fit
      here.body_key = name;
      return inside(q, length);
    });
    return here.doubt || here.is_id_odd() ? nullptr : p;
  }
};

}  // namespace toolkit
