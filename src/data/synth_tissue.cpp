// The tissues: a background of stain amounts for each point, then nuclei drawn over it. Sizes in
// micrometres follow histology's textbooks only roughly (lymphocyte nucleus 6-7 across, fat cell
// 40-60, gland 45-60).
#include "data/synth_tissue.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/random.hpp"
#include "data/synth_field.hpp"

namespace probedarts::data {
namespace {

/// An ellipse with chromatin.
struct Nucleus {
  Vec2 centre;
  Vec2 axis{1.0, 0.0};   ///< direction of the long radius
  double long_um = 4.0;  ///< radii
  double short_um = 4.0;
  double stain = 1.6;   ///< haematoxylin
  double rim = 0.3;     ///< extra stain at the membrane
  double lumps = 0.15;  ///< irregularity of the outline
  double grain = 0.5;   ///< contrast of the chromatin
  bool nucleolus = false;
};

/// Draws over a map.
class Painter {
 public:
  Painter(StainMap& map, std::uint64_t seed) : map_(map), seed_(seed) {}

  void background(const std::function<Stain(Vec2)>& stain_at) {
    for (int y = 0; y < map_.side; ++y) {
      for (int x = 0; x < map_.side; ++x) {
        map_.at(y, x) = stain_at(point(y, x));
      }
    }
  }

  void nucleus(const Nucleus& nucleus) {
    const double reach = std::max(nucleus.long_um, nucleus.short_um) * 1.3 + map_.um_per_point;
    const int top = index_of(nucleus.centre.y - reach);
    const int bottom = index_of(nucleus.centre.y + reach);
    const int left = index_of(nucleus.centre.x - reach);
    const int right = index_of(nucleus.centre.x + reach);
    const std::uint64_t seed = seed_ + 977 * ++count_;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        blend(nucleus, seed, point(y, x), map_.at(y, x));
      }
    }
  }

 private:
  Vec2 point(int y, int x) const {
    return {(x + 0.5) * map_.um_per_point, (y + 0.5) * map_.um_per_point};
  }

  int index_of(double um) const {
    return std::clamp(static_cast<int>(um / map_.um_per_point + 0.5), 0, map_.side);
  }

  void blend(const Nucleus& nucleus, std::uint64_t seed, Vec2 at, Stain& stain) const {
    const Vec2 d{at.x - nucleus.centre.x, at.y - nucleus.centre.y};
    const Vec2 q{(d.x * nucleus.axis.x + d.y * nucleus.axis.y) / nucleus.long_um,
                 (d.y * nucleus.axis.x - d.x * nucleus.axis.y) / nucleus.short_um};
    double radius = length_of(q);
    if (radius > 1e-9) {
      radius *= 1.0 + nucleus.lumps * 2.0 *
                          (noise(1.4 * q.x / radius + 7.0, 1.4 * q.y / radius + 7.0, seed) - 0.5);
    }
    const double edge = 0.6 * std::max(map_.um_per_point, 0.35) / nucleus.short_um;
    const double cover = 1.0 - smooth_step(1.0 - edge, 1.0 + edge, radius);
    if (cover <= 0.0) {
      return;
    }
    const double chromatin = noise(at.x / 0.9, at.y / 0.9, seed + 1) - 0.5;
    double amount = nucleus.stain * (1.0 + nucleus.grain * chromatin);
    amount += nucleus.rim * smooth_step(0.55, 0.95, radius);
    if (nucleus.nucleolus) {
      const Vec2 off{q.x - 0.2, q.y + 0.15};
      amount += 1.1 * (1.0 - smooth_step(0.15, 0.35, length_of(off)));
    }
    stain.haematoxylin = mix(stain.haematoxylin, amount, cover);
    stain.eosin = mix(stain.eosin, 0.35 * stain.eosin + 0.1, cover);
  }

  StainMap& map_;
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
};

/// What a tissue draws with.
struct Bench {
  Painter& paint;
  Stream& random;
  std::uint64_t seed;  ///< of the fields

