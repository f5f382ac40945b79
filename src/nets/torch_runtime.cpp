#include "nets/torch_runtime.hpp"

#include <dlfcn.h>
#include <malloc.h>

#include <ATen/Parallel.h>
#include <torch/version.h>

namespace probedarts::nets {

std::string libtorch_version() {
  return std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR) + "." +
         std::to_string(TORCH_VERSION_PATCH);
}

void set_threads(int threads) {
  at::set_num_threads(threads);
  // OpenBLAS comes in beneath LibTorch as the system's BLAS; where it is another one there is
  // nothing to set.
  using SetThreads = void (*)(int);
  if (void* symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
    reinterpret_cast<SetThreads>(symbol)(1);
  }
}

void keep_freed_memory() {
  constexpr int kOneGib = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kOneGib);
  mallopt(M_TRIM_THRESHOLD, kOneGib);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace probedarts::nets
