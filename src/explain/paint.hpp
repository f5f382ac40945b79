#pragma once

#include <string>

#include "data/image.hpp"
#include "explain/heat_map.hpp"

namespace probedarts::explain {

/// A heat map laid over its image: the image in grey, the heat in Viridis, half and half. Grey,
/// because colours of a stain and colours of heat cannot be told apart; Viridis, because equal
/// steps of heat look equally far apart in it, also to the colour-blind and in print (van der Walt
/// & Smith, 2015), which rainbow maps do not give.
///
/// \param heat  0..1, of the image's size.
data::Image overlay(const data::Image& image, const HeatMap& heat);

/// The colours of heat 0, 1/8, ... 1 as CSS ("#440154"), for a legend: as mixed over mid grey.
std::string legend_gradient();

/// JPEG of quality 90, for pages; what is measured goes into PNG and .npy files.
std::string encode_jpeg(const data::Image& image);

/// "data:image/jpeg;base64,...".
std::string data_uri(const std::string& jpeg);

}  // namespace probedarts::explain
