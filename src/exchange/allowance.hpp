#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace probedarts::exchange {

/// Throws the UserError of a file that cannot be read as a checkpoint:
/// "<name>: not a readable checkpoint: <why>".
[[noreturn]] void refuse(const std::string& name, const std::string& why);

/// Text of a file as it may stand in a message: at most 100 bytes, what is not ASCII escaped.
std::string printable(std::string_view text);

/// What reading one file may cost in memory: 64 MiB and eight times its length.
///
/// A checkpoint's tensors take about as much memory as the file. A hostile file asks for far more:
/// compressed zeros, one number viewed as a large matrix, millions of empty lists. Everything that
/// reading allocates in proportion to the file's words, and not to its length, is charged here
/// first, so such a file is refused before it costs anything. Source: ours.
class Allowance {
 public:
  Allowance(std::string name, std::uint64_t file_bytes);

  /// \throws UserError when `bytes` more than allowed would be in use.
  void charge(std::uint64_t bytes);
  /// The same for `count` times `each` bytes, which may be beyond 64 bits.
  void charge(std::uint64_t count, std::uint64_t each);

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::uint64_t total_;
  std::uint64_t left_;
};

}  // namespace probedarts::exchange
