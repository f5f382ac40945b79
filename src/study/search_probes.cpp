#include "study/search_probes.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <ios>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::streamoff kFirstBytes = 1 << 16;  // a line of a search of 4 cells has about 100 kB

/// Without its line break; empty when no line is whole.
std::string last_whole_line(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    report_file_failure("read", path, errno);
  }
  const std::streamoff size = file.tellg();
  for (std::streamoff wanted = kFirstBytes;; wanted *= 4) {
    const std::streamoff bytes = std::min(wanted, size);
    std::string tail(static_cast<std::size_t>(bytes), '\0');
    file.seekg(size - bytes);
    file.read(tail.data(), bytes);
    if (!file) {
      report_file_failure("read", path, errno);
    }
    const std::size_t end = tail.rfind('\n');
    if (end == std::string::npos && bytes < size) {
      continue;
    }
    if (end == std::string::npos) {
      return "";
    }
    const std::size_t before = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    if (before != std::string::npos || bytes == size) {
      const std::size_t begin = before == std::string::npos ? 0 : before + 1;
      return tail.substr(begin, end - begin);
    }
  }
}

std::optional<double> number_at(const json& line, const char* place) {
  const json::json_pointer pointer(place);
  return line.contains(pointer) && line[pointer].is_number()
             ? std::optional(line[pointer].get<double>())
             : std::nullopt;
}

std::optional<double> mean_at(const json& line, const char* place) {
  const json::json_pointer pointer(place);
  if (!line.contains(pointer)) {
    return std::nullopt;
  }
  double sum = 0.0;
  double count = 0.0;
  for (const json& value : line[pointer]) {
    if (value.is_number()) {
      sum += value.get<double>();
      count += 1.0;
    }
  }
  return count > 0.0 ? std::optional(sum / count) : std::nullopt;
}

}  // namespace

SearchProbes read_search_probes(const fs::path& epochs_jsonl) {
  const json line = json::parse(last_whole_line(epochs_jsonl), nullptr, false);
  if (!line.is_object()) {
    throw UserError(fmt::format(
        "run folder: the last line of '{}' is no valid JSON; restore the file or repeat the run",
        epochs_jsonl.string()));
  }
  return {mean_at(line, "/probe/stable_rank"),
          number_at(line, "/eigenvalue/largest"),
          number_at(line, "/gap/gap"),
          number_at(line, "/alignment/cosine"),
          number_at(line, "/collapse/normal/parameter_free_share"),
          mean_at(line, "/probe/velocity")};
}

std::vector<std::vector<SearchProbes>> read_all_search_probes(const Plan& plan,
                                                              const Progress& progress,
                                                              const StudyFolder& folder) {
  std::vector<std::vector<SearchProbes>> rows;
  for (const Row& row : plan.rows) {
    rows.emplace_back();
    for (const std::size_t task : row.searches) {
      const fs::path file = folder.run(plan.tasks[task].id) / "epochs.jsonl";
      const bool is_there = progress.states[task] == TaskState::kDone && fs::is_regular_file(file);
      rows.back().push_back(is_there ? read_search_probes(file) : SearchProbes{});
    }
  }
  return rows;
}

}  // namespace probedarts::study
