// Hand tables over to Python through the Arrow C data interface, without a copy or a dependency.

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstdlib>

#include "buffers.h"

extern "C" {  // the declarations of the interface's specification
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

namespace toolkit {

constexpr int64_t kNullable = 2;  // ARROW_FLAG_NULLABLE of the specification

// Both structures own what they point to; their `release` frees it, whoever calls that.

inline void release_schema(ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    ArrowSchema* child = schema->children[i];
    if (child->release != nullptr) child->release(child);
    delete child;
  }
  delete[] schema->children;
  schema->release = nullptr;
}

inline void release_array(ArrowArray* array) {
  for (int64_t i = 0; i < array->n_children; ++i) {
    ArrowArray* child = array->children[i];
    if (child->release != nullptr) child->release(child);
    delete child;
  }
  for (int64_t i = 0; i < array->n_buffers; ++i) std::free(const_cast<void*>(array->buffers[i]));
  delete[] array->children;
  delete[] array->buffers;
  array->release = nullptr;
}

inline void free_schema(PyObject* capsule) {
  auto* schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(capsule, "arrow_schema"));
  if (schema == nullptr) return;
  if (schema->release != nullptr) schema->release(schema);
  delete schema;
}

inline void free_array(PyObject* capsule) {
  auto* array = static_cast<ArrowArray*>(PyCapsule_GetPointer(capsule, "arrow_array"));
  if (array == nullptr) return;
  if (array->release != nullptr) array->release(array);
  delete array;
}

inline ArrowSchema* new_schema(const char* format, const char* name, size_t n_children) {
  auto* schema = new ArrowSchema();
  schema->format = format;
  schema->name = name;
  schema->flags = kNullable;
  schema->release = release_schema;
  schema->children = new ArrowSchema*[n_children]();
  return schema;
}

inline ArrowArray* new_array(size_t length, int n_buffers, size_t n_children) {
  auto* array = new ArrowArray();
  array->length = static_cast<int64_t>(length);
  array->release = release_array;
  array->buffers = new const void*[static_cast<size_t>(n_buffers)]();
  array->n_buffers = n_buffers;
  array->children = new ArrowArray*[n_children]();
  return array;
}

// Owns a table as an Arrow struct array until Python does. The table is empty afterwards.
class Handover {
 public:
  explicit Handover(Table& table)
      : schema_(new_schema("+s", "", table.columns.size())),
        array_(new_array(table.rows, 1, table.columns.size())) {
    for (Column* column : table.columns) {
      schema_->children[schema_->n_children++] = new_schema(column->format, column->name, 0);
      Arrays arrays = column->release(table.rows);
      ArrowArray* child = new_array(table.rows, arrays.n_buffers, 0);
      for (int i = 0; i < arrays.n_buffers; ++i) child->buffers[i] = arrays.buffers[i];
      child->null_count = static_cast<int64_t>(arrays.null_count);
      array_->children[array_->n_children++] = child;
    }
  }
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover() {
    if (schema_ != nullptr) {
      schema_->release(schema_);
      delete schema_;
    }
    if (array_ != nullptr) {
      array_->release(array_);
      delete array_;
    }
  }

  // Returns a pair of capsules (schema, array), or nullptr with a Python error set.
  PyObject* capsules() {
    PyObject* schema = PyCapsule_New(schema_, "arrow_schema", free_schema);
    if (schema == nullptr) return nullptr;
    schema_ = nullptr;
    PyObject* array = PyCapsule_New(array_, "arrow_array", free_array);
    if (array == nullptr) {
      Py_DECREF(schema);
      return nullptr;
    }
    array_ = nullptr;
    return Py_BuildValue("(NN)", schema, array);
  }

 private:
  ArrowSchema* schema_;
  ArrowArray* array_;
};

}  // namespace toolkit
