#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "space/network_spec.hpp"

namespace probedarts::nets {
enum class Precision;  // network_state.hpp brings LibTorch
struct ChosenExecutor;
struct TensorTable;
struct NetworkLayout;
struct LayerGraph;
}  // namespace probedarts::nets

/// Networks as people name them: derived from a genotype, or one of the zoo.
namespace probedarts::learn {

/// The flags that say which network is meant.
struct NetworkOptions {
  std::string network;
  std::string genotype;  ///< as text (Python or JSON); empty for a network of the zoo
  std::string stem = "pathology";
  int channels = 36;
  int cells = 4;
};

template <class Config, class Visit>
void visit_network_options(Config& c, Visit& visit) {
  visit("network", c.network, "a published cell or a network of the zoo, instead of --genotype");
  visit("genotype", c.genotype,
        "cell to build from: file, run folder, published name, or the text itself");
  visit("stem", c.stem, "pathology (two stride-2 convolutions) or cifar");
  visit("channels", c.channels, "C of the first cells, even");
  visit("cells", c.cells, "L, 1..40");
}

/// A network in few words: what run folders and checkpoints keep of it.
struct NetworkDescription {
  std::string name;         ///< of the zoo; empty for a network of cells
  space::NetworkSpec spec;  ///< of a network of cells; of the zoo, only `classes` has a meaning
};

/// \throws UserError when neither or both of network and genotype are given, for an unknown name
/// (with the known ones), and for a malformed genotype.
NetworkDescription describe_network(const NetworkOptions& options, int classes, bool auxiliary);

nlohmann::json to_json(const NetworkDescription& description);
/// \throws nlohmann::json::exception or UserError for anything malformed.
NetworkDescription description_from_json(const nlohmann::json& json);

/// A network laid out, with the means to run it. Immovable: executors refer to it.
class Network {
 public:
  /// \throws UserError when the description is out of range.
  explicit Network(NetworkDescription description);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const NetworkDescription& description() const { return description_; }
  int classes() const { return description_.spec.classes; }
  const nets::TensorTable& table() const;
  const nets::NetworkLayout* cells() const;  ///< null for a network of layers
  int droppable_edges() const;               ///< that drop-path may leave out
  nets::LayerGraph layers() const;  ///< the same as a list of layers, without auxiliary head
  /// \throws UserError when the network cannot see images of this size.
  void require_image_size(int size_px) const;
  /// Sets LibTorch's threads to what suits the executor.
  /// \param choice  auto, composed or fused. \param seed  of dropout, where the network has any.
  nets::ChosenExecutor make_executor(const std::string& choice, nets::Precision precision,
                                     int threads, std::uint64_t seed) const;

 private:
  struct Impl;
  NetworkDescription description_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probedarts::learn
