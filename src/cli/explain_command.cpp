#include <algorithm>
#include <cstdio>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "cli/genotype_source.hpp"
#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/dataset.hpp"
#include "data/image_list.hpp"
#include "explain/explain.hpp"
#include "explain/open_network.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

struct ExplainRequest {
  std::vector<std::string> images;
  std::vector<std::string> runs, checkpoints, networks, genotypes, names;
  learn::ModelRequest model;  ///< what all checkpoints share
  int size_px = 0;
  int pick = 0;
  std::string split = "test";
  std::uint64_t seed = 1;
  std::string method = "gradcam";
  std::vector<std::string> targets = {"top"};
  std::vector<std::string> layers = {"last_conv"};
  std::string data;
  data::DatasetOptions dataset;
  std::string out;
  std::string config;
  int threads = 2;
  bool as_json = false;
};

/// A flag for several values: "--checkpoint A B", or once for each.
CLI::Option* add_values(CLI::App& app, const char* flag, std::vector<std::string>& values,
                        const char* help) {
  return app.add_option(flag, values, help)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

/// A flag for a list: "--target top,label".
void add_list(CLI::App& app, const char* flag, std::vector<std::string>& values, const char* help) {
  add_values(app, flag, values, help)->delimiter(',')->allow_extra_args(false);
}

void add_network_flags(CLI::App& app, ExplainRequest& request) {
  add_values(app, "--run", request.runs, "run folders of trainings: their best weights");
  add_values(app, "--checkpoint", request.checkpoints,
             "weights of each network: .pt, .pth or .safetensors (docs/checkpoints.md)");
  add_values(app, "--network", request.networks,
             "network of each checkpoint, or one for all: of the zoo, or a published genotype");
  add_values(app, "--genotype", request.genotypes,
             "instead of --network: published name, file, run folder, or Python text of a cell");
  add_values(app, "--name", request.names, "of each network on the page; default: of its file");
  app.add_option("--channels", request.model.network.channels,
                 "of the first cells of a genotype's network");
  app.add_option("--cells", request.model.network.cells, "of a genotype's network");
  app.add_option("--stem", request.model.network.stem,
                 "of a genotype's network: cifar or pathology");
  add_list(app, "--classes", request.model.classes,
           "number of classes, or their names in the order of the outputs; for checkpoints that do "
           "not tell them");
  app.add_option("--labels", request.model.labels,
                 "single (softmax), multi (sigmoid), or auto: as trained, as the data set given "
                 "with --data, multi for adp and bcss, else single");
  app.add_option("--normalize", request.model.normalize,
                 "as in training, for checkpoints that do not tell it: none, cifar10, cifar100, "
                 "adp, bcss, bach, osteosarcoma, imagenet, or numbers R,G,B/R,G,B");
  app.add_option("--size", request.size_px,
                 "side that images are resized to, px; 0: as in training");
}

std::unique_ptr<CLI::App> make_explain_parser(ExplainRequest& request) {
  auto app = make_parser(
      "Shows where trained networks look: heat maps of images, as files and as one page "
      "(docs/explain.md).",
      "probedarts explain");
  add_values(*app, "images", request.images, "image files, or folders of them");
  add_network_flags(*app, request);
  app->add_option("--method", request.method, "gradcam, gradcam++ or hirescam");
  add_list(
      *app, "--target", request.targets,
      "what to explain, with commas: top (the first answer), label, names or numbers of classes");
  add_list(*app, "--layer", request.layers,
           "layer or cell to look at, one for all networks or, with commas, one each");
  app->add_option("--data", request.data, "data set that tells the labels of the images");
  app->add_option("--pick", request.pick,
                  "instead of images: so many of the data set, of classes as different as can be");
  app->add_option("--split", request.split, "to pick from: train, valid or test");
  app->add_option("--seed", request.seed, "of what is picked");
  app->add_option("--layout", request.dataset.layout,
                  "of the data set: auto, folders, csv, cifar, adp, bcss, lists");
  app->add_option("--adp-level", request.dataset.adp_level, "ADP only: L1, L2 or L3");
  add_list(*app, "--label-columns", request.dataset.label_columns,
           "labels.csv: columns of a multi-label set");
  app->add_option("--out", request.out, "folder to make");
  app->add_option("--threads", request.threads, "CPU threads");
  app->add_option("--config", request.config, "TOML file with the same keys; flags override it");
  app->add_flag("--json", request.as_json, "print explain.json");
  return app;
}

void check_range(const char* flag, int value, int low, int high) {
  if (value < low || value > high) {
    throw UserError(fmt::format("{}: {} is out of range; use {} to {}", flag, value, low, high));
  }
}

/// One value for all, or one each.
void check_count(const char* flag, const std::vector<std::string>& given, std::size_t wanted,
                 const char* what) {
  if (given.size() > 1 && given.size() != wanted) {
    throw UserError(fmt::format("{}: {} given for {} {}; give one each, or one for all", flag,
                                given.size(), wanted, what));
  }
}

void check_images(const ExplainRequest& request) {
  if (request.pick != 0) {
    check_range("--pick", request.pick, 1, 1000);
    if (request.data.empty() || !request.images.empty()) {
      throw UserError(request.data.empty()
                          ? "--pick: no data set to pick from; give one with --data"
                          : "--pick goes without images; give one of them");
    }
  } else if (request.images.empty()) {
    throw UserError(
        "explain: no image given; name image files or folders of them, after -- where a list of "
        "values stands before them");
  }
}

void check(const ExplainRequest& request) {
  check_images(request);
  if (request.out.empty()) {
    throw UserError("--out: no folder given; name one to make");
  }
  if (request.runs.empty() && request.checkpoints.empty()) {
    throw UserError(
        "explain: no trained network given; name run folders with --run, or files of weights with "
        "--checkpoint");
  }
  if (!request.networks.empty() && !request.genotypes.empty()) {
    throw UserError("--network goes without --genotype; give one of them for the checkpoints");
  }
  const std::size_t checkpoints = request.checkpoints.size();
  check_count("--network", request.networks, checkpoints, "checkpoints");
  check_count("--genotype", request.genotypes, checkpoints, "checkpoints");
  const std::size_t networks = request.runs.size() + checkpoints;
  check_count("--layer", request.layers, networks, "networks");
  if (!request.names.empty() && request.names.size() != networks) {
    throw UserError(fmt::format("--name: {} given for {} networks; give one each",
                                request.names.size(), networks));
  }
  if (request.size_px != 0) {
    check_range("--size", request.size_px, 8, 4096);
  }
  check_range("--threads", request.threads, 1, 1024);
}

/// A name for each network: as given, or that of its folder or file, with the folder above where
/// two are alike.
std::vector<std::string> network_names(const ExplainRequest& request) {
  if (!request.names.empty()) {
    return request.names;
  }
  std::vector<std::filesystem::path> paths;  // without ending
  for (const std::string& run : request.runs) {
    paths.push_back(std::filesystem::absolute(run + "/.").lexically_normal().parent_path());
  }
  for (const std::string& file : request.checkpoints) {
    paths.push_back(std::filesystem::absolute(file).replace_extension());
  }
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const auto& path : paths) {
    const bool alone = std::count_if(paths.begin(), paths.end(), [&](const auto& other) {
                         return other.filename() == path.filename();
                       }) == 1;
    const std::string wanted = alone ? path.filename().string()
                                     : (path.parent_path().filename() / path.filename()).string();
    std::string name = wanted;
    for (int copy = 2; !taken.insert(name).second; ++copy) {
      name = fmt::format("{} ({})", wanted, copy);
    }
    names.push_back(name);
  }
  return names;
}

