#include "report/read_run.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "report/json_field.hpp"

namespace probedarts::report {
namespace {

using nlohmann::json;

/// Options read "cells = 4", not "cells = \"4\"": text stays as it is, the rest as JSON.
std::string plain(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<int> integer_or_nothing(const JsonField& object, const char* key) {
  const JsonField field = object.at(key);
  if (field.is_null()) {
    return std::nullopt;
  }
  return static_cast<int>(field.integer());
}

Layer read_layer(const JsonField& field) {
  Layer layer;
  layer.name = field.at("name").text();
  layer.role = field.at("role").text();
  layer.cell_kind = field.at("cell_kind").text_or_empty();
  layer.cell = integer_or_nothing(field, "cell");
  layer.edge = integer_or_nothing(field, "edge");
  layer.from = integer_or_nothing(field, "from");
  layer.to = integer_or_nothing(field, "to");
  layer.position = integer_or_nothing(field, "position").value_or(0);
  const std::string primitive = field.at("primitive").text_or_empty();
  if (!primitive.empty()) {
    layer.primitive = space::primitive_named(primitive);
    if (!layer.primitive) {
      field.at("primitive").refuse(fmt::format("names no primitive ('{}')", primitive));
    }
  }
  return layer;
}

std::vector<Layer> layers_of(const JsonField& head) {
  std::vector<Layer> layers;
  for (const JsonField& layer : head.at("layers").items()) {
    layers.push_back(read_layer(layer));
  }
  return layers;
}

std::string machine_line(const JsonField& machine) {
  std::string line = machine.has("cpu") ? machine.at("cpu").text() : "unknown processor";
  if (machine.has("cores")) {
    line += fmt::format(", {} cores", machine.at("cores").integer());
  }
  if (machine.has("memory_gib")) {
    line += fmt::format(", {:.3g} GiB", machine.at("memory_gib").number());
  }
  if (machine.has("os")) {
    line += ", " + machine.at("os").text();
  }
  return line;
}

void read_head(const JsonField& head, Run& run) {
  if (const std::string format = head.at("format").text(); format != "probedarts-run") {
    head.at("format").refuse(fmt::format("is '{}', not 'probedarts-run'", format));
  }
  if (const long long version = head.at("format_version").integer(); version != 1) {
    head.at("format_version").refuse(fmt::format("is {}, this program reads 1", version));
  }
  run.kind = head.at("kind").text();
  if (run.kind != "search" && run.kind != "train") {
    head.at("kind").refuse(
        fmt::format("is '{}', the report shows runs of 'search' and 'train'", run.kind));
  }
  run.name = head.at("name").text();
  run.created = head.at("created").text();
  run.version = head.at("version").text();
  run.commit = head.at("commit").text();
  run.libtorch = head.at("libtorch").text();
  run.machine = machine_line(head.at("machine"));
  run.command = head.has("command") ? head.at("command").text_or_empty() : "";
  run.threads = head.at("threads").integer();
  run.executor = head.at("executor").text();
  run.dtype = head.at("dtype").text();
  run.seed = head.at("seed").integer();
  run.parameters = head.at("parameters").integer();
}

void read_data(const JsonField& data, Run& run) {
  run.data_path = data.at("path").text();
  run.data_fingerprint = data.at("fingerprint").text();
  run.labels = data.at("labels").text();
  for (const JsonField& name : data.at("classes").items()) {
    run.classes.push_back(name.text());
  }
  const JsonField images = data.at("images");
  if (!images.value().is_object()) {
    images.refuse("must be an object");
  }
  for (const auto& [split, count] : images.value().items()) {
    run.images.emplace_back(split, plain(count));
  }
}

SplitResult read_split(const JsonField& field) {
  return {field.at("loss").number_or_nan(), field.at("error").number_or_nan()};
}

/// One number a layer, checked against run.json.
std::vector<double> read_per_layer(const JsonField& field, std::size_t layers) {
  std::vector<double> numbers = field.numbers_or_nan();
  if (numbers.size() != layers) {
    field.refuse(
        fmt::format("has {} numbers for the {} layers of run.json", numbers.size(), layers));
  }
  return numbers;
}

space::EdgeWeights read_softmax(const JsonField& field) {
  space::EdgeWeights weights;
  for (const JsonField& row : field.items()) {
    weights.push_back(row.numbers_or_nan());
    if (weights.back().size() != space::kPrimitiveCount) {
      row.refuse(fmt::format("has {} numbers for the {} primitives", weights.back().size(),
                             space::kPrimitiveCount));
    }
  }
  return weights;
}

void read_probe(const JsonField& probe, std::size_t layers, Epoch& epoch) {
  epoch.stable_rank = read_per_layer(probe.at("stable_rank"), layers);
  for (std::size_t i = 0; i < kProbeSeries.size(); ++i) {
    epoch.probe[i] = read_per_layer(probe.at(std::string(kProbeSeries[i])), layers);
  }
  epoch.failed_layers = probe.at("failed").items().size();
}

void read_seconds(const JsonField& seconds, const std::string& kind, Epoch& epoch) {
  epoch.seconds = seconds.at("total").number();
  for (std::size_t i = 0; i < kTimeParts.size(); ++i) {
    const std::string part = i == 0 ? kind : std::string(kTimeParts[i]);
    epoch.seconds_parts[i] = seconds.has(part) ? seconds.at(part).number() : 0.0;
  }
  for (std::size_t i = 0; i < kExtraProbes.size(); ++i) {
    const std::string entry(kExtraProbes[i].first);
    epoch.extra_seconds[i] = seconds.has(entry) ? seconds.at(entry).number() : 0.0;
  }
}

/// The genotype must fit the rows of softmax(alpha), the same in all epochs: the page draws both on
/// the same edges.
void check_edges(const JsonField& line, const Run& run, const Architecture& found) {
  const int nodes = found.genotype.nodes();
  if (!run.epochs.empty()) {
    const int first = run.epochs.front().architecture->genotype.nodes();
    if (first != nodes) {
      line.at("genotype")
          .refuse(fmt::format("has {} nodes where the first epoch has {}", nodes, first));
    }
  }
  const auto edges = static_cast<std::size_t>(space::edge_count(nodes));
  for (std::size_t k = 0; k < kCellKinds.size(); ++k) {
    if (found.softmax[k].size() != edges) {
      line.at("alpha_softmax")
          .at(kCellKinds[k])
          .refuse(fmt::format("has {} rows for the {} edges of the genotype",
                              found.softmax[k].size(), edges));
    }
  }
}

space::Genotype read_genotype(const JsonField& field, const std::string& where) {
  try {
    return space::parse_genotype(field.value().dump());
  } catch (const UserError& error) {
    throw UserError(fmt::format("run folder: {}: {}", where, error.what()));
  }
}

Architecture read_architecture(const JsonField& line, const Run& run, const std::string& where) {
  Architecture found;
  for (std::size_t k = 0; k < kCellKinds.size(); ++k) {
    found.softmax[k] = read_softmax(line.at("alpha_softmax").at(kCellKinds[k]));
    const JsonField collapse = line.at("collapse").at(kCellKinds[k]);
    for (std::size_t i = 0; i < kCollapseSignals.size(); ++i) {
      found.collapse[k][i] = collapse.at(std::string(kCollapseSignals[i])).number_or_nan();
    }
  }
  found.genotype = read_genotype(line.at("genotype"), where);
  found.genotype_text = line.at("genotype_text").text();
  check_edges(line, run, found);
  return found;
}

Epoch read_epoch(const JsonField& line, const Run& run, const std::string& where) {
  Epoch epoch;
  epoch.epoch = static_cast<int>(line.at("epoch").integer());
  if (epoch.epoch != static_cast<int>(run.epochs.size())) {
    line.at("epoch").refuse(
        fmt::format("is {} where {} must follow", epoch.epoch, run.epochs.size()));
  }
  epoch.train = read_split(line.at("train"));
  epoch.valid = read_split(line.at("valid"));
  epoch.lr_schedule = line.at("lr").at("schedule").number_or_nan();
  epoch.lr_layers = read_per_layer(line.at("lr").at("layers"), run.layers.size());
  read_probe(line.at("probe"), run.layers.size(), epoch);
  for (std::size_t i = 0; i < kExtraProbes.size(); ++i) {
    const auto& [entry, number] = kExtraProbes[i];
    if (line.has(std::string(entry))) {
      epoch.extra[i] = line.at(std::string(entry)).at(std::string(number)).number();
    }
  }
  if (run.is_search()) {
    epoch.architecture = read_architecture(line, run, where);
  }
  read_seconds(line.at("seconds"), run.kind, epoch);
  return epoch;
}

void read_stop(const JsonField& stopped, Run& run) {
  run.stopped = stopped.at("why").text();
  const JsonField kept = stopped.at("genotype_epoch");
  if (kept.integer() < 0 || kept.integer() >= static_cast<long long>(run.epochs.size())) {
    kept.refuse(fmt::format("is {} where epochs 0 to {} are finished", kept.integer(),
                            run.epochs.size() - 1));
  }
  run.kept_epoch = static_cast<std::size_t>(kept.integer());
}

json parse_document(const std::string& text, const std::string& where) {
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    throw UserError(
        fmt::format("run folder: {} is no valid JSON; restore the file or repeat the run", where));
  }
  return document;
}

void read_epochs(const std::filesystem::path& path, Run& run) {
  const std::string text = std::filesystem::exists(path) ? read_file(path) : std::string();
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    ++number;
    if (end == text.size() && json::parse(line, nullptr, false).is_discarded()) {
      run.notes.push_back(fmt::format(
          "Line {} of epochs.jsonl is cut short, as a killed run leaves it; it is not shown.",
          number));
      break;
    }
    const std::string where = fmt::format("line {} of '{}'", number, path.string());
    const json document = parse_document(line, where);
    run.epochs.push_back(read_epoch(JsonField(document, where), run, where));
    begin = end + 1;
  }
  if (run.epochs.empty()) {
    throw UserError(fmt::format(
        "run folder: '{0}' has no finished epoch yet; wait for its first epoch, or go on with "
        "`probedarts {1} --resume {0}`",
        run.folder.string(), run.kind));
  }
}

}  // namespace

