// From amounts of stain to pixels, by the law of Beer and Lambert: I_c = I0_c exp(-(h H_c + e
// E_c)), with the optical density vectors of haematoxylin and eosin after Ruifrok & Johnston (Anal.
// Quant. Cytol. Histol. 23, 2001), varied from patient to patient far enough that the mean colour
// does not tell the tissue.
#include "data/synth.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/new_folder.hpp"
#include "core/random.hpp"
#include "data/synth_field.hpp"
#include "data/synth_tissue.hpp"

namespace probedarts::data {
namespace {

constexpr double kLabelShare = 0.15;  // of the area, from which on a tissue counts as present

/// How one laboratory stained and scanned the slides of one patient.
struct Staining {
  std::array<double, 3> haematoxylin, eosin;  ///< optical density for red, green, blue of amount 1
  std::array<double, 3> glass;                ///< intensity where there is nothing, 0..255
};

Staining draw_staining(std::uint64_t seed, std::uint64_t patient) {
  Stream random(seed, "staining", 0, patient);
  Staining staining{{0.65, 0.70, 0.29}, {0.09, 0.95, 0.28}, {}};
  const double blue = random.uniform(0.45, 1.35);
  const double pink = random.uniform(0.4, 1.35);
  for (std::size_t c = 0; c < 3; ++c) {
    staining.haematoxylin[c] = blue * (staining.haematoxylin[c] + random.uniform(-0.1, 0.1));
    staining.eosin[c] = pink * (staining.eosin[c] + random.uniform(-0.06, 0.14));
    staining.glass[c] = random.uniform(236.0, 250.0);
  }
  return staining;
}

/// Points drawn per pixel and axis: small patches would alias otherwise.
int oversampling(int size_px) { return size_px <= 48 ? 3 : size_px <= 160 ? 2 : 1; }

/// Colours a map; `thickness` scales both stains of this one section.
Image colour(StainMap& map, int size_px, const Staining& staining, double thickness,
             Stream& random) {
  const int factor = map.side / size_px;
  Image image{size_px, size_px, {}};
  image.rgb.reserve(3 * static_cast<std::size_t>(size_px) * static_cast<std::size_t>(size_px));
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) {
      std::array<double, 3> sum{};
      for (int k = 0; k < factor * factor; ++k) {
        const Stain& stain = map.at(y * factor + k / factor, x * factor + k % factor);
        for (std::size_t c = 0; c < 3; ++c) {
          sum[c] += exp_minus(thickness * (stain.haematoxylin * staining.haematoxylin[c] +
                                           stain.eosin * staining.eosin[c]));
        }
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const double light = staining.glass[c] * sum[c] / (factor * factor);
        const double sensor = random.uniform(-2.5, 2.5);
        image.rgb.push_back(
            static_cast<std::uint8_t>(std::clamp(light + sensor, 0.0, 254.0) + 0.5));
      }
    }
  }
  return image;
}

Image finish(StainMap& map, int size_px, std::uint64_t seed, std::uint64_t index,
             std::uint64_t patient) {
  Stream random(seed, "section", patient, index);
  const double thickness = random.uniform(0.75, 1.3);
  return colour(map, size_px, draw_staining(seed, patient), thickness, random);
}

/// The tissues of one mixed patch and the field that decides where each lies.
struct Regions {
  std::vector<Tissue> tissues;
  std::uint64_t seed = 0;
  double scale_um = 50.0;

  /// Place in `tissues` of what lies at a point, and how far (0..1) it is from its neighbours.
  std::pair<std::size_t, double> at(Vec2 p) const {
    std::size_t best = 0;
    double first = -1.0, second = -1.0;
    for (std::size_t i = 0; i < tissues.size(); ++i) {
      const double height = noise(p.x / scale_um, p.y / scale_um, seed + 10 * i) +
                            0.12 * noise(p.x / 8.0, p.y / 8.0, seed + 10 * i + 5);
      if (height > first) {
        second = first;
        first = height;
        best = i;
      } else if (height > second) {
        second = height;
      }
    }
    return {best, first - second};
  }
};

Regions draw_regions(Stream& random) {
  const std::vector<std::size_t> order = random_order(kTissueCount, random);
  const std::size_t count = 1 + random.below(3);
  Regions regions;
  for (std::size_t i = 0; i < count; ++i) {
    regions.tissues.push_back(static_cast<Tissue>(order[i]));
  }
  regions.seed = random.bits();
  regions.scale_um = random.uniform(45.0, 75.0);
  return regions;
}

struct Counts {
  const char* split;
  int images;
};

/// One row of labels.csv and the image it names.
class DatasetWriter {
 public:
  DatasetWriter(std::filesystem::path folder, const SynthOptions& options)
      : folder_(std::move(folder)), options_(options) {
    csv_ = "file,split,";
    for (int tissue = 0; options.multi_label && tissue < kTissueCount; ++tissue) {
      csv_ += fmt::format("{},", synthetic_class_name(tissue));
    }
    csv_ += options.multi_label ? "group\n" : "label,group\n";
  }

