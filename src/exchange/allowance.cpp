#include "exchange/allowance.hpp"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"

namespace probedarts::exchange {

void refuse(const std::string& name, const std::string& why) {
  throw UserError(fmt::format("{}: not a readable checkpoint: {}", name, why));
}

std::string printable(std::string_view text) {
  using nlohmann::json;
  const std::string quoted =
      json(text.substr(0, 100)).dump(-1, ' ', true, json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

Allowance::Allowance(std::string name, std::uint64_t file_bytes)
    : name_(std::move(name)), total_((std::uint64_t{64} << 20) + 8 * file_bytes), left_(total_) {}

void Allowance::charge(std::uint64_t bytes) {
  if (bytes > left_) {
    refuse(name_, fmt::format("it would unpack to more than {} MiB, far more than its own length",
                              total_ >> 20));
  }
  left_ -= bytes;
}

void Allowance::charge(std::uint64_t count, std::uint64_t each) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) {
    bytes = std::numeric_limits<std::uint64_t>::max();
  }
  charge(bytes);
}

}  // namespace probedarts::exchange
