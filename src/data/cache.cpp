// The cache file: a header of 4096 bytes (one line of JSON, padded with spaces), the patches of
// train, valid and test one behind the other, and the notes (JSON: which patches are unreadable and
// why). A hash in the header covers the rest.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/cifar.hpp"
#include "data/content_index.hpp"
#include "data/image.hpp"
#include "data/loader.hpp"
#include "data/mapped_file.hpp"
#include "data/parallel.hpp"

namespace probedarts::data {
namespace {

// Part of every fingerprint: raise it when decoding or resizing changes.
constexpr const char* kFormat = "probedarts patches 1";
constexpr std::size_t kHeaderBytes = 4096;
constexpr const char* kStopped = "stopped while the images were read; start again";
constexpr std::array kSplits = {Split::kTrain, Split::kValid, Split::kTest};

/// One sample of the data set in the order of the cache file.
struct Slot {
  const Sample* sample = nullptr;
  Split split = Split::kTrain;
  std::size_t file = 0;  ///< its place in Files
};

/// The different files of a data set (a CIFAR batch holds many samples) and the hashes of their
/// contents.
struct Files {
  std::vector<std::filesystem::path> paths;
  std::vector<std::string> hashes;
};

struct Note {
  std::size_t slot = 0;
  std::string why;
};

std::vector<Slot> list_slots(const Dataset& dataset, Files& files) {
  std::vector<Slot> slots;
  std::map<std::filesystem::path, std::size_t> known;
  for (const Split split : kSplits) {
    for (const Sample& sample : dataset.of(split)) {
      const auto [place, is_new] = known.try_emplace(sample.file, files.paths.size());
      if (is_new) {
        files.paths.push_back(sample.file);
      }
      slots.push_back({&sample, split, place->second});
    }
  }
  return slots;
}

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Names count relative to the root, so that a data set keeps its fingerprint when it moves.
std::string make_fingerprint(const Dataset& dataset, const std::vector<Slot>& slots,
                             const Files& files, int size_px, int threads) {
  std::string text = dump({kFormat, size_px, dataset.kind == LabelKind::kMulti, dataset.classes,
                           dataset.cifar_label_bytes});
  std::vector<std::string> parts(slots.size());
  parallel_in_order(slots.size(), threads, [&](std::size_t i) {
    const Sample& sample = *slots[i].sample;
    parts[i] = dump({static_cast<int>(slots[i].split),
                     sample.file.lexically_proximate(dataset.root).generic_string(), sample.record,
                     sample.label, sample.labels, sample.group, files.hashes[slots[i].file]});
  });
  for (const std::string& part : parts) {
    text += part;
  }
  return content_hash(text);
}

std::size_t patch_bytes(int size_px) {
  return 3 * static_cast<std::size_t>(size_px) * static_cast<std::size_t>(size_px);
}

/// What a cache file's header says of all that follows it.
std::string hash_of_body(const std::vector<std::string>& patches, std::string_view notes) {
  std::string all;
  for (const std::string& hash : patches) {
    all += hash;
  }
  return content_hash(all.append(notes));
}

std::string make_header(int size_px, std::size_t slots, std::size_t notes_bytes,
                        const std::string& hash) {
  std::string header = dump({{"format", kFormat},
                             {"size_px", size_px},
                             {"patches", slots},
                             {"notes_bytes", notes_bytes},
                             {"hash", hash}});
  header.resize(kHeaderBytes - 1, ' ');
  return header + "\n";
}

/// Makes the cache file of one data set.
class CacheBuilder {
 public:
  CacheBuilder(const Dataset& dataset, const std::vector<Slot>& slots, const Files& files,
               const CacheOptions& options)
      : dataset_(dataset), slots_(slots), files_(files), options_(options) {
    for (const Slot& slot : slots) {
      if (slot.sample->record >= 0 && batches_.count(slot.file) == 0) {
        batches_[slot.file] = read_unchanged(slot.file);
      }
    }
  }

