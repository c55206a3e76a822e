// The elements of a list as records, `"request_states": [...]`, and the objects around them.
//
// toolkit/loaders/formats/shape.py defines what that means (`records`).

#pragma once

#include "around.h"
#include "tree.h"

namespace toolkit {

class Elements : public Around {
 public:
  explicit Elements(Json& json) : Around(json) { are_rows_ = false; }

  // Goes to a list of the tree, before its first element; false: the way to it is uncertain.
  bool enter(const Tree& tree, Tree::Index list) {
    depth_ = 0;
    for (Tree::Index i = 0; i != list;) {
      Tree::Index inner = Tree::kNone;
      tree.each(i, [&](Tree::Index j) {
        if (j <= list && list < tree.at(j).end) inner = j;
      });
      if (depth_ + 1 == kMostKeys || !tree.is(i, Type::kObject) || tree.at(inner).is_key_escaped)
        return false;
      Level& here = begin_level(tree.text_start(tree.at(i)));
      here.body_key = tree.key(tree.at(inner));
      here.body_start = tree.text_start(tree.at(inner));
      here.body_stop = tree.text(tree.at(inner)).stop;
      i = inner;
    }
    begin_level(tree.text_start(tree.at(list)));
    return true;
  }
  void next() { ++levels_[depth_ - 1].index; }

 private:
  Level& begin_level(const char* start) {
    Level& here = levels_[depth_++] = Level();
    here.start = start;
    return here;
  }
};

}  // namespace toolkit
