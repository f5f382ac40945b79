#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "cli/genotype_source.hpp"
#include "cli/study_checks.hpp"
#include "cli/study_progress.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/image.hpp"
#include "explain/paint.hpp"
#include "learn/model_card.hpp"
#include "learn/search_config.hpp"
#include "learn/train_config.hpp"
#include "nets/count.hpp"
#include "nets/layer_graph.hpp"
#include "nets/zoo.hpp"
#include "space/genotype.hpp"
#include "study/data_check.hpp"
#include "study/estimate.hpp"
#include "study/findings_tables.hpp"
#include "study/outlook.hpp"
#include "study/paper_tables.hpp"
#include "study/plan.hpp"
#include "study/run_study.hpp"
#include "study/sheet_drawing.hpp"
#include "study/study_file.hpp"
#include "study/study_page.hpp"
#include "study/tables.hpp"

namespace probedarts::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using study::TaskState;

constexpr const char* kUsage =
    "Studies: many runs from one file, and what they allow one to say (docs/study.md).\n"
    "Usage: probedarts study plan FILE [OPTIONS]      the runs, their order, expected time and "
    "memory\n"
    "       probedarts study run FILE --out FOLDER    carry it out, or go on with it\n"
    "       probedarts study status FOLDER            how far it is\n"
    "       probedarts study tables FOLDER            what it found, with intervals and tests\n"
    "       probedarts study report FOLDER            the same with figures, as one page\n";

struct StudyRequest {
  std::string source;  ///< a study file, or the folder of a study
  std::string out;
  std::string data_root;
  std::string shard = "1/1";
  study::RunStudyOptions run;
  std::string format = "markdown";
  std::string layout = "measures";
  std::string test = "sign-flip";
  std::string figures;  ///< folder for SVG files
  bool all_pairs = false;
  bool measure = false;
  bool as_json = false;
};

/// A study with its file's text and the folder it lies in.
struct Opened {
  study::Study study;
  std::string text;
  study::StudyFolder folder;
  std::map<std::string, std::string> cells;  ///< texts of those that the file names otherwise
};

/// Texts of cells as the study began with them; nothing where it names none by a file.
std::map<std::string, std::string> noted_cells(const study::StudyFolder& folder) {
  if (!fs::exists(folder.genotypes_json())) {
    return {};
  }
  try {
    return json::parse(read_file(folder.genotypes_json()))
        .get<std::map<std::string, std::string>>();
  } catch (const json::exception&) {
    throw UserError(fmt::format(
        "study: '{}' is damaged; delete it and run the study file again, from where its cells lie",
        folder.genotypes_json().string()));
  }
}

study::KnownFlags known_flags() {
  study::KnownFlags known;
  const learn::SearchConfig search;
  learn::for_each_option(
      search, [&](const char* key, const auto&, const char*) { known.search.emplace_back(key); });
  const learn::TrainConfig train;
  learn::for_each_option(
      train, [&](const char* key, const auto&, const char*) { known.train.emplace_back(key); });
  known.explain = {"method", "target", "layer", "layout", "adp-level", "label-columns"};
  for (const std::string_view name : nets::zoo_names()) {
    known.networks.emplace_back(name);
  }
  return known;
}

Opened open_study(const StudyRequest& request, const std::string& action) {
  if (request.source.empty()) {
    throw UserError(
        fmt::format("study {}: no study given; name a study file or the folder of a "
                    "study",
                    action));
  }
  fs::path file = request.source;
  fs::path folder = request.out;
  if (fs::is_directory(file)) {
    if (!request.out.empty()) {
      throw UserError("study: '" + request.source +
                      "' is a folder already; leave --out away to go on with it");
    }
    folder = file;
    file /= "study.toml";
    if (!fs::exists(file)) {
      throw UserError(
          fmt::format("'{}' is no folder of a study: it has no study.toml; give one, "
                      "or a study file",
                      folder.string()));
    }
  }
  Opened opened;
  opened.text = read_file(file);
  opened.folder.path = folder;
  study::KnownFlags known = known_flags();
  const std::map<std::string, std::string> noted = fs::is_directory(request.source)
                                                       ? noted_cells(opened.folder)
                                                       : std::map<std::string, std::string>();
  known.read_cell = [&](const std::string& source) {
    const auto found = noted.find(source);
    return opened.cells[source] =
               found != noted.end()
                   ? found->second
                   : space::to_python(read_genotype(
                         source,
                         fmt::format("study file '{}': genotypes in [rows]", file.string())));
  };
  opened.study = study::parse_study(opened.text, file.string(), known);
  opened.folder.data_root = request.data_root;
  if (request.data_root.empty() && fs::exists(opened.folder.data_root_txt())) {
    opened.folder.data_root = read_file(opened.folder.data_root_txt());
  }
  return opened;
}

