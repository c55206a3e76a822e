// Follow the paths of a declaration through the tree of a record, and read the values they lead to.
//
// toolkit/loaders/formats/paths.py defines what a path means, usage.py what a usage. What is
// uncertain sets `tree_.doubt`, and then the whole record is deferred.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "body_reader.h"
#include "counts.h"
#include "plan.h"

namespace toolkit {

class PathReader : public BodyReader {
 protected:
  std::vector<Index> found_;  // what the last path led to

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
    if (tree_.is_flat(from)) {
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
};

}  // namespace toolkit
