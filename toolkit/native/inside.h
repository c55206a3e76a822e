// Find the body of a record without reading it.

#pragma once

#include "json.h"

namespace toolkit {

// Finds a body for `Rows` and `Way`, which is not read: the one that begins at `start`, or the one
// that they find.
struct Inside {
  Json& json;
  const char* start = nullptr;
  const char* stop = nullptr;

  bool begins_body(const char* p) const { return json.begin(p) == start; }
  const char* body(const char* p) {
    if (start == nullptr) {
      start = json.begin(p);
      stop = json.watching(Json::Watch::kNone, [&] { return json.skip(p); });
    }
    return stop;
  }
  const char* lists(const char*) const { return nullptr; }
  bool text(const Slice&) const { return false; }
};

}  // namespace toolkit
