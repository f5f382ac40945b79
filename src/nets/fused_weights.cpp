#include "nets/fused_weights.hpp"

namespace probedarts::nets::fused {
namespace {

std::size_t at(int row, int column, int columns) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
         static_cast<std::size_t>(column);
}

/// Calls visit(flat index, row, column) for each weight of the gathered matrix [depth][out].
template <typename Visit>
void for_each_weight(const NetworkLayout& layout, const GatherUnit& unit, const Visit& visit) {
  for (const WeightPiece& piece : unit.pieces) {
    const auto offset = static_cast<std::size_t>(layout.parameters[piece.parameter].offset);
    for (int o = 0; o < piece.out_count; ++o) {
      for (int i = 0; i < piece.in_count; ++i) {
        const std::size_t flat =
            at(o, piece.in_first + i, piece.in_total) * static_cast<std::size_t>(piece.taps) +
            static_cast<std::size_t>(piece.tap);
        visit(offset + flat, piece.row + i, piece.out_first + o);
      }
    }
  }
}

/// Adds the gradients of all chunks to the first one's, in order.
void add_chunks(float* first, std::size_t floats, int chunks, std::size_t stride) {
  for (int chunk = 1; chunk < chunks; ++chunk) {
    const float* more = first + static_cast<std::size_t>(chunk) * stride;
    for (std::size_t i = 0; i < floats; ++i) {
      first[i] += more[i];
    }
  }
}

}  // namespace

void pack(const NetworkLayout& layout, const BlockUnit& unit, const float* weights, float* packed) {
  const int padded = unit.shape.in.channels;
  const int taps = unit.shape.kernel * unit.shape.kernel;
  const float* depthwise = weights + layout.parameters[unit.depthwise_parameter].offset;
  const float* pointwise = weights + layout.parameters[unit.pointwise_parameter].offset;
  for (int c = 0; c < unit.channels; ++c) {
    for (int tap = 0; tap < taps; ++tap) {
      packed[unit.depthwise + at(tap, c, padded)] = depthwise[at(c, tap, taps)];
    }
  }
  for (int out = 0; out < unit.channels; ++out) {
    for (int in = 0; in < unit.channels; ++in) {
      const float weight = pointwise[at(out, in, unit.channels)];
      packed[unit.pointwise + at(out, in, padded)] = weight;
      packed[unit.pointwise_transposed + at(in, out, padded)] = weight;
    }
  }
}

void pack(const NetworkLayout& layout, const GatherUnit& unit, const float* weights,
          float* packed) {
  const int pitch = unit.shape.depth_pitch();
  const int padded = unit.shape.out.channels;
  for_each_weight(layout, unit, [&](std::size_t flat, int row, int column) {
    packed[unit.weights + at(row, column, padded)] = weights[flat];
    packed[unit.weights_transposed + at(column, row, pitch)] = weights[flat];
  });
}

void pack(const NetworkLayout& layout, const State& state, const float* weights, float* packed) {
  if (state.made_by) {
    pack(layout, *state.made_by, weights, packed);
  }
  for (const GatherUnit& unit : state.reduces) {
    pack(layout, unit, weights, packed);
  }
  for (const BlockUnit& unit : state.firsts) {
    pack(layout, unit, weights, packed);
  }
  for (const SecondBlock& second : state.seconds) {
    pack(layout, second.block, weights, packed);
  }
}

void unpack(const NetworkLayout& layout, const BlockUnit& unit, float* partials, int chunks,
            std::size_t stride, float* gradient) {
  const int padded = unit.shape.in.channels;
  const int taps = unit.shape.kernel * unit.shape.kernel;
  add_chunks(partials + unit.partial, gradient_floats(unit), chunks, stride);
  const float* depthwise = partials + unit.partial;
  const float* pointwise = depthwise + at(taps, 0, padded);
  float* depthwise_gradient = gradient + layout.parameters[unit.depthwise_parameter].offset;
  float* pointwise_gradient = gradient + layout.parameters[unit.pointwise_parameter].offset;
  for (int c = 0; c < unit.channels; ++c) {
    for (int tap = 0; tap < taps; ++tap) {
      depthwise_gradient[at(c, tap, taps)] = depthwise[at(tap, c, padded)];
    }
  }
  for (int out = 0; out < unit.channels; ++out) {
    for (int in = 0; in < unit.channels; ++in) {
      pointwise_gradient[at(out, in, unit.channels)] = pointwise[at(out, in, padded)];
    }
  }
}

void unpack(const NetworkLayout& layout, const GatherUnit& unit, float* partials, int chunks,
            std::size_t stride, float* gradient) {
  add_chunks(partials + unit.partial, gradient_floats(unit), chunks, stride);
  const float* sums = partials + unit.partial;
  for_each_weight(layout, unit, [&](std::size_t flat, int row, int column) {
    gradient[flat] = sums[at(column, row, unit.shape.depth_pitch())];
  });
}

}  // namespace probedarts::nets::fused
