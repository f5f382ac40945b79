#include "report/page_sections.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "report/findings.hpp"
#include "space/draw_cell.hpp"

namespace probedarts::report {
namespace {

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// 1234567 -> "1,234,567"
std::string grouped(long long number) {
  std::string digits = std::to_string(number);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > (number < 0 ? 1 : 0);
       place -= 3) {
    digits.insert(static_cast<std::size_t>(place), 1, ',');
  }
  return digits;
}

std::string entry(const std::string& term, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(term), escape_html(value));
}

/// "tiles: 1517 train, 349 valid; 3 classes, one label an image"
std::string data_line(const Run& run) {
  std::string line = std::filesystem::path(run.data_path).filename().string();
  if (line.empty()) {
    line = run.data_path;
  }
  std::vector<std::string> counts;
  for (const char* known : {"train", "valid", "test"}) {
    for (const auto& [split, count] : run.images) {
      if (split == known) {
        counts.push_back(count + " " + split);
      }
    }
  }
  return fmt::format("{}{}{}; {} classes, {}", line, counts.empty() ? "" : ": ",
                     fmt::join(counts, ", "), run.classes.size(),
                     run.labels == "multi" ? "several labels an image" : "one label an image");
}

std::string epochs_line(const Run& run) {
  const std::string asked = run.option("epochs");
  return asked.empty() ? std::to_string(run.epochs.size())
                       : fmt::format("{} of {}", run.epochs.size(), asked);
}

/// "4 cells, 4 nodes, 376,791 parameters", or the name in the zoo
std::string network_line(const Run& run) {
  const std::string parameters = grouped(run.parameters) + " parameters";
  if (run.cell() == nullptr) {
    return fmt::format("{}, {}", run.network, parameters);
  }
  return fmt::format("{} cells, {} nodes, {}", run.option("cells"), run.cell()->nodes(),
                     parameters);
}

std::string summary_card(const NamedRun& named) {
  const Run& run = *named.run;
  const Epoch& last = run.epochs.back();
  const Epoch& best = best_epoch(run);
  std::string html =
      fmt::format("<article class=\"card\"><h3>{}</h3><dl>", escape_html(named.name));
  html += entry("Data", data_line(run));
  html += entry("Optimiser",
                fmt::format("{}, learning rate {}", optimizer_name(run), run.option("lr")));
  html += entry(run.is_search() ? "Supernet" : "Network", network_line(run));
  html += entry("Epochs done", epochs_line(run));
  if (!run.stopped.empty()) {
    html += entry("Stopped early", run.stopped);
  }
  html += entry("Training error, last epoch", percent(last.train.error));
  html += entry("Validation error, last epoch", percent(last.valid.error));
  html += entry("Validation error, best",
                fmt::format("{} at epoch {}", percent(best.valid.error), best.epoch));
  if (last.architecture) {
    const auto& collapse = last.architecture->collapse;
    const int kept = 2 * last.architecture->genotype.nodes();
    html +=
        entry("Kept edges without parameters",
              fmt::format("{} of {} normal, {} of {} reduction", std::lround(collapse[0][0] * kept),
                          kept, std::lround(collapse[1][0] * kept), kept));
  }
  html += entry("Convolutions with stable rank 0", percent(zero_rank_share(run, last)));
  html += "</dl>";
  for (const std::string& note : run.notes) {
    html += fmt::format("<p class=\"note\" role=\"note\">{}</p>", escape_html(note));
  }
  return html + "</article>";
}

std::string drawn_cell(const space::Genotype& genotype, space::CellKind kind) {
  return fmt::format(
      "<figure class=\"drawing\"><figcaption>{}</figcaption><div "
      "class=\"scroll\">{}</div></figure>",
      kind == space::CellKind::kNormal ? "Normal cell" : "Reduction cell",
      space::draw_cell_svg(genotype.of(kind), kind, space::DrawOptions{}));
}

/// A block of text with a button that copies it.
std::string copyable(const std::string& id, const std::string& what, const std::string& text) {
  return fmt::format(
      "<div class=\"copy\"><pre id=\"{0}\" tabindex=\"0\" aria-label=\"{1}\">{2}</pre>"
      "<button type=\"button\" data-copy=\"{0}\">Copy<span class=\"hidden\"> "
      "{1}</span></button></div>",
      id, escape_html(what), escape_html(text));
}

