#pragma once

#include "nets/layout.hpp"

namespace probedarts::nets {

/// Multiply-adds of all convolutions and the classifier in one forward pass over a batch; shared
/// and useful work only (a padded channel counts nothing). Without the auxiliary head.
double forward_multiply_adds(const NetworkLayout& layout, int batch, int height, int width);

}  // namespace probedarts::nets
