#include "explain/explain.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/nearest.hpp"
#include "core/new_folder.hpp"
#include "core/progress.hpp"
#include "data/image.hpp"
#include "data/npy.hpp"
#include "explain/choose_layer.hpp"
#include "explain/contact_sheet.hpp"
#include "explain/grad_cam.hpp"
#include "explain/heat_map.hpp"
#include "explain/input.hpp"
#include "explain/paint.hpp"
#include "explain/trained_network.hpp"
#include "nets/torch_runtime.hpp"

namespace probedarts::explain {
namespace {

using nlohmann::json;
using Networks = std::vector<std::shared_ptr<const TrainedNetwork>>;

/// The class of this name or number. \throws UserError
int class_of(const TrainedNetwork& network, const std::string& name) {
  const auto found = std::find(network.classes.begin(), network.classes.end(), name);
  if (found != network.classes.end()) {
    return static_cast<int>(found - network.classes.begin());
  }
  const bool number = !name.empty() && name.size() <= 5 &&
                      name.find_first_not_of("0123456789") == std::string::npos;
  if (number && std::stoul(name) < network.classes.size()) {
    return std::stoi(name);
  }
  const auto near = nearest(name, network.classes);
  throw UserError(
      fmt::format("--target: {} knows no class '{}'; {}", network.name, name,
                  near ? fmt::format("did you mean '{}'?", *near)
                       : fmt::format("use top, label, a number below {}, or one of {}",
                                     network.classes.size(), fmt::join(network.classes, ", "))));
}

/// One row of the page: a class for each network, or nothing for its first answer.
struct Target {
  std::vector<std::optional<int>> classes;
};

std::vector<Target> label_targets(const Networks& networks, const ImageToExplain& image) {
  if (!image.label) {
    throw UserError(fmt::format(
        "--target label: the label of {} is not known; give the data set with --data, or name a "
        "class",
        image.file.string()));
  }
  std::vector<Target> targets;
  for (const std::string& name : *image.label) {
    Target& target = targets.emplace_back();
    for (const auto& network : networks) {
      const auto& known = network->classes;
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end()) {
        throw UserError(fmt::format("{}: {} has never seen its label '{}'; it knows {}",
                                    image.file.string(), network->name, name,
                                    fmt::join(known, ", ")));
      }
      target.classes.emplace_back(static_cast<int>(found - known.begin()));
    }
  }
  return targets;
}

std::vector<Target> targets_of(const Networks& networks, const ImageToExplain& image,
                               const std::vector<std::string>& wanted) {
  std::vector<Target> targets;
  for (const std::string& text : wanted) {
    if (text == "label") {
      const auto labels = label_targets(networks, image);
      targets.insert(targets.end(), labels.begin(), labels.end());
      continue;
    }
    Target& target = targets.emplace_back();
    for (const auto& network : networks) {
      target.classes.push_back(text == "top" ? std::nullopt
                                             : std::optional(class_of(*network, text)));
    }
  }
  return targets;
}

std::vector<double> probabilities(const std::vector<float>& logits, data::LabelKind labels) {
  std::vector<double> p(logits.begin(), logits.end());
  const double most = *std::max_element(p.begin(), p.end());
  double sum = 0.0;
  for (double& value : p) {
    value =
        labels == data::LabelKind::kMulti ? 1.0 / (1.0 + std::exp(-value)) : std::exp(value - most);
    sum += value;
  }
  if (labels == data::LabelKind::kSingle) {
    for (double& value : p) {
      value /= sum;
    }
  }
  return p;
}

/// Letters that every file system takes; others become '_'.
std::string file_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    name += plain ? c : '_';
  }
  constexpr std::size_t kLongest = 80;
  name = name.substr(0, kLongest);
  return name.empty() || name.front() == '.' ? "_" + name : name;
}

/// A name that was not handed out before.
class DistinctNames {
 public:
  std::string operator()(const std::string& wanted) {
    std::string name = wanted;
    for (int copy = 2; !taken_.insert(name).second; ++copy) {
      name = fmt::format("{}-{}", wanted, copy);
    }
    return name;
  }

 private:
  std::set<std::string> taken_;
};

