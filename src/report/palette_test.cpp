// What palette.hpp promises, in numbers. Simulated sight: Machado, Oliveira & Fernandes, "A
// physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15(6), 2009,
// the matrices of severity 1 for linear sRGB. Distances are CIE76, Euclidean in CIELAB (D65), where
// 2.3 is just noticeable (Mahy et al. 1994); contrast is that of WCAG 2.1, which asks 3:1 of lines.

#include "report/palette.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace probedarts::report {
namespace {

using Triple = std::array<double, 3>;
using Matrix = std::array<Triple, 3>;

constexpr Matrix kTypical = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
constexpr Matrix kProtanopia = {{{0.152286, 1.052583, -0.204868},
                                 {0.114503, 0.786281, 0.099216},
                                 {-0.003882, -0.048116, 1.051998}}};
constexpr Matrix kDeuteranopia = {{{0.367322, 0.860646, -0.227968},
                                   {0.280085, 0.672501, 0.047413},
                                   {-0.011820, 0.042940, 0.968881}}};
constexpr Matrix kToXyz = {{{0.4124564, 0.3575761, 0.1804375},
                            {0.2126729, 0.7151522, 0.0721750},
                            {0.0193339, 0.1191920, 0.9503041}}};

Triple times(const Matrix& matrix, const Triple& v) {
  Triple out{};
  for (std::size_t i = 0; i < 3; ++i) {
    out[i] = matrix[i][0] * v[0] + matrix[i][1] * v[1] + matrix[i][2] * v[2];
  }
  return out;
}

/// Linear sRGB, 0..1, of "#rrggbb".
Triple linear(const std::string& color) {
  Triple rgb{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
    rgb[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return rgb;
}

Triple lab(const std::string& color, const Matrix& sight) {
  Triple seen = times(sight, linear(color));
  for (double& c : seen) {
    c = std::clamp(c, 0.0, 1.0);
  }
  const Triple xyz = times(kToXyz, seen);
  const auto f = [](double t) {
    return t > 216.0 / 24389.0 ? std::cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
  };
  const double x = f(xyz[0] / 0.95047), y = f(xyz[1]), z = f(xyz[2] / 1.08883);
  return {116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)};
}

double distance(const Triple& a, const Triple& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

double contrast(const std::string& a, const std::string& b) {
  const double ya = times(kToXyz, linear(a))[1] + 0.05;
  const double yb = times(kToXyz, linear(b))[1] + 0.05;
  return std::max(ya, yb) / std::min(ya, yb);
}

/// The least that any two of the colours differ, as `measure` has it.
double least(const char* LineStyle::*page, const auto& measure) {
  double found = 1e9;
  for (std::size_t a = 0; a < kLineStyles.size(); ++a) {
    for (std::size_t b = a + 1; b < kLineStyles.size(); ++b) {
      found = std::min(found, measure(kLineStyles[a].*page, kLineStyles[b].*page));
    }
  }
  return found;
}

class Palette : public ::testing::TestWithParam<const char * LineStyle::*> {};

TEST_P(Palette, StaysApartForReadersWithoutRedOrGreenCones) {
  for (const Matrix& sight : {kTypical, kProtanopia, kDeuteranopia}) {
    EXPECT_GT(least(GetParam(),
                    [&](const std::string& a, const std::string& b) {
                      return distance(lab(a, sight), lab(b, sight));
                    }),
              15.0);
  }
}

TEST_P(Palette, StaysApartInGreyPrint) {
  // Eight greys that a page leaves room for: 4.9 L* is twice what is just noticeable. Markers and
  // dashes must say the rest.
  EXPECT_GT(least(GetParam(),
                  [](const std::string& a, const std::string& b) {
                    return std::abs(lab(a, kTypical)[0] - lab(b, kTypical)[0]);
                  }),
            4.9);
}

TEST_P(Palette, StandsOutFromThePage) {
  const bool dark = GetParam() == &LineStyle::dark;
  for (const LineStyle& style : kLineStyles) {
    EXPECT_GE(contrast(style.*GetParam(), dark ? "#1d2024" : "#ffffff"), 3.0) << style.*GetParam();
  }
}

INSTANTIATE_TEST_SUITE_P(BothPages, Palette,
                         ::testing::Values(&LineStyle::light, &LineStyle::dark));

TEST(PaletteTest, MeasuresKnownColours) {
  // White is L* 100, and red against black 21:5.25 by WCAG's formula, (0.2126 + 0.05) / 0.05.
  EXPECT_NEAR(lab("#ffffff", kTypical)[0], 100.0, 1e-3);
  EXPECT_NEAR(contrast("#ff0000", "#000000"), 5.25, 0.01);
  // What everybody mixes up: these reds and greens differ for most, and far less for some.
  const auto apart = [](const Matrix& sight) {
    return distance(lab("#c04d00", sight), lab("#8a6d00", sight));
  };
  EXPECT_GT(apart(kTypical), 30.0);
  EXPECT_LT(apart(kProtanopia), 10.0);
}

TEST(PaletteSigns, AreNeverColourAlone) {
  std::set<std::string> markers;
  for (const LineStyle& style : kLineStyles) {
    markers.insert(style.marker);
  }
  EXPECT_EQ(markers.size(), kLineStyles.size());
  std::set<std::size_t> primitives;
  for (std::size_t p = 0; p < kPrimitiveStyles.size(); ++p) {
    primitives.insert(kPrimitiveStyles[p].line);
    EXPECT_EQ(kPrimitiveStyles[p].dash[1] > 0, space::kPrimitives[p].parameter_free) << p;
  }
  EXPECT_EQ(primitives.size(), kPrimitiveStyles.size());
}

}  // namespace
}  // namespace probedarts::report
