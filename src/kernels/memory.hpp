#pragma once

#include <cstddef>
#include <memory>

namespace probedarts::kernels {

/// A block of floats aligned to pages, on huge pages where the system grants them (a search step
/// touches gigabytes: with 4 KiB pages address translation shows). Grows, never shrinks; contents
/// are lost when it grows and undefined at first.
class FloatBuffer {
 public:
  /// Makes room for `floats` elements. \throws std::bad_alloc.
  void reserve(std::size_t floats);
  float* data() const { return memory_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* memory) const;
  };
  std::unique_ptr<float, Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace probedarts::kernels
