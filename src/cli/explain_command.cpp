#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "cli/network_source.hpp"
#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/dataset.hpp"
#include "data/image_list.hpp"
#include "data/loader.hpp"
#include "explain/choose_layer.hpp"
#include "explain/explain.hpp"
#include "explain/open_checkpoint.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

struct Request {
  std::vector<std::string> images;
  std::vector<std::string> checkpoints, networks, genotypes, names;
  NetworkSource source;
  std::vector<std::string> classes;
  std::string labels = "auto";
  std::string normalize;
  int size_px = 272;
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

void add_network_flags(CLI::App& app, Request& request) {
  add_values(app, "--checkpoint", request.checkpoints,
             "weights of each network: .pt, .pth or .safetensors (docs/checkpoints.md)");
  add_values(app, "--network", request.networks,
             "network of each checkpoint, or one for all: of the zoo, or a published genotype");
  add_values(app, "--genotype", request.genotypes,
             "instead of --network: published name, file, run folder, or Python text of a cell");
  add_values(app, "--name", request.names, "of each network on the page; default: of its file");
  app.add_option("--channels", request.source.channels,
                 "of the first cells of a genotype's network");
  app.add_option("--cells", request.source.cells, "of a genotype's network");
  app.add_option("--stem", request.source.stem, "of a genotype's network: cifar or pathology");
  add_list(app, "--classes", request.classes,
           "number of classes, or their names in the order of the outputs");
  app.add_option("--labels", request.labels,
                 "single (softmax), multi (sigmoid), or auto: as the data set given with --data, "
                 "multi for adp and bcss, else single");
  app.add_option("--normalize", request.normalize,
                 "as in training: none, cifar10, cifar100, adp, bcss, bach, osteosarcoma");
  app.add_option("--size", request.size_px, "side that images are resized to, px");
}

std::unique_ptr<CLI::App> make_explain_parser(Request& request) {
  auto app = make_parser(
      "Shows where trained networks look: heat maps of images, as files and as one page "
      "(docs/explain.md).",
      "probedarts explain");
  add_values(*app, "images", request.images, "image files, or folders of them");
  add_network_flags(*app, request);
  app->add_option("--method", request.method, "gradcam or hirescam");
  add_list(*app, "--target", request.targets,
           "what to explain: top (the first answer), label, names or numbers of classes");
  add_list(*app, "--layer", request.layers,
           "layer or cell to look at, one for all networks or one each");
  app->add_option("--data", request.data, "data set that tells the labels of the images");
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

void check(const Request& request) {
  if (request.images.empty()) {
    throw UserError(
        "explain: no image given; name image files or folders of them, after -- where a list of "
        "values stands before them");
  }
  if (request.out.empty()) {
    throw UserError("--out: no folder given; name one to make");
  }
  if (request.checkpoints.empty()) {
    throw UserError("--checkpoint: no trained network given; name the file of its weights");
  }
  if (request.networks.empty() == request.genotypes.empty()) {
    throw UserError("explain: give either --network NAME or --genotype CELL for the checkpoints");
  }
  const std::map<const char*, const std::vector<std::string>*> lists = {
      {"--network", &request.networks},
      {"--genotype", &request.genotypes},
      {"--layer", &request.layers},
      {"--name", &request.names}};
  for (const auto& [flag, given] : lists) {
    const bool one_for_all = given->size() == 1 && std::string(flag) != "--name";
    if (!given->empty() && !one_for_all && given->size() != request.checkpoints.size()) {
      throw UserError(fmt::format("{}: {} given for {} checkpoints; give one each{}", flag,
                                  given->size(), request.checkpoints.size(),
                                  std::string(flag) == "--name" ? "" : ", or one for all"));
    }
  }
  check_range("--size", request.size_px, 8, 4096);
  check_range("--threads", request.threads, 1, 1024);
}

/// "33" or names.
std::vector<std::string> class_names(const Request& request, const data::Dataset* dataset) {
  const std::vector<std::string>& given = request.classes;
  if (given.empty() && dataset != nullptr) {
    return dataset->classes;
  }
  if (given.empty()) {
    throw UserError("--classes: not given; give the number or the names of the network's classes");
  }
  const std::string& text = given.front();
  if (given.size() > 1 || text.empty() ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return given;
  }
  const int count = text.size() <= 5 ? std::stoi(text) : 0;
  check_range("--classes", count, 2, 99999);
  if (dataset != nullptr && dataset->classes.size() == static_cast<std::size_t>(count)) {
    return dataset->classes;
  }
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    names.push_back(std::to_string(i));
  }
  return names;
}

data::LabelKind label_kind(const Request& request, const data::Dataset* dataset) {
  if (request.labels == "single" || request.labels == "multi") {
    return request.labels == "multi" ? data::LabelKind::kMulti : data::LabelKind::kSingle;
  }
  if (request.labels != "auto") {
    throw UserError(
        fmt::format("--labels: '{}' is unknown; use auto, single or multi", request.labels));
  }
  if (dataset != nullptr) {
    return dataset->kind;
  }
  return request.normalize == "adp" || request.normalize == "bcss" ? data::LabelKind::kMulti
                                                                   : data::LabelKind::kSingle;
}

data::Normalization normalization(const Request& request) {
  if (request.normalize.empty()) {
    throw UserError(
        "--normalize: not given; name the one of the training, for example adp or none");
  }
  const auto found = data::published_normalization(request.normalize);
  if (!found) {
    throw UserError(fmt::format(
        "--normalize: '{}' is unknown; use one of none, cifar10, cifar100, adp, bcss, bach, "
        "osteosarcoma",
        request.normalize));
  }
  return *found;
}

/// A name for each checkpoint: as given, or that of the file, with its folder where two are alike.
std::vector<std::string> network_names(const Request& request) {
  if (!request.names.empty()) {
    return request.names;
  }
  std::vector<std::string> stems, names;
  for (const std::filesystem::path path : request.checkpoints) {
    stems.push_back(path.stem().string());
  }
  std::set<std::string> taken;
  for (std::size_t i = 0; i < stems.size(); ++i) {
    const std::filesystem::path path = request.checkpoints[i];
    std::string name = std::count(stems.begin(), stems.end(), stems[i]) == 1
                           ? stems[i]
                           : (path.parent_path().filename() / stems[i]).string();
    const std::string wanted = name;
    for (int copy = 2; !taken.insert(name).second; ++copy) {
      name = fmt::format("{} ({})", wanted, copy);
    }
    names.push_back(name);
  }
  return names;
}

using Networks = std::vector<std::shared_ptr<const explain::TrainedNetwork>>;

Networks open_networks(const Request& request, const data::Dataset* dataset) {
  explain::NetworkFacts facts;
  facts.classes = class_names(request, dataset);
  facts.labels = label_kind(request, dataset);
  facts.normalization = normalization(request);
  facts.size_px = request.size_px;
  const std::vector<std::string> names = network_names(request);
  const auto one_of = [](const std::vector<std::string>& given, std::size_t i) {
    const std::size_t at = given.size() == 1 ? 0 : i;
    return at < given.size() ? given[at] : std::string();
  };
  std::vector<nets::LayerGraph> graphs;
  for (std::size_t i = 0; i < request.checkpoints.size(); ++i) {
    NetworkSource source = request.source;
    source.network = one_of(request.networks, i);
    source.genotype = one_of(request.genotypes, i);
    graphs.push_back(make_network(source, static_cast<int>(facts.classes.size()), request.size_px));
    graphs.back().name = names[i];
    if (const std::string layer = one_of(request.layers, i); !layer.empty()) {
      explain::layer_to_explain(graphs.back(), layer, request.size_px);  // before anything is read
    }
  }
  Networks networks;
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    facts.name = names[i];
    networks.push_back(
        explain::open_checkpoint(request.checkpoints[i], std::move(graphs[i]), facts));
  }
  return networks;
}

