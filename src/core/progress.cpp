#include "core/progress.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace probedarts {
namespace {

constexpr double kRedrawSeconds = 0.2;
constexpr int kBarWidth = 24;
constexpr const char* kClearLine = "\r\033[K";

}  // namespace

double monotonic_seconds() {
  using std::chrono::duration;
  using std::chrono::steady_clock;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

std::string duration_text(double seconds) {
  const long whole = std::lround(seconds);
  if (whole >= 3600) {
    return fmt::format("{} h {:02d} min", whole / 3600, whole % 3600 / 60);
  }
  if (whole >= 60) {
    return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
  }
  return fmt::format("{} s", whole);
}

void print_line(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

std::string rate_text(std::size_t images, double seconds) {
  return images == 0 ? ""
                     : fmt::format(" ({:.0f} images/s)", static_cast<double>(images) / seconds);
}

Progress::Progress(std::string title, std::size_t total, std::size_t after, std::size_t before)
    : title_(std::move(title)),
      total_(total),
      after_(after),
      before_(before),
      done_(before),
      start_seconds_(monotonic_seconds()) {
  const char* kind = std::getenv("TERM");
  terminal_ = isatty(STDERR_FILENO) == 1 && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

Progress::~Progress() {
  if (terminal_) {
    std::fputs(kClearLine, stderr);
    std::fflush(stderr);
  }
}

void Progress::advance(std::size_t images) {
  done_ += images;
  const double now = monotonic_seconds();
  if (terminal_ && now - drawn_seconds_ >= kRedrawSeconds) {
    draw(now);
  }
}

void Progress::draw(double now_seconds) {
  drawn_seconds_ = now_seconds;
  const double rate =
      static_cast<double>(done_ - before_) / std::max(now_seconds - start_seconds_, 1e-3);
  const double left =
      static_cast<double>(total_ - std::min(done_, total_) + after_) / std::max(rate, 1e-3);
  const double share =
      total_ == 0 ? 1.0
                  : static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_);
  const int filled = static_cast<int>(share * kBarWidth);
  std::string bar(static_cast<std::size_t>(kBarWidth), '.');
  bar.replace(0, static_cast<std::size_t>(filled), static_cast<std::size_t>(filled), '#');
  const std::string line = fmt::format("{}{} [{}] {:.0f} images/s, {} left", kClearLine, title_,
                                       bar, rate, duration_text(left));
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace probedarts
