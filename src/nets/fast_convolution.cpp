#include "nets/fast_convolution.hpp"

#include <algorithm>

#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/errors.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/memory.hpp"

namespace probedarts::nets {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

bool is_depthwise(const layer::Conv& conv) {
  return conv.groups == conv.in_channels && conv.out_channels == conv.in_channels &&
         conv.dilation == 1 && kernels::depthwise_has(conv.kernel) && conv.padding < conv.kernel &&
         !conv.bias;
}

bool is_pointwise(const layer::Conv& conv) {
  return conv.kernel == 1 && conv.groups == 1 && conv.padding == 0;
}

kernels::DepthwiseShape shape_of(const at::Tensor& x, const at::Tensor& weight, int stride,
                                 int padding) {
  return {static_cast<int>(x.size(2)),
          static_cast<int>(x.size(3)),
          static_cast<int>(x.size(1)),
          static_cast<int>(weight.size(2)),
          stride,
          padding};
}

/// Images that one task computes, whatever the number of threads: what is summed over them has
/// to be summed in one order.
constexpr std::int64_t kImagesOfATask = 2;

/// Calls body(block, chunk, first image, images, scratch) for all blocks of all chunks of the
/// batch, on LibTorch's threads: the operations around it run there, and a second pool would fight
/// with theirs, which spin after each.
template <typename Body>
void for_each_task(const kernels::DepthwiseShape& shape, std::int64_t batch, const Body& body) {
  const std::int64_t chunks = (batch + kImagesOfATask - 1) / kImagesOfATask;
  at::parallel_for(0, chunks * shape.blocks(), 1, [&](std::int64_t begin, std::int64_t end) {
    kernels::FloatBuffer scratch;
    scratch.reserve(kernels::depthwise_scratch_floats(shape));
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t chunk = task / shape.blocks();
      const std::int64_t first = chunk * kImagesOfATask;
      body(static_cast<int>(task % shape.blocks()), chunk, first,
           static_cast<int>(std::min(kImagesOfATask, batch - first)), scratch.data());
    }
  });
}

class Depthwise : public torch::autograd::Function<Depthwise> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& any_x,
                            const at::Tensor& any_weight, std::int64_t stride,
                            std::int64_t padding) {
    const at::Tensor x = any_x.contiguous(kChannelsLast);
    const at::Tensor weight = any_weight.contiguous();
    const auto shape = shape_of(x, weight, static_cast<int>(stride), static_cast<int>(padding));
    at::Tensor y = at::empty({x.size(0), x.size(1), shape.out_height(), shape.out_width()},
                             x.options().memory_format(kChannelsLast));
    const std::int64_t x_image = x.numel() / std::max<std::int64_t>(x.size(0), 1);
    const std::int64_t y_image = y.numel() / std::max<std::int64_t>(x.size(0), 1);
    const float* from = x.data_ptr<float>();
    const float* taps = weight.data_ptr<float>();
    float* to = y.data_ptr<float>();
    for_each_task(shape, x.size(0),
                  [&](int block, std::int64_t, std::int64_t first, int images, float* scratch) {
                    kernels::depthwise_forward(shape, block, images, taps, scratch,
                                               from + first * x_image, to + first * y_image);
                  });
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor dy = gradients[0].contiguous(kChannelsLast);
    const auto shape = shape_of(x, weight, static_cast<int>(context->saved_data["stride"].toInt()),
                                static_cast<int>(context->saved_data["padding"].toInt()));
    at::Tensor dx;
    at::Tensor parts;  // of the weights' gradient, one for each chunk
    if (context->needs_input_grad(0)) {
      dx = at::empty(x.sizes(), x.options().memory_format(kChannelsLast));
    }
    if (context->needs_input_grad(1)) {
      parts = at::empty({(x.size(0) + kImagesOfATask - 1) / kImagesOfATask, weight.numel()},
                        weight.options());
    }
    const std::int64_t x_image = x.numel() / std::max<std::int64_t>(x.size(0), 1);
    const std::int64_t y_image = dy.numel() / std::max<std::int64_t>(x.size(0), 1);
    const float* from = x.data_ptr<float>();
    const float* seed = dy.data_ptr<float>();
    const float* taps = weight.data_ptr<float>();
    float* to_x = dx.defined() ? dx.data_ptr<float>() : nullptr;
    float* to_parts = parts.defined() ? parts.data_ptr<float>() : nullptr;
    for_each_task(
        shape, x.size(0),
        [&](int block, std::int64_t chunk, std::int64_t first, int images, float* scratch) {
          kernels::depthwise_backward(
              shape, block, images, taps, scratch, from + first * x_image, seed + first * y_image,
              to_x == nullptr ? nullptr : to_x + first * x_image,
              to_parts == nullptr ? nullptr : to_parts + chunk * weight.numel());
        });
    return {dx, parts.defined() ? summed(parts).view(weight.sizes()) : at::Tensor(), {}, {}};
  }

 private:
  /// Rows added in order; at::sum would cut them by the number of threads.
  static at::Tensor summed(const at::Tensor& parts) {
    at::Tensor sum = parts.select(0, 0).clone();
    for (std::int64_t chunk = 1; chunk < parts.size(0); ++chunk) {
      sum.add_(parts.select(0, chunk));
    }
    return sum;
  }
};

at::Tensor pointwise(const layer::Conv& conv, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) {
  const at::Tensor seen =
      conv.stride == 1 ? x : x.slice(2, 0, {}, conv.stride).slice(3, 0, {}, conv.stride);
  const at::Tensor pixels = seen.contiguous(kChannelsLast).permute({0, 2, 3, 1});
  const at::Tensor rows = pixels.reshape({-1, conv.in_channels});
  const at::Tensor columns = weight.flatten(1).t();
  const at::Tensor y = bias.defined() ? at::addmm(bias, rows, columns) : at::mm(rows, columns);
  return y.view({pixels.size(0), pixels.size(1), pixels.size(2), conv.out_channels})
      .permute({0, 3, 1, 2});
}

}  // namespace

bool has_fast_convolution(const layer::Conv& conv, const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 &&
         (is_depthwise(conv) || is_pointwise(conv));
}

at::Tensor fast_convolution(const layer::Conv& conv, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
  require(has_fast_convolution(conv, x), "this convolution is at::conv2d's");
  return is_pointwise(conv) ? pointwise(conv, x, weight, bias)
                            : Depthwise::apply(x, weight, conv.stride, conv.padding);
}

}  // namespace probedarts::nets
