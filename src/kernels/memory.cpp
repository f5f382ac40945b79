#include "kernels/memory.hpp"

#include <cstdlib>
#include <new>

#include <sys/mman.h>

namespace probedarts::kernels {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kCacheLineBytes = 64;

}  // namespace

void FloatBuffer::Free::operator()(float* memory) const { std::free(memory); }

void FloatBuffer::reserve(std::size_t floats) {
  if (floats <= size_) {
    return;
  }
  const std::size_t wanted = floats * sizeof(float);
  const std::size_t alignment = wanted >= kHugePageBytes ? kHugePageBytes : kCacheLineBytes;
  const std::size_t bytes = (wanted + alignment - 1) / alignment * alignment;
  memory_.reset();
  size_ = 0;
  memory_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
  if (!memory_) {
    throw std::bad_alloc();
  }
  if (alignment == kHugePageBytes) {
    madvise(memory_.get(), bytes,
            MADV_HUGEPAGE);  // advice only: a refusal costs speed, nothing else
  }
  size_ = bytes / sizeof(float);
}

}  // namespace probedarts::kernels
