#pragma once

#include <cstddef>
#include <functional>

namespace probedarts::data {

/// Calls task(0) .. task(count-1) on `threads` threads (at least one), begun in order. When tasks
/// throw, no further one is begun, and the exception of the lowest number is thrown here: the same
/// for any number of threads.
void parallel_in_order(std::size_t count, int threads,
                       const std::function<void(std::size_t)>& task);

}  // namespace probedarts::data