std::string table_head(const std::string& corner, const std::vector<NamedRun>& runs) {
  std::string html = fmt::format("<thead><tr><th scope=\"col\">{}</th>", corner);
  for (const NamedRun& named : runs) {
    html += fmt::format("<th scope=\"col\">{}</th>", escape_html(named.name));
  }
  return html + "</tr></thead>";
}

/// A row of the configuration table; marked when the runs differ.
std::string option_row(const std::string& label, const std::vector<std::string>& values) {
  const bool differs = std::any_of(values.begin(), values.end(), [&](const std::string& value) {
    return value != values.front();
  });
  std::string html = fmt::format("<tr{}><th scope=\"row\">{}</th>",
                                 differs ? " class=\"differs\"" : "", escape_html(label));
  for (const std::string& value : values) {
    html += fmt::format("<td>{}</td>", value.empty() ? "&ndash;" : escape_html(value));
  }
  return html + "</tr>";
}

template <class Function>
std::vector<std::string> per_run(const std::vector<NamedRun>& runs, Function function) {
  std::vector<std::string> values;
  for (const NamedRun& named : runs) {
    values.push_back(function(*named.run));
  }
  return values;
}

/// Mean seconds an epoch: the parts of kTimeParts, the probes of --probe, then the total.
struct MeanSeconds {
  std::array<double, kTimeParts.size()> parts{};
  std::array<double, kExtraProbes.size()> extra{};
  double total = 0.0;
};

MeanSeconds mean_seconds(const Run& run) {
  MeanSeconds mean;
  const auto count = static_cast<double>(run.epochs.size());
  for (const Epoch& epoch : run.epochs) {
    mean.total += epoch.seconds / count;
    for (std::size_t i = 0; i < mean.parts.size(); ++i) {
      mean.parts[i] += epoch.seconds_parts[i] / count;
    }
    for (std::size_t i = 0; i < mean.extra.size(); ++i) {
      mean.extra[i] += epoch.extra_seconds[i] / count;
    }
  }
  return mean;
}

std::string seconds_and_share(double seconds, double total) {
  return total > 0 ? fmt::format("{:.3g} s ({:.1f} %)", seconds, 100 * seconds / total)
                   : fmt::format("{:.3g} s", seconds);
}

/// A row for each probe of --probe that some run measured; epochs without it count as 0 seconds.
std::string probe_time_rows(const std::vector<NamedRun>& runs) {
  static constexpr std::array<const char*, kExtraProbes.size()> kLabels = {
      "probe: eigenvalue", "probe: discretisation gap", "probe: gradient alignment"};
  std::string html;
  for (std::size_t i = 0; i < kLabels.size(); ++i) {
    const auto measured = [i](const Run& run) {
      return std::any_of(run.epochs.begin(), run.epochs.end(),
                         [i](const Epoch& epoch) { return epoch.extra[i].has_value(); });
    };
    if (std::none_of(runs.begin(), runs.end(),
                     [&](const NamedRun& named) { return measured(*named.run); })) {
      continue;
    }
    html += option_row(kLabels[i], per_run(runs, [&](const Run& run) {
                         const MeanSeconds mean = mean_seconds(run);
                         return measured(run) ? seconds_and_share(mean.extra[i], mean.total)
                                              : std::string("not measured");
                       }));
  }
  return html;
}

}  // namespace

std::string summary_cards(const std::vector<NamedRun>& runs) {
  std::string html;
  for (const NamedRun& named : runs) {
    html += summary_card(named);
  }
  return html;
}

std::string cell_drawings(const std::vector<NamedRun>& runs) {
  std::string html;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = *runs[i].run;
    if (run.cell() == nullptr) {
      html += fmt::format(
          "<article class=\"card\"><h3>{}</h3><p>{} is not made of cells.</p></article>",
          escape_html(runs[i].name), escape_html(run.network));
      continue;
    }
    html += fmt::format(
        "<article class=\"card\"><h3>{}</h3><div class=\"cells\">{}{}</div>{}</article>",
        escape_html(runs[i].name), drawn_cell(*run.cell(), space::CellKind::kNormal),
        drawn_cell(*run.cell(), space::CellKind::kReduce),
        copyable(fmt::format("genotype-{}", i), "genotype of " + runs[i].name,
                 run.is_search() ? run.epochs[run.kept_epoch].architecture->genotype_text
                                 : space::to_python(*run.cell())));
  }
  return html;
}

