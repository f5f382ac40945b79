#include "explain/contact_sheet.hpp"

#include <fmt/format.h>

#include "core/escape.hpp"
#include "core/version.hpp"
#include "explain/page_files.hpp"
#include "explain/paint.hpp"

namespace probedarts::explain {
namespace {

std::string element_of(const Picture& picture, const std::string& described) {
  return fmt::format(R"(<img src="{}" width="{}" height="{}" alt="{}">)", data_uri(picture.jpeg),
                     picture.width, picture.height, escape_html(described));
}

/// "class 7" for a class that has a number only.
std::string shown_class(const std::string& name) {
  const bool number = name.find_first_not_of("0123456789") == std::string::npos;
  return escape_html(number ? "class " + name : name);
}

std::string score(const std::string& class_name, double probability) {
  return fmt::format(R"(<p class="score"><span class="class">{}</span> <b>{:.3f}</b></p>)"
                     R"(<div class="bar" aria-hidden="true"><i style="width:{:.1f}%"></i></div>)",
                     shown_class(class_name), probability, 100.0 * probability);
}

std::string answer(const SheetMap& map) {
  const std::string mark = !map.right   ? ""
                           : *map.right ? R"( <span class="right">as labelled</span>)"
                                        : R"( <span class="wrong">not the label</span>)";
  if (map.top_class == map.class_name) {
    return fmt::format(R"(<p class="top">its first answer{}</p>)", mark);
  }
  return fmt::format(R"(<p class="top">first answer: {} {:.3f}{}</p>)", shown_class(map.top_class),
                     map.top_probability, mark);
}

std::string map_figure(const SheetMap& map, const SheetNetwork& network, const SheetRow& row) {
  const std::string described =
      map.speaks_for
          ? fmt::format("Heat map of {} for {} on {}", network.name, map.class_name, row.image)
          : fmt::format("{} finds nothing that speaks for {} on {}", network.name, map.class_name,
                        row.image);
  return fmt::format(R"(<figure class="map">{}<figcaption><h3>{}</h3>{}{}{}</figcaption></figure>)",
                     element_of(map.overlay, described), escape_html(network.name),
                     score(map.class_name, map.probability), answer(map),
                     map.speaks_for ? "" : R"(<p class="none">no place speaks for it</p>)");
}

std::string row_article(const SheetRow& row, const Sheet& sheet) {
  const std::string label =
      row.label.empty() ? ""
                        : fmt::format(R"(<p class="label">label: {}</p>)", escape_html(row.label));
  std::string figures = fmt::format(
      R"(<figure>{}<figcaption><h3>image</h3><p class="file">{}</p>{}</figcaption></figure>)",
      element_of(row.picture, row.image), escape_html(row.image), label);
  for (std::size_t i = 0; i < row.maps.size(); ++i) {
    figures += map_figure(row.maps[i], sheet.networks[i], row);
  }
  return fmt::format(R"(<article style="max-width:{}px" aria-label="{}">{}</article>)"
                     "\n",
                     270 * (row.maps.size() + 1), escape_html(row.image), figures);
}

std::string network_list(const Sheet& sheet) {
  std::string items;
  for (const SheetNetwork& network : sheet.networks) {
    items += fmt::format("<li><b>{}</b>, at layer <code>{}</code></li>", escape_html(network.name),
                         escape_html(network.layer));
  }
  return items;
}

}  // namespace

Picture picture_of(const data::Image& image) {
  return {image.width, image.height, encode_jpeg(image)};
}

std::string render_sheet(const Sheet& sheet) {
  std::string page = fmt::format(
      R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{0} - probedarts heat maps</title>
<link rel="icon" href="data:,">
<style>{1}
.scale i {{ background: linear-gradient(to right, {2}); }}</style>
</head>
<body>
<header>
<p class="brand">probedarts heat maps</p>
<h1>{0}</h1>
<ul class="networks">{3}</ul>
<p class="scale"><span>nothing</span><i></i><span>most</span></p>
<p class="hint">{4}: what speaks for the class named below a map, each map from 0 to its own maximum. Numbers are {5}.</p>
</header>
<main>
)",
      escape_html(sheet.title), page_files::kStyle, legend_gradient(), network_list(sheet),
      escape_html(sheet.method),
      sheet.multi_label ? "probabilities by a sigmoid, each class by itself"
                        : "probabilities by a softmax over all classes");
  for (const SheetRow& row : sheet.rows) {
    page += row_article(row, sheet);
  }
  return page + fmt::format(
                    "</main>\n<footer><p>Made by probedarts {}. This page holds all its "
                    "pictures and needs no network.</p></footer>\n</body>\n</html>\n",
                    escape_html(fmt::format("{} ({})", version(), commit())));
}

}  // namespace probedarts::explain
