#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/loader.hpp"
#include "space/network_spec.hpp"

namespace probedarts::learn {

/// Every option of a search. Field for field the flags of `probedarts search`, the keys of its TOML
/// file and of `config` in run.json; names, defaults and help stand once, in `for_each_option`.
struct SearchConfig {
  std::string preset = "pathology";
  // data
  std::string data;
  std::string layout = "auto";
  std::string adp_level = "L3";
  std::vector<std::string> label_columns;
  std::string group_column = "group";
  int size = 64;
  std::string normalize = "measured";
  std::string augment = "pathology";
  int cutout = 0;
  bool skip_unreadable = false;
  std::string cache;
  double train_portion = 0.5;
  bool split_by_group = true;
  // network
  std::string stem = "pathology";
  int channels = 16;
  int cells = 4;
  int nodes = 4;
  // weights
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
  // architecture
  int order = 1;
  double alpha_lr = 3e-4;
  double alpha_weight_decay = 1e-3;
  // probe
  std::string probe_scale = "published";
  // run
  std::uint64_t seed = 1;
  int threads = 2;
  int loader_threads = 1;
  std::string dtype = "float32";
  std::string executor = "auto";
};

/// Calls `visit(key, field, help)` for every option in the order of the pages: the one place where
/// an option has its name and its help. `Config` is SearchConfig or const SearchConfig.
template <class Config, class Visit>
void for_each_option(Config& c, Visit&& visit) {
  visit("preset", c.preset, "defaults to start from: pathology, cifar");
  visit("data", c.data, "folder with the data set (docs/data.md)");
  visit("layout", c.layout, "auto, folders, csv, cifar, adp, bcss, lists");
  visit("adp-level", c.adp_level, "ADP only: L1, L2 or L3");
  visit("label-columns", c.label_columns,
        "labels.csv: columns of a multi-label set; default: the 0/1 columns after split");
  visit("group-column", c.group_column, "labels.csv: column with the patient or slide");
  visit("size", c.size, "side of the patches, px; images are resized (bicubic)");
  visit("normalize", c.normalize,
        "measured, none, or published: cifar10, cifar100, adp, bcss, bach, osteosarcoma");
  visit("augment", c.augment,
        "none, flips, pathology (flips, ±45 degrees, ±10 % shift), cifar (pad 4 and crop, flip)");
  visit("cutout", c.cutout, "side of the square cut out of training patches, px");
  visit("skip-unreadable", c.skip_unreadable,
        "leave out unreadable images, counted and listed, instead of stopping");
  visit("cache", c.cache, "folder for decoded patches; default: the user's cache folder");
  visit("train-portion", c.train_portion,
        "share of the train split that weights learn on; alpha learns on the rest");
  visit("split-by-group", c.split_by_group, "keep each group (patient, slide) in one half");
  visit("stem", c.stem, "pathology (two stride-2 convolutions) or cifar");
  visit("channels", c.channels, "C of the first cells, even");
  visit("cells", c.cells, "L, 1..40");
  visit("nodes", c.nodes, "N, nodes in a cell, 1..8");
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
  visit("order", c.order, "of the architecture gradient: 1, or 2 (unrolled)");
  visit("alpha-lr", c.alpha_lr, "Adam on alpha: learning rate");
  visit("alpha-weight-decay", c.alpha_weight_decay, "Adam on alpha: L2 decay");
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

/// The values a preset changes, as (key, text): the paper's settings for histology patches or
/// CIFAR. \throws UserError for an unknown preset, with the known ones.
std::vector<std::pair<std::string, std::string>> preset_values(const std::string& preset);

nlohmann::json to_json(const SearchConfig& config);
/// \throws UserError for an unknown key or a value of the wrong kind.
SearchConfig config_from_json(const nlohmann::json& json);
/// The same as a TOML file that `search --config` reads.
std::string to_toml(const SearchConfig& config);

/// Checks every value on its own and with the others. \throws UserError one sentence naming the
/// flag.
void validate(const SearchConfig& config);

space::NetworkSpec network_spec(const SearchConfig& config, int classes);
data::Augmentation augmentation_of(const SearchConfig& config);

}  // namespace probedarts::learn
