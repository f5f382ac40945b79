#pragma once

#include <string>
#include <vector>

/// Where the words beside points go, so that neighbours can be told apart.
namespace probedarts::study {

struct Box {
  double left = 0.0, top = 0.0, right = 0.0, bottom = 0.0;  ///< px, y downwards
};

struct TaggedPoint {
  double x = 0.0, y = 0.0;  ///< px
  std::string tag;          ///< empty: only in the way of others
};

struct TagPlace {
  double x = 0.0, y = 0.0;  ///< left end of the tag on its baseline, px
  bool is_far = false;      ///< so far that a line to its point helps
};

/// About how wide text of 12 px is, px: sans-serif digits and letters are 7 at most.
double text_width(const std::string& text);

/// One after the other, each tag goes to the first place around its point, from near to far and
/// from the right onwards, with the least overlap with tags placed before, with points and with
/// what lies outside the area. A tag alone is right of its point. The same points give the same
/// places. Cost: points times tags times 32.
std::vector<TagPlace> place_tags(const std::vector<TaggedPoint>& points, const Box& area);

}  // namespace probedarts::study
