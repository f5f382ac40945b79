#include "report/json_field.hpp"

#include <limits>

#include <fmt/format.h>

#include "core/errors.hpp"

namespace probedarts::report {

void JsonField::refuse(const std::string& complaint) const {
  throw UserError(fmt::format("run folder: {}: '{}' {}; restore the file or repeat the run",
                              *where_, path_.empty() ? "the whole" : path_, complaint));
}

JsonField JsonField::at(const std::string& key) const {
  if (!value_->is_object()) {
    refuse("must be an object");
  }
  const std::string path = path_.empty() ? key : path_ + "." + key;
  const auto found = value_->find(key);
  if (found == value_->end()) {
    JsonField(*value_, *where_, path).refuse("is missing");
  }
  return JsonField(*found, *where_, path);
}

bool JsonField::has(const std::string& key) const {
  return value_->is_object() && value_->contains(key);
}

std::vector<JsonField> JsonField::items() const {
  if (!value_->is_array()) {
    refuse("must be an array");
  }
  std::vector<JsonField> items;
  items.reserve(value_->size());
  for (const auto& element : *value_) {
    items.emplace_back(element, *where_, fmt::format("{}[{}]", path_, items.size()));
  }
  return items;
}

double JsonField::number() const {
  if (!value_->is_number()) {
    refuse("must be a number");
  }
  return value_->get<double>();
}

double JsonField::number_or_nan() const {
  return is_null() ? std::numeric_limits<double>::quiet_NaN() : number();
}

long long JsonField::integer() const {
  if (!value_->is_number_integer()) {
    refuse("must be an integer");
  }
  return value_->get<long long>();
}

std::string JsonField::text() const {
  if (!value_->is_string()) {
    refuse("must be text");
  }
  return value_->get<std::string>();
}

std::string JsonField::text_or_empty() const { return is_null() ? std::string() : text(); }

std::vector<double> JsonField::numbers_or_nan() const {
  if (!value_->is_array()) {
    refuse("must be an array");
  }
  std::vector<double> numbers;
  numbers.reserve(value_->size());
  for (const auto& element : *value_) {
    if (element.is_number()) {
      numbers.push_back(element.get<double>());
    } else if (element.is_null()) {
      numbers.push_back(std::numeric_limits<double>::quiet_NaN());
    } else {
      JsonField(element, *where_, fmt::format("{}[{}]", path_, numbers.size()))
          .refuse("must be a number or null");
    }
  }
  return numbers;
}

}  // namespace probedarts::report
