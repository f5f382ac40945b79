// Layout "cifar": the binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky 2009,
// cs.toronto.edu/~kriz/cifar.html). A record is one label byte (CIFAR-100: coarse, then fine) and
// 3072 bytes of pixels, planes of red, green and blue.
#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/cifar.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

/// What tells the two versions apart.
struct CifarVersion {
  const char* subfolder;
  const char* names_file;
  int label_bytes;
};
constexpr CifarVersion kCifar10 = {"cifar-10-batches-bin", "batches.meta.txt", 1};
constexpr CifarVersion kCifar100 = {"cifar-100-binary", "fine_label_names.txt", 2};

std::vector<std::filesystem::path> batch_files(const std::filesystem::path& folder, Split split) {
  std::vector<std::filesystem::path> found;
  for (const auto& file : list_folder(folder)) {
    const std::string name = file.filename().string();
    const bool train =
        name == "train.bin" || (name.starts_with("data_batch_") && name.ends_with(".bin"));
    const bool test = name == "test.bin" || name == "test_batch.bin";
    if ((split == Split::kTrain && train) || (split == Split::kTest && test)) {
      found.push_back(file);
    }
  }
  return found;
}

bool holds_batches(const std::filesystem::path& folder) {
  return is_folder(folder) && (!batch_files(folder, Split::kTrain).empty() ||
                               !batch_files(folder, Split::kTest).empty());
}

std::filesystem::path batch_folder(const std::filesystem::path& root) {
  for (const CifarVersion& version : {kCifar10, kCifar100}) {
    if (holds_batches(root / version.subfolder)) {
      return root / version.subfolder;
    }
  }
  return root;
}

CifarVersion version_of(const std::filesystem::path& folder) {
  for (const CifarVersion& version : {kCifar100, kCifar10}) {
    if (is_file(folder / version.names_file)) {
      return version;
    }
  }
  throw UserError(
      fmt::format("{}: the class names are missing; put {} (CIFAR-10) or {} (CIFAR-100) "
                  "beside the batches",
                  folder.string(), kCifar10.names_file, kCifar100.names_file));
}

std::vector<std::string> read_names(const std::filesystem::path& file) {
  std::vector<std::string> names;
  for (const CsvRow& row : parse_csv(read_file(file), file)) {
    names.push_back(row.fields[0]);
  }
  return names;
}

void read_batch(const std::filesystem::path& file, int label_bytes, std::size_t classes,
                std::vector<Sample>& samples) {
  const std::string bytes = read_file(file);
  const std::size_t record_bytes = static_cast<std::size_t>(label_bytes) + kCifarPixelBytes;
  if (bytes.empty() || bytes.size() % record_bytes != 0) {
    throw UserError(
        fmt::format("{}: {} bytes are no whole number of records of {} bytes; fetch the "
                    "file again",
                    file.string(), bytes.size(), record_bytes));
  }
  for (std::size_t record = 0; record < bytes.size() / record_bytes; ++record) {
    const std::size_t at = record * record_bytes + static_cast<std::size_t>(label_bytes) - 1;
    const auto label = static_cast<unsigned char>(bytes[at]);
    if (label >= classes) {
      throw UserError(
          fmt::format("{}: record {} has label {}, but only {} classes are named; fetch "
                      "the file again",
                      file.string(), record, label, classes));
    }
    Sample sample;
    sample.file = file;
    sample.record = static_cast<std::int64_t>(record);
    sample.label = label;
    samples.push_back(std::move(sample));
  }
}

}  // namespace

bool has_cifar(const std::filesystem::path& root) { return holds_batches(batch_folder(root)); }

Dataset open_cifar(const std::filesystem::path& root) {
  const std::filesystem::path folder = batch_folder(root);
  if (!holds_batches(folder)) {
    throw UserError(
        fmt::format("{}: no CIFAR batch is here; give the folder of data_batch_*.bin "
                    "and test_batch.bin, or of train.bin and test.bin",
                    root.string()));
  }
  const CifarVersion version = version_of(folder);
  Dataset dataset;
  dataset.layout = "cifar";
  dataset.cifar_label_bytes = version.label_bytes;
  dataset.classes = read_names(folder / version.names_file);
  for (const Split split : {Split::kTrain, Split::kTest}) {
    for (const auto& file : batch_files(folder, split)) {
      read_batch(file, version.label_bytes, dataset.classes.size(), dataset.of(split));
    }
  }
  return dataset;
}

Image cifar_image(std::string_view batch, int label_bytes, std::int64_t record) {
  const std::size_t record_bytes = static_cast<std::size_t>(label_bytes) + kCifarPixelBytes;
  require(record >= 0 && (static_cast<std::size_t>(record) + 1) * record_bytes <= batch.size(),
          "cifar_image: the record is outside the batch");
  const char* planes = batch.data() + static_cast<std::size_t>(record) * record_bytes + label_bytes;
  constexpr std::size_t kPlane = kCifarPixelBytes / 3;
  Image image{kCifarSide, kCifarSide, std::vector<std::uint8_t>(kCifarPixelBytes)};
  for (std::size_t pixel = 0; pixel < kPlane; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image.rgb[3 * pixel + channel] = static_cast<std::uint8_t>(planes[channel * kPlane + pixel]);
    }
  }
  return image;
}

}  // namespace probedarts::data