using Networks = std::vector<std::shared_ptr<const explain::TrainedNetwork>>;

Networks open_networks(const ExplainRequest& request, const data::Dataset* dataset) {
  const std::vector<std::string> names = network_names(request);
  const auto one_of = [](const std::vector<std::string>& given, std::size_t i) {
    return given.empty() ? std::string() : given[given.size() == 1 ? 0 : i];
  };
  Networks networks;
  for (const std::string& run : request.runs) {
    learn::ModelRequest model;
    model.run = run;
    networks.push_back(
        explain::open_network(model, names[networks.size()], request.size_px, dataset));
  }
  for (std::size_t i = 0; i < request.checkpoints.size(); ++i) {
    learn::ModelRequest model = request.model;
    model.checkpoint = request.checkpoints[i];
    model.network.network = one_of(request.networks, i);
    model.network.genotype = one_of(request.genotypes, i);
    resolve_genotype(model.network);
    networks.push_back(
        explain::open_network(model, names[networks.size()], request.size_px, dataset));
  }
  return networks;
}

/// How many images have no class to explain, although their labels are known.
std::size_t unlabelled(const json& facts) {
  const json& images = facts.at("images");
  return static_cast<std::size_t>(std::count_if(
      images.begin(), images.end(), [](const json& image) { return image.at("maps").empty(); }));
}

