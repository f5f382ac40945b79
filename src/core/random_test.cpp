#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts {
namespace {

using Block = std::array<std::uint32_t, 4>;

std::vector<std::uint64_t> first_bits(Stream stream, int count) {
  std::vector<std::uint64_t> bits;
  for (int i = 0; i < count; ++i) {
    bits.push_back(stream.bits());
  }
  return bits;
}

double chi_square(const std::vector<int>& counts, double expected) {
  double sum = 0.0;
  for (const int count : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

// Known answers published with Random123 (kat_vectors, philox4x32 with 10 rounds).
TEST(Philox4x32, GivesTheKnownAnswerForZeros) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627E8D5U, 0xE169C58DU, 0xBC57AC4CU, 0x9B00DBD8U}));
}

TEST(Philox4x32, GivesTheKnownAnswerForOnes) {
  const std::uint32_t ones = 0xFFFFFFFFU;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408F276DU, 0x41C83B0EU, 0xA20BC7C6U, 0x6D5451FDU}));
}

TEST(Philox4x32, GivesTheKnownAnswerForDigitsOfPi) {
  EXPECT_EQ(
      philox4x32({0x243F6A88U, 0x85A308D3U, 0x13198A2EU, 0x03707344U}, {0xA4093822U, 0x299F31D0U}),
      (Block{0xD16CFE09U, 0x94FDCCEBU, 0x5001E420U, 0x24126EA1U}));
}

TEST(Stream, IsAFunctionOfItsName) {
  EXPECT_EQ(first_bits(Stream(1, "a", 2, 3), 100), first_bits(Stream(1, "a", 2, 3), 100));
}

TEST(Stream, DiffersWithEachPartOfItsName) {
  const auto reference = first_bits(Stream(1, "a", 2, 3), 4);
  EXPECT_NE(reference, first_bits(Stream(2, "a", 2, 3), 4));
  EXPECT_NE(reference, first_bits(Stream(1, "b", 2, 3), 4));
  EXPECT_NE(reference, first_bits(Stream(1, "a", 3, 3), 4));
  EXPECT_NE(reference, first_bits(Stream(1, "a", 2, 4), 4));
  EXPECT_NE(reference, first_bits(Stream(1, "a", 3, 2), 4));  // epoch and index do not commute
}

TEST(Stream, NeverRepeatsANumberAmongNeighbours) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
    for (std::uint64_t index = 0; index < 200; ++index) {
      for (const std::uint64_t bits : first_bits(Stream(7, "augment", epoch, index), 3)) {
        seen.insert(bits);
      }
    }
  }
  EXPECT_EQ(seen.size(), 30'000U);  // a collision of 64 random bits has probability 3e-11
}

TEST(Stream, HasIndependentNeighbours) {
  constexpr int kPairs = 20'000;
  double sum = 0.0;
  for (std::uint64_t index = 0; index < kPairs; ++index) {
    sum += (Stream(1, "pair", 0, index).uniform() - 0.5) *
           (Stream(1, "pair", 0, index + 1).uniform() - 0.5);
  }
  // The mean of the product has standard deviation (1/12) / sqrt(pairs); four of them.
  EXPECT_LT(std::abs(sum / kPairs), 4.0 / 12.0 / std::sqrt(kPairs));
}

TEST(Stream, SetsEveryBitHalfTheTime) {
  constexpr int kDraws = 20'000;
  Stream stream(3, "bits");
  std::vector<int> set(64);
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::uint64_t bits = stream.bits();
    for (std::size_t bit = 0; bit < 64; ++bit) {
      set[bit] += static_cast<int>((bits >> bit) & 1U);
    }
  }
  for (const int count : set) {
    EXPECT_NEAR(count, kDraws / 2.0, 4.5 * std::sqrt(kDraws / 4.0));  // 4.5 standard deviations
  }
}

