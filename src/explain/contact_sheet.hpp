#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/image.hpp"

/// One page with images and what several networks look at, side by side (the paper's figure 8).
namespace probedarts::explain {

/// An encoded picture: a sheet may hold thousands.
struct Picture {
  int width = 0;
  int height = 0;
  std::string jpeg;
};
Picture picture_of(const data::Image& image);

/// What one network says about one image, and where it looks.
struct SheetMap {
  Picture overlay;
  std::string class_name;  ///< that the map speaks for
  double probability = 0.0;
  double logit = 0.0;
  bool speaks_for = true;  ///< false: no place speaks for the class, the map is empty
  std::string top_class;   ///< what the network would answer
  double top_probability = 0.0;
  std::optional<bool> right;  ///< whether that is the label, where one is known
};

/// One image and one target.
struct SheetRow {
  std::string image;  ///< its name
  std::string label;  ///< empty when not known
  Picture picture;
  std::vector<SheetMap> maps;  ///< one per network
};

struct SheetNetwork {
  std::string name;
  std::string layer;
};

struct Sheet {
  std::string title;
  std::string method;  ///< as title_of says it
  bool multi_label = false;
  std::vector<SheetNetwork> networks;
  std::vector<SheetRow> rows;
};

/// The page: it holds its pictures and needs neither network nor script.
std::string render_sheet(const Sheet& sheet);

}  // namespace probedarts::explain
