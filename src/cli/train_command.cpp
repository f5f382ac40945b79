#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/config_flags.hpp"
#include "cli/genotype_source.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "learn/train.hpp"
#include "report/report.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

constexpr RunCommand<learn::TrainConfig> kTrain = {
    "train",
    "Trains a network on a folder of patches: a cell that a search found, a published one, or a "
    "network of the zoo (docs/train.md).",
    learn::train_preset};

std::filesystem::path write_report(const std::vector<learn::TrainResult>& results,
                                   const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> runs;
  for (const learn::TrainResult& result : results) {
    runs.push_back(result.run);
  }
  write_file_atomically(folder / "report.html", report::render_report(runs));
  return folder / "report.html";
}

json result_json(const learn::TrainResult& result) {
  return {{"run", result.run.string()},
          {"epochs", result.epochs},
          {"seed", result.seed},
          {"train_error", result.train_error},
          {"valid_error", result.valid_error},
          {"best_error", result.best_error},
          {"best_epoch", result.best_epoch},
          {"seconds", result.seconds},
          {"best", (result.run / "checkpoint" / "best.safetensors").string()}};
}

void print_one(const learn::TrainResult& result) {
  std::printf("%s: best validation error %.2f %% in epoch %d, last %.2f %%, training %.2f %%\n",
              result.run.string().c_str(), 100 * result.best_error, result.best_epoch + 1,
              100 * result.valid_error, 100 * result.train_error);
}

/// \throws Diverged naming the runs that did, after all that there is of the others.
void refuse_diverged(const learn::TrainResults& results) {
  if (!results.diverged.empty()) {
    throw Diverged(
        fmt::format("{} of {} runs diverged and are left out of the mean: {}; try a smaller --lr",
                    results.diverged.size(), results.diverged.size() + results.finished.size(),
                    fmt::join(results.diverged, ", ")));
  }
}

int print_several(const learn::TrainResults& all, const std::filesystem::path& folder,
                  bool as_json) {
  const std::vector<learn::TrainResult>& results = all.finished;
  const std::filesystem::path page = write_report(results, folder);
  const std::string summary = read_file(folder / "summary.json");
  if (as_json) {
    json out = json::parse(summary);
    out["folder"] = folder.string();
    out["report"] = page.string();
    std::printf("%s\n", out.dump(1).c_str());
    refuse_diverged(all);
    return 0;
  }
  for (const learn::TrainResult& result : results) {
    print_one(result);
  }
  const json best = json::parse(summary).at("best_error");
  const std::string spread =
      best.at("sd").is_null() ? "" : fmt::format(" ± {:.2f}", 100 * best.at("sd").get<double>());
  std::printf("best validation error of %zu runs: %.2f%s %%\n", results.size(),
              100 * best.at("mean").get<double>(), spread.c_str());
  print_line(fmt::format("report: {}", page.string()));
  refuse_diverged(all);
  return 0;
}

int print_single(const learn::TrainResult& result, bool as_json) {
  const std::filesystem::path page = write_report({result}, result.run);
  if (as_json) {
    json out = result_json(result);
    out["report"] = page.string();
    std::printf("%s\n", out.dump(1).c_str());
  } else {
    print_one(result);
    print_line(fmt::format("{} epochs in {}; report: {}", result.epochs,
                           duration_text(result.seconds), page.string()));
  }
  return 0;
}

/// Reads the cell that was named, and gives it the depth of the preset.
void settle_network(RunRequest<learn::TrainConfig>& request) {
  learn::TrainConfig& config = request.config;
  if (!config.network.empty()) {
    refuse_idle_cell_flags(config, request.given);
  }
  resolve_genotype(config);
  if (config.preset == "cifar" && !raw_value(request.given, "--cells")) {
    const space::NetworkSpec spec = learn::describe_network(config, 2, false).spec;
    config.cells = spec.genotype ? learn::cifar_cells(spec.genotype->nodes()) : config.cells;
  }
}

}  // namespace

void check_train_flags(std::vector<std::string> flags) {
  RunRequest<learn::TrainConfig> request;
  json machine;
  flags.emplace_back("--out=none");  // a run needs one, and this is none
  parse_run(kTrain, std::move(flags), request, machine);
  settle_network(request);
  learn::validate(request.config);
}

int run_train_command(std::vector<std::string> arguments) {
  RunRequest<learn::TrainConfig> request;
  json machine;
  if (const auto code = parse_run(kTrain, arguments, request, machine)) {
    return *code;
  }
  catch_interrupts();
  if (!request.resume.empty()) {
    return learn::holds_several_runs(request.resume)
               ? print_several(learn::resume_trainings(request.resume, machine), request.resume,
                               request.as_json)
               : print_single(learn::resume_training(request.resume, machine), request.as_json);
  }
  settle_network(request);
  const learn::TrainConfig& config = request.config;
  const auto if_exists =
      request.force ? RunFolder::IfExists::kReplace : RunFolder::IfExists::kRefuse;
  return config.runs > 1
             ? print_several(learn::run_trainings(config, request.out, if_exists), request.out,
                             request.as_json)
             : print_single(learn::run_training(config, request.out, if_exists), request.as_json);
}

}  // namespace probedarts::cli