/// How many images have no class to explain, although their labels are known.
std::size_t unlabelled(const json& facts) {
  const json& images = facts.at("images");
  return static_cast<std::size_t>(std::count_if(
      images.begin(), images.end(), [](const json& image) { return image.at("maps").empty(); }));
}

std::optional<int> read_request(std::vector<std::string> arguments, Request& request) {
  const auto app = make_explain_parser(request);
  if (const auto path = raw_value(arguments, "--config")) {
    std::vector<std::string> flags = flags_from_toml(*path, *app);
    std::erase_if(flags, [&](const std::string& flag) {  // lists would be joined, not overridden
      return raw_value(arguments, flag.substr(0, flag.find('='))).has_value();
    });
    flags.insert(flags.end(), arguments.begin(), arguments.end());
    arguments = std::move(flags);
  }
  return parse(*app, std::move(arguments));
}

}  // namespace

int run_explain_command(std::vector<std::string> arguments) {
  Request request;
  if (const auto code = read_request(std::move(arguments), request)) {
    return *code;
  }
  check(request);
  explain::ExplainOptions options;
  const auto method = explain::cam_method_named(request.method);
  if (!method) {
    throw UserError(
        fmt::format("--method: '{}' is unknown; use gradcam or hirescam", request.method));
  }
  options.method = *method;
  options.targets = request.targets;
  options.layers = request.layers;
  options.threads = request.threads;
  std::optional<data::Dataset> dataset;
  if (!request.data.empty()) {
    dataset = data::open_dataset(request.data, request.dataset);
  }
  const data::Dataset* known = dataset ? &*dataset : nullptr;
  const auto files = data::list_images({request.images.begin(), request.images.end()});
  const auto images = explain::label_images(files, known, class_names(request, known));
  const Networks networks = open_networks(request, known);
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
