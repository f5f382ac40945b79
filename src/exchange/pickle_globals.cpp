#include "exchange/pickle_globals.hpp"

#include <array>

#include "core/errors.hpp"

namespace probedarts::exchange {
namespace {

using enum PickleRole;

// Every name that PyTorch 0.4 to 2.x writes for dense tensors and the containers around them.
constexpr std::array kGlobals = {
    PickleGlobal{"collections", "OrderedDict", kDict},
    PickleGlobal{"collections", "defaultdict", kDict},
    PickleGlobal{"collections", "Counter"},  // of a MultiStepLR's milestones

    // Of Python's own. `_codecs.encode` is how protocol 2 writes bytes.
    PickleGlobal{"builtins", "set"},
    PickleGlobal{"builtins", "frozenset"},
    PickleGlobal{"builtins", "complex"},
    PickleGlobal{"builtins", "list"},
    PickleGlobal{"builtins", "dict"},
    PickleGlobal{"builtins", "tuple"},
    PickleGlobal{"builtins", "int"},
    PickleGlobal{"builtins", "float"},
    PickleGlobal{"builtins", "bool"},
    PickleGlobal{"builtins", "str"},
    PickleGlobal{"builtins", "bytes"},
    PickleGlobal{"builtins", "bytearray"},
    PickleGlobal{"_codecs", "encode"},

    PickleGlobal{"torch", "Size", kTuple},
    PickleGlobal{"torch", "device"},
    PickleGlobal{"torch.serialization", "_get_layout"},

    PickleGlobal{"torch", "FloatStorage", kStorageType, ElementType::kF32},
    PickleGlobal{"torch", "DoubleStorage", kStorageType, ElementType::kF64},
    PickleGlobal{"torch", "HalfStorage", kStorageType, ElementType::kF16},
    PickleGlobal{"torch", "BFloat16Storage", kStorageType, ElementType::kBF16},
    PickleGlobal{"torch", "LongStorage", kStorageType, ElementType::kI64},
    PickleGlobal{"torch", "IntStorage", kStorageType, ElementType::kI32},
    PickleGlobal{"torch", "ShortStorage", kStorageType, ElementType::kI16},
    PickleGlobal{"torch", "CharStorage", kStorageType, ElementType::kI8},
    PickleGlobal{"torch", "ByteStorage", kStorageType, ElementType::kU8},
    PickleGlobal{"torch", "BoolStorage", kStorageType, ElementType::kBool},
    PickleGlobal{"torch", "UntypedStorage", kStorageType, ElementType::kU8},
    PickleGlobal{"torch.storage", "UntypedStorage", kStorageType, ElementType::kU8},

    PickleGlobal{"torch", "float32", kDtype, ElementType::kF32},
    PickleGlobal{"torch", "float64", kDtype, ElementType::kF64},
    PickleGlobal{"torch", "float16", kDtype, ElementType::kF16},
    PickleGlobal{"torch", "bfloat16", kDtype, ElementType::kBF16},
    PickleGlobal{"torch", "int64", kDtype, ElementType::kI64},
    PickleGlobal{"torch", "int32", kDtype, ElementType::kI32},
    PickleGlobal{"torch", "int16", kDtype, ElementType::kI16},
    PickleGlobal{"torch", "int8", kDtype, ElementType::kI8},
    PickleGlobal{"torch", "uint8", kDtype, ElementType::kU8},
    PickleGlobal{"torch", "bool", kDtype, ElementType::kBool},

    PickleGlobal{"torch", "Tensor", kTensorClass},
    PickleGlobal{"torch._tensor", "Tensor", kTensorClass},
    PickleGlobal{"torch.nn.parameter", "Parameter", kTensorClass},
    PickleGlobal{"torch.nn.parameter", "Buffer", kTensorClass},
    PickleGlobal{"torch._utils", "_rebuild_tensor", kRebuildTensor},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", kRebuildTensor},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v3", kRebuildTensorV3},
    PickleGlobal{"torch._utils", "_rebuild_parameter", kRebuildParameter},
    PickleGlobal{"torch._utils", "_rebuild_parameter_with_state", kRebuildParameter},
    PickleGlobal{"torch._tensor", "_rebuild_from_type_v2", kRebuildFromType},
};

}  // namespace

const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") {  // Python 2's name, which protocols below 3 keep
    module = "builtins";
  } else if (module == "torch.cuda") {  // storages of a GPU in old files
    module = "torch";
  }
  for (const PickleGlobal& row : kGlobals) {
    if (row.module == module && row.name == name) {
      return &row;
    }
  }
  return nullptr;
}

std::string_view storage_class(ElementType type) {
  for (const PickleGlobal& row : kGlobals) {
    if (row.role == kStorageType && row.type == type) {
      return row.name;
    }
  }
  report_bug("element type without a storage class", __FILE__, __LINE__);
}

}  // namespace probedarts::exchange
