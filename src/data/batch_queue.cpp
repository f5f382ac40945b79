#include "data/batch_queue.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/errors.hpp"

namespace probedarts::data {

class BatchPool {
 public:
  std::unique_ptr<Batch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      return std::make_unique<Batch>();
    }
    std::unique_ptr<Batch> batch = std::move(free_.back());
    free_.pop_back();
    return batch;
  }

  void give_back(std::unique_ptr<Batch> batch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(batch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> free_;
};

void BatchReturn::operator()(Batch* batch) const {
  std::unique_ptr<Batch> owned(batch);
  if (pool) {
    pool->give_back(std::move(owned));
  }
}

struct BatchQueue::Impl {
  /// A batch, or why there is none.
  struct Made {
    PooledBatch batch;
    std::exception_ptr error;
  };

  Made make_one(std::size_t number) const {
    Made result{{pool->take().release(), {pool}}, nullptr};
    try {
      make(number, *result.batch);
    } catch (...) {  // crosses to the thread that calls next()
      result.error = std::current_exception();
    }
    return result;
  }

  Impl(Make make_batch, int threads, int depth_batches)
      : make(std::move(make_batch)), depth(static_cast<std::size_t>(depth_batches)) {
    require(threads >= 0 && depth_batches >= 1, "a batch queue needs threads >= 0 and depth >= 1");
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([this] { work(); });
    }
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    may_make.notify_all();
    for (std::thread& worker : workers) {
      worker.join();
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool has_work() const { return to_make < last && to_make < to_serve + depth; }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      may_make.wait(lock, [this] { return stopping || has_work(); });
      if (stopping) {
        return;
      }
      const std::size_t number = to_make++;
      const std::uint64_t round_then = round;
      ++under_way;
      lock.unlock();
      Made result = make_one(number);
      lock.lock();
      --under_way;
      if (round == round_then) {
        made.emplace(number, std::move(result));
        is_made.notify_one();
      } else {
        is_idle.notify_one();
      }
    }
  }

  void start(std::size_t begin, std::size_t end, Make new_make) {
    {
      std::unique_lock lock(mutex);
      ++round;
      to_make = to_serve = last = 0;  // nobody begins another batch of the old round
      is_idle.wait(lock, [this] { return under_way == 0; });
      made.clear();
      if (new_make) {
        make = std::move(new_make);
      }
      to_make = to_serve = begin;
      last = std::max(begin, end);
      waited = std::chrono::steady_clock::duration::zero();
    }
    may_make.notify_all();
  }

  Made take() {
    if (workers.empty()) {
      return make_one(to_serve);
    }
    std::unique_lock lock(mutex);
    is_made.wait(lock, [this] { return made.count(to_serve) != 0; });
    const auto found = made.find(to_serve);
    if (found->second.error) {
      return {nullptr, found->second.error};  // stays, so that it is told again
    }
    Made result = std::move(found->second);
    made.erase(found);
    ++to_serve;
    lock.unlock();
    may_make.notify_all();
    return result;
  }

  Make make;
  const std::shared_ptr<BatchPool> pool = std::make_shared<BatchPool>();
  const std::size_t depth;
  std::mutex mutex;
  std::condition_variable may_make, is_made, is_idle;
  std::uint64_t round = 0;
  std::size_t to_make = 0, to_serve = 0, last = 0;
  int under_way = 0;
  bool stopping = false;
  std::map<std::size_t, Made> made;
  std::chrono::steady_clock::duration waited{};
  std::vector<std::thread> workers;  // last: they use all of the above
};

BatchQueue::BatchQueue(Make make, int threads, int depth)
    : impl_(std::make_unique<Impl>(std::move(make), threads, depth)) {}

BatchQueue::~BatchQueue() = default;

void BatchQueue::start(std::size_t first, std::size_t last, Make make) {
  impl_->start(first, last, std::move(make));
}

PooledBatch BatchQueue::next() {
  if (impl_->to_serve >= impl_->last) {  // only this thread changes the two
    return nullptr;
  }
  const auto begin = std::chrono::steady_clock::now();
  Impl::Made made = impl_->take();
  impl_->waited += std::chrono::steady_clock::now() - begin;
  if (made.error) {
    std::rethrow_exception(made.error);
  }
  if (impl_->workers.empty()) {
    ++impl_->to_serve;
  }
  return std::move(made.batch);
}

double BatchQueue::wait_seconds() const {
  return std::chrono::duration<double>(impl_->waited).count();
}

}  // namespace probedarts::data
