// For the browser test: a contact sheet of untrained networks on synthetic tissue.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "data/dataset.hpp"
#include "data/synth.hpp"
#include "explain/explain.hpp"
#include "explain/trained_network.hpp"
#include "nets/zoo.hpp"

namespace probedarts {
namespace {

std::shared_ptr<const explain::TrainedNetwork> untrained(const std::string& name,
                                                         const std::string& zoo,
                                                         const data::Dataset& dataset) {
  auto network = std::make_shared<explain::TrainedNetwork>();
  network->name = name;
  network->graph = nets::make_zoo_network(zoo, static_cast<int>(dataset.classes.size()));
  network->state = nets::initial_state(network->graph, nets::Precision::kFloat32, 7);
  network->classes = dataset.classes;
  network->size_px = 96;
  return network;
}

void render(const std::filesystem::path& data_folder, const std::filesystem::path& out) {
  data::SynthOptions synth;
  synth.size_px = 96;
  synth.train = 4;
  synth.valid = 0;
  synth.test = 0;
  data::write_synthetic_dataset(data_folder, synth);
  const data::Dataset dataset = data::open_dataset(data_folder);
  std::vector<std::filesystem::path> files;
  for (const data::Sample& sample : dataset.train) {
    files.push_back(sample.file);
  }
  explain::ExplainOptions options;
  options.targets = {"label", "top"};
  options.threads = 1;
  explain::explain_images({untrained("resnet18", "resnet18", dataset),
                           untrained("a_network_with_a_name_that_is_longer_than_a_column",
                                     "mobilenet_v3_small", dataset),
                           untrained("darts_4cell", "darts_4cell", dataset)},
                          explain::label_images(files, &dataset, {}), options, out);
}

}  // namespace
}  // namespace probedarts

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: render_sheet DATA_FOLDER OUT_FOLDER\n", stderr);
    return 2;
  }
  try {
    probedarts::render(arguments[1], arguments[2]);
  } catch (const probedarts::UserError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
