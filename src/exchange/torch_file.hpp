#pragma once

#include <string_view>

#include "core/tensor_file.hpp"
#include "exchange/allowance.hpp"

namespace probedarts::exchange {

/// PyTorch's zip form (since 1.6): `F/data.pkl` holds the object, `F/data/KEY` the raw bytes of
/// each storage, `F/byteorder` (since 2.1) their byte order. Source: torch/serialization.py, _save.
/// \throws UserError
TensorFile read_torch_zip(std::string_view content, Allowance& allowance);

/// The form before 1.6: five pickles (magic number, protocol, system, object, keys of the storages
/// in order), then for each storage the number of its elements (int64) and their raw bytes, all
/// little-endian. Source: torch/serialization.py, _legacy_save. \throws UserError
TensorFile read_torch_legacy(std::string_view content, Allowance& allowance);

/// The record of a zip form in which write_checkpoint keeps metadata; PyTorch ignores it.
inline constexpr std::string_view kMetadataRecord = "extra/probedarts.json";

}  // namespace probedarts::exchange
