#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "data/loader.hpp"

namespace probedarts::data {

/// Makes numbered batches ahead of their use with threads of its own, and hands them out in order
/// of number. What comes out depends on `make` alone, not on the number of threads or their timing.
class BatchQueue {
 public:
  /// Writes batch `number` over an earlier one: its vectors hold what they held, whatever that was.
  using Make = std::function<void(std::size_t number, Batch& batch)>;

  /// \param make     called from any of the threads, several calls at once
  /// \param threads  0: `next` makes each batch itself   \param depth  batches made ahead, at least
  /// 1
  BatchQueue(Make make, int threads, int depth);
  ~BatchQueue();  ///< waits for the calls of `make` under way

  /// Drops what was made and begins anew with the batches first .. last-1, made by `make` (a new
  /// one when given).
  void start(std::size_t first, std::size_t last, Make make = nullptr);

  /// The next batch; nothing after the last or before a start. What `make` threw for it is thrown
  /// again, at every call until the next start.
  PooledBatch next();

  double wait_seconds() const;  ///< time spent in `next` since `start`

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probedarts::data