  Vec2 direction() { return direction_at(random.uniform()); }
  Vec2 place(double margin) {
    const double x = random.uniform(-margin, kFieldUm + margin);
    return {x, random.uniform(-margin, kFieldUm + margin)};
  }
  double around(double middle, double spread) {  // bell-shaped, within ±1.5 spread
    return middle + spread * (random.uniform() + random.uniform() + random.uniform() - 1.5);
  }
};

/// Points no nearer to each other than `apart`.
std::vector<Vec2> scatter(Bench& bench, int tries, double apart,
                          const std::function<bool(Vec2)>& allowed = nullptr) {
  std::vector<Vec2> points;
  for (int i = 0; i < tries; ++i) {
    const Vec2 p = bench.place(4.0);
    const bool free = std::none_of(points.begin(), points.end(), [&](Vec2 q) {
      return (p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y) < apart * apart;
    });
    if (free && (!allowed || allowed(p))) {
      points.push_back(p);
    }
  }
  return points;
}

/// Coordinates along and across wavy fibres.
struct Grain {
  Vec2 axis;
  double bend_um = 10.0;  ///< slow bending
  double wave_um = 2.0;   ///< crimp
  std::uint64_t seed = 0;

  Vec2 operator()(Vec2 p) const {
    const double along = p.x * axis.x + p.y * axis.y;
    const double across = p.y * axis.x - p.x * axis.y;
    const double bend = bend_um * (noise(p.x / 45.0, p.y / 45.0, seed) - 0.5) * 2.0;
    const double wave = wave_um * (noise(along / 9.0, across / 30.0, seed + 3) - 0.5) * 2.0;
    return {along, across + bend + wave};
  }

  /// Direction of the fibres at a point.
  Vec2 tangent(Vec2 p) const {
    const double step = 1.0;
    const double slope =
        ((*this)({p.x + step * axis.x, p.y + step * axis.y}).y - (*this)(p).y) / step;
    const Vec2 t{axis.x + slope * axis.y, axis.y - slope * axis.x};
    const double norm = length_of(t);
    return {t.x / norm, t.y / norm};
  }
};

/// Distances to the two nearest and the third nearest of jittered lattice sites.
struct Cells {
  double first = 1e9, second = 1e9, third = 1e9;
};

Cells cells_at(Vec2 p, double spacing_um, std::uint64_t seed) {
  const double x = p.x / spacing_um;
  const double y = p.y / spacing_um;
  const auto ix = static_cast<std::int64_t>(floor_of(x));
  const auto iy = static_cast<std::int64_t>(floor_of(y));
  Cells cells;
  for (std::int64_t j = iy - 2; j <= iy + 2; ++j) {
    for (std::int64_t i = ix - 2; i <= ix + 2; ++i) {
      const double dx = static_cast<double>(i) + 0.15 + 0.7 * lattice(i, j, seed) - x;
      const double dy = static_cast<double>(j) + 0.15 + 0.7 * lattice(i, j, seed + 1) - y;
      const double d = std::sqrt(dx * dx + dy * dy) * spacing_um;
      if (d < cells.first) {
        cells = {d, cells.first, cells.second};
      } else if (d < cells.second) {
        cells = {cells.first, d, cells.second};
      } else if (d < cells.third) {
        cells.third = d;
      }
    }
  }
  return cells;
}

Stain collagen_at(const Grain& grain, double density, Vec2 p) {
  const Vec2 f = grain(p);
  const double fibres = 0.6 * noise(f.x / 26.0, f.y / 3.2, grain.seed + 11) +
                        0.4 * noise(f.x / 15.0, f.y / 1.3, grain.seed + 12);
  const double gaps = smooth_step(0.62 - density, 0.78 - density, fibres);
  return {0.07 + 0.05 * fibres, gaps * (0.18 + 0.62 * smooth_step(0.25, 0.8, fibres))};
}

Nucleus spindle(Bench& bench, Vec2 at, Vec2 axis, double long_um, double short_um) {
  Nucleus nucleus;
  nucleus.centre = at;
  nucleus.axis = axis;
  nucleus.long_um = bench.around(long_um, 0.25 * long_um);
  nucleus.short_um = bench.around(short_um, 0.2 * short_um);
  nucleus.stain = bench.around(1.5, 0.25);
  return nucleus;
}

