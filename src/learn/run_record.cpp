#include "learn/run_record.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/machine.hpp"
#include "core/version.hpp"
#include "learn/probe_network.hpp"
#include "nets/torch_runtime.hpp"
#include "probe/collapse.hpp"

namespace probedarts::learn {
namespace {

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json layer_json(const nets::NetworkLayout* layout, const nets::ParameterInfo& parameter) {
  const nets::Place& place = parameter.place;
  Json layer = {{"name", parameter.name},
                {"cell", optional_json(place.cell)},
                {"cell_kind", nullptr},
                {"edge", optional_json(place.edge)},
                {"from", nullptr},
                {"to", nullptr},
                {"primitive", nullptr},
                {"position", optional_json(place.position)},
                {"role", std::string(nets::name_of(parameter.role))},
                {"shape", parameter.shape}};
  if (layout != nullptr && place.cell) {
    const nets::CellUnit& cell = layout->cells[static_cast<std::size_t>(*place.cell)];
    layer["cell_kind"] = std::string(space::name_of(cell.plan.kind));
    if (place.edge) {
      const nets::EdgeUnit& edge = cell.edges[static_cast<std::size_t>(*place.edge)];
      layer["from"] = edge.from;
      layer["to"] = edge.to;
    }
  }
  if (place.primitive) {
    layer["primitive"] = std::string(space::info_of(*place.primitive).name);
  }
  return layer;
}

Json figures_json(const PassFigures& figures) {
  return {{"loss", figures.loss}, {"error", figures.error}, {"images", figures.images}};
}

Json collapse_json(const space::EdgeWeights& weights, int nodes) {
  const probe::CollapseSignals signals = probe::collapse_signals(weights, nodes);
  return {{"parameter_free_share", signals.parameter_free_share},
          {"skip_share", signals.skip_share},
          {"pool_share", signals.pool_share},
          {"entropy", signals.entropy},
          {"margin", signals.margin}};
}

template <class Get>
Json column(const std::vector<probe::LayerMetrics>& layers, Get get) {
  Json values = Json::array();
  for (const probe::LayerMetrics& layer : layers) {
    values.push_back(layer.failed ? Json(nullptr) : Json(get(layer)));
  }
  return values;
}

/// Gain of stable rank over the epoch before, as Adas uses it; null where either is unknown.
Json velocity_json(const EpochRecord& record) {
  Json values = Json::array();
  for (std::size_t i = 0; i < record.layers.size(); ++i) {
    const bool known = !record.layers[i].failed && i < record.last_stable_rank.size() &&
                       !std::isnan(record.last_stable_rank[i]);
    values.push_back(known ? Json(record.layers[i].stable_rank() - record.last_stable_rank[i])
                           : Json(nullptr));
  }
  return values;
}

/// Entries of the probes that this epoch measured, and their seconds.
void add_extra(const EpochRecord& record, Json& line, Json& seconds) {
  if (const auto& found = record.extra.eigenvalue) {
    line["eigenvalue"] = {{"largest", found->value.largest},
                          {"smallest", found->value.smallest},
                          {"residual", found->value.residual},
                          {"products", found->value.products}};
    seconds["eigenvalue"] = found->seconds;
  }
  if (const auto& found = record.extra.derived_error) {
    line["gap"] = {{"derived_error", found->value}, {"gap", found->value - record.valid.error}};
    seconds["gap"] = found->seconds;
  }
  if (const auto& found = record.extra.alignment) {
    line["alignment"] = {{"cosine", found->value}};
    seconds["alignment"] = found->seconds;
  }
}

Json probe_json(const std::vector<probe::LayerMetrics>& layers) {
  using Layer = const probe::LayerMetrics&;
  Json failed = Json::array();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].failed) {
      failed.push_back(i);
    }
  }
  return {{"stable_rank", column(layers, [](Layer l) { return l.stable_rank(); })},
          {"stable_rank_in", column(layers, [](Layer l) { return l.in.stable_rank; })},
          {"stable_rank_out", column(layers, [](Layer l) { return l.out.stable_rank; })},
          {"rank_in", column(layers, [](Layer l) { return l.in.rank; })},
          {"rank_out", column(layers, [](Layer l) { return l.out.rank; })},
          {"condition_in", column(layers, [](Layer l) { return l.in.condition; })},
          {"condition_out", column(layers, [](Layer l) { return l.out.condition; })},
          {"failed", failed}};
}

}  // namespace

Json data_json(const DataOptions& options, const std::string& layout, const data::PatchCache& cache,
               const data::Normalization& normalization) {
  return {{"path", options.data},
          {"layout", layout},
          {"fingerprint", cache.fingerprint()},
          {"labels", cache.kind() == data::LabelKind::kSingle ? "single" : "multi"},
          {"classes", cache.classes()},
          {"images",
           {{"train", cache.count(data::Split::kTrain)},
            {"valid", cache.count(data::Split::kValid)},
            {"test", cache.count(data::Split::kTest)}}},
          {"unreadable", cache.unreadable()},
          {"mean", normalization.mean},
          {"sd", normalization.sd}};
}

