#include "study/child_result.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <limits>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFull[] = {ENOSPC, EDQUOT, EFBIG};

/// The last line that is not empty.
std::string last_line(const fs::path& path) {
  std::error_code none;
  if (!fs::exists(path, none)) {
    return "";
  }
  std::string text = read_file(path);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

/// The last line, without the name of the program.
std::string sentence_in(const fs::path& log) {
  std::string said = last_line(log);
  constexpr std::string_view kName = "probedarts: ";
  if (said.starts_with(kName)) {
    said.erase(0, kName.size());
  }
  return said;
}

}  // namespace

std::string failure_reason(int exit_code, const fs::path& log) {
  const std::string said = sentence_in(log);
  if (exit_code == 128 + SIGKILL) {
    return "killed by the system, most likely out of memory";
  }
  if (exit_code == 3) {
    return "diverged: " + said;
  }
  return said.empty() ? fmt::format("ended with exit code {}", exit_code) : said;
}

std::optional<std::string> full_disk_sentence(const fs::path& log) {
  constexpr std::uintmax_t kAllButFull = std::uintmax_t{1} << 20;
  constexpr std::string_view kAdvice = "; free some space";
  std::string said = sentence_in(log);
  const bool told = std::any_of(std::begin(kFull), std::end(kFull), [&](int error) {
    return said.find(fmt::format(": {}", std::strerror(error))) != std::string::npos;
  });
  std::error_code unknown;
  if (!told && (!said.empty() || fs::space(log, unknown).available >= kAllButFull)) {
    return std::nullopt;
  }
  if (said.empty()) {
    said = fmt::format("cannot write: {}", std::strerror(ENOSPC));
  } else if (const std::size_t advice = said.find(kAdvice); advice != std::string::npos) {
    said.erase(advice);
  }
  return said + std::string(kAdvice);
}

std::string result_of_run(const std::string& printed, const fs::path& epochs_jsonl) {
  if (!fs::exists(epochs_jsonl)) {
    return printed;
  }
  json result = json::parse(printed);
  const std::string text = read_file(epochs_jsonl);
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const json line = json::parse(text.substr(at, end - at));
    best = std::min(best, line.at("valid").at("error").get<double>());
    at = end + 1;
  }
  result["best_error"] = best;
  return result.dump();
}

}  // namespace probedarts::study