std::string finding_lists(const std::vector<NamedRun>& runs) {
  std::string html;
  for (const NamedRun& named : runs) {
    html += fmt::format("<article class=\"card\"><h3>{}</h3><ul>", escape_html(named.name));
    for (const std::string& sentence : findings(*named.run)) {
      html += fmt::format("<li>{}</li>", escape_html(sentence));
    }
    html += "</ul></article>";
  }
  return html;
}

std::string time_table(const std::vector<NamedRun>& runs) {
  static constexpr std::array<const char*, kTimeParts.size()> kLabels = {
      "learning steps", "validation", "probe", "checkpoint", "of these, waiting for data"};
  std::string html = "<table>" + table_head("Seconds an epoch (mean)", runs) + "<tbody>";
  html += option_row("whole epoch", per_run(runs, [](const Run& run) {
                       return fmt::format("{:.3g} s", mean_seconds(run).total);
                     }));
  for (std::size_t i = 0; i < kLabels.size(); ++i) {
    html += option_row(kLabels[i], per_run(runs, [i](const Run& run) {
                         const MeanSeconds mean = mean_seconds(run);
                         return seconds_and_share(mean.parts[i], mean.total);
                       }));
  }
  html += probe_time_rows(runs);
  html += option_row("all epochs", per_run(runs, [](const Run& run) {
                       const double total =
                           mean_seconds(run).total * static_cast<double>(run.epochs.size());
                       return fmt::format("{:.1f} min", total / 60);
                     }));
  return html + "</tbody></table>";
}

std::string configuration_table(const std::vector<NamedRun>& runs) {
  std::string html = "<table id=\"configuration\">" + table_head("Option", runs) + "<tbody>";
  const auto row = [&](const char* label, auto function) {
    html += option_row(label, per_run(runs, function));
  };
  row("run folder", [](const Run& run) { return run.folder.string(); });
  row("created", [](const Run& run) { return run.created; });
  row("probedarts", [](const Run& run) { return fmt::format("{} ({})", run.version, run.commit); });
  row("LibTorch", [](const Run& run) { return run.libtorch; });
  row("machine", [](const Run& run) { return run.machine; });
  row("execution", [](const Run& run) {
    return fmt::format("{} executor, {}, {} threads", run.executor, run.dtype, run.threads);
  });
  row("seed", [](const Run& run) { return std::to_string(run.seed); });
  row("data", [](const Run& run) { return run.data_path; });
  row("data fingerprint", [](const Run& run) { return run.data_fingerprint; });
  row("classes", [](const Run& run) { return fmt::format("{}", fmt::join(run.classes, ", ")); });
  std::set<std::string> options;
  for (const NamedRun& named : runs) {
    for (const auto& [key, value] : named.run->config) {
      options.insert(key);
    }
  }
  for (const std::string& option : options) {
    html += option_row("--" + option,
                       per_run(runs, [&](const Run& run) { return run.option(option); }));
  }
  return html + "</tbody></table>";
}

std::string command_list(const std::vector<NamedRun>& runs) {
  std::string html;
  std::string report = "probedarts report";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = *runs[i].run;
    const std::string folder = run.folder.string();
    report += " " + folder;
    std::string commands = run.command.empty() ? "" : "# as typed\n" + run.command + "\n";
    commands += fmt::format("# from the saved configuration\nprobedarts {} --config {}\n", run.kind,
                            (run.folder / "config.toml").string());
    if (const std::string asked = run.option("epochs");
        run.stopped.empty() && asked != std::to_string(run.epochs.size())) {
      commands += fmt::format("# go on\nprobedarts {} --resume {}\n", run.kind, folder);
    }
    html += fmt::format(
        "<h3>{}</h3>{}", escape_html(runs[i].name),
        copyable(fmt::format("commands-{}", i), "commands of " + runs[i].name, commands));
  }
  return html + "<h3>This page</h3>" + copyable("commands-report", "command of this page", report);
}

}  // namespace probedarts::report
