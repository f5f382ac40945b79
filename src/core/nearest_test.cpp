#include "core/nearest.hpp"

#include <gtest/gtest.h>

namespace probedarts {
namespace {

TEST(Nearest, AllowsHalfTheLettersAndAtMostThreeToDiffer) {
  EXPECT_EQ(nearest("epohcs", {"epochs", "optimizer"}), "epochs");
  EXPECT_EQ(nearest("optimixxxr", {"optimizer"}), "optimizer");
  EXPECT_EQ(nearest("optixxxxr", {"optimizer"}), std::nullopt);
  EXPECT_EQ(nearest("ab", {"cd"}), std::nullopt);
  EXPECT_EQ(nearest("", {"a"}), std::nullopt);
}

TEST(Nearest, TakesTheFirstOfEquals) { EXPECT_EQ(nearest("lx", {"lr", "la"}), "lr"); }

}  // namespace
}  // namespace probedarts
