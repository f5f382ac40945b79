#include "study/sheets.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "report/json_field.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using report::JsonField;

std::string joined(const JsonField& labels) {
  std::string text;
  if (!labels.is_null()) {
    for (const JsonField& label : labels.items()) {
      text += (text.empty() ? "" : ", ") + label.text();
    }
  }
  return text;
}

/// The rows of one image: the t-th holds the t-th map of each network, without pictures; beside it
/// the files of the maps.
struct ImageRows {
  std::vector<SheetRow> rows;
  std::vector<std::vector<fs::path>> files;
};

ImageRows rows_of(const JsonField& image, const std::vector<std::string>& networks,
                  const fs::path& folder) {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    place[networks[i]] = i;
  }
  std::vector<std::size_t> seen(networks.size());
  ImageRows found;
  for (const JsonField& map : image.at("maps").items()) {
    const auto network = place.find(map.at("network").text());
    if (network == place.end()) {
      map.at("network").refuse("is none of 'networks'");
    }
    const std::size_t t = seen[network->second]++;
    if (t == found.rows.size()) {
      found.rows.push_back({fs::path(image.at("image").text()).filename().string(),
                            joined(image.at("label")), "", std::vector<SheetMap>(networks.size())});
      found.files.emplace_back(networks.size());
    }
    found.rows[t].maps[network->second] = {map.at("class").text(), map.at("probability").number(),
                                           map.at("speaks_for").value() == true, ""};
    found.files[t][network->second] = folder / map.at("overlay").text();
  }
  return found;
}

}  // namespace

Sheet read_sheet(const std::string& title, const fs::path& folder, const EmbedPicture& embed,
                 std::size_t& room) {
  Sheet sheet{title, folder / "index.html"};
  const fs::path facts = folder / "explain.json";
  if (!embed || !fs::is_regular_file(facts)) {
    return sheet;
  }
  const std::string where = fmt::format("'{}'", facts.string());
  const auto document = nlohmann::json::parse(read_file(facts), nullptr, false);
  const JsonField root(document, where);
  for (const JsonField& network : root.at("networks").items()) {
    sheet.networks.push_back(network.at("name").text());
  }
  for (const JsonField& image : root.at("images").items()) {
    ImageRows found = rows_of(image, sheet.networks, folder);
    const fs::path original = image.at("image").text();
    const std::string shown = room > 0 && fs::is_regular_file(original) ? embed(original) : "";
    for (std::size_t t = 0; t < found.rows.size(); ++t) {
      if (room == 0) {
        ++sheet.rows_left_out;
        continue;
      }
      SheetRow& row = found.rows[t];
      row.picture = shown;
      std::size_t bytes = shown.size();
      for (std::size_t i = 0; i < row.maps.size(); ++i) {
        if (fs::is_regular_file(found.files[t][i])) {
          row.maps[i].picture = embed(found.files[t][i]);
          bytes += row.maps[i].picture.size();
        }
      }
      room -= std::min(room, bytes);
      sheet.rows.push_back(std::move(row));
    }
  }
  return sheet;
}

}  // namespace probedarts::study
