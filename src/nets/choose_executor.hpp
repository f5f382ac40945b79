#pragma once

#include <memory>
#include <string>

#include "nets/executor.hpp"

namespace probedarts::nets {

/// An executor and its name, as run folders record it.
struct ChosenExecutor {
  std::unique_ptr<Executor> executor;
  std::string name;  ///< "composed" or "fused"
};

/// The executor for a network: `choice` is auto, composed or fused; auto takes the fused one
/// wherever it can. Sets LibTorch's threads to what suits the executor. \throws UserError when the
/// fused executor is asked for and cannot run this network.
ChosenExecutor make_executor(const NetworkLayout& layout, const std::string& choice,
                             Precision precision, int threads);

}  // namespace probedarts::nets
