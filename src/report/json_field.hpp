#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace probedarts::report {

/// A value in a JSON document together with the way to it, so that a complaint can name both. Cheap
/// to copy; the document and `where` must outlive it.
class JsonField {
 public:
  /// \param where  the file and line in words, for example "line 3 of 'run/epochs.jsonl'".
  JsonField(const nlohmann::json& value, const std::string& where, std::string path = {})
      : value_(&value), where_(&where), path_(std::move(path)) {}

  /// \throws UserError when this is no object or has no such member.
  JsonField at(const std::string& key) const;
  bool has(const std::string& key) const;
  /// All elements. \throws UserError when this is no array.
  std::vector<JsonField> items() const;
  bool is_null() const { return value_->is_null(); }

  double number() const;              ///< \throws UserError when it is no number
  double number_or_nan() const;       ///< NaN for null
  long long integer() const;          ///< \throws UserError when it is no integer
  std::string text() const;           ///< \throws UserError when it is no string
  std::string text_or_empty() const;  ///< empty for null
  std::vector<double> numbers_or_nan() const;

  const nlohmann::json& value() const { return *value_; }
  /// \throws UserError "run folder: <where> <complaint about the field>; restore the file or repeat
  /// the run"
  [[noreturn]] void refuse(const std::string& complaint) const;

 private:
  const nlohmann::json* value_;
  const std::string* where_;
  std::string path_;
};

}  // namespace probedarts::report
