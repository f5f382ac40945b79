#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/tensor_file.hpp"
#include "data/dataset.hpp"
#include "data/loader.hpp"
#include "learn/network.hpp"
#include "nets/network_state.hpp"

/// A trained network as a file: weights under the names of the original's state dict, and in the
/// metadata what is needed to use them.
namespace probedarts::learn {

/// What predictions need to know beside the weights; `model` in run.json and in checkpoints.
struct ModelCard {
  NetworkDescription network;
  std::vector<std::string> classes;
  data::LabelKind labels = data::LabelKind::kSingle;
  data::Normalization normalization;
  int size = 0;  ///< px the network was trained at
};

nlohmann::json to_json(const ModelCard& card);
/// \throws nlohmann::json::exception or UserError for anything malformed.
ModelCard card_from_json(const nlohmann::json& json);

/// The card in a checkpoint's metadata; nothing in a file of another program.
/// \throws UserError when it is malformed.
std::optional<ModelCard> card_of(const TensorFile& file, const std::string& source);

/// A state of zeros, to be filled from a checkpoint.
nets::NetworkState blank_state(const nets::TensorTable& table, nets::Precision precision);

/// Whether class names are known: not "0", "1", ..., which stand for names never given.
bool are_names(const std::vector<std::string>& classes);

/// Which tensors of a checkpoint may differ from the network's.
enum class Fit {
  kExact,          ///< none (auxiliary head and training state aside)
  kNewClassifier,  ///< those of the classifiers, which then keep their first values
  kNoClassifier,   ///< those of the classifiers keep their first values in any case
};

/// How a checkpoint fits the classes of other data: its classifier is of use where the names of the
/// classes and their order are the data's, or, where either side has no names, where the shapes
/// are.
Fit fit_for_classes(const TensorFile& file, const std::string& source,
                    const std::vector<std::string>& classes);

/// Puts a checkpoint's tensors into `state`.
/// \returns  names of tensors that kept their values: classifiers of another shape, or not wanted.
/// \throws UserError naming the first tensors that do not fit.
std::vector<std::string> load_weights(const TensorFile& file, const nets::TensorTable& table,
                                      Fit fit, const std::string& source,
                                      nets::NetworkState& state);

/// What identifies best.safetensors: where in the run it is from.
struct WeightsOrigin {
  int epoch = 0;
  double valid_error = 0.0;
};

/// Writes weights and card, to a temporary name, synced, renamed.
void save_weights(const std::filesystem::path& path, const ModelCard& card,
                  const nets::TensorTable& table, const nets::NetworkState& state,
                  const WeightsOrigin& origin);

/// A network ready to predict.
struct TrainedModel {
  std::string path;
  ModelCard card;
  std::unique_ptr<Network> network;
  nets::NetworkState state;
};

/// What people may say about a checkpoint; what they leave open its card must tell.
struct ModelRequest {
  std::string run;         ///< run folder, whose best weights are meant
  std::string checkpoint;  ///< or a file, of ours or of others
  NetworkOptions network;
  std::vector<std::string> classes;  ///< names, or one number: that many without names
  std::string normalize;             ///< see normalization_named; empty: the card's
  std::string labels = "auto";       ///< auto, single or multi
};

/// The file that a request means. \throws UserError when it names none, or two.
std::string checkpoint_of(const ModelRequest& request);

/// \throws Diverged when the logits of an image are not finite: weights that diverged say nothing.
void require_answer(const TrainedModel& model, std::span<const float> logits,
                    const std::string& image);

/// Opens a checkpoint. The auxiliary head, which only training needs, is left aside.
/// \param known  classes and labels of the data at hand, for a checkpoint that does not tell them.
/// \throws UserError when something is missing or does not fit.
TrainedModel open_model(const ModelRequest& request, const ModelCard* known = nullptr);

}  // namespace probedarts::learn
