#pragma once

#include "nets/layer_graph.hpp"

/// One maker a family, for zoo.cpp alone.
namespace probedarts::nets::zoo {

inline constexpr auto kRelu = layer::Activation::Kind::kRelu;

/// torchvision's resnet18 (He et al., CVPR 2016).
LayerGraph resnet18(int classes);

/// timm's legacy_seresnet18: ResNet18 whose blocks end in a squeeze-excitation of 1/16 of the
/// channels (Hu et al., "Squeeze-and-excitation networks", CVPR 2018).
LayerGraph senet18(int classes);

/// torchvision's mobilenet_v2 (Sandler et al., CVPR 2018). \param width  multiplies all channels.
LayerGraph mobilenet_v2(int classes, double width);

/// torchvision's mobilenet_v3_large and mobilenet_v3_small (Howard et al., ICCV 2019).
LayerGraph mobilenet_v3_large(int classes);
LayerGraph mobilenet_v3_small(int classes);

/// torchvision's shufflenet_v2_x1_0 (Ma et al., ECCV 2018).
LayerGraph shufflenet_v2_x1_0(int classes);

/// timm's semnasnet_100 and mnasnet_small (Tan et al., "MnasNet", CVPR 2019).
LayerGraph mnasnet_a1(int classes);
LayerGraph mnasnet_small(int classes);

}  // namespace probedarts::nets::zoo
