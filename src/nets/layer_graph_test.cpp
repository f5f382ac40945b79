#include "nets/layer_graph.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "nets/layer_builder.hpp"
#include "nets/layout.hpp"
#include "space/published.hpp"

namespace probedarts::nets {
namespace {

LayerGraph lowered(space::Stem stem, int channels, int cells, const char* genotype) {
  space::NetworkSpec spec;
  spec.stem = stem;
  spec.channels = channels;
  spec.cells = cells;
  spec.genotype = space::published_genotype(genotype);
  spec.nodes = spec.genotype.value().nodes();
  return lower(lay_out(spec));
}

LayerGraph one_pool(const layer::Pool& pool) {
  LayerBuilder net("pooled", 1);
  net.pool("pool", net.input(), pool);
  return net.take();
}

TEST(InferShapes, RoundsUpOnlyWhereAWindowStartsInsideTheImage) {
  // PyTorch's ceil_mode: 7 -> 3, 8 -> 4 (the last window hangs over), with a stride beyond the
  // kernel 9 -> 3 (a window from 9 on would lie outside).
  const layer::Pool pool{layer::Pool::Kind::kMax, 3, 2, 0, true};
  EXPECT_EQ(infer_shapes(one_pool(pool), 7, 8).back(), (MapShape{3, 3, 4}));
  const layer::Pool wide{layer::Pool::Kind::kMax, 1, 3, 0, true};
  EXPECT_EQ(infer_shapes(one_pool(wide), 9, 10).back(), (MapShape{3, 3, 4}));
}

TEST(InferShapes, NamesTheLayerAnImageIsTooSmallFor) {
  const LayerGraph graph = one_pool({layer::Pool::Kind::kMax, 5, 2, 0});
  try {
    infer_shapes(graph, 4, 9);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "image size 4x9 px is too small for pooled: nothing is left at its layer 'pool'; "
                 "use --size 5 or more");
  }
}

TEST(InferShapes, FollowsAFactorizedReduceOnOddSizes) {
  const LayerGraph graph = lowered(space::Stem::kCifar, 16, 3, "DARTS_V2");
  // 33 px: the second reduction (cell 2) sees 17 and leaves 9.
  const auto shapes = infer_shapes(graph, 33, 33);
  EXPECT_EQ(shapes[layer_named(graph, "cells.1").value()], (MapShape{4 * 32, 17, 17}));
  EXPECT_EQ(shapes[layer_named(graph, "cells.2").value()], (MapShape{4 * 64, 9, 9}));
}

TEST(Lower, RectifiesAStateOnceAndSaysHowOftenTheOriginalDoes) {
  const LayerGraph graph = lowered(space::Stem::kPathology, 36, 4, "DARTS_ADP_N4");
  const std::size_t first = layer_named(graph, "relu(cells.0)").value();
  EXPECT_EQ(graph.layers[first].repeats, 2);  // as input 1 of cell 1 and as input 0 of cell 2
  std::set<std::string> names;
  for (const Layer& layer : graph.layers) {
    EXPECT_TRUE(names.insert(layer.name).second) << layer.name;
  }
}

TEST(LayerNamed, FindsLayersAndTheLastLayerOfABlock) {
  const LayerGraph graph = lowered(space::Stem::kPathology, 36, 4, "DARTS_ADP_N4");
  EXPECT_EQ(graph.layers[layer_named(graph, "stem").value()].name, "stem.4");
  EXPECT_EQ(graph.layers[layer_named(graph, "cells.3").value()].name, "cells.3");
  EXPECT_EQ(layer_named(graph, "cells.4"), std::nullopt);
}

TEST(LastConvolution, IsNotOneBehindAGlobalPool) {
  LayerBuilder net("excited", 1);
  const std::size_t map = net.conv("conv", net.input(), {8});
  const std::size_t factor = net.conv("fc", net.global_pool("mean", map, true), {8});
  net.scale("scale", map, factor);
  const LayerGraph graph = net.take();
  EXPECT_EQ(graph.layers[last_convolution(graph)].name, "conv");
}

TEST(LastReaders, KeepAMapForItsShortcut) {
  LayerBuilder net("residual", 1);
  const std::size_t first = net.conv("a", net.input(), {8});
  const std::size_t second = net.conv("b", first, {8});
  net.add("sum", second, first);
  EXPECT_THAT(last_readers(net.take()), ::testing::ElementsAre(1, 3, 3, 3));
}

}  // namespace
}  // namespace probedarts::nets
