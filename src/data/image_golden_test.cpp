// Golden group 02_preprocess: every row of every case. Images agree exactly (tolerance_levels 0 in
// the JSON: both recipes are integer arithmetic); tensors to tolerance_abs of the row (float32
// rounding of ToTensor and Normalize).
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "data/augment.hpp"
#include "data/image.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

using nlohmann::json;

/// One JSON file with its tensors.
struct Case {
  std::filesystem::path folder;
  json rows;
  TensorFile tensors;
};

std::vector<Case> load_cases() {
  std::vector<Case> cases;
  for (const auto& path : probedarts::testing::golden_cases("02_preprocess")) {
    const json content = json::parse(read_file(path));
    Case found{path.parent_path(), content.at("rows"), {}};
    if (content.contains("safetensors")) {
      found.tensors =
          read_tensor_file(path.parent_path() / content.at("safetensors").get<std::string>());
    }
    cases.push_back(std::move(found));
  }
  return cases;
}

Image load_image(const Case& of, const json& name) {
  const auto text = name.get<std::string>();
  return read_image(text.starts_with("images/") ? of.folder.parent_path() / text
                                                : of.folder / text);
}

Normalization normalization_of(const json& row) {
  return {row.at("mean").get<std::array<double, 3>>(), row.at("std").get<std::array<double, 3>>()};
}

int largest_difference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width) {
    return 256;
  }
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

/// The result of a row whose output is an image; nothing for other rows.
std::optional<Image> image_result(const Case& of, const json& row) {
  const std::string op = row.at("op");
  if (op == "resize_bicubic") {
    const json& size = row.at("size");
    const bool both = size.is_array();
    return resize_bicubic(load_image(of, row.at("input")), both ? size.at(0) : size,
                          both ? size.at(1) : size);
  }
  if (op == "affine_nearest_fill0") {
    return affine_nearest(load_image(of, row.at("input")),
                          {row.at("angle"), row.at("translate"), row.at("scale"), row.at("shear")});
  }
  if (op == "hflip") {
    return flip_horizontal(load_image(of, row.at("input")));
  }
  if (op == "vflip") {
    return flip_vertical(load_image(of, row.at("input")));
  }
  return std::nullopt;
}

/// The row's tensor [3, H, W] against interleaved pixels of this size.
void expect_tensor(const Case& of, const json& row, const std::vector<float>& pixels, int height,
                   int width) {
  const StoredTensor& tensor = of.tensors.at(row.at("tensor"));
  ASSERT_EQ(tensor.shape, (std::vector<std::int64_t>{3, height, width})) << row;
  const std::vector<double> expected = tensor.as_doubles();
  const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  ASSERT_EQ(pixels.size(), 3 * plane) << row;
  double largest = 0.0;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < plane; ++i) {
      largest = std::max(largest, std::abs(expected[c * plane + i] - double{pixels[3 * i + c]}));
    }
  }
  EXPECT_LE(largest, row.at("tolerance_abs").get<double>()) << row;
}

/// ToTensor and Normalize of an image of any shape.
std::vector<float> normalized(const Image& image, const json& row) {
  const NormalizationTable table(normalization_of(row));
  std::vector<float> pixels;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    pixels.push_back(table.value[image.rgb[i]][i % 3]);
  }
  return pixels;
}

/// The side of a row's patch: what is changed at random is square here, a network's input.
int side_of(const StoredTensor& tensor) {
  EXPECT_EQ(tensor.shape.at(1), tensor.shape.at(2)) << "a patch is square";
  return tensor.shape.at(1) == tensor.shape.at(2) ? static_cast<int>(tensor.shape.at(1)) : 0;
}

/// Normalised pixels of a patch after the changes that the row names.
std::vector<float> augmented(const Image& patch, const json& row) {
  AugmentationDraw draw;
  draw.flip_horizontal = row.value("hflip", 0) != 0;
  draw.flip_vertical = row.value("vflip", 0) != 0;
  draw.angle_degrees = row.value("angle", 0.0);
  draw.translate_px = row.value("translate", std::array<int, 2>{0, 0});
  draw.cutout_px = row.value("cutout_length", 0);
  if (row.contains("cutout_centre")) {  // stored as y, x
    draw.cutout_centre = {row.at("cutout_centre").at(1), row.at("cutout_centre").at(0)};
  }
  std::vector<float> pixels(patch.rgb.size());
  augment_patch(patch.rgb.data(), patch.width, draw, NormalizationTable(normalization_of(row)),
                pixels.data());
  return pixels;
}

