#include "learn/model_card.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/zeros.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "exchange/match_checkpoint.hpp"
#include "exchange/read_checkpoint.hpp"
#include "learn/options.hpp"
#include "nets/tensor_table.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

std::vector<exchange::WantedTensor> wanted_tensors(const nets::TensorTable& table,
                                                   ElementType type) {
  std::vector<exchange::WantedTensor> wanted;
  for (const nets::ParameterInfo& parameter : table.parameters) {
    wanted.push_back({parameter.name, parameter.shape, type});
  }
  for (const nets::NormInfo& norm : table.norms) {
    for (const char* buffer : {".running_mean", ".running_var"}) {
      wanted.push_back({norm.name + buffer, {norm.channels}, type});
    }
    wanted.push_back({norm.name + ".num_batches_tracked", {}, ElementType::kI64});
  }
  return wanted;
}

std::vector<std::string> classifier_names(const nets::TensorTable& table) {
  std::vector<std::string> names;
  for (const nets::ParameterInfo& parameter : table.parameters) {
    if (parameter.role == nets::Role::kClassifierWeight ||
        parameter.role == nets::Role::kClassifierBias) {
      names.push_back(parameter.name);
    }
  }
  return names;
}

/// "33" or names. \throws UserError for a number below 2, a single name, and one given twice.
std::vector<std::string> class_names(const std::vector<std::string>& given) {
  if (given.size() != 1) {
    for (auto name = given.begin(); name != given.end(); ++name) {
      if (std::find(given.begin(), name, *name) != name) {
        throw UserError(
            fmt::format("--classes: two classes are called '{}'; give each its own name", *name));
      }
    }
    return given;
  }
  const std::string& text = given.front();
  const bool number =
      !text.empty() && text.size() <= 5 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!number || std::stoi(text) < 2) {
    throw UserError(
        fmt::format("--classes: '{}' is neither a number from 2 to 99999 nor a list of names; give "
                    "for example --classes 4, or --classes tumour,stroma",
                    text));
  }
  std::vector<std::string> names;
  for (int i = 0; i < std::stoi(text); ++i) {
    names.push_back(std::to_string(i));
  }
  return names;
}

/// \throws UserError when the file's classifier has another number of outputs than the network's,
/// before all that follows from it is listed as not fitting.
void require_class_count(const TensorFile& file, const nets::TensorTable& table,
                         const std::string& path) {
  for (const std::string& name : classifier_names(table)) {
    const auto found = file.tensors.find(name);
    const auto wanted = std::find_if(table.parameters.begin(), table.parameters.end(),
                                     [&](const auto& own) { return own.name == name; });
    if (found == file.tensors.end() || wanted->shape.size() < 2) {
      continue;
    }
    std::vector<std::int64_t> shape = wanted->shape;  // but for the outputs, all must fit
    const std::int64_t got = found->second.shape.empty() ? 0 : found->second.shape[0];
    shape[0] = got;
    if (got == wanted->shape[0] || shape != found->second.shape) {
      continue;
    }
    throw UserError(
        fmt::format("{}: its classifier has {} classes, not {}; give --classes {}, or data with as "
                    "many",
                    path, got, wanted->shape[0], got));
  }
}

data::LabelKind label_kind(const std::string& labels, data::LabelKind otherwise) {
  check_choice("labels", labels, {"auto", "single", "multi"});
  if (labels == "auto") {
    return otherwise;
  }
  return labels == "multi" ? data::LabelKind::kMulti : data::LabelKind::kSingle;
}

ModelCard completed_card(const ModelRequest& request, std::optional<ModelCard> stored,
                         const ModelCard* known, const std::string& path) {
  ModelCard card = stored.value_or(ModelCard{});
  if (!request.classes.empty()) {
    card.classes = class_names(request.classes);
  } else if (!stored && known != nullptr) {
    card.classes = known->classes;
  }
  if (card.classes.empty()) {
    throw UserError(fmt::format(
        "'{}' does not say its classes; give their number or names with --classes", path));
  }
  const auto classes = static_cast<int>(card.classes.size());
  if (!request.network.network.empty() || !request.network.genotype.empty()) {
    card.network = describe_network(request.network, classes, false);
  } else if (!stored) {
    throw UserError(
        fmt::format("'{}' does not say its network; name it with --network or --genotype", path));
  }
  card.network.spec.classes = classes;
  card.network.spec.auxiliary = false;
  if (!request.normalize.empty()) {
    card.normalization = need_normalization(request.normalize);
  } else if (!stored) {
    throw UserError(fmt::format(
        "'{}' does not say its normalisation; name it with --normalize, for example adp", path));
  }
  const bool adp_like = request.normalize == "adp" || request.normalize == "bcss";
  const data::LabelKind otherwise = stored             ? card.labels
                                    : known != nullptr ? known->labels
                                    : adp_like         ? data::LabelKind::kMulti
                                                       : data::LabelKind::kSingle;
  card.labels = label_kind(request.labels, otherwise);
  if (!stored) {
    card.size = 272;  // what the published checkpoints were trained at
  }
  return card;
}

}  // namespace

json to_json(const ModelCard& card) {
  return {{"network", to_json(card.network)},
          {"classes", card.classes},
          {"labels", card.labels == data::LabelKind::kMulti ? "multi" : "single"},
          {"mean", card.normalization.mean},
          {"sd", card.normalization.sd},
          {"size", card.size}};
}

ModelCard card_from_json(const json& stored) {
  ModelCard card;
  card.network = description_from_json(stored.at("network"));
  stored.at("classes").get_to(card.classes);
  card.labels = stored.at("labels") == "multi" ? data::LabelKind::kMulti : data::LabelKind::kSingle;
  stored.at("mean").get_to(card.normalization.mean);
  stored.at("sd").get_to(card.normalization.sd);
  stored.at("size").get_to(card.size);
  return card;
}

