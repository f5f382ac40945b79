#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace probedarts {

/// One block of Philox4x32-10: a bijection of the counter for each key. Agrees with the known
/// answers of Random123.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A named stream of random numbers: the numbers are a pure function of (seed, purpose, epoch,
/// index), so they depend neither on threads nor on what was drawn elsewhere, and a resumed run
/// needs no saved state.
///
/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key
/// is a hash of seed and purpose, the counter holds epoch, index and the position in the stream.
///
///     Stream stream(seed, "augment", epoch, sample);
///     const bool flipped = stream.uniform() < 0.5;
class Stream {
 public:
  explicit Stream(std::uint64_t seed, std::string_view purpose, std::uint64_t epoch = 0,
                  std::uint64_t index = 0);

  std::uint64_t bits();                     ///< 64 uniform bits
  double uniform();                         ///< uniform in [0, 1), 53 bits
  double uniform(double low, double high);  ///< uniform in [low, high)
  double normal();  ///< standard normal (Box-Muller; two draws of bits each)
  std::uint64_t below(std::uint64_t bound);  ///< uniform in 0..bound-1 without bias; bound > 0

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

/// A uniformly random order of 0..count-1 (Fisher-Yates).
std::vector<std::size_t> random_order(std::size_t count, Stream& stream);

}  // namespace probedarts
