#pragma once

// For tests: what data::ContentIndex remembers of files, changed by hand.
#include <filesystem>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "core/files.hpp"

namespace probedarts::testing {

/// The lines of an index file with `change` applied to each entry, under a new hash.
template <typename Change>
void rewrite_index(const std::filesystem::path& path, Change change) {
  std::istringstream lines(read_file(path));
  std::string line;
  std::getline(lines, line);
  const std::string title = line.substr(0, line.rfind(' '));
  std::string body;
  while (std::getline(lines, line)) {
    nlohmann::json entry = nlohmann::json::parse(line);
    change(entry);
    body += entry.dump() + "\n";
  }
  write_file_atomically(path, title + " " + content_hash(body) + "\n" + body);
}

}  // namespace probedarts::testing