void draw_stroma(Bench& bench) {
  const Grain grain{bench.direction(), bench.random.uniform(8.0, 22.0),
                    bench.random.uniform(1.5, 3.5), bench.seed};
  const double density = bench.random.uniform(0.22, 0.5);
  bench.paint.background([&](Vec2 p) { return collagen_at(grain, density, p); });
  const int tries = static_cast<int>(bench.random.uniform(14.0, 60.0));
  for (const Vec2 p : scatter(bench, tries, 9.0)) {
    bench.paint.nucleus(spindle(bench, p, grain.tangent(p), 5.8, 1.35));
  }
}

void draw_muscle(Bench& bench) {
  const Grain grain{bench.direction(), bench.random.uniform(3.0, 9.0),
                    bench.random.uniform(0.3, 0.9), bench.seed};
  const double pallor = bench.random.uniform(0.7, 1.05);
  bench.paint.background([&](Vec2 p) {
    const Vec2 f = grain(p);
    const double bundle = noise(f.x / 75.0, f.y / 8.0, grain.seed + 21);
    const double streak = noise(f.x / 45.0, f.y / 1.5, grain.seed + 22);
    const double cleft = noise(f.x / 90.0, f.y / 6.5, grain.seed + 23);
    const double open = 1.0 - 0.75 * (1.0 - smooth_step(0.015, 0.06, std::abs(cleft - 0.5)));
    return Stain{0.13 + 0.05 * streak, pallor * open * (0.62 + 0.28 * bundle + 0.22 * streak)};
  });
  const int tries = static_cast<int>(bench.random.uniform(35.0, 110.0));
  for (const Vec2 p : scatter(bench, tries, 8.0)) {
    bench.paint.nucleus(spindle(bench, p, grain.tangent(p), 7.6, 1.55));
  }
}

void draw_adipose(Bench& bench) {
  const double spacing = bench.random.uniform(36.0, 54.0);
  const double width = bench.random.uniform(0.5, 1.3);
  const std::uint64_t seed = bench.seed;
  const auto bent = [seed](Vec2 p) {
    return Vec2{p.x + 5.0 * (noise(p.x / 17.0, p.y / 17.0, seed + 31) - 0.5),
                p.y + 5.0 * (noise(p.x / 17.0, p.y / 17.0, seed + 32) - 0.5)};
  };
  bench.paint.background([&](Vec2 p) {
    const Cells cells = cells_at(bent(p), spacing, seed);
    const double corner = 1.0 - smooth_step(0.0, 9.0, cells.third - cells.first);
    const double wall = width + 2.2 * corner * corner;
    const double septum = 1.0 - smooth_step(wall, wall + 0.9, 0.5 * (cells.second - cells.first));
    const double texture = 0.75 + 0.5 * noise(p.x / 1.4, p.y / 1.4, seed + 33);
    return Stain{0.1 * septum, 0.015 + 0.62 * septum * texture};
  });
  const auto in_septum = [&](Vec2 p) {
    const Cells cells = cells_at(bent(p), spacing, seed);
    return cells.second - cells.first < 1.6;
  };
  for (const Vec2 p : scatter(bench, 260, 22.0, in_septum)) {
    const double e = 0.6;  // along the wall the difference of the distances does not change
    const auto across = [&](Vec2 at) {
      const Cells cells = cells_at(bent(at), spacing, seed);
      return cells.second - cells.first;
    };
    double least = 1e9;
    Vec2 axis{1.0, 0.0};
    for (int i = 0; i < 12; ++i) {
      const Vec2 d = direction_at(i / 24.0);
      const double rise = across({p.x + 4.0 * e * d.x, p.y + 4.0 * e * d.y}) +
                          across({p.x - 4.0 * e * d.x, p.y - 4.0 * e * d.y});
      if (rise < least) {
        least = rise;
        axis = d;
      }
    }
    bench.paint.nucleus(spindle(bench, p, axis, 4.2, 1.2));
  }
}

