#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/escape.hpp"
#include "core/version.hpp"
#include "report/page_data.hpp"
#include "report/page_files.hpp"
#include "report/page_sections.hpp"
#include "report/read_run.hpp"
#include "report/report.hpp"

namespace probedarts::report {
namespace {

/// Names as the runs carry them; a name that comes again gets a number, since charts and tables
/// tell runs by name.
std::vector<std::string> distinct_names(const std::vector<Run>& runs) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const Run& run : runs) {
    std::string name = run.name;
    for (int copy = 2; !taken.insert(name).second; ++copy) {
      name = fmt::format("{} ({})", run.name, copy);
    }
    names.push_back(name);
  }
  return names;
}

/// Replaces every {{key}} once, in one pass, so that nothing a run folder says is taken for a
/// placeholder.
std::string fill(std::string_view page, const std::map<std::string, std::string>& parts) {
  std::string filled;
  for (;;) {
    const std::size_t open = page.find("{{");
    if (open == std::string_view::npos) {
      return filled.append(page);
    }
    const std::size_t close = page.find("}}", open);
    require(close != std::string_view::npos, "report.html: a placeholder is not closed");
    const auto part = parts.find(std::string(page.substr(open + 2, close - open - 2)));
    require(part != parts.end(), "report.html: unknown placeholder");
    filled.append(page.substr(0, open)).append(part->second);
    page.remove_prefix(close + 2);
  }
}

/// "search", "train" or "both": which sections have something to show.
std::string kinds_of(const std::vector<Run>& runs) {
  const auto is_search = [](const Run& run) { return run.is_search(); };
  if (std::all_of(runs.begin(), runs.end(), is_search)) {
    return "search";
  }
  return std::any_of(runs.begin(), runs.end(), is_search) ? "both" : "train";
}

}  // namespace

std::string render_report(const std::vector<std::filesystem::path>& folders) {
  if (folders.empty()) {
    throw UserError(
        "report: no run folder given; name at least one that `probedarts search` or `probedarts "
        "train` wrote");
  }
  std::vector<Run> runs;
  for (const auto& folder : folders) {
    runs.push_back(read_run(folder));
  }
  const std::vector<std::string> names = distinct_names(runs);
  std::vector<NamedRun> named;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    named.push_back({&runs[i], names[i]});
  }
  std::string title = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) {
    title += ", " + names[i];
  }
  return fill(page_files::kTemplate,
              {{"title", escape_html(title)},
               {"style", std::string(page_files::kStyle)},
               {"chart_library", std::string(page_files::kChartLibrary)},
               {"charts", std::string(page_files::kCharts)},
               {"script", std::string(page_files::kScript)},
               {"data", page_data(runs, names)},
               {"kinds", kinds_of(runs)},
               {"count", runs.size() == 1 ? "one" : "several"},
               {"summary", summary_cards(named)},
               {"cells", cell_drawings(named)},
               {"findings", finding_lists(named)},
               {"time", time_table(named)},
               {"configuration", configuration_table(named)},
               {"commands", command_list(named)},
               {"version", escape_html(fmt::format("{} ({})", version(), commit()))}});
}

}  // namespace probedarts::report