  void build(const std::filesystem::path& path) {
    NewFile file(path);
    const std::size_t bytes = patch_bytes(options_.size_px);
    std::vector<std::string> hashes(slots_.size());
    parallel_in_order(slots_.size(), options_.threads, [&](std::size_t i) {
      throw_if_interrupted(kStopped);
      const Image image = decode_slot(i);
      const std::string_view pixels(reinterpret_cast<const char*>(image.rgb.data()), bytes);
      hashes[i] = content_hash(pixels);
      file.write(kHeaderBytes + i * bytes, pixels);
    });
    const std::string notes = format_notes();
    file.write(kHeaderBytes + slots_.size() * bytes, notes);
    file.write(
        0, make_header(options_.size_px, slots_.size(), notes.size(), hash_of_body(hashes, notes)));
    file.publish();
  }

 private:
  std::string read_unchanged(std::size_t file) const {
    std::string bytes = read_file(files_.paths[file]);
    if (content_hash(bytes) != files_.hashes[file]) {
      throw UserError(fmt::format("{}: the file changed while it was read; start again",
                                  files_.paths[file].string()));
    }
    return bytes;
  }

  Image read_slot(const Slot& slot) const {
    const Sample& sample = *slot.sample;
    if (sample.record >= 0) {
      return cifar_image(batches_.at(slot.file), dataset_.cifar_label_bytes, sample.record);
    }
    if (files_.hashes[slot.file].empty()) {
      return read_image(sample.file);  // tells why it cannot be read
    }
    return decode_image(read_unchanged(slot.file), sample.file.string());
  }

  /// The patch of a slot; black, and a note, when it is unreadable and may be skipped.
  Image decode_slot(std::size_t number) {
    const int side = options_.size_px;
    try {
      return resize_bicubic(read_slot(slots_[number]), side, side);
    } catch (const UserError& error) {
      if (!options_.skip_unreadable) {
        throw UserError(fmt::format("{}, or skip it with --skip-unreadable", error.what()));
      }
      const std::lock_guard lock(mutex_);
      notes_.push_back({number, error.what()});
    }
    return {side, side, std::vector<std::uint8_t>(patch_bytes(side), 0)};
  }

  std::string format_notes() {
    std::sort(notes_.begin(), notes_.end(),
              [](const Note& a, const Note& b) { return a.slot < b.slot; });
    nlohmann::json list = nlohmann::json::array();
    for (const Note& note : notes_) {
      list.push_back({note.slot, note.why});
    }
    return dump(list);
  }

