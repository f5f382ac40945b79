#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace probedarts {

/// Whole content of a file. \throws UserError when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes to a temporary name beside `path`, syncs, renames: a reader sees the old file or the new
/// one, never a half. A link is followed; a device or pipe is written to. \throws UserError when
/// the disk is full or the folder cannot be written; the old file is untouched.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Appends whole lines and syncs them. \throws UserError as above; a partial line is cut off again.
void append_to_file(const std::filesystem::path& path, std::string_view content);

/// Throws the UserError of a failed file operation: "cannot <verb> '<path>': <system's reason>;
/// <what to do>". \param error  errno of the failure.
[[noreturn]] void report_file_failure(const char* verb, const std::filesystem::path& path,
                                      int error);

/// XXH3-128 of the bytes, as 32 hexadecimal digits. Not cryptographic; for fingerprints and
/// integrity.
std::string content_hash(std::string_view bytes);

}  // namespace probedarts