/// Explains image after image and collects page and facts.
class Explainer {
 public:
  Explainer(const Networks& networks, const ExplainOptions& options, std::filesystem::path folder)
      : networks_(networks), options_(options), folder_(std::move(folder)) {
    require(!networks.empty(), "something to explain");
    sheet_.method = std::string(title_of(options.method));
    sheet_.multi_label = networks.front()->labels == data::LabelKind::kMulti;
    for (std::size_t i = 0; i < networks.size(); ++i) {
      const TrainedNetwork& network = *networks[i];
      const std::string& name = options.layers[options.layers.size() == 1 ? 0 : i];
      const std::size_t layer = layer_to_explain(network.graph, name, network.size_px);
      layers_.push_back(layer);
      sheet_.networks.push_back({network.name, network.graph.layers[layer].name});
      file_names_.push_back(network_files_(file_name(network.name)));
      facts_["networks"].push_back({{"name", network.name},
                                    {"layer", network.graph.layers[layer].name},
                                    {"classes", network.classes},
                                    {"size", network.size_px}});
    }
    facts_["method"] = sheet_.method;
    facts_["images"] = json::array();
  }

  void explain(const ImageToExplain& image) {
    const std::vector<Target> targets = targets_of(networks_, image, options_.targets);
    const std::string name = image_files_(file_name(image.file.stem().string()));
    std::filesystem::create_directory(folder_ / name);
    const data::Image picture = data::read_image(image.file);
    json facts = {{"image", image.file.string()},
                  {"label", image.label ? json(*image.label) : json()},
                  {"maps", json::array()}};
    std::vector<SheetRow> rows(targets.size());
    for (std::size_t t = 0; t < targets.size(); ++t) {
      rows[t].image = image.file.filename().string();
      rows[t].label = image.label ? fmt::format("{}", fmt::join(*image.label, ", ")) : "";
    }
    const int largest = largest_size();
    const Picture shown = picture_of(data::resize_bicubic(picture, largest, largest));
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      with_network(i, image, picture, name, targets, rows, facts["maps"]);
    }
    std::set<std::vector<std::string>> shown_classes;
    for (SheetRow& row : rows) {
      std::vector<std::string> classes;
      for (const SheetMap& map : row.maps) {
        classes.push_back(map.class_name);
      }
      if (shown_classes.insert(classes).second) {
        row.picture = shown;
        sheet_.rows.push_back(std::move(row));
      }
    }
    facts_["images"].push_back(std::move(facts));
  }

  json finish() {
    sheet_.title = fmt::format("{} image{}, {} network{}", facts_["images"].size(),
                               facts_["images"].size() == 1 ? "" : "s", networks_.size(),
                               networks_.size() == 1 ? "" : "s");
    write_file_atomically(folder_ / "index.html", render_sheet(sheet_));
    write_file_atomically(folder_ / "explain.json",
                          facts_.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
    return std::move(facts_);
  }

 private:
  int largest_size() const {
    int size = 0;
    for (const auto& network : networks_) {
      size = std::max(size, network->size_px);
    }
    return size;
  }

  void with_network(std::size_t index, const ImageToExplain& image, const data::Image& picture,
                    const std::string& name, const std::vector<Target>& targets,
                    std::vector<SheetRow>& rows, json& facts) {
    const TrainedNetwork& network = *networks_[index];
    const data::Image seen = data::resize_bicubic(picture, network.size_px, network.size_px);
    const at::Tensor input = network_input(seen, network.normalization);
    std::vector<std::optional<int>> classes;
    for (const Target& target : targets) {
      classes.push_back(target.classes[index]);
    }
    const CamResult result = class_activation(network.graph, network.state, input, layers_[index],
                                              classes, options_.method);
    std::map<int, SheetMap> made;  // two targets may mean one class
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const auto [map, fresh] = made.try_emplace(result.classes[t]);
      if (fresh) {
        map->second = write_map(index, t, result, seen, name, image, facts);
      }
      rows[t].maps.push_back(map->second);
    }
  }

  SheetMap write_map(std::size_t index, std::size_t target, const CamResult& result,
                     const data::Image& seen, const std::string& name, const ImageToExplain& image,
                     json& facts) {
    const TrainedNetwork& network = *networks_[index];
    const std::vector<double> p = probabilities(result.logits, network.labels);
    const auto top = static_cast<std::size_t>(
        std::max_element(result.logits.begin(), result.logits.end()) - result.logits.begin());
    const auto c = static_cast<std::size_t>(result.classes[target]);
    const HeatMap& raw = result.raw[target];
    const HeatMap heat = resized(positive_part(raw), seen.height, seen.width);
    SheetMap map;
    map.class_name = network.classes[c];
    map.probability = p[c];
    map.logit = result.logits[c];
    map.speaks_for = speaks_for(raw);
    map.top_class = network.classes[top];
    map.top_probability = p[top];
    if (image.label) {
      map.right =
          std::find(image.label->begin(), image.label->end(), map.top_class) != image.label->end();
    }
    const data::Image painted = overlay(seen, heat);
    map.overlay = picture_of(painted);
    const std::string stem =
        map_files_(fmt::format("{}/{}.{}", name, file_names_[index], file_name(map.class_name)));
    data::write_png(folder_ / (stem + ".png"), painted);
    write_array(stem + ".heat.npy", heat);
    write_array(stem + ".raw.npy", raw);
    facts.push_back({{"network", network.name},
                     {"class", map.class_name},
                     {"logit", map.logit},
                     {"probability", map.probability},
                     {"top_class", map.top_class},
                     {"top_probability", map.top_probability},
                     {"speaks_for", map.speaks_for},
                     {"overlay", stem + ".png"},
                     {"heat", stem + ".heat.npy"},
                     {"raw", stem + ".raw.npy"}});
    return map;
  }

  void write_array(const std::string& name, const HeatMap& map) const {
    write_file_atomically(folder_ / name,
                          data::format_npy(map.values, {static_cast<std::size_t>(map.height),
                                                        static_cast<std::size_t>(map.width)}));
  }

  const Networks& networks_;
  const ExplainOptions& options_;
  std::filesystem::path folder_;
  std::vector<std::size_t> layers_;
  std::vector<std::string> file_names_;
  DistinctNames network_files_, image_files_, map_files_;
  Sheet sheet_;
  json facts_ = json::object();
};

}  // namespace

