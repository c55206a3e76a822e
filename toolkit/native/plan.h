// The declared formats: where the parts of an answer lie, as toolkit/loaders/decoding/plans.py
// writes it from the declarations of toolkit/loaders/formats/.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tree.h"

namespace toolkit {

// A step of a path: keys in the order in which they are tried, each with the number of steps that it
// stands for; or which elements of a list.
struct Step {
  std::vector<std::pair<std::string, int>> keys;
  int index = -1;          // of an element; -1: see below
  std::string key, value;  // elements in which a key has a value; all elements if both are empty

  // Returns the number of steps that a key stands for; 0: it is not one of them.
  size_t length_of(std::string_view name) const {
    for (const auto& [each, length] : keys)
      if (each == name) return static_cast<size_t>(length);
    return 0;
  }
};
struct Path {
  bool is_absolute = false;  // it begins at the record, not at the answer
  std::vector<Step> steps;
  bool is_projected = false;  // it has a step to all elements
};
using Paths = std::vector<Path>;  // the first that leads to something counts

struct Mark {
  Paths paths;
  std::string wanted;  // the value; empty: any
};

// The names of paths, in the order of `plans.py`.
enum class Part {
  kTokens, kLogprobs, kTokenIds, kAlternatives, kPrompt, kPromptIds, kPromptAlternatives, kText,
  kReasoning, kRefusal, kRole, kToolCalls, kFinish, kIndex, kAnswers, kRecords, kId,
  kModel, kFingerprint, kUsage, kCustomId, kFinished, kParts
};

struct Plan {
  std::vector<Mark> marks;
  Paths paths[static_cast<int>(Part::kParts)];
  std::string stream;    // as in Shape
  bool are_ids = false;  // keys of logprobs are ids

  const Paths& of(Part part) const { return paths[static_cast<int>(part)]; }
};

// What the caller says about where things are in a record: `path=`, `id=`, `keep=` and `shape=`.
struct Lookup {
  struct Column {
    std::string key;  // its name as JSON, with a colon
    Path path;
  };
  Path path, id;  // without steps: not given
  std::vector<Column> keep;
  std::vector<Plan> shape;  // at most one
};

// Reads the plans out of JSON that toolkit itself wrote.
class PlanReader {
 public:
  // Returns whether the text is as expected.
  bool read(const char* start, const char* stop, std::vector<Plan>& plans) {
    if (!tree_.build(start, stop)) return false;
    tree_.each(0, [&](Index i) {
      plans.emplace_back();
      plan(i, plans.back());
    });
    return !tree_.doubt;
  }
  bool read(const char* start, const char* stop, Lookup& lookup) {
    if (start == stop) return true;
    if (!tree_.build(start, stop)) return false;
    lookup.path = path(tree_.get(0, "path"));
    lookup.id = path(tree_.get(0, "id"));
    tree_.each(tree_.get(0, "keep"), [&](Index i) {
      lookup.keep.push_back({text(tree_.get(i, "key")), path(tree_.get(i, "path"))});
    });
    tree_.each(tree_.get(0, "shape"), [&](Index i) {
      lookup.shape.emplace_back();
      plan(i, lookup.shape.back());
    });
    return !tree_.doubt;
  }

 private:
  using Index = Tree::Index;
  Json json_;
  Tree tree_{json_};

  std::string text(Index i) const {
    if (i == Tree::kNone) return std::string();
    const Slice slice = tree_.text(tree_.at(i));
    std::string text(slice.text().size(), ' ');
    text.resize(static_cast<size_t>(json_.write(slice, text.data()) - text.data()));
    return text;
  }
  void plan(Index i, Plan& plan) {
    tree_.each(tree_.get(i, "marks"), [&](Index mark) {
      plan.marks.push_back({paths(tree_.get(mark, "paths")), text(tree_.get(mark, "wanted"))});
    });
    size_t part = 0;
    tree_.each(tree_.get(i, "parts"), [&](Index j) { plan.paths[part++] = paths(j); });
    plan.stream = text(tree_.get(i, "stream"));
    plan.are_ids = tree_.is(tree_.get(i, "are_ids"), Type::kTrue);
  }
  Paths paths(Index i) {
    Paths found;
    tree_.each(i, [&](Index j) { found.push_back(path(j)); });
    return found;
  }
  Path path(Index i) {
    Path path;
    path.is_absolute = tree_.is(tree_.get(i, "is_absolute"), Type::kTrue);
    const Index steps = tree_.get(i, "steps");
    if (steps != Tree::kNone) tree_.each(steps, [&](Index j) { path.steps.push_back(step(j)); });
    for (const Step& step : path.steps)
      path.is_projected |= step.keys.empty() && step.index < 0 && step.key.empty();
    return path;
  }
  Step step(Index i) {
    Step step;
    const Index keys = tree_.get(i, "keys"), index = tree_.get(i, "index");
    if (keys != Tree::kNone)
      tree_.each(keys, [&](Index j) {
        step.keys.emplace_back(text(j), number(tree_.get(i, "lengths"), step.keys.size()));
      });
    if (index != Tree::kNone) step.index = std::stoi(text(index));
    step.key = text(tree_.get(i, "key"));
    step.value = text(tree_.get(i, "value"));
    return step;
  }
  // Returns an element of a list of texts that are numbers.
  int number(Index list, size_t n) const {
    Index i = list + 1;
    for (; n > 0; --n) i = tree_.at(i).end;
    return std::stoi(text(i));
  }
};

}  // namespace toolkit
