#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/run_folder.hpp"
#include "learn/options.hpp"
#include "learn/patches.hpp"
#include "nets/layout.hpp"
#include "nets/network_state.hpp"
#include "probe/lanczos.hpp"
#include "probe/stable_rank.hpp"
#include "space/genotype.hpp"

/// What a run writes about itself: the JSON of run.json and of a line of epochs.jsonl
/// (docs/run-folder.md).
namespace probedarts::learn {

// Insertion order, so that files read as the documentation does.
using Json = nlohmann::ordered_json;

/// What run.json says beside the layers.
struct RunHead {
  std::string kind;  ///< "search" or "train"
  std::string name;
  std::string executor;  ///< the one chosen, where the configuration says auto
  RunOptions run;
  Json config;                  ///< every option
  Json data;                    ///< see data_json
  Json model = Json::object();  ///< what evaluation needs to know; empty for a search
};

Json data_json(const DataOptions& options, const std::string& layout, const data::PatchCache& cache,
               const data::Normalization& normalization);

/// run.json. \param layout  where the network is made of cells, to say where each layer stands.
std::string run_json(const RunHead& head, const nets::TensorTable& table,
                     const nets::NetworkLayout* layout);

/// A run.json with `stopped` added, or replaced: why the run ended before its last epoch.
std::string with_early_stop(const std::string& run_json, const Json& stopped);

/// The configuration a run folder was made with, with the options of this call that say where to
/// run it. \throws UserError when run.json is not that of a run of this kind.
nlohmann::json stored_config(const RunFolder& folder, const std::string& kind,
                             const nlohmann::json& machine_options);

/// Where the time of an epoch went.
struct EpochSeconds {
  double learn = 0.0, valid = 0.0, probe = 0.0, checkpoint = 0.0, data_wait = 0.0, total = 0.0;
};

/// Where the architecture of a search stands.
struct ArchitectureRecord {
  space::EdgeWeights normal, reduce;  ///< softmax(alpha)
  space::Genotype genotype;
};

/// A value with what it cost.
template <class Value>
struct Timed {
  Value value{};
  double seconds = 0.0;
};

/// The probes of --probe, where this epoch has measured them.
struct ExtraProbes {
  std::optional<Timed<probe::ExtremeEigenvalues>> eigenvalue;
  std::optional<Timed<double>> derived_error;  ///< of the derived cell with inherited weights
  std::optional<Timed<double>> alignment;      ///< cosine
};

/// Everything a line of epochs.jsonl says.
struct EpochRecord {
  int epoch = 0;
  PassFigures train, valid;
  double schedule_rate = 0.0;
  std::vector<double> layer_rates;  ///< one a convolution
  std::optional<ArchitectureRecord> architecture;
  std::vector<probe::LayerMetrics> layers;
  std::vector<double> last_stable_rank;  ///< of the epoch before, NaN where failed; or empty
  ExtraProbes extra;
  EpochSeconds seconds;
};

std::string epoch_line(const EpochRecord& record);

/// What the last line of a run's epochs.jsonl says: a run taken up again may have had nothing left
/// to do.
struct LastEpoch {
  double train_error = 0.0, valid_error = 0.0;
  double stable_rank = 0.0;  ///< mean over the layers that did not fail
};
LastEpoch last_epoch(const std::filesystem::path& run);

/// Mean of stable_rank over the layers that did not fail.
double mean_stable_rank(const std::vector<probe::LayerMetrics>& layers);

/// Whether stored JSON is an object that has this text under a key; false for any other form.
bool says(const nlohmann::json& stored, const char* key, const std::string& text);

/// softmax of one kind's alpha, in double.
space::EdgeWeights edge_weights(const at::Tensor& alpha, space::CellKind kind);

}  // namespace probedarts::learn