void draw_lymphocytes(Bench& bench) {
  const std::uint64_t seed = bench.seed;
  const double apart = bench.random.uniform(6.2, 8.6);
  bench.paint.background([&](Vec2 p) {
    const double n = rough_noise(p.x / 7.0, p.y / 7.0, seed + 41);
    return Stain{0.12 + 0.14 * n, 0.14 + 0.26 * n};
  });
  for (const Vec2 p : scatter(bench, 2600, apart)) {
    Nucleus nucleus;
    nucleus.centre = p;
    nucleus.axis = bench.direction();
    nucleus.long_um = bench.around(3.25, 0.35);
    nucleus.short_um = nucleus.long_um * bench.random.uniform(0.84, 1.0);
    nucleus.stain = bench.around(1.85, 0.3);
    nucleus.grain = 0.75;
    nucleus.lumps = 0.08;
    if (bench.random.uniform() < 0.07) {  // an activated cell: larger and paler
      nucleus.long_um *= 1.35;
      nucleus.stain *= 0.6;
      nucleus.nucleolus = true;
    }
    bench.paint.nucleus(nucleus);
  }
}

void draw_debris(Bench& bench) {
  const std::uint64_t seed = bench.seed;
  const double eosin = bench.random.uniform(0.45, 0.8);
  bench.paint.background([&](Vec2 p) {
    const double clouds = rough_noise(p.x / 22.0, p.y / 22.0, seed + 51);
    const double grains = rough_noise(p.x / 2.6, p.y / 2.6, seed + 52);
    const double holes = smooth_step(0.27, 0.36, clouds);
    return Stain{holes * (0.1 + 0.2 * grains * clouds),
                 (0.08 + 0.92 * holes) * eosin * (0.45 + 0.9 * grains)};
  });
  const auto dusty = [&](Vec2 p) { return noise(p.x / 19.0, p.y / 19.0, seed + 53) > 0.5; };
  for (const Vec2 p : scatter(bench, 900, 2.1, dusty)) {
    Nucleus dust;
    dust.centre = p;
    dust.axis = bench.direction();
    const double size = bench.random.uniform();
    dust.long_um = 0.5 + 1.5 * size * size;
    dust.short_um = dust.long_um * bench.random.uniform(0.6, 1.0);
    dust.stain = bench.around(1.5, 0.5);
    dust.lumps = 0.35;
    dust.rim = 0.0;
    bench.paint.nucleus(dust);
  }
  for (const Vec2 p : scatter(bench, 30, 12.0)) {
    Nucleus ghost;
    ghost.centre = p;
    ghost.axis = bench.direction();
    ghost.long_um = bench.around(4.0, 0.8);
    ghost.short_um = ghost.long_um * bench.random.uniform(0.7, 1.0);
    ghost.stain = bench.random.uniform(0.2, 0.55);
    ghost.rim = 0.15;
    ghost.lumps = 0.25;
    bench.paint.nucleus(ghost);
  }
}

void draw_tumour(Bench& bench) {
  const std::uint64_t seed = bench.seed;
  const double spacing = bench.random.uniform(11.0, 16.0);
  const double eosin = bench.random.uniform(0.3, 0.6);
  bench.paint.background([&](Vec2 p) {
    const Cells cells = cells_at(p, spacing, seed + 60);
    const double border = 1.0 - smooth_step(0.2, 0.9, 0.5 * (cells.second - cells.first));
    const double n = rough_noise(p.x / 3.0, p.y / 3.0, seed + 61);
    return Stain{0.16 + 0.12 * n, eosin * (0.75 + 0.5 * n) - 0.18 * eosin * border};
  });
  const double size = bench.random.uniform(4.0, 5.4);
  for (const Vec2 p : scatter(bench, 700, 0.78 * spacing)) {
    Nucleus nucleus;
    nucleus.centre = p;
    nucleus.axis = bench.direction();
    nucleus.long_um = bench.around(size, 1.2);
    nucleus.short_um = nucleus.long_um * bench.random.uniform(0.62, 0.98);
    nucleus.stain = bench.around(1.05, 0.45);
    nucleus.rim = 0.55;
    nucleus.lumps = 0.28;
    nucleus.grain = 0.9;
    nucleus.nucleolus = bench.random.uniform() < 0.65;
    if (bench.random.uniform() < 0.05) {  // hyperchromatic
      nucleus.stain = 2.3;
    }
    bench.paint.nucleus(nucleus);
  }
}

