#include "data/npy.hpp"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "support/mutation.hpp"
#include "support/npy_bytes.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::data {
namespace {

using probedarts::testing::mutate;
using ::testing::ElementsAre;
using testing::npy_array;
using testing::npy_with_header;
using testing::sentence_of;

constexpr const char* kAdvice =
    "; save the indices as a one-dimensional integer array with numpy.save";

std::string refusal(const std::string& bytes) {
  return sentence_of([&] { parse_npy_indices(bytes, "t.npy"); });
}

std::string header_of(const std::string& type, const std::string& shape) {
  return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", type, shape);
}

TEST(ParseNpy, ReadsEveryIntegerType) {
  EXPECT_THAT(parse_npy_indices(npy_array<std::int8_t>("|i1", {1, -2}), "t"), ElementsAre(1, -2));
  EXPECT_THAT(parse_npy_indices(npy_array<std::uint8_t>("|u1", {200}), "t"), ElementsAre(200));
  EXPECT_THAT(parse_npy_indices(npy_array<std::int16_t>("<i2", {-3}), "t"), ElementsAre(-3));
  EXPECT_THAT(parse_npy_indices(npy_array<std::uint16_t>("<u2", {65535}), "t"), ElementsAre(65535));
  EXPECT_THAT(parse_npy_indices(npy_array<std::int32_t>("<i4", {17667, -1}), "t"),
              ElementsAre(17667, -1));
  EXPECT_THAT(parse_npy_indices(npy_array<std::uint32_t>("<u4", {4294967295U}), "t"),
              ElementsAre(4294967295));
  EXPECT_THAT(parse_npy_indices(npy_array<std::int64_t>("<i8", {-5, 1LL << 40}), "t"),
              ElementsAre(-5, 1LL << 40));
  EXPECT_THAT(parse_npy_indices(npy_array<std::uint64_t>("<u8", {7}), "t"), ElementsAre(7));
}

TEST(ParseNpy, ReadsAnEmptyArray) {
  EXPECT_TRUE(parse_npy_indices(npy_array<std::int64_t>("<i8", {}), "t").empty());
}

TEST(ParseNpy, ReadsVersionsTwoAndThree) {
  const std::string body("\x05\0\0\0", 4);
  EXPECT_THAT(parse_npy_indices(npy_with_header(header_of("<i4", "(1,)"), body, 2), "t"),
              ElementsAre(5));
  EXPECT_THAT(parse_npy_indices(npy_with_header(header_of("<i4", "(1,)"), body, 3), "t"),
              ElementsAre(5));
}

TEST(ParseNpy, ReadsTheKeysInAnyOrder) {
  const std::string header = "{\"shape\": (1,), 'descr': '|u1', 'fortran_order': False}\n";
  EXPECT_THAT(parse_npy_indices(npy_with_header(header, "\x09"), "t"), ElementsAre(9));
}

TEST(ParseNpy, RefusesAnotherFormat) {
  EXPECT_EQ(refusal("PK\x03\x04"), std::string("t.npy: this is no .npy file") + kAdvice);
}

TEST(ParseNpy, RefusesAnUnknownVersion) {
  EXPECT_EQ(refusal(npy_with_header(header_of("<i4", "(0,)"), "", 9)),
            std::string("t.npy: the .npy format version 9 is unknown") + kAdvice);
}

TEST(ParseNpy, RefusesFloats) {
  EXPECT_EQ(refusal(npy_with_header(header_of("<f8", "(1,)"), "12345678")),
            std::string("t.npy: element type '<f8' is no little-endian integer") + kAdvice);
}

TEST(ParseNpy, RefusesBigEndianNumbers) {
  EXPECT_EQ(refusal(npy_with_header(header_of(">i4", "(1,)"), "1234")),
            std::string("t.npy: element type '>i4' is no little-endian integer") + kAdvice);
}

TEST(ParseNpy, RefusesTwoDimensions) {
  EXPECT_EQ(refusal(npy_with_header(header_of("<i4", "(1, 1)"), "1234")),
            std::string("t.npy: the array has 2 dimensions, not 1") + kAdvice);
}

TEST(ParseNpy, RefusesASingleNumber) {
  EXPECT_EQ(refusal(npy_with_header(header_of("<i4", "()"), "1234")),
            std::string("t.npy: the array has 0 dimensions, not 1") + kAdvice);
}

TEST(ParseNpy, RefusesFortranOrder) {
  EXPECT_EQ(
      refusal(npy_with_header("{'descr': '<i4', 'fortran_order': True, 'shape': (1,)}", "1234")),
      std::string("t.npy: the array is in Fortran order") + kAdvice);
}

TEST(ParseNpy, RefusesATruncatedBody) {
  std::string bytes = npy_array<std::int32_t>("<i4", {1, 2, 3});
  bytes.pop_back();
  EXPECT_EQ(refusal(bytes),
            std::string("t.npy: the header promises 3 elements of 4 bytes, but 11 bytes follow") +
                kAdvice);
}

TEST(ParseNpy, RefusesATruncatedHeader) {
  EXPECT_EQ(refusal(npy_array<std::int32_t>("<i4", {1}).substr(0, 40)),
            std::string("t.npy: the file ends inside the header") + kAdvice);
}

TEST(ParseNpy, RefusesAMalformedHeader) {
  EXPECT_EQ(refusal(npy_with_header("{'descr': '<i4'}", "")),
            std::string("t.npy: the header is malformed") + kAdvice);
  EXPECT_EQ(refusal(npy_with_header("", "")),
            std::string("t.npy: the header is malformed") + kAdvice);
}

TEST(ParseNpy, RefusesAValueBeyondAnyIndex) {
  EXPECT_EQ(
      refusal(npy_array<std::uint64_t>("<u8", {1ULL << 63})),
      std::string("t.npy: the value 9223372036854775808 is too large for an index") + kAdvice);
}

TEST(ParseNpy, SurvivesMutations) {
  const std::vector<std::string> seeds = {
      npy_array<std::int32_t>("<i4", {0, 5, 2}), npy_array<std::uint8_t>("|u1", {1, 2, 3, 4}),
      npy_with_header(header_of("<i8", "(2,)"), std::string(16, '\1'), 2)};
  int read = 0;
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 20000; ++trial) {
    Stream stream(11, "npy mutation", 0, trial);
    const std::string bytes = mutate(seeds[stream.below(seeds.size())], stream);
    try {
      EXPECT_LE(parse_npy_indices(bytes, "t.npy").size(), bytes.size());
      ++read;
    } catch (const UserError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("t.npy: "));
      ++refused;
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

TEST(FormatNpy, WritesWhatNumpySaveWrites) {
  const std::vector<float> values = {1.0F, -2.5F, 0.0F, 3.0F, 4.0F, 5.0F};
  const std::string bytes = format_npy(values, {2, 3});
  // From numpy/lib/format.py: the header is padded with spaces so that the data begin at a multiple
  // of 64 bytes.
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(bytes.substr(10, 118), header + "\n");
  EXPECT_EQ(bytes.substr(128, 8), std::string("\x00\x00\x80\x3f\x00\x00\x20\xc0", 8));
  EXPECT_EQ(bytes.size(), 128U + 24U);
}

TEST(FormatNpy, WritesAVectorAsATupleOfOne) {
  const std::vector<float> values = {1.0F};
  EXPECT_NE(format_npy(values, {1}).find("'shape': (1,), }"), std::string::npos);
}

}  // namespace
}  // namespace probedarts::data