/// Calls `check` for every row of every case with this operation. \returns how many.
template <class Check>
int for_each_row(const std::string& operation, const Check& check) {
  int rows = 0;
  for (const Case& of : load_cases()) {
    for (const json& row : of.rows) {
      if (row.at("op") == operation) {
        check(of, row);
        ++rows;
      }
    }
  }
  return rows;
}

TEST(GoldenPreprocess, KnowsEveryOperation) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  const std::set<std::string> known = {
      "resize_bicubic", "affine_nearest_fill0", "hflip", "vflip", "to_tensor_normalize", "pipeline",
      "cutout",         "sampling_rule"};  // words, no numbers: draw_augmentation and its tests
  for (const Case& of : load_cases()) {
    std::set<std::string> named;
    for (const json& row : of.rows) {
      EXPECT_EQ(known.count(row.at("op")), 1U) << "nobody compares this row: " << row;
      for (const char* key : {"tensor", "tensor_in"}) {
        if (row.contains(key)) {
          named.insert(row.at(key).get<std::string>());
        }
      }
    }
    for (const auto& [name, tensor] : of.tensors.tensors) {
      EXPECT_EQ(named.count(name), 1U) << "no row names tensor '" << name << "'";
    }
  }
}

TEST(GoldenPreprocess, ImagesAreExact) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  int checked = 0;
  for (const Case& of : load_cases()) {
    for (const json& row : of.rows) {
      if (const std::optional<Image> result = image_result(of, row)) {
        EXPECT_LE(largest_difference(*result, load_image(of, row.at("output"))),
                  row.at("tolerance_levels").get<int>())
            << row;
        ++checked;
      }
    }
  }
  PROBEDARTS_FOUND(checked, "an image made of another");
}

TEST(GoldenPreprocess, InverseMatricesAgreeToRoundingOfDouble) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  int checked = 0;
  for (const Case& of : load_cases()) {
    for (const json& row : of.rows) {
      if (row.contains("inverse_matrix")) {
        const Image input = load_image(of, row.at("input"));
        const auto matrix = inverse_affine_matrix(
            {row.at("angle"), row.at("translate"), row.at("scale"), row.at("shear")}, input.height,
            input.width);
        for (std::size_t i = 0; i < 6; ++i) {
          // Offsets reach some hundred pixels, and libms differ in the last bit.
          EXPECT_NEAR(matrix[i], row.at("inverse_matrix").at(i).get<double>(), 1e-12) << row;
        }
        ++checked;
      }
    }
  }
  PROBEDARTS_FOUND(checked, "an affine map");
}

TEST(GoldenPreprocess, NormalisedTensorsAgree) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  const int rows = for_each_row("to_tensor_normalize", [](const Case& of, const json& row) {
    const Image image = load_image(of, row.at("input"));
    expect_tensor(of, row, normalized(image, row), image.height, image.width);
    if (image.height == image.width) {  // a patch: what a loader does when it changes nothing
      expect_tensor(of, row, augmented(image, row), image.height, image.width);
    }
  });
  PROBEDARTS_FOUND(rows, "a normalised image");
}

TEST(GoldenPreprocess, WholePipelinesAgree) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  const int rows = for_each_row("pipeline", [](const Case& of, const json& row) {
    const int side = side_of(of.tensors.at(row.at("tensor")));
    ASSERT_GT(side, 0) << row;
    const Image patch = resize_bicubic(load_image(of, row.at("input")), side, side);
    expect_tensor(of, row, augmented(patch, row), side, side);
  });
  PROBEDARTS_FOUND(rows, "a pipeline");
}

TEST(GoldenPreprocess, CutoutIsExact) {
  PROBEDARTS_NEEDS_GROUP("02_preprocess");
  const int rows = for_each_row("cutout", [](const Case& of, const json& row) {
    const StoredTensor& input = of.tensors.at(row.at("tensor_in"));
    const int side = side_of(input);
    ASSERT_GT(side, 0) << row;
    const std::vector<double> planes = input.as_doubles();
    const std::size_t plane = planes.size() / 3;
    std::vector<float> pixels(planes.size());
    for (std::size_t i = 0; i < planes.size(); ++i) {
      pixels[3 * (i % plane) + i / plane] = static_cast<float>(planes[i]);
    }
    cut_out(row.at("length"), {row.at("centre_x"), row.at("centre_y")}, side, pixels.data());
    expect_tensor(of, row, pixels, side, side);
  });
  PROBEDARTS_FOUND(rows, "a cutout");
}

}  // namespace
}  // namespace probedarts::data