std::string Run::option(std::string_view key) const {
  for (const auto& [option_name, value] : config) {
    if (option_name == key) {
      return value;
    }
  }
  return {};
}

const space::Genotype* Run::cell() const {
  if (is_search()) {
    return &epochs.at(kept_epoch).architecture->genotype;
  }
  return model_genotype ? &*model_genotype : nullptr;
}

bool Run::has_layer_rates() const {
  return std::any_of(epochs.begin(), epochs.end(), [](const Epoch& epoch) {
    return std::adjacent_find(epoch.lr_layers.begin(), epoch.lr_layers.end(),
                              std::not_equal_to<>()) != epoch.lr_layers.end();
  });
}

Run read_run(const std::filesystem::path& folder) {
  const std::filesystem::path head_path = folder / "run.json";
  if (!std::filesystem::exists(head_path)) {
    throw UserError(fmt::format(
        "run folder: '{}' {}; give a folder that `probedarts search` or `probedarts train` wrote",
        folder.string(),
        std::filesystem::exists(folder / "runs.json") ? "holds several runs, not one"
        : std::filesystem::exists(folder)             ? "holds no run.json"
                                                      : "does not exist"));
  }
  Run run;
  run.folder = folder;
  const std::string where = fmt::format("'{}'", head_path.string());
  const json document = parse_document(read_file(head_path), where);
  const JsonField head(document, where);
  read_head(head, run);
  read_data(head.at("data"), run);
  const JsonField config = head.at("config");
  if (!config.value().is_object()) {
    config.refuse("must be an object");
  }
  for (const auto& [key, value] : config.value().items()) {
    run.config.emplace_back(key, plain(value));
  }
  run.layers = layers_of(head);
  if (!run.is_search()) {
    const JsonField network = head.at("model").at("network");
    run.network = network.at("name").text();
    if (network.has("genotype")) {
      run.model_genotype = read_genotype(network.at("genotype"), where);
    }
  }
  read_epochs(folder / "epochs.jsonl", run);
  run.kept_epoch = run.epochs.size() - 1;
  if (run.is_search() && head.has("stopped")) {
    read_stop(head.at("stopped"), run);
  }
  return run;
}

std::vector<Layer> read_layers(const std::filesystem::path& run_json) {
  const std::string where = fmt::format("'{}'", run_json.string());
  const json document = parse_document(read_file(run_json), where);
  return layers_of(JsonField(document, where));
}

}  // namespace probedarts::report
