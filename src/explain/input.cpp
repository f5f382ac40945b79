#include "explain/input.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace probedarts::explain {

at::Tensor network_input(const data::Image& image, const data::Normalization& normalization) {
  at::Tensor input = at::empty({1, 3, image.height, image.width}, at::kFloat);
  float* dst = input.data_ptr<float>();
  for (std::size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(normalization.mean[c]);
    const auto sd = static_cast<float>(normalization.sd[c]);
    for (std::size_t i = c; i < image.rgb.size(); i += 3) {
      *dst++ = (static_cast<float>(image.rgb[i]) / 255.0F - mean) / sd;
    }
  }
  return input;
}

}  // namespace probedarts::explain