json explain_images(const Networks& networks, const std::vector<ImageToExplain>& images,
                    const ExplainOptions& options, const std::filesystem::path& out) {
  if (options.layers.size() != 1 && options.layers.size() != networks.size()) {
    throw UserError(fmt::format("--layer: {} layers for {} networks; give one for all, or one each",
                                options.layers.size(), networks.size()));
  }
  nets::set_threads(options.threads);
  NewFolder folder(out);
  Explainer explainer(networks, options, folder.path());
  Progress progress("explaining", images.size(), 0);
  for (const ImageToExplain& image : images) {
    throw_if_interrupted("interrupted; nothing was written");
    explainer.explain(image);
    progress.advance(1);
  }
  json facts = explainer.finish();
  folder.publish();
  return facts;
}

std::vector<ImageToExplain> label_images(const std::vector<std::filesystem::path>& files,
                                         const data::Dataset* dataset,
                                         const std::vector<std::string>& classes) {
  std::map<std::filesystem::path, const data::Sample*> samples;
  if (dataset != nullptr) {
    for (const auto* split : {&dataset->train, &dataset->valid, &dataset->test}) {
      for (const data::Sample& sample : *split) {
        samples[std::filesystem::weakly_canonical(sample.file)] = &sample;
      }
    }
  }
  std::vector<ImageToExplain> images;
  for (const auto& file : files) {
    ImageToExplain& image = images.emplace_back(ImageToExplain{file, std::nullopt});
    const std::filesystem::path whole = std::filesystem::weakly_canonical(file);
    if (dataset == nullptr) {
      const std::string folder = whole.parent_path().filename().string();
      if (std::find(classes.begin(), classes.end(), folder) != classes.end()) {
        image.label = {folder};
      }
      continue;
    }
    const auto sample = samples.find(whole);
    if (sample == samples.end()) {
      throw UserError(fmt::format("{}: the data set {} does not list this image; check --data",
                                  file.string(), dataset->root.string()));
    }
    image.label.emplace();
    for (std::size_t c = 0; c < dataset->classes.size(); ++c) {
      const bool has = dataset->kind == data::LabelKind::kMulti
                           ? sample->second->labels[c] != 0
                           : static_cast<std::size_t>(sample->second->label) == c;
      if (has) {
        image.label->push_back(dataset->classes[c]);
      }
    }
  }
  return images;
}

}  // namespace probedarts::explain