std::string run_json(const RunHead& head, const nets::TensorTable& table,
                     const nets::NetworkLayout* layout) {
  const Machine machine = this_machine();
  Json layers = Json::array();
  for (const std::size_t index : convolution_parameters(table)) {
    layers.push_back(layer_json(layout, table.parameters[index]));
  }
  Json run = {{"format", "probedarts-run"},
              {"format_version", 1},
              {"kind", head.kind},
              {"name", head.name},
              {"created", utc_now()},
              {"version", version()},
              {"commit", commit()},
              {"libtorch", nets::libtorch_version()},
              {"machine",
               {{"cpu", machine.cpu},
                {"cores", machine.cores},
                {"memory_gib", machine.memory_gib},
                {"os", machine.os}}},
              {"threads", head.run.threads},
              {"executor", head.executor},
              {"dtype", head.run.dtype},
              {"seed", head.run.seed},
              {"config", head.config},
              {"data", head.data}};
  if (!head.model.empty()) {
    run["model"] = head.model;
  }
  run["parameters"] = table.weight_count;
  run["layers"] = layers;
  return run.dump(1) + "\n";
}

std::string with_early_stop(const std::string& run_json, const Json& stopped) {
  Json run = Json::parse(run_json);
  run["stopped"] = stopped;
  return run.dump(1) + "\n";
}

bool says(const nlohmann::json& stored, const char* key, const std::string& text) {
  return stored.is_object() && stored.contains(key) && stored[key] == text;
}

nlohmann::json stored_config(const RunFolder& folder, const std::string& kind,
                             const nlohmann::json& machine_options) {
  const nlohmann::json run = nlohmann::json::parse(read_file(folder.run_json()), nullptr, false);
  if (!says(run, "format", "probedarts-run") || !says(run, "kind", kind) ||
      !run.contains("config") || !run["config"].is_object()) {
    const std::string word = kind == "train" ? "training" : kind;
    throw UserError(fmt::format("'{0}' is not the run.json of a {1}; give the folder of a {1} run",
                                folder.run_json().string(), word));
  }
  nlohmann::json config = run.at("config");
  for (const auto& [key, value] : machine_options.items()) {
    require(is_machine_option(key), "resume takes options of the machine only");
    config[key] = value;
  }
  return config;
}

std::string epoch_line(const EpochRecord& record) {
  const EpochSeconds& s = record.seconds;
  Json line = {{"epoch", record.epoch},
               {"train", figures_json(record.train)},
               {"valid", figures_json(record.valid)},
               {"lr", {{"schedule", record.schedule_rate}, {"layers", record.layer_rates}}}};
  if (record.architecture) {
    const ArchitectureRecord& found = *record.architecture;
    line["alpha_softmax"] = {{"normal", found.normal}, {"reduce", found.reduce}};
  }
  line["probe"] = probe_json(record.layers);
  if (record.architecture) {
    line["probe"]["velocity"] = velocity_json(record);
    const ArchitectureRecord& found = *record.architecture;
    const int nodes = found.genotype.nodes();
    line["collapse"] = {{"normal", collapse_json(found.normal, nodes)},
                        {"reduce", collapse_json(found.reduce, nodes)}};
    line["genotype"] = Json::parse(space::to_json(found.genotype));
    line["genotype_text"] = space::to_python(found.genotype);
  }
  Json seconds = {{"total", s.total},           {record.architecture ? "search" : "train", s.learn},
                  {"valid", s.valid},           {"probe", s.probe},
                  {"checkpoint", s.checkpoint}, {"data_wait", s.data_wait}};
  add_extra(record, line, seconds);
  line["seconds"] = seconds;  // last: what comes before does not depend on the clock
  return line.dump();
}

LastEpoch last_epoch(const std::filesystem::path& run) {
  const std::string text = read_file(run / "epochs.jsonl");
  require(!text.empty() && text.back() == '\n', "a finished run has at least one whole epoch");
  const std::size_t before = text.rfind('\n', text.size() - 2);
  const auto line =
      nlohmann::json::parse(text.substr(before == std::string::npos ? 0 : before + 1));
  double sum = 0.0;
  std::size_t count = 0;
  for (const auto& stable_rank : line.at("probe").at("stable_rank")) {
    if (!stable_rank.is_null()) {  // that of a layer that failed
      sum += stable_rank.get<double>();
      ++count;
    }
  }
  return {line.at("train").at("error"), line.at("valid").at("error"),
          count == 0 ? 0.0 : sum / static_cast<double>(count)};
}

double mean_stable_rank(const std::vector<probe::LayerMetrics>& layers) {
  double sum = 0.0;
  std::size_t count = 0;
  for (const probe::LayerMetrics& layer : layers) {
    if (!layer.failed) {
      sum += layer.stable_rank();
      ++count;
    }
  }
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

space::EdgeWeights edge_weights(const at::Tensor& alpha, space::CellKind kind) {
  const at::Tensor rows =
      alpha.select(0, kind == space::CellKind::kReduce ? 1 : 0).to(at::kDouble).contiguous();
  const double* values = rows.data_ptr<double>();
  space::EdgeWeights logits;
  for (std::int64_t e = 0; e < rows.size(0); ++e) {
    logits.emplace_back(values + e * rows.size(1), values + (e + 1) * rows.size(1));
  }
  return space::softmax_rows(logits);
}

}  // namespace probedarts::learn