/// One gland: a stretched disc with a wavy outline.
struct Gland {
  Vec2 centre;
  Vec2 axis;
  double stretch = 1.0;
  double radius = 25.0;
  double wall = 13.0;
  std::uint64_t seed = 0;

  Vec2 to_disc(Vec2 p) const {
    const Vec2 d{p.x - centre.x, p.y - centre.y};
    return {(d.x * axis.x + d.y * axis.y) / stretch, (d.y * axis.x - d.x * axis.y) * stretch};
  }
  Vec2 from_disc(Vec2 q) const {
    const Vec2 d{q.x * stretch, q.y / stretch};
    return {centre.x + d.x * axis.x - d.y * axis.y, centre.y + d.x * axis.y + d.y * axis.x};
  }
  double outline(Vec2 unit) const {
    return radius * (0.86 + 0.28 * noise(1.5 * unit.x + 5.0, 1.5 * unit.y + 5.0, seed));
  }
  double lumen(Vec2 unit) const {
    return std::max(2.0, outline(unit) - wall +
                             3.0 * (noise(4.0 * unit.x + 9.0, 4.0 * unit.y + 9.0, seed + 1) - 0.5));
  }
};

/// Depth below the gland's outline (negative outside) and distance to the lumen's edge.
struct InGland {
  const Gland* gland = nullptr;
  double depth = -1e9;
  double above_lumen = 0.0;
};

InGland find_gland(const std::vector<Gland>& glands, Vec2 p) {
  InGland best;
  for (const Gland& gland : glands) {
    const Vec2 q = gland.to_disc(p);
    const double r = std::max(length_of(q), 1e-9);
    const Vec2 unit{q.x / r, q.y / r};
    const double depth = gland.outline(unit) - r;
    if (depth > best.depth) {
      best = {&gland, depth, r - gland.lumen(unit)};
    }
  }
  return best;
}

std::vector<Gland> place_glands(Bench& bench) {
  const double spacing = bench.random.uniform(54.0, 66.0);
  const double wall = bench.random.uniform(11.0, 15.0);
  const Vec2 shift{bench.random.uniform(), bench.random.uniform()};
  std::vector<Gland> glands;
  std::uint64_t number = 0;
  for (int row = -1; row <= 3; ++row) {
    for (int column = -1; column <= 3; ++column) {
      Gland gland;
      const double x = column + shift.x + (row % 2 != 0 ? 0.5 : 0.0);
      gland.centre = {(x + bench.around(0.0, 0.08)) * spacing,
                      (row + shift.y + bench.around(0.0, 0.08)) * 0.92 * spacing};
      gland.axis = bench.direction();
      gland.stretch = bench.random.uniform(1.0, 1.2);
      gland.radius = spacing * bench.random.uniform(0.38, 0.46);
      gland.wall = wall;
      gland.seed = bench.seed + 1000 + 100 * ++number;
      const double reach = gland.stretch * gland.radius * 1.2;
      if (std::max(std::abs(gland.centre.x - kFieldUm / 2),
                   std::abs(gland.centre.y - kFieldUm / 2)) < kFieldUm / 2 + reach) {
        glands.push_back(gland);  // the others are out of sight
      }
    }
  }
  return glands;
}

