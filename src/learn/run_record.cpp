#include "learn/run_record.hpp"

#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/machine.hpp"
#include "core/version.hpp"
#include "learn/probe_network.hpp"
#include "nets/torch_runtime.hpp"
#include "probe/collapse.hpp"

namespace probedarts::learn {
namespace {

// Insertion order, so that files read as the documentation does.
using json = nlohmann::ordered_json;

template <class T>
json optional_json(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json layer_json(const nets::NetworkLayout& layout, const nets::ParameterInfo& parameter) {
  const nets::Place& place = parameter.place;
  json layer = {{"name", parameter.name},
                {"cell", optional_json(place.cell)},
                {"cell_kind", nullptr},
                {"edge", optional_json(place.edge)},
                {"from", nullptr},
                {"to", nullptr},
                {"primitive", nullptr},
                {"position", optional_json(place.position)},
                {"role", std::string(nets::name_of(parameter.role))},
                {"shape", parameter.shape}};
  if (place.cell) {
    const nets::CellUnit& cell = layout.cells[static_cast<std::size_t>(*place.cell)];
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

json data_json(const SearchConfig& config, const SearchData& data) {
  const data::PatchCache& cache = data.cache();
  const data::Normalization& normalization = data.normalization();
  return {{"path", config.data},
          {"layout", data.layout()},
          {"fingerprint", cache.fingerprint()},
          {"labels", cache.kind() == data::LabelKind::kSingle ? "single" : "multi"},
          {"classes", cache.classes()},
          {"images",
           {{"train", cache.count(data::Split::kTrain)},
            {"valid", cache.count(data::Split::kValid)},
            {"test", cache.count(data::Split::kTest)}}},
          {"search_train", data.halves().train.size()},
          {"search_valid", data.halves().valid.size()},
          {"unreadable", cache.unreadable()},
          {"mean", normalization.mean},
          {"sd", normalization.sd}};
}

json figures_json(const PassFigures& figures) {
  return {{"loss", figures.loss}, {"error", figures.error}, {"images", figures.images}};
}

json collapse_json(const space::EdgeWeights& weights, int nodes) {
  const probe::CollapseSignals signals = probe::collapse_signals(weights, nodes);
  return {{"parameter_free_share", signals.parameter_free_share},
          {"skip_share", signals.skip_share},
          {"pool_share", signals.pool_share},
          {"entropy", signals.entropy},
          {"margin", signals.margin}};
}

template <class Get>
json column(const std::vector<probe::LayerMetrics>& layers, Get get) {
  json values = json::array();
  for (const probe::LayerMetrics& layer : layers) {
    values.push_back(layer.failed ? json(nullptr) : json(get(layer)));
  }
  return values;
}

json probe_json(const std::vector<probe::LayerMetrics>& layers) {
  using Layer = const probe::LayerMetrics&;
  json failed = json::array();
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

std::string run_json(const SearchConfig& config, const nets::NetworkLayout& layout,
                     const SearchData& data, const std::string& name, const std::string& executor) {
  const Machine machine = this_machine();
  json layers = json::array();
  for (const std::size_t index : convolution_parameters(layout)) {
    layers.push_back(layer_json(layout, layout.parameters[index]));
  }
  const json run = {{"format", "probedarts-run"},
                    {"format_version", 1},
                    {"kind", "search"},
                    {"name", name},
                    {"created", utc_now()},
                    {"version", version()},
                    {"commit", commit()},
                    {"libtorch", nets::libtorch_version()},
                    {"machine",
                     {{"cpu", machine.cpu},
                      {"cores", machine.cores},
                      {"memory_gib", machine.memory_gib},
                      {"os", machine.os}}},
                    {"threads", config.threads},
                    {"executor", executor},
                    {"dtype", config.dtype},
                    {"seed", config.seed},
                    {"config", to_json(config)},
                    {"data", data_json(config, data)},
                    {"parameters", layout.weight_count},
                    {"layers", layers}};
  return run.dump(1) + "\n";
}

std::string epoch_line(const EpochRecord& record) {
  const int nodes = record.genotype.nodes();
  const EpochSeconds& s = record.seconds;
  const json line = {{"epoch", record.epoch},
                     {"train", figures_json(record.train)},
                     {"valid", figures_json(record.valid)},
                     {"lr", {{"schedule", record.schedule_rate}, {"layers", record.layer_rates}}},
                     {"alpha_softmax", {{"normal", record.normal}, {"reduce", record.reduce}}},
                     {"probe", probe_json(record.layers)},
                     {"collapse",
                      {{"normal", collapse_json(record.normal, nodes)},
                       {"reduce", collapse_json(record.reduce, nodes)}}},
                     {"genotype", json::parse(space::to_json(record.genotype))},
                     {"genotype_text", space::to_python(record.genotype)},
                     {"seconds",
                      {{"total", s.total},
                       {"search", s.search},
                       {"valid", s.valid},
                       {"probe", s.probe},
                       {"checkpoint", s.checkpoint},
                       {"data_wait", s.data_wait}}}};
  return line.dump();
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