TEST(StreamUniform, IsUniformOnTheUnitInterval) {
  constexpr int kDraws = 100'000;
  Stream stream(4, "uniform");
  std::vector<int> counts(100);
  for (int draw = 0; draw < kDraws; ++draw) {
    const double value = stream.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ++counts[static_cast<std::size_t>(value * 100)];
  }
  EXPECT_LT(chi_square(counts, kDraws / 100.0), 149.0);  // 99 degrees of freedom, p = 0.001
}

TEST(StreamUniform, StaysBetweenItsBounds) {
  Stream stream(5, "bounds");
  double smallest = 10.0;
  double largest = -10.0;
  for (int draw = 0; draw < 10'000; ++draw) {
    const double value = stream.uniform(-3.0, 2.0);
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
  }
  EXPECT_GE(smallest, -3.0);
  EXPECT_LT(largest, 2.0);
  EXPECT_LT(smallest, -2.99);
  EXPECT_GT(largest, 1.99);
}

TEST(StreamBelow, IsUniform) {
  constexpr int kDraws = 70'000;
  Stream stream(6, "below");
  std::vector<int> counts(7);
  for (int draw = 0; draw < kDraws; ++draw) {
    ++counts.at(stream.below(7));
  }
  EXPECT_LT(chi_square(counts, kDraws / 7.0), 22.5);  // 6 degrees of freedom, p = 0.001
}

TEST(StreamBelow, IsUnbiasedForBoundsNearTheWholeRange) {
  // Plain modulo by 3 * 2^62 would draw the lowest third twice as often as each of the others.
  constexpr std::uint64_t kThird = std::uint64_t{1} << 62;
  constexpr int kDraws = 30'000;
  Stream stream(7, "wide");
  std::vector<int> counts(3);
  for (int draw = 0; draw < kDraws; ++draw) {
    ++counts.at(stream.below(3 * kThird) / kThird);
  }
  EXPECT_LT(chi_square(counts, kDraws / 3.0), 13.9);  // 2 degrees of freedom, p = 0.001
}

TEST(StreamBelow, OfOneIsZero) { EXPECT_EQ(Stream(8, "one").below(1), 0U); }

TEST(StreamBelow, RefusesZero) {
  Stream stream(8, "zero");
  EXPECT_THROW(stream.below(0), Bug);
}

TEST(StreamNormal, HasTheMomentsOfTheStandardNormal) {
  constexpr int kDraws = 200'000;
  Stream stream(9, "normal");
  double m1 = 0.0;
  double m2 = 0.0;
  double m3 = 0.0;
  double m4 = 0.0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const double z = stream.normal();
    m1 += z / kDraws;
    m2 += z * z / kDraws;
    m3 += z * z * z / kDraws;
    m4 += z * z * z * z / kDraws;
  }
  // Four standard deviations of each sample moment: variances 1, 2, 15, 96 over the draws.
  const double scale = 4.0 / std::sqrt(kDraws);
  EXPECT_NEAR(m1, 0.0, scale);
  EXPECT_NEAR(m2, 1.0, scale * std::sqrt(2.0));
  EXPECT_NEAR(m3, 0.0, scale * std::sqrt(15.0));
  EXPECT_NEAR(m4, 3.0, scale * std::sqrt(96.0));
}

TEST(RandomOrder, IsAPermutation) {
  Stream stream(10, "order");
  std::vector<std::size_t> order = random_order(1000, stream);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(order[i], i);
  }
}

TEST(RandomOrder, OfNothingIsNothing) {
  Stream stream(10, "order");
  EXPECT_TRUE(random_order(0, stream).empty());
}

TEST(RandomOrder, DrawsEveryPermutationEquallyOften) {
  constexpr int kDraws = 24'000;
  Stream stream(11, "permutations");
  std::vector<int> counts(64);
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<std::size_t> order = random_order(4, stream);
    ++counts[order[0] * 16 + order[1] * 4 + order[2]];
  }
  std::erase(counts, 0);
  ASSERT_EQ(counts.size(), 24U);
  EXPECT_LT(chi_square(counts, kDraws / 24.0), 49.8);  // 23 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace probedarts
