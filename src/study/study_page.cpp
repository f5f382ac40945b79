#include "study/study_page.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "core/version.hpp"
#include "report/page_files.hpp"
#include "study/chart_data.hpp"
#include "study/findings_tables.hpp"
#include "study/page_files.hpp"
#include "study/statistics.hpp"
#include "study/table_text.hpp"

namespace probedarts::study {
namespace {

constexpr const char* kStateNames[] = {"waiting", "running", "done", "failed", "blocked"};

std::string section(const char* id, const char* title, const std::string& body) {
  return body.empty() ? ""
                      : fmt::format(
                            "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 "
                            "id=\"{0}-title\">{1}</h2>\n{2}</section>\n",
                            id, title, body);
}

std::string states(const Plan& plan, const Progress& progress) {
  std::string html = "<p>";
  for (std::size_t s = 0; s < std::size(kStateNames); ++s) {
    html += fmt::format("{}{} {}", s > 0 ? ", " : "", progress.count(static_cast<TaskState>(s)),
                        kStateNames[s]);
  }
  html += fmt::format(" of {} runs.</p>\n", plan.tasks.size());
  std::string rows;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    if (progress.states[i] != TaskState::kDone) {
      rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                          escape_html(plan.tasks[i].label),
                          kStateNames[static_cast<std::size_t>(progress.states[i])],
                          escape_html(progress.records[i].reason));
    }
  }
  return rows.empty() ? html
                      : html +
                            "<details><summary>Runs without a result</summary><div "
                            "class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs "
                            "without a result\"><table><thead><tr><th>run</th><th>state</th>"
                            "<th>reason</th></tr></thead><tbody>\n" +
                            rows + "</tbody></table></div></details>\n";
}

std::string score_cell(const ScoredRow& row) {
  const MeanSd seen = mean_and_sd(row.scores);
  if (seen.runs == 0) {
    return "<td>-</td>";
  }
  const auto interval = interval_of_mean(row.scores);
  return fmt::format("<td>{}{}<br><span class=\"soft\">{}{} run{}</span></td>", percent(seen.mean),
                     seen.sd ? fmt::format("<sub>{}</sub>", percent(*seen.sd)) : "",
                     interval ? range_text(*interval) + "; " : "", seen.runs,
                     seen.runs == 1 ? "" : "s");
}

/// A table that scrolls by itself where it is wider than the page.
std::string scrolling(const std::string& name, const std::string& head, const std::string& body) {
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><thead><tr>"
      "{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      escape_html(name), head, body);
}

/// Amounts of one column in the unit that its largest asks for, with four digits.
struct ColumnUnit {
  double one = 1.0;
  const char* name = "";
};

ColumnUnit unit_of(const Figures& figures, std::int64_t NetworkSize::*amount) {
  std::int64_t largest = 0;
  for (const std::optional<RowSize>& size : figures.sizes) {
    largest = std::max(largest, size ? size->network.*amount : 0);
  }
  return largest >= 1'000'000'000 ? ColumnUnit{1e9, "10<sup>9</sup>"}
         : largest >= 1'000'000   ? ColumnUnit{1e6, "10<sup>6</sup>"}
                                  : ColumnUnit{1e3, "10<sup>3</sup>"};
}

struct SizeColumn {
  const char* name;
  std::int64_t NetworkSize::*amount;
};
constexpr SizeColumn kSizeColumns[] = {{"parameters", &NetworkSize::parameters},
                                       {"MACs, plain", &NetworkSize::macs},
                                       {"MACs, paper's count", &NetworkSize::macs_paper}};

/// Parameters and multiply-accumulates; without columns for them where no row's are known.
std::string size_cells(const Figures& figures, std::size_t row) {
  std::string html;
  for (const SizeColumn& column : kSizeColumns) {
    const std::optional<RowSize>& size = figures.sizes[row];
    html += size ? fmt::format(
                       "<td>{:.4g}{}</td>",
                       static_cast<double>(size->network.*column.amount) /
                           unit_of(figures, column.amount).one,
                       column.amount == &NetworkSize::parameters
                           ? ""
                           : fmt::format("<br><span class=\"soft\">{} px</span>", size->size_px))
                 : "<td>-</td>";
  }
  return html;
}

