#include "learn/epoch_progress.hpp"

#include <nlohmann/json.hpp>

namespace probedarts::learn {

void EpochProgress::add(const LossResult& loss, std::int64_t count) {
  ++step;
  loss_sum += loss.loss * static_cast<double>(count);
  correct += loss.correct;
  decisions += loss.decisions;
  images += static_cast<std::uint64_t>(count);
}

PassFigures EpochProgress::figures() const {
  return {loss_sum / static_cast<double>(images), 1.0 - correct / decisions, images};
}

nlohmann::json to_json(const EpochProgress& progress) {
  return {{"epoch", progress.epoch},
          {"step", progress.step},
          {"loss_sum", progress.loss_sum},
          {"correct", progress.correct},
          {"decisions", progress.decisions},
          {"images", progress.images},
          {"epochs_bytes", progress.epochs_bytes}};
}

void read_progress(const nlohmann::json& stored, EpochProgress& progress) {
  stored.at("epoch").get_to(progress.epoch);
  stored.at("step").get_to(progress.step);
  stored.at("loss_sum").get_to(progress.loss_sum);
  stored.at("correct").get_to(progress.correct);
  stored.at("decisions").get_to(progress.decisions);
  stored.at("images").get_to(progress.images);
  stored.at("epochs_bytes").get_to(progress.epochs_bytes);
}

}  // namespace probedarts::learn
