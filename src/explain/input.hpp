#pragma once

#include "core/tensor_fwd.hpp"
#include "data/image.hpp"
#include "data/loader.hpp"

namespace probedarts::explain {

/// An image as the networks take it: [1, 3, H, W] float32, (v / 255 - mean) / sd.
at::Tensor network_input(const data::Image& image, const data::Normalization& normalization);

}  // namespace probedarts::explain