  const Dataset& dataset_;
  const std::vector<Slot>& slots_;
  const Files& files_;
  const CacheOptions& options_;
  std::map<std::size_t, std::string> batches_;  ///< CIFAR batch files by place
  std::mutex mutex_;                            ///< guards notes_
  std::vector<Note> notes_;
};

/// A cache file that was checked.
struct CheckedFile {
  MappedFile file;
  std::vector<Note> notes;
};

/// Nothing when the file is absent, truncated, damaged or not of this form.
std::optional<CheckedFile> open_checked(const std::filesystem::path& path,
                                        const CacheOptions& options, std::size_t slots) {
  std::optional<MappedFile> file = MappedFile::open(path);
  if (!file || file->bytes().size() < kHeaderBytes) {
    return std::nullopt;
  }
  const int size_px = options.size_px;
  const std::string_view bytes = file->bytes();
  const std::string_view header = bytes.substr(0, kHeaderBytes);
  const std::size_t patch = patch_bytes(size_px);
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (body.size() < slots * patch) {
    return std::nullopt;
  }
  const std::string_view notes = body.substr(slots * patch);
  std::vector<std::string> hashes(slots);
  parallel_in_order(slots, options.threads, [&](std::size_t i) {
    throw_if_interrupted(kStopped);
    const auto pixels = std::make_unique_for_overwrite<char[]>(patch);
    if (file->read(kHeaderBytes + i * patch, {pixels.get(), patch})) {
      hashes[i] = content_hash({pixels.get(), patch});
    }
  });
  if (header != make_header(size_px, slots, notes.size(), hash_of_body(hashes, notes))) {
    return std::nullopt;
  }
  CheckedFile checked{std::move(*file), {}};
  for (const nlohmann::json& note :
       nlohmann::json::parse(notes)) {  // the hash vouches for the form
    checked.notes.push_back({note.at(0), note.at(1)});
  }
  return checked;
}

void refuse_empty_splits(const Dataset& dataset, const std::vector<Slot>& slots,
                         const std::vector<Note>& notes) {
  for (const Split split : kSplits) {
    const std::size_t all = dataset.of(split).size();
    std::size_t lost = 0;
    for (const Note& note : notes) {
      lost += slots[note.slot].split == split ? 1 : 0;
    }
    if (all > 0 && lost == all) {
      throw UserError(fmt::format("{}: none of the {} {} images can be read; restore them",
                                  dataset.root.string(), all, name_of(split)));
    }
  }
}

/// Where the hashes of a data set's files are kept: one file for each root.
std::filesystem::path index_path(const Dataset& dataset, const std::filesystem::path& folder) {
  const std::string root = std::filesystem::absolute(dataset.root).lexically_normal().string();
  return folder / (content_hash(root) + ".contents");
}

}  // namespace

struct PatchCache::Impl {
  struct Patch {
    std::size_t slot = 0;
    std::size_t place = 0;  ///< in the data set's list of the split
    std::int32_t label = 0;
    std::vector<std::uint8_t> labels;
    std::string group;
  };
  const std::vector<Patch>& of(Split split) const {
    return patches[static_cast<std::size_t>(split)];
  }
  const Patch& at(Split split, std::size_t index) const {
    require(index < of(split).size(), "a patch index lies within its split");
    return of(split)[index];
  }

  std::size_t position(Split split, std::size_t index) const {  ///< of a patch in the file
    return kHeaderBytes + at(split, index).slot * patch_bytes(size_px);
  }

  /// Everything but the fingerprint.
  static std::unique_ptr<Impl> make(const Dataset& dataset, const std::vector<Slot>& slots,
                                    int size_px, CheckedFile checked) {
    auto impl = std::make_unique<Impl>(
        Impl{std::move(checked.file), {}, {}, dataset.kind, dataset.classes, size_px, {}});
    std::array<std::size_t, 3> places{};
    auto note = checked.notes.begin();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Sample& sample = *slots[i].sample;
      const auto split = static_cast<std::size_t>(slots[i].split);
      const std::size_t place = places[split]++;
      if (note != checked.notes.end() && note->slot == i) {
        impl->unreadable.push_back(sample.file.string());
        ++note;
      } else {
        impl->patches[split].push_back({i, place, sample.label, sample.labels, sample.group});
      }
    }
    return impl;
  }

  MappedFile file;
  std::string fingerprint;
  std::vector<std::string> unreadable;
  LabelKind kind = LabelKind::kSingle;
  std::vector<std::string> classes;
  int size_px = 0;
  std::array<std::vector<Patch>, 3> patches;
};

PatchCache PatchCache::open(const Dataset& dataset, const CacheOptions& options) {
  require(options.size_px > 0, "a patch cache needs a positive size");
  Files files;
  const std::vector<Slot> slots = list_slots(dataset, files);
  ContentIndex index(index_path(dataset, options.folder));
  files.hashes = index.hashes_of(files.paths, options.threads);
  index.save();
  const std::string fingerprint =
      make_fingerprint(dataset, slots, files, options.size_px, options.threads);
  const std::filesystem::path path = options.folder / (fingerprint + ".patches");

  std::optional<CheckedFile> checked = open_checked(path, options, slots.size());
  if (!checked) {
    CacheBuilder(dataset, slots, files, options).build(path);
    checked = open_checked(path, options, slots.size());
    require(checked.has_value(), "a cache file reads back as it was written");
  }
  if (!checked->notes.empty() && !options.skip_unreadable) {
    throw UserError(fmt::format("{}, or skip it with --skip-unreadable", checked->notes[0].why));
  }
  refuse_empty_splits(dataset, slots, checked->notes);

  auto impl = Impl::make(dataset, slots, options.size_px, std::move(*checked));
  impl->fingerprint = fingerprint;
  return PatchCache(std::move(impl));
}