/// How far the accuracies hold for other images, or groups of them, like these.
std::string image_tables(const Findings& findings) {
  std::string html;
  for (const Measured& measured : findings.measures) {
    std::string body;
    for (std::size_t r = 0; r < measured.images.size(); ++r) {
      if (const std::optional<ImageScore>& score = measured.images[r]) {
        body += fmt::format("<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                            escape_html(measured.rows[r].name), percent(score->accuracy),
                            image_range_text(*score), score->images,
                            score->groups > 0 ? std::to_string(score->groups) : "not known");
      }
    }
    html += body.empty()
                ? ""
                : fmt::format("<h3>Over test images: {}</h3>\n", escape_html(measured.name)) +
                      scrolling("Over test images: " + measured.name,
                                "<th></th><th>mean of the runs</th><th>95 % interval</th>"
                                "<th>images</th><th>groups</th>",
                                body);
  }
  return html.empty() ? ""
                      : html +
                            "<p class=\"hint\">Runs tell how much a training varies, images how "
                            "much the test set does; groups are patients, slides or blocks, "
                            "drawn whole.</p>\n";
}

std::string table(const Findings& findings, const Figures& figures) {
  if (findings.measures.empty()) {
    return "<p>No results yet.</p>\n";
  }
  std::string head = "<th></th>";
  for (const Measured& measured : findings.measures) {
    head += fmt::format("<th>{}</th>", escape_html(measured.name));
  }
  const bool with_sizes = std::any_of(figures.sizes.begin(), figures.sizes.end(),
                                      [](const auto& size) { return size.has_value(); });
  for (const SizeColumn& column : kSizeColumns) {
    head += with_sizes
                ? fmt::format("<th>{}, {}</th>", column.name, unit_of(figures, column.amount).name)
                : "";
  }
  std::string body;
  for (std::size_t r = 0; r < findings.measures.front().rows.size(); ++r) {
    body += fmt::format("<tr><th>{}</th>", escape_html(findings.measures.front().rows[r].name));
    for (const Measured& measured : findings.measures) {
      body += score_cell(measured.rows[r]);
    }
    body += with_sizes ? size_cells(figures, r) : "";
    body += "</tr>\n";
  }
  return "<p>Percent: mean with standard deviation over runs, and below them Student's 95 % "
         "interval of the mean.</p>\n" +
         scrolling("Results", head, body) + image_tables(findings);
}

std::string sentences(const Findings& findings, const Measured& measured,
                      const std::vector<Comparison>& all, const std::string& title) {
  if (all.empty()) {
    return "";
  }
  const std::vector<Comparison> said = worth_saying(findings, measured, all);
  std::string html = fmt::format("<h3>{}</h3>\n<ul>\n", escape_html(title));
  for (const Comparison& comparison : said) {
    html += fmt::format("<li>{}</li>\n", escape_html(comparison.sentence));
  }
  const std::string note = note_on_pairs(said.size(), all.size());
  return html + "</ul>\n" +
         (note.empty() ? "" : fmt::format("<p class=\"note\">{}</p>\n", escape_html(note)));
}

std::string all_sentences(const Findings& findings) {
  std::string html;
  for (std::size_t m = 0; m < findings.measures.size(); ++m) {
    const Measured& measured = findings.measures[m];
    html += sentences(findings, measured, findings.comparisons[m], measured.name + ", over runs");
    if (m < findings.image_comparisons.size()) {
      html += sentences(findings, measured, findings.image_comparisons[m],
                        measured.name + ", over test images");
    }
  }
  return html;
}

/// What the probes said at the end of the searches.
std::string probes(const Findings& findings) {
  const std::vector<std::size_t> recorded = recorded_probes(findings);
  std::string head = "<th></th>";
  for (const std::size_t probe : recorded) {
    head += fmt::format("<th>{}</th>", kSearchProbes[probe]);
  }
  std::string body;
  for (std::size_t row = 0; row < findings.probes.size(); ++row) {
    if (findings.probes[row].empty()) {
      continue;  // not searched
    }
    body += fmt::format("<tr><th>{}</th>", escape_html(findings.rows[row]));
    for (const std::size_t probe : recorded) {
      body += fmt::format("<td>{}</td>", probe_text(probe_of(findings, row, probe)));
    }
    body += "</tr>\n";
  }
  return recorded.empty() ? ""
                          : "<p>At the end of the searches: mean over searches, plus or minus one "
                            "standard deviation.</p>\n" +
                                scrolling("Probes", head, body);
}

