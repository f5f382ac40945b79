#pragma once

#include <optional>
#include <string_view>

#include "core/tensor_file.hpp"

namespace probedarts::exchange {

/// What a Python name stands for while a pickle is read. Nothing of Python is ever called: a name
/// has one of these meanings or the file is refused.
enum class PickleRole {
  kOpaque,            ///< a plain value of no interest: set, complex, device, ...
  kTuple,             ///< torch.Size
  kDict,              ///< OrderedDict, defaultdict
  kStorageType,       ///< torch.FloatStorage, ...
  kDtype,             ///< torch.float16, ...
  kTensorClass,       ///< torch.Tensor, Parameter, Buffer: made of a tensor, and that tensor
  kRebuildTensor,     ///< _rebuild_tensor, _v2: storage, offset, size, stride, ...
  kRebuildTensorV3,   ///< the same of an untyped storage, and its dtype
  kRebuildParameter,  ///< of a tensor, and that tensor
  kRebuildFromType,   ///< of another rebuilder and its arguments
};

struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  PickleRole role = PickleRole::kOpaque;
  /// Of a storage or dtype. Complex and quantised numbers have no ElementType and no row.
  ElementType type = ElementType::kU8;
};

/// The row of `module.name`, or null when a checkpoint has no business to ask for it.
const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name);

/// "FloatStorage" for kF32, ... : the class of `torch` that holds elements of this type.
std::string_view storage_class(ElementType type);

}  // namespace probedarts::exchange