void parse_shard(StudyRequest& request) {
  const std::string& text = request.shard;
  const std::size_t slash = text.find('/');
  const auto number = [&](std::size_t from, std::size_t to, int& value) {
    const char* end = text.data() + to;
    const auto read = std::from_chars(text.data() + from, end, value);
    return read.ec == std::errc{} && read.ptr == end;
  };
  if (slash == std::string::npos || !number(0, slash, request.run.shard) ||
      !number(slash + 1, text.size(), request.run.shards) || request.run.shard < 1 ||
      request.run.shards < request.run.shard || request.run.shards > 10000) {
    throw UserError(
        fmt::format("--shard: '{}' is no part of a whole; write for example 1/2 and "
                    "2/2",
                    text));
  }
}

void require_range(const char* flag, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw UserError(fmt::format("--{}: {} is out of range; use {} to {}", flag, value, low, high));
  }
}

std::unique_ptr<CLI::App> make_study_parser(StudyRequest& request, const std::string& action) {
  auto app = make_parser("Studies (docs/study.md).", "probedarts study " + action);
  app->add_option("study", request.source, "study file, or the folder of a study");
  if (action == "tables") {
    app->add_option("--format", request.format, "markdown, csv or latex");
    app->add_option("--layout", request.layout,
                    "measures (every row and measure, with intervals and comparisons), paper "
                    "(tables 3 to 7 as the paper prints them), comparisons, correlations or "
                    "probes (a line each)");
    app->add_option("--test", request.test, "sign-flip (exact, paired) or student (paired t)");
    app->add_flag("--all-pairs", request.all_pairs, "say all comparisons, also of many rows");
    return app;
  }
  if (action == "report") {
    app->add_option("--out", request.out, "the page; default: report.html in the study's folder");
    app->add_option("--figures", request.figures, "folder for each figure as an SVG file");
    app->add_flag("--all-pairs", request.all_pairs, "say all comparisons, also of many rows");
    return app;
  }
  app->add_flag("--json", request.as_json, "print JSON");
  if (action != "status") {
    app->add_option("--out", request.out, "folder of the study, to make or to go on with");
    app->add_option("--data-root", request.data_root,
                    "folder that relative data sets of the study lie in; default: this one");
    app->add_option("--workers", request.run.workers, "runs at the same time");
    app->add_option("--threads", request.run.threads, "CPU threads, divided among the workers");
  }
  if (action == "plan") {
    app->add_flag("--measure", request.measure,
                  "run each kind of search and training for two epochs to estimate times");
  }
  if (action == "run") {
    app->add_option("--shard", request.shard,
                    "i/n: begin with the i-th of n parts; other processes take the others");
    app->add_option("--stale-seconds", request.run.stale_seconds,
                    "after so long without a sign the claim of another machine is taken over");
    app->add_flag("--retry-failed", request.run.retry_failed, "run what failed once more");
  }
  return app;
}

void prepare(StudyRequest& request) {
  require_range("workers", request.run.workers, 1, 1024);
  require_range("threads", request.run.threads, 1, 1024);
  require_range("stale-seconds", request.run.stale_seconds, 60, 1e6);
  parse_shard(request);
  // Not its path: a program that is replaced while a study runs must not change the study.
  request.run.program = fmt::format("/proc/{}/exe", ::getpid());
  request.run.say = print_line;
  request.run.interrupted = interrupt_signal;
}

/// What is known of a study so far; nothing when it has no folder yet.
study::Progress progress_of(const study::Plan& plan, const study::StudyFolder& folder) {
  if (!folder.path.empty() && fs::exists(folder.ledger())) {
    return study::read_progress(plan, study::Ledger(folder.ledger(), 600.0));
  }
  return {std::vector<TaskState>(plan.tasks.size(), TaskState::kWaiting),
          std::vector<study::Record>(plan.tasks.size())};
}

std::string short_id(const study::Task& task) { return task.id.substr(0, 8); }

