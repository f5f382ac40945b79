#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

/// Figure 8: the heat maps that phase explain made, as far as a page can carry them.
namespace probedarts::study {

/// A picture as a data URI, scaled down for a page. The caller brings it: this room decodes no
/// images. \throws UserError when the file is no image.
using EmbedPicture = std::function<std::string(const std::filesystem::path& file)>;

struct SheetMap {
  std::string class_name;
  double probability = 0.0;
  bool speaks_for = true;  ///< else nothing in the image speaks for the class
  std::string picture;     ///< data URI
};

/// An image and what each network sees in it for one of its labels.
struct SheetRow {
  std::string image;           ///< its file's name
  std::string label;           ///< as the data set has it; empty when not known
  std::string picture;         ///< data URI; empty when the image is gone
  std::vector<SheetMap> maps;  ///< one a network
};

/// A page of heat maps that phase explain made.
struct Sheet {
  std::string title;
  std::filesystem::path page;  ///< index.html, which holds all maps in their own size
  std::vector<std::string> networks = {};
  std::vector<SheetRow> rows = {};
  std::size_t rows_left_out = 0;  ///< since the pictures would take too much room
};

/// Reads explain.json of a folder that `explain` wrote (docs/explain.md).
/// \param room  bytes of pictures that may still go into the page; counted down.
/// \throws UserError when explain.json is malformed.
Sheet read_sheet(const std::string& title, const std::filesystem::path& folder,
                 const EmbedPicture& embed, std::size_t& room);

}  // namespace probedarts::study