void ring_of_nuclei(Bench& bench, const Gland& gland) {
  const int count = static_cast<int>(6.2 * gland.radius / bench.random.uniform(4.6, 5.6));
  for (int i = 0; i < count; ++i) {
    const Vec2 unit = direction_at((i + bench.random.uniform(-0.25, 0.25) + 1.0) / count);
    const double r = gland.outline(unit) - bench.around(4.6, 0.9);
    const Vec2 at = gland.from_disc({unit.x * r, unit.y * r});
    const Vec2 out = gland.from_disc({unit.x * (r + 1.0), unit.y * (r + 1.0)});
    const double norm = length_of({out.x - at.x, out.y - at.y});
    Nucleus nucleus;
    nucleus.centre = at;
    nucleus.axis = {(out.x - at.x) / norm, (out.y - at.y) / norm};
    nucleus.long_um = bench.around(3.9, 0.5);
    nucleus.short_um = bench.around(2.25, 0.3);
    nucleus.stain = bench.around(1.35, 0.3);
    nucleus.rim = 0.4;
    bench.paint.nucleus(nucleus);
  }
}

void draw_gland(Bench& bench) {
  const std::vector<Gland> glands = place_glands(bench);
  const Grain grain{bench.direction(), 14.0, 2.0, bench.seed};
  const double density = bench.random.uniform(0.25, 0.45);
  const double goblets = bench.random.uniform(0.5, 0.85);
  bench.paint.background([&](Vec2 p) {
    const InGland in = find_gland(glands, p);
    const Stain outside = collagen_at(grain, density, p);
    const double n = rough_noise(p.x / 3.0, p.y / 3.0, bench.seed + 71);
    const double vacuole =
        smooth_step(goblets - 0.06, goblets + 0.04, noise(p.x / 4.5, p.y / 4.5, bench.seed + 72)) *
        smooth_step(6.0, 8.0, in.depth);
    const double border = 1.0 - smooth_step(0.4, 1.3, std::abs(in.above_lumen - 0.6));
    Stain cell{0.2 + 0.12 * n, 0.34 + 0.24 * n + 0.22 * border};
    cell.haematoxylin = mix(cell.haematoxylin, 0.1, vacuole);
    cell.eosin = mix(cell.eosin, 0.06, vacuole);
    const double mucus = smooth_step(0.55, 0.8, rough_noise(p.x / 9.0, p.y / 9.0, bench.seed + 73));
    const Stain lumen{0.02 + 0.08 * mucus, 0.02 + 0.1 * mucus};
    const double inside = smooth_step(-0.4, 0.4, in.depth);
    const double wall = smooth_step(-0.4, 0.4, in.above_lumen);
    return Stain{
        mix(outside.haematoxylin, mix(lumen.haematoxylin, cell.haematoxylin, wall), inside),
        mix(outside.eosin, mix(lumen.eosin, cell.eosin, wall), inside)};
  });
  for (const Gland& gland : glands) {
    ring_of_nuclei(bench, gland);
  }
  const auto outside = [&](Vec2 p) { return find_gland(glands, p).depth < -2.0; };
  for (const Vec2 p : scatter(bench, 160, 7.5, outside)) {
    bench.paint.nucleus(spindle(bench, p, grain.tangent(p), 4.2, 1.5));
  }
}

struct TissueRow {
  const char* name;
  void (*draw)(Bench&);
};

constexpr std::array<TissueRow, kTissueCount> kTissues = {{
    {"adipose", draw_adipose},
    {"debris", draw_debris},
    {"gland", draw_gland},
    {"lymphocytes", draw_lymphocytes},
    {"muscle", draw_muscle},
    {"stroma", draw_stroma},
    {"tumour", draw_tumour},
}};

}  // namespace

const char* name_of(Tissue tissue) { return kTissues[static_cast<std::size_t>(tissue)].name; }

StainMap draw_tissue(Tissue tissue, int side, std::uint64_t seed, std::uint64_t index) {
  StainMap map{side, kFieldUm / side, {}};
  map.points.resize(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  const TissueRow& row = kTissues[static_cast<std::size_t>(tissue)];
  Stream random(seed, row.name, 0, index);
  const std::uint64_t field_seed = random.bits();
  Painter painter(map, field_seed);
  Bench bench{painter, random, field_seed};
  row.draw(bench);
  return map;
}

}  // namespace probedarts::data