std::string cost_text(const std::optional<study::Cost>& cost) {
  return cost ? fmt::format("{:>12} {:>6.0f} MiB", duration_text(cost->seconds), cost->memory_mib)
              : fmt::format("{:>12} {:>10}", "unknown", "");
}

json task_json(const study::Plan& plan, std::size_t i, TaskState state,
               const std::optional<study::Cost>& cost) {
  const study::Task& task = plan.tasks[i];
  json needs = json::array();
  for (const std::size_t need : task.needs) {
    needs.push_back(plan.tasks[need].id);
  }
  json out = {{"id", task.id},
              {"kind", study::name_of(task.kind)},
              {"phase", study::name_of(task.phase)},
              {"label", task.label},
              {"needs", needs},
              {"arguments", task.arguments},
              {"state", name_of(state)},
              {"seconds", nullptr},
              {"processor_seconds", nullptr},
              {"memory_mib", nullptr}};
  if (cost) {
    out["seconds"] = cost->seconds;
    out["processor_seconds"] = cost->processor_seconds;
    out["memory_mib"] = cost->memory_mib;
  }
  return out;
}

int plan_study(StudyRequest& request) {
  const Opened opened = open_study(request, "plan");
  study::require_data(opened.study, request.source, opened.folder.data_root);
  const study::Plan plan = study::make_plan(opened.study);
  check_flags(plan, request.source);
  const study::Progress progress = progress_of(plan, opened.folder);
  std::vector<study::Measurement> measured = study::read_measurements(opened.folder);
  if (request.measure) {
    study::StudyFolder folder = opened.folder;
    if (folder.path.empty()) {
      throw UserError("--measure: no folder to measure in; name one with --out");
    }
    catch_interrupts();
    measured = study::measure(plan, folder, request.run);
  }
  const auto costs = study::estimate(plan, progress, measured);
  double total = 0.0;
  std::size_t unknown = 0;
  json tasks = json::array();
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    total += costs[i] ? costs[i]->seconds : 0.0;
    unknown += !costs[i];
    if (request.as_json) {
      tasks.push_back(task_json(plan, i, progress.states[i], costs[i]));
      continue;
    }
    std::string after;
    for (const std::size_t need : plan.tasks[i].needs) {
      after += (after.empty() ? "  after " : ", ") + short_id(plan.tasks[need]);
    }
    std::printf("%s  %-8s %s  %s%s\n", short_id(plan.tasks[i]).c_str(), name_of(progress.states[i]),
                cost_text(costs[i]).c_str(), plan.tasks[i].label.c_str(), after.c_str());
  }
  const study::Schedule schedule =
      study::schedule(plan, progress.states, costs, request.run.workers);
  if (request.as_json) {
    const json out = {{"name", opened.study.name},
                      {"tasks", tasks},
                      {"seconds", total},
                      {"seconds_left", schedule.seconds},
                      {"peak_memory_mib", schedule.memory_mib},
                      {"unknown", unknown},
                      {"workers", request.run.workers}};
    std::printf("%s\n", out.dump(1).c_str());
    return 0;
  }
  const std::string rest =
      unknown > 0 ? fmt::format(", and {} of unknown time (--measure times them)", unknown) : "";
  std::printf("%zu runs in %zu rows; %s of work for one worker%s\n", plan.tasks.size(),
              plan.rows.size(), duration_text(total).c_str(), rest.c_str());
  std::printf("left: %s by the clock with %d worker%s, with up to %.0f MiB of memory at a time\n",
              duration_text(schedule.seconds).c_str(), request.run.workers,
              request.run.workers == 1 ? "" : "s", schedule.memory_mib);
  return 0;
}

/// Whether a folder has what no study writes. Another process may be just beginning this very
/// study, so files that stand before study.toml, and drafts of them, are no sign of something else.
bool holds_something_else(const fs::path& folder) {
  if (!fs::exists(folder)) {
    return false;
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const auto is_ours = [&](const char* ours) { return name.find(ours) != std::string::npos; };
    if (!is_ours("study.toml") && !is_ours("data.json") && !is_ours("data_root.txt") &&
        !is_ours("measure") && !is_ours("genotypes.json")) {
      return true;
    }
  }
  return false;
}

