#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

/// What the figures draw of a search, taken from its epochs.jsonl in one pass.
namespace probedarts::study {

/// Series over the epochs of a search. Numbers that are null in the file are NaN.
struct SearchTrace {
  std::vector<double> train_error, valid_error;  ///< 0..1, one an epoch
  std::size_t layers = 0;                        ///< 0 where the file has no stable ranks
  std::vector<float> stable_rank;                ///< [epoch][layer]
  std::size_t edges = 0;                         ///< of a cell; 0 where the file has no alpha
  std::vector<float> softmax;                    ///< [epoch][normal, reduce][edge][primitive]

  std::size_t epochs() const { return train_error.size(); }
  float rank(std::size_t epoch, std::size_t layer) const {
    return stable_rank[epoch * layers + layer];
  }
  /// \param kind  0: normal cells, 1: reduction cells.
  float weight(std::size_t epoch, std::size_t kind, std::size_t edge, std::size_t primitive) const;
};

/// Reads the lines as far as these series go and no further: errors, softmax(alpha) and stable rank
/// are the first quarter of a line. A last line that is not whole is left out. Numbers are parsed,
/// not kept as a document: 5 ms for 50 epochs of a search of 4 cells with 4 nodes.
/// \throws UserError when a line is malformed, has no errors, or has other numbers of layers or
/// edges than the first.
SearchTrace read_search_trace(const std::filesystem::path& epochs_jsonl);

}  // namespace probedarts::study
