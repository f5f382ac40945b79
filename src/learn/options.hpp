#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/loader.hpp"
#include "probe/evbmf.hpp"

namespace probedarts::nets {
enum class Precision;  // network_state.hpp brings LibTorch
}

/// Options that every kind of run has. Each group stands once: its fields with their defaults, and
/// a `visit_..._options` with the name and the help of each.
namespace probedarts::learn {

/// Which images a run sees.
struct DataOptions {
  std::string data;
  std::string layout = "auto";
  std::string adp_level = "L3";
  std::vector<std::string> label_columns;
  std::string group_column = "group";
  int size = 64;
  std::string normalize = "measured";
  std::string augment = "pathology";
  double rotation = 45.0;  ///< of augment pathology, degrees
  double shift = 0.1;      ///< of augment pathology, share of the side
  int pad_crop = 4;        ///< of augment cifar, px
  int cutout = 0;
  bool skip_unreadable = false;
  std::string cache;
};

/// How weights learn.
struct WeightOptions {
  int epochs = 50;
  int batch = 32;
  std::string optimizer = "adas";
  double lr = 0.175;
  double lr_final = 0.001;
  double momentum = 0.9;
  double weight_decay = 3e-4;
  double clip = 5.0;
  double beta = 0.98;
  double zeta = 1.0;
  double gamma = 1.0;
  int step_size = 25;
};

/// Where and how a run computes.
struct RunOptions {
  std::string probe_scale = "published";
  std::uint64_t seed = 1;
  int threads = 2;
  int loader_threads = 1;
  std::string dtype = "float32";
  std::string executor = "auto";
};

template <class Config, class Visit>
void visit_source_options(Config& c, Visit& visit) {
  visit("data", c.data, "folder with the data set (docs/data.md)");
  visit("layout", c.layout, "auto, folders, csv, cifar, adp, bcss, lists");
  visit("adp-level", c.adp_level, "ADP only: L1, L2 or L3");
  visit("label-columns", c.label_columns,
        "labels.csv: columns of a multi-label set; default: the 0/1 columns after split");
  visit("group-column", c.group_column, "labels.csv: column with the patient or slide");
  visit("skip-unreadable", c.skip_unreadable,
        "leave out unreadable images, counted and listed, instead of stopping");
  visit("cache", c.cache, "folder for decoded patches; default: the user's cache folder");
}

template <class Config, class Visit>
void visit_patch_options(Config& c, Visit& visit) {
  visit("size", c.size, "side of the patches, px; images are resized (bicubic)");
  visit(
      "normalize", c.normalize,
      "measured, none, published (cifar10, cifar100, adp, bcss, bach, osteosarcoma, imagenet), or "
      "numbers R,G,B/R,G,B: means and standard deviations on the scale 0 to 1");
}

template <class Config, class Visit>
void visit_augment_options(Config& c, Visit& visit) {
  visit("augment", c.augment,
        "none, flips, pathology (flips, rotation, shift), cifar (pad and crop, flip)");
  visit("rotation", c.rotation, "augment pathology: largest angle either way, degrees");
  visit("shift", c.shift, "augment pathology: largest shift either way, share of the side");
  visit("pad-crop", c.pad_crop, "augment cifar: width of the black border before the crop, px");
  visit("cutout", c.cutout, "side of the square cut out of training patches, px");
}

template <class Config, class Visit>
void visit_weight_options(Config& c, Visit& visit) {
  visit("epochs", c.epochs, "epochs");
  visit("batch", c.batch, "images in a mini-batch");
  visit("optimizer", c.optimizer, "of the weights: adas or sgd");
  visit("lr", c.lr, "learning rate at the start");
  visit("lr-final", c.lr_final, "sgd: learning rate the cosine ends at");
  visit("momentum", c.momentum, "of the weights");
  visit("weight-decay", c.weight_decay, "of the weights, L2");
  visit("clip", c.clip, "largest gradient norm of the weights");
  visit("beta", c.beta, "adas: how much of a layer's velocity stays each epoch");
  visit("zeta", c.zeta, "adas: weight of the gain in stable rank");
  visit("gamma", c.gamma, "adas: zeta is multiplied by this every step-size epochs");
  visit("step-size", c.step_size, "adas: epochs between changes of zeta");
}

template <class Config, class Visit>
void visit_run_options(Config& c, Visit& visit) {
  visit("probe-scale", c.probe_scale, "EVBMF: published (the authors' minimiser) or scale-free");
  visit("seed", c.seed, "of every random stream");
  visit("threads", c.threads, "CPU threads");
  visit("loader-threads", c.loader_threads, "threads that prepare mini-batches ahead");
  visit("dtype", c.dtype, "float32 or float64");
  visit("executor", c.executor, "auto, composed (plain LibTorch) or fused");
}

/// Options that two runs may differ in and still be the same run: where it runs, not what it
/// computes.
bool is_machine_option(std::string_view key);

/// Checks that a data set is named, the choices, the normalisation and the sizes, in px.
/// \throws UserError  one sentence naming the flag; as all of these.
void validate(const DataOptions& options);
/// Checks the optimiser's name and the range of every number.
void validate(const WeightOptions& options);
/// Checks the choices, and that threads are 1..1024, loader threads 0..1024.
void validate(const RunOptions& options);

/// The two checks they are made of: "--stem: 'x' is unknown; use one of a, b", and
/// "--lr: 2 is out of range; use 0 to 1".
void check_choice(const char* flag, const std::string& value,
                  const std::vector<std::string>& known);
void check_range(const char* flag, double value, double low, double high);

/// The published normalisation of this name, or that of numbers "R,G,B/R,G,B" (means and positive
/// standard deviations); nothing for another text.
std::optional<data::Normalization> normalization_named(const std::string& text);

/// The same, where nothing else will do. \param more  what the flag takes beside it: "measured, ".
/// \throws UserError naming what is known.
data::Normalization need_normalization(const std::string& text, const std::string& more = "");

/// What `augment` and `cutout` name: flips left and right for all but "none", up and down for
/// "flips" and "pathology"; "pathology" turns by up to 45 degrees and shifts by up to a tenth of
/// the side; "cifar" pads by 4 px and crops.
data::Augmentation augmentation_of(const DataOptions& options);
nets::Precision precision_of(const RunOptions& options);
probe::EvbmfScale evbmf_scale_of(const RunOptions& options);

}  // namespace probedarts::learn
