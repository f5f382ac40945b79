#pragma once

#include <cstddef>
#include <optional>

#include "study/run_study.hpp"

/// Numbers out of what finished tasks printed.
namespace probedarts::study {

/// The number under this key, where the task ended well and printed one.
std::optional<double> printed_number(const Progress& progress, std::size_t task, const char* key);

/// One minus the error under this key, 0..1: "valid_error" of a search or a choice, "best_error" of
/// a training.
std::optional<double> validation_accuracy(const Progress& progress, std::size_t task,
                                          const char* error_key);

/// Accuracy, 0..1, that `evaluate --json` printed for its only size; nothing before the task is
/// done.
std::optional<double> test_accuracy(const Progress& progress, std::size_t task);

}  // namespace probedarts::study
