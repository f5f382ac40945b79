#include "nets/step_work.hpp"

#include "nets/fused_plan.hpp"

namespace probedarts::nets {
namespace {

double of_product(const fused::GatherUnit& unit) {
  double sum = 0.0;
  for (const fused::WeightPiece& piece : unit.pieces) {
    sum += static_cast<double>(piece.in_count) * piece.out_count *
           static_cast<double>(unit.shape.out.pixels());
  }
  return sum;
}

double of_block(const fused::BlockUnit& unit) {
  const double taps = unit.shape.kernel * unit.shape.kernel;
  return unit.channels * (taps + unit.channels) * static_cast<double>(unit.shape.out.pixels());
}

}  // namespace

double forward_multiply_adds(const NetworkLayout& layout, int batch, int height, int width) {
  const fused::Plan plan = fused::make_plan(layout, 1, height, width);
  double sum = static_cast<double>(layout.feature_channels) * layout.spec.classes;
  for (const fused::State& state : plan.states) {
    if (state.made_by) {
      sum += of_product(*state.made_by);
    }
    for (const fused::GatherUnit& unit : state.reduces) {
      sum += of_product(unit);
    }
    for (const fused::BlockUnit& unit : state.firsts) {
      sum += of_block(unit);
    }
    for (const fused::SecondBlock& second : state.seconds) {
      sum += of_block(second.block);
    }
  }
  return sum * batch;
}

}  // namespace probedarts::nets
