#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "study/comparison.hpp"

/// How right trained networks are on each image of a test split, and what that allows one to say
/// about images like these. Seeds tell how much a training varies; images how much the test set
/// does. An interval over one says nothing about the other.
namespace probedarts::study {

/// Of each image of a test split, in its order.
struct TestImages {
  std::vector<std::string> names;
  /// Of one label: 1 when right, else 0; of several: the share of its (image, class) pairs. The
  /// mean over images is the accuracy.
  std::vector<double> right;
  std::vector<std::uint64_t> groups;  ///< patient or slide; empty when not known
};

/// Reads what `evaluate --predictions` wrote: its columns image, group and right. An image without
/// a group among others with is a group of its own. \returns nothing when the file is not there, or
/// has no such columns. \throws UserError when it is damaged.
std::optional<TestImages> read_test_images(const std::filesystem::path& csv);

/// Several trainings on the same images: the mean of each image.
/// \returns nothing for none, or when their images differ.
std::optional<TestImages> mean_over_runs(const std::vector<TestImages>& runs);

/// Accuracy over images, with a 95 % interval: a bootstrap that draws whole groups, where known,
/// else Student's, which many images make as good. Over few groups the bootstrap is too narrow
/// (statistics.hpp), which `is_too_narrow` says.
struct ImageScore {
  double accuracy = 0.0;
  std::size_t images = 0;
  std::size_t groups = 0;  ///< 0: each image by itself
  std::optional<Interval> interval;

  bool is_too_narrow() const { return interval && groups > 0 && groups < kFewGroups; }
};
ImageScore score_of(const TestImages& images);

/// Two-sided test that two rows are equally right on the same images. The difference of each group
/// of images (or of each image) may have either sign when they are: `sign_flip_p` of those sums.
/// With one run a row and no groups that is McNemar's exact test (McNemar 1947).
/// \returns p in (0, 1].
double image_test_p(const TestImages& first, const TestImages& second, std::uint64_t seed);

/// A row's images, where it has any.
struct ImageRow {
  std::string name;
  std::string data;  ///< the data set, whose images may be called as those of another
  std::optional<TestImages> images;
};

/// Compares all pairs of rows on the images that both were tested on, as one family. `pairs` of the
/// results counts what was drawn independently: groups, or images. Their intervals are those of the
/// test (`sign_flip_interval`) up to 20 of them; of more a bootstrap of groups or Student's over
/// images, widened to hold 0 where the test does not refuse it.
std::vector<Comparison> compare_on_images(const std::vector<ImageRow>& rows,
                                          const CompareOptions& options);

}  // namespace probedarts::study
