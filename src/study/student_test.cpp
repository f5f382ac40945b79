#include "study/student.hpp"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

// Numbers "of scipy": scipy 1.10.1, `stats.t.cdf(t, nu)`, `stats.t.ppf(p, nu)`, and for power
// `t = stats.t.ppf(1 - level / 2, n - 1); nc = effect * n ** .5;
//  1 - stats.nct.cdf(t, n - 1, nc) + stats.nct.cdf(-t, n - 1, nc)`.
constexpr double kSame = 1e-12;  // both sides are good to about 1e-13

TEST(Student, IsCauchyWithOneDegreeOfFreedom) {
  EXPECT_NEAR(student_cdf(1.0, 1.0), 0.75, kSame);
  EXPECT_NEAR(student_cdf(6.0, 1.0), 0.5 + std::atan(6.0) / std::numbers::pi, kSame);
}

TEST(Student, HasItsClosedFormWithTwoDegreesOfFreedom) {
  const double t = 1.7;
  EXPECT_NEAR(student_cdf(t, 2.0), 0.5 + t / (2.0 * std::sqrt(2.0 + t * t)), kSame);
}

TEST(Student, IsSymmetric) {
  EXPECT_DOUBLE_EQ(student_cdf(0.0, 7.0), 0.5);
  EXPECT_NEAR(student_cdf(-1.2, 7.0) + student_cdf(1.2, 7.0), 1.0, kSame);
}

TEST(Student, AgreesWithScipy) {
  EXPECT_NEAR(student_cdf(1.5, 3.0), 0.8847080673775886, kSame);
  EXPECT_NEAR(student_cdf(-2.3, 17.5), 0.01699812364711507, kSame);
  EXPECT_NEAR(student_cdf(0.01, 200.0), 0.5039843724233594, kSame);
}

TEST(Student, QuantilesAgreeWithScipy) {
  // scipy's own search stops early: its 3.396240288341516 has a tail of 0.00100000000004 (by the
  // closed form for odd nu, Abramowitz & Stegun 26.7.3), which is 1.6e-11 in t.
  EXPECT_NEAR(student_quantile(0.975, 3.0), 3.182446305284263, 1e-10);
  EXPECT_NEAR(student_quantile(0.999, 29.0), 3.396240288341516, 1e-10);
  EXPECT_NEAR(student_quantile(0.1, 2.0), -1.88561808316415, 1e-10);
}

TEST(PairedTPower, IsTheLevelWithoutAnEffect) {
  EXPECT_NEAR(paired_t_power(2, 0.0, 0.05), 0.05, 1e-6);
  EXPECT_NEAR(paired_t_power(12, 0.0, 0.05), 0.05, 1e-6);
}

TEST(PairedTPower, AgreesWithScipy) {
  EXPECT_NEAR(paired_t_power(10, 1.0, 0.05), 0.8030968566475513, 1e-6);
  // 34 runs are summed in fewer steps than 10
  EXPECT_NEAR(paired_t_power(34, 0.5, 0.05), 0.8077775012792737, 1e-6);
}

}  // namespace
}  // namespace probedarts::study