std::optional<PatchCache> PatchCache::find(const Dataset& dataset, const CacheOptions& options) {
  Files files;
  const std::vector<Slot> slots = list_slots(dataset, files);
  const auto hashes =
      ContentIndex(index_path(dataset, options.folder)).known_hashes(files.paths, options.threads);
  if (!hashes) {
    return std::nullopt;
  }
  files.hashes = *hashes;
  const std::string fingerprint =
      make_fingerprint(dataset, slots, files, options.size_px, options.threads);
  auto checked = open_checked(options.folder / (fingerprint + ".patches"), options, slots.size());
  if (!checked) {
    return std::nullopt;
  }
  auto impl = Impl::make(dataset, slots, options.size_px, std::move(*checked));
  impl->fingerprint = fingerprint;
  return PatchCache(std::move(impl));
}

PatchCache::PatchCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PatchCache::~PatchCache() = default;
PatchCache::PatchCache(PatchCache&&) noexcept = default;
PatchCache& PatchCache::operator=(PatchCache&&) noexcept = default;

const std::string& PatchCache::fingerprint() const { return impl_->fingerprint; }
const std::vector<std::string>& PatchCache::unreadable() const { return impl_->unreadable; }
LabelKind PatchCache::kind() const { return impl_->kind; }
const std::vector<std::string>& PatchCache::classes() const { return impl_->classes; }
int PatchCache::size_px() const { return impl_->size_px; }
std::size_t PatchCache::count(Split split) const { return impl_->of(split).size(); }
std::size_t PatchCache::place(Split split, std::size_t index) const {
  return impl_->at(split, index).place;
}

const std::uint8_t* PatchCache::pixels(Split split, std::size_t index) const {
  return reinterpret_cast<const std::uint8_t*>(impl_->file.bytes().data() +
                                               impl_->position(split, index));
}

void PatchCache::read_pixels(Split split, std::size_t index, std::span<std::uint8_t> to) const {
  require(to.size() == patch_bytes(impl_->size_px), "a patch fills what it is read into");
  if (!impl_->file.read(impl_->position(split, index),
                        {reinterpret_cast<char*>(to.data()), to.size()})) {
    throw UserError(fmt::format("{}: the cache file was cut off while it was read; start again",
                                impl_->file.path().string()));
  }
}

std::int32_t PatchCache::label(Split split, std::size_t index) const {
  return impl_->at(split, index).label;
}

const std::vector<std::uint8_t>& PatchCache::labels(Split split, std::size_t index) const {
  return impl_->at(split, index).labels;
}

const std::string& PatchCache::group(Split split, std::size_t index) const {
  return impl_->at(split, index).group;
}

Normalization PatchCache::measured_normalization(Split split) const {
  require(count(split) > 0, "statistics need at least one patch");
  // Whole numbers, so that the result does not depend on the order of summation.
  std::array<std::uint64_t, 3> sum{}, sum_of_squares{};
  const std::size_t bytes = patch_bytes(size_px());
  for (std::size_t i = 0; i < count(split); ++i) {
    throw_if_interrupted(kStopped);
    const std::uint8_t* pixel = pixels(split, i);
    for (const std::uint8_t* end = pixel + bytes; pixel != end; pixel += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        sum[c] += pixel[c];
        sum_of_squares[c] += std::uint64_t{pixel[c]} * pixel[c];
      }
    }
  }
  const double pixels_all = static_cast<double>(count(split)) * static_cast<double>(bytes / 3);
  Normalization result;
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = static_cast<double>(sum[c]) / pixels_all;
    const double variance = static_cast<double>(sum_of_squares[c]) / pixels_all - mean * mean;
    result.mean[c] = mean / 255.0;
    result.sd[c] = variance > 0.0 ? std::sqrt(variance) / 255.0 : 1.0;
  }
  return result;
}

}  // namespace probedarts::data
