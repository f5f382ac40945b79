#pragma once

#include <filesystem>
#include <optional>
#include <string>

/// What the ending of a child says: its sentence where it failed, its numbers where it did not.
namespace probedarts::study {

/// Why a child failed, as one sentence, from its exit code and the last line of its log.
std::string failure_reason(int exit_code, const std::filesystem::path& log);

/// Of a child that failed for want of space: what it said, up to "...; free some space". Full are a
/// disk, a quota, and what a limit on file sizes allows; a log without a word on a disk with less
/// than 1 MiB left counts too, because there the sentence did not fit.
/// \returns nothing when it failed for another reason.
std::optional<std::string> full_disk_sentence(const std::filesystem::path& log);

/// What a run printed, with the least validation error of its epochs, which searches do not print.
/// \throws json::exception when a line is malformed.
std::string result_of_run(const std::string& printed, const std::filesystem::path& epochs_jsonl);

}  // namespace probedarts::study
