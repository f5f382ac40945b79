#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace probedarts::space {

/// The candidate operations of the search space (paper §5), in the column order of alpha.
enum class Primitive {
  kNone,
  kMaxPool3x3,
  kAvgPool3x3,
  kSkipConnect,
  kSepConv3x3,
  kSepConv5x5,
  kDilConv3x3,
  kDilConv5x5,
};

/// What kind of computation a primitive is.
enum class PrimitiveKind { kZero, kMaxPool, kAvgPool, kIdentity, kSeparable, kDilated };

/// One row of the table: everything the rest of the program asks about a primitive.
struct PrimitiveInfo {
  Primitive primitive;
  std::string_view name;        ///< as in genotypes, for example "sep_conv_3x3"
  std::string_view short_name;  ///< for drawings, for example "sep 3x3"
  PrimitiveKind kind;
  int kernel;    ///< pixels; 0 where there is no window
  int dilation;  ///< 1, or 2 for dil_conv
  int repeats;  ///< (ReLU, depthwise, pointwise, BN) blocks: 2 for sep_conv, 1 for dil_conv, else 0
  bool parameter_free;  ///< at stride 1: pools, skip_connect and none
};

inline constexpr std::size_t kPrimitiveCount = 8;

inline constexpr std::array<PrimitiveInfo, kPrimitiveCount> kPrimitives = {{
    {Primitive::kNone, "none", "none", PrimitiveKind::kZero, 0, 1, 0, true},
    {Primitive::kMaxPool3x3, "max_pool_3x3", "max 3x3", PrimitiveKind::kMaxPool, 3, 1, 0, true},
    {Primitive::kAvgPool3x3, "avg_pool_3x3", "avg 3x3", PrimitiveKind::kAvgPool, 3, 1, 0, true},
    {Primitive::kSkipConnect, "skip_connect", "skip", PrimitiveKind::kIdentity, 0, 1, 0, true},
    {Primitive::kSepConv3x3, "sep_conv_3x3", "sep 3x3", PrimitiveKind::kSeparable, 3, 1, 2, false},
    {Primitive::kSepConv5x5, "sep_conv_5x5", "sep 5x5", PrimitiveKind::kSeparable, 5, 1, 2, false},
    {Primitive::kDilConv3x3, "dil_conv_3x3", "dil 3x3", PrimitiveKind::kDilated, 3, 2, 1, false},
    {Primitive::kDilConv5x5, "dil_conv_5x5", "dil 5x5", PrimitiveKind::kDilated, 5, 2, 1, false},
}};

constexpr const PrimitiveInfo& info_of(Primitive primitive) {
  return kPrimitives[static_cast<std::size_t>(primitive)];
}

/// The primitive of this name, or nothing.
constexpr std::optional<Primitive> primitive_named(std::string_view name) {
  for (const PrimitiveInfo& info : kPrimitives) {
    if (info.name == name) {
      return info.primitive;
    }
  }
  return std::nullopt;
}

}  // namespace probedarts::space
