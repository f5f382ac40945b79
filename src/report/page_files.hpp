#pragma once

#include <string_view>

/// The page's parts, turned into bytes at build time (cmake/EmbedFiles.cmake).
namespace probedarts::report::page_files {

extern const std::string_view kTemplate;      ///< page/report.html
extern const std::string_view kStyle;         ///< page/report.css
extern const std::string_view kCharts;        ///< page/charts.js, for pages of studies too
extern const std::string_view kScript;        ///< page/report.js
extern const std::string_view kChartLibrary;  ///< Chart.js, MIT, as Debian packages it

}  // namespace probedarts::report::page_files