std::optional<int> read_request(std::vector<std::string> arguments, ExplainRequest& request) {
  const auto app = make_explain_parser(request);
  if (const auto path = raw_value(arguments, "--config")) {
    std::vector<std::string> flags = flags_from_toml(*path, *app);
    std::erase_if(flags, [&](const std::string& flag) {  // lists would be joined, not overridden
      return raw_value(arguments, flag.substr(0, flag.find('='))).has_value();
    });
    flags.insert(flags.end(), arguments.begin(), arguments.end());
    arguments = std::move(flags);
  }
  const auto code = parse(*app, arguments);
  if (!code) {
    learn::NetworkOptions named;  // the first of each stands for all
    named.network = request.networks.empty() ? "" : request.networks.front();
    named.genotype = request.genotypes.empty() ? "" : request.genotypes.front();
    refuse_idle_cell_flags(named, arguments);
  }
  return code;
}

explain::CamMethod method_of(const ExplainRequest& request) {
  const auto method = explain::cam_method_named(request.method);
  if (!method) {
    throw UserError(fmt::format("--method: '{}' is unknown; use gradcam, gradcam++ or hirescam",
                                request.method));
  }
  return *method;
}

}  // namespace

void check_explain_flags(std::vector<std::string> flags) {
  ExplainRequest request;
  read_request(std::move(flags), request);
  method_of(request);
}

int run_explain_command(std::vector<std::string> arguments) {
  ExplainRequest request;
  if (const auto code = read_request(std::move(arguments), request)) {
    return *code;
  }
  check(request);
  explain::ExplainOptions options;
  options.method = method_of(request);
  options.targets = request.targets;
  options.layers = request.layers;
  options.threads = request.threads;
  std::optional<data::Dataset> dataset;
  if (!request.data.empty()) {
    dataset = data::open_dataset(request.data, request.dataset);
  }
  const data::Dataset* known = dataset ? &*dataset : nullptr;
  const auto files = request.pick > 0
                         ? data::pick_images(*dataset, data::split_of_flag(request.split),
                                             static_cast<std::size_t>(request.pick), request.seed)
                         : data::list_images({request.images.begin(), request.images.end()});
  const Networks networks = open_networks(request, known);
  const auto images = explain::label_images(files, known, explain::classes_of(*networks.front()));
  catch_interrupts();
  const json facts = explain::explain_images(networks, images, options, request.out);
  if (request.as_json) {
    std::printf("%s\n", facts.dump(1, ' ', false, json::error_handler_t::replace).c_str());
  }
  if (const std::size_t left_out = unlabelled(facts); left_out > 0) {
    print_line(
        fmt::format("{} image{} without any class left out", left_out, left_out == 1 ? "" : "s"));
  }
  print_line(
      fmt::format("explain: {}", (std::filesystem::path(request.out) / "index.html").string()));
  return 0;
}

}  // namespace probedarts::cli