int run_it(StudyRequest& request) {
  const Opened opened = open_study(request, "run");
  if (opened.folder.path.empty()) {
    throw UserError("--out: no folder given; name one to make, for example studies/first");
  }
  study::require_data(opened.study, request.source, opened.folder.data_root);
  const study::Plan plan = study::make_plan(opened.study);
  check_flags(plan, request.source);
  const bool fresh = !fs::exists(opened.folder.study_toml());
  if (fresh && holds_something_else(opened.folder.path)) {
    throw UserError(
        fmt::format("folder '{}' is not empty and is no study; choose another with --out",
                    opened.folder.path.string()));
  }
  std::error_code error;
  fs::create_directories(opened.folder.path, error);
  study::require_same_data(opened.study, opened.folder);
  if (fresh || read_file(opened.folder.study_toml()) != opened.text) {
    write_file_atomically(opened.folder.study_toml(), opened.text);
  }
  if (!opened.cells.empty()) {
    write_file_atomically(opened.folder.genotypes_json(), json(opened.cells).dump(1) + "\n");
  }
  if (!request.data_root.empty()) {
    write_file_atomically(opened.folder.data_root_txt(), fs::absolute(request.data_root).string());
  }
  catch_interrupts();
  study::DataWatch watch(opened.folder);
  request.run.check_data = [&](const std::string& data) { watch.require_same(data); };
  const study::Progress progress = study::run_study(plan, opened.folder, request.run);
  const std::size_t failed = progress.count(TaskState::kFailed);
  const std::size_t blocked = progress.count(TaskState::kBlocked);
  if (request.as_json) {
    const json out = {{"study", opened.folder.path.string()}, {"runs", counts_json(progress)}};
    std::printf("%s\n", out.dump(1).c_str());
  }
  if (failed > 0) {
    throw Diverged(fmt::format(
        "study: {} of {} runs failed and {} wait for them; see probedarts study status {}", failed,
        plan.tasks.size(), blocked, opened.folder.path.string()));
  }
  print_line(fmt::format("study: all {} runs are done", plan.tasks.size()));
  return 0;
}

int show_status(StudyRequest& request) {
  const Opened opened = open_study(request, "status");
  if (opened.folder.path.empty()) {
    throw UserError("study status: '" + request.source +
                    "' is a file; give the folder of the study");
  }
  const study::Plan plan = study::make_plan(opened.study);
  study::Progress progress = progress_of(plan, opened.folder);
  const study::Ledger ledger(opened.folder.ledger(), request.run.stale_seconds);
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    if (progress.states[i] == TaskState::kWaiting && ledger.holder(plan.tasks[i].id)) {
      progress.states[i] = TaskState::kRunning;
    }
  }
  const auto costs = study::estimate(plan, progress, study::read_measurements(opened.folder));
  const Status status{opened.study.name, plan, progress, costs, opened.folder};
  std::fputs((request.as_json ? status_json(status).dump(1) + "\n" : status_text(status)).c_str(),
             stdout);
  return 0;
}

/// \throws UserError when the card in run.json is damaged.
std::optional<study::NetworkSize> count_run(const fs::path& run, int size_px) {
  const fs::path file = run / "run.json";
  if (!fs::is_regular_file(file)) {
    return std::nullopt;
  }
  const json record = json::parse(read_file(file), nullptr, false);
  if (!record.is_object() || !record.contains("model")) {
    return std::nullopt;  // not begun to train
  }
  try {
    const learn::Network network(learn::card_from_json(record["model"]).network);
    network.require_image_size(size_px);
    const nets::NetworkCount count = nets::count_network(network.layers(), size_px, size_px);
    return study::NetworkSize{count.parameters, count.macs, count.macs_paper};
  } catch (const json::exception&) {
    throw UserError(fmt::format(
        "run folder: 'model' in '{}' is no description of a network; restore the file or repeat "
        "the run",
        file.string()));
  }
}