std::string predictions(const Findings& findings) {
  std::string items;
  for (const Prediction& prediction : findings.predictions) {
    items += fmt::format("<li>{}</li>\n", escape_html(sentence_of(prediction)));
  }
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

/// A path as a link: what is not a plain letter of links becomes %XX.
std::string link_to(const std::filesystem::path& file, const std::filesystem::path& from) {
  constexpr std::string_view kPlain = "/._-~";
  std::string link;
  for (const char c : std::filesystem::proximate(file, from).generic_string()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || kPlain.find(c) != kPlain.npos;
    link += is_plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return link;
}

std::string map_cell(const SheetMap& map, const std::string& network, const std::string& image) {
  if (map.picture.empty()) {
    return "<td>-</td>";
  }
  return fmt::format(
      "<td><img src=\"{}\" width=\"112\" height=\"112\" alt=\"Heat map of {} for {} on {}\">{} "
      "<b>{:.2f}</b>{}</td>",
      map.picture, escape_html(network), escape_html(map.class_name), escape_html(image),
      escape_html(map.class_name), map.probability,
      map.speaks_for ? "" : "<br><span class=\"none\">no place speaks for it</span>");
}

/// A sheet as a table: a row an image, a column a network, as figure 8 turned by a quarter.
std::string sheet_table(const Sheet& sheet) {
  if (sheet.rows.empty()) {
    return "";
  }
  std::string html = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Heat maps, {}\"><table "
      "class=\"maps\"><thead><tr><th>image</th>",
      escape_html(sheet.title));
  for (const std::string& network : sheet.networks) {
    html += fmt::format("<th>{}</th>", escape_html(network));
  }
  html += "</tr></thead><tbody>\n";
  for (const SheetRow& row : sheet.rows) {
    html +=
        fmt::format("<tr><td>{}{}</td>",
                    row.picture.empty()
                        ? escape_html(row.image) + "<br>"
                        : fmt::format("<img src=\"{}\" width=\"112\" height=\"112\" alt=\"{}\">",
                                      row.picture, escape_html(row.image)),
                    row.label.empty() ? "" : "label: " + escape_html(row.label));
    for (std::size_t i = 0; i < row.maps.size(); ++i) {
      html += map_cell(row.maps[i], sheet.networks[i], row.image);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string sheets(const Figures& figures, const std::filesystem::path& page_folder) {
  std::string html;
  for (const Sheet& sheet : figures.sheets) {
    html += fmt::format(
        "<h3>{}</h3>\n{}<p class=\"hint\">{}<a href=\"{}\">The whole sheet</a>, in "
        "its own size, is in the study's folder.</p>\n",
        escape_html(sheet.title), sheet_table(sheet),
        sheet.rows_left_out > 0
            ? fmt::format("{} more rows had no room here. ", sheet.rows_left_out)
            : "",
        link_to(sheet.page, page_folder));
  }
  return html.empty() ? ""
                      : "<p>Heat maps of the trained networks: what speaks for the class named "
                        "below a map, with its probability. Each map has its own scale.</p>\n" +
                            html;
}

/// Where the script draws a figure; without one it stays out of sight.
std::string live_part(const Figure& figure) {
  // Panels of figures 5 and 7 are data sets, each with the same rows.
  const bool joins = figure.live->panels.size() > 1 && figure.name == "figure-4";
  return fmt::format(
      "<div class=\"live\" id=\"{0}-live\">{1}<div id=\"{0}-toggles\" class=\"toggles\" "
      "role=\"group\" aria-label=\"Lines shown\"></div><div id=\"{0}-charts\" "
      "class=\"charts\"></div></div>\n",
      figure.name,
      joins ? fmt::format("<div class=\"controls\"><label class=\"check\"><input type=\"checkbox\" "
                          "id=\"{}-join\"> all settings in one chart</label></div>",
                          figure.name)
            : "");
}

/// Figure 3, to be looked at from all sides. Without a script its figures for print stand alone.
constexpr const char* kSearchChooser =
    "<div class=\"live card\" id=\"figure-3\"><h3>While searching: stable rank and architecture "
    "weights</h3>\n<p class=\"hint\">One line a convolution of the cell chosen; colour is the node "
    "it feeds, dash the primitive. Below, softmax(&alpha;) of the edge chosen. All settings share "
    "the scales.</p>\n<fieldset class=\"edges\"><legend>Settings side by side</legend><div "
    "id=\"f3-settings\" class=\"chips\"></div></fieldset>\n<div class=\"controls\"><label>Seed "
    "<select id=\"f3-seed\"></select></label> <label>Cell <select id=\"f3-cell\"></select></label> "
    "<label>Edge <select id=\"f3-edge\"></select></label> <label>Lines <select id=\"f3-lines\">"
    "<option value=\"edge\">edge in front</option><option value=\"nodes\">mean of each "
    "node</option><option value=\"all\">all alike</option></select></label></div>\n<div "
    "id=\"f3-rank-legend\" class=\"legend\" aria-hidden=\"true\"></div><div "
    "id=\"f3-weight-legend\" class=\"legend\" aria-hidden=\"true\"></div>\n<div id=\"f3-charts\" "
    "class=\"charts\"></div></div>\n";

std::string drawings(const Figures& figures) {
  std::string html;
  for (const Figure& figure : figures.drawn) {
    const bool is_search = figure.name.starts_with("figure-3");
    if (is_search && html.empty()) {
      html += kSearchChooser;
    }
    const bool is_cell = figure.name.starts_with("figure-6");  // has colours of its own
    html += fmt::format(
        "<figure class=\"card drawing{5}\" id=\"{0}\"><figcaption>{1}</figcaption>{2}<div "
        "class=\"scroll{3}\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"{0}\">{4}</div></figure>\n",
        figure.name, escape_html(figure.caption), figure.live ? live_part(figure) : "",
        is_cell ? "" : (figure.live ? " still replaced" : " still"), figure.svg,
        is_search ? " replaced" : "");
  }
  if (html.empty()) {
    return "";
  }
  const std::size_t gone = figures.searches.folders_left_out;
  const std::string note =
      gone == 0 ? ""
                : fmt::format(
                      "<p class=\"note\">{} finished search{} not drawn: the run "
                      "folder{} gone.</p>\n",
                      gone, gone == 1 ? " is" : "es are", gone == 1 ? " is" : "s are");
  return note + "<div class=\"stack\">" + html + "</div>\n";
}

}  // namespace

std::string render_study_page(const Findings& findings, const Figures& figures, const Plan& plan,
                              const Progress& progress, const std::filesystem::path& page_folder) {
  const std::string name = escape_html(findings.study);
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
      "name=\"color-scheme\" content=\"light dark\">\n<title>{0} - probedarts study</title>\n<link "
      "rel=\"icon\" href=\"data:,\">\n<style>",
      name);
  page += report::page_files::kStyle;
  page += page_files::kStyle;
  page += fmt::format(
      "</style>\n</head>\n<body>\n<header><p class=\"brand\">probedarts study</p>"
      "<h1>{}</h1></header>\n<main>\n",
      name);
  page += section("runs", "Runs", states(plan, progress));
  page += section("results", "Results", table(findings, figures));
  page += section("figures", "Figures", drawings(figures));
  page += section("figure-8", "Where the networks look", sheets(figures, page_folder));
  page += section("comparisons", "What the runs allow one to say", all_sentences(findings));
  page += section("probes", "What the probes said", probes(findings));
  page += section("predictions", "Does one foretell the other?", predictions(findings));
  page += fmt::format(
      "</main>\n<footer><p>Made by probedarts {} ({}) from the study's folder alone. Charts: "
      "Chart.js (MIT licence), embedded; this page needs no network.</p></footer>\n<script "
      "type=\"application/json\" id=\"data\">",
      escape_html(version()), escape_html(commit()));
  page += chart_data(figures, plan);
  for (const std::string_view script :
       {report::page_files::kChartLibrary, report::page_files::kCharts, page_files::kScript}) {
    page += "</script>\n<script>";
    page += script;
  }
  return page + "</script>\n</body>\n</html>\n";
}

}  // namespace probedarts::study
