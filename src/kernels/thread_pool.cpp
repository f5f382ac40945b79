#include "kernels/thread_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/errors.hpp"

namespace probedarts::kernels {

namespace {

/// A wake-up through the kernel takes as long as many a phase of a search step; so a thread first
/// looks for some tens of microseconds whether there is something to do.
template <typename Done>
bool spin_until(const Done& done) {
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries; ++i) {
    if (done()) {
      return true;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
  return false;
}

}  // namespace

struct ThreadPool::Impl {
  std::mutex mutex;
  std::condition_variable wake, done;
  std::atomic<int> next_task{0};
  int tasks = 0;
  std::atomic<int> busy{0};        // workers inside the current round
  std::atomic<unsigned> round{0};  // raised for each run
  bool stopping = false;
  Function function = nullptr;
  const void* context = nullptr;
  std::exception_ptr failure;
  std::vector<std::thread> workers;

  void work(int thread) {
    for (;;) {
      const int task = next_task.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks) {
        return;
      }
      try {
        function(context, task, thread);
      } catch (...) {  // handed to the caller of run
        const std::lock_guard lock(mutex);
        if (!failure) {
          failure = std::current_exception();
        }
      }
    }
  }

  void serve(int thread) {
    unsigned seen = 0;
    for (;;) {
      spin_until([&] { return round.load(std::memory_order_acquire) != seen; });
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return stopping || round != seen; });
      if (stopping) {
        return;
      }
      seen = round;
      lock.unlock();
      work(thread);
      lock.lock();
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        done.notify_one();
      }
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  require(threads >= 1, "a thread pool has at least one thread");
  for (int thread = 1; thread < threads; ++thread) {
    impl_->workers.emplace_back([this, thread] { impl_->serve(thread); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (std::thread& worker : impl_->workers) {
    worker.join();
  }
}

int ThreadPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::run_raw(int tasks, Function function, const void* context) {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.function = function;
    impl.context = context;
    impl.tasks = tasks;
    impl.next_task.store(0, std::memory_order_relaxed);
    impl.busy = static_cast<int>(impl.workers.size());
    impl.failure = nullptr;
    ++impl.round;
  }
  impl.wake.notify_all();
  impl.work(0);
  std::exception_ptr failure;
  spin_until([&] { return impl.busy.load(std::memory_order_acquire) == 0; });
  {
    std::unique_lock lock(impl.mutex);
    impl.done.wait(lock, [&] { return impl.busy == 0; });
    failure = impl.failure;
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace probedarts::kernels
