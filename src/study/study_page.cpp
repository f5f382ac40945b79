#include "study/study_page.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "core/version.hpp"
#include "report/page_files.hpp"
#include "study/statistics.hpp"

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
  return fmt::format("<td>{:.2f}{} ({} run{})</td>", 100.0 * seen.mean,
                     seen.sd ? fmt::format("<sub>{:.2f}</sub>", 100.0 * *seen.sd) : "", seen.runs,
                     seen.runs == 1 ? "" : "s");
}

/// Parameters and multiply-accumulates; without columns for them where no row's are known.
std::string size_cells(const Figures& figures, std::size_t row) {
  const std::optional<RowSize>& size = figures.sizes[row];
  return size ? fmt::format("<td>{:.3f}</td><td>{:.4f} ({} px)</td>",
                            static_cast<double>(size->network.parameters) / 1e6,
                            static_cast<double>(size->network.macs) / 1e9, size->size_px)
              : "<td>-</td><td>-</td>";
}

std::string table(const Findings& findings, const Figures& figures) {
  if (findings.measures.empty()) {
    return "<p>No results yet.</p>\n";
  }
  std::string html =
      "<p>Percent, mean with standard deviation over runs. Intervals: <code>probedarts study "
      "tables</code>.</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Results\"><table><thead><tr><th></th>";
  for (const Measured& measured : findings.measures) {
    html += fmt::format("<th>{}</th>", escape_html(measured.name));
  }
  const bool with_sizes = std::any_of(figures.sizes.begin(), figures.sizes.end(),
                                      [](const auto& size) { return size.has_value(); });
  html += with_sizes ? "<th>parameters, 10^6</th><th>multiply-accumulates, 10^9</th>" : "";
  html += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < findings.measures.front().rows.size(); ++r) {
    html += fmt::format("<tr><th>{}</th>", escape_html(findings.measures.front().rows[r].name));
    for (const Measured& measured : findings.measures) {
      html += score_cell(measured.rows[r]);
    }
    html += with_sizes ? size_cells(figures, r) : "";
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
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

std::string predictions(const Findings& findings) {
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.2f}", *value) : std::string("undefined (one side is constant)");
  };
  std::string items;
  for (const Prediction& p : findings.predictions) {
    items +=
        fmt::format("<li>{} and {}, {} cells: Kendall's tau-b {}, Spearman's rho {}.</li>\n",
                    escape_html(p.from), escape_html(p.to), p.cells, number(p.tau), number(p.rho));
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

std::string sheets(const Figures& figures, const std::filesystem::path& page_folder) {
  std::string items;
  for (const Sheet& sheet : figures.sheets) {
    items += fmt::format("<li><a href=\"{}\">{}</a></li>\n", link_to(sheet.page, page_folder),
                         escape_html(sheet.title));
  }
  return items.empty() ? ""
                       : "<p>Heat maps of the trained networks side by side, a page for each data "
                         "set, beside this one in the study's folder.</p>\n<ul>\n" +
                             items + "</ul>\n";
}

std::string drawings(const Figures& figures) {
  std::string html;
  for (const Figure& figure : figures.drawn) {
    html += fmt::format(
        "<figure class=\"card drawing\" id=\"{}\"><figcaption>{}</figcaption><div class=\"scroll\" "
        "tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</div></figure>\n",
        figure.name, escape_html(figure.caption), figure.name, figure.svg);
  }
  if (html.empty()) {
    return "";
  }
  const std::string note =
      figures.folders_left_out == 0
          ? ""
          : fmt::format(
                "<p class=\"note\">{} finished searches are not drawn: their run folders "
                "are gone.</p>\n",
                figures.folders_left_out);
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
  page += "\n.drawing svg { max-width: none; margin: 0; }\n";  // phones scroll them: legible
  page += fmt::format(
      "</style>\n</head>\n<body>\n<header><p class=\"brand\">probedarts study</p>"
      "<h1>{}</h1></header>\n<main>\n",
      name);
  page += section("runs", "Runs", states(plan, progress));
  page += section("results", "Results", table(findings, figures));
  page += section("figures", "Figures", drawings(figures));
  page += section("figure-8", "Where the networks look", sheets(figures, page_folder));
  page += section("comparisons", "What the runs allow one to say", all_sentences(findings));
  page += section("predictions", "Does one foretell the other?", predictions(findings));
  return page + fmt::format(
                    "</main>\n<footer><p>Made by probedarts {} ({}) from the study's "
                    "folder alone.</p></footer>\n</body>\n</html>\n",
                    escape_html(version()), escape_html(commit()));
}

}  // namespace probedarts::study
