#include "learn/predict.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <optional>
#include <span>

#include <fmt/format.h>

#include <ATen/ops/from_blob.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/augment.hpp"
#include "data/image.hpp"
#include "data/image_list.hpp"
#include "data/parallel.hpp"
#include "nets/choose_executor.hpp"

namespace probedarts::learn {
namespace {

namespace fs = std::filesystem;

/// A decoded mini-batch; `why` tells of each image that could not be read.
struct DecodedBatch {
  std::vector<float> pixels;  ///< [count, size, size, 3]
  std::vector<std::optional<std::string>> why;
};

class Decoder {
 public:
  Decoder(const std::vector<fs::path>& files, const ModelCard& card, const PredictConfig& config,
          int size_px)
      : files_(files), table_(card.normalization), config_(config), size_px_(size_px) {}

  DecodedBatch decode(std::size_t first) const {
    const std::size_t count =
        std::min(static_cast<std::size_t>(config_.batch), files_.size() - first);
    const auto side = static_cast<std::size_t>(size_px_);
    DecodedBatch batch;
    batch.pixels.assign(count * side * side * 3, 0.0F);
    batch.why.resize(count);
    data::parallel_in_order(count, config_.threads, [&](std::size_t i) {
      try {
        data::Image image = data::read_image(files_[first + i]);
        if (image.height != size_px_ || image.width != size_px_) {
          image = data::resize_bicubic(image, size_px_, size_px_);
        }
        data::augment_patch(image.rgb.data(), size_px_, {}, table_,
                            batch.pixels.data() + i * side * side * 3);
      } catch (const UserError& error) {
        if (!config_.skip_unreadable) {
          throw UserError(fmt::format("{}, or skip it with --skip-unreadable", error.what()));
        }
        batch.why[i] = error.what();
      }
    });
    return batch;
  }

 private:
  const std::vector<fs::path>& files_;
  data::NormalizationTable table_;
  const PredictConfig& config_;
  int size_px_;
};

std::span<const float> row_of(const at::Tensor& rows, std::size_t row) {
  const auto width = static_cast<std::size_t>(rows.size(1));
  return {rows.data_ptr<float>() + row * width, width};
}

void append(const at::Tensor& rows, std::size_t row, std::vector<float>& to) {
  const std::span<const float> values = row_of(rows, row);
  to.insert(to.end(), values.begin(), values.end());
}

/// Runs a batch; unreadable images are zeros in it and leave no row behind.
void run_batch(DecodedBatch& batch, std::size_t first, const std::vector<fs::path>& files,
               TrainedModel& model, nets::Executor& executor, PredictedImages& result) {
  const auto count = static_cast<std::int64_t>(batch.why.size());
  const std::int64_t side = result.size_px;
  const at::Tensor images =
      at::from_blob(batch.pixels.data(), {count, side, side, 3}).permute({0, 3, 1, 2});
  const at::Tensor logits =
      executor.forward(model.state, images, {nets::Mode::kEvaluate, nets::Wanted::kNothing})
          .main.contiguous();
  const at::Tensor probabilities =
      model.card.labels == data::LabelKind::kSingle ? logits.softmax(1) : logits.sigmoid();
  for (std::size_t i = 0; i < batch.why.size(); ++i) {
    const std::string name = files[first + i].string();
    if (batch.why[i]) {
      result.unreadable.push_back(name);
      continue;
    }
    require_answer(model, row_of(logits, i), name);
    result.files.push_back(name);
    append(logits, i, result.logits);
    append(probabilities, i, result.probabilities);
  }
}

void validate(const PredictConfig& config) {
  validate(static_cast<const RunOptions&>(config));
  check_range("batch", config.batch, 1, 65536);
  if (config.size != 0) {
    check_range("size", config.size, 8, 4096);
  }
}

}  // namespace

std::vector<std::size_t> PredictedImages::labels(std::size_t image) const {
  const std::size_t classes = card.classes.size();
  const auto begin = probabilities.begin() + static_cast<std::ptrdiff_t>(image * classes);
  const auto end = begin + static_cast<std::ptrdiff_t>(classes);
  if (card.labels == data::LabelKind::kSingle) {
    return {static_cast<std::size_t>(std::max_element(begin, end) - begin)};
  }
  std::vector<std::size_t> found;
  for (auto p = begin; p != end; ++p) {
    if (*p > 0.5F) {
      found.push_back(static_cast<std::size_t>(p - begin));
    }
  }
  return found;
}

PredictedImages predict_images(const PredictConfig& config, const std::vector<std::string>& paths) {
  checkpoint_of(config.model);
  validate(config);
  if (paths.empty()) {
    throw UserError("predict: no image given; name image files or folders of them");
  }
  const std::vector<fs::path> files = data::list_images({paths.begin(), paths.end()});
  TrainedModel model = open_model(config.model);
  PredictedImages result;
  result.card = model.card;
  result.checkpoint = model.path;
  result.size_px = config.size != 0 ? config.size : model.card.size;
  model.network->require_image_size(result.size_px);
  const nets::ChosenExecutor executor = model.network->make_executor(
      config.executor, nets::Precision::kFloat32, config.threads, config.seed);
  const Decoder decoder(files, model.card, config, result.size_px);
  const auto batch = static_cast<std::size_t>(config.batch);
  Progress bar("predict", files.size(), 0);
  DecodedBatch now = decoder.decode(0);
  for (std::size_t first = 0; first < files.size(); first += batch) {
    std::future<DecodedBatch> next;
    if (first + batch < files.size()) {
      next = std::async(std::launch::async, [&] { return decoder.decode(first + batch); });
    }
    run_batch(now, first, files, model, *executor.executor, result);
    bar.advance(now.why.size());
    if (next.valid()) {
      now = next.get();
    }
  }
  return result;
}

}  // namespace probedarts::learn
