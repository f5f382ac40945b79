#pragma once

#include <cstdint>

/// The fixed parts of a zip file, for its reader and its writer alone.
namespace probedarts::exchange {

// Signatures and lengths of the fixed parts, APPNOTE 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
inline constexpr std::uint32_t kLocalSignature = 0x04034b50;
inline constexpr std::uint64_t kLocalBytes = 30;
inline constexpr std::uint32_t kDirectorySignature = 0x02014b50;
inline constexpr std::uint64_t kDirectoryBytes = 46;
inline constexpr std::uint32_t kEndSignature = 0x06054b50;
inline constexpr std::uint64_t kEndBytes = 22;
inline constexpr std::uint32_t kEnd64Signature = 0x06064b50;
inline constexpr std::uint64_t kEnd64Bytes = 56;
inline constexpr std::uint32_t kLocator64Signature = 0x07064b50;
inline constexpr std::uint64_t kLocator64Bytes = 20;

}  // namespace probedarts::exchange
