#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace probedarts::report {

/// One self-contained HTML page (no network) from run folders; several runs stand side by side.
/// \throws UserError when a folder is no run folder or has no finished epoch.
std::string render_report(const std::vector<std::filesystem::path>& runs);

}  // namespace probedarts::report
