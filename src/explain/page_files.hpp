#pragma once

#include <string_view>

/// The page's style, turned into bytes at build time (cmake/EmbedFiles.cmake).
namespace probedarts::explain::page_files {

extern const std::string_view kStyle;  ///< page/sheet.css

}  // namespace probedarts::explain::page_files
