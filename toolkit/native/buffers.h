// Columns in memory that grow row by row and become Arrow arrays.
//
// A column is written only in rows where it has a value; the rows in between are null. Capacity is
// reserved for a row of all columns at once, and for the texts of a record before it is read, so
// that no single write has to check it.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "word_scan.h"

namespace toolkit {

// An array that grows without initialising the new elements.
template <class T>
class Buffer {
 public:
  T* data = nullptr;

  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data); }

  size_t room() const { return room_; }
  void swap(Buffer& other) {
    std::swap(data, other.data);
    std::swap(room_, other.room_);
  }
  void grow(size_t room, size_t used) {
    if (room <= room_) return;
    T* grown = static_cast<T*>(std::malloc(room * sizeof(T)));
    if (grown == nullptr) throw std::bad_alloc();
    if (room_ != 0) std::memcpy(grown, data, used * sizeof(T));  // realloc copies all capacity
    std::free(data);
    data = grown;
    room_ = room;
  }
  T* release(size_t used) {  // hands the memory over, trimmed to the used elements
    void* given = std::realloc(data, (used == 0 ? 1 : used) * sizeof(T));
    if (given == nullptr) throw std::bad_alloc();
    data = nullptr;
    room_ = 0;
    return static_cast<T*>(given);
  }

 private:
  size_t room_ = 0;
};

