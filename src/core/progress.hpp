#pragma once

#include <cstddef>
#include <string>

namespace probedarts {

/// Progress of long work on the error stream: a bar with images/s and time left, redrawn in place,
/// on a terminal; elsewhere nothing between the plain lines, so that logs stay readable.
class Progress {
 public:
  /// \param title  for example "epoch 3/50". \param total  images in this stretch. \param after
  /// images of the whole work that follow it (for the time left). \param before  images of this
  /// stretch that were done earlier: part of the bar, not of the rate.
  Progress(std::string title, std::size_t total, std::size_t after, std::size_t before = 0);
  ~Progress();  ///< clears the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::size_t images);

 private:
  void draw(double now_seconds);

  std::string title_;
  std::size_t total_, after_, before_, done_;
  double start_seconds_, drawn_seconds_ = 0.0;
  bool terminal_;
};

/// A line on the error stream.
void print_line(const std::string& text);

/// "1 h 05 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

/// " (512 images/s)"; empty for no image.
std::string rate_text(std::size_t images, double seconds);

/// Seconds of a clock that only goes forward.
double monotonic_seconds();

}  // namespace probedarts
