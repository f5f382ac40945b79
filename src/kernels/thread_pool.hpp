#pragma once

#include <memory>

namespace probedarts::kernels {

/// A fixed set of threads that share out numbered tasks. Which thread runs a task is left to
/// chance; results must not depend on it.
class ThreadPool {
 public:
  /// \param threads  at least 1; the calling thread is one of them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// Calls body(task, thread) for every task in [0, tasks), thread in [0, threads()), and returns
  /// when all are done. Allocates nothing. The first exception of a task is rethrown here once all
  /// tasks have ended. Not reentrant.
  template <typename Body>
  void run(int tasks, const Body& body) {
    run_raw(
        tasks,
        [](const void* context, int task, int thread) {
          (*static_cast<const Body*>(context))(task, thread);
        },
        &body);
  }

 private:
  using Function = void (*)(const void* context, int task, int thread);
  void run_raw(int tasks, Function function, const void* context);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probedarts::kernels