template <class T>
T* zeros(size_t n) {
  void* memory = std::calloc(n == 0 ? 1 : n, sizeof(T));
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

// The buffers of an Arrow array; their receiver frees them.
struct Arrays {
  void* buffers[3] = {nullptr, nullptr, nullptr};
  int n_buffers = 2;
  size_t null_count = 0;
};

struct Range {  // rows start to stop - 1
  size_t start, stop;
};

class Column {
 public:
  const char* const name;
  const char* const format;  // of the Arrow C data interface

  Column(const char* name_, const char* format_) : name(name_), format(format_) {}
  virtual ~Column() = default;
  virtual void grow(size_t rows) = 0;       // reserves capacity for that many rows in all
  virtual void cut(size_t rows) = 0;        // drops all rows but the first `rows`
  virtual Arrays release(size_t rows) = 0;  // hands the buffers over
  // Reorders the rows as the ranges give them, which contain every row once.
  virtual void gather(const std::vector<Range>& ranges, size_t rows) = 0;
  // Joins the rows starts[i] to starts[i + 1] - 1 into one: texts are concatenated; of numbers, the
  // first is kept.
  virtual void join(const std::vector<size_t>& starts) = 0;

  bool has(size_t row) const { return filled_ > row && !is_gap(row); }

 protected:
  size_t filled_ = 0;  // rows below this one are written, as values or as gaps

  void add_gap(size_t row) { gaps_.push_back({filled_, row}); }
  void cut_gaps(size_t rows) {
    if (filled_ > rows) filled_ = rows;
    while (!gaps_.empty() && gaps_.back().start >= rows) gaps_.pop_back();
    if (!gaps_.empty() && gaps_.back().stop > rows) gaps_.back().stop = rows;
  }
  void gather_gaps(const std::vector<Range>& ranges) {
    if (gaps_.empty()) return;
    std::vector<Range> gathered;
    size_t row = 0;
    for (const Range& range : ranges) {
      auto gap = std::upper_bound(gaps_.begin(), gaps_.end(), range.start,
                                  [](size_t at, const Range& each) { return at < each.stop; });
      for (; gap != gaps_.end() && gap->start < range.stop; ++gap)
        gathered.push_back({row + std::max(gap->start, range.start) - range.start,
                            row + std::min(gap->stop, range.stop) - range.start});
      row += range.stop - range.start;
    }
    gaps_.swap(gathered);
  }
  void join_gaps(const std::vector<size_t>& starts) {  // null if all of its rows were null
    std::vector<Range> joined;
    size_t gap = 0;
    for (size_t i = 0; i + 1 < starts.size(); ++i) {
      size_t at = starts[i];
      while (gap < gaps_.size() && gaps_[gap].stop <= at) ++gap;
      for (size_t j = gap; j < gaps_.size() && gaps_[j].start <= at && at < starts[i + 1]; ++j)
        at = gaps_[j].stop;
      if (at >= starts[i + 1]) joined.push_back({i, i + 1});
    }
    gaps_.swap(joined);
  }
  void release_validity(Arrays& arrays) {
    if (gaps_.empty()) return;
    const size_t rows = filled_, n_bytes = rows / 8 + 1;
    auto* bits = zeros<uint8_t>(n_bytes);
    std::memset(bits, 0xFF, n_bytes);
    for (const Range& gap : gaps_) {
      arrays.null_count += gap.stop - gap.start;
      clear_bits(bits, gap.start, gap.stop);
    }
    arrays.buffers[0] = bits;
  }

 private:
  std::vector<Range> gaps_;

  bool is_gap(size_t row) const {  // searches from the newest gap, because callers ask for new rows
    for (size_t i = gaps_.size(); i-- > 0 && gaps_[i].stop > row;)
      if (gaps_[i].start <= row) return true;
    return false;
  }
};

template <class T>
class Fixed : public Column {
 public:
  using Column::Column;

  void set(size_t row, T value) {
    if (filled_ != row) fill(row);
    values_.data[row] = value;
    filled_ = row + 1;
  }
  void set_again(size_t row, T value) { values_.data[row] = value; }
  T at(size_t row) const { return values_.data[row]; }

  void grow(size_t rows) override { values_.grow(rows, filled_); }
  void cut(size_t rows) override { cut_gaps(rows); }
  Arrays release(size_t rows) override {
    Arrays arrays;
    if (filled_ == 0 && rows > 0) {
      arrays.buffers[0] = zeros<uint8_t>(rows / 8 + 1);
      arrays.buffers[1] = zeros<T>(rows);
      arrays.null_count = rows;
      return arrays;
    }
    if (filled_ != rows) fill(rows);
    release_validity(arrays);
    arrays.buffers[1] = release_values(rows);
    return arrays;
  }
  void gather(const std::vector<Range>& ranges, size_t rows) override {
    if (filled_ == 0) return;
    if (filled_ != rows) fill(rows);
    pick(ranges);
  }
  void join(const std::vector<size_t>& starts) override {
    if (filled_ == 0) return;
    if (filled_ != starts.back()) fill(starts.back());
    std::vector<Range> firsts;
    for (size_t i = 0; i + 1 < starts.size(); ++i) firsts.push_back({starts[i], starts[i] + 1});
    pick(firsts);
  }

 protected:
  Buffer<T> values_;

  virtual void* release_values(size_t rows) { return values_.release(rows); }

 private:
  void pick(const std::vector<Range>& ranges) {
    Buffer<T> picked;
    picked.grow(filled_, 0);
    T* to = picked.data;
    for (const Range& range : ranges)
      for (size_t row = range.start; row < range.stop; ++row) *to++ = values_.data[row];
    gather_gaps(ranges);
    filled_ = static_cast<size_t>(to - picked.data);
    values_.swap(picked);
  }
  void fill(size_t row) {
    add_gap(row);
    std::memset(values_.data + filled_, 0, (row - filled_) * sizeof(T));
    filled_ = row;
  }
};

using Int8 = Fixed<int8_t>;
using Int32 = Fixed<int32_t>;
using Int64 = Fixed<int64_t>;
using Float64 = Fixed<double>;

class Flags : public Fixed<int8_t> {  // 0 or 1; Arrow gets bits
 public:
  explicit Flags(const char* name_) : Fixed(name_, "b") {}

 protected:
  void* release_values(size_t rows) override {
    auto* bits = zeros<uint8_t>(rows / 8 + 1);
    size_t row = 0;
    for (; row + 8 <= rows; row += 8) {  // the product collects the lowest bits in the highest byte
      const uint64_t word = load(reinterpret_cast<const char*>(values_.data + row));
      bits[row >> 3] = static_cast<uint8_t>((word * 0x0102040810204080u) >> 56);
    }
    for (; row < rows; ++row)
      bits[row >> 3] = static_cast<uint8_t>(bits[row >> 3] | values_.data[row] << (row & 7));
    return bits;
  }
};

class Text : public Column {  // format "U" or "Z": large strings or binaries
 public:
  using Column::Column;

  // Returns where to write the text of a row; end() completes the row.
  char* begin(size_t row) {
    if (filled_ != row) fill(row);
    return bytes_.data + size_;
  }
  void end(size_t row, const char* stop) {
    size_ = static_cast<size_t>(stop - bytes_.data);
    stops_.data[row + 1] = static_cast<int64_t>(size_);
    filled_ = row + 1;
  }
  void put(size_t row, std::string_view text) {
    char* const out = begin(row);
    std::memcpy(out, text.data(), text.size());
    end(row, out + text.size());
  }
  std::string_view at(size_t row) const {
    const int64_t start = stops_.data[row];
    return {bytes_.data + start, static_cast<size_t>(stops_.data[row + 1] - start)};
  }

  void grow(size_t rows) override {
    stops_.grow(rows + 1, filled_ + 1);
    stops_.data[0] = 0;
  }
  // Reserves capacity for that many more bytes; returns how many more bytes now fit.
  size_t grow_bytes(size_t more, double growth) {
    const size_t wanted = size_ + more + kWordBytes;
    if (bytes_.room() < wanted) {
      const auto grown = static_cast<size_t>(growth * static_cast<double>(size_));
      bytes_.grow(wanted + std::max(grown, 3 * more), size_);
    }
    return bytes_.room() - kWordBytes - size_;
  }
  void cut(size_t rows) override {
    cut_gaps(rows);
    size_ = filled_ == 0 ? 0 : static_cast<size_t>(stops_.data[filled_]);
  }
  Arrays release(size_t rows) override {
    Arrays arrays;
    arrays.n_buffers = 3;
    if (filled_ == 0) {
      if (rows > 0) arrays.buffers[0] = zeros<uint8_t>(rows / 8 + 1);
      arrays.buffers[1] = zeros<int64_t>(rows + 1);
      arrays.buffers[2] = zeros<char>(1);
      arrays.null_count = rows;
      return arrays;
    }
    if (filled_ != rows) fill(rows);
    release_validity(arrays);
    arrays.buffers[1] = stops_.release(rows + 1);
    arrays.buffers[2] = bytes_.release(size_);
    return arrays;
  }
  void gather(const std::vector<Range>& ranges, size_t rows) override {
    if (filled_ == 0) return;
    if (filled_ != rows) fill(rows);
    Buffer<int64_t> stops;
    Buffer<char> bytes;
    stops.grow(rows + 1, 0);
    bytes.grow(size_ + kWordBytes, 0);
    int64_t* stop = stops.data;
    int64_t end = 0;
    *stop++ = 0;
    for (const Range& range : ranges) {
      const int64_t first = stops_.data[range.start], moved = end - first;
      const int64_t size = stops_.data[range.stop] - first;
      std::memcpy(bytes.data + end, bytes_.data + first, static_cast<size_t>(size));
      for (size_t row = range.start; row < range.stop; ++row) *stop++ = stops_.data[row + 1] + moved;
      end += size;
    }
    gather_gaps(ranges);
    stops_.swap(stops);
    bytes_.swap(bytes);
  }
  void join(const std::vector<size_t>& starts) override {
    if (filled_ == 0) return;
    if (filled_ != starts.back()) fill(starts.back());
    for (size_t i = 1; i < starts.size(); ++i) stops_.data[i] = stops_.data[starts[i]];
    join_gaps(starts);
    filled_ = starts.size() - 1;
  }

 private:
  Buffer<int64_t> stops_;  // one more than there are rows; the first is 0
  Buffer<char> bytes_;
  size_t size_ = 0;

  void fill(size_t row) {
    add_gap(row);
    for (size_t i = filled_; i < row; ++i) stops_.data[i + 1] = static_cast<int64_t>(size_);
    filled_ = row;
  }
};

// Columns of equal length.
class Table {
 public:
  size_t rows = 0;
  double growth = 2.0;  // factor by which columns grow when their capacity is used up
  std::vector<Column*> columns;

  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Reserves capacity for one more row.
  void make_row_room() {
    if (rows == row_room_) add_row_room();
  }
  // Reserves capacity for that many more bytes in all texts together.
  void make_byte_room(size_t more) {
    if (more > byte_room_) add_byte_room(more);
    byte_room_ -= more;
  }
  void cut(size_t rows_) {
    rows = rows_;
    for (Column* column : columns) column->cut(rows);
  }
  // See `Column`; no row can be added afterwards.
  void gather(const std::vector<Range>& ranges) {
    for (Column* column : columns) column->gather(ranges, rows);
  }
  void join(const std::vector<size_t>& starts) {
    for (Column* column : columns) column->join(starts);
    rows = starts.size() - 1;
  }

 protected:
  std::vector<Text*> texts_;

 private:
  static constexpr size_t kLeastRows = 64;
  size_t row_room_ = 0;
  size_t byte_room_ = 0;

  void add_row_room() {
    row_room_ = kLeastRows + static_cast<size_t>(growth * static_cast<double>(rows));
    for (Column* column : columns) column->grow(row_room_);
  }
  void add_byte_room(size_t more) {
    byte_room_ = SIZE_MAX;
    for (Text* text : texts_) byte_room_ = std::min(byte_room_, text->grow_bytes(more, growth));
  }
};

}  // namespace toolkit