std::optional<ModelCard> card_of(const TensorFile& file, const std::string& source) {
  const auto found = file.metadata.find("model");
  if (found == file.metadata.end()) {
    return std::nullopt;
  }
  try {
    return card_from_json(json::parse(found->second));
  } catch (const json::exception&) {
    throw UserError(fmt::format(
        "{}: its description of the model is malformed; use the version that made it", source));
  }
}

bool are_names(const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) {
      return true;
    }
  }
  return false;
}

Fit fit_for_classes(const TensorFile& file, const std::string& source,
                    const std::vector<std::string>& classes) {
  const std::optional<ModelCard> card = card_of(file, source);
  const bool other =
      card && are_names(card->classes) && are_names(classes) && card->classes != classes;
  return other ? Fit::kNoClassifier : Fit::kNewClassifier;
}

nets::NetworkState blank_state(const nets::TensorTable& table, nets::Precision precision) {
  const at::ScalarType type = precision == nets::Precision::kFloat32 ? at::kFloat : at::kDouble;
  return {at::zeros({table.weight_count}, type), at::zeros({table.statistic_count}, type),
          at::zeros({2, 0, static_cast<std::int64_t>(space::kPrimitiveCount)}, type), 0};
}

namespace {

/// What a network takes of a file.
exchange::MatchedCheckpoint match_weights(const TensorFile& file, const nets::TensorTable& table,
                                          Fit fit, const std::string& source, ElementType type) {
  exchange::MatchRules rules;
  rules.optional = {"*num_batches_tracked", "auxiliary_head.*", "resume.*"};
  if (fit != Fit::kExact) {
    rules.replaceable = classifier_names(table);
  }
  TensorFile own = file;
  if (fit == Fit::kNoClassifier) {
    for (const std::string& name : rules.replaceable) {
      own.tensors.erase(name);
    }
  }
  return exchange::match_checkpoint(own, wanted_tensors(table, type), rules, source);
}

/// \returns  the names of the tensors that keep the values of `state`.
std::vector<std::string> take_weights(exchange::MatchedCheckpoint matched,
                                      const nets::TensorTable& table, nets::NetworkState& state) {
  TensorFile merged = nets::state_dict(table, state);
  for (auto& [name, tensor] : matched.tensors) {
    merged.tensors[name] = std::move(tensor);
  }
  nets::load_state_dict(table, merged, "", state);
  std::erase_if(matched.kept,
                [](const std::string& name) { return name.ends_with("num_batches_tracked"); });
  return matched.kept;
}

}  // namespace

std::vector<std::string> load_weights(const TensorFile& file, const nets::TensorTable& table,
                                      Fit fit, const std::string& source,
                                      nets::NetworkState& state) {
  const ElementType type =
      state.weights.scalar_type() == at::kDouble ? ElementType::kF64 : ElementType::kF32;
  return take_weights(match_weights(file, table, fit, source, type), table, state);
}

void save_weights(const std::filesystem::path& path, const ModelCard& card,
                  const nets::TensorTable& table, const nets::NetworkState& state,
                  const WeightsOrigin& origin) {
  TensorFile file = nets::state_dict(table, state);
  file.metadata = {{"format", "probedarts-weights"},
                   {"format_version", "1"},
                   {"model", to_json(card).dump()},
                   {"epoch", std::to_string(origin.epoch)},
                   {"valid_error", fmt::format("{}", origin.valid_error)}};
  write_file_atomically(path, format_tensor_file(file));
}

std::string checkpoint_of(const ModelRequest& request) {
  if (request.run.empty() == request.checkpoint.empty()) {
    throw UserError(request.run.empty()
                        ? "no model given; name the run folder of a training, or a file with "
                          "--checkpoint"
                        : "a run folder goes without --checkpoint; give one of them");
  }
  if (!request.checkpoint.empty()) {
    return request.checkpoint;
  }
  const auto best = std::filesystem::path(request.run) / "checkpoint" / "best.safetensors";
  const auto first = std::filesystem::path(request.run) / "run-1";
  if (std::filesystem::exists(first)) {
    throw UserError(fmt::format("'{}' holds several runs; give one of them, for example '{}'",
                                request.run, first.string()));
  }
  if (!std::filesystem::exists(best)) {
    throw UserError(
        fmt::format("'{}' holds no checkpoint/best.safetensors; give the folder of a training "
                    "with a finished epoch",
                    request.run));
  }
  return best.string();
}

void require_answer(const TrainedModel& model, std::span<const float> logits,
                    const std::string& image) {
  if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) {
    throw Diverged(fmt::format(
        "{}: its answer to '{}' is no number; use weights from before the training diverged",
        model.path, image));
  }
}

TrainedModel open_model(const ModelRequest& request, const ModelCard* known) {
  const std::string path = checkpoint_of(request);
  const TensorFile file = exchange::read_checkpoint(path);
  TrainedModel model;
  model.path = path;
  model.card = completed_card(request, card_of(file, path), known, path);
  model.network = std::make_unique<Network>(model.card.network);
  require_class_count(file, model.network->table(), path);
  // Matched before memory is asked for: a file may claim a network far larger than itself.
  const nets::TensorTable& table = model.network->table();
  auto matched = match_weights(file, table, Fit::kExact, path, ElementType::kF32);
  model.state = blank_state(table, nets::Precision::kFloat32);
  take_weights(std::move(matched), table, model.state);
  return model;
}

}  // namespace probedarts::learn
