#include "data/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace probedarts::data {

void parallel_in_order(std::size_t count, int threads,
                       const std::function<void(std::size_t)>& task) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::size_t first_failed = count;
  std::exception_ptr error;
  const auto work = [&] {
    while (!failed) {
      const std::size_t number = next++;
      if (number >= count) {
        return;
      }
      try {
        task(number);
      } catch (...) {  // crosses to the calling thread
        const std::lock_guard lock(mutex);
        if (number < first_failed) {
          first_failed = number;
          error = std::current_exception();
        }
        failed = true;
      }
    }
  };
  const std::size_t wanted = static_cast<std::size_t>(std::max(threads, 1));
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(wanted, count); ++i) {
    others.emplace_back(work);
  }
  work();
  others.clear();  // joins
  if (error) {
    std::rethrow_exception(error);
  }
}

}  // namespace probedarts::data