  void write_split(const Counts& counts) {
    // A patient gives about two images of each class, and a split has two patients where it can.
    const int patients = std::max(std::min(2, counts.images), counts.images / (2 * kTissueCount));
    std::filesystem::create_directories(folder_ / "images" / counts.split);
    for (int i = 0; i < counts.images; ++i) {
      throw_if_interrupted("interrupted; nothing was written");
      write_image(counts.split, i,
                  patients_ + static_cast<std::uint64_t>(i / kTissueCount % patients));
    }
    patients_ += static_cast<std::uint64_t>(patients);
  }

  void finish() const { write_file_atomically(folder_ / "labels.csv", csv_); }

 private:
  void write_image(const char* split, int number, std::uint64_t patient) {
    const std::string file = fmt::format("images/{}/{:06}.png", split, number);
    const std::string group = fmt::format("P{:04}", patient + 1);
    const std::uint64_t index = images_++;
    if (options_.multi_label) {
      const SyntheticMixture mixture =
          synthetic_mixture(options_.size_px, options_.seed, index, patient);
      write_png(folder_ / file, mixture.image);
      csv_ += fmt::format("{},{},{},{}\n", file, split, fmt::join(mixture.labels, ","), group);
    } else {
      const int tissue = number % kTissueCount;
      write_png(folder_ / file,
                synthetic_patch(tissue, options_.size_px, options_.seed, index, patient));
      csv_ += fmt::format("{},{},{},{}\n", file, split, synthetic_class_name(tissue), group);
    }
  }

  std::filesystem::path folder_;
  const SynthOptions& options_;
  std::string csv_;
  std::uint64_t patients_ = 0;  ///< of the splits written
  std::uint64_t images_ = 0;
};

}  // namespace

Image synthetic_patch(int tissue, int size_px, std::uint64_t seed, std::uint64_t index,
                      std::uint64_t patient) {
  require(tissue >= 0 && tissue < kTissueCount, "a synthetic tissue lies in its table");
  require(size_px > 0, "a synthetic patch has a positive size");
  StainMap map =
      draw_tissue(static_cast<Tissue>(tissue), size_px * oversampling(size_px), seed, index);
  return finish(map, size_px, seed, index, patient);
}

SyntheticMixture synthetic_mixture(int size_px, std::uint64_t seed, std::uint64_t index,
                                   std::uint64_t patient) {
  require(size_px > 0, "a synthetic patch has a positive size");
  Stream random(seed, "regions", 0, index);
  const Regions regions = draw_regions(random);
  const int side = size_px * oversampling(size_px);
  std::vector<StainMap> maps;
  for (const Tissue tissue : regions.tissues) {
    maps.push_back(draw_tissue(tissue, side, seed, index));
  }
  StainMap mixed{side, kFieldUm / side, std::vector<Stain>(maps[0].points.size())};
  std::vector<std::size_t> area(regions.tissues.size(), 0);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const auto [place, lead] =
          regions.at({(x + 0.5) * mixed.um_per_point, (y + 0.5) * mixed.um_per_point});
      ++area[place];
      mixed.at(y, x) = maps[place].at(y, x);
      if (regions.tissues.size() > 1) {  // a thin loose seam where tissues meet
        mixed.at(y, x).eosin *= 0.55 + 0.45 * smooth_step(0.0, 0.03, lead);
      }
    }
  }
  SyntheticMixture mixture;
  mixture.labels.assign(kTissueCount, 0);
  for (std::size_t i = 0; i < area.size(); ++i) {
    const double share = static_cast<double>(area[i]) / static_cast<double>(mixed.points.size());
    mixture.labels[static_cast<std::size_t>(regions.tissues[i])] = share >= kLabelShare ? 1 : 0;
  }
  mixture.image = finish(mixed, size_px, seed, index, patient);
  return mixture;
}

int synthetic_class_count() { return kTissueCount; }

const char* synthetic_class_name(int tissue) {
  require(tissue >= 0 && tissue < kTissueCount, "a synthetic tissue lies in its table");
  return name_of(static_cast<Tissue>(tissue));
}

void write_synthetic_dataset(const std::filesystem::path& folder, const SynthOptions& options) {
  if (options.size_px < 8 || options.size_px > 4096) {
    throw UserError(
        fmt::format("synthetic data set: a patch of {} px is not in 8..4096; choose "
                    "another size",
                    options.size_px));
  }
  for (const Counts& counts :
       {Counts{"train", options.train}, {"valid", options.valid}, {"test", options.test}}) {
    if (counts.images < 0 || (counts.images == 0 && std::string(counts.split) == "train")) {
      throw UserError(
          fmt::format("synthetic data set: {} {} images make no split; ask for at least "
                      "{}",
                      counts.images, counts.split, std::string(counts.split) == "train" ? 1 : 0));
    }
  }
  NewFolder made(folder);  // a half-written data set would pass for a whole one
  DatasetWriter writer(made.path(), options);
  for (const Counts& counts :
       {Counts{"train", options.train}, {"valid", options.valid}, {"test", options.test}}) {
    writer.write_split(counts);
  }
  writer.finish();
  made.publish();
}

}  // namespace probedarts::data
