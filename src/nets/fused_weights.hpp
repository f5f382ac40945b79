#pragma once

#include "nets/fused_plan.hpp"

/// Between the flat weights of a NetworkState and the order in which the kernels read them.
namespace probedarts::nets::fused {

/// Writes a unit's weights to its places in `packed`, whose padding was zeroed once and stays so.
void pack(const NetworkLayout& layout, const BlockUnit& unit, const float* weights, float* packed);
void pack(const NetworkLayout& layout, const GatherUnit& unit, const float* weights, float* packed);

/// The same for all units of a state.
void pack(const NetworkLayout& layout, const State& state, const float* weights, float* packed);

/// Sums a unit's gradients over the chunks of the batch, in order, into the flat gradient.
/// \param partials  chunk k's gradients of the phase at partials + k * stride; the first
/// chunk's are overwritten.
void unpack(const NetworkLayout& layout, const BlockUnit& unit, float* partials, int chunks,
            std::size_t stride, float* gradient);
void unpack(const NetworkLayout& layout, const GatherUnit& unit, float* partials, int chunks,
            std::size_t stride, float* gradient);

}  // namespace probedarts::nets::fused
