#pragma once

#include <string_view>

/// The parts of a study's page, turned into bytes at build time (cmake/EmbedFiles.cmake).
namespace probedarts::study::page_files {

extern const std::string_view kStyle;   ///< page/study.css, after report's
extern const std::string_view kScript;  ///< page/study.js

}  // namespace probedarts::study::page_files