int tables(StudyRequest& request) {
  const std::vector<std::string> formats = {"markdown", "csv", "latex"};
  const auto format = std::find(formats.begin(), formats.end(), request.format);
  if (format == formats.end()) {
    throw UserError(
        fmt::format("--format: '{}' is unknown; use one of markdown, csv, latex", request.format));
  }
  const std::vector<std::string> layouts = {"measures", "paper", "comparisons", "correlations",
                                            "probes"};
  if (std::find(layouts.begin(), layouts.end(), request.layout) == layouts.end()) {
    throw UserError(fmt::format("--layout: '{}' is unknown; use one of {}", request.layout,
                                fmt::join(layouts, ", ")));
  }
  if (request.test != "sign-flip" && request.test != "student") {
    throw UserError(
        fmt::format("--test: '{}' is unknown; use one of sign-flip, student", request.test));
  }
  const Opened opened = open_study(request, "tables");
  if (opened.folder.path.empty()) {
    throw UserError("study tables: '" + request.source +
                    "' is a file; give the folder of the study");
  }
  const study::Plan plan = study::make_plan(opened.study);
  const auto table_format = static_cast<study::TableFormat>(format - formats.begin());
  if (request.layout == "paper") {
    const std::string text = study::render(
        study::paper_tables(plan, progress_of(plan, opened.folder), opened.folder, count_run),
        table_format);
    if (text.empty()) {
      throw UserError(
          fmt::format("--layout paper: study '{}' has no final test yet, which the paper's tables "
                      "are of; wait for one, or use --layout measures",
                      opened.folder.path.string()));
    }
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  study::CompareOptions options;
  options.test =
      request.test == "student" ? study::PairedTest::kStudent : study::PairedTest::kSignFlip;
  study::Findings findings = study::read_findings(
      opened.study.name, plan, progress_of(plan, opened.folder), options, opened.folder);
  findings.all_pairs = request.all_pairs;
  const std::string text =
      request.layout == "comparisons"    ? study::render(comparison_table(findings), table_format)
      : request.layout == "correlations" ? study::render(correlation_table(findings), table_format)
      : request.layout == "probes"       ? study::render(probe_table(findings), table_format)
                                         : study::render(findings, table_format);
  std::fputs(text.c_str(), stdout);
  return 0;
}

/// As figure 8 shows it: at most 160 px, which is sharp at 112 on most screens.
std::string embed_picture(const fs::path& file) {
  constexpr int kLargest = 160;
  data::Image image = data::read_image(file);
  if (const int side = std::max(image.width, image.height); side > kLargest) {
    image = data::resize_bicubic(image, std::max(1, image.height * kLargest / side),
                                 std::max(1, image.width * kLargest / side));
  }
  return explain::data_uri(explain::encode_jpeg(image));
}

int report(StudyRequest& request) {
  const std::string page = request.out;
  request.out.clear();  // which elsewhere is the folder of a study
  const Opened opened = open_study(request, "report");
  if (opened.folder.path.empty()) {
    throw UserError("study report: '" + request.source +
                    "' is a file; give the folder of the study");
  }
  const study::Plan plan = study::make_plan(opened.study);
  const study::Progress progress = progress_of(plan, opened.folder);
  study::Findings findings =
      study::read_findings(opened.study.name, plan, progress, {}, opened.folder);
  findings.all_pairs = request.all_pairs;
  const study::Figures figures =
      study::draw_figures(plan, progress, opened.folder, count_run, embed_picture);
  const fs::path target = page.empty() ? opened.folder.path / "report.html" : fs::path(page);
  write_file_atomically(target, study::render_study_page(findings, figures, plan, progress,
                                                         fs::absolute(target).parent_path()));
  if (!request.figures.empty()) {
    std::error_code error;
    fs::create_directories(request.figures, error);
    for (const study::Figure& figure : figures.drawn) {
      write_file_atomically(fs::path(request.figures) / (figure.name + ".svg"), figure.svg);
    }
    for (std::size_t i = 0; i < figures.sheets.size(); ++i) {
      if (const std::string svg = study::draw_sheet_svg(figures.sheets[i]); !svg.empty()) {
        write_file_atomically(
            fs::path(request.figures) / fmt::format("figure-8-sheet{}.svg", i + 1), svg);
      }
    }
  }
  std::printf("%s\n", target.string().c_str());
  return 0;
}

}  // namespace

int run_study_command(std::vector<std::string> arguments) {
  const std::string action = arguments.empty() ? "--help" : arguments.front();
  if (action == "--help" || action == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (action != "plan" && action != "run" && action != "status" && action != "tables" &&
      action != "report") {
    throw UserError(
        fmt::format("study: unknown action '{}'; use plan, run, status, tables or report", action));
  }
  arguments.erase(arguments.begin());
  StudyRequest request;
  if (const auto code = parse(*make_study_parser(request, action), std::move(arguments))) {
    return *code;
  }
  prepare(request);
  return action == "plan"     ? plan_study(request)
         : action == "run"    ? run_it(request)
         : action == "status" ? show_status(request)
         : action == "tables" ? tables(request)
                              : report(request);
}

}  // namespace probedarts::cli
